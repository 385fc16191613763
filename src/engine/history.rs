//! What the engine remembers of the past: the last snapshots, to go back to;
//! the content that was refused last; and the content that was rolled back from.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use core::time::Duration;

use super::document::Document;
use super::error::Rejection;
use super::snapshot::Snapshot;
use super::status::Outcome;
use super::version::Version;

/// How many snapshots are kept besides the active one, if nothing is said.
const DEFAULT_KEEP: usize = 8;

/// The snapshots that were active before, the newest last.
pub(crate) struct History<T> {
    kept: VecDeque<Arc<Snapshot<T>>>,
    keep: usize,
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

    /// Takes in what was active until now; gives back what is forgotten for it.
    #[must_use]
    pub(crate) fn push(&mut self, snapshot: Arc<Snapshot<T>>) -> Option<Arc<Snapshot<T>>> {
        self.kept.push_back(snapshot);
        if self.kept.len() > self.keep {
            return self.kept.pop_front();
        }
        None
    }

    pub(crate) fn get(&self, version: Version) -> Option<&Arc<Snapshot<T>>> {
        self.kept.iter().find(|kept| kept.version() == version)
    }

    pub(crate) fn contains(&self, document: &Document) -> bool {
        self.kept.iter().any(|kept| kept.document() == document)
    }

    /// The newest with other content than each of these.
    pub(crate) fn newest_but(&self, not: &[&Document]) -> Option<&Arc<Snapshot<T>>> {
        let other = |kept: &&Arc<Snapshot<T>>| not.iter().all(|d| *d != kept.document());
        self.kept.iter().rev().find(other)
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
    /// Whether it is time to offer a vetoed candidate again.
    pub(crate) fn is_due(&self, now: Duration) -> bool {
        self.retry.is_some_and(|retry| retry.at <= now)
    }

    /// What is said of it while it lasts.
    pub(crate) fn outcome(&self) -> Outcome {
        let rejection = self.rejection.clone();
        match self.retry {
            None => Outcome::Rejected(rejection),
            Some(Retry { at: retry_at, .. }) => Outcome::Vetoed {
                rejection,
                retry_at,
            },
        }
    }
}

/// When a vetoed candidate is offered again.
#[derive(Clone, Copy)]
pub(crate) struct Retry {
    pub(crate) at: Duration,
    pub(crate) pause: Duration,
}
