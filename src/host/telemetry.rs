//! Spans and metrics for OpenTelemetry's global providers: one span for each attempt
//! to take something in, with a child for each phase, and counters of the outcomes of
//! them. A poll that finds nothing leaves no trace.
//!
//! Spans are made where the work is done, and are current while it lasts, so that
//! those of a listener's own become their children.

use opentelemetry::metrics::{Counter, Gauge};
use opentelemetry::trace::{Status as SpanStatus, TraceContextExt, Tracer};
use opentelemetry::{Context, ContextGuard, KeyValue, global};

use super::CATCH;
use super::std::prelude::rust_2024::*;
use super::std::sync::Arc;
use crate::engine::Digest;
use crate::engine::observer::{Section, Step};
use crate::report::{DetectError, Event, Phase, Rejection};
use crate::{Outcome, Status, Version};

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

/// What is open, what ended, and what was told, in one poll, one rollback or one first
/// load. Whatever it ends in, its spans end with it.
#[derive(Default)]
pub(crate) struct Spans {
    /// From the outermost; `None` where a provider panicked.
    open: Vec<Option<Current>>,
    /// Attempts that ended; their outcome is not known yet.
    ended: Vec<(Whole, Option<Current>)>,
    events: Vec<Event>,
}

impl Spans {
    /// A section begins or ends. A provider is not ours: one that panics costs its span.
    pub(crate) fn step(&mut self, step: Step<'_>) {
        match step {
            Step::Begins(Section::Listener(_)) | Step::Ends(Section::Listener(_)) => {}
            Step::Begins(Section::Phase(phase)) => {
                // A listener that joined late is no attempt of its own.
                let is_part = !self.open.is_empty();
                let span = is_part.then(|| begin(name_of(phase))).flatten();
                self.open.push(span);
            }
            Step::Begins(_) => self.open.push(begin(ATTEMPT)),
            Step::Ends(section) => self.end(Whole::of(section)),
        }
    }

    pub(crate) fn event(&mut self, event: &Event) {
        if let Event::StartedFromLastGood { .. } = event {
            // It says itself what is wrong with the source.
            self.events.clear();
        }
        self.events.push(event.clone());
    }

    fn end(&mut self, whole: Option<Whole>) {
        let Some(mut current) = self.open.pop().flatten() else {
            return;
        };
        let Some(whole) = whole.filter(|_| self.open.is_empty()) else {
            return close(Some(current));
        };
        // It ends when its outcome is known; until then it is not current any more.
        let _ = CATCH(&mut || drop(current.guard.take()));
        self.ended.push((whole, Some(current)));
    }
}

impl Drop for Spans {
    fn drop(&mut self) {
        self.open.drain(..).rev().for_each(close);
        self.ended.drain(..).for_each(|(_, current)| close(current));
    }
}

fn begin(name: &'static str) -> Option<Current> {
    let mut current = None;
    let _ = CATCH(&mut || current = Some(Current::begin(name)));
    current
}

/// What a span is of that stands for itself.
#[derive(Clone, Copy)]
enum Whole {
    Attempt,
    Rollback,
    LastGood,
}

impl Whole {
    fn of(section: Section<'_>) -> Option<Self> {
        match section {
            Section::Attempt => Some(Whole::Attempt),
            Section::Rollback => Some(Whole::Rollback),
            Section::LastGood => Some(Whole::LastGood),
            Section::Phase(_) | Section::Listener(_) => None,
        }
    }
}

fn name_of(phase: Phase) -> &'static str {
    match phase {
        Phase::Parse => "reloader.parse",
        Phase::Validate => "reloader.validate",
        Phase::Build => "reloader.build",
        Phase::Prepare => "reloader.prepare",
        Phase::Commit => "reloader.commit",
    }
}

fn close(mut current: Option<Current>) {
    let _ = CATCH(&mut || drop(current.take()));
}

/// What is measured, of one reloader.
pub(crate) struct Telemetry {
    path: Arc<str>,
    attempts: Counter<u64>,
    version: Gauge<u64>,
    healthy: Gauge<u64>,
    /// What the gauges show.
    shown: Option<(Option<Version>, bool)>,
}

/// How an attempt ended.
#[derive(Default)]
struct End {
    outcome: &'static str,
    from: Option<Version>,
    to: Option<Version>,
    digest: Option<Digest>,
    stage: Option<String>,
    errors: Vec<String>,
}

