//! Whose turn it is: which thread polls, and who waits for that to end. So a callback
//! that would wait for itself, over however many reloaders, is found out and returns.

use core::ptr;
use core::time::Duration;

use super::std::prelude::rust_2024::*;
use super::std::sync::atomic::{AtomicUsize, Ordering};
use super::std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use super::std::thread_local;

/// Which thread is inside a poll of one reloader, and since when.
#[derive(Debug, Default)]
pub(super) struct Turn {
    /// 0: none is.
    holder: AtomicUsize,
    /// When the last poll began.
    began: Mutex<Duration>,
}

/// Which threads wait for whose turn to end, in the whole process.
static WAITING: Mutex<Vec<(usize, Arc<Turn>)>> = Mutex::new(Vec::new());

/// Returns what no other thread has that lives now: where its own byte is. To ask the
/// standard library for an identity costs more than the rest of a turn.
fn me() -> usize {
    thread_local!(static ME: u8 = const { 0 });
    ME.with(|me| ptr::from_ref(me).addr())
}

/// Nothing panics under these locks; a poisoned one is as good.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Turn {
    /// Marks that the calling thread is inside a poll until what is returned is dropped,
    /// also by a panic.
    pub(super) fn enter(&self, now: Duration) -> Inside<'_> {
        *lock(&self.began) = now;
        self.holder.store(me(), Ordering::Release);
        Inside(self)
    }

    fn holder(&self) -> Option<usize> {
        Some(self.holder.load(Ordering::Acquire)).filter(|thread| *thread != 0)
    }

    /// Returns since when a poll is under way, if one is.
    pub(super) fn since(&self) -> Option<Duration> {
        self.holder().map(|_| *lock(&self.began))
    }

    /// Returns whether the caller is inside the poll, which means inside a callback.
    pub(super) fn is_mine(&self) -> bool {
        self.holder() == Some(me())
    }
}

pub(super) struct Inside<'a>(&'a Turn);

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.holder.store(0, Ordering::Release);
    }
}

/// While it lasts, the calling thread waits.
pub(super) struct Wait(usize);

impl Wait {
    /// Begins to wait for the end of a poll. `None` if that poll, or one that it waits
    /// for, waits for the caller: then neither would ever end.
    pub(super) fn begin(turn: &Arc<Turn>) -> Option<Self> {
        let me = me();
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
