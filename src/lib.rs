//! Keeps a running program's configuration current: it notices that a file
//! changed, parses and validates what it finds, and swaps it in whole, or keeps
//! what it has and says why.
//!
#![cfg_attr(feature = "values", doc = "```")]
#![cfg_attr(not(feature = "values"), doc = "```ignore")]
//! use steadyconf::{Reloader, Report};
//!
//! #[derive(serde::Deserialize)]
//! struct Config {
//!     greeting: String,
//!     timeout_s: u32,
//! }
//!
//! fn check(config: &Config, report: &mut Report) {
//!     if config.timeout_s == 0 {
//!         report.add("timeout_s", "must be at least 1");
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("config.yaml");
//! # std::fs::write(&path, "greeting: hello\ntimeout_s: 30\n")?;
//! let reloader = Reloader::from_file(&path)
//!     .validate(check)
//!     .on_commit(|change| {
//!         println!("{} is active, {} was", change.new.version(), change.old.version());
//!         Ok(())
//!     })
//!     .load()?; // does not start on a bad file
//! let config = reloader.handle(); // Clone + Send + Sync
//!
//! assert_eq!(config.load().greeting, "hello");
//!
//! std::fs::write(&path, "greeting: good day\ntimeout_s: 30\n")?;
//! reloader.reload(std::time::Duration::from_secs(5)); // or start() a thread
//! assert_eq!(config.load().greeting, "good day");
//!
//! std::fs::write(&path, "greeting: oh no\ntimeout_s: soon\n")?;
//! println!("{}", reloader.reload(std::time::Duration::from_secs(5)));
//! // attempt 3 (reload): rejected: … config.yaml:2:12: timeout_s: expected a whole number
//! assert_eq!(config.load().greeting, "good day");
//! # Ok(())
//! # }
//! ```
//!
//! # Where to look
//!
//! - A program with threads: [`Reloader`], its [`start`](Reloader::start), and
//!   a [`Handle`] for each reader.
//! - A program with a loop of its own: [`Reloader::poll_once`] and
//!   [`Reloader::next_poll`].
//! - A program without `std`: [`engine::Engine`], with a [`Detector`](engine::Detector) and a
//!   [`Format`](engine::Format)
//!   of its own.
//! - What happens on a change: [`Listener`].
//! - What operators see: [`Status`], [`Outcome`], [`report::Event`], and the log lines
//!   under the target `steadyconf`.
//!
//! The guide, and all other pages, are in the module `docs`.
//!
//! # Features
//!
//! - `std` (default): files, the thread, the clock, the log. Without it, what is
//!   left is the engine and reading, which need `alloc` only.
//! - `testing`: the contract that every detector keeps, as a suite to run your
//!   own against.
//! - `yaml` (default): reading YAML, by `granit-parser`, without `std`, too.
//! - `values` (default, implies `std` and `yaml`): values set in code, written by
//!   `serde_yaml`.
//! - `schema`: a JSON Schema of a configuration, by `schemars`.
//! - `http` (implies `yaml`): documents that an HTTP server hands out, by `ureq`; see `Source::http`.
//! - `etcd` (implies `yaml`): documents under keys of etcd v3, by `ureq`; see `Source::etcd`.
//! - `notify`: events of the file system as a hint to poll now, by `notify`.
//! - `otel`: a span for each attempt and metrics, by OpenTelemetry's global providers.
//! - `stream`: [`Handle::changes`](Handle), a `futures_core::Stream`. Awaiting a change
//!   ([`Handle::changed`]) needs no feature, and no runtime.
//! - `signal`: SIGHUP as "reload now", on Unix.
//! - `systemd` (implies `signal`): what systemd expects of a service with
//!   `Type=notify-reload`, on Linux.
//! - `tracing`: log lines are events of `tracing`, with the same fields, where a program has
//!   set a subscriber.
//! - `toml`, `json`: files that end so are read by readers of their own, without `std`,
//!   and without `yaml`, too. ([`format::Yaml`] is then the name of a format that reads no YAML.)

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

#[cfg(all(any(doc, doctest), feature = "values"))]
pub mod docs;
pub mod engine;
#[cfg(feature = "reading")]
#[cfg_attr(
    not(all(feature = "yaml", feature = "toml", feature = "json")),
    allow(dead_code, reason = "each language has something that others lack")
)]
pub mod format;
#[cfg(feature = "std")]
mod host;
#[cfg(feature = "testing")]
pub mod testing;

pub use engine::change::Change;
pub use engine::listener::Listener;
pub use engine::outcome::Outcome;
pub use engine::receipt::Receipt;
pub use engine::report::Report;
pub use engine::snapshot::Snapshot;
pub use engine::status::Status;
pub use engine::version::Version;
#[cfg(feature = "reading")]
pub use format::secret::Secret;
#[cfg(feature = "schema")]
pub use host::json_schema;
#[cfg(feature = "std")]
pub use host::{Builder, Handle, LoadError, Reader, Reloader, Source, Subscription};

/// Problems, errors, changes, and how an attempt went: what is reported to people.
pub mod report {
    pub use crate::engine::diff::{Diff, Difference};
    pub use crate::engine::each::EntryChange;
    pub use crate::engine::effective::Effective;
    pub use crate::engine::error::{
        DetectError, DetectErrorKind, ListenerError, Rejection, RollbackError, Stage,
    };
    pub use crate::engine::event::Event;
    pub use crate::engine::receipt::{Cause, Doing, Phase, Timing};
    pub use crate::engine::report::{Place, Problem};
    pub use crate::engine::restart::PendingRestart;
    pub use crate::engine::status::{Failure, LastError, Probation, Stale};
    #[cfg(feature = "std")]
    pub use crate::host::Checked;
}

/// The kinds of [`Source`], and what watches them.
#[cfg(feature = "std")]
pub mod source {
    #[cfg(feature = "reading")]
    pub use crate::host::EnvSource;
    #[cfg(feature = "http")]
    pub use crate::host::HttpSource;
    pub use crate::host::{
        DirSource, FileDetector, FileSource, Files, KeySource, NamedFiles, Own, Watched,
    };
    #[cfg(feature = "etcd")]
    pub use crate::host::{Etcd, EtcdSource};
}

/// What a [`Handle`] gives: loads, parts of a configuration, and futures of changes.
#[cfg(feature = "std")]
pub mod handle {
    #[cfg(feature = "stream")]
    pub use crate::host::Changes;
    pub use crate::host::{Changed, Loaded, LoadedPart, Part, Stopped, Waited, WaitedPart};
}
