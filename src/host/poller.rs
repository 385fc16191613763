//! The thread that looks by itself, and the signals that wake and stop it. What
//! a look is, is `reloader.rs`'s.

use core::time::Duration;

use super::std::io;
use super::std::prelude::rust_2024::*;
use super::std::sync::Arc;
use super::std::thread::{self, JoinHandle};
use super::sync::{Condvar, Mutex};

/// What may be said to the thread while it waits or looks.
#[derive(Default)]
struct Asked {
    wake: bool,
    stop: bool,
    /// The thread has seen `stop` and is on its way out: taking the stop back
    /// is too late.
    leaving: bool,
    /// How often it was stopped, so that who sleeps between two looks can tell.
    stops: u64,
}

/// The mailbox between the thread and everyone else. It is also where it stands
/// whether anything can still come: nowhere else, so that the two cannot differ.
#[derive(Default)]
pub(crate) struct Signal {
    asked: Mutex<Asked>,
    changed: Condvar,
}

impl Signal {
    /// "Look now." A hint: it says nothing of what will be found.
    pub(crate) fn wake(&self) {
        self.asked.lock().wake = true;
        self.changed.notify_all();
    }

    /// Whether somebody asked for a look that has not begun yet.
    pub(crate) fn is_woken(&self) -> bool {
        self.asked.lock().wake
    }

    /// A look begins: whatever was asked for before is what it does. What is
    /// asked for from here on is a look of its own.
    pub(crate) fn take_wake(&self) {
        self.asked.lock().wake = false;
    }

    /// From now on nothing comes, until somebody starts it again.
    pub(crate) fn stop(&self) {
        let mut asked = self.asked.lock();
        asked.stop = true;
        asked.stops = asked.stops.wrapping_add(1);
        drop(asked);
        self.changed.notify_all();
    }

    /// How often it was stopped so far.
    pub(crate) fn stops(&self) -> u64 {
        self.asked.lock().stops
    }

    /// The time to wait until has changed. Taking the lock before the call means
    /// that a waiter has either not looked at the time yet, or is called.
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
            if asked.stop {
                asked.leaving = true;
                return false;
            }
            let pause = pause();
            if asked.wake || pause.is_zero() {
                return true;
            }
            self.changed.wait_for(&mut asked, pause);
        }
    }

    /// Takes a stop back, if it is not too late.
    fn take_back_stop(&self) -> bool {
        let mut asked = self.asked.lock();
        if !asked.leaving {
            asked.stop = false;
        }
        !asked.leaving
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.asked.lock().stop
    }

    /// For a new thread. Its first look is due at once: what happened before
    /// it is none the less to be seen.
    fn reset(&self) {
        let mut asked = self.asked.lock();
        (asked.wake, asked.stop, asked.leaving) = (true, false, false);
    }
}

/// What the thread calls.
pub(crate) trait Look: Send + Sync + 'static {
    fn signal(&self) -> &Signal;
    /// Stops the signal, and tells everyone whom that concerns.
    fn stop(&self);
    /// Waits for its turn, and looks.
    fn look(&self);
    /// How long until the next look is due.
    fn pause(&self) -> Duration;
    /// The thread begins or ends.
    fn alive(&self, alive: bool);
}

/// The thread's owner. Starting and stopping take turns under the lock; the
/// thread itself never takes it while it may be joined.
#[derive(Default)]
pub(crate) struct Poller {
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Poller {
    /// Starts the thread, or does nothing if it runs. `inside` says that the
    /// caller is in a callback, and so perhaps on the thread itself: then a stop
    /// that was asked for is taken back rather than waited out.
    pub(crate) fn start<L: Look>(&self, look: &Arc<L>, inside: bool) -> io::Result<()> {
        let mut thread = if inside {
            let busy = || io::Error::other("cannot start from inside a callback while stopping");
            self.thread.try_lock().ok_or_else(busy)?
        } else {
            self.thread.lock()
        };
        let signal = look.signal();
        if let Some(old) = thread.take() {
            let goes_on = inside || !signal.is_stopping();
            if !old.is_finished() && goes_on && signal.take_back_stop() {
                *thread = Some(old);
                return Ok(());
            }
            // A panic of the thread was said when it happened.
            let _ = old.join();
        }
        signal.reset();
        let shared = look.clone();
        let builder = thread::Builder::new().name("steadyconf".into());
        look.alive(true);
        match builder.spawn(move || run(&*shared)) {
            Ok(spawned) => *thread = Some(spawned),
            Err(error) => {
                look.alive(false);
                look.stop();
                return Err(error);
            }
        }
        Ok(())
    }

    /// Asks the thread to stop; from outside, also waits until it has.
    pub(crate) fn stop(&self, look: &impl Look, inside: bool) {
        look.stop();
        if inside {
            return;
        }
        let mut thread = self.thread.lock();
        // Said again under the lock: a start may have come between.
        look.stop();
        if let Some(thread) = thread.take() {
            let _ = thread.join();
        }
    }
}

/// The loop: look, wait until the next look is due, again.
fn run(look: &impl Look) {
    struct Alive<'a, L: Look>(&'a L);
    impl<L: Look> Drop for Alive<'_, L> {
        fn drop(&mut self) {
            self.0.alive(false);
        }
    }
    let _alive = Alive(look);
    while look.signal().wait(|| look.pause()) {
        look.look();
    }
}

/// Every interleaving of the thread and those who wake and stop it, by loom.
#[cfg(all(test, loom))]
mod loom_tests {
    use super::super::std::sync::Arc;
    use super::*;
    use crate::host::sync::{AtomicUsize, Ordering};

    const HOUR: Duration = Duration::from_secs(3600);

    /// The loop of `run`, counting its looks.
    fn looks(signal: &Signal, looked: &AtomicUsize) {
        while signal.wait(|| HOUR) {
            signal.take_wake();
            looked.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn g19_stop_always_ends_the_loop() {
        loom::model(|| {
            let signal = Arc::new(Signal::default());
            let looked = Arc::new(AtomicUsize::new(0));
            let (theirs, count) = (signal.clone(), looked.clone());
            let thread = loom::thread::spawn(move || looks(&theirs, &count));
            signal.wake();
            signal.stop();
            // A loop that missed it would wait for ever, and loom would say so.
            thread.join().unwrap();
            assert!(looked.load(Ordering::SeqCst) <= 1);
        });
    }

    #[test]
    fn g07_a_wake_is_never_lost() {
        loom::model(|| {
            let signal = Arc::new(Signal::default());
            let looked = Arc::new(AtomicUsize::new(0));
            let (theirs, count) = (signal.clone(), looked.clone());
            let thread = loom::thread::spawn(move || {
                // Each wake that comes after a look began leads to another.
                for _ in 0..2 {
                    assert!(theirs.wait(|| HOUR));
                    theirs.take_wake();
                    count.fetch_add(1, Ordering::SeqCst);
                }
            });
            signal.wake();
            while looked.load(Ordering::SeqCst) == 0 {
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
}
