//! What can be said of the engine from outside: its present state, and what
//! came of the last look. How it is logged or exported is the host's.

use alloc::string::{String, ToString};
use alloc::sync::Arc;
use core::fmt;
use core::time::Duration;

use super::diff::Diff;
use super::digest::Digest;
use super::error::{DetectError, Rejection, RollbackError};
use super::report::{OneLine, Violation};
use super::version::Version;

/// What came of one look.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// What is active is what is at the source.
    Unchanged,
    /// Something is there, but it has not held still for long enough.
    Settling {
        /// When to look again.
        until: Duration,
    },
    /// A new snapshot is active.
    Applied(Version),
    /// What is at the source is refused, and the old snapshot stays. It is
    /// parsed and reported once, and said at every look while it lasts. What could
    /// not be built is tried again at growing intervals.
    Rejected(Arc<Rejection>),
    /// What is at the source is valid, but a listener vetoed it. The old
    /// snapshot stays, and the candidate is offered again.
    Vetoed {
        /// Who vetoed, and why.
        rejection: Arc<Rejection>,
        /// When it is offered again.
        retry_at: Duration,
    },
    /// What was applied was rolled back, because a listener failed to take it
    /// into use or a health check failed: older content is active again, under this
    /// version.
    RolledBack(Version),
    /// What is at the source was rolled back from, and is not applied again
    /// until the source changes.
    Quarantined,
    /// Somebody else is looking at this moment, or this was called from inside
    /// a callback. Another look follows.
    Busy,
}

/// For people: what came of it, with every reason.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Unchanged => f.write_str("nothing has changed"),
            Outcome::Settling { .. } => f.write_str("what is there has not held still yet"),
            Outcome::Applied(version) => write!(f, "applied {version}"),
            Outcome::Rejected(rejection) | Outcome::Vetoed { rejection, .. } => {
                write!(f, "refused: {rejection}")
            }
            Outcome::RolledBack(version) => write!(f, "rolled back: {version} is active"),
            Outcome::Quarantined => f.write_str("held: it was rolled back from"),
            Outcome::Busy => f.write_str("somebody else is looking"),
        }
    }
}

/// Why the source and what is active differ, or why it is not known.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Failure {
    /// The source cannot be read.
    Source(DetectError),
    /// What it holds is refused.
    Rejected(Arc<Rejection>),
    /// What it holds changes all the time, and has not held still for long
    /// enough to count.
    StillChanging,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Source(error) => write!(f, "{error}"),
            Failure::Rejected(rejection) => write!(f, "{rejection}"),
            Failure::StillChanging => f.write_str("the source is still changing"),
        }
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A failure that has not ended yet.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LastError {
    /// What is wrong.
    pub failure: Failure,
    /// Since when: the look that found it first.
    pub since: Duration,
}

/// A listener that returned an error or panicked while a change was made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListenerError {
    /// The name that the listener was registered under.
    pub listener: Arc<str>,
    /// What it said, or that it panicked.
    pub reason: Arc<str>,
}

impl fmt::Display for ListenerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (listener, reason) = (OneLine(&self.listener), OneLine(&self.reason));
        write!(f, "listener {listener}: {reason}")
    }
}

/// How what is active does while it has to prove itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Probation {
    /// When it is over, if the health check is content then.
    pub until: Duration,
    /// What the health check said, if it fails and there was no rollback: there
    /// is nothing to go back to, or a listener vetoed it.
    pub failure: Option<Arc<str>>,
}

