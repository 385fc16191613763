//! Going back: by hand, to a version, and by itself after a listener failed.
//! Selectors and what may change at all stand here, too.

use std::sync::Arc;

use crate::common::{Journal, Number, Script, doc, engine, ms};
use steadyconf::engine::{BoxError, Engine, OnCommitError};
use steadyconf::report::{Event, RollbackError, Stage};
use steadyconf::{Change, Listener, Outcome, Version};

fn v(number: u64) -> Version {
    Version::new(number)
}

/// Notes its calls; fails at the values it is told to.
struct Fails {
    journal: Journal,
    in_prepare: u32,
    in_commit: u32,
}

impl Fails {
    fn at(journal: &Journal, in_prepare: u32, in_commit: u32) -> Self {
        Fails {
            journal: journal.clone(),
            in_prepare,
            in_commit,
        }
    }

    fn call(&self, phase: &str, change: &Change<u32>, fails: u32) -> Result<(), BoxError> {
        let (old, new) = (change.old.version(), change.new.version());
        let value = *change.new.value();
        self.journal.note(format!("{phase} {old}->{new} {value}"));
        if value == fails {
            return Err(format!("no {value} in {phase}").into());
        }
        Ok(())
    }
}

impl Listener<u32> for Fails {
    fn prepare(&mut self, change: &Change<u32>) -> Result<(), BoxError> {
        self.call("prepare", change, self.in_prepare)
    }

    fn commit(&mut self, change: &Change<u32>) -> Result<(), BoxError> {
        self.call("commit", change, self.in_commit)
    }

    fn abort(&mut self, change: &Change<u32>) {
        let _ = self.call("abort", change, 0);
    }
}

fn value(engine: &Engine<u32>) -> (u32, Version) {
    let active = engine.active().unwrap();
    (*active.value(), active.version())
}

fn lines(engine: &Engine<u32>) -> Vec<String> {
    engine.events().iter().map(ToString::to_string).collect()
}

/// Refuses every step to a smaller number.
fn never_shrinking() -> Engine<u32> {
    engine(&Number::default()).validate_change(|old, new, report| {
        if new < old {
            report.add("", "must not shrink");
        }
    })
}

#[test]
fn g17_a_rollback_is_a_new_version_of_old_content() {
    let journal = Journal::default();
    let number = Number::default();
    let mut engine = engine(&number).listener("a", Fails::at(&journal, 0, 0));
    let mut script = Script::default();
    for (at, text) in ["1", "2", "3"].into_iter().enumerate() {
        script.shows(text);
        engine.poll(&mut script, ms(at as u64)).unwrap();
    }
    journal.take();
    number.asked.take();
    let three = engine.active().unwrap().clone();

    assert_eq!(engine.rollback(ms(10)), Ok(v(4)));
    assert_eq!(value(&engine), (2, v(4)));
    assert_eq!(journal.take(), ["prepare v3->v4 2", "commit v3->v4 2"]);
    assert_eq!(
        lines(&engine),
        ["rolled back from v3: v4 sha256:d4735e3a265e is v2 again"]
    );
    assert!(number.asked.take().is_empty(), "nothing is parsed");
    assert_ne!(engine.active().unwrap().digest(), three.digest());

    // What was rolled back from is held, at every poll, and told as such.
    for look in 11..20 {
        if look % 2 == 0 {
            script.shows("3");
        }
        assert_eq!(engine.poll(&mut script, ms(look)), Ok(Outcome::Quarantined));
        assert!(engine.events().is_empty());
        let status = engine.status();
        assert_eq!(status.quarantined, Some(three.digest()));
        assert!(status.source_differs && !status.is_healthy());
    }
    // Until the source changes. Then it may come again, too.
    script.shows("5");
    let outcome = engine.poll(&mut script, ms(20));
    assert_eq!(outcome, Ok(Outcome::Applied(v(5))));
    assert!(engine.status().quarantined.is_none() && engine.status().is_healthy());
    script.shows("3");
    let outcome = engine.poll(&mut script, ms(21));
    assert_eq!(outcome, Ok(Outcome::Applied(v(6))));
}

