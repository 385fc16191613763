//! How readers get in: the one cell that holds the active snapshot, and the ways
//! to read from it and to wait on it. What is put into it, and when, is the
//! engine's.

use core::fmt;
use core::ops::Deref;
use core::panic::{RefUnwindSafe, UnwindSafe};
use core::time::Duration;

use super::changed::{self, Stopped, Waiting};
use super::shards::{Copied, Shards};
use super::std::prelude::rust_2024::*;
use super::std::sync::Arc;
use super::std::time::Instant;
use super::sync::{AtomicUsize, Condvar, Mutex, MutexGuard, Ordering};
use super::thread::Signal;
use crate::engine::{Digest, Document};
use crate::report::{Effective, Place};
use crate::{Snapshot, Version};

/// Holds the active snapshot. Its locks are held for the copy of a few pointers or a
/// flag only; no user code runs under them.
pub(crate) struct Cell<T> {
    active: Shards<T>,
    /// Where the active snapshot is in memory, so that a `Reader` need not take a lock to
    /// know that nothing changed. Written only under all locks of the shards: a reader that
    /// sees the new place and then takes one gets the new snapshot, or a newer one. A
    /// reader compares it with the snapshot that it holds, and as long as that is held, no
    /// other can stand in its place.
    place: AtomicUsize,
    /// Says whether anything can still come.
    signal: Arc<Signal>,
    /// Those who wait do so under this lock: threads for the condition, tasks to be woken.
    gate: Mutex<Waiting>,
    newer: Condvar,
}

impl<T> Cell<T> {
    pub(crate) fn new(first: Arc<Snapshot<T>>, signal: Arc<Signal>) -> Self {
        Cell {
            place: AtomicUsize::new(place_of(&first)),
            active: Shards::new(first),
            signal,
            gate: Mutex::new(Waiting::default()),
            newer: Condvar::new(),
        }
    }

    pub(crate) fn load(&self) -> Loaded<T> {
        Loaded(self.active.load())
    }

    /// Makes a snapshot visible to readers.
    pub(crate) fn publish(&self, new: Arc<Snapshot<T>>) {
        let place = place_of(&new);
        // Release: who reads this place also sees what made the snapshot,
        // even before it takes a lock.
        let store = || self.place.store(place, Ordering::Release);
        let old = self.active.replace(&new, store);
        self.call_waiters();
        // Outside of all locks: it may be the last hold on the old value.
        drop(old);
    }

    /// Calls those who wait, after what they wait for has come to be: a newer
    /// snapshot, or the end.
    ///
    /// Taking the gate first means that a waiter has either not looked yet, and
    /// will see it, or waits already, and will be called. Without that the call
    /// could fall in between.
    pub(crate) fn call_waiters(&self) {
        let tasks = self.waiting().take();
        self.newer.notify_all();
        changed::wake(tasks);
    }

    pub(super) fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.gate.lock()
    }

    /// Returns a snapshot newer than `than`, or that none can come any more; `None` if one
    /// may still come.
    pub(super) fn newer(&self, than: Version) -> Option<Result<Loaded<T>, Stopped>> {
        let active = self.load();
        if active.version() > than {
            return Some(Ok(active));
        }
        self.signal.is_stopping().then_some(Err(Stopped))
    }

    /// Waits for a snapshot newer than `than`. Without a deadline it waits for ever.
    pub(crate) fn wait_newer_until(&self, than: Version, deadline: Option<Instant>) -> Waited<T> {
        let mut gate = self.gate.lock();
        loop {
            match self.newer(than) {
                Some(Ok(newer)) => return Waited::Newer(newer),
                Some(Err(Stopped)) => return Waited::Stopped,
                None => {}
            }
            let left = match deadline {
                Some(deadline) => deadline.saturating_duration_since(Instant::now()),
                None => Duration::MAX,
            };
            if left.is_zero() {
                return Waited::TimedOut;
            }
            self.newer.wait_for(&mut gate, left);
        }
    }
}

fn place_of<T>(snapshot: &Arc<Snapshot<T>>) -> usize {
    Arc::as_ptr(snapshot).addr()
}

