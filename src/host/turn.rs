//! Whose turn it is: which thread polls, and who waits for that to end. So a callback
//! that would wait for itself, over however many reloaders, is found out and returns.

use core::time::Duration;

use super::std::prelude::rust_2024::*;
use super::std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use super::std::thread::{self, ThreadId};

/// Which thread is inside a poll of one reloader, and since when.
#[derive(Debug, Default)]
pub(super) struct Turn(Mutex<Option<(ThreadId, Duration)>>);

/// Which threads wait for whose turn to end, in the whole process.
static WAITING: Mutex<Vec<(ThreadId, Arc<Turn>)>> = Mutex::new(Vec::new());

/// Nothing panics under these locks; a poisoned one is as good.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Turn {
    /// Marks that the calling thread is inside a poll until what is returned is dropped,
    /// also by a panic.
    pub(super) fn enter(&self, now: Duration) -> Inside<'_> {
        *lock(&self.0) = Some((thread::current().id(), now));
        Inside(self)
    }

    fn holder(&self) -> Option<ThreadId> {
        lock(&self.0).map(|(thread, _)| thread)
    }

    /// Returns since when a poll is under way, if one is.
    pub(super) fn since(&self) -> Option<Duration> {
        lock(&self.0).map(|(_, since)| since)
    }

    /// Returns whether the caller is inside the poll, which means inside a callback.
    pub(super) fn is_mine(&self) -> bool {
        self.holder() == Some(thread::current().id())
    }
}

pub(super) struct Inside<'a>(&'a Turn);

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        *lock(&self.0.0) = None;
    }
}

/// While it lasts, the calling thread waits.
pub(super) struct Wait(ThreadId);

impl Wait {
    /// Begins to wait for the end of a poll. `None` if that poll, or one that it waits
    /// for, waits for the caller: then neither would ever end.
    pub(super) fn begin(turn: &Arc<Turn>) -> Option<Self> {
        let me = thread::current().id();
        let mut waiting = lock(&WAITING);
        let mut next = Some(turn);
        while let Some(turn) = next {
            let Some(holder) = turn.holder() else {
                break;
            };
            if holder == me {
                return None;
            }
            let waits = waiting.iter().find(|(thread, _)| *thread == holder);
            next = waits.map(|(_, turn)| turn);
        }
        waiting.push((me, turn.clone()));
        Some(Wait(me))
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        let mut waiting = lock(&WAITING);
        if let Some(at) = waiting.iter().position(|(thread, _)| *thread == self.0) {
            waiting.swap_remove(at);
        }
    }
}
