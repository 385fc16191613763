//! One step from a snapshot to the next, as listeners see it.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use super::diff::Diff;
use super::document::Document;
use super::snapshot::Snapshot;

/// A change: the snapshot that was active and the one that takes its place.
///
/// `Debug` leaves the values out: they may hold secrets.
#[non_exhaustive]
pub struct Change<T> {
    /// What was active before.
    pub old: Arc<Snapshot<T>>,
    /// The candidate (in `prepare`) or active (in `commit`).
    pub new: Arc<Snapshot<T>>,
}

impl<T> Change<T> {
    /// A change from `old` to `new`, for tests of listeners.
    #[must_use]
    pub const fn new(old: Arc<Snapshot<T>>, new: Arc<Snapshot<T>>) -> Self {
        Change { old, new }
    }
}

impl<T> Change<T> {
    /// Returns what changed, field by field, with secrets masked; see
    /// [`Engine::mask`](crate::engine::Engine::mask) for which fields are secret. Nothing is
    /// computed before it is asked for.
    #[must_use]
    pub fn diff(&self) -> Diff {
        Diff::new(self.old.lens(), self.new.lens())
    }

    /// Returns the names of the files that the configuration names (see
    /// [`Document::with_files`](crate::engine::Document::with_files)) and that were added, removed
    /// or changed: a certificate that was renewed changes no field.
    #[must_use]
    pub fn changed_files(&self) -> Vec<Arc<str>> {
        let (old, new) = (self.old.document(), self.new.document());
        let changed = new
            .files()
            .iter()
            .filter(|file| !old.files().contains(file));
        let has = |document: &Document, name: &str| {
            document.files().iter().any(|file| &**file.name() == name)
        };
        let gone = old.files().iter().filter(|file| !has(new, file.name()));
        changed
            .chain(gone)
            .map(|file| file.name().clone())
            .collect()
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
