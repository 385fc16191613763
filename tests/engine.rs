//! The engine alone: no file, no thread, no clock. Runs without `std` features,
//! too.

use std::sync::Arc;
use std::time::Duration;

use crate::common::{Journal, Number, Script, doc, engine, gone, ms};
use steadyconf::engine::{BoxError, Engine, Limits, Sighting};
use steadyconf::report::{DetectErrorKind, Event, Failure, Rejection, Stage};
use steadyconf::{Change, Listener, Outcome, Version};

fn applied(version: u64) -> Result<Outcome, steadyconf::report::DetectError> {
    Ok(Outcome::Applied(Version::new(version)))
}

#[track_caller]
fn rejected(outcome: &Result<Outcome, steadyconf::report::DetectError>) -> &Arc<Rejection> {
    match outcome {
        Ok(Outcome::Rejected(rejection) | Outcome::Vetoed { rejection, .. }) => rejection,
        other => panic!("expected a rejection, got {other:?}"),
    }
}

fn value(engine: &Engine<u32>) -> u32 {
    *engine.active().expect("something is active").value()
}

/// A listener that writes down its calls, and fails where it is told to.
struct Noting {
    name: &'static str,
    journal: Journal,
    fails_in: Option<&'static str>,
    panics_in: Option<&'static str>,
}

impl Noting {
    fn new(name: &'static str, journal: &Journal) -> Self {
        Noting {
            name,
            journal: journal.clone(),
            fails_in: None,
            panics_in: None,
        }
    }

    fn call(&self, phase: &'static str, change: &Change<u32>) -> Result<(), BoxError> {
        let (old, new) = (change.old.version(), change.new.version());
        let name = self.name;
        self.journal.note(format!("{name} {phase} {old}->{new}"));
        assert_ne!(self.panics_in, Some(phase), "secret-in-a-panic");
        if self.fails_in == Some(phase) {
            return Err(format!("{phase} of {name} failed").into());
        }
        Ok(())
    }
}

impl Listener<u32> for Noting {
    fn prepare(&mut self, change: &Change<u32>) -> Result<(), BoxError> {
        self.call("prepare", change)
    }

    fn commit(&mut self, change: &Change<u32>) -> Result<(), BoxError> {
        self.call("commit", change)
    }

    fn abort(&mut self, change: &Change<u32>) {
        let _ = self.call("abort", change);
    }
}

#[test]
fn the_first_content_becomes_active_and_calls_nobody() {
    let journal = Journal::default();
    let mut engine = engine(&Number::default()).listener("a", Noting::new("a", &journal));
    let mut script = Script::default();
    assert_eq!(engine.poll(&mut script, ms(0)), Ok(Outcome::Unchanged));
    assert!(engine.active().is_none());
    script.shows("1");
    assert_eq!(engine.poll(&mut script, ms(1)), applied(1));
    assert_eq!(value(&engine), 1);
    assert!(journal.take().is_empty());
    assert_eq!(
        engine.events()[0].to_string(),
        "loaded v1 sha256:6b86b273ff34, from test"
    );
}

#[test]
fn g02_a_rejection_keeps_the_very_same_snapshot() {
    let mut engine = engine(&Number::default());
    let mut script = Script::default();
    script.shows("1");
    engine.poll(&mut script, ms(0)).unwrap();
    let before = engine.active().unwrap().clone();
    for (bad, stage) in [
        ("", Stage::Limits),
        (" \n\t", Stage::Limits),
        ("x", Stage::Parse),
        ("101", Stage::Validate),
    ] {
        script.shows(bad);
        let outcome = engine.poll(&mut script, ms(1));
        assert_eq!(rejected(&outcome).stage(), stage);
        assert!(Arc::ptr_eq(&before, engine.active().unwrap()), "{bad:?}");
    }
}

