//! One poll: what has come up since the last one, what the detector saw, and the
//! conclusions. What becomes of new content is in `judge.rs`.

use core::time::Duration;

use super::catch::{PANICKED, Panicked, guarded};
use super::condition::Condition;
use super::detector::{Detector, Sighting};
use super::engine::Engine;
use super::error::{DetectError, DetectErrorKind};
use super::event::Event;
use super::observer::Observer;
use super::outcome::Outcome;
use super::source::Turn;
use super::version::Version;

impl<T: 'static> Engine<T> {
    pub(crate) fn poll_watched(
        &mut self,
        detector: &mut dyn Detector,
        now: Duration,
        watch: &mut dyn Observer<T>,
    ) -> Result<Outcome, DetectError> {
        let (before, rolled_back) = self.begin_poll(now, watch);
        let now = self.now;
        let sighting = guarded(self.policy.catch, || detector.poll(now));
        let sighting = sighting.unwrap_or_else(|Panicked| {
            let kind = DetectErrorKind::Panicked;
            Err(DetectError::new(kind, "the source", PANICKED))
        });
        let result = match sighting {
            Ok(sighting) => Ok(self.sighted(sighting, watch)),
            Err(error) => Err(self.unreadable(error, watch)),
        };
        self.finish(&result, &before, watch);
        Ok(match (result?, rolled_back) {
            (newer @ (Outcome::Applied(_) | Outcome::RolledBack(_)), _) => newer,
            (_, Some(version)) => Outcome::RolledBack(version),
            (outcome, None) => outcome,
        })
    }

    /// Begins whatever changes the state. Returns whether a listener that joined late
    /// failed.
    pub(super) fn begin(&mut self, now: Duration, watch: &mut dyn Observer<T>) -> bool {
        self.now = self.now.max(now);
        self.events.clear();
        self.trim_history();
        self.attend(watch)
    }

    /// Begins a poll: with what has come up since the last one, which may lead to a
    /// rollback.
    fn begin_poll(
        &mut self,
        now: Duration,
        watch: &mut dyn Observer<T>,
    ) -> (Condition, Option<Version>) {
        let before = self.condition();
        let late_failure = self.begin(now, watch);
        self.polled = Some(self.now);
        let rolled_back = match late_failure {
            true => self.after_commit_errors(watch),
            false => None,
        };
        (before, rolled_back.or_else(|| self.ask_on_probation(watch)))
    }

    fn unreadable(&mut self, error: DetectError, watch: &mut dyn Observer<T>) -> DetectError {
        if let Turn::Failed = self.source.health.fails(self.now, &error) {
            let event = Event::SourceFailed {
                keeping: self.version(),
                error: error.clone(),
            };
            self.raise(event, watch);
        }
        error
    }

    fn sighted(&mut self, sighting: Sighting, watch: &mut dyn Observer<T>) -> Outcome {
        if let Sighting::Settling { until } = sighting {
            if let Turn::StillChanging(lasted) = self.source.health.settles(self.now, until) {
                let keeping = self.version();
                self.raise(Event::StillChanging { keeping, lasted }, watch);
            }
            return Outcome::Settling { until };
        }
        if let Turn::Readable(error) = self.source.health.rests() {
            self.raise(Event::SourceReadable { error }, watch);
        }
        let outcome = match sighting {
            Sighting::Changed(document) => self.offer(document, watch),
            _ => self.weigh(watch),
        };
        self.ask_again &= self.source.seen.is_none();
        outcome
    }
}
