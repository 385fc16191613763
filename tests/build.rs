//! State that is built from a configuration, and read together with it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::common::{Journal, Number, Script, engine, ms};
use steadyconf::engine::{BoxError, Built, Engine, Final};
use steadyconf::report::Stage;
use steadyconf::{Change, Listener, Outcome, Version};

fn v(number: u64) -> Version {
    Version::new(number)
}

/// Stands for a client: knows which configuration it was made for.
#[derive(Debug, PartialEq)]
struct Client {
    of: u32,
    serial: usize,
}

/// Makes clients; cannot while `down`, and never for 13 and 66.
#[derive(Clone, Default)]
struct Factory {
    made: Arc<AtomicUsize>,
    down: Arc<AtomicBool>,
}

impl Factory {
    fn make(&self, config: &u32) -> Result<Client, String> {
        assert_ne!(*config, 66, "secret-in-a-panic");
        if *config == 13 || self.down.load(Ordering::Relaxed) {
            return Err(String::from("the certificate is missing"));
        }
        let serial = self.made.fetch_add(1, Ordering::Relaxed);
        Ok(Client {
            of: *config,
            serial,
        })
    }

    fn made(&self) -> usize {
        self.made.load(Ordering::Relaxed)
    }
}

type State = Built<u32, Client>;

fn building(factory: &Factory) -> Engine<State> {
    let factory = factory.clone();
    engine(&Number::default()).build(move |config| factory.make(config))
}

#[track_caller]
fn active(engine: &Engine<State>) -> (u32, usize) {
    let built = engine.active().unwrap();
    assert_eq!(built.state.of, *built.config, "made for each other");
    (*built.config, built.state.serial)
}

fn lines(engine: &Engine<State>) -> Vec<String> {
    engine.events().iter().map(ToString::to_string).collect()
}

#[test]
fn g01_what_was_built_is_read_with_its_configuration() {
    let (factory, mut script) = (Factory::default(), Script::default());
    let mut engine = building(&factory);
    for (at, text) in ["1", "2"].into_iter().enumerate() {
        script.shows(text);
        engine.poll(&mut script, ms(at as u64)).unwrap();
    }
    assert_eq!(active(&engine), (2, 1));
    engine.rollback(ms(2)).unwrap();
    assert_eq!(active(&engine), (1, 0), "the very same client as before");
    assert_eq!(factory.made(), 2);
}

#[test]
fn g02_nothing_is_built_from_what_is_rejected() {
    let (factory, mut script) = (Factory::default(), Script::default());
    let mut engine = building(&factory).validate(|built, report| {
        if built.state.of == 7 {
            report.add("", "no client for 7");
        }
    });
    script.shows("1");
    engine.poll(&mut script, ms(0)).unwrap();
    for text in ["x", "101", "99"] {
        script.shows(text);
        let outcome = engine.poll(&mut script, ms(1));
        assert!(matches!(outcome, Ok(Outcome::Rejected(_))));
    }
    assert_eq!(factory.made(), 1);
    // One may also validate what was built.
    script.shows("7");
    let Ok(Outcome::Rejected(rejection)) = engine.poll(&mut script, ms(2)) else {
        panic!("not rejected");
    };
    assert_eq!(rejection.stage(), Stage::Validate);
    assert_eq!((factory.made(), active(&engine)), (2, (1, 0)));
}

#[test]
fn g11_what_cannot_be_built_is_tried_again() {
    let (factory, mut script) = (Factory::default(), Script::default());
    let (number, make) = (Number::default(), factory.clone());
    let mut engine = engine(&number).build(move |config| make.make(config));
    script.shows("1");
    engine.poll(&mut script, ms(0)).unwrap();
    factory.down.store(true, Ordering::Relaxed);
    script.shows("2");
    let before = engine.active().unwrap().clone();
    let Ok(Outcome::Rejected(rejection)) = engine.poll(&mut script, ms(1000)) else {
        panic!("not rejected");
    };
    assert_eq!(rejection.stage(), Stage::Build);
    assert_eq!(
        lines(&engine),
        [
            "keeping v1; sha256:d4735e3a265e cannot be built, 1 problem:\n  \
          test: the certificate is missing"
        ]
    );
    assert_eq!(engine.next_poll(), ms(2000));
    number.asked.take();
    for second in 2..200 {
        let outcome = engine.poll(&mut script, ms(second * 1000));
        assert!(matches!(outcome, Ok(Outcome::Rejected(_))));
        assert!(lines(&engine).is_empty(), "told once");
    }
    // After 1, 2, 4, … and then every 60 seconds.
    assert_eq!(number.asked.take().len(), 8);
    assert!(Arc::ptr_eq(&before, engine.active().unwrap()));
    factory.down.store(false, Ordering::Relaxed);
    let recovered = (200..300).find(|second| {
        let outcome = engine.poll(&mut script, ms(second * 1000));
        outcome == Ok(Outcome::Applied(v(2)))
    });
    assert!(recovered.is_some(), "within the longest pause");
    assert!(engine.status().is_healthy());
}

