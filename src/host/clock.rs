//! Monotonic time as the engine wants it: a `Duration` since some start.

use core::time::Duration;

use super::std::sync::{Mutex, PoisonError};
use super::std::thread;
use super::std::time::{Instant, SystemTime, UNIX_EPOCH};
use crate::engine::WallClock;

/// A clock that began at a time of the caller's choosing. Where the system's clock steps
/// back, which some do after a suspend or a migration, this one goes on from where it
/// was.
#[derive(Debug)]
pub(crate) struct Clock(Mutex<Reading>);

/// What the system's clock showed last, and what time that was here.
#[derive(Debug)]
struct Reading {
    system: Instant,
    here: Duration,
}

impl Reading {
    fn at(&mut self, system: Instant) -> Duration {
        let passed = system.saturating_duration_since(self.system);
        self.system = system;
        self.here = self.here.saturating_add(passed);
        self.here
    }
}

impl Clock {
    pub(crate) fn starting_at(here: Duration) -> Self {
        let system = Instant::now();
        Clock(Mutex::new(Reading { system, here }))
    }

    pub(crate) fn now(&self) -> Duration {
        let mut reading = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Under the lock, so that no older time follows a newer one.
        reading.at(Instant::now())
    }

    /// Returns what the clock on the wall shows now. It may be set, so it decides nothing.
    pub(crate) fn on_the_wall(&self) -> Option<WallClock> {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
        let now = self.now();
        Some(WallClock { now, since_epoch })
    }

    /// Sleeps until `until` and returns what time it is then.
    pub(crate) fn sleep_until(&self, until: Duration) -> Duration {
        thread::sleep(until.saturating_sub(self.now()));
        self.now()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn g07_a_clock_that_steps_back_goes_on_from_where_it_was() {
        let start = Instant::now();
        let second = Duration::from_secs(1);
        let mut reading = Reading {
            system: start + second * 3600,
            here: second * 10,
        };
        assert_eq!(reading.at(start), second * 10, "an hour back");
        assert_eq!(reading.at(start + second), second * 11);
        assert_eq!(reading.at(start + second * 3), second * 13);
    }
}
