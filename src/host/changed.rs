//! Waiting for a change without blocking a thread: a future, and a stream of all changes.
//! They are woken by the cell; no runtime is named here, and none is needed.

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use super::CATCH;
use super::cell::{Cell, Handle, Loaded};
use super::std::collections::BTreeMap;
use super::std::error::Error;
use super::std::mem;
use super::std::prelude::rust_2024::*;
use super::std::sync::Arc;
use crate::Version;

/// The tasks that wait for a newer snapshot. It stands behind the lock of the cell, so
/// nothing here calls a waker: wakers are the user's code.
#[derive(Default)]
pub(super) struct Waiting {
    last: u64,
    tasks: BTreeMap<u64, Waker>,
}

impl Waiting {
    /// Enters a task. Returns the waker that it had before, to be dropped outside of the
    /// lock.
    fn enter(&mut self, task: &mut Option<u64>, waker: Waker) -> Option<Waker> {
        let number = *task.get_or_insert_with(|| {
            self.last += 1;
            self.last
        });
        self.tasks.insert(number, waker)
    }

    fn leave(&mut self, task: &mut Option<u64>) -> Option<Waker> {
        self.tasks.remove(&task.take()?)
    }

    /// Takes out all of them, to be woken outside of the lock.
    pub(super) fn take(&mut self) -> BTreeMap<u64, Waker> {
        mem::take(&mut self.tasks)
    }
}

/// Wakes them. A waker that panics costs its own task.
pub(super) fn wake(tasks: BTreeMap<u64, Waker>) {
    for (_, waker) in tasks {
        let mut waker = Some(waker);
        let _ = CATCH(&mut || waker.take().into_iter().for_each(Waker::wake));
    }
}

impl<T> Cell<T> {
    /// Returns a snapshot newer than `than`, or enters the task to be woken when there is
    /// one, or when none can come any more.
    pub(super) fn poll_newer(
        &self,
        than: Version,
        task: &mut Option<u64>,
        context: &Context<'_>,
    ) -> Poll<Result<Loaded<T>, Stopped>> {
        let waker = context.waker().clone();
        let mut waiting = self.waiting();
        // Under the lock, which a publisher takes after it has published: either this
        // sees the snapshot, or the publisher sees this task.
        let (newer, unused) = match self.newer(than) {
            Some(newer) => (Poll::Ready(newer), waiting.leave(task).or(Some(waker))),
            None => (Poll::Pending, waiting.enter(task, waker)),
        };
        drop(waiting);
        drop(unused);
        newer
    }

    pub(super) fn leave(&self, task: &mut Option<u64>) {
        if task.is_some() {
            let waker = self.waiting().leave(task);
            drop(waker);
        }
    }
}

/// The reloader was stopped or dropped: no newer snapshot comes, but for one whose
/// listeners were being called at that moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped;

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the reloader was stopped or dropped")
    }
}

impl Error for Stopped {}

/// A future that completes once a newer snapshot is active; see [`Handle::changed`].
#[must_use = "futures do nothing unless awaited"]
pub struct Changed<T> {
    cell: Arc<Cell<T>>,
    than: Version,
    task: Option<u64>,
}

impl<T> Handle<T> {
    /// Waits for a snapshot newer than `than` without blocking a thread, and returns the
    /// active one. It needs no runtime: any executor can await it, and nothing polls.
    ///
    /// Changes that come faster than they are awaited are skipped. With
    /// [`Version::NONE`] it completes at once. It may be dropped at any time, as
    /// `select!` and time-outs do: no change is lost, for what counts is `than`. Do not
    /// block on it from inside a callback: what it waits for comes after that.
    ///
    /// # Errors
    ///
    /// [`Stopped`]: none came, and the [`Reloader`](crate::Reloader) was stopped or
    /// dropped.
    ///
    /// ```
    /// # async fn rebuild(_: &u32) {}
    /// # async fn example(handle: steadyconf::Handle<u32>) {
    /// let mut config = handle.load();
    /// loop {
    ///     rebuild(&config).await;
    ///     match handle.changed(config.version()).await {
    ///         Ok(newer) => config = newer,
    ///         Err(_stopped) => break,
    ///     }
    /// }
    /// # }
    /// ```
    pub fn changed(&self, than: Version) -> Changed<T> {
        Changed {
            cell: self.cell().clone(),
            than,
            task: None,
        }
    }

