//! What the status, the outcome and the events say is true at every moment.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::common::{Number, Script, doc, engine, gone, ms};
use steadyconf::engine::*;
use steadyconf::report::*;
use steadyconf::*;

fn v(n: u64) -> Version {
    Version::new(n)
}

/// Numbers; `1u` has an unknown key.
struct Keys;
impl Format<u32> for Keys {
    fn parse(&self, d: &Document, _: &Limits, notes: &mut Notes) -> Result<u32, Report> {
        let text = String::from_utf8_lossy(d.layers()[0].bytes()).into_owned();
        if text.contains('u') {
            notes.unknown_key(Problem::new("zzz", "unknown key"));
        }
        text.trim()
            .trim_end_matches('u')
            .parse()
            .map_err(|_| Report::from(Problem::new("", "no")))
    }
}

/// what counts once counts again if the words differ
#[test]
fn g20_a_document_counts_as_one_rejection() {
    let mut n = 0;
    struct Veto<F>(F);
    impl<F: FnMut() -> String + Send> Listener<u32> for Veto<F> {
        fn prepare(&mut self, _: &Change<u32>) -> Result<(), BoxError> {
            Err((self.0)().into())
        }
        fn commit(&mut self, _: &Change<u32>) -> Result<(), BoxError> {
            Ok(())
        }
    }
    let mut engine = engine(&Number::default()).listener(
        "port",
        Veto(move || {
            n += 1;
            format!("no answer after {n} tries")
        }),
    );
    let mut script = Script::default();
    script.shows("1");
    engine.poll(&mut script, ms(0)).unwrap();
    script.shows("2");
    for t in 1..400 {
        engine.poll(&mut script, ms(t * 1000)).unwrap();
    }
    assert_eq!(
        engine.status().rejections,
        1,
        "however often that is looked at, it counts once"
    );
}

/// warnings
#[test]
fn g20_a_rollback_brings_the_warnings_back() {
    let mut engine = Engine::new(Keys).catch(crate::common::catch);
    engine.apply(doc("1u"), ms(0));
    assert_eq!(engine.status().warnings.len(), 1);
    engine.apply(doc("2"), ms(1));
    engine.rollback(ms(2)).unwrap();
    assert_eq!(
        engine.status().warnings.len(),
        1,
        "keys of the active snapshot that no field takes"
    );
}
#[test]
fn g20_warnings_end_with_the_bytes_that_had_them() {
    let mut engine = Engine::new(Keys).catch(crate::common::catch).skip_equal();
    engine.apply(doc("1"), ms(0));
    engine.apply(doc("1u"), ms(1));
    assert_eq!(engine.status().warnings.len(), 1);
    assert_eq!(engine.apply(doc("1"), ms(2)), Outcome::Unchanged);
    assert!(
        engine.status().warnings.is_empty(),
        "the key is gone: {}",
        engine.status()
    );
}
#[test]
fn g20_warnings_come_back_with_their_bytes() {
    let mut engine = Engine::new(Keys).catch(crate::common::catch).skip_equal();
    engine.apply(doc("1u"), ms(0));
    engine.apply(doc("1"), ms(1));
    assert!(engine.status().warnings.is_empty());
    assert_eq!(engine.apply(doc("1u"), ms(2)), Outcome::Unchanged);
    assert_eq!(engine.status().warnings.len(), 1);
}
#[test]
fn g20_a_start_from_the_last_known_good_has_warnings() {
    let mut engine = Engine::new(Keys).catch(crate::common::catch);
    let mut script = Script::default();
    script.says(Err(gone()));
    let _ = engine.poll(&mut script, ms(0));
    engine
        .start_from_last_good(doc("1u"), "lkg", ms(0))
        .unwrap();
    assert_eq!(engine.status().warnings.len(), 1);
}

