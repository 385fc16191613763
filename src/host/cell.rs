//! How readers get in: the one cell that holds the active snapshot, and the
//! handles to it. What is put into it, and when, is the engine's.

use core::fmt;
use core::ops::Deref;

use super::std::prelude::rust_2024::*;
use super::std::sync::Arc;
use super::sync::RwLock;
use crate::engine::{BoxError, Change, Listener, Snapshot};

/// Holds the active snapshot. The lock is held for the copy of a pointer only;
/// no user code runs under it.
pub(crate) struct Cell<T> {
    active: RwLock<Arc<Snapshot<T>>>,
}

impl<T> Cell<T> {
    pub(crate) fn new(first: Arc<Snapshot<T>>) -> Self {
        Cell {
            active: RwLock::new(first),
        }
    }

    pub(crate) fn load(&self) -> Arc<Snapshot<T>> {
        self.active.read().clone()
    }

    fn publish(&self, new: Arc<Snapshot<T>>) {
        let old = core::mem::replace(&mut *self.active.write(), new);
        // Outside of the lock: it may be the last hold on the old value.
        drop(old);
    }
}

/// Listener 0: its commit is the swap.
pub(crate) struct Publisher<T>(pub(crate) Arc<Cell<T>>);

impl<T: Send + Sync> Listener<T> for Publisher<T> {
    fn commit(&mut self, change: &Change<T>) -> Result<(), BoxError> {
        self.0.publish(change.new.clone());
        Ok(())
    }
}

/// A way in for readers: cheap to clone, usable from any thread, valid for as
/// long as it is held, also after the `Reloader` was dropped.
pub struct Handle<T> {
    cell: Arc<Cell<T>>,
}

impl<T> Handle<T> {
    pub(crate) fn new(cell: Arc<Cell<T>>) -> Self {
        Handle { cell }
    }

    /// The active snapshot.
    ///
    /// Load once for a piece of work and use what you got until it is done:
    /// it does not change, whatever happens meanwhile. Two loads may give two
    /// versions. Never waits for a reload; takes well under a microsecond.
    #[must_use]
    pub fn load(&self) -> Loaded<T> {
        Loaded(self.cell.load())
    }
}

impl<T> Clone for Handle<T> {
    fn clone(&self) -> Self {
        Handle {
            cell: self.cell.clone(),
        }
    }
}

impl<T> fmt::Debug for Handle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Handle").field(&self.cell.load()).finish()
    }
}

/// A snapshot that somebody holds. It derefs to the [`Snapshot`], and that to
/// the value; it keeps both alive.
pub struct Loaded<T>(Arc<Snapshot<T>>);

impl<T> Deref for Loaded<T> {
    type Target = Snapshot<T>;

    fn deref(&self) -> &Snapshot<T> {
        &self.0
    }
}

impl<T> Clone for Loaded<T> {
    fn clone(&self) -> Self {
        Loaded(self.0.clone())
    }
}

impl<T> fmt::Debug for Loaded<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}
