//! Moments for people: on the timeline of `now`, or by the clock on the wall where the
//! host has one.

use core::fmt;
use core::time::Duration;

/// What a clock on the wall showed at one moment of the timeline of `now`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WallClock {
    pub(crate) now: Duration,
    /// The time then, since the beginning of 1970, UTC.
    pub(crate) since_epoch: Duration,
}

impl WallClock {
    /// Returns what it shows at a moment, since the beginning of 1970, UTC.
    pub(crate) fn at(&self, moment: Duration) -> Duration {
        match moment.checked_sub(self.now) {
            Some(later) => self.since_epoch.saturating_add(later),
            None => self
                .since_epoch
                .saturating_sub(self.now.saturating_sub(moment)),
        }
    }
}

/// Prints as `2.5 s`, or as `14:03:12 UTC, 4 min ago` where there is a clock.
pub(crate) struct Moment {
    pub(crate) at: Duration,
    pub(crate) clock: Option<WallClock>,
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(clock) = self.clock else {
            return write!(f, "{:.1} s", self.at.as_secs_f64());
        };
        let second = clock.at(self.at).as_secs() % (24 * 60 * 60);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(f, "{hour:02}:{minute:02}:{second:02} UTC, ")?;
        match clock.now.checked_sub(self.at) {
            Some(ago) => write!(f, "{} ago", Length(ago)),
            None => write!(f, "in {}", Length(self.at.saturating_sub(clock.now))),
        }
    }
}

/// Prints the largest unit that fits.
struct Length(Duration);

impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_secs() {
            seconds @ 0..120 => write!(f, "{seconds} s"),
            seconds @ 120..7200 => write!(f, "{} min", seconds / 60),
            seconds @ 7200..172_800 => write!(f, "{} h", seconds / 3600),
            seconds => write!(f, "{} days", seconds / 86_400),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn a_moment_is_reported_by_the_clock_where_there_is_one() {
        let at = Duration::from_secs(100);
        assert_eq!(Moment { at, clock: None }.to_string(), "100.0 s");
        // 2023-11-14 22:13:20 UTC.
        let clock = |now| WallClock {
            now: Duration::from_secs(now),
            since_epoch: Duration::from_secs(1_700_000_000),
        };
        for (now, text) in [
            (100, "22:13:20 UTC, 0 s ago"),
            (340, "22:09:20 UTC, 4 min ago"),
            (90, "22:13:30 UTC, in 10 s"),
            (100 + 86_400 * 3, "22:13:20 UTC, 3 days ago"),
        ] {
            let clock = Some(clock(now));
            assert_eq!(Moment { at, clock }.to_string(), text);
        }
    }
}
