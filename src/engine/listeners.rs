//! One round of listeners: who is called, in what order, and what becomes of an
//! error or a panic. When there is a round is `round.rs`'s.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::catch::{Catch, PANICKED, Panicked, guarded};
use super::change::Change;
use super::error::ListenerError;
use super::listener::{BoxError, Listener};
use super::observer::{OnStep, Section, during};

/// Which listener, for those that come and go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    not(feature = "std"),
    allow(dead_code, reason = "nobody subscribes then")
)]
pub(crate) struct ListenerId(pub(crate) u64);

impl ListenerId {
    /// Of all those that were there before the start: they stay.
    pub(crate) const FROM_THE_START: ListenerId = ListenerId(0);
}

struct Registered<T> {
    id: ListenerId,
    name: Arc<str>,
    listener: Box<dyn Listener<T>>,
}

/// The listeners, in order of registration.
pub(crate) struct Listeners<T>(Vec<Registered<T>>);

impl<T> Listeners<T> {
    pub(crate) const fn new() -> Self {
        Listeners(Vec::new())
    }

    pub(crate) fn add(&mut self, id: ListenerId, name: Arc<str>, listener: Box<dyn Listener<T>>) {
        self.0.push(Registered { id, name, listener });
    }

    /// Adds one that was there before the start, and stays.
    pub(crate) fn register(&mut self, name: Arc<str>, listener: Box<dyn Listener<T>>) {
        self.add(ListenerId::FROM_THE_START, name, listener);
    }

    /// Every listener made into one of another kind of value.
    pub(crate) fn map<U>(
        self,
        f: impl Fn(Box<dyn Listener<T>>) -> Box<dyn Listener<U>>,
    ) -> Listeners<U> {
        let map = |one: Registered<T>| Registered {
            id: one.id,
            name: one.name,
            listener: f(one.listener),
        };
        Listeners(self.0.into_iter().map(map).collect())
    }

    #[must_use]
    pub(crate) fn remove(&mut self, id: ListenerId) -> Option<Box<dyn Listener<T>>> {
        let at = self.0.iter().position(|one| one.id == id)?;
        Some(self.0.remove(at).listener)
    }

    /// The first phase. On a veto those that were prepared before it abort, in reverse.
    pub(crate) fn prepare(
        &mut self,
        catch: Catch,
        change: &Change<T>,
        on_step: &mut OnStep<'_>,
    ) -> Result<(), ListenerError> {
        for index in 0..self.0.len() {
            let Registered { name, listener, .. } = &mut self.0[index];
            let called = during(on_step, Section::Listener(name), |_| {
                reason_of(catch, || listener.prepare(change))
            });
            let Err(reason) = called else {
                continue;
            };
            let veto = ListenerError::new(name.clone(), reason);
            for earlier in self.0[..index].iter_mut().rev() {
                // There is nothing to be done about a panic here: the change
                // does not happen either way.
                let _ = during(on_step, Section::Listener(&earlier.name), |_| {
                    guarded(catch, || earlier.listener.abort(change))
                });
            }
            return Err(veto);
        }
        Ok(())
    }

    /// The second phase: everyone is notified, whatever the others say.
    pub(crate) fn commit(
        &mut self,
        catch: Catch,
        change: &Change<T>,
        on_step: &mut OnStep<'_>,
    ) -> Vec<ListenerError> {
        let mut errors = Vec::new();
        for Registered { name, listener, .. } in &mut self.0 {
            errors.extend(commit_one(catch, name, &mut **listener, change, on_step));
        }
        errors
    }
}

/// Notifies one listener, and returns why it failed, if it did.
pub(crate) fn commit_one<T>(
    catch: Catch,
    name: &Arc<str>,
    listener: &mut dyn Listener<T>,
    change: &Change<T>,
    on_step: &mut OnStep<'_>,
) -> Option<ListenerError> {
    let called = during(on_step, Section::Listener(name), |_| {
        reason_of(catch, || listener.commit(change))
    });
    let reason = called.err()?;
    Some(ListenerError::new(name.clone(), reason))
}

/// Calls a listener and says why it failed, if it did. Its error becomes text
/// inside of the guard: that is the user's code, too.
fn reason_of(catch: Catch, call: impl FnOnce() -> Result<(), BoxError>) -> Result<(), String> {
    let called = guarded(catch, || call().map_err(|error| error.to_string()));
    called.unwrap_or_else(|Panicked| Err(String::from(PANICKED)))
}