    /// Returns a stream of the snapshots newer than `than`: one after the other, where
    /// those that come faster than they are taken are skipped. With [`Version::NONE`] it
    /// begins with the active one. It ends when the [`Reloader`](crate::Reloader) is
    /// stopped or dropped.
    #[cfg(feature = "stream")]
    pub fn changes(&self, than: Version) -> Changes<T> {
        Changes(self.changed(than))
    }
}

impl<T> Future for Changed<T> {
    type Output = Result<Loaded<T>, Stopped>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        this.cell.poll_newer(this.than, &mut this.task, context)
    }
}

impl<T> Drop for Changed<T> {
    fn drop(&mut self) {
        self.cell.leave(&mut self.task);
    }
}

impl<T> fmt::Debug for Changed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Changed")
            .field("than", &self.than)
            .finish_non_exhaustive()
    }
}

/// A stream of snapshots; see [`Handle::changes`].
#[cfg(feature = "stream")]
#[must_use = "streams do nothing unless polled"]
#[derive(Debug)]
pub struct Changes<T>(Changed<T>);

#[cfg(feature = "stream")]
impl<T> futures_core::Stream for Changes<T> {
    type Item = Loaded<T>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Loaded<T>>> {
        let next = Pin::new(&mut self.0).poll(context);
        next.map(|next| {
            let newer = next.ok()?;
            self.0.than = newer.version();
            Some(newer)
        })
    }
}

/// Every interleaving of a publisher and tasks, by loom. Run with
/// `RUSTFLAGS="--cfg loom" cargo test --lib --release loom`.
#[cfg(all(test, loom))]
mod loom_tests {
    use super::super::cell::loom_tests::snapshot;
    use super::super::std::task::Wake;
    use super::super::thread::Signal;
    use super::*;
    use loom::future::block_on;
    use loom::thread;

    fn world() -> (Arc<Cell<u64>>, Arc<Signal>, Handle<u64>) {
        let signal = Arc::new(Signal::default());
        let cell = Arc::new(Cell::new(snapshot(1), signal.clone()));
        let handle = Handle::new(cell.clone());
        (cell, signal, handle)
    }

    /// A waker that was missed would leave the task asleep, and loom would say so.
    #[test]
    fn g07_a_task_never_misses_what_it_awaits() {
        loom::model(|| {
            let (cell, _, handle) = world();
            let task = thread::spawn(move || {
                let newer = block_on(handle.changed(Version::new(1))).unwrap();
                let last = block_on(handle.changed(Version::new(2))).unwrap();
                assert_eq!((*newer >= 2, *last), (true, 3));
            });
            cell.publish(snapshot(2));
            cell.publish(snapshot(3));
            task.join().unwrap();
        });
    }

    #[test]
    fn g19_a_task_never_misses_the_end() {
        loom::model(|| {
            let (cell, signal, handle) = world();
            let task = thread::spawn(move || {
                let newer = block_on(handle.changed(Version::new(1)));
                assert!(newer.is_err());
            });
            signal.stop();
            cell.call_waiters();
            task.join().unwrap();
        });
    }

    struct Nothing;

    impl Wake for Nothing {
        fn wake(self: Arc<Self>) {}
    }

    /// One task gives up while another waits: that one is woken all the same, and the
    /// first leaves nothing behind.
    #[test]
    fn g07_a_task_that_gives_up_takes_no_other_with_it() {
        loom::model(|| {
            let (cell, _, handle) = world();
            let other = handle.clone();
            let waits = thread::spawn(move || {
                assert_eq!(*block_on(other.changed(Version::new(1))).unwrap(), 2);
            });
            let gives_up = thread::spawn(move || {
                let waker = Waker::from(Arc::new(Nothing));
                let mut changed = handle.changed(Version::new(1));
                let mut context = Context::from_waker(&waker);
                let _ = Pin::new(&mut changed).poll(&mut context);
            });
            cell.publish(snapshot(2));
            waits.join().unwrap();
            gives_up.join().unwrap();
            assert!(cell.waiting().tasks.is_empty());
        });
    }
}