#[test]
fn g17_the_source_that_goes_back_by_itself_is_no_change() {
    let mut engine = engine(&Number::default());
    let mut script = Script::default();
    for text in ["1", "2"] {
        script.shows(text);
        engine.poll(&mut script, ms(0)).unwrap();
    }
    assert_eq!(engine.rollback(ms(1)), Ok(v(3)));
    script.shows("1");
    assert_eq!(engine.poll(&mut script, ms(2)), Ok(Outcome::Unchanged));
    assert!(engine.status().is_healthy());
    assert_eq!(value(&engine), (1, v(3)));
}

#[test]
fn g17_one_may_go_back_further_and_to_a_version() {
    let mut engine = engine(&Number::default());
    for (at, text) in ["1", "2", "3", "4"].into_iter().enumerate() {
        engine.apply(doc(text), ms(at as u64));
    }
    assert_eq!(engine.rollback_to(v(2), ms(10)), Ok(v(5)));
    assert_eq!(value(&engine), (2, v(5)));
    let error = engine.rollback_to(v(5), ms(11)).unwrap_err();
    assert_eq!(error, RollbackError::IsActive(v(5)));
    // The same content under its older version.
    let error = engine.rollback_to(v(2), ms(11)).unwrap_err();
    assert_eq!(error, RollbackError::IsActive(v(2)));
    let error = engine.rollback_to(v(99), ms(11)).unwrap_err();
    assert_eq!(error.to_string(), "no rollback: v99 is not remembered");
    // 4 was rolled back from, 2 is active: 3 is the newest that is neither.
    assert_eq!(engine.rollback(ms(12)), Ok(v(6)));
    assert_eq!(value(&engine), (3, v(6)));
}

/// With every rollback it goes further back, and nowhere forward.
#[test]
fn g17_rollbacks_one_after_the_other_go_further_back() {
    let mut engine = engine(&Number::default());
    let mut script = Script::default();
    for text in ["1", "2", "3", "4"] {
        script.shows(text);
        engine.poll(&mut script, ms(0)).unwrap();
    }
    for expected in [3, 2, 1] {
        engine.rollback(ms(1)).unwrap();
        assert_eq!(value(&engine).0, expected);
        assert_eq!(engine.poll(&mut script, ms(2)), Ok(Outcome::Quarantined));
    }
    assert_eq!(
        engine.rollback(ms(3)),
        Err(RollbackError::NothingToGoBackTo)
    );
    // Once something new has come from the source, all of it is history.
    script.shows("9");
    engine.poll(&mut script, ms(4)).unwrap();
    engine.rollback(ms(5)).unwrap();
    assert_eq!(value(&engine).0, 1);
}

#[test]
fn g17_where_values_are_compared_equal_bytes_are_no_way_back() {
    let mut engine = engine(&Number::default()).skip_equal();
    let mut script = Script::default();
    for text in ["1", "2", "2 "] {
        script.shows(text);
        engine.poll(&mut script, ms(0)).unwrap();
    }
    engine.rollback(ms(1)).unwrap();
    assert_eq!(value(&engine).0, 1);
    assert_eq!(engine.poll(&mut script, ms(2)), Ok(Outcome::Quarantined));
    assert_eq!(
        engine.rollback(ms(3)),
        Err(RollbackError::NothingToGoBackTo)
    );
}

