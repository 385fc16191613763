//! What the host does while the engine works: it publishes, logs, measures, and hands
//! over the listeners that come and go.

use super::cell::Cell;
use super::logging;
use super::std::prelude::rust_2024::*;
use super::std::sync::Arc;
use super::subscriptions::Queue;
#[cfg(feature = "otel")]
use super::telemetry::Spans;
use crate::engine::observer::{Membership, Observer, Step};
use crate::engine::{Event, Snapshot};

/// Watches one poll, one rollback, or one first load.
pub(super) struct Watch<'a, T> {
    /// Where readers look, and who joins and leaves; neither is there during the first
    /// load.
    running: Option<(&'a Cell<T>, &'a Queue<T>)>,
    /// Whether anything is logged: `check` leaves the log alone.
    logs: bool,
    #[cfg(feature = "otel")]
    pub(super) spans: Spans,
}

impl<'a, T> Watch<'a, T> {
    pub(super) fn running(cell: &'a Cell<T>, subscriptions: &'a Queue<T>) -> Self {
        Watch {
            running: Some((cell, subscriptions)),
            ..Watch::loading(true)
        }
    }

    pub(super) fn loading(logs: bool) -> Self {
        Watch {
            running: None,
            logs,
            #[cfg(feature = "otel")]
            spans: Spans::default(),
        }
    }
}

impl<T: Send + Sync + 'static> Observer<T> for Watch<'_, T> {
    #[cfg(feature = "otel")]
    fn step(&mut self, step: Step) {
        self.spans.step(step);
    }

    #[cfg(not(feature = "otel"))]
    fn step(&mut self, _: Step) {}

    fn event(&mut self, event: &Event) {
        #[cfg(feature = "otel")]
        self.spans.event(event);
        // Why a program does not start is the caller's to say, or what it starts from
        // says it.
        let refusal = matches!(event, Event::Rejected { .. } | Event::SourceFailed { .. });
        if self.logs && !(refusal && self.running.is_none()) {
            logging::write(event);
        }
    }

    fn publish(&mut self, active: &Arc<Snapshot<T>>) {
        if let Some((cell, _)) = self.running {
            cell.publish(active.clone());
        }
    }

    fn members(&mut self) -> Vec<Membership<T>> {
        self.running
            .map_or(Vec::new(), |(_, subscriptions)| subscriptions.take())
    }
}
