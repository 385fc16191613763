//! What a hostile document may cost: memory, counted. (What time it takes is in
//! `benches/`: a clock proves nothing on a machine that is shared.)
//!
//! A file of its own, for there is one allocator in a process.
#![cfg(feature = "values")]

mod common;
#[path = "../examples/hostile/mod.rs"]
mod hostile;
#[path = "../examples/llm_config/mod.rs"]
mod llm_config;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use common::ms;
use llm_config::{Config, check};
use steadyconf::{Document, Engine, Layer, Outcome, UnknownKeys, Yaml};

const MIB: usize = 1024 * 1024;

/// The most that was held at once.
struct Peak;

static HELD: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

fn took(bytes: usize) {
    let held = HELD.fetch_add(bytes, Ordering::Relaxed) + bytes;
    PEAK.fetch_max(held, Ordering::Relaxed);
}

// SAFETY: every call is the system allocator's; the counters are beside it.
unsafe impl GlobalAlloc for Peak {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        took(layout.size());
        // SAFETY: as the caller promised to us.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller promised to us.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Peak = Peak;

/// In several files there is no more room than in one.
#[test]
fn g04_values_are_counted_over_all_layers() {
    let list = |n: usize| format!("tools:\n{}", "- {name: a}\n".repeat(n));
    let judge = |texts: &[String]| {
        let layer = |text: &String| Layer::new("config.yaml", text.as_bytes());
        let layers: Vec<_> = texts.iter().map(layer).collect();
        let mut engine = Engine::<Config>::new(Yaml::new()).unknown_keys(UnknownKeys::Allow);
        engine.apply(Document::new(layers), ms(0))
    };
    let fits = judge(&[list(10_000), list(10_000)]);
    assert!(matches!(fits, Outcome::Applied(_)), "{fits:?}");
    let Outcome::Rejected(rejection) = judge(&[list(30_000), list(30_000)]) else {
        panic!("not rejected");
    };
    let said = rejection.problems()[0].to_string();
    assert!(
        said.contains("more than the limit of 84000 values"),
        "{said}"
    );
}

#[test]
fn g04_whatever_is_in_a_file_costs_no_more_than_64_mib() {
    let mut table = Vec::new();
    // Smaller ones, too: what is refused at a glance when it is large may pass.
    let sizes = [1, 5, 6].map(|part| MIB / part);
    let all = sizes.into_iter().flat_map(|size| {
        let named = move |(what, text): (&'static str, String)| (what, size, text);
        hostile::documents(size).into_iter().map(named)
    });
    for (what, size, text) in all {
        assert!(text.len() <= size, "{what}: {}", text.len());
        let mut engine = Engine::<Config>::new(Yaml::new()).validate(check);
        let document = Document::single("config.yaml", text.as_bytes());
        // So that there is something that it differs from.
        engine.apply(Document::single("config.yaml", *b"tools: []"), ms(0));
        let before = HELD.load(Ordering::Relaxed);
        PEAK.store(before, Ordering::Relaxed);
        let start = std::time::Instant::now();
        let outcome = engine.apply(document, ms(0));
        // What the log says of it costs, too.
        let lines: usize = engine
            .events()
            .iter()
            .map(|event| event.to_string().len())
            .sum();
        assert!(lines < 100_000, "{what}: {lines} bytes of log lines");
        let took = start.elapsed();
        let peak = PEAK.load(Ordering::Relaxed) - before;
        let said = match outcome {
            Outcome::Rejected(rejection) => {
                let first = rejection.problems()[0].to_string();
                first.chars().take(90).collect()
            }
            other => format!("{other:?}"),
        };
        table.push((
            peak,
            format!(
                "{:6.1} MiB {took:8.0?}  {what}, {} KiB: {said}",
                peak as f64 / MIB as f64,
                size / 1024
            ),
        ));
    }
    table.sort();
    for (_, line) in &table {
        println!("{line}");
    }
    let (most, line) = table.last().unwrap();
    assert!(*most <= 64 * MIB, "{line}");
}
