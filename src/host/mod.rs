//! The shell around the engine: files, threads, clocks, locks and log lines.
//!
//! It is the only place that brings `std` in, so that engine code which names
//! `std` does not compile.

extern crate std;

mod builder;
mod cell;
mod changed;
mod check;
mod clock;
mod core;
#[cfg(feature = "notify")]
mod events;
mod file;
mod last_good;
mod load;
mod logging;
mod named;
mod part;
mod receipts;
mod reloader;
#[cfg(feature = "remote")]
mod remote;
#[cfg(feature = "schema")]
mod schema;
mod shards;
mod shared;
#[cfg(all(unix, feature = "signal"))]
mod signals;
mod source;
mod subscriptions;
mod sync;
#[cfg(all(target_os = "linux", feature = "systemd"))]
mod systemd;
mod target;
#[cfg(feature = "otel")]
mod telemetry;
mod thread;
mod turn;
mod watch;

pub use builder::Builder;
pub use cell::{Handle, Loaded, Reader, Waited};
#[cfg(feature = "stream")]
pub use changed::Changes;
pub use changed::{Changed, Stopped};
pub use check::Checked;
pub use file::FileDetector;
pub use load::LoadError;
pub use named::NamedFiles;
pub use part::{LoadedPart, Part, WaitedPart};
pub use reloader::Reloader;
#[cfg(feature = "http")]
pub use remote::HttpSource;
#[cfg(feature = "etcd")]
pub use remote::{Etcd, EtcdSource};
#[cfg(feature = "schema")]
pub use schema::json_schema;
#[cfg(feature = "reading")]
pub use source::EnvSource;
pub use source::{DirSource, FileSource, KeySource, Source};
pub use subscriptions::Subscription;
pub use target::{Files, Own, Watched};

use engine::{Catch, Panicked};
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::engine;

/// Catches panics. `AssertUnwindSafe` is right because the engine's state is
/// consistent before each call, and what the called code itself breaks is its
/// own.
pub(crate) const CATCH: Catch = |call| {
    catch_unwind(AssertUnwindSafe(call)).map_err(|payload| {
        // A payload's destructor may panic, too; what is left then is leaked.
        let dropped = catch_unwind(AssertUnwindSafe(|| drop(payload)));
        if let Err(second) = dropped {
            mem::forget(second);
        }
        Panicked
    })
};