/// A way in for readers: cheap to clone, usable from any thread, valid for as
/// long as it is held, also after the [`Reloader`](crate::Reloader) was dropped.
pub struct Handle<T> {
    cell: Arc<Cell<T>>,
}

impl<T> Handle<T> {
    pub(crate) fn new(cell: Arc<Cell<T>>) -> Self {
        Handle { cell }
    }

    pub(crate) fn cell(&self) -> &Arc<Cell<T>> {
        &self.cell
    }

    /// A handle to a value that never changes, for unit tests of code that
    /// takes a handle. Its version is 1, its origin `fixed value`, and
    /// [`wait_newer`](Self::wait_newer) says [`Waited::Stopped`].
    ///
    /// ```
    /// use steadyconf::Handle;
    ///
    /// fn greeting(config: &Handle<String>) -> String {
    ///     format!("{}, world", *config.load())
    /// }
    ///
    /// assert_eq!(greeting(&Handle::fixed("hello".to_string())), "hello, world");
    /// ```
    #[must_use]
    pub fn fixed(value: T) -> Self {
        let document = Document::single("fixed value", []);
        let snapshot = Snapshot::fixed(value, document);
        let signal = Signal::default();
        signal.stop();
        Handle::new(Arc::new(Cell::new(Arc::new(snapshot), Arc::new(signal))))
    }

    /// The active snapshot.
    ///
    /// Load once for a piece of work and use what you got until it is done:
    /// it does not change, whatever happens meanwhile. Two loads may give two
    /// versions. It never waits for a reload, only, at most, for another
    /// thread to copy a pointer.
    #[must_use]
    pub fn load(&self) -> Loaded<T> {
        self.cell.load()
    }

    /// A reader for one thread, for the hottest paths; see [`Reader`].
    #[must_use]
    pub fn reader(&self) -> Reader<T> {
        Reader {
            held: self.cell.load().into(),
            cell: self.cell.clone(),
        }
    }

    /// Waits for a snapshot newer than `than`: what a sync program uses in place
    /// of a channel. Changes that come faster than they are waited for are
    /// skipped; what is returned is the active one.
    ///
    /// With [`Version::NONE`] it returns at once. A `timeout` of zero only
    /// asks. Do not call it from inside a callback: what it waits for comes
    /// after the callback has returned.
    ///
    /// ```no_run
    /// # fn rebuild(_: &u32) {}
    /// # let handle = steadyconf::Handle::fixed(1);
    /// use std::time::Duration;
    /// use steadyconf::handle::Waited;
    /// use steadyconf::Version;
    ///
    /// let mut seen = Version::NONE;
    /// loop {
    ///     match handle.wait_newer(seen, Duration::from_secs(60)) {
    ///         Waited::Newer(config) => {
    ///             seen = config.version();
    ///             rebuild(&config);
    ///         }
    ///         Waited::TimedOut => continue,
    ///         _ => break,
    ///     }
    /// }
    /// ```
    #[must_use]
    pub fn wait_newer(&self, than: Version, timeout: Duration) -> Waited<T> {
        // `None` is further away than the clock can tell.
        let deadline = Instant::now().checked_add(timeout);
        self.cell.wait_newer_until(than, deadline)
    }
}

impl<T> Clone for Handle<T> {
    fn clone(&self) -> Self {
        Handle {
            cell: self.cell.clone(),
        }
    }
}

impl<T> fmt::Debug for Handle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Handle").field(&self.cell.load()).finish()
    }
}

// A panic of a reader, in a request handler say, leaves the cell as it was: no
// lock is held while code that is not ours runs, and none is poisoned.
impl<T: RefUnwindSafe> UnwindSafe for Handle<T> {}
impl<T: RefUnwindSafe> RefUnwindSafe for Handle<T> {}
impl<T: RefUnwindSafe> UnwindSafe for Reader<T> {}
impl<T: RefUnwindSafe> RefUnwindSafe for Reader<T> {}