impl Telemetry {
    /// The instruments are those of the provider that is there now.
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
                .with_description("1 if the active snapshot is what the source shows")
                .build(),
            shown: None,
        }
    }

    /// Ends the attempts of this poll with their outcome, and moves the gauges.
    pub(crate) fn conclude(
        &mut self,
        spans: &mut Spans,
        result: &Result<Outcome, DetectError>,
        status: &Status,
        attempt: u64,
    ) {
        let attempts = core::mem::take(&mut spans.ended);
        let events = &spans.events;
        for (whole, current) in attempts {
            let end = end_of(whole, result, events, status);
            self.tell(current, &end, attempt);
        }
        // Told once, and so is its span.
        let failed = events.iter().find_map(|event| match event {
            Event::SourceFailed { keeping, error } => Some((*keeping, error.to_string())),
            _ => None,
        });
        if let Some((from, error)) = failed {
            let end = End {
                outcome: "source_error",
                from,
                digest: status.digest,
                errors: Vec::from([error]),
                ..End::default()
            };
            self.tell(begin(ATTEMPT), &end, attempt);
        }
        self.show(status);
    }

    fn tell(&self, current: Option<Current>, end: &End, attempt: u64) {
        if let Some(current) = &current {
            let _ = CATCH(&mut || self.describe(&current.context, end, attempt));
        }
        close(current);
        let mut labels = Vec::from([
            KeyValue::new("config.path", self.path.clone()),
            KeyValue::new("config.outcome", end.outcome),
        ]);
        labels.extend(
            end.stage
                .clone()
                .map(|stage| KeyValue::new("config.stage", stage)),
        );
        self.attempts.add(1, &labels);
    }

    fn describe(&self, context: &Context, end: &End, attempt: u64) {
        let span = context.span();
        span.set_attribute(KeyValue::new("config.attempt", number(attempt)));
        span.set_attribute(KeyValue::new("config.path", self.path.clone()));
        span.set_attribute(KeyValue::new("config.outcome", end.outcome));
        let versions = [
            ("config.version.from", end.from),
            ("config.version.to", end.to),
        ];
        for (key, version) in versions {
            if let Some(version) = version {
                span.set_attribute(KeyValue::new(key, number(version.get())));
            }
        }
        if let Some(digest) = end.digest {
            span.set_attribute(KeyValue::new("config.digest", digest.to_string()));
        }
        if let Some(stage) = &end.stage {
            span.set_attribute(KeyValue::new("config.stage", stage.clone()));
        }
        for error in &end.errors {
            let message = KeyValue::new("exception.message", error.clone());
            span.add_event("exception", Vec::from([message]));
            span.set_status(SpanStatus::error(error.clone()));
        }
    }

    /// Also where there was no attempt: a source that shows the active content again makes
    /// healthy.
    fn show(&mut self, status: &Status) {
        let now = (status.version, status.is_healthy());
        if self.shown == Some(now) {
            return;
        }
        self.shown = Some(now);
        let path = [KeyValue::new("config.path", self.path.clone())];
        if let Some(version) = status.version {
            self.version.record(version.get(), &path);
        }
        self.healthy.record(u64::from(now.1), &path);
    }
}

/// The outcome of an attempt. The events tell, and where it was no news the result.
fn end_of(
    whole: Whole,
    result: &Result<Outcome, DetectError>,
    events: &[Event],
    status: &Status,
) -> End {
    let mut end = match whole {
        Whole::Rollback => End {
            outcome: "rollback_failed",
            from: status.version,
            ..End::default()
        },
        _ => end_without_news(result, status),
    };
    for event in events {
        match whole {
            Whole::LastGood => end.of_last_good(event, status),
            Whole::Rollback => end.of_rollback(event),
            Whole::Attempt => end.of_attempt(event),
        }
    }
    end
}

impl End {
    fn of_last_good(&mut self, event: &Event, status: &Status) {
        if let Event::StartedFromLastGood {
            version, failure, ..
        } = event
        {
            self.outcome = "last_known_good";
            self.from = None;
            self.to = Some(*version);
            self.digest = status.digest;
            self.errors = failure.iter().map(ToString::to_string).collect();
        }
    }

    fn of_attempt(&mut self, event: &Event) {
        match event {
            Event::Applied {
                from, to, digest, ..
            } => {
                *self = End {
                    outcome: "applied",
                    from: *from,
                    to: Some(*to),
                    digest: Some(*digest),
                    ..End::default()
                };
            }
            Event::Rejected { keeping, rejection } => {
                *self = end_of_rejection(*keeping, rejection);
            }
            // After a commit error, within the same attempt.
            Event::RolledBack { to, digest, .. } if self.outcome == "applied" => {
                self.outcome = "rolled_back";
                self.to = Some(*to);
                self.digest = Some(*digest);
            }
            Event::ListenerFailed { error, .. } => self.errors.push(error.to_string()),
            Event::RollbackFailed { error, .. } => self.errors.push(error.to_string()),
            _ => {}
        }
    }

    fn of_rollback(&mut self, event: &Event) {
        match event {
            Event::RolledBack {
                from, to, digest, ..
            } => {
                self.outcome = "rolled_back";
                self.from = Some(*from);
                self.to = Some(*to);
                self.digest = Some(*digest);
                // A rollback is a success, whatever it was made for.
                self.errors.clear();
            }
            Event::ProbationFailed { reason, .. } => self.errors.push(reason.to_string()),
            Event::ListenerFailed { error, .. } => self.errors.push(error.to_string()),
            Event::RollbackFailed { error, .. } => self.errors.push(error.to_string()),
            _ => {}
        }
    }
}

fn end_without_news(result: &Result<Outcome, DetectError>, status: &Status) -> End {
    let end = |outcome| End {
        outcome,
        from: status.version,
        digest: status.digest,
        ..End::default()
    };
    match result {
        Ok(Outcome::Rejected(rejection) | Outcome::Vetoed { rejection, .. }) => {
            end_of_rejection(status.version, rejection)
        }
        // Other bytes for the value that is active.
        _ => end("unchanged"),
    }
}

fn end_of_rejection(keeping: Option<Version>, rejection: &Rejection) -> End {
    End {
        outcome: "rejected",
        from: keeping,
        to: None,
        digest: Some(rejection.digest()),
        stage: Some(rejection.stage().to_string()),
        errors: Vec::from([rejection.to_string()]),
    }
}

/// OpenTelemetry has no unsigned numbers in attributes.
fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
