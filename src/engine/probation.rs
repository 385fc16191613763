//! Probation: what happens at a poll while the active snapshot has to prove itself. How the
//! health check is called is in `trial.rs`; a rollback is in `round.rs`.

use alloc::sync::Arc;

use super::active::Standing;
use super::engine::Engine;
use super::error::RollbackError;
use super::event::Event;
use super::observer::Observer;
use super::version::Version;

impl<T: 'static> Engine<T> {
    /// Calls the health check of what is on probation, and goes back if it fails.
    /// Returns the version then.
    pub(super) fn ask_on_probation(&mut self, watch: &mut dyn Observer<T>) -> Option<Version> {
        let active = self.active.as_ref()?;
        let until = active.standing.until()?;
        let snapshot = active.accepted.snapshot.clone();
        let trial = self.policy.probation.as_mut()?;
        match trial.failure(self.policy.catch, &snapshot) {
            Some(reason) => self.probation_fails(reason, watch),
            None => {
                self.probation_holds(until, watch);
                None
            }
        }
    }

    fn probation_holds(&mut self, until: core::time::Duration, watch: &mut dyn Observer<T>) {
        let Some(active) = &mut self.active else {
            return;
        };
        if self.now < until {
            if let Standing::Shaken { failing, .. } = &mut active.standing {
                *failing = None;
            }
            return;
        }
        active.standing = Standing::Proven;
        let version = active.accepted.snapshot.version();
        // The same poll may take in something newer.
        self.note_proven();
        self.raise(Event::ProbationPassed { version }, watch);
    }

    fn probation_fails(
        &mut self,
        reason: Arc<str>,
        watch: &mut dyn Observer<T>,
    ) -> Option<Version> {
        let now = self.now;
        let active = self.active.as_mut()?;
        let version = active.accepted.snapshot.version();
        let way_back = match &mut active.standing {
            Standing::Proven => return None,
            // It was reported when it failed first: the words of a check may count something.
            Standing::Shaken {
                failing, put_off, ..
            } => {
                *failing = Some(reason);
                put_off.as_ref().map(|(retry, _)| retry.at)
            }
            Standing::OnProbation { until } => {
                active.standing = Standing::Shaken {
                    until: *until,
                    failing: Some(reason.clone()),
                    put_off: None,
                };
                self.raise(Event::ProbationFailed { version, reason }, watch);
                None
            }
        };
        if way_back.is_some_and(|at| at > now) {
            return None;
        }
        let target = self
            .newest_before(true)
            .or_else(|_| self.newest_before(false));
        match target.and_then(|target| self.roll_back_to(target, watch)) {
            Ok(version) => Some(version),
            Err(error) => {
                self.no_way_back(error, watch);
                None
            }
        }
    }

    /// What failed its probation stays, for now.
    fn no_way_back(&mut self, error: RollbackError, watch: &mut dyn Observer<T>) {
        let Some(active) = &mut self.active else {
            return;
        };
        let keeping = active.accepted.snapshot.version();
        let Standing::Shaken { put_off, .. } = &mut active.standing else {
            return;
        };
        let last = put_off.as_ref().map(|(retry, _)| *retry);
        let retry = self.policy.retry_later(last, self.now);
        let last = put_off.replace((retry, error.clone()));
        if last.is_none_or(|(_, last)| last != error) {
            self.raise(Event::RollbackFailed { keeping, error }, watch);
        }
    }
}
