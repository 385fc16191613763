//! The thread that polls by itself, and the signals that wake and stop it. What
//! a poll is, is `core.rs`'s.

use core::time::Duration;

use super::core::Shared;
use super::std::io;
use super::std::mem;
use super::std::prelude::rust_2024::*;
use super::std::process;
use super::std::sync::Arc;
use super::std::thread::{self, JoinHandle};
use super::sync::{Condvar, Mutex, Ordering};
use crate::report::Cause;

/// No two polls of the thread begin closer together than this, whoever wakes it.
const SHORTEST_PAUSE: Duration = Duration::from_millis(1);

/// What may be said to the thread while it waits or polls.
#[derive(Default)]
struct Asked {
    /// Why a poll is due, if it is.
    due: Option<Cause>,
    phase: Phase,
    /// How often it was stopped, so that who sleeps between two polls can tell.
    stops: u64,
}

/// Whether anything can still come.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Open,
    /// Somebody asked for the end.
    Stopping,
    /// The thread has seen that and is on its way out: taking the stop back is too
    /// late.
    Leaving,
    /// The owner is gone. There is no way back.
    Closed,
}

/// The owner is gone.
#[derive(Debug)]
pub(crate) struct Closed;

/// The mailbox between the thread and everyone else. It is also where it stands
/// whether anything can still come: nowhere else, so that the two cannot differ.
#[derive(Default)]
pub(crate) struct Signal {
    asked: Mutex<Asked>,
    changed: Condvar,
}

impl Signal {
    /// "Poll now." A hint: it says nothing of what will be found.
    pub(crate) fn wake(&self) {
        self.asked.lock().due.get_or_insert(Cause::Wake);
        self.changed.notify_all();
    }

    /// Whether somebody asked for a poll that has not begun yet.
    pub(crate) fn is_woken(&self) -> bool {
        self.asked.lock().due.is_some()
    }

    /// A poll begins: whatever was asked for before is what it does. What is
    /// asked for from here on is a poll of its own. Returns why it was due, if somebody
    /// asked; an error if the owner is gone, and nothing may begin.
    pub(crate) fn begin_poll(&self) -> Result<Option<Cause>, Closed> {
        let mut asked = self.asked.lock();
        let due = asked.due.take();
        match asked.phase {
            Phase::Closed => Err(Closed),
            _ => Ok(due),
        }
    }

    /// From now on nothing comes, until somebody starts it again.
    pub(crate) fn stop(&self) {
        let mut asked = self.asked.lock();
        if asked.phase == Phase::Open {
            asked.phase = Phase::Stopping;
        }
        asked.stops = asked.stops.wrapping_add(1);
        drop(asked);
        self.changed.notify_all();
    }

    /// From now on nothing comes.
    pub(crate) fn close(&self) {
        self.asked.lock().phase = Phase::Closed;
    }

    /// How often it was stopped so far.
    pub(crate) fn stops(&self) -> u64 {
        self.asked.lock().stops
    }

    /// The time to wait until has changed. Taking the lock before the call means
    /// that a waiter has either not polled at the time yet, or is called.
    pub(crate) fn time_changed(&self) {
        drop(self.asked.lock());
        self.changed.notify_all();
    }

    /// Waits until it is time. False: it was stopped since it was stopped so
    /// often.
    pub(crate) fn wait_unless_stopped(&self, stops: u64, pause: impl Fn() -> Duration) -> bool {
        let mut asked = self.asked.lock();
        loop {
            let pause = pause();
            if asked.stops != stops || pause.is_zero() {
                return asked.stops == stops;
            }
            self.changed.wait_for(&mut asked, pause);
        }
    }

    /// Waits until it is time, or somebody asks. False: stop.
    fn wait(&self, pause: impl Fn() -> Duration) -> bool {
        let mut asked = self.asked.lock();
        loop {
            match asked.phase {
                Phase::Open => {}
                Phase::Stopping => {
                    asked.phase = Phase::Leaving;
                    return false;
                }
                Phase::Leaving | Phase::Closed => return false,
            }
            let pause = pause();
            if asked.due.is_some() || pause.is_zero() {
                return true;
            }
            self.changed.wait_for(&mut asked, pause);
        }
    }

    /// Waits for as long as that, whoever wakes it. A stop ends it.
    fn rest(&self, pause: impl Fn() -> Duration) {
        let mut asked = self.asked.lock();
        while asked.phase == Phase::Open {
            let pause = pause();
            if pause.is_zero() {
                break;
            }
            self.changed.wait_for(&mut asked, pause);
        }
    }

