//! Who watches the engine at work: whoever publishes, logs and measures. The engine
//! calls it in order, at the moment when something happens.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::event::Event;
use super::listener::Listener;
use super::listeners::ListenerId;
use super::receipt::Phase;
use super::snapshot::Snapshot;

/// A stretch of the way from a document to the active snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Section<'a> {
    /// All of it: a document is judged.
    Attempt,
    /// All of it: older content becomes active again. Within an attempt it is a part of
    /// that.
    Rollback,
    /// All of it: a start from the last known good.
    LastGood,
    Phase(Phase),
    /// A listener is called.
    Listener(&'a Arc<str>),
}

/// A section begins or ends. Sections nest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step<'a> {
    Begins(Section<'a>),
    Ends(Section<'a>),
}

/// A listener that joins or leaves between two rounds.
#[cfg_attr(
    not(feature = "std"),
    allow(dead_code, reason = "nobody subscribes then")
)]
pub(crate) enum Membership<T> {
    Joins(Joining<T>),
    Leaves(ListenerId),
}

pub(crate) struct Joining<T> {
    pub(crate) id: ListenerId,
    pub(crate) name: Arc<str>,
    pub(crate) listener: Box<dyn Listener<T>>,
    /// The snapshot that was active when it subscribed.
    pub(crate) since: Arc<Snapshot<T>>,
}

/// What the engine's surroundings do while it works. It must not panic.
pub(crate) trait Observer<T> {
    /// A section begins or ends.
    fn step(&mut self, step: Step<'_>) {
        let _ = step;
    }

    /// The state changed in a way that an operator wants to read of.
    fn event(&mut self, event: &Event) {
        let _ = event;
    }

    /// Makes this snapshot visible to readers.
    fn publish(&mut self, active: &Arc<Snapshot<T>>) {
        let _ = active;
    }

    /// Returns who joined and left since it was asked last.
    fn members(&mut self) -> Vec<Membership<T>> {
        Vec::new()
    }
}

/// Watches nothing: an engine alone has events to read, and no surroundings.
pub(crate) struct Nobody;

impl<T> Observer<T> for Nobody {}

/// Who hears of each step.
pub(crate) type OnStep<'a> = dyn FnMut(Step<'_>) + 'a;

/// Marks the beginning and the end of a section around `f`.
pub(crate) fn during<R>(
    on_step: &mut OnStep<'_>,
    section: Section<'_>,
    f: impl FnOnce(&mut OnStep<'_>) -> R,
) -> R {
    on_step(Step::Begins(section));
    let result = f(on_step);
    on_step(Step::Ends(section));
    result
}