/// missing, settling, missing, settling: half of the time healthy
#[test]
fn g20_unreadable_and_settling_by_turns_is_not_healthy() {
    let mut engine = engine(&Number::default());
    let mut script = Script::default();
    script.shows("1");
    engine.poll(&mut script, ms(0)).unwrap();
    let mut lines = 0;
    let mut healthy = 0;
    for t in 1..=120u64 {
        if t % 2 == 0 {
            script.says(Ok(Sighting::Settling {
                until: ms(t * 1000 + 100),
            }));
        } else {
            script.says(Err(gone()));
        }
        let _ = engine.poll(&mut script, ms(t * 1000));
        lines += engine.events().len();
        healthy += u32::from(engine.status().is_healthy());
    }
    assert_eq!(
        (healthy, engine.status().consecutive_failures),
        (0, 120),
        "{lines} lines; status:\n{}",
        engine.status()
    );
}

/// the end of a hold is in no log
#[test]
fn g09_the_end_of_a_quarantine_is_reported() {
    let mut engine = engine(&Number::default());
    let mut script = Script::default();
    for text in ["1", "2"] {
        script.shows(text);
        engine.poll(&mut script, ms(0)).unwrap();
    }
    engine.rollback(ms(1)).unwrap();
    assert!(!engine.status().is_healthy());
    script.shows("1");
    assert_eq!(engine.poll(&mut script, ms(2)), Ok(Outcome::Unchanged));
    assert!(engine.status().is_healthy());
    assert!(
        !engine.events().is_empty(),
        "one line for each change of state"
    );
}

/// Recovered names a digest that is not at the source
#[test]
fn g20_recovered_names_the_digest_at_the_source() {
    let mut engine = engine(&Number::default()).skip_equal();
    engine.apply(doc("1"), ms(0));
    engine.apply(doc("bad"), ms(1));
    engine.apply(doc("1 "), ms(2));
    let [Event::Recovered { digest, .. }] = engine.events() else {
        panic!()
    };
    assert_eq!(
        *digest,
        doc("1 ").digest(),
        "sha256sum tells which file a digest means"
    );
}

/// the end of `StillChanging`
#[test]
fn g09_the_end_of_still_changing_is_always_told() {
    for skip in ["refused", "held", "unknown key"] {
        let mut e = Engine::new(Keys).catch(crate::common::catch);
        if skip == "unknown key" {
            e = e.skip_equal();
        }
        let mut script = Script::default();
        for text in ["1", "2"] {
            script.shows(text);
            e.poll(&mut script, ms(0)).unwrap();
        }
        match skip {
            "refused" => script.shows("bad"),
            "held" => {
                e.rollback(ms(1)).unwrap();
            }
            _ => {}
        }
        e.poll(&mut script, ms(1)).unwrap();
        for t in [2, 7, 13, 14] {
            script.says(Ok(Sighting::Settling {
                until: ms(t * 1000 + 100),
            }));
            e.poll(&mut script, ms(t * 1000)).unwrap();
        }
        assert!(matches!(
            e.status().last_error.as_ref().unwrap().failure,
            Failure::StillChanging
        ));
        if skip == "unknown key" {
            script.shows("2u");
        }
        e.poll(&mut script, ms(15_000)).unwrap();
        let told = e
            .events()
            .iter()
            .any(|e| !matches!(e, Event::UnknownKeys { .. }));
        println!(
            "{skip}: told {told}: {:?}",
            e.events()
                .iter()
                .map(std::string::ToString::to_string)
                .collect::<Vec<_>>()
        );
        assert!(
            told,
            "{skip}: the last word in the log is that it changes all the time"
        );
    }
}

/// a rollback by hand to something unproven, and the end of its window
#[test]
fn g17_a_rollback_onto_probation_moves_the_next_poll() {
    let mut engine = engine(&Number::default())
        .interval(ms(60_000))
        .probation(ms(10_000), |_: &Snapshot<u32>| Ok::<(), String>(()));
    let mut script = Script::default();
    script.shows("1");
    engine.poll(&mut script, ms(0)).unwrap();
    script.shows("2");
    engine.poll(&mut script, ms(1000)).unwrap(); // 1 is unproven
    engine.poll(&mut script, ms(11_000)).unwrap(); // 2 has passed
    assert_eq!(engine.next_poll(), ms(71_000));
    engine.rollback(ms(12_000)).unwrap();
    assert_eq!(
        engine.status().probation.as_ref().unwrap().until,
        ms(22_000)
    );
    assert!(
        engine.next_poll() <= ms(22_000),
        "next poll at {:?}",
        engine.next_poll()
    );
}

