//! Normalizers: what changes a value between parsing and validation.

use crate::common::{Journal, Number, Script, catch, doc, engine, ms};
use steadyconf::engine::{BoxError, Engine};
use steadyconf::report::{Rejection, Stage};
use steadyconf::{Outcome, Report, Version};

/// Rounds down to tens.
fn to_tens(value: &mut u32, _: &mut Report) {
    *value = *value / 10 * 10;
}

fn poll(engine: &mut Engine<u32>, script: &Script, text: &str, at: u64) -> Outcome {
    script.shows(text);
    engine.poll(&mut script.clone(), ms(at)).unwrap()
}

#[track_caller]
fn rejection(outcome: Outcome) -> std::sync::Arc<Rejection> {
    match outcome {
        Outcome::Rejected(rejection) => rejection,
        other => panic!("{other:?}"),
    }
}

#[test]
fn g01_everybody_sees_what_is_normalized() {
    let (journal, script) = (Journal::default(), Script::default());
    let (validated, stepped, built, told) = (
        journal.clone(),
        journal.clone(),
        journal.clone(),
        journal.clone(),
    );
    let mut engine = Engine::new(Number::default())
        .validate(move |value, _| validated.note(format!("validate {value}")))
        .validate_change(move |old, new, _| stepped.note(format!("step {old} {new}")))
        .normalize(to_tens)
        .normalize(|value, _| *value += 1)
        .build(move |value| {
            built.note(format!("build {value}"));
            Ok::<_, BoxError>(*value)
        })
        .on_commit(move |change| {
            told.note(format!("commit {}", change.new.config));
            Ok(())
        });
    for text in ["17", "29"] {
        script.shows(text);
        engine.poll(&mut script.clone(), ms(0)).unwrap();
    }
    assert_eq!(
        journal.take(),
        [
            "validate 11",
            "build 11",
            "validate 21",
            "step 11 21",
            "build 21",
            "commit 21"
        ]
    );
    let active = engine.active().unwrap();
    assert_eq!((*active.config, active.state), (21, 21));
    assert_eq!(active.document(), &doc("29"), "the bytes are the source's");
}

#[test]
fn g02_what_a_normalizer_reports_rejects_the_document() {
    let (journal, script) = (Journal::default(), Script::default());
    let (later, validator) = (journal.clone(), journal.clone());
    let mut engine = Engine::new(Number::default())
        .normalize(|value, report| {
            if *value > 50 {
                report.add("", "has no parent");
                report.add("", "nor a sibling");
            }
        })
        .normalize(move |_, _| later.note("normalize"))
        .validate(move |_, _| validator.note("validate"));
    poll(&mut engine, &script, "7", 0);
    assert_eq!(journal.take(), ["normalize", "validate"]);
    let before = engine.active().unwrap().clone();
    let rejection = rejection(poll(&mut engine, &script, "51", 1000));
    assert_eq!(rejection.stage(), Stage::Validate);
    assert_eq!(rejection.problems().len(), 2, "{rejection}");
    assert!(journal.take().is_empty(), "the value is not finished");
    assert!(std::sync::Arc::ptr_eq(&before, engine.active().unwrap()));
    assert!(!engine.status().is_healthy());
}

#[test]
fn g03_a_panic_of_a_normalizer_is_a_rejection_without_its_words() {
    let script = Script::default();
    let mut engine = Engine::new(Number::default())
        .catch(catch)
        .normalize(|value, _| {
            *value += 1;
            assert_ne!(*value, 67, "secret-in-a-panic");
        });
    poll(&mut engine, &script, "1", 0);
    let rejection = rejection(poll(&mut engine, &script, "66", 1));
    let text = rejection.to_string();
    assert!(text.contains("a normalizer panicked"), "{text}");
    assert!(!text.contains("secret-in"), "{text}");
    poll(&mut engine, &script, "3", 2);
    assert_eq!(*engine.active().unwrap().value(), 4);
}

