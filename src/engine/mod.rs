//! The pure core: parse, validate, prepare, swap, commit. It needs `alloc` and
//! nothing else: no I/O, clock, thread, lock or log, and no `unsafe`. It never
//! names `host`, and cannot name `std`: only `host/mod.rs` brings that in.

mod admission;
mod built;
mod catch;
mod change;
mod detector;
mod diff;
mod digest;
mod document;
#[allow(clippy::module_inception)]
mod engine;
mod error;
mod format;
mod history;
mod jitter;
mod lens;
mod limits;
mod listener;
pub(crate) mod listeners;
mod manual;
mod masks;
mod notes;
#[cfg_attr(not(feature = "yaml"), allow(dead_code, reason = "mostly for formats"))]
pub(crate) mod path;
mod report;
mod settle;
mod snapshot;
mod status;
mod step;
mod trial;
mod version;

#[cfg(feature = "std")]
pub(crate) use admission::is_blank;
pub use built::Built;
pub use catch::{Catch, Panicked};
pub use change::Change;
pub use detector::{Detector, Sighting};
pub use diff::{Diff, Difference};
pub use digest::Digest;
pub use document::{Content, Document, Layer};
pub use engine::Engine;
pub use error::{DetectError, DetectErrorKind, Rejection, RollbackError, Stage};
pub use format::Format;
#[cfg(feature = "std")]
pub(crate) use history::{LONGEST_PAUSE, Retry};
#[cfg(feature = "yaml")]
pub(crate) use lens::{Inspect, Located};
pub use limits::Limits;
pub use listener::{BoxError, Listener, OnCommitError};
pub use manual::ManualDetector;
#[cfg(feature = "yaml")]
pub(crate) use masks::Masks;
pub use notes::{Notes, UnknownKeys};
#[cfg(feature = "std")]
pub(crate) use report::OneLine;
#[cfg(feature = "yaml")]
pub(crate) use report::cut;
pub use report::{Place, Report, Violation};
pub use settle::{Settle, Settled};
pub use snapshot::Snapshot;
pub use status::{Event, Failure, LastError, ListenerError, Outcome, Probation, Status};
#[cfg(feature = "otel")]
pub(crate) use step::{Phase, Step};
pub use version::Version;