/// What is held is what the source shows, and only while it shows it.
#[test]
fn g17_an_edit_is_an_edit_whatever_was_rolled_back_from_before() {
    // The source shows 5, which is rejected; 9 is rolled back from; 5 is applied;
    // then the source shows 9.
    let mut engine = never_shrinking();
    let mut script = Script::default();
    for text in ["1", "9", "5"] {
        script.shows(text);
        engine.poll(&mut script, ms(0)).unwrap();
    }
    engine.rollback(ms(1)).unwrap();
    assert!(engine.status().quarantined.is_none());
    let outcome = engine.poll(&mut script, ms(2)).unwrap();
    assert!(matches!(outcome, Outcome::Applied(_)), "{outcome:?}");
    script.shows("9");
    let outcome = engine.poll(&mut script, ms(3)).unwrap();
    assert!(matches!(outcome, Outcome::Applied(_)), "{outcome:?}");

    // Back, and forward again by hand: then the source is the active one.
    let mut engine = crate::common::engine(&Number::default());
    for text in ["1", "2"] {
        script.shows(text);
        engine.poll(&mut script, ms(0)).unwrap();
    }
    engine.rollback(ms(1)).unwrap();
    assert!(engine.status().quarantined.is_some() && engine.status().source_differs);
    engine.rollback_to(v(2), ms(2)).unwrap();
    let status = engine.status();
    assert!(status.quarantined.is_none() && !status.source_differs && status.is_healthy());
    assert_eq!(engine.poll(&mut script, ms(3)), Ok(Outcome::Unchanged));
    script.shows("1");
    let outcome = engine.poll(&mut script, ms(4)).unwrap();
    assert!(matches!(outcome, Outcome::Applied(_)), "{outcome:?}");
}

/// Content that a listener could not take into use is no place to go back to.
#[test]
fn g17_what_failed_is_not_gone_back_to() {
    let journal = Journal::default();
    let mut engine = engine(&Number::default())
        .on_commit_error(OnCommitError::RollBack)
        .listener("bad", Fails::at(&journal, 0, 2));
    for text in ["5", "1", "2", "1"] {
        engine.apply(doc(text), ms(0));
    }
    assert_eq!(value(&engine).0, 1);
    engine.rollback(ms(1)).unwrap();
    assert_eq!(value(&engine).0, 5);
}

#[test]
fn g17_no_more_is_remembered_than_was_asked_for() {
    let mut engine = engine(&Number::default()).history(2);
    assert_eq!(
        engine.rollback(ms(0)),
        Err(RollbackError::NothingToGoBackTo)
    );
    let held = Arc::downgrade({
        engine.apply(doc("1"), ms(0));
        engine.active().unwrap()
    });
    assert_eq!(
        engine.rollback(ms(0)),
        Err(RollbackError::NothingToGoBackTo)
    );
    for n in 2..=4 {
        engine.apply(doc(&n.to_string()), ms(n));
    }
    assert!(held.upgrade().is_none(), "v1 is forgotten");
    let error = engine.rollback_to(v(1), ms(10)).unwrap_err();
    assert_eq!(error, RollbackError::NotRemembered(v(1)));
    assert_eq!(engine.rollback_to(v(2), ms(11)), Ok(v(5)));
}

#[test]
fn g14_a_rollback_may_be_vetoed_and_changes_nothing_then() {
    let journal = Journal::default();
    let mut engine = engine(&Number::default()).listener("a", Fails::at(&journal, 1, 0));
    engine.apply(doc("1"), ms(0));
    engine.apply(doc("2"), ms(1));
    let before = engine.active().unwrap().clone();
    let Err(RollbackError::Vetoed(rejection)) = engine.rollback(ms(2)) else {
        panic!("expected a veto");
    };
    assert_eq!(rejection.stage(), Stage::Prepare);
    assert!(
        rejection
            .to_string()
            .contains("listener a: no 1 in prepare")
    );
    assert!(Arc::ptr_eq(&before, engine.active().unwrap()));
    assert!(engine.status().quarantined.is_none());
    // The version was given, and is not given again.
    assert_eq!(engine.apply(doc("3"), ms(3)), Outcome::Applied(v(4)));
}