#[test]
fn g03_a_panic_costs_the_document_and_nothing_else() {
    let mut engine = engine(&Number::default());
    let mut script = Script::default();
    script.shows("1");
    engine.poll(&mut script, ms(0)).unwrap();

    for (bad, stage) in [("panic", Stage::Parse), ("99", Stage::Validate)] {
        script.shows(bad);
        let outcome = engine.poll(&mut script, ms(1));
        let rejection = rejected(&outcome);
        assert_eq!(rejection.stage(), stage);
        assert!(!rejection.to_string().contains("secret-in"), "{rejection}");
        assert!(rejection.to_string().contains("panicked"), "{rejection}");
        assert_eq!(value(&engine), 1);
    }
    script.panics();
    let error = engine.poll(&mut script, ms(2)).unwrap_err();
    assert_eq!(error.kind(), DetectErrorKind::Panicked);
    assert!(!error.to_string().contains("secret-in"), "{error}");

    script.shows("2");
    assert_eq!(engine.poll(&mut script, ms(3)), applied(2));
    assert!(engine.status().is_healthy());
}

#[test]
fn g03_a_listener_that_panics_does_not_stop_the_others() {
    for (fails_in, panics_in) in [(Some("commit"), None), (None, Some("commit"))] {
        let journal = Journal::default();
        let mut bad = Noting::new("bad", &journal);
        (bad.fails_in, bad.panics_in) = (fails_in, panics_in);
        let mut engine = engine(&Number::default())
            .listener("bad", bad)
            .listener("b", Noting::new("b", &journal));
        engine.apply(doc("1"), ms(0));
        let outcome = engine.apply(doc("2"), ms(1));
        assert_eq!(outcome, Outcome::Applied(Version::new(2)));
        assert_eq!(
            journal.take(),
            [
                "bad prepare v1->v2",
                "b prepare v1->v2",
                "bad commit v1->v2",
                "b commit v1->v2"
            ]
        );
        let [Event::Applied { .. }, Event::ListenerFailed { error, .. }] = engine.events() else {
            panic!("{:?}", engine.events());
        };
        assert_eq!(&*error.listener, "bad");
        assert!(!error.to_string().contains("secret-in"), "{error}");
        assert!(!engine.status().is_healthy());
        assert_eq!(engine.status().listener_errors.len(), 1);
    }
}

/// An error whose text cannot be had.
#[derive(Debug)]
struct Unprintable;

impl std::fmt::Display for Unprintable {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        panic!("secret-in-a-panic")
    }
}

impl std::error::Error for Unprintable {}

