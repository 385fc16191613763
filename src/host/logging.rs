//! Events as log lines, through the `log` facade or as events of `tracing`, under the
//! target `steadyconf`.
//! Which events there are, and how often, is the engine's: once per change of
//! state, never once per poll.

use core::fmt::Display;

use log::kv::{Error, Key, Source, Value, VisitSource};
use log::{Level, Record};

use super::CATCH;
use super::std::prelude::rust_2024::*;
use crate::Version;
use crate::engine::{Digest, OneLine};
use crate::report::Event;

const TARGET: &str = "steadyconf";

/// How lines are written.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Log {
    /// Whether each message is one line, also where it has a list of problems.
    pub(crate) on_one_line: bool,
}

impl Log {
    /// The line, and beside it what a program wants of it: `attempt`, `version`, `digest`,
    /// `stage` and `origin`, each where the event has one.
    pub(crate) fn event(self, event: &Event, attempt: u64) {
        self.write(level_of(event), &event, |facts| facts.of(event, attempt));
    }

    /// Logs the outcome of a SIGHUP, for the operator who sent it.
    #[cfg(all(unix, feature = "signal"))]
    pub(crate) fn hangup(self, good: bool, what: &dyn Display, attempt: Option<u64>) {
        let level = if good { Level::Info } else { Level::Warn };
        self.write(level, &format_args!("SIGHUP: {what}"), |facts| {
            facts.attempt = attempt;
        });
    }

    fn write(self, level: Level, message: &dyn Display, facts: impl Fn(&mut Facts)) {
        guarded(|| {
            if !is_heard(level) {
                return;
            }
            let mut found = Facts::default();
            facts(&mut found);
            let one_line = self.on_one_line.then(|| on_one_line(message));
            let message: &dyn Display = one_line.as_ref().map_or(message, |line| line);
            say(level, message, &found);
        });
    }
}

/// Says something that comes up outside of attempts.
fn remark(level: Level, message: &dyn Display) {
    Log::default().write(level, message, |_| {});
}

/// Returns whether anybody hears a line of this level.
fn is_heard(level: Level) -> bool {
    #[cfg(feature = "tracing")]
    if is_traced() {
        // What level it wants is the subscriber's to say.
        return true;
    }
    log::log_enabled!(target: TARGET, level)
}

fn say(level: Level, message: &dyn Display, facts: &Facts) {
    #[cfg(feature = "tracing")]
    if is_traced() {
        return trace(level, message, facts);
    }
    log::logger().log(
        &Record::builder()
            .target(TARGET)
            .level(level)
            .module_path(Some(module_path!()))
            .key_values(facts)
            .args(format_args!("{message}"))
            .build(),
    );
}

/// Returns whether this thread has a subscriber; one of another thread hears nothing.
#[cfg(feature = "tracing")]
fn is_traced() -> bool {
    use tracing::subscriber::NoSubscriber;
    tracing::dispatcher::get_default(|dispatch| !dispatch.is::<NoSubscriber>())
}

/// The same as an event of `tracing`, with the same fields.
#[cfg(feature = "tracing")]
fn trace(level: Level, message: &dyn Display, facts: &Facts) {
    macro_rules! event {
        ($level:ident) => {
            tracing::event!(
                target: TARGET,
                tracing::Level::$level,
                attempt = facts.attempt,
                version = facts.version.map(Version::get),
                digest = facts.digest.as_deref(),
                stage = facts.stage.as_deref(),
                origin = facts.origin.as_deref(),
                "{message}"
            )
        };
    }
    match level {
        Level::Error => event!(ERROR),
        Level::Warn => event!(WARN),
        _ => event!(INFO),
    }
}

/// Returns a message on one line: its lines, with `; ` between those of a list.
pub(crate) fn on_one_line(message: &dyn Display) -> String {
    let text = message.to_string();
    let mut line = String::with_capacity(text.len());
    for part in text.lines().map(str::trim) {
        match line.chars().last() {
            None => {}
            Some(':') => line.push(' '),
            Some(_) => line.push_str("; "),
        }
        line.push_str(part);
    }
    line
}

