//! A provider of spans that panics costs its spans, and nothing else. A file of its own:
//! the provider is global.

#[path = "../common/mod.rs"]
mod common;

use std::time::Duration;

use common::{Number, Script, ms};
use opentelemetry::{Context, global};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, Span, SpanData, SpanProcessor};
use steadyconf::{Outcome, Reloader, Version};

/// Panics at every end.
#[derive(Debug)]
struct Panics;

impl SpanProcessor for Panics {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, _: SpanData) {
        panic!("no room for spans");
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

#[test]
fn g03_a_provider_that_panics_costs_its_spans_and_nothing_else() {
    std::panic::set_hook(Box::new(|_| {}));
    let tracer = SdkTracerProvider::builder().with_span_processor(Panics);
    global::set_tracer_provider(tracer.build());
    let script = Script::default();
    script.shows("1");
    let reloader = Reloader::with_detector(script.clone(), Number::default())
        .on_commit(|_| Ok(()))
        .load_at(ms(0), |until| until)
        .unwrap();
    script.shows("2");
    let outcome = reloader.poll_at(ms(1000));
    assert_eq!(outcome, Ok(Outcome::Applied(Version::new(2))));
    assert_eq!(reloader.status().reloads, 2);
    assert_eq!(reloader.rollback(), Ok(Version::new(3)));
    script.shows("bad");
    let outcome = reloader.poll_at(ms(2000));
    assert!(matches!(outcome, Ok(Outcome::Rejected(_))));
    assert_eq!(*reloader.handle().load(), 1);
}
