//! The pure core: parse, validate, prepare, publish, commit. It needs `alloc` and
//! nothing else: no I/O, clock, thread, lock or log, and no `unsafe`. It never
//! names `host`, and cannot name `std`: only `host/mod.rs` brings that in.

mod active;
mod admission;
mod built;
mod catch;
pub(crate) mod change;
mod checks;
mod condition;
mod detector;
pub(crate) mod diff;
mod digest;
mod document;
pub(crate) mod each;
pub(crate) mod effective;
#[allow(clippy::module_inception)]
mod engine;
pub(crate) mod error;
pub(crate) mod event;
mod format;
mod history;
mod jitter;
mod judge;
mod lens;
mod limits;
pub(crate) mod listener;
pub(crate) mod listeners;
mod manual;
mod masks;
mod moment;
mod named;
mod notes;
pub(crate) mod observer;
pub(crate) mod outcome;
#[cfg_attr(
    not(feature = "remote"),
    allow(dead_code, reason = "only sources on the network have one")
)]
mod pace;
#[cfg_attr(
    not(feature = "reading"),
    allow(dead_code, reason = "mostly for formats")
)]
pub(crate) mod path;
mod policy;
mod poll;
mod probation;
mod prometheus;
pub(crate) mod receipt;
pub(crate) mod report;
pub(crate) mod restart;
mod retry;
mod round;
mod settle;
pub(crate) mod snapshot;
mod source;
mod stagger;
pub(crate) mod status;
mod trial;
pub(crate) mod version;

#[cfg(feature = "std")]
pub(crate) use admission::{MAX_NAMES, is_blank};
pub use built::{Built, Final};
pub use catch::{Catch, Panicked};
pub use detector::{Detector, Sighting};
pub use digest::Digest;
#[cfg(feature = "reading")]
pub(crate) use document::Naming;
pub use document::{Content, Document, Language, Layer};
pub(crate) use each::notify_of_each;
pub use engine::Engine;
pub use format::Format;
#[cfg(feature = "std")]
pub(crate) use jitter::Jitter;
#[cfg(feature = "reading")]
pub(crate) use lens::{Inspect, Located};
pub use limits::Limits;
pub(crate) use listener::OnChangeOf;
pub use listener::{BoxError, OnCommitError};
pub use manual::ManualDetector;
#[cfg(feature = "reading")]
pub(crate) use masks::{Covered, Masks, plain};
#[cfg(feature = "std")]
pub(crate) use moment::WallClock;
pub use named::NamedFile;
#[cfg(feature = "reading")]
pub(crate) use notes::MAX_UNKNOWN_KEYS;
pub use notes::{Notes, UnknownKeys};
#[cfg(feature = "remote")]
pub(crate) use pace::Pace;
#[cfg(feature = "std")]
pub(crate) use policy::{Policy, options};
#[cfg(all(unix, feature = "signal"))]
pub(crate) use receipt::What;
#[cfg(feature = "std")]
pub(crate) use report::OneLine;
#[cfg(feature = "reading")]
pub(crate) use report::cut;
#[cfg(any(feature = "reading", feature = "std"))]
pub(crate) use report::steers;
pub use restart::OnRestart;
#[cfg(feature = "std")]
pub(crate) use retry::{LONGEST_PAUSE, Retry};
pub(crate) use round::place_name;
pub use settle::{Settle, Settled};
pub(crate) use stagger::Stagger;
pub(crate) use trial::Trial;
