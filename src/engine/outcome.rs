//! The outcome of one poll.

use alloc::sync::Arc;
use core::fmt;
use core::time::Duration;

use super::error::Rejection;
use super::version::Version;

/// The outcome of one poll.
///
/// A poll that rolls back returns [`RolledBack`](Self::RolledBack), whatever else it
/// found, unless it also applied something newer or could not read the source. The
/// next poll returns what else it found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// The active snapshot is what is at the source.
    Unchanged,
    /// New content is at the source, but it has not held still for long enough.
    Settling {
        /// When to poll again.
        until: Duration,
    },
    /// New content is at the source, and waits for its turn; see
    /// [`stagger`](crate::engine::Engine::stagger).
    Staggered {
        /// When it is judged.
        until: Duration,
    },
    /// A new snapshot is active.
    Applied(Version),
    /// The content of the source is rejected, and the old snapshot stays active. The
    /// content is parsed and reported once, and this is returned by every poll while it
    /// lasts. What could not be built is tried again at growing intervals.
    Rejected(Arc<Rejection>),
    /// The content of the source is valid, but a listener vetoed it. The old
    /// snapshot stays active, and the candidate is offered again.
    Vetoed {
        /// Who vetoed, and why.
        rejection: Arc<Rejection>,
        /// When it is offered again.
        retry_at: Duration,
    },
    /// A snapshot was rolled back, because a listener failed to take it into use or a
    /// health check failed: older content is active again, under this version.
    RolledBack(Version),
    /// The content of the source was rolled back from, and is not applied again
    /// until the source changes.
    Quarantined,
    /// Another thread polls at this moment, or this was called from inside a
    /// callback. Another poll follows.
    Busy,
}

/// For people: the outcome, with every reason.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Unchanged => f.write_str("nothing has changed"),
            Outcome::Settling { .. } => f.write_str("the source has not held still yet"),
            Outcome::Staggered { .. } => f.write_str("new content waits for its turn"),
            Outcome::Applied(version) => write!(f, "applied {version}"),
            Outcome::Rejected(rejection) | Outcome::Vetoed { rejection, .. } => {
                write!(f, "rejected: {rejection}")
            }
            Outcome::RolledBack(version) => write!(f, "rolled back: {version} is active"),
            Outcome::Quarantined => f.write_str("quarantined: it was rolled back from"),
            Outcome::Busy => f.write_str("another poll is under way"),
        }
    }
}