#[test]
fn g11_a_validator_of_what_was_built_is_asked_again() {
    let (factory, mut script) = (Factory::default(), Script::default());
    let silent = Arc::new(AtomicBool::new(true));
    let pool = silent.clone();
    let mut engine = building(&factory).validate(move |built, report| {
        if built.state.of == 2 && pool.load(Ordering::Relaxed) {
            report.add("", "the pool does not answer");
        }
    });
    for (at, text) in [(0, "1"), (1000, "2")] {
        script.shows(text);
        engine.poll(&mut script, ms(at)).unwrap();
    }
    silent.store(false, Ordering::Relaxed);
    let outcome = engine.poll(&mut script, ms(2000));
    assert_eq!(outcome, Ok(Outcome::Applied(v(2))));
}

#[test]
fn g20_another_reason_is_no_new_beginning() {
    let mut script = Script::default();
    let mut tries = 0;
    let mut engine = engine(&Number::default()).build(move |config| {
        tries += 1;
        match config {
            2 => Err(format!("no route (try {tries})")),
            _ => Ok(()),
        }
    });
    script.shows("1");
    engine.poll(&mut script, ms(0)).unwrap();
    script.shows("2");
    for second in 1..100 {
        engine.poll(&mut script, ms(second * 1000)).unwrap();
    }
    let error = engine.status().last_error.unwrap();
    assert_eq!(error.since, ms(1000));
}

#[test]
fn g03_a_panic_while_building_is_a_rejection_without_its_words() {
    let (factory, mut script) = (Factory::default(), Script::default());
    let mut engine = building(&factory);
    script.shows("1");
    engine.poll(&mut script, ms(0)).unwrap();
    script.shows("66");
    let Ok(Outcome::Rejected(rejection)) = engine.poll(&mut script, ms(1)) else {
        panic!("not rejected");
    };
    assert_eq!(rejection.stage(), Stage::Build);
    assert!(!rejection.to_string().contains("secret-in"), "{rejection}");
    assert!(rejection.to_string().contains("the build panicked"));
    script.shows("3");
    assert!(engine.poll(&mut script, ms(2)).is_ok());
    assert_eq!(active(&engine), (3, 1));
}

/// Notes what it sees of the configuration alone.
struct Sees(Journal);

impl Listener<u32> for Sees {
    fn prepare(&mut self, change: &Change<u32>) -> Result<(), BoxError> {
        self.note("prepare", change);
        if **change.new == 5 {
            return Err("not five".into());
        }
        Ok(())
    }

    fn commit(&mut self, change: &Change<u32>) -> Result<(), BoxError> {
        self.note("commit", change);
        Ok(())
    }

    fn abort(&mut self, change: &Change<u32>) {
        self.note("abort", change);
    }
}

impl Sees {
    fn note(&self, phase: &str, change: &Change<u32>) {
        let (old, new) = (&change.old, &change.new);
        assert_eq!(
            new.document().layers()[0].bytes(),
            new.to_string().as_bytes()
        );
        let (from, to) = (old.version(), new.version());
        self.0
            .note(format!("{phase} {from} {} {to} {}", ***old, ***new));
    }
}

#[test]
fn g14_earlier_listeners_see_what_later_ones_do_not() {
    let (factory, mut script, journal) =
        (Factory::default(), Script::default(), Journal::default());
    let make = factory.clone();
    let (parts, states) = (journal.clone(), journal.clone());
    let mut engine = engine(&Number::default())
        .validate_change(|old, new, report| {
            if *new == 50 && *old != 50 {
                report.add("", "needs a restart");
            }
        })
        .listener("sees", Sees(journal.clone()))
        .on_change_of(
            |config| config,
            move |old, new| {
                parts.note(format!("part {old} {new}"));
                Ok(())
            },
        )
        .build(move |config| make.make(config))
        .on_commit(move |change| {
            states.note(format!("state {}", change.new.state.of));
            Ok(())
        });
    for text in ["1", "2", "5", "50"] {
        script.shows(text);
        engine.poll(&mut script, ms(0)).unwrap();
    }
    assert_eq!(
        journal.take(),
        [
            "prepare v1 1 v2 2",
            "commit v1 1 v2 2",
            "part 1 2",
            "state 2",
            "prepare v2 2 v3 5",
        ]
    );
    assert_eq!(lines(&engine).len(), 1);
    assert!(lines(&engine)[0].contains("needs a restart"));
}

