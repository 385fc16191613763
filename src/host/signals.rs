//! SIGHUP as "reload now", on a thread of its own, and a log line with the outcome.

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
use super::std::sync::mpsc::{self, TrySendError};
use super::std::thread;
use super::sync::Mutex;
use super::turn::{Turn, Wait};
use crate::Receipt;
use crate::engine::What;
use crate::report::Cause;

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
    current: Option<Current>,
    /// The owner is gone: no action begins any more.
    closed: bool,
}

struct Current {
    id: u64,
    handle: Handle,
    /// It was not the program that asked for it, but what it says to systemd.
    #[cfg_attr(
        not(all(target_os = "linux", feature = "systemd")),
        allow(dead_code, reason = "nobody else has a default")
    )]
    is_default: bool,
}

impl Hangups {
    /// Returns whether the program has an action of its own.
    #[cfg(all(target_os = "linux", feature = "systemd"))]
    pub(super) fn are_taken(&self) -> bool {
        let waiting = self.waiting.lock();
        waiting.current.as_ref().is_some_and(|one| !one.is_default)
    }

    /// Ends one, and lets go of its descriptors.
    pub(super) fn end(&self, id: u64) {
        let mut waiting = self.waiting.lock();
        if let Some(current) = waiting.current.take_if(|one| one.id == id) {
            current.handle.close();
        }
    }

    /// Returns whether this one may be called.
    fn may_call(&self, id: u64) -> bool {
        let waiting = self.waiting.lock();
        !waiting.closed && waiting.current.as_ref().is_some_and(|one| one.id == id)
    }
}

/// Begins to call `action` at every SIGHUP, in place of what was called before. Returns
/// the number to end it with.
pub(super) fn begin<T: Send + Sync + 'static>(
    shared: &Arc<Shared<T>>,
    action: impl FnMut(&Reloader<T>) -> Option<Receipt> + Send + 'static,
    is_default: bool,
) -> io::Result<u64> {
    if is_blocked_everywhere() {
        let message = "every thread of this program blocks SIGHUP: it would never come";
        return Err(io::Error::other(message));
    }
    let id = {
        let mut waiting = shared.hangups.waiting.lock();
        waiting.last += 1;
        waiting.last
    };
    let handle = spawn(shared, id, action)?;
    let mut waiting = shared.hangups.waiting.lock();
    let current = Current {
        id,
        handle,
        is_default,
    };
    if let Some(before) = waiting.current.replace(current) {
        before.handle.close();
    }
    Ok(id)
}

/// The owner is gone: waits for the action under way, unless that waits for the caller.
pub(super) fn end_all<T: Send + Sync + 'static>(shared: &Shared<T>) {
    let hangups = &shared.hangups;
    let mut waiting = hangups.waiting.lock();
    waiting.closed = true;
    if let Some(current) = waiting.current.take() {
        current.handle.close();
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

/// Waits for the signal on a thread of its own, and acts on another, so that a signal is
/// heard while the action for one before still runs. Both end when they are closed or the
/// reloader is gone. Weak, so that a signal that never comes keeps nothing alive.
fn spawn<T: Send + Sync + 'static>(
    shared: &Arc<Shared<T>>,
    id: u64,
    mut action: impl FnMut(&Reloader<T>) -> Option<Receipt> + Send + 'static,
) -> io::Result<Handle> {
    let mut signals = Signals::new([SIGHUP])?;
    let handle = signals.handle();
    // One that waits is enough: it begins after all signals that came before it.
    let (calls, called) = mpsc::sync_channel(1);
    let (hears, acts) = (Arc::downgrade(shared), Arc::downgrade(shared));
    let named = |name: &str| thread::Builder::new().name(name.into());
    named("steadyconf-reload").spawn(move || {
        for () in called {
            match acts.upgrade() {
                Some(shared) => act(shared, id, &mut action),
                None => return,
            }
        }
    })?;
    named("steadyconf-sighup").spawn(move || {
        for _ in signals.forever() {
            let Some(shared) = hears.upgrade() else {
                return;
            };
            #[cfg(all(target_os = "linux", feature = "systemd"))]
            if shared.hangups.may_call(id) {
                shared.systemd.signalled();
            }
            drop(shared);
            if let Err(TrySendError::Disconnected(())) = calls.try_send(()) {
                return;
            }
        }
    })?;
    Ok(handle)
}

/// Calls the action once, and reports the outcome.
fn act<T: Send + Sync + 'static>(
    shared: Arc<Shared<T>>,
    id: u64,
    action: &mut impl FnMut(&Reloader<T>) -> Option<Receipt>,
) {
    let reloader = Reloader::lent(shared.clone(), Cause::Sighup);
    let calling = shared.hangups.calling.lock();
    if !shared.hangups.may_call(id) {
        return;
    }
    let inside = shared.hangups.turn.enter(shared.clock.now());
    #[cfg(all(target_os = "linux", feature = "systemd"))]
    let answer = shared.systemd.action_begins();
    let mut receipt = None;
    let acted = CATCH(&mut || receipt = action(&reloader));
    match (&receipt, acted) {
        (Some(receipt), _) => {
            let (good, attempt) = (receipt.is_good(), Some(receipt.attempt));
            shared.log.hangup(good, &What(receipt), attempt);
        }
        (None, Ok(())) => {}
        (None, Err(_)) => shared.log.hangup(false, &"the action panicked", None),
    }
    #[cfg(all(target_os = "linux", feature = "systemd"))]
    answer.into_iter().for_each(super::systemd::Answer::give);
    drop(inside);
    drop(calling);
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