#[test]
fn g10_equal_is_what_is_equal_once_it_is_normalized() {
    let script = Script::default();
    let mut engine = engine(&Number::default()).normalize(to_tens).skip_equal();
    poll(&mut engine, &script, "11", 0);
    let outcome = poll(&mut engine, &script, "19", 1000);
    assert_eq!(outcome, Outcome::Unchanged);
    assert_eq!(engine.active().unwrap().version(), Version::new(1));
    let outcome = poll(&mut engine, &script, "21", 2000);
    assert_eq!(outcome, Outcome::Applied(Version::new(2)));
}

#[test]
fn g11_what_a_normalizer_rejects_is_normalized_once() {
    let (journal, script) = (Journal::default(), Script::default());
    let called = journal.clone();
    let mut engine = Engine::new(Number::default()).normalize(move |value, report| {
        called.note("normalize");
        if *value == 2 {
            report.add("", "is two");
        }
    });
    poll(&mut engine, &script, "1", 0);
    journal.take();
    for second in 1..100 {
        poll(&mut engine, &script, "2", second * 1000);
    }
    assert_eq!(journal.take().len(), 1);
}

#[test]
fn g17_a_rollback_does_not_normalize_again() {
    let (journal, script) = (Journal::default(), Script::default());
    let called = journal.clone();
    let mut engine = Engine::new(Number::default()).normalize(move |value, _| {
        called.note("normalize");
        *value += 1;
    });
    poll(&mut engine, &script, "1", 0);
    poll(&mut engine, &script, "5", 1000);
    journal.take();
    engine.rollback(ms(2000)).unwrap();
    assert_eq!(*engine.active().unwrap().value(), 2);
    assert!(journal.take().is_empty());
}

#[test]
fn g18_a_start_from_the_last_known_good_normalizes() {
    let mut engine =
        Engine::new(Number::default())
            .normalize(to_tens)
            .normalize(|value, report| {
                if *value == 90 {
                    report.add("", "is ninety");
                }
            });
    let refused = engine.start_from_last_good(doc("99"), "kept", ms(0));
    assert_eq!(refused.unwrap_err().stage(), Stage::Validate);
    let started = engine.start_from_last_good(doc("42"), "kept", ms(0));
    assert_eq!(started, Ok(Version::new(1)));
    assert_eq!(*engine.active().unwrap().value(), 40);
}

/// What a normalizer reports has its line, and what it resolves is what is watched.
#[cfg(all(feature = "std", feature = "yaml"))]
mod with_files {
    use super::*;
    use crate::common::file;
    use std::fs;
    use std::path::PathBuf;
    use steadyconf::Reloader;

    #[derive(serde::Deserialize)]
    struct Config {
        folder: PathBuf,
        cert: PathBuf,
    }

    #[test]
    fn a_path_that_is_resolved_is_the_one_that_is_watched() {
        let (folder, path) = file("");
        fs::write(folder.path().join("cert.pem"), "pem").unwrap();
        let at = folder.path().display();
        fs::write(&path, format!("folder: {at}\ncert: cert.pem\n")).unwrap();
        let build = || {
            Reloader::<Config>::from_file(&path)
                .normalize(|config, report| {
                    if config.cert.extension().is_none() {
                        report.add("cert", "has no extension");
                    }
                    config.cert = config.folder.join(&config.cert);
                })
                .also_watch(|config, files| files.add(&config.cert))
        };
        let reloader = build().load_at(ms(0), |until| until).unwrap();
        let config = reloader.handle().load();
        let name = config.cert.to_str().unwrap();
        assert_eq!(config.file(name), Some(&b"pem"[..]));

        fs::write(&path, format!("folder: {at}\ncert: cert\n")).unwrap();
        let error = build().load_at(ms(0), |until| until).unwrap_err();
        let text = error.to_string();
        assert!(
            text.ends_with("config.yaml:2:7: cert: has no extension"),
            "{text}"
        );
    }
}
