//! What became active has to prove itself for a while, if that was asked for.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use common::{Journal, Number, Script, engine, gone, ms};
use steadyconf::{BoxError, Change, Engine, Event, Listener, Outcome, Snapshot, Status, Version};

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

fn failure(status: &Status) -> Option<&str> {
    status.probation.as_ref()?.failure.as_deref()
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
    assert_eq!(sick.asked.take(), ["v2", "v2", "v2"], "at every look");

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
    assert!(status.held.is_some() && status.source_differs && !status.is_healthy());
    assert_eq!(status.probation, None, "what it went back to is proven");
    sick.asked.take();
    assert_eq!(engine.poll(&mut script, ms(16_000)), Ok(Outcome::Held));
    assert!(sick.asked.take().is_empty());

    script.shows("4");
    assert_eq!(
        engine.poll(&mut script, ms(17_000)),
        Ok(Outcome::Applied(v(4)))
    );
}

#[test]
fn g17_a_window_that_is_over_is_asked_once_more_and_a_look_is_due_then() {
    let (sick, mut script) = (Sick::default(), Script::default());
    let mut engine = proven(&sick, &mut script).interval(ms(60_000));
    script.shows("2");
    engine.poll(&mut script, ms(11_000)).unwrap();
    assert_eq!(engine.next_look(), ms(21_000), "the end of the window");
    sick.at(2);
    let outcome = engine.poll(&mut script, ms(500_000));
    assert_eq!(outcome, Ok(Outcome::RolledBack(v(3))), "however late it is");
}

#[test]
fn g17_a_fix_that_is_there_already_is_applied_in_the_same_look() {
    let (sick, mut script) = (Sick::default(), Script::default());
    let mut engine = proven(&sick, &mut script);
    script.shows("2");
    engine.poll(&mut script, ms(11_000)).unwrap();
    sick.at(2);
    script.shows("3");
    let outcome = engine.poll(&mut script, ms(12_000));
    assert_eq!(outcome, Ok(Outcome::Applied(v(4))));
    assert_eq!(value(&engine), 3);
    assert_eq!(engine.status().held, None);
}

#[test]
fn g17_a_source_that_cannot_be_read_does_not_put_off_the_rollback() {
    let (sick, mut script) = (Sick::default(), Script::default());
    let mut engine = proven(&sick, &mut script);
    script.shows("2");
    engine.poll(&mut script, ms(11_000)).unwrap();
    sick.at(2);
    script.says(Err(gone()));
    assert!(engine.poll(&mut script, ms(12_000)).is_err());
    assert_eq!(value(&engine), 1);
    assert_eq!(engine.poll(&mut script, ms(13_000)), Ok(Outcome::Held));
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
            "keeping v1; no rollback: no other content is remembered",
        ]
    );
    assert_eq!(failure(engine.status()), Some("requests fail with 1"));
    assert!(!engine.status().is_healthy());
    // It goes on, past the window, and says nothing twice.
    engine.poll(&mut script, ms(30_000)).unwrap();
    assert_eq!(lines(&engine), [""; 0]);
    assert_eq!(engine.next_look(), ms(31_000), "the regular one");
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
fn g17_a_veto_of_the_way_back_is_told_once_and_tried_again() {
    let (sick, mut script) = (Sick::default(), Script::default());
    let mut engine = proven(&sick, &mut script).listener("port", Vetoes(1));
    script.shows("2");
    engine.poll(&mut script, ms(11_000)).unwrap();
    sick.at(2);
    for second in 12..40 {
        let outcome = engine.poll(&mut script, ms(second * 1000));
        assert_eq!(outcome, Ok(Outcome::Unchanged));
        let said = engine.events().len();
        assert_eq!(said, if second == 12 { 2 } else { 0 });
    }
    assert_eq!(value(&engine), 2);
    assert!(engine.rollback(ms(40_000)).is_err());
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
    assert_eq!(engine.poll(&mut script, ms(12_000)), Ok(Outcome::Held));
    assert!(sick.asked.take().is_empty());
}
