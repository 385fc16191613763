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
    /// Returns the first pause, or twice the `last`.
    pub(crate) fn next_pause(
        last: Option<Duration>,
        first: Duration,
        longest: Duration,
    ) -> Duration {
        last.map_or(first, |last| last.saturating_mul(2).min(longest))
    }
}
