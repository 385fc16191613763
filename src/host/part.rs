//! A way in for a component that does not know the whole configuration. The cell that it
//! reads from is `cell.rs`'s.

use core::any::Any;
use core::fmt;
use core::future::Future;
use core::ops::Deref;
use core::panic::{RefUnwindSafe, UnwindSafe};
use core::pin::Pin;
use core::time::Duration;

use super::cell::{Cell, Handle, Loaded, Waited};
use super::changed::Stopped;
use super::shards::Copied;
use super::std::prelude::rust_2024::*;
use super::std::sync::Arc;
use super::std::time::Instant;
use crate::Version;

/// A snapshot whose type is not named.
type Anything = dyn Any + Send + Sync;

/// Finds the part in the snapshot.
type Select<P> = dyn Fn(&Anything) -> &P + Send + Sync;

#[derive(Clone)]
struct Whole {
    snapshot: Arc<Anything>,
    version: Version,
}

/// A cell whose type is not named.
trait Wholes: Send + Sync {
    fn load(&self) -> Whole;

    /// Waits for a newer one.
    fn wait(&self, than: Version, deadline: Option<Instant>) -> Result<Whole, WaitedPart>;

    /// Returns a future of a newer one.
    fn changed(self: Arc<Self>, than: Version) -> NewerWhole;
}

type NewerWhole = Pin<Box<dyn Future<Output = Result<Whole, Stopped>> + Send>>;

impl<T: Send + Sync + 'static> Wholes for Cell<T> {
    fn load(&self) -> Whole {
        Whole::of(Cell::load(self))
    }

    fn wait(&self, than: Version, deadline: Option<Instant>) -> Result<Whole, WaitedPart> {
        match self.wait_newer_until(than, deadline) {
            Waited::Newer(loaded) => Ok(Whole::of(loaded)),
            Waited::TimedOut => Err(WaitedPart::TimedOut),
            Waited::Stopped => Err(WaitedPart::Stopped),
        }
    }

    fn changed(self: Arc<Self>, than: Version) -> NewerWhole {
        let changed = Handle::new(self).changed(than);
        Box::pin(async { changed.await.map(Whole::of) })
    }
}

impl Whole {
    fn of<T: Send + Sync + 'static>(loaded: Loaded<T>) -> Self {
        Whole {
            version: loaded.version(),
            snapshot: loaded.into_copied(),
        }
    }
}

/// A way in to a part of the configuration, for a component that does not know the whole:
/// a [`Handle`] whose type names the part only. Cheap to clone, usable from any thread,
/// valid for as long as it is held.
///
/// ```
/// use steadyconf::handle::Part;
/// use steadyconf::Handle;
///
/// struct Config {
///     db: Db,
/// }
///
/// #[derive(PartialEq)]
/// struct Db {
///     pool_size: u32,
/// }
///
/// struct Pool(Part<Db>);
///
/// impl Pool {
///     fn size(&self) -> u32 {
///         self.0.load().pool_size
///     }
/// }
///
/// let config = Handle::fixed(Config { db: Db { pool_size: 4 } });
/// assert_eq!(Pool(config.part(|config| &config.db)).size(), 4);
///
/// // In a unit test of the component, the part is all there is.
/// let db = Handle::fixed(Db { pool_size: 1 });
/// assert_eq!(Pool(db.part(|db| db)).size(), 1);
/// ```
pub struct Part<P: ?Sized> {
    cell: Arc<dyn Wholes>,
    select: Arc<Select<P>>,
}

impl<T: Send + Sync + 'static> Handle<T> {
    /// Returns a handle to the part that `select` returns; see [`Part`].
    ///
    /// `select` is called at every access to the part, on the reader's thread, so it is
    /// to do no more than borrow. A panic in it is the reader's.
    #[must_use]
    pub fn part<P: ?Sized + 'static>(
        &self,
        select: impl Fn(&T) -> &P + Send + Sync + 'static,
    ) -> Part<P> {
        Part {
            cell: self.cell().clone(),
            select: Arc::new(move |anything: &Anything| {
                let snapshot = anything.downcast_ref::<Copied<T>>();
                let snapshot = snapshot.unwrap_or_else(|| unreachable!("it is this cell's"));
                select(snapshot)
            }),
        }
    }
}

impl<P: ?Sized> Part<P> {
    /// Returns the part of the active snapshot.
    ///
    /// As with [`Handle::load`]: load once for a piece of work. Two parts that are loaded
    /// one after the other may be of two versions.
    #[must_use]
    pub fn load(&self) -> LoadedPart<P> {
        LoadedPart {
            whole: self.cell.load(),
            select: self.select.clone(),
        }
    }

    /// Returns the version of the active snapshot, which grows also when another part
    /// changes.
    #[must_use]
    pub fn version(&self) -> Version {
        self.cell.load().version
    }

