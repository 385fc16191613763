//! The pure core: parse, validate, prepare, swap, commit. It needs `alloc` and
//! nothing else: no I/O, clock, thread, lock or log, and no `unsafe`. It never
//! names `host`, and cannot name `std`: only `host/mod.rs` brings that in.

mod change;
mod detector;
mod digest;
mod document;
#[allow(clippy::module_inception)]
mod engine;
mod error;
mod format;
mod limits;
mod listener;
mod manual;
mod report;
mod settle;
mod snapshot;
mod status;
mod version;

pub use change::Change;
pub use detector::{Detector, Sighting};
pub use digest::Digest;
pub use document::{Document, Layer};
pub use engine::{Catch, Engine, Panicked};
pub use error::{DetectError, DetectErrorKind, Rejection, Stage};
pub use format::Format;
pub use limits::Limits;
pub use listener::{BoxError, Listener};
pub use manual::ManualDetector;
pub use report::{Place, Report, Violation};
pub use settle::{Settle, Settled};
pub use snapshot::Snapshot;
pub use status::{Event, Failure, LastError, ListenerError, Outcome, Status};
pub use version::Version;
