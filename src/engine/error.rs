//! The two ways in which a poll can fail: the source cannot be read, or what it
//! holds is rejected.

use alloc::string::{String, ToString};
use alloc::sync::Arc;
use core::error::Error;
use core::fmt;

use super::digest::Digest;
use super::report::{OneLine, Problem, Report};
use super::version::Version;

/// Where on its way a document was rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// Before it was looked into: it is too large, or it is blank.
    Limits,
    /// The parser rejected it: its syntax, or a field's type.
    Parse,
    /// It parsed, and a validator rejected it.
    Validate,
    /// It is valid, and nothing could be built from it.
    Build,
    /// It is valid, and a listener vetoed it.
    Prepare,
}

impl Stage {
    /// All of them, in order.
    pub(crate) const ALL: [Stage; 5] = [
        Stage::Limits,
        Stage::Parse,
        Stage::Validate,
        Stage::Build,
        Stage::Prepare,
    ];
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stage::Limits => "limits",
            Stage::Parse => "parse",
            Stage::Validate => "validate",
            Stage::Build => "build",
            Stage::Prepare => "prepare",
        })
    }
}

/// A document that was rejected, with every reason.
///
/// It prints as a line that says where it stopped, and then one problem a line.
/// `Debug` prints the same, for that is what `fn main() -> Result<…>` shows.
/// Neither holds anything that was read, beyond the names of keys.
#[derive(Clone, PartialEq, Eq)]
pub struct Rejection {
    stage: Stage,
    digest: Digest,
    report: Report,
}

impl Rejection {
    pub(crate) fn new(stage: Stage, digest: Digest, report: Report) -> Self {
        Rejection {
            stage,
            digest,
            report,
        }
    }

    /// Where on its way the document was rejected.
    #[must_use]
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// The digest of what was rejected; see [`Digest`] for how to compare it.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// What is wrong with it. A parser that stops at the first mistake reports
    /// one; validators report all they find.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        self.report.problems()
    }

    /// How many more problems there were than [`problems`](Self::problems) has.
    #[must_use]
    pub fn more(&self) -> usize {
        self.report.more()
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.problems().len().saturating_add(self.more());
        let s = if count == 1 { "" } else { "s" };
        let what = match self.stage {
            Stage::Limits => "is not acceptable",
            Stage::Parse => "does not parse",
            Stage::Validate => "fails validation",
            Stage::Build => "cannot be built",
            Stage::Prepare => "vetoed",
        };
        let digest = self.digest.short();
        write!(f, "{digest} {what}, {count} problem{s}:")?;
        for line in self.report.to_string().lines() {
            write!(f, "\n  {line}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for Rejection {}

/// A listener that returned an error or panicked while a change was made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListenerError {
    /// The name that the listener was registered under.
    pub listener: Arc<str>,
    /// What it said, or that it panicked.
    pub reason: Arc<str>,
}

impl ListenerError {
    pub(crate) fn new(listener: Arc<str>, reason: String) -> Self {
        ListenerError {
            listener,
            reason: reason.into(),
        }
    }
}

impl fmt::Display for ListenerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (listener, reason) = (OneLine(&self.listener), OneLine(&self.reason));
        write!(f, "listener {listener}: {reason}")
    }
}

/// Why there was no rollback. What was active stays.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RollbackError {
    /// No other content is remembered to go back to, or none that is not known to
    /// be bad: rolled back from, or failed.
    NothingToGoBackTo,
    /// No snapshot of this version is remembered.
    NotRemembered(Version),
    /// Its content is the active one.
    IsActive(Version),
    /// A listener vetoed it.
    Vetoed(Arc<Rejection>),
    /// This was called from inside a callback; the change under way comes first.
    InsideCallback,
    /// Somebody stopped the reloader while this waited for its turn.
    Stopped,
}

impl fmt::Display for RollbackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no rollback: ")?;
        match self {
            RollbackError::NothingToGoBackTo => {
                f.write_str("nothing else is remembered that is not known to be bad")
            }
            RollbackError::NotRemembered(version) => write!(f, "{version} is not remembered"),
            RollbackError::IsActive(version) => {
                write!(f, "the content of {version} is the active one")
            }
            RollbackError::Vetoed(rejection) => write!(f, "{rejection}"),
            RollbackError::InsideCallback => f.write_str("called from inside a callback"),
            RollbackError::Stopped => f.write_str("stopped meanwhile"),
        }
    }
}

impl fmt::Debug for RollbackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for RollbackError {}

/// Why a source could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DetectErrorKind {
    /// Nothing is there.
    NotFound,
    /// It may not be read by this user.
    PermissionDenied,
    /// It is a folder, a pipe, a device or a socket.
    NotAFile,
    /// It is larger than the limit.
    TooLarge,
    /// It has not held still for as long as it was waited for.
    StillChanging,
    /// The detector panicked.
    Panicked,
    /// Anything else.
    Other,
}

/// A source that cannot be read at present, and why.
///
/// It prints as `config.yaml: no such file`. Two are equal if they say the same
/// of the same source, which is how a problem that lasts is told from a new one.
#[derive(Clone, PartialEq, Eq)]
pub struct DetectError {
    kind: DetectErrorKind,
    origin: Arc<str>,
    message: Arc<str>,
}

impl DetectError {
    /// The source called `origin` cannot be read, because of `message`.
    pub fn new(
        kind: DetectErrorKind,
        origin: impl Into<Arc<str>>,
        message: impl Into<String>,
    ) -> Self {
        DetectError {
            kind,
            origin: origin.into(),
            message: message.into().into(),
        }
    }

    /// What kind of problem it is.
    #[must_use]
    pub fn kind(&self) -> DetectErrorKind {
        self.kind
    }

    /// The name of the source.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// What is wrong with it, without its name.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for DetectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origin = OneLine(&self.origin);
        write!(f, "{origin}: {}", OneLine(&self.message))
    }
}

impl fmt::Debug for DetectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for DetectError {}
