//! The active snapshot, with all that is true of it only while it is active, and what
//! stays with its content when it is not active any more.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use super::digest::Digest;
use super::document::Document;
use super::error::{ListenerError, RollbackError};
use super::history::Worth;
use super::listener::OnCommitError;
use super::report::Problem;
use super::retry::Retry;
use super::snapshot::Snapshot;

/// Bytes that stand for a value, and what is known of them.
#[derive(Clone)]
pub(crate) struct Bytes {
    pub(crate) document: Document,
    pub(crate) digest: Digest,
    /// Keys that no field takes.
    pub(crate) warnings: Arc<[Problem]>,
}

/// Content that was accepted once. It goes into the history when it is superseded, and
/// comes back as a whole.
pub(crate) struct Accepted<T> {
    pub(crate) snapshot: Arc<Snapshot<T>>,
    /// Keys of its own bytes that no field takes.
    pub(crate) warnings: Arc<[Problem]>,
    /// Other bytes of an equal value, if the source showed those last.
    pub(crate) equal: Option<Bytes>,
    /// It was read from disk, and the source has not shown it since.
    pub(crate) from_last_good: bool,
}

impl<T> Clone for Accepted<T> {
    fn clone(&self) -> Self {
        Accepted {
            snapshot: self.snapshot.clone(),
            warnings: self.warnings.clone(),
            equal: self.equal.clone(),
            from_last_good: self.from_last_good,
        }
    }
}

impl<T> Accepted<T> {
    pub(crate) fn of_the_source(snapshot: Arc<Snapshot<T>>, warnings: Arc<[Problem]>) -> Self {
        Accepted {
            snapshot,
            warnings,
            equal: None,
            from_last_good: false,
        }
    }

    /// Returns the bytes that the source showed last for it.
    pub(crate) fn bytes(&self) -> Bytes {
        self.equal.clone().unwrap_or_else(|| Bytes {
            document: self.snapshot.document().clone(),
            digest: self.snapshot.digest(),
            warnings: self.warnings.clone(),
        })
    }

    /// Returns the digest of those bytes.
    pub(crate) fn digest(&self) -> Digest {
        let equal = self.equal.as_ref();
        equal.map_or(self.snapshot.digest(), |equal| equal.digest)
    }

    /// Returns the unknown keys in those bytes.
    pub(crate) fn warnings(&self) -> &Arc<[Problem]> {
        let equal = self.equal.as_ref();
        equal.map_or(&self.warnings, |equal| &equal.warnings)
    }

    /// Returns whether these bytes are known to stand for it.
    pub(crate) fn has(&self, document: &Document) -> bool {
        self.snapshot.document() == document
            || self
                .equal
                .as_ref()
                .is_some_and(|equal| equal.document == *document)
    }

    /// The source shows these bytes, which stand for it.
    pub(crate) fn is_shown_as(&mut self, bytes: Option<Bytes>) {
        self.equal = bytes.filter(|bytes| bytes.document != *self.snapshot.document());
        self.from_last_good = false;
    }
}

/// The active snapshot.
pub(crate) struct Active<T> {
    pub(crate) accepted: Accepted<T>,
    pub(crate) since: Duration,
    /// Which listeners failed to take it into use.
    pub(crate) listener_errors: Arc<[ListenerError]>,
    /// Which fields differ from those that the program started with, and take effect only
    /// at a start.
    pub(crate) restart: Arc<[Arc<str>]>,
    pub(crate) standing: Standing,
}

/// How it stands with its probation.
pub(crate) enum Standing {
    /// It passed, or there is none.
    Proven,
    /// The health check never failed so far.
    OnProbation { until: Duration },
    /// The health check failed at least once, which was reported.
    Shaken {
        until: Duration,
        /// What the check said, if it failed the last time.
        failing: Option<Arc<str>>,
        /// Why there was no rollback, and when it is tried again.
        put_off: Option<(Retry, RollbackError)>,
    },
}

impl Standing {
    pub(crate) fn until(&self) -> Option<Duration> {
        match self {
            Standing::Proven => None,
            Standing::OnProbation { until } | Standing::Shaken { until, .. } => Some(*until),
        }
    }

    pub(crate) fn failing(&self) -> Option<&Arc<str>> {
        match self {
            Standing::Shaken { failing, .. } => failing.as_ref(),
            _ => None,
        }
    }
}

impl<T> Active<T> {
    pub(crate) fn new(accepted: Accepted<T>, since: Duration, standing: Standing) -> Self {
        Active {
            accepted,
            since,
            listener_errors: Arc::default(),
            restart: Arc::default(),
            standing,
        }
    }

    /// Returns how it has done so far.
    pub(crate) fn worth(&self, policy: OnCommitError) -> Worth {
        let failed = policy == OnCommitError::RollBack && !self.listener_errors.is_empty();
        match &self.standing {
            _ if failed => Worth::Bad,
            standing if standing.failing().is_some() => Worth::Bad,
            Standing::Proven => Worth::Good,
            _ => Worth::Unproven,
        }
    }

    pub(crate) fn listeners_failed(&mut self, errors: &[ListenerError]) {
        if !errors.is_empty() {
            let all: Vec<_> = self.listener_errors.iter().chain(errors).cloned().collect();
            self.listener_errors = all.into();
        }
    }
}
