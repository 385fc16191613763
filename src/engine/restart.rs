//! Fields that take effect only when the program starts: which of them a change touches,
//! and what becomes of it then.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::catch::{Catch, guarded};

/// What to do with a change of a field that takes effect only at a start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnRestart {
    /// Reject the whole change; the active snapshot stays.
    Reject,
    /// Apply the change, and say that a restart is pending for the field.
    Apply,
}

/// A restart that the program waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PendingRestart {
    /// The fields that take effect only then, by their paths.
    pub fields: Arc<[Arc<str>]>,
    /// Whether what the source showed last is valid, so that a start from it would succeed:
    /// it is active, or rejected for no other reason than these fields. `None` while what is
    /// there has not been judged: it settles, or waits for its turn.
    pub would_start: Option<bool>,
}

type Differs<T> = Box<dyn Fn(&T, &T) -> bool + Send>;

struct Field<T> {
    path: Arc<str>,
    policy: OnRestart,
    differs: Differs<T>,
}

/// The fields that the application declared.
pub(crate) struct RestartOnly<T>(Vec<Field<T>>);

impl<T> RestartOnly<T> {
    pub(crate) const fn new() -> Self {
        RestartOnly(Vec::new())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn add(
        &mut self,
        path: Arc<str>,
        policy: OnRestart,
        differs: impl Fn(&T, &T) -> bool + Send + 'static,
    ) {
        let differs = Box::new(differs);
        self.0.push(Field {
            path,
            policy,
            differs,
        });
    }

    /// Returns the fields that differ. One that panics while it is compared may differ.
    pub(crate) fn changed(&self, catch: Catch, old: &T, new: &T) -> Vec<Arc<str>> {
        let all = self.0.iter();
        let changed = all.filter(|field| field.has_changed(catch, old, new));
        changed.map(|field| field.path.clone()).collect()
    }

    /// Returns those of them whose change is to be rejected.
    pub(crate) fn rejected(&self, catch: Catch, old: &T, new: &T) -> Vec<Arc<str>> {
        let strict = self.0.iter().filter(|one| one.policy == OnRestart::Reject);
        let changed = strict.filter(|field| field.has_changed(catch, old, new));
        changed.map(|field| field.path.clone()).collect()
    }
}

impl<T> Field<T> {
    fn has_changed(&self, catch: Catch, old: &T, new: &T) -> bool {
        guarded(catch, || (self.differs)(old, new)).unwrap_or(true)
    }
}
