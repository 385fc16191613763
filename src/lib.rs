//! steadyconf keeps a running program's configuration current.
#![no_std]

extern crate alloc;

mod engine;
#[cfg(feature = "std")]
mod host;

pub use engine::{
    BoxError, Catch, Change, DetectError, DetectErrorKind, Detector, Digest, Document, Engine,
    Event, Failure, Format, LastError, Layer, Limits, Listener, ListenerError, Outcome, Panicked,
    Place, Rejection, Report, Settle, Settled, Sighting, Snapshot, Stage, Status, Version,
    Violation,
};
#[cfg(feature = "yaml")]
pub use host::Yaml;
#[cfg(feature = "std")]
pub use host::{Builder, FileDetector, Handle, LoadError, Loaded, Reloader};