#[test]
fn g17_a_commit_error_rolls_back_after_the_round() {
    let journal = Journal::default();
    let mut engine = engine(&Number::default())
        .on_commit_error(OnCommitError::RollBack)
        .listener("bad", Fails::at(&journal, 0, 2))
        .listener("b", Fails::at(&journal, 0, 0));
    let mut script = Script::default();
    script.shows("1");
    engine.poll(&mut script, ms(0)).unwrap();
    script.shows("2");
    let outcome = engine.poll(&mut script, ms(1));
    assert_eq!(outcome, Ok(Outcome::RolledBack(v(3))));
    assert_eq!(value(&engine), (1, v(3)));
    assert_eq!(
        journal.take(),
        [
            "prepare v1->v2 2",
            "prepare v1->v2 2",
            "commit v1->v2 2",
            "commit v1->v2 2",
            "prepare v2->v3 1",
            "prepare v2->v3 1",
            "commit v2->v3 1",
            "commit v2->v3 1",
        ]
    );
    assert_eq!(
        lines(&engine),
        [
            "applied v2 sha256:d4735e3a265e in place of v1, from test",
            "v2 is active, but listener bad: no 2 in commit",
            "rolled back from v2: v3 sha256:6b86b273ff34 is v1 again",
        ]
    );
    assert_eq!(engine.poll(&mut script, ms(2)), Ok(Outcome::Quarantined));
    assert!(engine.status().listener_errors.is_empty());
}

#[test]
fn g17_a_rollback_never_triggers_another() {
    let journal = Journal::default();
    // Both fail: the new content, and the old one when it comes back.
    let mut engine = engine(&Number::default())
        .on_commit_error(OnCommitError::RollBack)
        .listener("at 2", Fails::at(&journal, 0, 2))
        .listener("at 1", Fails::at(&journal, 0, 1));
    engine.apply(doc("1"), ms(0));
    let outcome = engine.apply(doc("2"), ms(1));
    assert_eq!(outcome, Outcome::RolledBack(v(3)));
    assert_eq!(engine.status().listener_errors.len(), 1);
    assert!(!engine.status().is_healthy());

    // And one that is vetoed leaves what is there, loudly.
    let mut engine = crate::common::engine(&Number::default())
        .on_commit_error(OnCommitError::RollBack)
        .listener("bad", Fails::at(&journal, 1, 2));
    engine.apply(doc("1"), ms(0));
    let outcome = engine.apply(doc("2"), ms(1));
    assert_eq!(outcome, Outcome::Applied(v(2)));
    let last = engine.events().last();
    assert!(
        matches!(last, Some(Event::RollbackFailed { .. })),
        "{last:?}"
    );
    let told = lines(&engine).pop().unwrap();
    assert!(told.starts_with("keeping v2; no rollback: "), "{told}");
}

#[test]
fn g16_what_needs_a_restart_is_rejected_by_name() {
    let asked = Journal::default();
    let note = asked.clone();
    let mut engine = engine(&Number::default()).validate_change(move |old, new, report| {
        note.note(format!("{old}->{new}"));
        assert_ne!(*new, 77, "secret-in-a-panic");
        if old / 10 != new / 10 {
            report.add("server.port", "needs a restart");
        }
    });
    // Not at the first load; on every change, once the others are content.
    engine.apply(doc("11"), ms(0));
    assert!(asked.take().is_empty());
    engine.apply(doc("12"), ms(1));
    engine.apply(doc("101"), ms(2));
    assert_eq!(asked.take(), ["11->12"]);
    for (text, why) in [
        ("21", "test: server.port: needs a restart"),
        ("77", "a validator panicked"),
    ] {
        let outcome = engine.apply(doc(text), ms(3));
        let Outcome::Rejected(rejection) = outcome else {
            panic!("{outcome:?}");
        };
        assert_eq!(rejection.stage(), Stage::Validate);
        assert!(rejection.to_string().contains(why), "{rejection}");
        assert!(!rejection.to_string().contains("secret-in"), "{rejection}");
        assert_eq!(value(&engine), (12, v(2)));
    }
}

/// What was rejected for the step from one value may be fine from another.
#[test]
fn g16_after_a_rollback_what_was_rejected_is_judged_anew() {
    let mut engine = never_shrinking();
    let mut script = Script::default();
    for text in ["1", "9", "5"] {
        script.shows(text);
        engine.poll(&mut script, ms(0)).unwrap();
    }
    assert_eq!(value(&engine), (9, v(2)));
    assert_eq!(engine.rollback(ms(1)), Ok(v(3)));
    assert_eq!(value(&engine), (1, v(3)));
    let outcome = engine.poll(&mut script, ms(2));
    assert_eq!(outcome, Ok(Outcome::Applied(v(4))));
    assert_eq!(value(&engine), (5, v(4)));
    assert!(engine.status().is_healthy());
}

