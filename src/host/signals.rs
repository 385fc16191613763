//! SIGHUP as "reload now", and a log line of what came of it.

use core::time::Duration;

use signal_hook::consts::SIGHUP;
use signal_hook::iterator::{Handle, Signals};

use super::CATCH;
use super::logging;
use super::std::format;
use super::std::io;
use super::std::prelude::rust_2024::*;
use super::std::thread;
use super::subscriptions::Subscription;
use crate::engine::{DetectError, Outcome};

/// So long a file may take to hold still.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// A thread that waits for the signal.
pub(crate) struct Hangup(Handle);

impl Hangup {
    /// Ends the thread.
    pub(crate) fn close(&self) {
        self.0.close();
    }

    /// Ends it when that is dropped.
    pub(crate) fn subscription(&self) -> Subscription {
        let handle = self.0.clone();
        Subscription::new(move || handle.close())
    }
}

/// Calls `reload` at every SIGHUP, on a thread of its own, until it is closed or
/// `reload` has nothing to ask any more.
pub(crate) fn on_hangup(
    reload: impl Fn() -> Option<Result<Outcome, DetectError>> + Send + 'static,
) -> io::Result<Hangup> {
    let mut signals = Signals::new([SIGHUP])?;
    let handle = signals.handle();
    let wait = move || {
        for _ in signals.forever() {
            let mut outcome = None;
            if CATCH(&mut || outcome = reload()).is_err() {
                logging::look_panicked();
                continue;
            }
            match outcome {
                Some(Ok(outcome)) => logging::hangup(is_good(&outcome), &format!("{outcome}")),
                Some(Err(error)) => logging::hangup(false, &format!("cannot read {error}")),
                None => return,
            }
        }
    };
    let named = thread::Builder::new().name("steadyconf-sighup".into());
    named.spawn(wait)?;
    Ok(Hangup(handle))
}

fn is_good(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Unchanged | Outcome::Applied(_))
}