/// The state of things at one moment. All times are on the timeline of `now`:
/// monotonic, since the start.
///
/// It prints as a few lines for people. For Prometheus these names fit, as other
/// programs that reload use them; `examples/llm_gateway/` prints them in the text
/// format without a library:
///
/// | name | from |
/// |---|---|
/// | `config_last_reload_successful` | [`is_healthy`](Self::is_healthy), as 1 or 0 |
/// | `config_last_reload_success_timestamp_seconds` | [`last_success`](Self::last_success), added to the wall clock's start |
/// | `config_info{version, digest}` | 1 |
/// | `config_reloads_total`, `config_rejections_total`, `config_rollbacks_total` | the counters |
/// | `config_consecutive_failures` | [`consecutive_failures`](Self::consecutive_failures) |
/// | `config_in_poll_seconds` | [`in_poll_since`](Self::in_poll_since): one that grows is a look that hangs |
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Status {
    /// What is active; `None` before the first load.
    pub version: Option<Version>,
    /// The digest of what is active: of the bytes at the source that stand for it.
    pub digest: Option<Digest>,
    /// Where what is active came from, the lowest precedence first.
    pub origins: Arc<[Arc<str>]>,
    /// When it became active.
    pub applied_at: Option<Duration>,
    /// The last look at the source.
    pub last_poll: Option<Duration>,
    /// The last look that found the source and what is active to be the same.
    pub last_success: Option<Duration>,
    /// What is wrong now; `None` if nothing is. It ends when the source is good
    /// again, also if it went back to the very bytes that are active.
    pub last_error: Option<LastError>,
    /// How many looks in a row ended in a failure.
    pub consecutive_failures: u64,
    /// How many times something from the source became active, the first load
    /// included.
    pub reloads: u64,
    /// How many times the source turned to something that is refused or vetoed:
    /// however often that is looked at, it counts once.
    pub rejections: u64,
    /// How many times older content became active again.
    pub rollbacks: u64,
    /// The digest of what was rolled back from, while it is what is at the
    /// source: it is not applied again until the source changes.
    pub quarantined: Option<Digest>,
    /// Whether what is active is the last known good, read from disk at the start
    /// because the source was missing or refused: it is not current.
    pub from_last_good: bool,
    /// Why the last known good on disk cannot be trusted to be what is active: it
    /// could not be written, or not flushed. It changes nothing else. An engine alone writes none.
    pub last_good_error: Option<Arc<str>>,
    /// While what is active has to prove itself; see
    /// [`Engine::probation`](crate::Engine::probation).
    pub probation: Option<Probation>,
    /// Whether what was last seen at the source differs from what is active:
    /// it is refused, held, or still settling. While the source cannot be read,
    /// the last that is known.
    pub source_differs: bool,
    /// Since when there is content at the source that has not held still for
    /// long enough yet; `None` if there is none.
    pub settling_since: Option<Duration>,
    /// Which listeners failed to take the active snapshot into use.
    pub listener_errors: Arc<[ListenerError]>,
    /// Keys of what is active that no field takes. They change nothing else.
    pub warnings: Arc<[Violation]>,
    /// When the next look is due.
    pub next_poll: Duration,
    /// Whether a thread is looking by itself. An engine alone has none.
    pub thread_alive: bool,
    /// Since when a look is under way, if one is. One that does not end is a
    /// callback or a file system that hangs.
    pub in_poll_since: Option<Duration>,
}

impl Status {
    /// Whether something is active, it is not the last known good of an earlier
    /// run, nothing is known to be wrong with the source, nothing is held back after a rollback, every listener has taken what is
    /// active into use, and no health check has failed that could not be mended by
    /// a rollback. Content that is still settling is nothing wrong, for a while.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        let failing = |probation: &Probation| probation.failure.is_some();
        self.version.is_some()
            && !self.from_last_good
            && self.last_error.is_none()
            && self.quarantined.is_none()
            && self.listener_errors.is_empty()
            && !self.probation.as_ref().is_some_and(failing)
    }
}

