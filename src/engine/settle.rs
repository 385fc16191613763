//! A pure helper for detectors: content must hold still before it counts.

use core::time::Duration;

/// What [`Settle::see`] makes of a sighting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// This is what was offered last.
    Unchanged,
    /// New, but seen for too short a time; poll again at this time.
    Waiting(Duration),
    /// New, and unchanged for the settle time: offer it.
    Ready,
}

/// Holds back content until it was seen unchanged for a while.
///
/// A file that is half written can be valid YAML. What a writer has finished
/// cannot be told from what it has paused in, except by waiting; so content
/// counts only after two polls, at least the settle time apart, that saw the
/// same and nothing else in between.
///
/// ```
/// use core::time::Duration;
/// use steadyconf::engine::{Settle, Settled};
///
/// let ms = Duration::from_millis;
/// let mut settle = Settle::new(ms(100));
/// assert_eq!(settle.see("a: 1", ms(0)), Settled::Waiting(ms(100)));
/// assert_eq!(settle.see("a: 12", ms(60)), Settled::Waiting(ms(160)));
/// assert_eq!(settle.see("a: 12", ms(160)), Settled::Ready);
/// assert_eq!(settle.see("a: 12", ms(260)), Settled::Unchanged);
/// ```
#[derive(Debug)]
pub struct Settle<C> {
    time: Duration,
    offered: Option<C>,
    candidate: Option<(C, Duration)>,
}

impl<C: PartialEq> Settle<C> {
    /// Content must hold still for `time`. Zero offers everything at once.
    #[must_use]
    pub const fn new(time: Duration) -> Self {
        Settle {
            time,
            offered: None,
            candidate: None,
        }
    }

    /// The settle time.
    pub const fn time(&self) -> Duration {
        self.time
    }

    /// Takes in what is at the source now.
    pub fn see(&mut self, content: C, now: Duration) -> Settled {
        if self.offered.as_ref() == Some(&content) {
            self.candidate = None;
            return Settled::Unchanged;
        }
        let since = match self.candidate.take() {
            Some((candidate, since)) if candidate == content => since,
            _ => now,
        };
        if now.saturating_sub(since) >= self.time {
            self.offered = Some(content);
            return Settled::Ready;
        }
        self.candidate = Some((content, since));
        Settled::Waiting(since.saturating_add(self.time))
    }

    /// Takes `content` as ready, whatever is waiting: there is other evidence that it is
    /// whole.
    pub fn accept(&mut self, content: C) {
        self.candidate = None;
        self.offered = Some(content);
    }

    /// Forgets what was waiting: there is evidence that it moved, or it could
    /// not be read.
    pub fn disturb(&mut self) {
        self.candidate = None;
    }

    /// Whether some content is waiting.
    pub const fn is_waiting(&self) -> bool {
        self.candidate.is_some()
    }

    /// What was offered last.
    pub const fn offered(&self) -> Option<&C> {
        self.offered.as_ref()
    }
}