/// The outcome of [`Handle::wait_newer`].
#[non_exhaustive]
pub enum Waited<T> {
    /// A newer snapshot is active: this one.
    Newer(Loaded<T>),
    /// None came in time.
    TimedOut,
    /// None came, and the [`Reloader`](crate::Reloader) was stopped or dropped.
    Stopped,
}

impl<T> Clone for Waited<T> {
    fn clone(&self) -> Self {
        match self {
            Waited::Newer(loaded) => Waited::Newer(loaded.clone()),
            Waited::TimedOut => Waited::TimedOut,
            Waited::Stopped => Waited::Stopped,
        }
    }
}

impl<T> fmt::Debug for Waited<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Waited::Newer(loaded) => f.debug_tuple("Newer").field(loaded).finish(),
            Waited::TimedOut => f.write_str("TimedOut"),
            Waited::Stopped => f.write_str("Stopped"),
        }
    }
}

/// A snapshot that somebody holds. It derefs to the value, and keeps it alive.
///
/// What belongs to the value is there as methods, as a [`Snapshot`] has them. It converts
/// from and into the `Arc<Snapshot<T>>` of a [`Change`](crate::Change) with `into()`,
/// which copies a pointer.
///
/// ```
/// use std::sync::Arc;
/// use steadyconf::handle::Loaded;
/// use steadyconf::{Handle, Snapshot};
///
/// fn double(config: &u32) -> u32 {
///     config * 2
/// }
///
/// let loaded = Handle::fixed(7).load();
/// assert_eq!((*loaded, double(&loaded)), (7, 14));
/// assert_eq!(loaded.version().get(), 1);
/// let snapshot: Arc<Snapshot<u32>> = loaded.into();
/// assert_eq!(*Loaded::from(snapshot), 7);
/// ```
pub struct Loaded<T>(Arc<Copied<T>>);

impl<T> Loaded<T> {
    pub(super) fn into_copied(self) -> Arc<Copied<T>> {
        self.0
    }

    /// Returns the whole snapshot.
    #[must_use]
    pub fn snapshot(&self) -> &Arc<Snapshot<T>> {
        self.0.snapshot()
    }

    /// Returns the value; the same as dereferencing.
    #[must_use]
    pub fn value(&self) -> &T {
        self.0.value()
    }

    /// Returns the number of the snapshot; see [`Version`].
    #[must_use]
    pub fn version(&self) -> Version {
        self.0.version()
    }

    /// Returns the digest of the bytes that the value was made from; see [`Digest`].
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.0.digest()
    }

    /// Returns where the bytes came from, the lowest precedence first.
    #[must_use]
    pub fn origins(&self) -> &Arc<[Arc<str>]> {
        self.0.origins()
    }

    /// Returns which source supplied the field at `path`, and where in it; see
    /// [`Snapshot::origin`].
    #[must_use]
    pub fn origin(&self, path: &str) -> Option<Place> {
        self.0.origin(path)
    }

    /// Returns the bytes of a file that the configuration names, `None` if it names no
    /// such file; see [`Snapshot::file`].
    #[must_use]
    pub fn file(&self, name: &str) -> Option<&[u8]> {
        self.0.file(name)
    }

    /// Returns the whole configuration as YAML, with the origin of every line; see
    /// [`Snapshot::effective`].
    #[must_use]
    pub fn effective(&self) -> Option<Effective> {
        self.0.effective()
    }

    /// Returns the bytes that the value was made from. They may hold secrets.
    #[must_use]
    pub fn document(&self) -> &Document {
        self.0.document()
    }
}

impl<T> Deref for Loaded<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> From<Arc<Snapshot<T>>> for Loaded<T> {
    fn from(snapshot: Arc<Snapshot<T>>) -> Self {
        Loaded(Copied::new(snapshot))
    }
}

impl<T> From<Loaded<T>> for Arc<Snapshot<T>> {
    fn from(loaded: Loaded<T>) -> Self {
        loaded.snapshot().clone()
    }
}

impl<T> Clone for Loaded<T> {
    fn clone(&self) -> Self {
        Loaded(self.0.clone())
    }
}

