//! Listeners that come and go while it runs. Who is called when is the engine's;
//! here is the queue in between, which has a lock of its own, so that it can be
//! used from any thread and from inside callbacks.

use core::fmt;

use super::std::mem;
use super::std::prelude::rust_2024::*;
use super::std::sync::Arc;
use super::sync::Mutex;
use crate::engine::listeners::ListenerId;
use crate::engine::{Engine, Listener, Snapshot};

enum Ask<T> {
    Add(Joining<T>),
    Remove(ListenerId),
}

struct Joining<T> {
    id: ListenerId,
    name: Arc<str>,
    listener: Box<dyn Listener<T>>,
    /// What was active when it was added.
    since: Arc<Snapshot<T>>,
}

/// What was asked for since the last look.
pub(crate) struct Queue<T> {
    asked: Mutex<Asked<T>>,
}

struct Asked<T> {
    last: u64,
    asks: Vec<Ask<T>>,
}

impl<T: 'static> Queue<T> {
    pub(crate) fn new() -> Self {
        Queue {
            asked: Mutex::new(Asked {
                last: ListenerId::FROM_THE_START.0,
                asks: Vec::new(),
            }),
        }
    }

    pub(crate) fn add(
        &self,
        name: Arc<str>,
        listener: Box<dyn Listener<T>>,
        since: Arc<Snapshot<T>>,
    ) -> ListenerId {
        let mut asked = self.asked.lock();
        asked.last += 1;
        let id = ListenerId(asked.last);
        asked.asks.push(Ask::Add(Joining {
            id,
            name,
            listener,
            since,
        }));
        id
    }

    /// One that was not yet taken in leaves at once, the others at the next look.
    pub(crate) fn remove(&self, id: ListenerId) {
        let mut asked = self.asked.lock();
        let joins = |ask: &Ask<T>| matches!(ask, Ask::Add(joining) if joining.id == id);
        let left = match asked.asks.iter().position(joins) {
            Some(at) => Some(asked.asks.remove(at)),
            None => {
                asked.asks.push(Ask::Remove(id));
                None
            }
        };
        // Outside of the lock: a destructor is the user's code.
        drop(asked);
        drop(left);
    }

    /// Does what was asked for, between two rounds.
    pub(crate) fn drain(&self, engine: &mut Engine<T>) {
        let asks = mem::take(&mut self.asked.lock().asks);
        for ask in asks {
            match ask {
                Ask::Add(Joining {
                    id,
                    name,
                    listener,
                    since,
                }) => engine.subscribe(id, name, listener, since),
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
