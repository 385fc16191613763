//! SIGHUP as "reload now", on a thread of its own, and a log line of what came of it.

use core::time::Duration;

use signal_hook::consts::SIGHUP;
use signal_hook::iterator::{Handle, Signals};

use super::CATCH;
use super::core::Shared;
use super::reloader::Reloader;
use super::std::fs;
use super::std::io;
use super::std::prelude::rust_2024::*;
use super::std::sync::Arc;
use super::std::thread;
use super::sync::Mutex;
use super::turn::{Turn, Wait};
use crate::engine::{Cause, Receipt, What};

/// So long a file may take to hold still.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// The thread that waits for the signal, if there is one.
#[derive(Default)]
pub(crate) struct Hangups {
    waiting: Mutex<Waiting>,
    /// Held while the action runs.
    calling: Mutex<()>,
    /// Which thread runs the action.
    turn: Arc<Turn>,
}

#[derive(Default)]
struct Waiting {
    last: u64,
    thread: Option<(u64, Handle)>,
    /// The owner is gone: no action begins any more.
    closed: bool,
}

impl Hangups {
    #[cfg(all(target_os = "linux", feature = "systemd"))]
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.lock().thread.is_none()
    }

    /// Ends one, and lets go of its descriptors.
    pub(super) fn end(&self, id: u64) {
        let mut waiting = self.waiting.lock();
        if let Some((_, handle)) = waiting.thread.take_if(|(one, _)| *one == id) {
            handle.close();
        }
    }
}

/// Begins to call `action` at every SIGHUP, in place of what was called before. Returns
/// the number to end it with.
pub(super) fn begin<T: Send + Sync + 'static>(
    shared: &Arc<Shared<T>>,
    action: impl FnMut(&Reloader<T>) -> Receipt + Send + 'static,
) -> io::Result<u64> {
    if is_blocked_everywhere() {
        let message = "every thread of this program blocks SIGHUP: it would never come";
        return Err(io::Error::other(message));
    }
    let handle = spawn(shared, action)?;
    let mut waiting = shared.hangups.waiting.lock();
    waiting.last += 1;
    let id = waiting.last;
    if let Some((_, before)) = waiting.thread.replace((id, handle)) {
        before.close();
    }
    Ok(id)
}

/// The owner is gone: waits for the action under way, unless that waits for the caller.
pub(super) fn end_all<T: Send + Sync + 'static>(shared: &Shared<T>) {
    let hangups = &shared.hangups;
    let mut waiting = hangups.waiting.lock();
    waiting.closed = true;
    if let Some((_, handle)) = waiting.thread.take() {
        handle.close();
    }
    drop(waiting);
    if shared.turn.is_mine() {
        return;
    }
    if let Some(_wait) = Wait::begin(&hangups.turn) {
        drop(hangups.calling.lock());
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

/// Waits for the signal on a thread of its own, until that is closed or the reloader is
/// gone. Weak, so that a signal that never comes keeps nothing alive.
fn spawn<T: Send + Sync + 'static>(
    shared: &Arc<Shared<T>>,
    mut action: impl FnMut(&Reloader<T>) -> Receipt + Send + 'static,
) -> io::Result<Handle> {
    let mut signals = Signals::new([SIGHUP])?;
    let handle = signals.handle();
    let weak = Arc::downgrade(shared);
    let wait = move || {
        for _ in signals.forever() {
            match weak.upgrade() {
                Some(shared) => hang_up(shared, &mut action),
                None => return,
            }
        }
    };
    let named = thread::Builder::new().name("steadyconf-sighup".into());
    named.spawn(wait)?;
    Ok(handle)
}

/// One signal: the action, and telling what came of it.
fn hang_up<T: Send + Sync + 'static>(
    shared: Arc<Shared<T>>,
    action: &mut impl FnMut(&Reloader<T>) -> Receipt,
) {
    let log = shared.log;
    let reloader = Reloader::lent(shared.clone(), Cause::Sighup);
    let hangups = &shared.hangups;
    let calling = hangups.calling.lock();
    if hangups.waiting.lock().closed {
        return;
    }
    let inside = hangups.turn.enter(shared.clock.now());
    #[cfg(all(target_os = "linux", feature = "systemd"))]
    shared.systemd.reload_begins();
    let mut receipt = None;
    let _ = CATCH(&mut || receipt = Some(action(&reloader)));
    drop(inside);
    drop(calling);
    match &receipt {
        Some(receipt) => {
            let (good, attempt) = (receipt.is_good(), Some(receipt.attempt));
            log.hangup(good, &What(&receipt.outcome), attempt);
        }
        None => log.hangup(false, &"the action panicked", None),
    }
    #[cfg(all(target_os = "linux", feature = "systemd"))]
    shared.systemd.reload_ends(receipt.as_ref());
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