impl<T> fmt::Debug for Loaded<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.snapshot(), f)
    }
}

/// A reader for one thread, for paths where even a [`Handle::load`] counts: as
/// long as nothing changed, [`get`](Self::get) is one atomic load and a compare,
/// and writes to no memory that threads share.
///
/// In return it holds on to the snapshot that it read last, until it is asked
/// again or dropped. A thread that sleeps for long keeps an old configuration,
/// and what it owns, alive for as long.
pub struct Reader<T> {
    cell: Arc<Cell<T>>,
    held: Arc<Snapshot<T>>,
}

impl<T> Reader<T> {
    /// The active snapshot. The borrow ends before the next call, so one piece
    /// of work cannot mix two of them by mistake.
    #[inline]
    pub fn get(&mut self) -> &Snapshot<T> {
        // Acquire: pairs with the store in `publish`.
        if self.cell.place.load(Ordering::Acquire) != place_of(&self.held) {
            self.renew();
        }
        &self.held
    }

    #[cold]
    fn renew(&mut self) {
        self.held = self.cell.load().into();
    }
}

impl<T> Clone for Reader<T> {
    fn clone(&self) -> Self {
        Reader {
            cell: self.cell.clone(),
            held: self.held.clone(),
        }
    }
}

impl<T> fmt::Debug for Reader<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Reader").field(&self.held).finish()
    }
}

/// Every interleaving of a writer and readers, by loom. Run with
/// `RUSTFLAGS="--cfg loom" cargo test --lib --release loom`.
#[cfg(all(test, loom))]
pub(super) mod loom_tests {
    use super::super::std::sync::Arc;
    use super::*;
    use loom::thread;

    const HOUR: Duration = Duration::from_secs(3600);

    pub(in super::super) fn snapshot(n: u64) -> Arc<Snapshot<u64>> {
        let document = Document::single("loom", []);
        Arc::new(Snapshot::new(
            n,
            Version::new(n),
            document,
            Default::default(),
        ))
    }

    #[test]
    fn g01_readers_see_whole_snapshots_and_never_go_back() {
        loom::model(|| {
            let cell = Arc::new(Cell::new(snapshot(1), Arc::default()));
            let handle = Handle::new(cell.clone());
            let mut reader = handle.reader();
            let reading = thread::spawn(move || {
                let mut last = 1;
                for _ in 0..2 {
                    let loaded = handle.load();
                    assert_eq!(*loaded.value(), loaded.version().get());
                    assert!(*loaded.value() >= last);
                    let got = reader.get();
                    assert_eq!(*got.value(), got.version().get());
                    // What was loaded before is not newer than what is got now.
                    assert!(got.version() >= loaded.version());
                    last = *got.value();
                }
            });
            cell.publish(snapshot(2));
            cell.publish(snapshot(3));
            reading.join().unwrap();
            assert_eq!(*Handle::new(cell).load().value(), 3);
        });
    }

    #[test]
    fn a_waiter_never_misses_what_it_waits_for() {
        loom::model(|| {
            let cell = Arc::new(Cell::new(snapshot(1), Arc::default()));
            let handle = Handle::new(cell.clone());
            // Time does not pass in loom: a missed call would hang, and loom
            // would say so.
            let waiting = thread::spawn(move || {
                let waited = handle.wait_newer(Version::new(1), HOUR);
                assert!(matches!(waited, Waited::Newer(it) if *it.value() == 2));
            });
            cell.publish(snapshot(2));
            waiting.join().unwrap();
        });
    }

    #[test]
    fn g19_a_waiter_never_misses_the_end() {
        loom::model(|| {
            let cell = Arc::new(Cell::new(snapshot(1), Arc::default()));
            let handle = Handle::new(cell.clone());
            let waiting = thread::spawn(move || {
                let waited = handle.wait_newer(Version::new(1), HOUR);
                assert!(matches!(waited, Waited::Stopped), "{waited:?}");
            });
            cell.signal.stop();
            cell.call_waiters();
            waiting.join().unwrap();
        });
    }
}