#[test]
fn a_selector_is_called_only_if_its_part_differs() {
    struct Pair;
    impl steadyconf::engine::Format<(u32, u32)> for Pair {
        fn parse(
            &self,
            document: &steadyconf::engine::Document,
            _: &steadyconf::engine::Limits,
            _: &mut steadyconf::engine::Notes,
        ) -> Result<(u32, u32), steadyconf::Report> {
            let text = String::from_utf8_lossy(document.layers()[0].bytes()).into_owned();
            let (a, b) = text.split_once(' ').unwrap();
            Ok((a.parse().unwrap(), b.parse().unwrap()))
        }
    }
    let journal = Journal::default();
    let (first, second) = (journal.clone(), journal.clone());
    let mut engine = Engine::new(Pair)
        .on_change_of(
            |pair: &(u32, u32)| &pair.0,
            move |old, new| {
                first.note(format!("first {old}->{new}"));
                Ok(())
            },
        )
        .on_change_of(
            |pair| &pair.1,
            move |old, new| {
                second.note(format!("second {old}->{new}"));
                Ok(())
            },
        );
    for text in ["1 1", "2 1", "2 2", "3 3"] {
        engine.apply(doc(text), ms(0));
    }
    let expected = ["first 1->2", "second 1->2", "first 2->3", "second 2->3"];
    assert_eq!(journal.take(), expected);
}

#[cfg(feature = "values")]
mod host {
    use std::sync::{Arc, OnceLock, Weak};
    use std::time::Duration;

    use crate::common::{DEADLINE, file, save, wait_until};
    use steadyconf::handle::Waited;
    use steadyconf::{Handle, Reloader};

    use super::*;

    #[test]
    fn g17_readers_and_those_who_wait_see_a_rollback() {
        let (_folder, path) = file("1");
        let reloader = Reloader::<u32>::from_file(&path)
            .interval(ms(5))
            .settle(ms(5))
            .load()
            .unwrap();
        let handle: Handle<u32> = reloader.handle();
        reloader.start().unwrap();
        save(&path, "2");
        wait_until("2", || *handle.load().value() == 2);
        let seen = handle.load().version();
        assert_eq!(reloader.rollback(), Ok(v(3)));
        assert_eq!((*handle.load().value(), handle.load().version()), (1, v(3)));
        let waited = handle.wait_newer(seen, DEADLINE);
        assert!(matches!(waited, Waited::Newer(loaded) if *loaded.value() == 1));
        wait_until("it is held", || {
            let status = reloader.status();
            status.quarantined.is_some() && status.last_poll > status.applied_at
        });
        assert_eq!(reloader.reload(DEADLINE).outcome, Ok(Outcome::Quarantined));
        assert_eq!(*handle.load().value(), 1);
        save(&path, "3");
        wait_until("3", || *handle.load().value() == 3);
        assert_eq!(reloader.rollback_to(v(1)).map(Version::get), Ok(5));
    }

    #[test]
    fn g17_a_rollback_from_inside_a_callback_is_an_error() {
        let (_folder, path) = file("1");
        let itself = Arc::new(OnceLock::<Weak<Reloader<u32>>>::new());
        let inside = itself.clone();
        let reloader = Reloader::<u32>::from_file(&path)
            .settle(Duration::ZERO)
            .on_commit(move |_| {
                let reloader = inside.get().unwrap().upgrade().unwrap();
                assert_eq!(reloader.rollback(), Err(RollbackError::InsideCallback));
                Ok(())
            })
            .load()
            .unwrap();
        let reloader = Arc::new(reloader);
        itself.set(Arc::downgrade(&reloader)).unwrap();
        save(&path, "2");
        assert_eq!(reloader.poll_once(), Ok(Outcome::Applied(v(2))));
        assert!(reloader.status().listener_errors.is_empty());
    }

