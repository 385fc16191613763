//! One step from a snapshot to the next, as listeners see it.

use alloc::sync::Arc;
use core::fmt;

use super::diff::Diff;
use super::snapshot::Snapshot;

/// A change: the snapshot that was active and the one that takes its place.
///
/// `Debug` leaves the values out: they may hold secrets.
#[non_exhaustive]
pub struct Change<T> {
    /// What was active before.
    pub old: Arc<Snapshot<T>>,
    /// What is offered (in `prepare`) or active (in `commit`).
    pub new: Arc<Snapshot<T>>,
}

impl<T> Change<T> {
    /// A change from `old` to `new`, for tests of listeners.
    pub const fn new(old: Arc<Snapshot<T>>, new: Arc<Snapshot<T>>) -> Self {
        Change { old, new }
    }
}

impl<T> Change<T> {
    /// Returns what changed, field by field, with secrets masked; see
    /// [`Engine::mask`](crate::Engine::mask) for which fields are secret. Nothing is
    /// computed before it is asked for.
    #[must_use]
    pub fn diff(&self) -> Diff {
        Diff::new(self.old.lens(), self.new.lens())
    }
}

impl<T> fmt::Debug for Change<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Change")
            .field("old", &self.old)
            .field("new", &self.new)
            .finish()
    }
}
