//! SIGHUP as "reload now", and a log line of what came of it.

use core::time::Duration;

use signal_hook::consts::SIGHUP;
use signal_hook::iterator::Signals;

use super::logging;
use super::std::format;
use super::std::io;
use super::std::prelude::rust_2024::*;
use super::std::thread;
use super::subscriptions::Subscription;
use crate::engine::{DetectError, Outcome};

/// So long a file may take to hold still.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// Calls `reload` at every SIGHUP, on a thread of its own, until what is returned is
/// dropped or `reload` has nothing to ask any more.
pub(crate) fn on_hangup(
    reload: impl Fn() -> Option<Result<Outcome, DetectError>> + Send + 'static,
) -> io::Result<Subscription> {
    let mut signals = Signals::new([SIGHUP])?;
    let handle = signals.handle();
    let wait = move || {
        for _ in signals.forever() {
            match reload() {
                Some(Ok(outcome)) => logging::hangup(is_good(&outcome), &format!("{outcome}")),
                Some(Err(error)) => logging::hangup(false, &format!("cannot read {error}")),
                None => return,
            }
        }
    };
    let named = thread::Builder::new().name("steadyconf-sighup".into());
    named.spawn(wait)?;
    Ok(Subscription::new(move || handle.close()))
}

fn is_good(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Unchanged | Outcome::Applied(_))
}
