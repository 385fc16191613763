//! Events as log lines, through the `log` facade, under the target `steadyconf`.
//! Which events there are, and how often, is the engine's: once per change of
//! state, never once per look.

use log::Level;

use super::CATCH;
use crate::engine::{Event, OneLine};

const TARGET: &str = "steadyconf";

pub(crate) fn write(event: &Event) {
    guarded(|| log::log!(target: TARGET, level_of(event), "{event}"));
}

/// A look that ended in a panic of our own: a bug, and said loudly.
pub(crate) fn look_panicked() {
    guarded(|| {
        log::error!(target: TARGET, "a look at the source panicked; the loop goes on. This is a bug in steadyconf");
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
