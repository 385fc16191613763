//! What follows from the state: the status, what is wrong now, and which of it ended with
//! a poll.

use alloc::sync::Arc;

use super::active::Accepted;
use super::engine::Engine;
use super::error::{DetectError, Rejection};
use super::event::Event;
use super::history::Worth;
use super::observer::Observer;
use super::outcome::Outcome;
use super::restart::PendingRestart;
use super::source::{Health, Verdict};
use super::status::{Failure, LastError, Probation, Status};
use super::version::Version;

impl<T: 'static> Engine<T> {
    /// Draws the conclusions of a poll: what ended, and how many failed.
    pub(super) fn finish(
        &mut self,
        result: &Result<Outcome, DetectError>,
        before: &Condition,
        watch: &mut dyn Observer<T>,
    ) {
        let failed = match (&self.source.health, &self.source.seen) {
            (Health::Unreadable { .. }, _) => Some(true),
            (Health::Settling { unreadable, .. }, _) => {
                let fails = unreadable.is_some() || self.source.health.is_still_changing();
                fails.then_some(true)
            }
            // What it shows, if anything, has never been seen.
            (Health::Steady, None) => None,
            (Health::Steady, Some(_)) => Some(self.source.known_rejected().is_some()),
        };
        match failed {
            Some(true) => self.failures = self.failures.saturating_add(1),
            Some(false) => self.failures = 0,
            None => {}
        }
        if result.is_ok() && self.source.is_current() && self.is_steady() {
            self.succeeded = Some(self.now);
        }
        self.note_proven();
        self.tell_what_ended(before, watch);
    }

    fn is_steady(&self) -> bool {
        matches!(self.source.health, Health::Steady)
    }

    /// Compares the state with the one before the poll, and reports the end of what was
    /// wrong, where nothing else has reported it.
    fn tell_what_ended(&mut self, before: &Condition, watch: &mut dyn Observer<T>) {
        if !before.is_wrong() || !self.is_steady() {
            return;
        }
        let after = self.condition();
        if after.version != before.version {
            return;
        }
        if !after.is_wrong() {
            if let Some(active) = &self.active {
                let version = active.accepted.snapshot.version();
                let digest = active.accepted.digest();
                self.raise(Event::Recovered { version, digest }, watch);
            }
            return;
        }
        let verdict_is_news = match (&before.rejection, &after.rejection) {
            (Some(before), Some(after)) => !Arc::ptr_eq(before, after),
            (before, after) => before.is_some() != after.is_some(),
        };
        if before.still_changing && !verdict_is_news {
            let keeping = after.version;
            self.raise(Event::HoldsStill { keeping }, watch);
        }
    }

    pub(super) fn condition(&self) -> Condition {
        Condition {
            version: self.version(),
            from_last_good: self
                .active
                .as_ref()
                .is_some_and(|a| a.accepted.from_last_good),
            still_changing: self.source.health.is_still_changing(),
            rejection: self
                .source
                .known_rejected()
                .map(|rejected| rejected.rejection.clone()),
            quarantined: self.source.quarantined().is_some(),
        }
    }

    /// The active snapshot may be worth going back to at the next start.
    pub(super) fn note_proven(&mut self) {
        let Some(active) = &self.active else {
            return;
        };
        let document = active.accepted.snapshot.document();
        if active.worth(self.policy.on_commit_error) == Worth::Good
            && self.proven.as_ref() != Some(document)
        {
            self.proven = Some(document.clone());
        }
    }

    /// Writes the present state over an older one. What has not changed is not touched: an
    /// idle poll must cost little.
    pub(crate) fn write_status(&self, status: &mut Status) {
        let active = self.active.as_ref();
        self.write_active(status);
        status.version = self.version();
        status.applied_at = active.map(|active| active.since);
        status.last_poll = self.polled;
        status.last_success = self.succeeded;
        status.last_error = self.last_error();
        // An error that is over ends the row of failures, whoever ended it.
        status.consecutive_failures = status.last_error.as_ref().map_or(0, |_| self.failures);
        status.reloads = self.counts.reloads;
        status.rejections = self.counts.rejections.iter().sum();
        status.rejections_by_stage = self.counts.rejections;
        status.source_errors = self.counts.source_errors;
        let due = self.source.turn().map(|turn| turn.due);
        status.staggered_until = due.filter(|until| *until > self.now);
        status.rollbacks = self.counts.rollbacks;
        status.quarantined = self.source.quarantined().map(|q| q.bytes.digest);
        status.source_differs = self.source_differs();
        status.settling_since = match &self.source.health {
            Health::Settling { restless, .. } => Some(restless.since),
            _ => None,
        };
        status.next_poll = self.next_poll();
        status.pending_restart = self.pending_restart();
    }

    /// Returns the restart that the program waits for: for what is rejected, or else for
    /// the active snapshot.
    fn pending_restart(&self) -> Option<PendingRestart> {
        let rejected = self.source.known_rejected();
        let rejected = rejected.map(|rejected| &rejected.restart);
        let active = self.active.as_ref().map(|active| &active.restart);
        let pending = |fields: &&Arc<[Arc<str>]>| !fields.is_empty();
        let fields = rejected.filter(pending).or(active.filter(pending))?.clone();
        let verdict = self.source.seen.as_ref().map(|seen| &seen.verdict);
        let would_start = match (&self.source.health, verdict) {
            (Health::Unreadable { .. }, _) => Some(false),
            (Health::Settling { .. }, _) | (_, None | Some(Verdict::New { .. })) => None,
            (_, Some(Verdict::Current | Verdict::Quarantined(_))) => Some(true),
            (_, Some(Verdict::Rejected(rejected))) => Some(!rejected.restart.is_empty()),
        };
        Some(PendingRestart {
            fields,
            would_start,
        })
    }

    fn write_active(&self, status: &mut Status) {
        let Some(active) = &self.active else {
            // There was none before, either: a snapshot is only ever replaced.
            return;
        };
        let Accepted {
            snapshot,
            from_last_good,
            ..
        } = &active.accepted;
        status.digest = Some(active.accepted.digest());
        share(&mut status.origins, snapshot.origins());
        share(&mut status.listener_errors, &active.listener_errors);
        share(&mut status.warnings, active.accepted.warnings());
        status.from_last_good = *from_last_good;
        status.probation = active.standing.until().map(|until| Probation {
            until,
            failure: active.standing.failing().cloned(),
        });
    }

    pub(super) fn source_differs(&self) -> bool {
        let moves = self.source.health.restless().is_some();
        let differs = match &self.source.seen {
            Some(_) => !self.source.is_current(),
            None => self
                .active
                .as_ref()
                .is_some_and(|a| a.accepted.from_last_good),
        };
        moves || differs
    }

    pub(super) fn last_error(&self) -> Option<LastError> {
        let unreadable = match &self.source.health {
            Health::Unreadable { unreadable, .. } => Some(unreadable),
            Health::Settling { restless, .. } if restless.is_failure() => {
                let (failure, since) = (Failure::StillChanging, restless.since);
                return Some(LastError { failure, since });
            }
            Health::Settling { unreadable, .. } => unreadable.as_ref(),
            Health::Steady => None,
        };
        if let Some(unreadable) = unreadable {
            let failure = Failure::Source(unreadable.error.clone());
            let since = unreadable.since;
            return Some(LastError { failure, since });
        }
        self.source.known_rejected().map(|rejected| LastError {
            failure: Failure::Rejected(rejected.rejection.clone()),
            since: rejected.since,
        })
    }
}

/// What may be wrong for longer than one poll, other than that the source cannot be
/// read: the end of that is reported at once.
pub(super) struct Condition {
    version: Option<Version>,
    from_last_good: bool,
    still_changing: bool,
    rejection: Option<Arc<Rejection>>,
    quarantined: bool,
}

impl Condition {
    fn is_wrong(&self) -> bool {
        self.from_last_good || self.still_changing || self.rejection.is_some() || self.quarantined
    }
}

/// Shares what another holds, unless it does already.
fn share<X: ?Sized>(mine: &mut Arc<X>, other: &Arc<X>) {
    if !Arc::ptr_eq(mine, other) {
        *mine = other.clone();
    }
}
