//! The health check that a snapshot has to pass while it is on probation. How it stands
//! is kept with the active snapshot; what a failure leads to is `round.rs`'s.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use core::time::Duration;

use super::active::Standing;
use super::built::Built;
use super::catch::{Catch, PANICKED, guarded};
use super::listener::BoxError;
use super::snapshot::Snapshot;

type Check<T> = Box<dyn FnMut(&Snapshot<T>) -> Result<(), BoxError> + Send>;

/// How long a probation lasts, and what has to hold meanwhile.
pub(crate) struct Trial<T> {
    window: Duration,
    check: Check<T>,
}

impl<T: 'static> Trial<T> {
    pub(crate) fn new<E: Into<BoxError>>(
        window: Duration,
        mut check: impl FnMut(&Snapshot<T>) -> Result<(), E> + Send + 'static,
    ) -> Self {
        Trial {
            window,
            check: Box::new(move |snapshot| check(snapshot).map_err(Into::into)),
        }
    }

    /// The same check, for what is built from the configuration.
    pub(crate) fn of_config<S: 'static>(mut self) -> Trial<Built<T, S>> {
        Trial::new(self.window, move |whole: &Snapshot<Built<T, S>>| {
            (self.check)(&whole.part(whole.config.clone()))
        })
    }

    pub(crate) fn begins(&self, now: Duration) -> Standing {
        Standing::OnProbation {
            until: now.saturating_add(self.window),
        }
    }

    /// Calls the check and returns why it failed, if it did.
    pub(crate) fn failure(&mut self, catch: Catch, active: &Snapshot<T>) -> Option<Arc<str>> {
        let check = &mut self.check;
        let said = guarded(catch, || check(active).map_err(|error| error.to_string()));
        let said = said.unwrap_or_else(|_| Err(String::from(PANICKED)));
        said.err().map(Into::into)
    }
}
