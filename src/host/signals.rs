//! SIGHUP as "reload now", and a log line of what came of it.

use core::time::Duration;

use signal_hook::consts::SIGHUP;
use signal_hook::iterator::{Handle, Signals};

use super::CATCH;
use super::logging;
use super::std::format;
use super::std::fs;
use super::std::io;
use super::std::prelude::rust_2024::*;
use super::std::thread;
use super::sync::Mutex;
use crate::engine::{DetectError, Outcome};

/// So long a file may take to hold still.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// The threads that wait for the signal, each with its number.
#[derive(Default)]
pub(crate) struct Hangups(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    last: u64,
    threads: Vec<(u64, Handle)>,
}

impl Hangups {
    /// Begins to call `reload` at every SIGHUP. Returns the number to end it with.
    pub(crate) fn begin(
        &self,
        reload: impl Fn() -> Option<Result<Outcome, DetectError>> + Send + 'static,
    ) -> io::Result<u64> {
        if is_blocked_everywhere() {
            let message = "every thread of this program blocks SIGHUP: it would never come";
            return Err(io::Error::other(message));
        }
        let handle = on_hangup(reload)?;
        let mut waiting = self.0.lock();
        waiting.last += 1;
        let id = waiting.last;
        waiting.threads.push((id, handle));
        Ok(id)
    }

    /// Ends one, and lets go of its descriptors.
    pub(crate) fn end(&self, id: u64) {
        self.0.lock().threads.retain(|(one, handle)| {
            if *one == id {
                handle.close();
            }
            *one != id
        });
    }

    pub(crate) fn end_all(&self) {
        self.0
            .lock()
            .threads
            .drain(..)
            .for_each(|(_, handle)| handle.close());
    }
}

/// Returns whether no thread can get the signal, as far as the system tells.
fn is_blocked_everywhere() -> bool {
    let Ok(tasks) = fs::read_dir("/proc/self/task") else {
        return false;
    };
    let mut statuses =
        tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("status")).ok());
    let first = statuses.next().is_some_and(|status| blocks_hangup(&status));
    first && statuses.all(|status| blocks_hangup(&status))
}

/// Returns whether a thread with this `/proc/…/status` blocks SIGHUP.
fn blocks_hangup(status: &str) -> bool {
    let blocked = status.lines().find_map(|line| line.strip_prefix("SigBlk:"));
    let mask = blocked.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & (1 << (SIGHUP - 1)) != 0)
}

/// Calls `reload` at every SIGHUP, on a thread of its own, until it is closed or
/// `reload` has nothing to ask any more.
fn on_hangup(
    reload: impl Fn() -> Option<Result<Outcome, DetectError>> + Send + 'static,
) -> io::Result<Handle> {
    let mut signals = Signals::new([SIGHUP])?;
    let handle = signals.handle();
    let wait = move || {
        for _ in signals.forever() {
            let mut outcome = None;
            if CATCH(&mut || outcome = reload()).is_err() {
                logging::poll_panicked();
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
    Ok(handle)
}

fn is_good(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Unchanged | Outcome::Applied(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_tells_whether_hangups_come() {
        assert!(blocks_hangup("Name:\tx\nSigBlk:\t0000000000000001\n"));
        assert!(!blocks_hangup("Name:\tx\nSigBlk:\t0000000000000002\n"));
        assert!(!blocks_hangup("nothing of it"));
    }
}
