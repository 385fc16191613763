//! What the host does while the engine works: it publishes, logs, measures, writes down
//! what an attempt did, and hands over the listeners that come and go.

use super::cell::Cell;
use super::logging::Log;
use super::receipts::Recorder;
use super::std::prelude::rust_2024::*;
use super::std::sync::Arc;
use super::subscriptions::Queue;
#[cfg(feature = "otel")]
use super::telemetry::Spans;
use crate::Snapshot;
use crate::engine::observer::{Membership, Observer, Step};
use crate::report::Event;

/// Watches one poll, one rollback, or one first load.
pub(super) struct Watch<'a, 'r, T> {
    /// Where readers look, and who joins and leaves; neither is there during the first
    /// load.
    running: Option<(&'a Cell<T>, &'a Queue<T>)>,
    /// How to log; `check` leaves the log alone.
    log: Option<Log>,
    pub(super) recorder: &'a mut Recorder<'r>,
    #[cfg(feature = "otel")]
    pub(super) spans: Spans,
}

impl<'a, 'r, T> Watch<'a, 'r, T> {
    pub(super) fn running(
        cell: &'a Cell<T>,
        subscriptions: &'a Queue<T>,
        log: Log,
        recorder: &'a mut Recorder<'r>,
    ) -> Self {
        Watch {
            running: Some((cell, subscriptions)),
            ..Watch::loading(Some(log), recorder)
        }
    }

    pub(super) fn loading(log: Option<Log>, recorder: &'a mut Recorder<'r>) -> Self {
        Watch {
            running: None,
            log,
            recorder,
            #[cfg(feature = "otel")]
            spans: Spans::default(),
        }
    }
}

impl<T: Send + Sync + 'static> Observer<T> for Watch<'_, '_, T> {
    fn step(&mut self, step: Step<'_>) {
        self.recorder.step(step);
        #[cfg(feature = "otel")]
        self.spans.step(step);
    }

    fn event(&mut self, event: &Event) {
        #[cfg(feature = "otel")]
        self.spans.event(event);
        self.recorder.event(event);
        let attempt = self.recorder.attempt();
        // Why a program does not start is the caller's to say, or what it starts from
        // says it.
        let refusal = matches!(event, Event::Rejected { .. } | Event::SourceFailed { .. });
        if let Some(log) = self.log.filter(|_| !(refusal && self.running.is_none())) {
            log.event(event, attempt);
        }
    }

    fn publish(&mut self, active: &Arc<Snapshot<T>>) {
        self.recorder.published(active);
        if let Some((cell, _)) = self.running {
            cell.publish(active.clone());
        }
    }

    fn members(&mut self) -> Vec<Membership<T>> {
        self.running
            .map_or(Vec::new(), |(_, subscriptions)| subscriptions.take())
    }
}
