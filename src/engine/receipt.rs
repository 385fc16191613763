//! The receipt of one attempt to apply something: who asked for it, how long each part
//! took, and the outcome. The host writes receipts, for the engine has no clock.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use super::digest::Digest;
use super::error::{DetectError, ListenerError, Rejection, Stage};
use super::outcome::Outcome;
use super::report::OneLine;
use super::version::Version;

/// A part of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// The format reads the document.
    Parse,
    /// Normalizers and validators run.
    Validate,
    /// [`build`](crate::engine::Engine::build) runs.
    Build,
    /// Every listener is asked.
    Prepare,
    /// Every listener is notified. Readers see the new snapshot already.
    Commit,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Phase::Parse => "parse",
            Phase::Validate => "validate",
            Phase::Build => "build",
            Phase::Prepare => "prepare",
            Phase::Commit => "commit",
        })
    }
}

/// Who asked for an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// The first load.
    Load,
    /// A thread was started.
    Start,
    /// The thread's interval passed, or something else was due.
    Timer,
    /// Somebody called [`wake`](crate::Reloader::wake), or subscribed, or a poll was
    /// busy.
    Wake,
    /// The program called [`poll_once`](crate::Reloader::poll_once).
    Poll,
    /// The program called [`reload`](crate::Reloader::reload).
    Reload,
    /// The signal SIGHUP came.
    Sighup,
    /// The program called [`rollback`](crate::Reloader::rollback).
    Rollback,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Cause::Load => "load",
            Cause::Start => "start",
            Cause::Timer => "timer",
            Cause::Wake => "wake",
            Cause::Poll => "poll",
            Cause::Reload => "reload",
            Cause::Sighup => "SIGHUP",
            Cause::Rollback => "rollback",
        })
    }
}

/// How long one part of an attempt took.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timing {
    /// The part; with a listener, the phase in which it was called.
    pub phase: Phase,
    /// The listener, if this is the time of one.
    pub listener: Option<Arc<str>>,
    /// How long it took.
    pub took: Duration,
}

/// What a poll that is under way does at the moment.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Doing {
    /// The phase that it is in.
    pub phase: Phase,
    /// The listener that it waits for, if it waits for one.
    pub listener: Option<Arc<str>>,
    /// Since when, on the timeline of `now`.
    pub since: Duration,
}

impl fmt::Display for Doing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.listener {
            Some(name) => write!(f, "listener {} in {}", OneLine(name), self.phase),
            None => write!(f, "{}", self.phase),
        }
    }
}

/// The receipt of an attempt: a poll that found something to judge or to report, a
/// reload, a rollback, or the first load. A poll that finds nothing leaves none.
///
/// It prints as one line, or as several if a rejection has several problems.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Receipt {
    /// The number of the attempt. Numbers grow by one; log lines and spans of the attempt
    /// have it, too.
    pub attempt: u64,
    /// Who asked for it.
    pub cause: Cause,
    /// When it began, on the timeline of `now`.
    pub began: Duration,
    /// How long it took: a reload from the call to its end, with all its waiting; anything
    /// else from the end of reading on.
    pub took: Duration,
    /// The phases and the listeners, in the order in which they ended.
    pub timings: Vec<Timing>,
    /// The digest of the rejected content; otherwise of the active snapshot.
    pub digest: Digest,
    /// The active snapshot afterwards.
    pub version: Version,
    /// The listeners that failed to take the new snapshot into use.
    pub listener_errors: Vec<ListenerError>,
    /// The outcome.
    pub outcome: Result<Outcome, DetectError>,
}

impl Receipt {
    /// Returns why it was rejected or vetoed, if it was.
    #[must_use]
    pub fn rejection(&self) -> Option<&Arc<Rejection>> {
        match &self.outcome {
            Ok(Outcome::Rejected(rejection) | Outcome::Vetoed { rejection, .. }) => Some(rejection),
            _ => None,
        }
    }

    /// Returns where on its way it was rejected, if it was.
    #[must_use]
    pub fn stage(&self) -> Option<Stage> {
        self.rejection().map(|rejection| rejection.stage())
    }

    /// Returns whether the active snapshot is what the source shows, as far as this
    /// attempt can tell, and every listener took it into use.
    #[must_use]
    pub fn is_good(&self) -> bool {
        let taken = matches!(self.outcome, Ok(Outcome::Unchanged | Outcome::Applied(_)));
        taken && self.listener_errors.is_empty()
    }
}

impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (attempt, cause) = (self.attempt, self.cause);
        write!(f, "attempt {attempt} ({cause}): {}", What(self))
    }
}

/// The outcome of an attempt, for people.
pub(crate) struct What<'a>(pub(crate) &'a Receipt);

impl fmt::Display for What<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.outcome {
            Ok(outcome) => write!(f, "{outcome}")?,
            Err(error) => write!(f, "cannot read {error}")?,
        }
        let mut errors = self.0.listener_errors.iter();
        errors.try_for_each(|error| write!(f, "\n  but {error}"))
    }
}
