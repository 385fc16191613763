//! Monotonic time as the engine wants it: a `Duration` since some start. Wall
//! time is not needed for anything here.

use core::time::Duration;

use super::std::thread;
use super::std::time::Instant;

/// A clock that began at `base` when it was made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    base: Duration,
    started: Instant,
}

impl Clock {
    pub(crate) fn starting_at(base: Duration) -> Self {
        Clock {
            base,
            started: Instant::now(),
        }
    }

    pub(crate) fn now(&self) -> Duration {
        self.base.saturating_add(self.started.elapsed())
    }

    /// Sleeps until `until` and says what time it is then.
    pub(crate) fn sleep_until(&self, until: Duration) -> Duration {
        thread::sleep(until.saturating_sub(self.now()));
        self.now()
    }
}
