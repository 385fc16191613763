//! Listeners that come and go while it runs. Who is called when is the engine's;
//! here is the queue in between, which has a lock of its own, so that it can be
//! used from any thread and from inside callbacks.

use core::fmt;

use super::std::mem;
use super::std::prelude::rust_2024::*;
use super::std::sync::Arc;
use super::sync::Mutex;
use crate::engine::listeners::ListenerId;
use crate::engine::observer::{Joining, Membership};
use crate::{Listener, Snapshot};

/// What was asked for since it was taken last.
pub(crate) struct Queue<T> {
    asked: Mutex<Asked<T>>,
}

struct Asked<T> {
    last: u64,
    asks: Vec<Membership<T>>,
}

impl<T> Queue<T> {
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
        asked.asks.push(Membership::Joins(Joining {
            id,
            name,
            listener,
            since,
        }));
        id
    }

    /// One that was not yet taken in leaves at once, the others before the next round.
    pub(crate) fn remove(&self, id: ListenerId) {
        let mut asked = self.asked.lock();
        let joins =
            |ask: &Membership<T>| matches!(ask, Membership::Joins(joining) if joining.id == id);
        let left = match asked.asks.iter().position(joins) {
            Some(at) => Some(asked.asks.remove(at)),
            None => {
                asked.asks.push(Membership::Leaves(id));
                None
            }
        };
        // Outside of the lock: a destructor is the user's code.
        drop(asked);
        drop(left);
    }

    /// Hands over what was asked for, between two rounds.
    pub(crate) fn take(&self) -> Vec<Membership<T>> {
        mem::take(&mut self.asked.lock().asks)
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