/// with `skip_equal`, redeemed by bytes and blamed by value
#[test]
fn g17_an_equal_value_that_did_well_redeems() {
    let fail = Arc::new(AtomicBool::new(true));
    let fails = fail.clone();
    let mut engine = engine(&Number::default())
        .skip_equal()
        .on_commit_error(OnCommitError::RollBack)
        .on_commit(move |c| match **c.new {
            1 if fails.load(Ordering::Relaxed) => Err("not now".into()),
            _ => Ok(()),
        });
    engine.apply(doc("5"), ms(0));
    assert_eq!(engine.apply(doc("1"), ms(1)), Outcome::RolledBack(v(3)));
    fail.store(false, Ordering::Relaxed);
    // Another value ends the quarantine; then the same value as before does well.
    assert_eq!(engine.apply(doc("1 "), ms(2)), Outcome::Quarantined);
    assert_eq!(engine.apply(doc("7"), ms(2)), Outcome::Applied(v(4)));
    assert_eq!(engine.apply(doc("1 "), ms(2)), Outcome::Applied(v(5)));
    assert_eq!(engine.apply(doc("2"), ms(3)), Outcome::Applied(v(6)));
    engine.rollback(ms(4)).unwrap();
    assert_eq!(
        **engine.active().unwrap().clone(),
        1,
        "the newest before, which did well"
    );
}

/// `skip_equal`: a comment added to what failed its probation applies it again
#[test]
fn g17_an_equal_value_stays_quarantined() {
    let mut engine = engine(&Number::default()).skip_equal();
    engine.apply(doc("1"), ms(0));
    engine.apply(doc("2"), ms(1));
    engine.rollback(ms(2)).unwrap();
    assert_eq!(engine.apply(doc("2"), ms(3)), Outcome::Quarantined);
    assert_eq!(
        engine.apply(doc("2 "), ms(4)),
        Outcome::Quarantined,
        "an edit that changes no value is no change"
    );
}

/// `skip_equal`: back and forward again leaves a hold on what stands for the active snapshot
#[test]
fn g17_back_and_forward_again_is_where_it_was() {
    let mut engine = engine(&Number::default()).skip_equal();
    engine.apply(doc("1"), ms(0));
    engine.apply(doc("2"), ms(1));
    assert_eq!(engine.apply(doc("2 "), ms(2)), Outcome::Unchanged);
    assert!(engine.status().is_healthy());
    engine.rollback(ms(3)).unwrap();
    engine.rollback_to(v(2), ms(4)).unwrap();
    let outcome = engine.apply(doc("2 "), ms(5));
    assert_eq!(outcome, Outcome::Unchanged, "{}", engine.status());
    assert!(engine.status().is_healthy());
}

/// probation and many edits: what is proven is forgotten first
#[test]
fn g17_what_is_proven_survives_many_edits() {
    let sick = Arc::new(AtomicBool::new(false));
    let is = sick.clone();
    let mut engine = engine(&Number::default()).probation(ms(600_000), move |s: &Snapshot<u32>| {
        if **s > 1 && is.load(Ordering::Relaxed) {
            Err("sick")
        } else {
            Ok(())
        }
    });
    engine.apply(doc("1"), ms(0));
    engine.apply(doc("1"), ms(600_000));
    assert!(engine.status().probation.is_none(), "1 is proven");
    for n in 2..=10u64 {
        engine.apply(doc(&n.to_string()), ms(600_000 + n));
    }
    sick.store(true, Ordering::Relaxed);
    engine.apply(doc("10"), ms(601_000));
    assert_eq!(
        **engine.active().unwrap().clone(),
        1,
        "to what has proved itself"
    );
}

/// hours between two looks are no hours of change
#[test]
fn g20_a_suspended_process_reports_no_hour_of_changing() {
    let mut engine = engine(&Number::default());
    let mut script = Script::default();
    script.shows("1");
    engine.poll(&mut script, ms(0)).unwrap();
    script.says(Ok(Sighting::Settling { until: ms(1100) }));
    engine.poll(&mut script, ms(1000)).unwrap();
    // SIGSTOP for an hour; somebody saved once more meanwhile.
    script.says(Ok(Sighting::Settling {
        until: ms(3_600_100),
    }));
    engine.poll(&mut script, ms(3_600_000)).unwrap();
    assert!(engine.events().is_empty(), "{}", engine.events()[0]);
}

