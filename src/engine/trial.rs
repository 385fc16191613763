//! Probation: what became active has to prove itself for a while. Asking and
//! remembering stand here; what a failure leads to is `engine.rs`'s.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use core::time::Duration;

use super::built::Built;
use super::catch::{Catch, PANICKED, guarded};
use super::error::RollbackError;
use super::history::Retry;
use super::listener::BoxError;
use super::snapshot::Snapshot;
use super::status::Probation;

type Check<T> = Box<dyn FnMut(&Snapshot<T>) -> Result<(), BoxError> + Send>;

/// The check that the application gave, and how the one who is on probation does.
pub(crate) struct Trial<T> {
    window: Duration,
    check: Check<T>,
    standing: Option<Probation>,
    /// A failure was told, and not yet its end.
    told: bool,
    /// When to try again to go back, where that did not work, and why not.
    put_off: Option<(Retry, RollbackError)>,
}

/// What came of asking.
pub(crate) enum Asked {
    /// Nothing new: nobody is on probation, or it goes on.
    Nothing,
    Passed,
    /// With the reason, if that is to be told: once, until it passes. The words of a
    /// check may count something.
    Failed(Option<Arc<str>>),
}

impl<T: 'static> Trial<T> {
    pub(crate) fn new<E: Into<BoxError>>(
        window: Duration,
        mut check: impl FnMut(&Snapshot<T>) -> Result<(), E> + Send + 'static,
    ) -> Self {
        Trial {
            window,
            check: Box::new(move |snapshot| check(snapshot).map_err(Into::into)),
            standing: None,
            told: false,
            put_off: None,
        }
    }

    /// The same check, for what is built from the configuration.
    pub(crate) fn of_config<S: 'static>(mut self) -> Trial<Built<T, S>> {
        Trial::new(self.window, move |whole: &Snapshot<Built<T, S>>| {
            (self.check)(&whole.part(whole.config.clone()))
        })
    }

    pub(crate) fn begin(&mut self, now: Duration) {
        self.end();
        self.standing = Some(Probation {
            until: now.saturating_add(self.window),
            failure: None,
        });
    }

    pub(crate) fn end(&mut self) {
        self.standing = None;
        self.told = false;
        self.put_off = None;
    }

    pub(crate) fn way_back(&self) -> Option<Retry> {
        self.put_off.as_ref().map(|(retry, _)| *retry)
    }

    /// There was no way back; says whether that is news.
    pub(crate) fn put_off(&mut self, retry: Retry, error: &RollbackError) -> bool {
        let last = self.put_off.replace((retry, error.clone()));
        last.is_none_or(|(_, last)| last != *error)
    }

    pub(crate) fn standing(&self) -> Option<&Probation> {
        self.standing.as_ref()
    }

    /// Asks whether all is well. It lasts until the window is over and the answer
    /// is yes.
    pub(crate) fn ask(&mut self, catch: Catch, active: &Snapshot<T>, now: Duration) -> Asked {
        let Some(standing) = &mut self.standing else {
            return Asked::Nothing;
        };
        let check = &mut self.check;
        let said = guarded(catch, || check(active).map_err(|error| error.to_string()));
        let Err(reason) = said.unwrap_or_else(|_| Err(String::from(PANICKED))) else {
            standing.failure = None;
            if now < standing.until {
                return Asked::Nothing;
            }
            self.end();
            return Asked::Passed;
        };
        let reason: Arc<str> = reason.into();
        standing.failure = Some(reason.clone());
        let told = core::mem::replace(&mut self.told, true);
        Asked::Failed((!told).then_some(reason))
    }
}
