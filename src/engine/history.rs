//! What the engine remembers of the past: the last snapshots, to go back to;
//! the content that was refused last; and the content that was rolled back from.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use core::time::Duration;

use super::digest::Digest;
use super::document::Document;
use super::error::{Rejection, Stage};
use super::snapshot::Snapshot;
use super::status::Outcome;
use super::version::Version;

/// How many snapshots are kept besides the active one, if nothing is said.
const DEFAULT_KEEP: usize = 8;

/// The snapshots that were active before, the newest last.
pub(crate) struct History<T> {
    kept: VecDeque<Kept<T>>,
    keep: usize,
}

struct Kept<T> {
    snapshot: Arc<Snapshot<T>>,
    /// It was rolled back from, so that the next rollback goes further back.
    avoid: bool,
    worth: Worth,
}

/// How a snapshot did while it was active.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Worth {
    Good,
    /// It was superseded before its probation was over.
    Unproven,
    /// A listener could not take it into use, or it failed its probation, and that
    /// is a reason to roll back.
    Bad,
}

impl<T> History<T> {
    pub(crate) fn new() -> Self {
        History {
            kept: VecDeque::new(),
            keep: DEFAULT_KEEP,
        }
    }

    pub(crate) fn keep(&mut self, keep: usize) {
        self.keep = keep;
    }

    /// An empty one that keeps as many.
    pub(crate) fn like<U>(other: &History<U>) -> Self {
        History {
            keep: other.keep,
            ..History::new()
        }
    }

    /// Takes in what was active until now; gives back what is forgotten for it.
    #[must_use]
    pub(crate) fn push(
        &mut self,
        snapshot: Arc<Snapshot<T>>,
        worth: Worth,
    ) -> Option<Arc<Snapshot<T>>> {
        if worth == Worth::Good {
            self.redeem(&snapshot);
        }
        self.kept.push_back(Kept {
            snapshot,
            avoid: false,
            worth,
        });
        if self.kept.len() > self.keep {
            return self.kept.pop_front().map(|kept| kept.snapshot);
        }
        None
    }

    /// What failed before did well in the end.
    fn redeem(&mut self, snapshot: &Snapshot<T>) {
        for kept in &mut self.kept {
            if kept.snapshot.document() == snapshot.document() {
                kept.worth = Worth::Good;
            }
        }
    }

    pub(crate) fn worth_of(&self, version: Version) -> Worth {
        let mut kept = self.kept.iter();
        let kept = kept.find(|kept| kept.snapshot.version() == version);
        kept.map_or(Worth::Good, |kept| kept.worth)
    }

    pub(crate) fn get(&self, version: Version) -> Option<&Arc<Snapshot<T>>> {
        let mut kept = self.kept.iter().map(|kept| &kept.snapshot);
        kept.find(|snapshot| snapshot.version() == version)
    }

    /// This version was rolled back from.
    pub(crate) fn avoid(&mut self, version: Version) {
        for kept in &mut self.kept {
            kept.avoid |= kept.snapshot.version() == version;
        }
    }

    /// Something new came from the source: what was rolled back from before is
    /// history like any other.
    pub(crate) fn forgive(&mut self) {
        for kept in &mut self.kept {
            kept.avoid = false;
        }
    }

    /// The newest that is not the same as what is active, nor as anything that
    /// was rolled back from, or was bad. `proven`: nor unproven.
    pub(crate) fn newest_but(
        &self,
        active: &Snapshot<T>,
        proven: bool,
        same: impl Fn(&Snapshot<T>, &Snapshot<T>) -> bool,
    ) -> Option<&Arc<Snapshot<T>>> {
        let bad = |kept: &&Kept<T>| kept.avoid || kept.worth == Worth::Bad;
        let avoided = || self.kept.iter().filter(bad);
        let fit = |one: &&Kept<T>| {
            (!proven || one.worth == Worth::Good)
                && !same(&one.snapshot, active)
                && !avoided().any(|kept| same(&one.snapshot, &kept.snapshot))
        };
        self.kept.iter().rev().find(fit).map(|kept| &kept.snapshot)
    }
}

/// What the source shows, if that was rolled back from.
pub(crate) struct Held {
    pub(crate) document: Document,
    /// Kept, for it is told at every look.
    pub(crate) digest: Digest,
}

impl Held {
    pub(crate) fn new(document: Document) -> Self {
        Held {
            digest: document.digest(),
            document,
        }
    }
}

/// The content that was refused last, so that it is parsed and reported once.
pub(crate) struct Refused {
    pub(crate) document: Document,
    pub(crate) rejection: Arc<Rejection>,
    pub(crate) since: Duration,
    pub(crate) retry: Option<Retry>,
}

impl Refused {
    /// Whether it is time to try it again.
    pub(crate) fn is_due(&self, now: Duration) -> bool {
        self.retry.is_some_and(|retry| retry.at <= now)
    }

    /// What is said of it while it lasts.
    pub(crate) fn outcome(&self) -> Outcome {
        let rejection = self.rejection.clone();
        match self.retry {
            Some(Retry { at: retry_at, .. }) if rejection.stage() == Stage::Prepare => {
                Outcome::Vetoed {
                    rejection,
                    retry_at,
                }
            }
            _ => Outcome::Rejected(rejection),
        }
    }
}

/// What depends on more than the content is tried again after twice as long each time,
/// up to this: what it waits for may take its time.
pub(crate) const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// When to try again what depends on more than the content.
#[derive(Clone, Copy)]
pub(crate) struct Retry {
    pub(crate) at: Duration,
    pub(crate) pause: Duration,
}

impl Retry {
    /// How long to wait before the first try, or before the one after `last`.
    pub(crate) fn next_pause(last: Option<Retry>, first: Duration, longest: Duration) -> Duration {
        last.map_or(first, |last| last.pause.saturating_mul(2).min(longest))
    }
}
