//! Spans and metrics for OpenTelemetry's global providers: one span for each attempt
//! to take something in, with a child for each phase, and counters of what came of
//! them. A look that finds nothing leaves no trace.
//!
//! Spans are made where the work is done, and are current while it lasts, so that
//! those of a listener's own become their children.

use core::cell::RefCell;

use opentelemetry::metrics::{Counter, Gauge};
use opentelemetry::trace::{Status as SpanStatus, TraceContextExt, Tracer};
use opentelemetry::{Context, ContextGuard, KeyValue, global};

use super::std::prelude::rust_2024::*;
use super::std::sync::Arc;
use super::std::thread_local;
use crate::engine::{DetectError, Event, Outcome, Phase, Rejection, Status, Step};

/// As the recipe that this began with calls it.
const ATTEMPT: &str = "reloader.on_config_changed";
const NAME: &str = "steadyconf";

/// A span that is current while it lasts.
struct Current {
    context: Context,
    /// Gone before the span ends, so that what was current before is so again.
    guard: Option<ContextGuard>,
}

impl Current {
    fn begin(name: &'static str) -> Self {
        let span = global::tracer(NAME).start(name);
        let context = Context::current_with_span(span);
        let guard = Some(context.clone().attach());
        Current { context, guard }
    }
}

impl Drop for Current {
    fn drop(&mut self) {
        drop(self.guard.take());
        self.context.span().end();
    }
}

thread_local! {
    /// The spans that are open, for each look that is under way on this thread: a
    /// callback of one reloader may look by another.
    static LOOKS: RefCell<Vec<Vec<Current>>> = const { RefCell::new(Vec::new()) };
}

/// What the engine tells as it goes.
pub(crate) fn on_step(step: Step) {
    match step {
        Step::Begins(Phase::Attempt) => {
            let open = LOOKS.with_borrow(|looks| looks.last().is_some_and(|l| !l.is_empty()));
            if !open {
                push(ATTEMPT);
            }
        }
        // It ends when what came of it is known.
        Step::Ends(Phase::Attempt) => {}
        Step::Begins(phase) => push(name_of(phase)),
        Step::Ends(_) => drop(pop()),
    }
}

fn name_of(phase: Phase) -> &'static str {
    match phase {
        Phase::Attempt => ATTEMPT,
        Phase::Parse => "reloader.parse",
        Phase::Validate => "reloader.validate",
        Phase::Build => "reloader.build",
        Phase::Prepare => "reloader.prepare",
        Phase::Commit => "reloader.commit",
    }
}

// Nothing of the tracer's is called while the list is borrowed: it may call back.

fn push(name: &'static str) {
    let current = Current::begin(name);
    LOOKS.with_borrow_mut(|looks| {
        if let Some(look) = looks.last_mut() {
            look.push(current);
        }
    });
}

fn pop() -> Option<Current> {
    LOOKS.with_borrow_mut(|looks| looks.last_mut().and_then(Vec::pop))
}

/// One look, or one rollback. Whatever it ends in, its spans end with it.
pub(crate) struct Look(());

impl Look {
    pub(crate) fn begin() -> Self {
        LOOKS.with_borrow_mut(|looks| looks.push(Vec::new()));
        Look(())
    }
}

impl Drop for Look {
    fn drop(&mut self) {
        while let Some(current) = pop() {
            drop(current);
        }
        LOOKS.with_borrow_mut(Vec::pop);
    }
}

/// What is measured, of one reloader.
pub(crate) struct Telemetry {
    path: Arc<str>,
    attempts: Counter<u64>,
    version: Gauge<u64>,
    healthy: Gauge<u64>,
}

/// How an attempt ended.
struct End<'a> {
    outcome: &'static str,
    rejection: Option<&'a Rejection>,
    error: Option<String>,
}

impl Telemetry {
    pub(crate) fn new(path: Arc<str>) -> Self {
        let meter = global::meter(NAME);
        let attempts = meter.u64_counter("config.reload.attempts");
        let version = meter.u64_gauge("config.version");
        let healthy = meter.u64_gauge("config.healthy");
        Telemetry {
            path,
            attempts: attempts
                .with_description("Attempts to take in a configuration, by outcome and stage")
                .build(),
            version: version
                .with_description("The version that is active")
                .build(),
            healthy: healthy
                .with_description("1 if what is active is what the source shows")
                .build(),
        }
    }

