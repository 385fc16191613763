//! Fields that take effect only at a start, and what is said of them (G16).
#![cfg(feature = "yaml")]

use crate::common::{doc, ms};
use serde::Deserialize;
use steadyconf::engine::{Document, Engine, OnRestart};
use steadyconf::format::Yaml;
use steadyconf::report::PendingRestart;
use steadyconf::{Outcome, Version};

#[derive(Deserialize)]
struct Config {
    listen: String,
    workers: u16,
    name: String,
}

fn config(listen: &str, workers: u16, name: &str) -> Document {
    doc(&format!(
        "listen: {listen}\nworkers: {workers}\nname: {name}\n"
    ))
}

/// `listen` rejects, `workers` is applied.
fn engine() -> Engine<Config> {
    let engine = Engine::<Config>::new(Yaml::new())
        .validate(|config, report| {
            if config.name == "bad" {
                report.add("name", "must not be bad");
            }
        })
        .restart_only("listen", OnRestart::Reject, |config| &config.listen)
        .restart_only("workers", OnRestart::Apply, |config| &config.workers);
    let mut engine = engine;
    assert_eq!(
        engine.apply(config("a", 1, "one"), ms(0)),
        Outcome::Applied(Version::new(1))
    );
    assert_eq!(engine.status().pending_restart, None);
    engine
}

fn pending<T: 'static>(engine: &Engine<T>) -> Option<(Vec<String>, Option<bool>)> {
    let restart = engine.status().pending_restart?;
    let PendingRestart {
        fields,
        would_start,
        ..
    } = &restart;
    let fields = fields.iter().map(ToString::to_string).collect();
    Some((fields, *would_start))
}

fn of(fields: &[&str], would_start: bool) -> Option<(Vec<String>, Option<bool>)> {
    let fields = fields.iter().map(ToString::to_string).collect();
    Some((fields, Some(would_start)))
}

#[test]
fn g16_a_field_that_needs_a_restart_rejects_by_name() {
    let mut engine = engine();
    let Outcome::Rejected(rejection) = engine.apply(config("b", 1, "two"), ms(1000)) else {
        panic!("not rejected");
    };
    let problem = rejection.problems()[0].to_string();
    assert!(
        problem.ends_with(":1:9: listen: needs a restart"),
        "{problem}"
    );
    assert_eq!(pending(&engine), of(&["listen"], true));
    assert!(
        engine
            .status()
            .to_string()
            .contains("a restart is pending for: listen")
    );
    // What is wrong besides counts more, and would stop a start, too.
    engine.apply(config("b", 1, "bad"), ms(2000));
    assert_eq!(pending(&engine), None);
    engine.apply(config("a", 1, "two"), ms(3000));
    assert_eq!(pending(&engine), None);
    assert!(engine.status().is_healthy());
}

#[test]
fn g16_a_field_that_is_applied_leaves_a_restart_pending() {
    let mut engine = engine();
    let outcome = engine.apply(config("a", 2, "two"), ms(1000));
    assert_eq!(outcome, Outcome::Applied(Version::new(2)));
    let said = engine.events()[0].to_string();
    assert!(said.ends_with("; needs a restart: workers"), "{said}");
    assert_eq!(pending(&engine), of(&["workers"], true));
    assert!(engine.status().is_healthy());
    // It stays, whatever else changes, until the field is what it was at the start.
    engine.apply(config("a", 2, "three"), ms(2000));
    assert_eq!(pending(&engine), of(&["workers"], true));
    engine.apply(config("a", 2, "bad"), ms(3000));
    assert_eq!(pending(&engine), of(&["workers"], false));
    let said = engine.status().to_string();
    assert!(
        said.contains("with what is at the source now, it would fail"),
        "{said}"
    );
    engine.apply(config("b", 3, "four"), ms(4000));
    assert_eq!(
        pending(&engine),
        of(&["listen"], true),
        "which is what a start waits for"
    );
    engine.apply(config("a", 1, "four"), ms(5000));
    assert_eq!(pending(&engine), None);
}

#[test]
fn g16_a_rollback_ends_what_was_pending() {
    let mut engine = engine();
    engine.apply(config("a", 2, "two"), ms(1000));
    engine.rollback(ms(2000)).unwrap();
    // A start would still take what is at the source, but what runs is what was started.
    assert_eq!(pending(&engine), None);
}

#[test]
fn g16_fields_are_declared_before_or_after_a_build() {
    let mut engine = Engine::<Config>::new(Yaml::new())
        .restart_only("workers", OnRestart::Apply, |config| &config.workers)
        .build(|config| Ok::<_, std::convert::Infallible>(config.name.clone()))
        .restart_only("built", OnRestart::Apply, |built| &built.state);
    engine.apply(config("a", 1, "one"), ms(0));
    engine.apply(config("a", 2, "two"), ms(1000));
    assert_eq!(pending(&engine), of(&["workers", "built"], true));
}

#[test]
fn g03_a_field_that_panics_when_compared_needs_a_restart() {
    struct Panics;
    impl PartialEq for Panics {
        fn eq(&self, _: &Self) -> bool {
            panic!("compared");
        }
    }
    static PANICS: Panics = Panics;
    let mut engine = Engine::<Config>::new(Yaml::new())
        .catch(crate::common::catch)
        .restart_only("listen", OnRestart::Reject, |_| &PANICS);
    engine.apply(config("a", 1, "one"), ms(0));
    let outcome = engine.apply(config("a", 1, "two"), ms(1000));
    assert!(matches!(outcome, Outcome::Rejected(_)), "{outcome:?}");
}
