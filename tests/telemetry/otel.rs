//! What OpenTelemetry gets to see, by the SDK's exporters that keep it in memory. A file
//! of its own: the providers are global.

#[path = "../common/mod.rs"]
mod common;

use std::collections::BTreeMap;

use common::ms;
use opentelemetry::trace::{Status, TraceContextExt, Tracer};
use opentelemetry::{Context, global};
use opentelemetry_sdk::metrics::data::{AggregatedMetrics, MetricData};
use opentelemetry_sdk::metrics::{InMemoryMetricExporter, PeriodicReader, SdkMeterProvider};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use serde::Deserialize;
use steadyconf::{Outcome, Reloader};

#[derive(Deserialize)]
struct Config {
    #[allow(dead_code, reason = "only that it is a secret counts")]
    api_key: String,
    workers: u32,
}

fn attributes(span: &SpanData) -> BTreeMap<String, String> {
    let pair = |pair: &opentelemetry::KeyValue| (pair.key.to_string(), pair.value.to_string());
    span.attributes.iter().map(pair).collect()
}

/// The attempt's attributes in one line, without those that differ each time.
fn summary(span: &SpanData) -> String {
    let known = attributes(span);
    let get = |key: &str| known.get(key).cloned().unwrap_or_else(|| "-".into());
    assert!(known.contains_key("config.path"), "{known:?}");
    format!(
        "{} {}->{} {}",
        get("config.outcome"),
        get("config.version.from"),
        get("config.version.to"),
        get("config.stage")
    )
}

/// Names of the attempt's children, in the order in which they began.
fn children(spans: &[SpanData], parent: &SpanData) -> Vec<String> {
    let id = parent.span_context.span_id();
    let mut children: Vec<_> = spans.iter().filter(|s| s.parent_span_id == id).collect();
    children.sort_by_key(|span| span.start_time);
    let short = |span: &&SpanData| span.name.trim_start_matches("reloader.").to_string();
    children.iter().map(short).collect()
}

/// What a gauge shows now.
fn gauge(meter: &SdkMeterProvider, exporter: &InMemoryMetricExporter, name: &str) -> u64 {
    meter.force_flush().unwrap();
    let finished = exporter.get_finished_metrics().unwrap();
    let all = finished
        .iter()
        .flat_map(|resource| resource.scope_metrics());
    let all = all.flat_map(|scope| scope.metrics());
    let gauges = all.filter(|metric| metric.name() == name);
    let shown = gauges.filter_map(|metric| match metric.data() {
        AggregatedMetrics::U64(MetricData::Gauge(gauge)) => {
            gauge.data_points().next().map(|point| point.value())
        }
        _ => None,
    });
    shown.last().unwrap()
}

