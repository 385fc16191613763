//! Listeners that come and go while it runs. Who is called when is the engine's;
//! here is the queue in between, which has a lock of its own, so that it can be
//! used from any thread and from inside callbacks.

use core::fmt;

use super::std::mem;
use super::std::prelude::rust_2024::*;
use super::std::sync::Arc;
use super::sync::Mutex;
use crate::engine::listeners::ListenerId;
use crate::engine::{Engine, Listener};

enum Ask<T> {
    Add(ListenerId, Arc<str>, Box<dyn Listener<T>>),
    Remove(ListenerId),
}

/// What was asked for since the last round.
pub(crate) struct Queue<T> {
    asked: Mutex<(u64, Vec<Ask<T>>)>,
}

impl<T: 'static> Queue<T> {
    pub(crate) fn new() -> Self {
        Queue {
            asked: Mutex::new((ListenerId::FROM_THE_START.0, Vec::new())),
        }
    }

    pub(crate) fn add(&self, name: Arc<str>, listener: Box<dyn Listener<T>>) -> ListenerId {
        let mut asked = self.asked.lock();
        asked.0 += 1;
        let id = ListenerId(asked.0);
        asked.1.push(Ask::Add(id, name, listener));
        id
    }

    pub(crate) fn remove(&self, id: ListenerId) {
        self.asked.lock().1.push(Ask::Remove(id));
    }

    /// Does what was asked for, between two rounds.
    pub(crate) fn drain(&self, engine: &mut Engine<T>) {
        let asked = mem::take(&mut self.asked.lock().1);
        for ask in asked {
            match ask {
                Ask::Add(id, name, listener) => engine.subscribe(id, name, listener),
                Ask::Remove(id) => engine.unsubscribe(id),
            }
        }
    }
}

/// Keeps a listener subscribed; dropping it unsubscribes.
///
/// A round that is under way at that moment goes on with the listener: who was
/// prepared gets a commit or an abort. The next round does without it.
#[must_use = "dropping it unsubscribes"]
pub struct Subscription {
    end: Option<Box<dyn FnOnce() + Send + Sync>>,
}

impl Subscription {
    pub(crate) fn new(end: impl FnOnce() + Send + Sync + 'static) -> Self {
        Subscription {
            end: Some(Box::new(end)),
        }
    }

    /// Leaves the listener subscribed for as long as the `Reloader` lives.
    pub fn forever(mut self) {
        self.end = None;
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        if let Some(end) = self.end.take() {
            end();
        }
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Subscription")
    }
}