#[test]
fn g10_an_edit_that_changes_no_value_builds_nothing() {
    let (factory, mut script) = (Factory::default(), Script::default());
    let make = factory.clone();
    let mut engine = engine(&Number::default())
        .skip_equal()
        .build(move |config| make.make(config));
    for text in ["1", " 1", "2", "1\n"] {
        script.shows(text);
        engine.poll(&mut script, ms(0)).unwrap();
    }
    assert_eq!(factory.made(), 3);
    assert_eq!(active(&engine), (1, 2));
    // Of equal values, so not what one would go back to.
    engine.rollback(ms(1)).unwrap();
    assert_eq!(active(&engine), (2, 1));
}

#[test]
fn a_check_from_before_sees_the_configuration() {
    let (factory, mut script) = (Factory::default(), Script::default());
    let mut engine = engine(&Number::default())
        .probation(ms(5000), |config| match **config {
            2 => Err("two"),
            _ => Ok(()),
        })
        .build(move |config| factory.make(config));
    for (second, text) in [(0, "1"), (6, "1"), (7, "2")] {
        script.shows(text);
        engine.poll(&mut script, ms(second * 1000)).unwrap();
    }
    let outcome = engine.poll(&mut script, ms(8000));
    assert_eq!(outcome, Ok(Outcome::RolledBack(v(3))));
    assert_eq!(active(&engine), (1, 0));
}

#[test]
#[should_panic(expected = "before the first poll")]
fn it_cannot_be_asked_for_once_something_is_active() {
    let mut script = Script::default();
    let mut engine = engine(&Number::default());
    script.shows("1");
    engine.poll(&mut script, ms(0)).unwrap();
    let _ = engine.build(|config| Ok::<_, BoxError>(*config));
}

#[test]
fn debug_of_what_was_built_leaves_values_out() {
    let built = Built::new(String::from("sk-canary"), "canary");
    assert_eq!(format!("{built:?}"), "Built { .. }");
    assert_eq!(
        (built.config.as_str(), built.state),
        ("sk-canary", "canary")
    );
}

/// What comes from the document is not tried again; what comes from the world is.
#[test]
fn g11_a_final_build_error_is_not_tried_again() {
    let (mut script, tries) = (Script::default(), Arc::new(AtomicUsize::new(0)));
    let count = tries.clone();
    let mut engine = engine(&Number::default()).build(move |config| -> Result<(), BoxError> {
        count.fetch_add(1, Ordering::Relaxed);
        match config {
            2 => Err(Final::new("there is no such cipher").into()),
            _ => Ok(()),
        }
    });
    for text in ["1", "2"] {
        script.shows(text);
        engine.poll(&mut script, ms(0)).unwrap();
    }
    for second in 1..100 {
        let outcome = engine.poll(&mut script, ms(second * 1000)).unwrap();
        let Outcome::Rejected(rejection) = outcome else {
            panic!("{outcome:?}");
        };
        assert!(rejection.to_string().contains("there is no such cipher"));
    }
    assert_eq!(tries.load(Ordering::Relaxed), 2);
    engine.ask_again();
    engine.poll(&mut script, ms(100_000)).unwrap();
    assert_eq!(tries.load(Ordering::Relaxed), 3, "an operator may ask");
}

#[test]
fn what_was_built_before_can_be_kept() {
    let (factory, mut script) = (Factory::default(), Script::default());
    let make = factory.clone();
    let mut engine =
        engine(&Number::default()).build_from(move |config, previous: Option<&Arc<Client>>| {
            match previous {
                // The same tens: only the log level changed, say.
                Some(client) if client.of / 10 == config / 10 => Ok(client.clone()),
                _ => make.make(config).map(Arc::new),
            }
        });
    for text in ["11", "12", "21"] {
        script.shows(text);
        engine.poll(&mut script, ms(0)).unwrap();
    }
    assert_eq!(factory.made(), 2);
    assert_eq!(engine.active().unwrap().state.of, 21);
    engine.rollback(ms(1)).unwrap();
    let built = engine.active().unwrap();
    assert_eq!((*built.config, built.state.of), (12, 11));
}