    /// Ends the attempt of this look, if there was one, with what came of it.
    pub(crate) fn conclude(
        &self,
        result: &Result<Outcome, DetectError>,
        events: &[Event],
        status: &Status,
    ) {
        let open = LOOKS.with_borrow(|looks| {
            let attempt = looks.last().and_then(|look| look.first());
            attempt.map(|attempt| attempt.context.clone())
        });
        let failed = |event: &Event| {
            let last_good = matches!(event, Event::StartedFromLastGood { .. });
            last_good || matches!(event, Event::SourceFailed { .. })
        };
        let context = match open {
            Some(context) => context,
            // Told once, and so is its span.
            None if events.iter().any(failed) => {
                push(ATTEMPT);
                Context::current()
            }
            None => return,
        };
        let end = end_of(result);
        self.describe(&context, &end, events, status);
        self.count(&end, status);
    }

    fn describe(&self, context: &Context, end: &End<'_>, events: &[Event], status: &Status) {
        let span = context.span();
        span.set_attribute(KeyValue::new("config.path", self.path.clone()));
        span.set_attribute(KeyValue::new("config.outcome", end.outcome));
        let versions = events.iter().find_map(|event| match event {
            Event::Applied { from, to, .. } => Some((*from, *to)),
            _ => None,
        });
        let rolled_back = events.iter().rev().find_map(|event| match event {
            Event::RolledBack { from, to, .. } => Some((Some(*from), *to)),
            _ => None,
        });
        let (from, to) = match rolled_back.or(versions) {
            Some((from, to)) => (from, Some(to)),
            None => (status.version, None),
        };
        for (key, version) in [("config.version.from", from), ("config.version.to", to)] {
            if let Some(version) = version {
                span.set_attribute(KeyValue::new(key, number(version.get())));
            }
        }
        let digest = end.rejection.map(Rejection::digest).or(status.digest);
        if let Some(digest) = digest {
            span.set_attribute(KeyValue::new("config.digest", digest.to_string()));
        }
        if let Some(rejection) = end.rejection {
            let stage = rejection.stage().to_string();
            span.set_attribute(KeyValue::new("config.stage", stage));
        }
        let listeners = events.iter().filter_map(|event| match event {
            Event::ListenerFailed { error, .. } => Some(error.to_string()),
            _ => None,
        });
        for error in listeners.chain(end.error.clone()) {
            span.add_event(
                "exception",
                Vec::from([KeyValue::new("exception.message", error.clone())]),
            );
            span.set_status(SpanStatus::error(error));
        }
    }

    fn count(&self, end: &End<'_>, status: &Status) {
        let path = KeyValue::new("config.path", self.path.clone());
        let mut labels = Vec::from([path.clone(), KeyValue::new("config.outcome", end.outcome)]);
        if let Some(rejection) = end.rejection {
            let stage = rejection.stage().to_string();
            labels.push(KeyValue::new("config.stage", stage));
        }
        self.attempts.add(1, &labels);
        let path = [path];
        if let Some(version) = status.version {
            self.version.record(version.get(), &path);
        }
        self.healthy.record(u64::from(status.is_healthy()), &path);
    }
}

fn end_of(result: &Result<Outcome, DetectError>) -> End<'_> {
    let end = |outcome| End {
        outcome,
        rejection: None,
        error: None,
    };
    match result {
        Ok(Outcome::Applied(_)) => end("applied"),
        Ok(Outcome::RolledBack(_)) => end("rolled_back"),
        Ok(Outcome::Rejected(rejection) | Outcome::Vetoed { rejection, .. }) => End {
            rejection: Some(rejection),
            error: Some(rejection.to_string()),
            ..end("rejected")
        },
        // Other bytes for the value that is active.
        Ok(_) => end("unchanged"),
        Err(error) => End {
            error: Some(error.to_string()),
            ..end("source_error")
        },
    }
}

/// OpenTelemetry has no unsigned numbers in attributes.
fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