/// `from_last_good` after going back to it
#[test]
fn g18_going_back_to_the_last_known_good_shows() {
    let mut engine = engine(&Number::default());
    let mut script = Script::default();
    script.says(Err(gone()));
    let _ = engine.poll(&mut script, ms(0));
    engine.start_from_last_good(doc("1"), "lkg", ms(0)).unwrap();
    script.shows("2");
    engine.poll(&mut script, ms(1)).unwrap();
    engine.rollback(ms(2)).unwrap();
    assert!(engine.status().from_last_good);
}

/// `history()` on an engine that has looked
#[test]
fn g17_history_shrinks_when_asked_to() {
    let mut e = engine(&Number::default());
    for n in 1..=9 {
        e.apply(doc(&n.to_string()), ms(n));
    }
    e = e.history(1);
    e.apply(doc("10"), ms(10));
    assert!(e.rollback_to(v(5), ms(11)).is_err());
}

#[test]
fn g20_a_rollback_ends_the_row_of_failures() {
    let mut e = engine(&Number::default()).validate_change(|old, new, r| {
        if new < old {
            r.add("", "must not shrink");
        }
    });
    let mut script = Script::default();
    for t in ["1", "9", "1"] {
        script.shows(t);
        e.poll(&mut script, ms(0)).unwrap();
    }
    assert_eq!(e.status().consecutive_failures, 1);
    e.rollback(ms(1)).unwrap();
    let s = e.status();
    assert!(s.is_healthy() && s.last_error.is_none());
    assert_eq!(s.consecutive_failures, 0);
}

#[test]
fn g03_a_bare_engine_is_consistent_after_a_panic() {
    let mut engine = Engine::new(Number::default()).on_commit(|c| {
        assert_ne!(**c.new, 2);
        Ok(())
    });
    engine.apply(doc("1"), ms(0));
    let _ = catch_unwind(AssertUnwindSafe(|| engine.apply(doc("2"), ms(1))));
    engine.apply(doc("2"), ms(2));
    let active = engine.active().unwrap().version();
    assert_eq!(engine.status().version, Some(active), "{}", engine.status());
}

/// Missing, then bad: in between healthy.
#[test]
fn g20_missing_then_bad_is_never_healthy_in_between() {
    let mut e = crate::common::engine(&Number::default());
    let mut s = Script::default();
    s.shows("1");
    e.poll(&mut s, ms(0)).unwrap();
    s.says(Err(gone()));
    let _ = e.poll(&mut s, ms(1000));
    assert!(!e.status().is_healthy());
    s.says(Ok(Sighting::Settling { until: ms(2100) }));
    let _ = e.poll(&mut s, ms(2000));
    let between = e.status().is_healthy();
    s.shows("bad");
    let _ = e.poll(&mut s, ms(2100));
    assert!(!e.status().is_healthy());
    assert!(!between, "healthy in between");
}

/// A rollback is hidden where the poll ends with something else.
#[test]
fn g20_an_outcome_does_not_hide_a_rollback() {
    use std::sync::atomic::{AtomicBool, Ordering};
    let sick = Arc::new(AtomicBool::new(false));
    let is = sick.clone();
    let mut e =
        crate::common::engine(&Number::default()).probation(ms(5000), move |s: &Snapshot<u32>| {
            if **s == 2 && is.load(Ordering::Relaxed) {
                Err("sick")
            } else {
                Ok(())
            }
        });
    let mut s = Script::default();
    s.shows("1");
    e.poll(&mut s, ms(0)).unwrap();
    e.poll(&mut s, ms(5000)).unwrap();
    s.shows("2");
    e.poll(&mut s, ms(6000)).unwrap();
    sick.store(true, Ordering::Relaxed);
    s.shows("1");
    let o = e.poll(&mut s, ms(7000)).unwrap();
    assert_ne!(o, Outcome::Unchanged, "a new version is active");
}