    /// Takes a stop back, if it is not too late.
    fn take_back_stop(&self) -> bool {
        let mut asked = self.asked.lock();
        if asked.phase == Phase::Stopping {
            asked.phase = Phase::Open;
        }
        asked.phase == Phase::Open
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.asked.lock().phase != Phase::Open
    }

    /// For a new thread. Its first poll is due at once: what happened before
    /// it is none the less to be seen.
    fn reset(&self) {
        let mut asked = self.asked.lock();
        asked.due = Some(Cause::Start);
        if asked.phase != Phase::Closed {
            asked.phase = Phase::Open;
        }
    }
}

/// The thread's owner. Starting and stopping take turns under the lock; the
/// thread itself never takes it while it may be joined.
#[derive(Default)]
pub(super) struct Poller {
    thread: Mutex<Option<Running>>,
}

/// A thread, and the process that it belongs to: a forked child has none of its
/// parent's threads.
struct Running {
    thread: JoinHandle<()>,
    process: u32,
}

impl Running {
    fn is_here(&self) -> bool {
        self.process == process::id()
    }
}

impl Poller {
    /// Starts the thread, or does nothing if it runs. From inside a callback, and so
    /// perhaps on the thread itself, a stop that was asked for is taken back rather than
    /// waited out.
    pub(super) fn start<T: Send + Sync + 'static>(
        &self,
        shared: &Arc<Shared<T>>,
    ) -> io::Result<()> {
        let inside = shared.turn.is_mine();
        let mut thread = if inside {
            let busy = || io::Error::other("cannot start from inside a callback while stopping");
            self.thread.try_lock().ok_or_else(busy)?
        } else {
            self.thread.lock()
        };
        let signal = &shared.signal;
        match thread.take() {
            Some(old) if !old.is_here() => mem::forget(old.thread),
            Some(old) => {
                let goes_on = inside || !signal.is_stopping();
                if !old.thread.is_finished() && goes_on && signal.take_back_stop() {
                    *thread = Some(old);
                    return Ok(());
                }
                // A panic of the thread was said when it happened.
                let _ = old.thread.join();
            }
            None => {}
        }
        signal.reset();
        let theirs = shared.clone();
        let builder = thread::Builder::new().name("steadyconf".into());
        shared.thread_alive.store(true, Ordering::Release);
        match builder.spawn(move || run(&theirs)) {
            Ok(spawned) => {
                *thread = Some(Running {
                    thread: spawned,
                    process: process::id(),
                });
                Ok(())
            }
            Err(error) => {
                shared.thread_alive.store(false, Ordering::Release);
                signal.stop();
                drop(thread);
                // Outside of the lock: a waker may stop or start.
                shared.cell.call_waiters();
                Err(error)
            }
        }
    }

    /// Asks the thread to stop; from outside, also waits until nothing runs.
    pub(super) fn stop<T: Send + Sync + 'static>(&self, shared: &Arc<Shared<T>>) {
        shared.stop();
        if shared.turn.is_mine() {
            return;
        }
        // The poll under way first, which may be somebody else's: it is the only thing
        // that can wait for the caller. After it the thread calls nobody any more.
        let forked = self.thread.try_lock().is_some_and(|thread| {
            let running = thread.as_ref();
            running.is_some_and(|running| !running.is_here())
        });
        if !forked {
            match shared.wait_for_turn() {
                Some(core) => drop(core),
                None => return,
            }
        }
        let mut thread = self.thread.lock();
        // Said again under the lock: a start may have come between.
        shared.signal.stop();
        match thread.take() {
            Some(running) if running.is_here() => drop(running.thread.join()),
            Some(running) => mem::forget(running.thread),
            None => {}
        }
        drop(thread);
        // Outside of the lock: a waker may stop or start.
        shared.cell.call_waiters();
        if !forked {
            // What a start that came between has begun.
            drop(shared.wait_for_turn());
        }
    }
}

/// The loop: poll, wait until the next poll is due, again.
fn run<T: Send + Sync + 'static>(shared: &Shared<T>) {
    struct Alive<'a, T: Send + Sync + 'static>(&'a Shared<T>);
    impl<T: Send + Sync + 'static> Drop for Alive<'_, T> {
        fn drop(&mut self) {
            self.0.thread_alive.store(false, Ordering::Release);
        }
    }
    let _alive = Alive(shared);
    while shared.signal.wait(|| shared.pause()) {
        let soonest = shared.clock.now().saturating_add(SHORTEST_PAUSE);
        shared.poll_on_thread();
        shared
            .signal
            .rest(|| soonest.saturating_sub(shared.clock.now()));
    }
}

