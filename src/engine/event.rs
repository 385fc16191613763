//! What an operator reads once: each change of state. How it is logged or exported is
//! the host's.

use alloc::sync::Arc;
use core::fmt;
use core::time::Duration;

use super::diff::Diff;
use super::digest::Digest;
use super::error::{DetectError, ListenerError, Rejection, RollbackError};
use super::report::{OneLine, Problem};
use super::status::Failure;
use super::version::Version;

/// Something that an operator wants to read once: a change of state.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A new snapshot is active.
    #[non_exhaustive]
    Applied {
        /// The snapshot that was active before; `None` at the first load.
        from: Option<Version>,
        /// The active snapshot.
        to: Version,
        /// Its digest.
        digest: Digest,
        /// Where it came from.
        origins: Arc<[Arc<str>]>,
        /// What changed; `None` at the first load.
        diff: Option<Diff>,
        /// The files that the configuration names and that changed.
        files: Arc<[Arc<str>]>,
        /// The fields that take effect only at the next start of the program.
        pending_restart: Arc<[Arc<str>]>,
    },
    /// The active snapshot has keys that no field takes: misspelt, perhaps.
    #[non_exhaustive]
    UnknownKeys {
        /// The active snapshot.
        version: Version,
        /// Each key, with its place.
        warnings: Arc<[Problem]>,
    },
    /// The source is missing or rejected, so the active snapshot is the last known good
    /// of an earlier run: it is not current.
    #[non_exhaustive]
    StartedFromLastGood {
        /// The active snapshot.
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
        /// The snapshot that was active before.
        from: Version,
        /// The active snapshot.
        to: Version,
        /// The version under which this content was active before.
        content_of: Version,
        /// Its digest.
        digest: Digest,
    },
    /// A rollback that was due after a listener or a health check failed did not
    /// happen.
    #[non_exhaustive]
    RollbackFailed {
        /// The snapshot that stays active.
        keeping: Version,
        /// Why.
        error: RollbackError,
    },
    /// New content waits for the turn of this instance; see
    /// [`stagger`](crate::engine::Engine::stagger).
    #[non_exhaustive]
    Staggered {
        /// Its digest.
        digest: Digest,
        /// For how long.
        wait: Duration,
    },
    /// What waited for its turn was taken back before: the source shows the active
    /// snapshot again.
    #[non_exhaustive]
    TakenBack {
        /// The digest of what waited.
        digest: Digest,
    },
    /// New content was rejected, or a listener vetoed it; the old snapshot stays active.
    #[non_exhaustive]
    Rejected {
        /// The snapshot that stays active; `None` if there is none yet.
        keeping: Option<Version>,
        /// Why.
        rejection: Arc<Rejection>,
    },
    /// The source cannot be read; the old snapshot stays.
    #[non_exhaustive]
    SourceFailed {
        /// The snapshot that stays active; `None` if there is none yet.
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
        /// The snapshot that stays active; `None` if there is none yet.
        keeping: Option<Version>,
        /// How long it has been so.
        lasted: Duration,
    },
    /// The source shows the active snapshot again, or other bytes of an equal value,
    /// after it was rejected, quarantined or still changing, or after a start from the
    /// last known good.
    #[non_exhaustive]
    Recovered {
        /// The active snapshot.
        version: Version,
        /// The digest of the bytes at the source.
        digest: Digest,
    },
    /// The source holds still again after it had been changing for long, and shows
    /// what it showed before that: content that is rejected or quarantined.
    #[non_exhaustive]
    HoldsStill {
        /// The active snapshot; `None` if there is none yet.
        keeping: Option<Version>,
    },
    /// The active snapshot has passed its probation.
    #[non_exhaustive]
    ProbationPassed {
        /// The snapshot.
        version: Version,
    },
    /// The active snapshot has failed its health check. A rollback follows, or the
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
            Event::Applied { .. }
            | Event::StartedFromLastGood { .. }
            | Event::UnknownKeys { .. } => self.write_what_is_active(f),
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
            Event::Staggered { digest, wait } => {
                let (digest, seconds) = (digest.short(), wait.as_secs_f64());
                write!(
                    f,
                    "new content {digest} is applied in {seconds:.0} s: this instance waits for its turn"
                )
            }
            Event::TakenBack { digest } => {
                let digest = digest.short();
                write!(f, "new content {digest} was taken back before its turn")
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
            Event::HoldsStill { keeping } => {
                write!(f, "{}; the source holds still again", Keeping(*keeping))
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

impl Event {
    fn write_what_is_active(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Applied {
                from,
                to,
                digest,
                origins,
                diff,
                files,
                pending_restart,
            } => {
                let digest = digest.short();
                match from {
                    Some(from) => write!(f, "applied {to} {digest} in place of {from}")?,
                    None => write!(f, "loaded {to} {digest}")?,
                }
                write!(f, ", from {}", Joined(origins))?;
                if let Some(paths) = diff.as_ref().and_then(Diff::paths) {
                    write!(f, "; changed: {paths}")?;
                }
                if !files.is_empty() {
                    write!(f, "; changed files: {}", Joined(files))?;
                }
                match pending_restart.is_empty() {
                    true => Ok(()),
                    false => write!(f, "; needs a restart: {}", Joined(pending_restart)),
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
            _ => Ok(()),
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

pub(crate) struct Joined<'a>(pub(crate) &'a [Arc<str>]);

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