struct FailsUnprintably(&'static str);

impl Listener<u32> for FailsUnprintably {
    fn prepare(&mut self, _: &Change<u32>) -> Result<(), BoxError> {
        if self.0 == "prepare" {
            return Err(Unprintable.into());
        }
        Ok(())
    }

    fn commit(&mut self, _: &Change<u32>) -> Result<(), BoxError> {
        if self.0 == "commit" {
            return Err(Unprintable.into());
        }
        Ok(())
    }
}

#[test]
fn g03_an_error_that_panics_when_printed_is_an_error() {
    let journal = Journal::default();
    let mut engine = engine(&Number::default())
        .listener("a", Noting::new("a", &journal))
        .listener("bad", FailsUnprintably("prepare"));
    engine.apply(doc("1"), ms(0));
    let outcome = Ok(engine.apply(doc("2"), ms(1)));
    assert!(
        rejected(&outcome)
            .to_string()
            .contains("listener bad: panicked")
    );
    assert_eq!(journal.take(), ["a prepare v1->v2", "a abort v1->v2"]);
    assert!(!engine.status().is_healthy());

    let mut engine = crate::common::engine(&Number::default())
        .listener("bad", FailsUnprintably("commit"))
        .listener("b", Noting::new("b", &journal));
    engine.apply(doc("1"), ms(0));
    engine.apply(doc("2"), ms(1));
    assert_eq!(journal.take(), ["b prepare v1->v2", "b commit v1->v2"]);
    assert_eq!(engine.status().listener_errors.len(), 1);
    assert_eq!(engine.status().applied_at, Some(ms(1)));
}

/// A value whose destructor panics.
struct Grenade(u32);

impl Drop for Grenade {
    fn drop(&mut self) {
        // Not while a panic is under way, which would end the process.
        assert!(self.0 == 0 || std::thread::panicking(), "secret-in-a-panic");
    }
}

struct Grenades;

impl steadyconf::engine::Format<Grenade> for Grenades {
    fn parse(
        &self,
        document: &steadyconf::engine::Document,
        limits: &Limits,
        notes: &mut steadyconf::engine::Notes,
    ) -> Result<Grenade, steadyconf::Report> {
        let number = Number::default();
        steadyconf::engine::Format::parse(&number, document, limits, notes).map(Grenade)
    }
}

#[test]
fn g03_a_value_that_panics_when_it_is_dropped_ends_nothing() {
    struct Vetoes;
    impl Listener<Grenade> for Vetoes {
        fn prepare(&mut self, change: &Change<Grenade>) -> Result<(), BoxError> {
            if change.new.0 == 7 {
                return Err("not 7".into());
            }
            Ok(())
        }

        fn commit(&mut self, _: &Change<Grenade>) -> Result<(), BoxError> {
            Ok(())
        }
    }
    let mut engine = Engine::new(Grenades)
        .catch(crate::common::catch)
        .history(0)
        .validate(|value: &Grenade, report| {
            if value.0 == 8 {
                report.add("", "must not be 8");
            }
        })
        .listener("vetoes", Vetoes);
    engine.apply(doc("1"), ms(0));
    // Dropped as the old value, as a vetoed one, and as a refused one.
    let outcome = engine.apply(doc("2"), ms(1));
    assert_eq!(outcome, Outcome::Applied(Version::new(2)));
    let outcome = engine.apply(doc("7"), ms(2));
    assert!(matches!(outcome, Outcome::Vetoed { .. }), "{outcome:?}");
    let outcome = engine.apply(doc("8"), ms(3));
    assert!(matches!(outcome, Outcome::Rejected(_)), "{outcome:?}");
    let outcome = engine.apply(doc("0"), ms(4));
    assert!(matches!(outcome, Outcome::Applied(_)), "{outcome:?}");
    assert!(engine.status().is_healthy());
}

#[test]
fn g04_a_document_over_the_limit_is_not_parsed() {
    let number = Number::default();
    let mut engine = engine(&number).limits(Limits::default().max_bytes(4));
    let outcome = Ok(engine.apply(doc("00001"), ms(0)));
    assert_eq!(
        rejected(&outcome).problems()[0].to_string(),
        "test: larger than the limit of 4 bytes"
    );
    assert!(number.asked.take().is_empty());
}

#[test]
fn g09_failures_never_stop_it_and_recovery_shows() {
    let mut engine = engine(&Number::default());
    let mut script = Script::default();
    script.shows("1");
    engine.poll(&mut script, ms(0)).unwrap();
    for look in 1..=1000 {
        script.says(Err(gone()));
        assert_eq!(engine.poll(&mut script, ms(look)), Err(gone()));
        assert_eq!(engine.status().consecutive_failures, look);
    }
    // One problem is reported once when it begins …
    assert!(engine.events().is_empty());
    let error = engine.status().last_error.clone().unwrap();
    assert_eq!(error.failure, Failure::Source(gone()));
    assert_eq!(error.since, ms(1));
    // … and once when it ends.
    assert_eq!(engine.poll(&mut script, ms(1001)), Ok(Outcome::Unchanged));
    assert_eq!(engine.events().len(), 1);
    assert_eq!(engine.events()[0].to_string(), "can read test again");
    assert!(engine.status().is_healthy());
    assert_eq!(engine.status().consecutive_failures, 0);
}

#[test]
fn g10_the_same_bytes_make_no_version() {
    let journal = Journal::default();
    let number = Number::default();
    let mut engine = engine(&number).listener("a", Noting::new("a", &journal));
    engine.apply(doc("1"), ms(0));
    assert_eq!(engine.apply(doc("1"), ms(1)), Outcome::Unchanged);
    assert_eq!(number.asked.take(), ["1"]);
    assert!(journal.take().is_empty());
    assert!(engine.events().is_empty());
}

#[test]
fn g10_other_bytes_of_an_equal_value_make_no_version() {
    let journal = Journal::default();
    let number = Number::default();
    let mut engine = engine(&number)
        .skip_equal()
        .listener("a", Noting::new("a", &journal));
    let mut script = Script::default();
    engine.apply(doc("1"), ms(0));
    let first = engine.status().digest;
    script.shows("bad");
    engine.poll(&mut script, ms(1)).unwrap();
    number.asked.take();

    script.shows(" 1\n");
    assert_eq!(engine.poll(&mut script, ms(2)), Ok(Outcome::Unchanged));
    assert_ne!(engine.status().digest, first);
    assert_eq!(engine.status().version, Some(Version::new(1)));
    assert!(engine.status().is_healthy() && !engine.status().source_differs);
    assert!(matches!(engine.events(), [Event::Recovered { .. }]));
    // It is parsed once.
    for look in 3..6 {
        script.shows(" 1\n");
        assert_eq!(engine.poll(&mut script, ms(look)), Ok(Outcome::Unchanged));
    }
    assert_eq!(number.asked.take(), [" 1\n"]);
    // Back to the first bytes, and to another value.
    script.shows("1");
    assert_eq!(engine.poll(&mut script, ms(7)), Ok(Outcome::Unchanged));
    assert_eq!(engine.status().digest, first);
    assert!(journal.take().is_empty());
    script.shows("2");
    assert_eq!(engine.poll(&mut script, ms(8)), applied(2));
    // What is held after a rollback are the bytes that the source shows.
    script.shows(" 2");
    assert_eq!(engine.poll(&mut script, ms(9)), Ok(Outcome::Unchanged));
    assert_eq!(engine.rollback(ms(10)), Ok(Version::new(3)));
    assert_eq!(engine.poll(&mut script, ms(11)), Ok(Outcome::Quarantined));
}

#[test]
fn g10_a_then_bad_then_a_ends_healthy_at_the_version_of_a() {
    let mut engine = engine(&Number::default());
    engine.apply(doc("1"), ms(0));
    engine.apply(doc("bad"), ms(1));
    assert!(!engine.status().is_healthy());
    assert!(engine.status().source_differs);
    assert_eq!(engine.apply(doc("1"), ms(2)), Outcome::Unchanged);
    assert!(engine.status().is_healthy());
    assert!(!engine.status().source_differs);
    assert_eq!(engine.status().version, Some(Version::new(1)));
    let [Event::Recovered { version, .. }] = engine.events() else {
        panic!("{:?}", engine.events());
    };
    assert_eq!(*version, Version::new(1));
}

#[test]
fn g11_rejected_content_is_parsed_and_reported_once() {
    let number = Number::default();
    let mut engine = engine(&number);
    let mut script = Script::default();
    script.shows("1");
    engine.poll(&mut script, ms(0)).unwrap();
    script.shows("bad");
    let first = engine.poll(&mut script, ms(1));
    assert_eq!(engine.events().len(), 1);
    for look in 2..10 {
        if look % 2 == 0 {
            // Some detectors offer the same again.
            script.shows("bad");
        }
        let again = engine.poll(&mut script, ms(look));
        assert!(Arc::ptr_eq(rejected(&first), rejected(&again)));
        assert!(engine.events().is_empty());
    }
    assert_eq!(number.asked.take(), ["1", "bad"]);

    // An operator may have it judged anew; the same verdict is no news.
    engine.ask_again();
    let again = engine.poll(&mut script, ms(10));
    assert!(Arc::ptr_eq(rejected(&first), rejected(&again)));
    assert!(engine.events().is_empty());
    assert_eq!(number.asked.take(), ["bad"]);
    assert_eq!(engine.status().last_error.clone().unwrap().since, ms(1));
}

#[test]
fn g11_a_rejection_outlives_a_source_that_cannot_be_read() {
    let number = Number::default();
    let mut engine = engine(&number);
    let mut script = Script::default();
    engine.apply(doc("1"), ms(0));
    engine.apply(doc("bad"), ms(1));
    script.says(Err(gone()));
    engine.poll(&mut script, ms(2)).unwrap_err();
    let error = engine.status().last_error.clone().unwrap();
    assert_eq!(error.failure, Failure::Source(gone()));
    let outcome = engine.poll(&mut script, ms(3));
    let error = engine.status().last_error.clone().unwrap();
    assert_eq!(error.failure, Failure::Rejected(rejected(&outcome).clone()));
    assert_eq!(number.asked.take(), ["1", "bad"]);
}

#[test]
fn g14_everyone_prepares_then_everyone_commits_in_order() {
    let journal = Journal::default();
    let mut engine = engine(&Number::default())
        .listener("a", Noting::new("a", &journal))
        .listener("b", Noting::new("b", &journal));
    engine.apply(doc("1"), ms(0));
    engine.apply(doc("2"), ms(1));
    assert_eq!(
        journal.take(),
        [
            "a prepare v1->v2",
            "b prepare v1->v2",
            "a commit v1->v2",
            "b commit v1->v2"
        ]
    );
}

#[test]
fn g14_after_a_veto_the_prepared_ones_abort_in_reverse() {
    for (fails_in, panics_in) in [(Some("prepare"), None), (None, Some("prepare"))] {
        let journal = Journal::default();
        let mut bad = Noting::new("bad", &journal);
        (bad.fails_in, bad.panics_in) = (fails_in, panics_in);
        let mut panics_too = Noting::new("b", &journal);
        panics_too.panics_in = Some("abort");
        let mut engine = engine(&Number::default())
            .listener("a", Noting::new("a", &journal))
            .listener("b", panics_too)
            .listener("bad", bad)
            .listener("c", Noting::new("c", &journal));
        engine.apply(doc("1"), ms(0));
        let before = engine.active().unwrap().clone();
        let outcome = Ok(engine.apply(doc("2"), ms(1)));
        let rejection = rejected(&outcome);
        assert_eq!(rejection.stage(), Stage::Prepare);
        assert!(rejection.to_string().contains("listener bad: "));
        assert!(!rejection.to_string().contains("secret-in"));
        assert!(Arc::ptr_eq(&before, engine.active().unwrap()));
        assert_eq!(
            journal.take(),
            [
                "a prepare v1->v2",
                "b prepare v1->v2",
                "bad prepare v1->v2",
                "b abort v1->v2",
                "a abort v1->v2"
            ]
        );
    }
}

#[test]
fn g11_a_vetoed_candidate_is_tried_again_with_pauses() {
    let journal = Journal::default();
    let mut bad = Noting::new("bad", &journal);
    bad.fails_in = Some("prepare");
    let mut engine = engine(&Number::default()).listener("bad", bad);
    let mut script = Script::default();
    engine.apply(doc("1"), ms(0));
    let outcome = engine.apply(doc("2"), ms(0));
    let Outcome::Vetoed { retry_at, .. } = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(retry_at, ms(1000));
    assert_eq!(engine.events().len(), 1);
    journal.take();
    let mut offered = Vec::new();
    for look in 1..=200 {
        let outcome = engine.poll(&mut script, Duration::from_secs(look));
        rejected(&outcome);
        assert!(engine.events().is_empty(), "one veto is reported once");
        if let Some(call) = journal.take().pop() {
            offered.push(format!("{look} s: {call}"));
        }
    }
    assert_eq!(
        offered,
        [
            "1 s: bad prepare v1->v3",
            "3 s: bad prepare v1->v4",
            "7 s: bad prepare v1->v5",
            "15 s: bad prepare v1->v6",
            "31 s: bad prepare v1->v7",
            "63 s: bad prepare v1->v8",
            "123 s: bad prepare v1->v9",
            "183 s: bad prepare v1->v10",
        ]
    );
}

#[test]
fn a_long_interval_is_a_long_pause_after_a_veto() {
    let journal = Journal::default();
    let mut bad = Noting::new("bad", &journal);
    bad.fails_in = Some("prepare");
    let hour = Duration::from_secs(3600);
    let mut engine = engine(&Number::default())
        .interval(hour)
        .listener("bad", bad);
    let mut script = Script::default();
    engine.apply(doc("1"), ms(0));
    let mut retries = vec![engine.apply(doc("2"), ms(0))];
    engine.ask_again();
    retries.push(engine.poll(&mut script, ms(0)).unwrap());
    retries.push(engine.poll(&mut script, hour).unwrap());
    retries.push(engine.poll(&mut script, hour * 2).unwrap());
    let pauses = retries.iter().map(|outcome| match outcome {
        Outcome::Vetoed { retry_at, .. } => retry_at.as_secs() / 3600,
        other => panic!("{other:?}"),
    });
    assert_eq!(pauses.collect::<Vec<_>>(), [1, 1, 2, 3]);
}

#[test]
fn time_never_goes_back_and_the_next_poll_is_always_ahead() {
    let mut engine = engine(&Number::default()).interval(Duration::ZERO);
    let mut script = Script::default();
    engine.poll(&mut script, ms(50)).unwrap();
    engine.poll(&mut script, ms(20)).unwrap();
    assert_eq!(engine.status().last_poll, Some(ms(50)));
    assert_eq!(engine.next_poll(), ms(51));
    script.says(Ok(Sighting::Settling { until: ms(0) }));
    engine.poll(&mut script, ms(60)).unwrap();
    assert_eq!(engine.next_poll(), ms(61));
    engine.poll(&mut script, Duration::MAX).unwrap();
    assert_eq!(engine.next_poll(), Duration::MAX);
}

#[test]
fn settling_is_looked_at_when_it_asks_for_it() {
    let mut engine = engine(&Number::default());
    let mut script = Script::default();
    engine.apply(doc("1"), ms(0));
    assert_eq!(engine.next_poll(), ms(1000));
    script.says(Ok(Sighting::Settling { until: ms(200) }));
    let outcome = engine.poll(&mut script, ms(100));
    assert_eq!(outcome, Ok(Outcome::Settling { until: ms(200) }));
    assert_eq!(engine.next_poll(), ms(200));
    assert_eq!(engine.status().settling_since, Some(ms(100)));
    assert!(engine.status().source_differs);
    engine.poll(&mut script, ms(200)).unwrap();
    assert_eq!(engine.status().settling_since, None);
    assert!(!engine.status().source_differs);
}

#[test]
fn g20_a_restless_source_is_reported_once() {
    let mut engine = engine(&Number::default());
    let mut script = Script::default();
    engine.apply(doc("1"), ms(0));
    let mut told = Vec::new();
    for look in 0..200 {
        let now = ms(1000 + look * 100);
        script.says(Ok(Sighting::Settling {
            until: now + ms(100),
        }));
        engine.poll(&mut script, now).unwrap();
        told.extend(engine.events().iter().map(|e| format!("{now:?}: {e}")));
    }
    let line = "11s: keeping v1; the source has been changing for 10 s";
    assert_eq!(told, [line]);
    let error = engine.status().last_error.clone().unwrap();
    assert_eq!(
        (error.failure, error.since),
        (Failure::StillChanging, ms(1000))
    );
    assert!(!engine.status().is_healthy());
    engine.poll(&mut script, ms(30_000)).unwrap();
    let line = "recovered: the source is again v1 sha256:6b86b273ff34";
    assert_eq!(engine.events()[0].to_string(), line);
    assert!(engine.status().is_healthy());
    assert_eq!(engine.status().consecutive_failures, 0);
}

#[test]
fn g06_debug_of_what_may_hold_secrets_leaves_values_out() {
    let document = doc("sk-secret");
    let sighting = Sighting::Changed(document.clone());
    let mut engine = Engine::new(crate::common::Text);
    engine.apply(document.clone(), ms(0));
    let old = engine.active().unwrap().clone();
    let change = Change::new(old.clone(), old.clone());
    let printed = format!("{document:#?} {sighting:#?} {engine:#?} {old:#?} {change:#?}");
    assert!(!printed.contains("sk-secret"), "{printed}");
    // Nor as a list of bytes.
    assert!(!printed.contains("115"), "{printed}");
    assert!(printed.contains("sha256:"), "{printed}");
}

#[test]
fn g07_what_waits_for_a_retry_makes_no_loop_spin() {
    let mut script = Script::default();
    let mut engine = engine(&Number::default()).build(|config| match config {
        2 => Err("down"),
        _ => Ok(()),
    });
    for (at, text) in [(0, "1"), (1000, "2")] {
        script.shows(text);
        engine.poll(&mut script, ms(at)).unwrap();
    }
    for second in 2..10 {
        script.says(Err(gone()));
        let _ = engine.poll(&mut script, ms(second * 1000));
        assert_eq!(engine.next_poll(), ms(second * 1000 + 1000));
    }
    let until = ms(10_100);
    script.says(Ok(Sighting::Settling { until }));
    engine.poll(&mut script, ms(10_000)).unwrap();
    assert_eq!(engine.next_poll(), until);
}
