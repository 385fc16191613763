//! What became active has to prove itself for a while, if that was asked for.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::common::{Journal, Number, Script, doc, engine, gone, ms};
use steadyconf::engine::{BoxError, Engine, OnCommitError};
use steadyconf::report::Event;
use steadyconf::{Change, Listener, Outcome, Snapshot, Status, Version};

fn v(number: u64) -> Version {
    Version::new(number)
}

/// A check that refuses the values that it was told to.
#[derive(Clone, Default)]
struct Sick {
    value: Arc<AtomicU32>,
    asked: Journal,
}

impl Sick {
    fn at(&self, value: u32) {
        self.value.store(value, Ordering::Relaxed);
    }

    fn check(&self, snapshot: &Snapshot<u32>) -> Result<(), String> {
        self.asked.note(snapshot.version().to_string());
        assert_ne!(**snapshot, 66, "secret-in-a-panic");
        if self.value.load(Ordering::Relaxed) == **snapshot {
            return Err(format!("requests fail with {}", **snapshot));
        }
        Ok(())
    }
}

/// On probation for ten seconds, looked at every second.
fn on_probation(sick: &Sick) -> Engine<u32> {
    let sick = sick.clone();
    engine(&Number::default()).probation(ms(10_000), move |snapshot| sick.check(snapshot))
}

fn lines(engine: &Engine<u32>) -> Vec<String> {
    engine.events().iter().map(ToString::to_string).collect()
}

fn failure(status: &Status) -> Option<Arc<str>> {
    status.probation.as_ref()?.failure.clone()
}

fn value(engine: &Engine<u32>) -> u32 {
    **engine.active().unwrap().clone()
}

/// Loads 1 and lets it prove itself, by time 10 s.
fn proven(sick: &Sick, script: &mut Script) -> Engine<u32> {
    let mut engine = on_probation(sick);
    script.shows("1");
    engine.poll(script, ms(0)).unwrap();
    engine.poll(script, ms(10_000)).unwrap();
    assert_eq!(lines(&engine), ["v1 passed its probation"]);
    sick.asked.take();
    engine
}

#[test]
fn g17_what_fails_its_probation_is_rolled_back_and_held() {
    let (sick, mut script) = (Sick::default(), Script::default());
    let mut engine = proven(&sick, &mut script);
    script.shows("2");
    assert_eq!(
        engine.poll(&mut script, ms(11_000)),
        Ok(Outcome::Applied(v(2)))
    );
    assert_eq!(
        engine.status().probation.as_ref().unwrap().until,
        ms(21_000)
    );
    assert!(engine.status().is_healthy());
    for second in 12..15 {
        let outcome = engine.poll(&mut script, ms(second * 1000));
        assert_eq!(outcome, Ok(Outcome::Unchanged));
    }
    assert_eq!(sick.asked.take(), ["v2", "v2", "v2"], "at every poll");

    sick.at(2);
    let outcome = engine.poll(&mut script, ms(15_000));
    assert_eq!(outcome, Ok(Outcome::RolledBack(v(3))));
    assert_eq!(value(&engine), 1);
    let said = lines(&engine);
    assert_eq!(said[0], "v2 failed its health check: requests fail with 2");
    assert!(
        said[1].starts_with("rolled back from v2: v3 sha256:"),
        "{said:?}"
    );
    assert_eq!(said.len(), 2);

    let status = engine.status();
    assert!(status.quarantined.is_some() && status.source_differs && !status.is_healthy());
    assert_eq!(status.probation, None, "what it went back to is proven");
    sick.asked.take();
    assert_eq!(
        engine.poll(&mut script, ms(16_000)),
        Ok(Outcome::Quarantined)
    );
    assert!(sick.asked.take().is_empty());

    script.shows("4");
    assert_eq!(
        engine.poll(&mut script, ms(17_000)),
        Ok(Outcome::Applied(v(4)))
    );
}

#[test]
fn g17_at_the_end_of_the_window_a_poll_is_due() {
    let (sick, mut script) = (Sick::default(), Script::default());
    let mut engine = proven(&sick, &mut script).interval(ms(60_000));
    script.shows("2");
    engine.poll(&mut script, ms(11_000)).unwrap();
    assert_eq!(engine.next_poll(), ms(21_000), "the end of the window");
    sick.at(2);
    let outcome = engine.poll(&mut script, ms(500_000));
    assert_eq!(outcome, Ok(Outcome::RolledBack(v(3))), "however late it is");
}

#[test]
fn g17_a_fix_that_is_there_already_is_applied_in_the_same_poll() {
    let (sick, mut script) = (Sick::default(), Script::default());
    let mut engine = proven(&sick, &mut script);
    script.shows("2");
    engine.poll(&mut script, ms(11_000)).unwrap();
    sick.at(2);
    script.shows("3");
    let outcome = engine.poll(&mut script, ms(12_000));
    assert_eq!(outcome, Ok(Outcome::Applied(v(4))));
    assert_eq!(value(&engine), 3);
    assert_eq!(engine.status().quarantined, None);
}

