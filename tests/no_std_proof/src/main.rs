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

use serde::Deserialize;
use steadyconf::engine::{BoxError, Document, Engine, ManualDetector};
use steadyconf::format::Yaml;
use steadyconf::report::DetectErrorKind;
use steadyconf::{Change, Listener, Outcome, Report, Version};

/// What the file says, the same file that a server would read.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    limit: u32,
    #[serde(default)]
    name: String,
}

fn check(config: &Config, report: &mut Report) {
    if config.limit == 0 {
        report.add("limit", "must be at least 1");
    }
}

/// A valve that opens no further than 50.
struct Valve(Arc<AtomicU64>);

impl Listener<Config> for Valve {
    fn prepare(&mut self, change: &Change<Config>) -> Result<(), BoxError> {
        if change.new.limit > 50 {
            return Err("the valve opens to 50 at most".into());
        }
        Ok(())
    }

    fn commit(&mut self, change: &Change<Config>) -> Result<(), BoxError> {
        let digits = u64::from(change.old.limit) * 1000 + u64::from(change.new.limit);
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
    let mut engine = Engine::<Config>::new(Yaml::new())
        .validate(check)
        .listener("valve", Valve(committed.clone()));
    let mut flash = ManualDetector::new("flash");
    let mut now = Duration::ZERO;
    let mut look = |engine: &mut Engine<Config>, flash: &mut ManualDetector| {
        let outcome = engine.poll(flash, now);
        now = engine.next_poll();
        let active = engine.active().map(|active| active.limit);
        let told: String = engine.events().iter().map(|e| format!("{e}; ")).collect();
        (outcome, active, told)
    };

    let (outcome, active, _) = look(&mut engine, &mut flash);
    let missing = outcome.is_err_and(|e| e.kind() == DetectErrorKind::NotFound);
    expect("nothing is there yet", missing && active.is_none());

    flash.set(*b"limit: 7");
    let (outcome, active, told) = look(&mut engine, &mut flash);
    let first = outcome == Ok(Outcome::Applied(Version::new(1))) && active == Some(7);
    expect(
        "the first is loaded",
        first && told.contains("loaded v1 sha256:"),
    );

    flash.set(*b"# more\nlimit: 9\nname: valve\n");
    let (outcome, active, _) = look(&mut engine, &mut flash);
    let second = outcome == Ok(Outcome::Applied(Version::new(2))) && active == Some(9);
    expect("a change is applied", second);
    expect(
        "the listener was told",
        committed.load(Ordering::Relaxed) == 7009,
    );

    for (bad, why) in [
        ("", "flash: is empty"),
        (
            "name: a\nlimit: x",
            "flash:2:8: limit: expected a whole number from 0 to 4294967295, found a string",
        ),
        (
            "name: a\nlimitt: 1",
            "flash:2:1: limitt: unknown key; did you mean `limit`?",
        ),
        (
            "limit: [1",
            "flash:1:8: not valid YAML: this `[` is not closed",
        ),
        ("name: a\nlimit: 0", "flash:2:8: limit: must be at least 1"),
    ] {
        flash.set(bad.as_bytes());
        let (outcome, active, told) = look(&mut engine, &mut flash);
        let refused = matches!(outcome, Ok(Outcome::Rejected(_))) && active == Some(9);
        expect(why, refused && told.contains(why));
    }

    flash.set(*b"limit: 51");
    let (outcome, active, told) = look(&mut engine, &mut flash);
    let vetoed = matches!(outcome, Ok(Outcome::Vetoed { .. })) && active == Some(9);
    expect(
        "the listener vetoes",
        vetoed && told.contains("opens to 50"),
    );

    flash.set(*b"# more\nlimit: 9\nname: valve\n");
    let (outcome, active, told) = look(&mut engine, &mut flash);
    let back = outcome == Ok(Outcome::Unchanged) && active == Some(9);
    expect(
        "the same bytes are no change",
        back && told.contains("recovered"),
    );
    let back = engine.rollback(Duration::from_secs(60));
    let limit = engine.active().map(|active| active.limit);
    expect(
        "a rollback brings the first back",
        back.is_ok() && limit == Some(7),
    );
    let name = engine.active().map(|active| active.name.is_empty());
    expect("the whole of it", name == Some(true));
    for (name, text) in [("c.toml", "limit = 3"), ("c.json", "{\"limit\": 3}")] {
        let document = Document::single(name, text.as_bytes());
        let outcome = engine.apply(document, Duration::from_secs(61));
        let limit = engine.active().map(|active| active.limit);
        expect(
            name,
            matches!(outcome, Outcome::Applied(_)) && limit == Some(3),
        );
        let _ = engine.rollback(Duration::from_secs(62));
    }
    bare::print("steadyconf ran without std\n");
}
