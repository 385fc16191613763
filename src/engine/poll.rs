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
use super::source::News;
use super::version::Version;

impl<T: 'static> Engine<T> {
    pub(crate) fn poll_watched(
        &mut self,
        detector: &mut dyn Detector,
        now: Duration,
        watch: &mut dyn Observer<T>,
    ) -> Result<Outcome, DetectError> {
        let (before, rolled_back) = self.begin_poll(now, watch);
        let mut result = self.ask(detector, watch);
        if let Some(names) = self.names.take() {
            // At once: there is nothing else to wait for.
            let _ = guarded(self.policy.catch, || detector.also_read(&names));
            result = self.ask(detector, watch);
            // It was asked once. What it does not read now, it may read later.
            self.names = None;
        }
        self.finish(&result, &before, watch);
        Ok(match (result?, rolled_back) {
            (newer @ (Outcome::Applied(_) | Outcome::RolledBack(_)), _) => newer,
            (_, Some(version)) => Outcome::RolledBack(version),
            (outcome, None) => outcome,
        })
    }

    /// Asks the detector, and takes in what it saw.
    fn ask(
        &mut self,
        detector: &mut dyn Detector,
        watch: &mut dyn Observer<T>,
    ) -> Result<Outcome, DetectError> {
        let now = self.now;
        let sighting = guarded(self.policy.catch, || detector.poll(now));
        let sighting = sighting.unwrap_or_else(|Panicked| {
            let kind = DetectErrorKind::Panicked;
            Err(DetectError::new(kind, "the source", PANICKED))
        });
        match sighting {
            Ok(sighting) => Ok(self.sighted(sighting, watch)),
            Err(error) => Err(self.unreadable(error, watch)),
        }
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
        if let News::Failed = self.source.health.fails(self.now, &error) {
            self.counts.source_errors = self.counts.source_errors.saturating_add(1);
            let event = Event::SourceFailed {
                keeping: self.version(),
                error: error.clone(),
            };
            self.raise(event, watch);
        }
        // What was asked for is over: it is not to be of what comes at some later time.
        self.ask_again &= self.source.seen.is_none();
        error
    }

    fn sighted(&mut self, sighting: Sighting, watch: &mut dyn Observer<T>) -> Outcome {
        if let Sighting::Settling { until } = sighting {
            if let News::StillChanging(lasted) = self.source.health.settles(self.now, until) {
                let keeping = self.version();
                self.raise(Event::StillChanging { keeping, lasted }, watch);
            }
            return Outcome::Settling { until };
        }
        if let News::Readable(error) = self.source.health.rests() {
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