/// Every interleaving of the thread and those who wake and stop it, by loom.
#[cfg(all(test, loom))]
mod loom_tests {
    use super::super::std::sync::Arc;
    use super::*;
    use crate::host::sync::{AtomicUsize, Ordering};

    const HOUR: Duration = Duration::from_secs(3600);

    /// The loop of `run`, counting its polls.
    fn polls(signal: &Signal, polled: &AtomicUsize) {
        while signal.wait(|| HOUR) {
            signal.begin_poll().unwrap();
            polled.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn g19_stop_always_ends_the_loop() {
        loom::model(|| {
            let signal = Arc::new(Signal::default());
            let polled = Arc::new(AtomicUsize::new(0));
            let (theirs, count) = (signal.clone(), polled.clone());
            let thread = loom::thread::spawn(move || polls(&theirs, &count));
            signal.wake();
            signal.stop();
            // A loop that missed it would wait for ever, and loom would say so.
            thread.join().unwrap();
            assert!(polled.load(Ordering::SeqCst) <= 1);
        });
    }

    #[test]
    fn g07_a_wake_is_never_lost() {
        loom::model(|| {
            let signal = Arc::new(Signal::default());
            let polled = Arc::new(AtomicUsize::new(0));
            let (theirs, count) = (signal.clone(), polled.clone());
            let thread = loom::thread::spawn(move || {
                // Each wake that comes after a poll began leads to another.
                for _ in 0..2 {
                    assert!(theirs.wait(|| HOUR));
                    theirs.begin_poll().unwrap();
                    count.fetch_add(1, Ordering::SeqCst);
                }
            });
            signal.wake();
            while polled.load(Ordering::SeqCst) == 0 {
                loom::thread::yield_now();
            }
            signal.wake();
            thread.join().unwrap();
        });
    }

    #[test]
    fn g19_a_stop_is_taken_back_in_time_or_not_at_all() {
        loom::model(|| {
            let signal = Arc::new(Signal::default());
            let theirs = signal.clone();
            let thread = loom::thread::spawn(move || theirs.wait(|| HOUR));
            signal.stop();
            let taken_back = signal.take_back_stop();
            if taken_back {
                // The thread is still in its loop, and hears what comes next.
                signal.wake();
            }
            assert_eq!(thread.join().unwrap(), taken_back);
        });
    }

    /// What `Drop` does, against a reload that a SIGHUP has just begun.
    #[test]
    fn g19_nothing_is_called_after_a_drop() {
        loom::model(|| {
            let signal = Arc::new(Signal::default());
            let core = Arc::new(Mutex::new(0));
            let (theirs, shared) = (signal.clone(), core.clone());
            let hangup = loom::thread::spawn(move || {
                let mut calls = shared.lock();
                if theirs.begin_poll().is_ok() {
                    *calls += 1;
                }
            });
            signal.close();
            signal.stop();
            let called = *core.lock();
            hangup.join().unwrap();
            assert_eq!(*core.lock(), called, "a callback ran after the drop");
            signal.reset();
            assert!(signal.begin_poll().is_err(), "there is no way back");
        });
    }

    /// Two who poll at once: one polls, or both do, and who did not leaves a wake.
    #[test]
    fn g15_a_poll_that_is_busy_makes_another_due() {
        loom::model(|| {
            let signal = Arc::new(Signal::default());
            let core = Arc::new(Mutex::new(0));
            let poll = |signal: &Signal, core: &Mutex<i32>| match core.try_lock() {
                Some(mut polls) => {
                    signal.begin_poll().unwrap();
                    *polls += 1;
                    true
                }
                None => {
                    signal.wake();
                    false
                }
            };
            let (theirs, shared) = (signal.clone(), core.clone());
            let other = loom::thread::spawn(move || poll(&theirs, &shared));
            let mine = poll(&signal, &core);
            let polled = [mine, other.join().unwrap()];
            let polls = *core.lock();
            assert_eq!(
                polls,
                polled.iter().filter(|polled| **polled).count() as i32
            );
            // A wake that came before the poll took it is that poll; after it, it is due.
            assert!(polls >= 1);
        });
    }
}