/// A few lines for people.
impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.version, self.digest) {
            (Some(version), Some(digest)) => write!(f, "{version} {} is active", digest.short())?,
            _ => f.write_str("nothing is loaded")?,
        }
        if !self.origins.is_empty() {
            write!(f, ", from {}", Joined(&self.origins))?;
        }
        let health = if self.is_healthy() {
            "healthy"
        } else {
            "not healthy"
        };
        write!(f, "\n{health}")?;
        if self.from_last_good {
            f.write_str("\nit is the last known good of an earlier run, and not current")?;
        }
        if let Some(error) = &self.last_error {
            let since = error.since.as_secs_f64();
            write!(f, "\nsince {since:.1} s: {}", error.failure)?;
        }
        if let Some(held) = self.quarantined {
            let held = held.short();
            write!(
                f,
                "\n{held} was rolled back from and is held until the source changes"
            )?;
        }
        for error in &*self.listener_errors {
            write!(f, "\n{error}")?;
        }
        if let Some(probation) = &self.probation {
            write!(
                f,
                "\non probation until {:.1} s",
                probation.until.as_secs_f64()
            )?;
            if let Some(failure) = &probation.failure {
                write!(f, ", and failing: {}", OneLine(failure))?;
            }
        }
        if let Some(since) = self.settling_since {
            write!(
                f,
                "\nnew content is settling since {:.1} s",
                since.as_secs_f64()
            )?;
        }
        if let Some(error) = &self.last_good_error {
            write!(
                f,
                "\nthe last known good cannot be written: {}",
                OneLine(error)
            )?;
        }
        for warning in &*self.warnings {
            write!(f, "\n{warning}")?;
        }
        let (reloads, rejections) = (self.reloads, self.rejections);
        let rollbacks = self.rollbacks;
        write!(
            f,
            "\nreloads: {reloads}, rejections: {rejections}, rollbacks: {rollbacks}"
        )
    }
}

