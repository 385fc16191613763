//! Hints: a second thread waits until the server tells of a change, and has the first one
//! ask at once. A hint carries no truth; a lost one costs one interval.

use core::time::Duration;

use super::super::CATCH;
use super::super::std::mem;
use super::super::std::prelude::rust_2024::*;
use super::super::std::sync::Arc;
use super::super::std::thread;
use super::super::std::time::Instant;
use super::Remote;
use crate::engine::Retry;

/// So long after an answer, no hint has it asked again: a source that changes all the time
/// is asked 20 times in a second.
const PAUSE: Duration = Duration::from_millis(50);

/// Waits for a change. Asks its argument now and then whether it is still to wait. Returns
/// whether there may be a change.
pub(super) type Watch = Box<dyn FnOnce(&dyn Fn() -> bool) -> bool + Send>;

/// What is known of hints.
#[derive(Default)]
pub(super) struct Hints {
    /// What to wait for next.
    next: Option<Watch>,
    /// Grows whenever the one that waits is to stop.
    epoch: u64,
    /// The epoch of the one that waits.
    waiting: Option<u64>,
    /// It is asked because of a hint.
    hinted: bool,
    /// When the last hint came, and how long it waited because those before were wrong.
    last: Option<Instant>,
    wrong: Option<Duration>,
    /// The longest such wait: an interval.
    longest: Duration,
    answered: Option<Instant>,
}

impl Hints {
    pub(super) fn has_watch(&self) -> bool {
        self.next.is_some()
    }

    /// Returns whether there was a hint, once.
    pub(super) fn take_hint(&mut self) -> bool {
        mem::take(&mut self.hinted)
    }

    /// Ends the wait: the server cannot be reached.
    pub(super) fn stop(&mut self) {
        self.epoch += 1;
        self.next = None;
    }

    /// There is an answer. If it is new, who waits has missed it, or waits for what is known
    /// by now, so a new wait begins. It begins at what was answered last, so that nothing is
    /// missed in between.
    pub(super) fn answered(
        &mut self,
        hinted: bool,
        is_new: bool,
        longest: Duration,
        watch: impl FnOnce() -> Option<Watch>,
    ) {
        self.answered = Some(Instant::now());
        self.longest = longest.max(PAUSE);
        if is_new {
            self.wrong = None;
        } else if hinted {
            self.wrong = Some(Retry::next_pause(self.wrong, PAUSE, self.longest));
        }
        if is_new || self.waiting != Some(self.epoch) {
            self.epoch += 1;
            self.next = watch();
        }
    }

    /// Returns when to ask because of a hint that came now.
    fn due(&mut self) -> Option<Instant> {
        self.hinted = true;
        let now = Instant::now();
        let last = self.last.replace(now);
        if last.is_none_or(|last| now.duration_since(last) > 2 * self.longest) {
            // One now and then costs little, such as when connections are cut.
            self.wrong = None;
        }
        let due = now.checked_add(self.wrong.unwrap_or_default())?;
        let soonest = self.answered?.checked_add(PAUSE)?;
        Some(due.max(soonest))
    }
}

/// Starts the thread that waits. Returns whether there is one.
pub(super) fn start(remote: &Arc<Remote>) -> bool {
    let theirs = remote.clone();
    let named = thread::Builder::new().name("steadyconf-hint".into());
    named.spawn(move || run(&theirs)).is_ok()
}

fn run(remote: &Remote) {
    let mut state = remote.state.lock();
    while !state.ended {
        let Some(watch) = state.hints.next.take() else {
            remote.changed.wait_for(&mut state, Duration::MAX);
            continue;
        };
        let epoch = state.hints.epoch;
        state.hints.waiting = Some(epoch);
        drop(state);
        let is_wanted = || {
            let state = remote.state.lock();
            !state.ended && state.hints.epoch == epoch
        };
        let (mut watch, mut changed) = (Some(watch), false);
        let _ = CATCH(&mut || {
            if let Some(watch) = watch.take() {
                changed = watch(&is_wanted);
            }
        });
        state = remote.state.lock();
        state.hints.waiting = None;
        if changed && state.hints.epoch == epoch {
            let hinted = state.hints.due();
            state.due = match (state.due, hinted) {
                (Some(due), Some(hinted)) => Some(due.min(hinted)),
                (due, hinted) => due.or(hinted),
            };
            remote.changed.notify_all();
        }
    }
}
