//! Many instances that see the same content apply it one after the other, without a
//! server.
#![cfg(feature = "std")]

use std::time::Duration;

use crate::common::{DEADLINE, Number, Script, Text, doc, file, ms, save};
use steadyconf::engine::Engine;
use steadyconf::report::Event;
use steadyconf::{Outcome, Reloader, Version};

const WINDOW: Duration = Duration::from_secs(100);

fn instance(name: &str) -> Engine<u32> {
    let mut engine = Engine::new(Number::default()).stagger(WINDOW, name);
    // The first load does not wait.
    let loaded = engine.apply(doc("1"), Duration::ZERO);
    assert_eq!(loaded, Outcome::Applied(Version::new(1)));
    engine
}

fn until(outcome: &Outcome) -> Duration {
    match outcome {
        Outcome::Staggered { until } => *until,
        outcome => panic!("{outcome}"),
    }
}

#[test]
fn g07_instances_come_one_after_the_other_and_all_come() {
    let (mut early, mut seen) = (0, Vec::new());
    for name in 0..200 {
        let mut engine = instance(&format!("host-{name}"));
        let script = Script::default();
        script.shows("2");
        let outcome = engine.poll(&mut script.clone(), ms(1000));
        let due = until(&outcome.unwrap());
        assert!(due >= ms(1000) && due < ms(1000) + WINDOW);
        assert_eq!(engine.next_poll(), due.min(ms(2000)));
        let status = engine.status();
        assert_eq!(
            (status.staggered_until, status.source_differs),
            (Some(due), true)
        );
        assert!(status.is_healthy());
        assert!(matches!(engine.events(), [Event::Staggered { .. }]));
        // It waits its time, and is told of once.
        let before = engine.poll(&mut script.clone(), due - ms(1));
        assert_eq!(before, Ok(Outcome::Staggered { until: due }));
        assert!(engine.events().is_empty());
        let applied = engine.poll(&mut script.clone(), due);
        assert_eq!(applied, Ok(Outcome::Applied(Version::new(2))));
        assert_eq!(engine.status().staggered_until, None);
        early += usize::from(due < ms(1000) + WINDOW / 10);
        seen.push(due);
    }
    assert!(
        (5..40).contains(&early),
        "{early} of 200 in the first tenth"
    );
    seen.dedup();
    assert!(seen.len() > 190, "they come one by one");
}

#[test]
fn g10_what_is_taken_back_in_time_is_never_applied() {
    let mut engine = instance("host-1");
    assert!(until(&engine.apply(doc("2"), ms(1000))) > ms(2000));
    assert_eq!(engine.apply(doc("1"), ms(1500)), Outcome::Unchanged);
    assert_eq!(
        engine.poll(&mut Script::default(), ms(1000) + WINDOW),
        Ok(Outcome::Unchanged)
    );
    assert_eq!(engine.status().reloads, 1);

    // Another change waits for a time of its own; the bad one is not even judged.
    let bad = until(&engine.apply(doc("bad"), ms(200_000)));
    let good = until(&engine.apply(doc("3"), bad - ms(1)));
    assert!(good > bad - ms(1));
    assert_eq!(
        engine.apply(doc("3"), good),
        Outcome::Applied(Version::new(2))
    );
    assert_eq!(engine.status().rejections, 0);
}

#[test]
fn g11_what_waited_and_is_rejected_is_judged_once() {
    let mut engine = instance("host-1");
    let due = until(&engine.apply(doc("bad"), ms(1000)));
    assert!(matches!(
        engine.apply(doc("bad"), due),
        Outcome::Rejected(_)
    ));
    assert!(matches!(
        engine.apply(doc("bad"), due + WINDOW),
        Outcome::Rejected(_)
    ));
    assert_eq!(engine.status().rejections, 1);
    // A panic in the parser is a rejection like any other.
    let due = until(&engine.apply(doc("7"), due + WINDOW));
    assert!(matches!(engine.apply(doc("7"), due), Outcome::Applied(_)));
}

