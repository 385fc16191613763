//! A source that shows one thing after the other, whatever it may be.
//!
//! The bytes are cut at each `0xff`, which no UTF-8 text holds, and each piece is
//! what the source shows next. After every look the engine has to be in a state
//! that can be explained. A panic anywhere, in the parser too, is a finding: the
//! engine calls plainly here, without catching.

#![no_main]

#[path = "../../examples/llm_config/mod.rs"]
mod llm_config;

use std::sync::Arc;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use llm_config::{Config, SAMPLE, check};
use steadyconf::engine::{Document, Engine, ManualDetector};
use steadyconf::format::Yaml;
use steadyconf::{Outcome, Version};

fuzz_target!(|bytes: &[u8]| {
    let mut engine = Engine::<Config>::new(Yaml::new()).validate(check);
    let mut source = ManualDetector::new("fuzz");
    source.set(SAMPLE.as_bytes());
    let mut now = Duration::ZERO;
    engine.poll(&mut source, now).expect("it can be read");
    for piece in bytes.split(|byte| *byte == 0xff).take(16) {
        source.set(piece);
        now += Duration::from_secs(1);
        look(&mut engine, &mut source, piece, now);
    }
    // Whatever came, the good file is good again.
    source.set(SAMPLE.as_bytes());
    now += Duration::from_secs(1);
    look(&mut engine, &mut source, SAMPLE.as_bytes(), now);
    assert!(engine.status().is_healthy());
});

fn look(engine: &mut Engine<Config>, source: &mut ManualDetector, piece: &[u8], now: Duration) {
    let before = engine.active().expect("something is active").clone();
    let outcome = engine.poll(source, now).expect("it can be read");
    let after = engine.active().expect("something is active").clone();
    let shown = Document::single("fuzz", piece);
    match &outcome {
        Outcome::Applied(version) => {
            assert_eq!(after.version(), *version);
            assert!(after.version() > before.version());
            assert!(*after.document() == shown);
            let mut report = steadyconf::Report::new();
            check(&after, &mut report);
            assert!(report.is_empty(), "what is active is valid");
        }
        Outcome::Unchanged => {
            assert!(Arc::ptr_eq(&before, &after));
            assert!(*after.document() == shown);
        }
        Outcome::Rejected(rejection) => {
            assert!(Arc::ptr_eq(&before, &after), "the old snapshot stays");
            assert!(!rejection.problems().is_empty());
            let text = rejection.to_string();
            assert_eq!(text.lines().count(), 1 + lines_of(rejection), "{text}");
            assert!(!text.contains('\u{1b}'), "nothing steers a terminal");
        }
        other => panic!("{other:?}"),
    }
    assert!(after.version() >= Version::new(1));
    assert!(engine.next_poll() > now);
    // Looking again changes nothing, and says the same.
    let again = engine.poll(source, now).expect("it can be read");
    match (&outcome, &again) {
        (Outcome::Rejected(first), Outcome::Rejected(second)) => {
            assert!(Arc::ptr_eq(first, second))
        }
        (Outcome::Rejected(_), other) => panic!("{other:?}"),
        (_, again) => assert_eq!(*again, Outcome::Unchanged),
    }
    assert!(Arc::ptr_eq(
        engine.active().expect("something is active"),
        &after
    ));
    assert!(engine.events().is_empty(), "nothing is told twice");
}

fn lines_of(rejection: &steadyconf::report::Rejection) -> usize {
    rejection.problems().len() + usize::from(rejection.more() > 0)
}
