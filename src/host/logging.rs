//! Events as log lines, through the `log` facade, under the target `steadyconf`.
//! Which events there are, and how often, is the engine's: once per change of
//! state, never once per poll.

use log::kv::{Error, Key, Source, Value, VisitSource};
use log::{Level, Record};

use super::CATCH;
use super::std::prelude::rust_2024::*;
use crate::engine::{Digest, Event, OneLine, Version};

const TARGET: &str = "steadyconf";

/// The line, and beside it what a program wants of it: `version`, `digest`, `stage`
/// and `origin`, each where the event has one.
pub(crate) fn write(event: &Event) {
    let level = level_of(event);
    guarded(|| {
        if !log::log_enabled!(target: TARGET, level) {
            return;
        }
        let facts = Facts::of(event);
        log::logger().log(
            &Record::builder()
                .target(TARGET)
                .level(level)
                .module_path(Some(module_path!()))
                .key_values(&facts)
                .args(format_args!("{event}"))
                .build(),
        );
    });
}

/// What an event has, for programs.
struct Facts {
    /// What is active after it.
    version: Option<Version>,
    /// The content that it is about.
    digest: Option<String>,
    stage: Option<String>,
    origin: Option<String>,
}

impl Source for Facts {
    fn visit<'kvs>(&'kvs self, visitor: &mut dyn VisitSource<'kvs>) -> Result<(), Error> {
        if let Some(version) = self.version {
            visitor.visit_pair(Key::from("version"), Value::from(version.get()))?;
        }
        for (key, text) in [
            ("digest", &self.digest),
            ("stage", &self.stage),
            ("origin", &self.origin),
        ] {
            if let Some(text) = text {
                visitor.visit_pair(Key::from(key), Value::from(text.as_str()))?;
            }
        }
        Ok(())
    }
}

impl Facts {
    fn of(event: &Event) -> Self {
        let (stage, origin) = match event {
            Event::Applied { origins, .. } => (None, Some(origins.join(", "))),
            Event::StartedFromLastGood { from, .. } => (None, Some(from.to_string())),
            Event::SourceFailed { error, .. } | Event::SourceReadable { error } => {
                (None, Some(error.origin().to_string()))
            }
            Event::Rejected { rejection, .. } => {
                let mut places = rejection.problems().iter().filter_map(|p| p.place());
                let origin = places.next().map(|place| place.origin().to_string());
                (Some(rejection.stage().to_string()), origin)
            }
            _ => (None, None),
        };
        Facts {
            version: version_of(event),
            digest: digest_of(event).map(|digest| digest.to_string()),
            stage,
            origin,
        }
    }
}

fn version_of(event: &Event) -> Option<Version> {
    match event {
        Event::Applied { to, .. } | Event::RolledBack { to, .. } => Some(*to),
        Event::StartedFromLastGood { version, .. }
        | Event::Recovered { version, .. }
        | Event::UnknownKeys { version, .. }
        | Event::ProbationPassed { version }
        | Event::ProbationFailed { version, .. }
        | Event::ListenerFailed { version, .. }
        | Event::RollbackFailed {
            keeping: version, ..
        } => Some(*version),
        Event::Rejected { keeping, .. }
        | Event::SourceFailed { keeping, .. }
        | Event::StillChanging { keeping, .. }
        | Event::HoldsStill { keeping } => *keeping,
        Event::SourceReadable { .. } => None,
    }
}

fn digest_of(event: &Event) -> Option<Digest> {
    match event {
        Event::Applied { digest, .. }
        | Event::RolledBack { digest, .. }
        | Event::StartedFromLastGood { digest, .. }
        | Event::Recovered { digest, .. } => Some(*digest),
        Event::Rejected { rejection, .. } => Some(rejection.digest()),
        _ => None,
    }
}

/// A poll that ended in a panic of our own: a bug, and said loudly.
pub(crate) fn poll_panicked() {
    guarded(|| {
        log::error!(target: TARGET, "a poll of the source panicked; the loop goes on. This is a bug in steadyconf");
    });
}

/// A file that is replaced outside of a container, and not inside.
pub(crate) fn mount_of_its_own(name: &str) {
    let name = OneLine(name);
    guarded(|| {
        log::warn!(
            target: TARGET,
            "{name} is a mount of its own: a replaced file will not arrive; mount its folder"
        );
    });
}

/// The last known good on disk is older than what is active.
pub(crate) fn last_good_failed(name: &str, reason: &str) {
    let name = OneLine(name);
    guarded(|| {
        log::warn!(target: TARGET, "cannot write the last known good, {name}: {reason}; it is tried again");
    });
}

pub(crate) fn last_good_written(name: &str) {
    let name = OneLine(name);
    guarded(|| log::warn!(target: TARGET, "the last known good, {name}, is written again"));
}

/// What came of a SIGHUP: whoever sent it reads the log.
#[cfg(all(unix, feature = "signal"))]
pub(crate) fn hangup(good: bool, what: &str) {
    let level = if good { Level::Info } else { Level::Warn };
    guarded(|| log::log!(target: TARGET, level, "SIGHUP: {what}"));
}

/// A logger is not ours; one that panics costs its line.
fn guarded(mut line: impl FnMut()) {
    let _ = CATCH(&mut line);
}

fn level_of(event: &Event) -> Level {
    match event {
        Event::Applied { .. } | Event::ProbationPassed { .. } => Level::Info,
        Event::RollbackFailed { .. } => Level::Error,
        // Recovering is as loud as the failure was, so that who filters for
        // warnings also learns that it is over.
        _ => Level::Warn,
    }
}