    /// Waits until the active part differs from the one that was `seen`, at most for
    /// `timeout`; with a `timeout` of zero it only asks. Afterwards `seen` is of the
    /// newest snapshot that was found, whatever is returned.
    ///
    /// Changes of other parts do not end the wait. Nor do changes that were taken back
    /// before they were noticed: `seen` is compared with the active snapshot. Do not call it
    /// from inside a callback: what it waits for comes after the callback has returned.
    ///
    /// ```no_run
    /// # fn resize(_: &u32) {}
    /// # let part = steadyconf::Handle::fixed(1).part(|config| config);
    /// use std::time::Duration;
    /// use steadyconf::handle::WaitedPart;
    ///
    /// let mut pool_size = part.load();
    /// resize(&pool_size);
    /// loop {
    ///     match part.wait_changed(&mut pool_size, Duration::from_secs(60)) {
    ///         WaitedPart::Changed => resize(&pool_size),
    ///         WaitedPart::TimedOut => continue,
    ///         _ => break,
    ///     }
    /// }
    /// ```
    ///
    /// # Panics
    ///
    /// If `select` does, or the comparison.
    pub fn wait_changed(&self, seen: &mut LoadedPart<P>, timeout: Duration) -> WaitedPart
    where
        P: PartialEq,
    {
        // `None` is further away than the clock can tell.
        let deadline = Instant::now().checked_add(timeout);
        loop {
            let whole = match self.cell.wait(seen.version(), deadline) {
                Ok(whole) => whole,
                Err(over) => return over,
            };
            if self.differs(seen, whole) {
                return WaitedPart::Changed;
            }
        }
    }

    /// The same as [`wait_changed`](Self::wait_changed), without blocking a thread and
    /// without a time-out: waits until the active part differs from the one that was
    /// `seen`. As [`Handle::changed`] it needs no runtime and may be dropped at any time.
    ///
    /// # Errors
    ///
    /// [`Stopped`]: it did not change, and the [`Reloader`](crate::Reloader) was stopped
    /// or dropped.
    ///
    /// # Panics
    ///
    /// If `select` does, or the comparison.
    pub async fn changed(&self, seen: &mut LoadedPart<P>) -> Result<(), Stopped>
    where
        P: PartialEq,
    {
        loop {
            let whole = self.cell.clone().changed(seen.version()).await?;
            if self.differs(seen, whole) {
                return Ok(());
            }
        }
    }

    /// Returns whether the part differs from the one that was seen, which it then is.
    fn differs(&self, seen: &mut LoadedPart<P>, whole: Whole) -> bool
    where
        P: PartialEq,
    {
        let new = LoadedPart {
            whole,
            select: self.select.clone(),
        };
        let differs = **seen != *new;
        // Also if it is equal, so that an old snapshot is not held for nothing.
        *seen = new;
        differs
    }
}

impl<P: ?Sized> Clone for Part<P> {
    fn clone(&self) -> Self {
        Part {
            cell: self.cell.clone(),
            select: self.select.clone(),
        }
    }
}

/// `Debug` leaves the value out: it may hold secrets.
impl<P: ?Sized> fmt::Debug for Part<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Part")
            .field("version", &self.version())
            .finish_non_exhaustive()
    }
}

/// A part of a snapshot that somebody holds. It derefs to the part, and keeps the whole
/// snapshot alive; nothing is copied.
pub struct LoadedPart<P: ?Sized> {
    whole: Whole,
    select: Arc<Select<P>>,
}

impl<P: ?Sized> LoadedPart<P> {
    /// Returns the version of the snapshot that the part is of.
    #[must_use]
    pub fn version(&self) -> Version {
        self.whole.version
    }
}

impl<P: ?Sized> Deref for LoadedPart<P> {
    type Target = P;

    fn deref(&self) -> &P {
        (self.select)(&*self.whole.snapshot)
    }
}

impl<P: ?Sized> Clone for LoadedPart<P> {
    fn clone(&self) -> Self {
        LoadedPart {
            whole: self.whole.clone(),
            select: self.select.clone(),
        }
    }
}

/// `Debug` leaves the value out: it may hold secrets.
impl<P: ?Sized> fmt::Debug for LoadedPart<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoadedPart")
            .field("version", &self.version())
            .finish_non_exhaustive()
    }
}

/// The outcome of [`Part::wait_changed`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WaitedPart {
    /// The part differs.
    Changed,
    /// It did not change in time.
    TimedOut,
    /// It did not change, and the [`Reloader`](crate::Reloader) was stopped or dropped.
    Stopped,
}

// As for `Handle`: no lock is held while code that is not ours runs, and a snapshot does
// not change.
impl<P: RefUnwindSafe + ?Sized> UnwindSafe for Part<P> {}
impl<P: RefUnwindSafe + ?Sized> RefUnwindSafe for Part<P> {}
impl<P: RefUnwindSafe + ?Sized> UnwindSafe for LoadedPart<P> {}
impl<P: RefUnwindSafe + ?Sized> RefUnwindSafe for LoadedPart<P> {}