/// Something that an operator wants to read once: a change of state.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A new snapshot is active.
    #[non_exhaustive]
    Applied {
        /// What was active before; `None` at the first load.
        from: Option<Version>,
        /// What is active now.
        to: Version,
        /// The digest of what is active now.
        digest: Digest,
        /// Where it came from.
        origins: Arc<[Arc<str>]>,
        /// What changed; `None` at the first load.
        diff: Option<Diff>,
    },
    /// What is active has keys that no field takes: misspelt, perhaps.
    #[non_exhaustive]
    UnknownKeys {
        /// What is active.
        version: Version,
        /// Each key, with its place.
        warnings: Arc<[Violation]>,
    },
    /// The source is missing or refused, so what is active is the last known good
    /// of an earlier run: it is not current.
    #[non_exhaustive]
    StartedFromLastGood {
        /// What is active.
        version: Version,
        /// Its digest.
        digest: Digest,
        /// Where it was kept.
        from: Arc<str>,
        /// What is wrong with the source, if that is known.
        failure: Option<Failure>,
    },
    /// Older content is active again, under a new version.
    #[non_exhaustive]
    RolledBack {
        /// What was active before.
        from: Version,
        /// What is active now.
        to: Version,
        /// The version under which this content was active before.
        content_of: Version,
        /// The digest of what is active now.
        digest: Digest,
    },
    /// A rollback that was due after a listener or a health check failed did not
    /// happen.
    #[non_exhaustive]
    RollbackFailed {
        /// What stays active.
        keeping: Version,
        /// Why.
        error: RollbackError,
    },
    /// New content was refused; the old snapshot stays. A veto too.
    #[non_exhaustive]
    Rejected {
        /// What stays active; `None` if there is nothing yet.
        keeping: Option<Version>,
        /// Why.
        rejection: Arc<Rejection>,
    },
    /// The source cannot be read; the old snapshot stays.
    #[non_exhaustive]
    SourceFailed {
        /// What stays active; `None` if there is nothing yet.
        keeping: Option<Version>,
        /// Why.
        error: DetectError,
    },
    /// The source can be read again.
    #[non_exhaustive]
    SourceReadable {
        /// The problem that ended.
        error: DetectError,
    },
    /// The source changes all the time and never holds still for long enough;
    /// the old snapshot stays until it does.
    #[non_exhaustive]
    StillChanging {
        /// What stays active; `None` if there is nothing yet.
        keeping: Option<Version>,
        /// How long it has been so.
        lasted: Duration,
    },
    /// The source shows what is active after something was refused, while it was
    /// changing, or after a start from the last known good.
    #[non_exhaustive]
    Recovered {
        /// What is active.
        version: Version,
        /// Its digest.
        digest: Digest,
    },
    /// What is active has proved itself.
    #[non_exhaustive]
    ProbationPassed {
        /// The snapshot.
        version: Version,
    },
    /// What is active has failed its health check. A rollback follows, or the
    /// reason why there is none.
    #[non_exhaustive]
    ProbationFailed {
        /// The snapshot.
        version: Version,
        /// What the check said.
        reason: Arc<str>,
    },
    /// A listener failed to take a snapshot into use; the others did.
    #[non_exhaustive]
    ListenerFailed {
        /// The snapshot.
        version: Version,
        /// Who, and why.
        error: ListenerError,
    },
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Applied {
                from,
                to,
                digest,
                origins,
                diff,
            } => {
                let digest = digest.short();
                match from {
                    Some(from) => write!(f, "applied {to} {digest} in place of {from}")?,
                    None => write!(f, "loaded {to} {digest}")?,
                }
                write!(f, ", from {}", Joined(origins))?;
                let paths = diff.as_ref().map(|diff| diff.paths().to_string());
                match paths.filter(|paths| !paths.is_empty()) {
                    Some(paths) => write!(f, "; changed: {paths}"),
                    None => Ok(()),
                }
            }
            Event::UnknownKeys { version, warnings } => {
                let s = if warnings.len() == 1 { "" } else { "s" };
                write!(
                    f,
                    "{version} is active, with {} unknown key{s}:",
                    warnings.len()
                )?;
                warnings.iter().try_for_each(|one| write!(f, "\n  {one}"))
            }
            Event::StartedFromLastGood {
                version,
                digest,
                from,
                failure,
            } => {
                let (digest, from) = (digest.short(), OneLine(from));
                write!(f, "started from the last known good, {version} {digest}")?;
                write!(f, " of {from}, which is not current")?;
                match failure {
                    Some(failure) => write!(f, ": {failure}"),
                    None => Ok(()),
                }
            }
            Event::RolledBack {
                from,
                to,
                content_of,
                digest,
            } => {
                let digest = digest.short();
                write!(
                    f,
                    "rolled back from {from}: {to} {digest} is {content_of} again"
                )
            }
            Event::RollbackFailed { keeping, error } => {
                write!(f, "{}; {error}", Keeping(Some(*keeping)))
            }
            Event::Rejected { keeping, rejection } => {
                write!(f, "{}; {rejection}", Keeping(*keeping))
            }
            Event::SourceFailed { keeping, error } => {
                write!(f, "{}; cannot read {error}", Keeping(*keeping))
            }
            Event::SourceReadable { error } => {
                write!(f, "can read {} again", error.origin())
            }
            Event::StillChanging { keeping, lasted } => {
                let (keeping, seconds) = (Keeping(*keeping), lasted.as_secs());
                write!(f, "{keeping}; the source has been changing for {seconds} s")
            }
            Event::Recovered { version, digest } => {
                let digest = digest.short();
                write!(f, "recovered: the source is again {version} {digest}")
            }
            Event::ProbationPassed { version } => write!(f, "{version} passed its probation"),
            Event::ProbationFailed { version, reason } => {
                write!(f, "{version} failed its health check: {}", OneLine(reason))
            }
            Event::ListenerFailed { version, error } => {
                write!(f, "{version} is active, but {error}")
            }
        }
    }
}

struct Keeping(Option<Version>);

impl fmt::Display for Keeping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(version) => write!(f, "keeping {version}"),
            None => f.write_str("nothing is loaded"),
        }
    }
}

/// A log line names at most so many sources.
const MAX_NAMES: usize = 8;

struct Joined<'a>(&'a [Arc<str>]);

impl fmt::Display for Joined<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.0.iter().map(|name| OneLine(name));
        for (index, name) in names.take(MAX_NAMES).enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            write!(f, "{comma}{name}")?;
        }
        let more = self.0.len().saturating_sub(MAX_NAMES);
        if more > 0 {
            write!(f, " and {more} more")?;
        }
        Ok(())
    }
}

impl ListenerError {
    pub(crate) fn new(listener: Arc<str>, reason: String) -> Self {
        ListenerError {
            listener,
            reason: reason.into(),
        }
    }
}