#[test]
fn g06_g20_each_attempt_is_one_span_without_secrets() {
    let exporter = InMemorySpanExporter::default();
    let tracer = SdkTracerProvider::builder().with_simple_exporter(exporter.clone());
    let tracer = tracer.build();
    global::set_tracer_provider(tracer.clone());
    let metrics = InMemoryMetricExporter::default();
    let reader = PeriodicReader::builder(metrics.clone()).build();
    let meter = SdkMeterProvider::builder().with_reader(reader).build();
    global::set_meter_provider(meter.clone());

    let (_folder, path) = common::file("api_key: sk-canary\nworkers: 1\n");
    let write = |text: &str| std::fs::write(&path, text).unwrap();
    let mut everything = String::new();
    let mut spans = || {
        tracer.force_flush().unwrap();
        let spans = exporter.get_finished_spans().unwrap();
        exporter.reset();
        everything.push_str(&format!("{spans:?}"));
        let attempts = spans
            .iter()
            .filter(|s| s.name == "reloader.on_config_changed");
        let attempts: Vec<_> = attempts.cloned().collect();
        (attempts, spans)
    };

    let reloader = Reloader::<Config>::from_file(&path)
        .validate(|config, report| {
            if config.workers == 0 {
                report.add("workers", "must be at least 1");
            }
        })
        .build(|config| match config.workers {
            13 => Err("thirteen cannot be built"),
            workers => Ok(workers),
        })
        .on_commit(|change| {
            // The spans of a listener are children of ours.
            global::tracer("listener").start("listener.work");
            assert!(Context::current().has_active_span());
            if change.new.state == 3 {
                return Err("three is too many".into());
            }
            Ok(())
        })
        .load_at(ms(0), |until| until)
        .unwrap();
    let (attempts, all) = spans();
    assert_eq!(attempts.len(), 1);
    assert_eq!(summary(&attempts[0]), "applied -->1 -");
    assert_eq!(children(&all, &attempts[0]), ["parse", "validate", "build"]);

    let mut now = reloader.next_poll();
    let mut look = || {
        let mut outcome = None;
        for _ in 0..6 {
            outcome = Some(reloader.poll_at(now));
            now = reloader.next_poll();
        }
        outcome.unwrap()
    };
    look().unwrap();
    assert!(
        spans().0.is_empty(),
        "a poll that finds nothing leaves no trace"
    );

    write("api_key: sk-canary\nworkers: 2\n");
    look().unwrap();
    let (attempts, all) = spans();
    assert_eq!(attempts.len(), 1);
    assert_eq!(summary(&attempts[0]), "applied 1->2 -");
    assert_eq!(attempts[0].status, Status::Unset);
    assert_eq!(
        children(&all, &attempts[0]),
        ["parse", "validate", "build", "prepare", "commit"]
    );
    let work = all
        .iter()
        .find(|span| span.name == "listener.work")
        .unwrap();
    let commit = all
        .iter()
        .find(|span| span.name == "reloader.commit")
        .unwrap();
    assert_eq!(work.parent_span_id, commit.span_context.span_id());

    for (text, expected, why) in [
        (
            "api_key: sk-canary\nworkers: sk-canary\n",
            "rejected 2->- parse",
            "does not parse",
        ),
        (
            "api_key: sk-canary\nworkers: 0\n",
            "rejected 2->- validate",
            "must be at least 1",
        ),
        (
            "api_key: sk-canary\nworkers: 3\n",
            "applied 2->3 -",
            "three is too many",
        ),
    ] {
        write(text);
        look().unwrap();
        let (attempts, _) = spans();
        assert_eq!(attempts.len(), 1, "{text}");
        assert_eq!(summary(&attempts[0]), expected);
        let Status::Error { description } = &attempts[0].status else {
            panic!("{:?}", attempts[0].status);
        };
        assert!(description.contains(why), "{description}");
        let recorded = &attempts[0].events.events[0];
        assert_eq!(recorded.name, "exception");
    }

    std::fs::remove_file(&path).unwrap();
    assert!(look().is_err());
    let (attempts, _) = spans();
    let attempts: Vec<_> = attempts.iter().map(summary).collect();
    assert_eq!(attempts, ["source_error 3->- -"], "told once");
    assert_eq!(gauge(&meter, &metrics, "config.healthy"), 0);
    write("api_key: sk-canary\nworkers: 2\n");
    look().unwrap();
    spans();
    for text in [
        "api_key: sk-canary\nworkers: 0\n",
        "api_key: sk-canary\nworkers: 2\n",
    ] {
        write(text);
        look().unwrap();
        spans();
    }
    // The very same bytes as before: no attempt, and healthy again.
    assert!(reloader.status().is_healthy());
    assert_eq!(gauge(&meter, &metrics, "config.healthy"), 1);
    assert_eq!(gauge(&meter, &metrics, "config.version"), 4);

    reloader.rollback().unwrap();
    let (attempts, all) = spans();
    assert_eq!(summary(&attempts[0]), "rolled_back 4->5 -");
    assert_eq!(children(&all, &attempts[0]), ["prepare", "commit"]);

    let refused = Reloader::<Config>::from_file(&path)
        .validate(|_, report| report.add("", "never"))
        .load_at(ms(0), |until| until);
    assert!(refused.is_err());
    let (attempts, _) = spans();
    assert_eq!(summary(&attempts[0]), "rejected -->- validate");
    assert!(
        !Context::current().has_active_span(),
        "nothing is left behind"
    );

    // A start from the last known good, and a rollback in the poll that takes in a fix.
    let last_good = path.with_extension("good");
    write("api_key: sk-canary\nworkers: 1\n");
    let builder = || Reloader::<Config>::from_file(&path).last_known_good(&last_good);
    drop(builder().load_at(ms(0), |until| until).unwrap());
    std::fs::remove_file(&path).unwrap();
    spans();
    let sick = |config: &Config| {
        if config.workers == 7 {
            Err("seven")
        } else {
            Ok(())
        }
    };
    let reloader = builder()
        .probation(ms(60_000), move |snapshot| sick(snapshot))
        .settle(ms(0))
        .load_at(ms(0), |until| until)
        .unwrap();
    let (attempts, all) = spans();
    let summaries: Vec<_> = attempts.iter().map(summary).collect();
    assert_eq!(summaries, ["last_known_good -->1 -"]);
    assert_eq!(children(&all, &attempts[0]), ["parse"]);
    write("api_key: sk-canary\nworkers: 7\n");
    reloader.poll_at(ms(1000)).unwrap();
    spans();
    write("api_key: sk-canary\nworkers: 8\n");
    let outcome = reloader.poll_at(ms(2000));
    assert!(matches!(outcome, Ok(Outcome::Applied(_))), "{outcome:?}");
    let (mut attempts, _) = spans();
    attempts.sort_by_key(|span| span.start_time);
    let summaries: Vec<_> = attempts.iter().map(summary).collect();
    assert_eq!(summaries, ["rolled_back 2->3 -", "applied 3->4 -"]);

    meter.force_flush().unwrap();
    let finished = metrics.get_finished_metrics().unwrap();
    let said = format!("{finished:?}");
    // Each flush shows the sums so far.
    let finished = &finished[finished.len() - 1..];
    let mut counted = BTreeMap::new();
    let all = finished
        .iter()
        .flat_map(|resource| resource.scope_metrics());
    for metric in all.flat_map(|scope| scope.metrics()) {
        if let AggregatedMetrics::U64(MetricData::Sum(sum)) = metric.data() {
            assert_eq!(metric.name(), "config.reload.attempts");
            for point in sum.data_points() {
                let outcome = point
                    .attributes()
                    .find(|a| a.key.as_str() == "config.outcome");
                let outcome = outcome.unwrap().value.to_string();
                *counted.entry(outcome).or_insert(0) += point.value();
            }
        }
    }
    let expected = [
        ("applied", 7),
        ("last_known_good", 1),
        ("rejected", 4),
        ("rolled_back", 2),
        ("source_error", 1),
    ];
    assert_eq!(
        counted,
        expected.map(|(name, n)| (name.to_string(), n)).into()
    );
    assert!(said.contains("config.version") && said.contains("config.healthy"));
    assert!(!everything.contains("canary") && !said.contains("canary"));
}