#[test]
fn g07_who_asks_does_not_wait() {
    let mut engine = instance("host-1");
    until(&engine.apply(doc("2"), ms(1000)));
    engine.ask_again();
    assert_eq!(
        engine.apply(doc("2"), ms(1001)),
        Outcome::Applied(Version::new(2))
    );
    // Nor does a rollback; and what it left stays quarantined.
    assert_eq!(engine.rollback(ms(1002)), Ok(Version::new(3)));
    assert_eq!(engine.apply(doc("2"), ms(1003)), Outcome::Quarantined);

    let (_folder, path) = file("one");
    let reloader = Reloader::from_file_as(&path, Text)
        .stagger(Duration::from_secs(3600), "host-1")
        .load()
        .unwrap();
    save(&path, "two");
    // Also if the content has yet to settle.
    let receipt = reloader.reload(DEADLINE);
    assert_eq!(receipt.outcome, Ok(Outcome::Applied(Version::new(2))));
}

/// A revert is the cure: whoever has the bad content already does not wait for it.
#[test]
fn g07_what_was_active_before_comes_back_at_once() {
    let mut engine = instance("host-1");
    let due = until(&engine.apply(doc("2"), ms(1000)));
    assert_eq!(
        engine.apply(doc("2"), due),
        Outcome::Applied(Version::new(2))
    );
    assert_eq!(
        engine.apply(doc("1"), due + ms(1)),
        Outcome::Applied(Version::new(3))
    );

    // So is a source that is mended after a start from the last known good.
    let mut engine = Engine::new(Number::default()).stagger(WINDOW, "host-1");
    engine
        .start_from_last_good(doc("1"), "disk", ms(0))
        .unwrap();
    assert_eq!(
        engine.apply(doc("2"), ms(1000)),
        Outcome::Applied(Version::new(2))
    );
}

/// However often it changes, what is there is applied within the window.
#[test]
fn g07_a_source_that_changes_often_is_applied_all_the_same() {
    let mut engine = instance("host-1");
    let mut now = ms(1000);
    let mut applied = 0;
    while now < ms(1000) + WINDOW {
        let number = 2 + now.as_secs() % 7;
        applied += u32::from(matches!(
            engine.apply(doc(&number.to_string()), now),
            Outcome::Applied(_)
        ));
        now += ms(3000);
    }
    let last = engine.apply(doc("9"), now);
    assert!(applied > 0 || matches!(last, Outcome::Applied(_)), "{last}");
}

#[test]
fn g20_the_status_is_true_while_content_waits() {
    // What was rolled back from is not so any more once it is active again.
    let mut engine = instance("host-1");
    let due = until(&engine.apply(doc("2"), ms(1000)));
    engine.apply(doc("2"), due);
    engine.rollback(due + ms(1)).unwrap();
    assert!(engine.status().quarantined.is_some());
    until(&engine.apply(doc("3"), due + ms(2)));
    engine.rollback_to(Version::new(2), due + ms(3)).unwrap();
    let status = engine.status();
    assert_eq!((status.quarantined, status.is_healthy()), (None, true));

    // Nobody knows whether a start would succeed with what was never judged.
    let mut engine = Engine::new(Number::default())
        .stagger(WINDOW, "host-1")
        .restart_only("port", steadyconf::engine::OnRestart::Apply, |port| port);
    engine.apply(doc("1"), ms(0));
    let due = until(&engine.apply(doc("2"), ms(1000)));
    engine.apply(doc("2"), due);
    let pending = |engine: &Engine<u32>| engine.status().pending_restart.unwrap().would_start;
    assert_eq!(pending(&engine), Some(true));
    until(&engine.apply(doc("3"), due + ms(1)));
    assert_eq!(pending(&engine), None);

    // What is taken back is told of.
    engine.apply(doc("2"), due + ms(2));
    assert!(matches!(engine.events(), [Event::TakenBack { .. }]));
}

/// Somebody asked, but could not be served: that is not for what comes an hour later.
#[test]
fn g07_what_was_asked_for_in_vain_is_over() {
    let mut engine = instance("host-1");
    let script = Script::default();
    script.says(Err(crate::common::gone()));
    engine.ask_again();
    engine.poll(&mut script.clone(), ms(1000)).unwrap_err();
    script.shows("2");
    let later = engine.poll(&mut script.clone(), ms(3_600_000)).unwrap();
    until(&later);
}
