//! A program without std that keeps a configuration current with the engine.
//! It prints what it sees and exits with 0 if all was as expected.
//!
//! `bare.rs` holds what a system would otherwise give: an entry, an allocator,
//! output and exit. What is proved is here.

#![no_std]
#![no_main]

extern crate alloc;

mod bare;

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;

use steadyconf::{
    BoxError, Change, DetectErrorKind, Document, Engine, Format, Listener, ManualDetector, Outcome,
    Report, Version,
};

/// `key=value` lines, for one key.
struct Limit;

impl Format<u32> for Limit {
    fn parse(
        &self,
        document: &Document,
        _: &steadyconf::Limits,
        _: &mut steadyconf::Notes,
    ) -> Result<u32, Report> {
        let text = core::str::from_utf8(document.layers()[0].bytes()).unwrap_or("");
        let mut report = Report::new();
        for line in text.lines() {
            match line.split_once('=') {
                Some(("limit", value)) => match value.trim().parse() {
                    Ok(limit) => return Ok(limit),
                    Err(_) => report.add("limit", "expected a whole number"),
                },
                _ => report.add("", "expected limit=NUMBER"),
            }
        }
        Err(report)
    }
}

/// A valve that opens no further than 50.
struct Valve(Arc<AtomicU64>);

impl Listener<u32> for Valve {
    fn prepare(&mut self, change: &Change<u32>) -> Result<(), BoxError> {
        if *change.new.value() > 50 {
            return Err("the valve opens to 50 at most".into());
        }
        Ok(())
    }

    fn commit(&mut self, change: &Change<u32>) -> Result<(), BoxError> {
        let digits = u64::from(*change.old.value()) * 1000 + u64::from(*change.new.value());
        self.0.store(digits, Ordering::Relaxed);
        Ok(())
    }
}

fn expect(what: &str, is_so: bool) {
    bare::print(&format!("{} {what}\n", if is_so { "ok  " } else { "FAIL" }));
    if !is_so {
        bare::exit(1);
    }
}

fn main() {
    let committed = Arc::new(AtomicU64::new(0));
    let mut engine = Engine::new(Limit)
        .validate(|limit, report| {
            if *limit == 0 {
                report.add("limit", "must be at least 1");
            }
        })
        .listener("valve", Valve(committed.clone()));
    let mut flash = ManualDetector::new("flash");
    let mut now = Duration::ZERO;
    let mut look = |flash: &mut ManualDetector| {
        let outcome = engine.poll(flash, now);
        now = engine.next_poll();
        let active = engine.active().map(|active| *active.value());
        let told: String = engine.events().iter().map(|e| format!("{e}; ")).collect();
        (outcome, active, told)
    };

    let (outcome, active, _) = look(&mut flash);
    let missing = outcome.is_err_and(|e| e.kind() == DetectErrorKind::NotFound);
    expect("nothing is there yet", missing && active.is_none());

    flash.set(*b"limit=7");
    let (outcome, active, told) = look(&mut flash);
    let first = outcome == Ok(Outcome::Applied(Version::new(1))) && active == Some(7);
    expect(
        "the first is loaded",
        first && told.contains("loaded v1 sha256:"),
    );

    flash.set(*b"limit=9");
    let (outcome, active, _) = look(&mut flash);
    let second = outcome == Ok(Outcome::Applied(Version::new(2))) && active == Some(9);
    expect("a change is applied", second);
    expect(
        "the listener was told",
        committed.load(Ordering::Relaxed) == 7009,
    );

    for (bad, why) in [
        ("", "is empty"),
        ("limit=x", "expected a whole number"),
        ("limit=0", "must be at least 1"),
    ] {
        flash.set(bad.as_bytes());
        let (outcome, active, told) = look(&mut flash);
        let refused = matches!(outcome, Ok(Outcome::Rejected(_))) && active == Some(9);
        expect(why, refused && told.contains(why));
    }

    flash.set(*b"limit=51");
    let (outcome, active, told) = look(&mut flash);
    let vetoed = matches!(outcome, Ok(Outcome::Vetoed { .. })) && active == Some(9);
    expect(
        "the listener vetoes",
        vetoed && told.contains("opens to 50"),
    );

    flash.set(*b"limit=9");
    let (outcome, active, told) = look(&mut flash);
    let back = outcome == Ok(Outcome::Unchanged) && active == Some(9);
    expect(
        "the same bytes are no change",
        back && told.contains("recovered"),
    );
    bare::print("steadyconf ran without std\n");
}