    /// Who polls, reloads and rolls back at once never leaves a split state:
    /// versions only grow, and one version is one value.
    #[test]
    fn g15_polls_reloads_and_rollbacks_at_once() {
        use std::collections::BTreeMap;
        use std::sync::Mutex;
        use std::sync::atomic::{AtomicBool, Ordering};
        use std::thread;

        const LAST: u32 = 120;
        let (_folder, path) = file("1");
        let seen = Arc::new(Mutex::new(BTreeMap::from([(1, 1)])));
        let note = seen.clone();
        let reloader = Reloader::<u32>::from_file(&path)
            .interval(ms(1))
            .settle(Duration::ZERO)
            .on_commit(move |change| {
                assert!(change.new.version() > change.old.version());
                let (version, value) = (change.new.version().get(), *change.new.value());
                let before = note.lock().unwrap().insert(version, value);
                assert_eq!(before, None, "each version is committed once");
                Ok(())
            })
            .load()
            .unwrap();
        reloader.start().unwrap();
        let done = AtomicBool::new(false);
        let result = thread::scope(|scope| {
            for n in 0..4 {
                let (reloader, done) = (&reloader, &done);
                scope.spawn(move || {
                    let handle = reloader.handle();
                    let mut last = 0;
                    while !done.load(Ordering::Relaxed) {
                        match n {
                            0 => drop(reloader.rollback()),
                            1 => drop(reloader.reload(ms(5)).outcome),
                            2 => drop(reloader.poll_once()),
                            _ => {}
                        }
                        let version = handle.load().version().get();
                        assert!(version >= last);
                        last = version;
                        thread::sleep(ms(1));
                    }
                });
            }
            let result = std::panic::catch_unwind(|| {
                for n in 2..=LAST {
                    save(&path, &n.to_string());
                    thread::sleep(ms(1));
                }
            });
            done.store(true, Ordering::Relaxed);
            result
        });
        result.unwrap();
        // The last may be held after a rollback; another one is not.
        save(&path, "1000");
        wait_until("the last", || *reloader.handle().load().value() == 1000);
        reloader.stop();
        assert!(reloader.status().listener_errors.is_empty());
        let seen = seen.lock().unwrap();
        let active = reloader.handle().load();
        assert_eq!(seen.get(&active.version().get()), Some(active.value()));
        assert_eq!(
            seen.last_key_value().map(|(v, _)| *v),
            Some(active.version().get())
        );
    }
}

#[test]
fn g20_the_status_counts_and_prints_what_came_of_everything() {
    let mut script = Script::default();
    let mut engine = engine(&Number::default());
    assert_eq!(
        engine.status().to_string(),
        "nothing is loaded\nnot healthy\nreloads: 0, rejections: 0, rollbacks: 0"
    );
    for text in ["1", "2", "bad", "101"] {
        script.shows(text);
        engine.poll(&mut script, ms(1500)).unwrap();
        // However often it is looked at.
        engine.poll(&mut script, ms(2500)).unwrap();
    }
    engine.rollback(ms(3000)).unwrap();
    let status = engine.status();
    let counted = (status.reloads, status.rejections, status.rollbacks);
    assert_eq!(counted, (2, 2, 1));
    assert_eq!(
        status.to_string(),
        "v3 sha256:6b86b273ff34 is active, from test\nnot healthy\n\
         since 2.5 s: sha256:16dc368a89b4 fails validation, 1 problem:\n  \
         test: must be at most 100\n\
         reloads: 2, rejections: 2, rollbacks: 1"
    );
    script.shows("2");
    assert_eq!(
        engine.poll(&mut script, ms(4000)),
        Ok(Outcome::Applied(v(4)))
    );
    let status = engine.status().to_string();
    assert!(
        status.starts_with("v4 sha256:d4735e3a265e is active, from test\nhealthy"),
        "{status}"
    );
}
