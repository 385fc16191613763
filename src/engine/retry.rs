//! When to try again what depends on more than the content.

use core::time::Duration;

/// No pause before another try grows longer than this.
pub(crate) const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// When to try again, and how long the pause before it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Retry {
    pub(crate) at: Duration,
    pub(crate) pause: Duration,
}

impl Retry {
    /// Returns how long to wait before the first try, or twice as long as before
    /// `last`.
    pub(crate) fn next_pause(last: Option<Retry>, first: Duration, longest: Duration) -> Duration {
        last.map_or(first, |last| last.pause.saturating_mul(2).min(longest))
    }
}
