//! The one place that names where locks come from, so that a model checker's can
//! take their place.

pub(crate) use parking_lot::{Condvar, Mutex, MutexGuard, RwLock};