/// What an event has, for programs.
#[derive(Default)]
struct Facts {
    /// The number of the attempt that it came up in.
    attempt: Option<u64>,
    /// The active snapshot after it.
    version: Option<Version>,
    /// The content that it is about.
    digest: Option<String>,
    stage: Option<String>,
    origin: Option<String>,
}

impl Source for Facts {
    fn visit<'kvs>(&'kvs self, visitor: &mut dyn VisitSource<'kvs>) -> Result<(), Error> {
        if let Some(attempt) = self.attempt {
            visitor.visit_pair(Key::from("attempt"), Value::from(attempt))?;
        }
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
    fn of(&mut self, event: &Event, attempt: u64) {
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
        *self = Facts {
            attempt: Some(attempt),
            version: version_of(event),
            digest: digest_of(event).map(|digest| digest.to_string()),
            stage,
            origin,
        };
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
        Event::SourceReadable { .. } | Event::Staggered { .. } | Event::TakenBack { .. } => None,
    }
}

fn digest_of(event: &Event) -> Option<Digest> {
    match event {
        Event::Applied { digest, .. }
        | Event::RolledBack { digest, .. }
        | Event::StartedFromLastGood { digest, .. }
        | Event::Recovered { digest, .. }
        | Event::Staggered { digest, .. }
        | Event::TakenBack { digest } => Some(*digest),
        Event::Rejected { rejection, .. } => Some(rejection.digest()),
        _ => None,
    }
}

/// A poll that ended in a panic of our own: a bug, and said loudly.
pub(crate) fn poll_panicked() {
    let message = "a poll of the source panicked; the loop goes on. This is a bug in steadyconf";
    remark(Level::Error, &message);
}

/// A file that is replaced outside of a container, and not inside.
pub(crate) fn mount_of_its_own(name: &str) {
    let name = OneLine(name);
    let what = "is a mount of its own: a replaced file will not arrive; mount its folder";
    remark(Level::Warn, &format_args!("{name} {what}"));
}

/// The last known good on disk is older than the active snapshot.
pub(crate) fn last_good_failed(name: &str, reason: &str) {
    let name = OneLine(name);
    let what = "cannot write the last known good";
    remark(
        Level::Warn,
        &format_args!("{what}, {name}: {reason}; it is tried again"),
    );
}

pub(crate) fn last_good_written(name: &str) {
    let name = OneLine(name);
    remark(
        Level::Warn,
        &format_args!("the last known good, {name}, is written again"),
    );
}

/// systemd cannot be notified, for this reason, or it can again.
#[cfg(all(target_os = "linux", feature = "systemd"))]
pub(crate) fn systemd(error: Option<&super::std::io::Error>) {
    match error {
        Some(error) => remark(Level::Warn, &format_args!("cannot notify systemd: {error}")),
        None => remark(Level::Warn, &"can notify systemd again"),
    }
}

/// File-system events cannot be had, for this reason, or they can again.
#[cfg(feature = "notify")]
pub(crate) fn events(error: Option<&notify::Error>) {
    match error {
        Some(error) => {
            let what = "file events may be missing, and polling goes on without them";
            remark(Level::Warn, &format_args!("{what}: {error}"));
        }
        None => remark(Level::Warn, &"file events come again"),
    }
}

/// A source that is not a file cannot be had, and what it held last stays.
#[cfg(feature = "remote")]
pub(crate) fn remote_fails(error: &crate::report::DetectError) {
    let what = "what it held last stays in force";
    remark(Level::Warn, &format_args!("cannot read {error}; {what}"));
}

#[cfg(feature = "remote")]
pub(crate) fn remote_again(name: &str) {
    let name = OneLine(name);
    remark(Level::Warn, &format_args!("can read {name} again"));
}

/// A logger is not ours; one that panics costs its line.
fn guarded(mut line: impl FnMut()) {
    let _ = CATCH(&mut line);
}

fn level_of(event: &Event) -> Level {
    match event {
        Event::Applied { .. }
        | Event::ProbationPassed { .. }
        | Event::Staggered { .. }
        | Event::TakenBack { .. } => Level::Info,
        Event::RollbackFailed { .. } => Level::Error,
        // Recovering is as loud as the failure was, so that who filters for
        // warnings also learns that it is over.
        _ => Level::Warn,
    }
}