#[test]
fn g17_an_unreadable_source_does_not_delay_a_rollback() {
    let (sick, mut script) = (Sick::default(), Script::default());
    let mut engine = proven(&sick, &mut script);
    script.shows("2");
    engine.poll(&mut script, ms(11_000)).unwrap();
    sick.at(2);
    script.says(Err(gone()));
    assert!(engine.poll(&mut script, ms(12_000)).is_err());
    assert_eq!(value(&engine), 1);
    assert_eq!(
        engine.poll(&mut script, ms(13_000)),
        Ok(Outcome::Quarantined)
    );
}

#[test]
fn g17_it_goes_back_to_what_is_proven() {
    let (sick, mut script) = (Sick::default(), Script::default());
    let mut engine = proven(&sick, &mut script);
    for (second, text) in [(11, "2"), (12, "3")] {
        script.shows(text);
        engine.poll(&mut script, ms(second * 1000)).unwrap();
    }
    sick.at(3);
    engine.poll(&mut script, ms(13_000)).unwrap();
    assert_eq!(
        value(&engine),
        1,
        "2 was superseded before it had proved itself"
    );

    // By hand one may go to 2; what failed stays out of the way for good.
    script.shows("5");
    sick.at(0);
    engine.poll(&mut script, ms(14_000)).unwrap();
    engine.poll(&mut script, ms(24_000)).unwrap();
    assert!(engine.rollback(ms(24_001)).is_ok());
    assert_eq!(value(&engine), 1);
    assert!(engine.rollback(ms(24_002)).is_ok());
    assert_eq!(value(&engine), 2);
    assert!(
        engine.rollback(ms(24_003)).is_err(),
        "3 failed, 5 and 1 were left"
    );
}

#[test]
fn g17_what_failed_stays_where_there_is_nothing_to_go_back_to() {
    let (sick, mut script) = (Sick::default(), Script::default());
    let mut engine = on_probation(&sick);
    sick.at(1);
    script.shows("1");
    engine.poll(&mut script, ms(0)).unwrap();
    engine.poll(&mut script, ms(1000)).unwrap();
    assert_eq!(
        lines(&engine),
        [
            "v1 failed its health check: requests fail with 1",
            "keeping v1; no rollback: nothing else is remembered that is not known to be bad",
        ]
    );
    assert_eq!(
        failure(&engine.status()).as_deref(),
        Some("requests fail with 1")
    );
    assert!(!engine.status().is_healthy());
    // It goes on, past the window, and says nothing twice.
    engine.poll(&mut script, ms(30_000)).unwrap();
    assert_eq!(lines(&engine), [""; 0]);
    assert_eq!(engine.next_poll(), ms(31_000), "the regular one");
    sick.at(0);
    engine.poll(&mut script, ms(31_000)).unwrap();
    assert_eq!(lines(&engine), ["v1 passed its probation"]);
    assert!(engine.status().is_healthy());
}

/// Vetoes every change to a value.
struct Vetoes(u32);

impl Listener<u32> for Vetoes {
    fn prepare(&mut self, change: &Change<u32>) -> Result<(), BoxError> {
        if **change.new == self.0 {
            return Err("the port is taken".into());
        }
        Ok(())
    }

    fn commit(&mut self, _: &Change<u32>) -> Result<(), BoxError> {
        Ok(())
    }
}

#[test]
fn g17_a_veto_of_the_way_back_is_reported_once_and_tried_again() {
    let (sick, mut script) = (Sick::default(), Script::default());
    let mut engine = proven(&sick, &mut script).listener("port", Vetoes(1));
    script.shows("2");
    engine.poll(&mut script, ms(11_000)).unwrap();
    sick.at(2);
    for second in 12..200 {
        let outcome = engine.poll(&mut script, ms(second * 1000));
        assert_eq!(outcome, Ok(Outcome::Unchanged));
        let said: Vec<_> = lines(&engine)
            .iter()
            .map(|line| line[..9].to_string())
            .collect();
        let expected: &[&str] = if second == 12 {
            &["v2 failed", "keeping v"]
        } else {
            &[]
        };
        assert_eq!(said, expected, "at {second} s");
    }
    assert_eq!(value(&engine), 2);
    // At growing intervals: each try takes a version.
    script.shows("5");
    let outcome = engine.poll(&mut script, ms(200_000));
    assert_eq!(outcome, Ok(Outcome::Applied(v(12))));
}

