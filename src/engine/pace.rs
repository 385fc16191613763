//! When a source on the network is asked again: an interval after an answer, and a growing
//! pause after a failure. Each is shorter by chance, so that many programs that were started
//! at once, or failed at once, do not ask at once for long. Asking is the host's.

use core::mem;
use core::time::Duration;

use super::jitter::Jitter;
use super::retry::Retry;

/// The first pause after a failure: a connection that was dead is new after it, and a server
/// that was restarted is there.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The second one, or the interval, if that is shorter.
const SECOND_PAUSE: Duration = Duration::from_secs(15);

/// The longest pause after failures, and the longest that a server may ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
const LONGEST_RETRY: Duration = Duration::from_secs(3600);

pub(crate) struct Pace {
    interval: Duration,
    jitter: Jitter,
    /// The pause after the last failure, if that is what came last.
    failed: Option<Duration>,
    /// It has an instant of its own within the interval.
    is_spread: bool,
}

impl Pace {
    pub(crate) const fn new(interval: Duration, chance: u64) -> Self {
        Pace {
            interval,
            jitter: Jitter(chance),
            failed: None,
            is_spread: false,
        }
    }

    /// There was an answer. Returns how long to wait: up to a tenth less than the interval,
    /// and after the first answer up to nine tenths less.
    pub(crate) fn answered(&mut self) -> Duration {
        self.failed = None;
        let tenth = self.interval / 10;
        let less = match mem::replace(&mut self.is_spread, true) {
            false => self.interval.saturating_sub(tenth),
            true => tenth,
        };
        self.interval.saturating_sub(self.jitter.up_to(less))
    }

    /// There was none. Returns how long to wait: a second, then the interval but at most
    /// 15 s, then twice the last pause, at most 5 min, up to a quarter less; or longer, if the
    /// server says so, at most an hour.
    pub(crate) fn failed(&mut self, retry_after: Option<Duration>) -> Duration {
        let pause = Retry::next_pause(self.failed, FIRST_PAUSE, LONGEST_PAUSE);
        let pause = match self.failed {
            Some(_) => pause.max(self.interval.min(SECOND_PAUSE)),
            None => pause,
        };
        self.failed = Some(pause);
        let pause = pause.saturating_sub(self.jitter.up_to(pause / 4));
        pause.max(retry_after.unwrap_or_default().min(LONGEST_RETRY))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn about(pause: Duration, most: Duration, part: u32) {
        assert!(
            pause <= most && pause >= most - most / part,
            "{pause:?} of {most:?}"
        );
    }

    #[test]
    fn pauses_grow_with_failures_and_end_with_an_answer() {
        let mut pace = Pace::new(15 * SECOND, 7);
        for round in 0..100 {
            for pause in [1, 15, 30, 60, 120, 240, 300, 300] {
                about(pace.failed(None), pause * SECOND, 4);
            }
            let most = 15 * SECOND;
            match round {
                0 => assert!(pace.answered() >= most / 10),
                _ => about(pace.answered(), most, 10),
            }
        }
        // An interval of 10 ms does not ask a server that fails 100 times in a second.
        let mut pace = Pace::new(SECOND / 100, 7);
        for pause in [1, 2, 4] {
            about(pace.failed(None), pause * SECOND, 4);
        }
    }

    #[test]
    fn a_server_may_ask_for_an_hour_at_most() {
        let mut pace = Pace::new(SECOND, 7);
        assert_eq!(pace.failed(Some(60 * SECOND)), 60 * SECOND);
        assert_eq!(pace.failed(Some(Duration::MAX)), 3600 * SECOND);
        about(pace.failed(Some(Duration::ZERO)), 4 * SECOND, 4);
    }
}