#[test]
fn g11_rejected_content_is_judged_once() {
    let (sick, mut script, number) = (Sick::default(), Script::default(), Number::default());
    let check = sick.clone();
    let mut engine = engine(&number)
        .probation(ms(1000), move |snapshot| check.check(snapshot))
        .listener("port", Vetoes(1));
    for (second, text) in [(0, "1"), (1, "1"), (2, "2")] {
        script.shows(text);
        engine.poll(&mut script, ms(second * 1000)).unwrap();
    }
    sick.at(2);
    script.shows("bad");
    engine.poll(&mut script, ms(3000)).unwrap();
    number.asked.take();
    for second in 4..30 {
        let outcome = engine.poll(&mut script, ms(second * 1000));
        assert!(matches!(outcome, Ok(Outcome::Rejected(_))));
    }
    assert!(number.asked.take().is_empty());
}

#[test]
fn g20_a_check_that_counts_or_flaps_is_reported_once() {
    let mut script = Script::default();
    let mut asked = 0;
    let mut engine = engine(&Number::default()).probation(ms(30_000), move |_| {
        asked += 1;
        match asked {
            1..40 if asked % 3 != 0 => Err(format!("{asked} requests failed")),
            _ => Ok(()),
        }
    });
    script.shows("1");
    let mut told = Vec::new();
    for second in 0..60 {
        engine.poll(&mut script, ms(second * 1000)).unwrap();
        told.extend(lines(&engine));
    }
    let starts: Vec<_> = told
        .iter()
        .map(|line| line.split(' ').nth(1).unwrap())
        .collect();
    assert_eq!(starts, ["v1", "failed", "v1;", "passed"], "{told:#?}");
}

#[test]
fn g17_what_is_gone_back_to_unproven_is_on_probation_again() {
    let (sick, mut script) = (Sick::default(), Script::default());
    let mut engine = proven(&sick, &mut script)
        .on_commit_error(OnCommitError::RollBack)
        .on_commit(|change| match **change.new {
            3 => Err("three".into()),
            _ => Ok(()),
        });
    for (second, text) in [(11, "2"), (12, "3")] {
        script.shows(text);
        engine.poll(&mut script, ms(second * 1000)).unwrap();
    }
    assert_eq!(value(&engine), 2);
    assert_eq!(
        engine.status().probation.as_ref().unwrap().until,
        ms(22_000)
    );
    sick.at(2);
    engine.poll(&mut script, ms(13_000)).unwrap();
    assert_eq!(value(&engine), 1);
}

#[test]
fn g17_what_failed_once_and_was_proven_later_is_good() {
    let (sick, mut script) = (Sick::default(), Script::default());
    let mut engine = proven(&sick, &mut script);
    for (second, text, fails) in [
        (11, "2", 2),
        (12, "2", 0),
        (13, "1", 0),
        (14, "2", 0),
        (30, "2", 0),
        (31, "3", 3),
    ] {
        script.shows(text);
        engine.poll(&mut script, ms(second * 1000)).unwrap();
        sick.at(fails);
    }
    engine.poll(&mut script, ms(32_000)).unwrap();
    assert_eq!(value(&engine), 2, "the newest that is proven");
}

#[test]
fn g17_a_program_that_hands_documents_in_is_asked_too() {
    let sick = Sick::default();
    let mut engine = on_probation(&sick);
    engine.apply(doc("1"), ms(0));
    engine.apply(doc("1"), ms(10_000));
    assert_eq!(engine.status().probation, None);
    engine.apply(doc("2"), ms(11_000));
    sick.at(2);
    let outcome = engine.apply(doc("2"), ms(12_000));
    assert_eq!(outcome, Outcome::RolledBack(v(3)));
}

#[test]
fn g03_a_panic_of_the_check_is_a_failure_and_is_not_repeated() {
    let (sick, mut script) = (Sick::default(), Script::default());
    let mut engine = proven(&sick, &mut script);
    script.shows("66");
    engine.poll(&mut script, ms(11_000)).unwrap();
    let outcome = engine.poll(&mut script, ms(12_000));
    assert_eq!(outcome, Ok(Outcome::RolledBack(v(3))));
    assert!(matches!(engine.events()[0], Event::ProbationFailed { .. }));
    assert!(!lines(&engine).concat().contains("secret-in"));
}

#[test]
fn a_rollback_by_hand_ends_the_probation() {
    let (sick, mut script) = (Sick::default(), Script::default());
    let mut engine = proven(&sick, &mut script);
    script.shows("2");
    engine.poll(&mut script, ms(11_000)).unwrap();
    engine.rollback(ms(11_500)).unwrap();
    assert_eq!(engine.status().probation, None);
    sick.asked.take();
    assert_eq!(
        engine.poll(&mut script, ms(12_000)),
        Ok(Outcome::Quarantined)
    );
    assert!(sick.asked.take().is_empty());
}
