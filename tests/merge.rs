//! Several files as one configuration: how they merge, and what is said of which.
#![cfg(feature = "values")]

use std::fs;
use std::path::PathBuf;

use crate::common::ms;
use serde::Deserialize;
use steadyconf::engine::{Document, Engine, Layer};
use steadyconf::format::Yaml;
use steadyconf::{Builder, Outcome, Reloader, Report, Source};
use tempfile::TempDir;

fn layers(texts: &[&str]) -> Document {
    let layer = |(n, text): (usize, &&str)| Layer::new(format!("{n}.yaml"), text.as_bytes());
    Document::new(texts.iter().enumerate().map(layer).collect::<Vec<_>>())
}

#[track_caller]
fn merged(texts: &[&str]) -> serde_yaml::Value {
    let mut engine = Engine::<serde_yaml::Value>::new(Yaml::new());
    let outcome = engine.apply(layers(texts), ms(0));
    assert!(matches!(outcome, Outcome::Applied(_)), "{outcome:?}");
    engine.active().unwrap().value().clone()
}

/// The table of the docs, row by row.
#[test]
fn g13_maps_merge_key_by_key_and_anything_else_replaces() {
    let table: &[(&[&str], &str)] = &[
        (&["{a: 1}", "{b: 2}"], "{a: 1, b: 2}"),
        (&["{a: 1}", "{a: 2}"], "{a: 2}"),
        (&["{a: 1}", "{a: 2}", "{a: 3}"], "{a: 3}"),
        (
            &["{a: {x: 1, y: 1}}", "{a: {y: 2, z: 2}}"],
            "{a: {x: 1, y: 2, z: 2}}",
        ),
        (
            &["{a: {b: {c: 1, d: 1}}}", "{a: {b: {c: 2}}}"],
            "{a: {b: {c: 2, d: 1}}}",
        ),
        (&["{a: [1, 2, 3]}", "{a: [4]}"], "{a: [4]}"),
        (&["{a: {x: 1}}", "{a: 1}"], "{a: 1}"),
        (&["{a: 1}", "{a: {x: 1}}"], "{a: {x: 1}}"),
        (&["{a: 1, b: 1}", "{a: null}"], "{b: 1}"),
        (&["{a: 1}", "{b: null}"], "{a: 1}"),
        (&["{a: 1}", "{a: null}", "{a: 3}"], "{a: 3}"),
        (&["{a: 1}", "{}"], "{a: 1}"),
        (&["{a: 1}", "{b: {c: null, d: 1}}"], "{a: 1, b: {d: 1}}"),
        (&["{a: {}}", "{a: {c: null, d: 1}}"], "{a: {d: 1}}"),
        (&["{a: 1}", "{a: {c: null, d: 1}}"], "{a: {d: 1}}"),
        (&["[1, 2]", "[3]"], "[3]"),
        (
            &["{a: &x {p: 1}, b: *x}", "{b: {q: 2}}"],
            "{a: {p: 1}, b: {p: 1, q: 2}}",
        ),
        (&["{1: a, true: b}", "{1: c}"], "{1: c, true: b}"),
        (&["{a: !t {x: 1}}", "{a: !t {y: 1}}"], "{a: !t {y: 1}}"),
    ];
    for (texts, expected) in table {
        let expected: serde_yaml::Value = serde_yaml::from_str(expected).unwrap();
        assert_eq!(merged(texts), expected, "{texts:?}");
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "some of it is never read")]
struct Config {
    host: String,
    port: u16,
    #[serde(default)]
    pool: Pool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Pool {
    min: u32,
    max: u32,
}

fn check(config: &Config, report: &mut Report) {
    if config.pool.min > config.pool.max {
        report.add("pool.min", "must not be above pool.max");
        report.add("pool.max", "must not be below pool.min");
    }
}

const BASE: &str = "host: localhost\nport: 80\npool:\n  min: 1\n  max: 8\n";

fn problems(texts: &[&str]) -> Vec<String> {
    let mut engine = Engine::<Config>::new(Yaml::new()).validate(check);
    match engine.apply(layers(texts), ms(0)) {
        Outcome::Rejected(rejection) => {
            assert!(!rejection.to_string().contains("canary"), "{rejection}");
            rejection
                .problems()
                .iter()
                .map(ToString::to_string)
                .collect()
        }
        other => panic!("{texts:?}: {other:?}"),
    }
}

#[test]
fn g13_a_problem_names_the_file_that_supplied_the_value() {
    let table: &[(&str, &[&str])] = &[
        (
            "port: sk-canary\n",
            &["1.yaml:1:7: port: expected a whole number from 0 to 65535, found a string"],
        ),
        (
            "pool:\n  max: [canary]\n",
            &["1.yaml:2:8: pool.max: expected a whole number from 0 to 4294967295, found a list"],
        ),
        // What is missing has no place of its own: the last map it could be in.
        ("host: null\n", &["1.yaml:1:1: the key `host` is missing"]),
        (
            "pool: {mix: 3}\n",
            &["1.yaml:1:8: pool.mix: unknown key; did you mean `min`?"],
        ),
        (
            "pool: canary\n",
            &["1.yaml:1:7: pool: expected a mapping, found a string"],
        ),
        (
            "host: [4]\n",
            &["1.yaml:1:7: host: expected a string, found a list"],
        ),
        (
            // Each alone would be fine; together they are not, and each is
            // shown where it stands.
            "pool: {min: 9}\n",
            &[
                "1.yaml:1:13: pool.min: must not be above pool.max",
                "0.yaml:5:8: pool.max: must not be below pool.min",
            ],
        ),
        (
            "a: [1,\n",
            &["1.yaml:1:4: not valid YAML: this `[` is not closed, or a comma is missing in it"],
        ),
        (
            "# all out\n",
            &["1.yaml: holds no value, only comments or nothing"],
        ),
        (" \n", &["1.yaml: is empty"]),
        (
            "# \u{85}port: 1",
            &["1.yaml: holds no value, only comments or nothing"],
        ),
        (
            "port: 1\nport: 2\n",
            &["1.yaml:2:1: this key is given twice; the first is at line 1 column 1"],
        ),
    ];
    for (over, expected) in table {
        let found = problems(&[BASE, over]);
        assert_eq!(found, *expected, "{over:?}");
    }
}

struct Two {
    base: PathBuf,
    over: PathBuf,
    _folder: TempDir,
}

fn two() -> Two {
    let folder = tempfile::tempdir().unwrap();
    let [base, over] = ["base.yaml", "over.yaml"].map(|name| folder.path().join(name));
    fs::write(&base, BASE).unwrap();
    fs::write(&over, "port: 81\n").unwrap();
    Two {
        base,
        over,
        _folder: folder,
    }
}

fn builder(files: &Two) -> Builder<Config> {
    Reloader::from_file(&files.base)
        .source(Source::file(&files.over))
        .validate(check)
}

#[test]
fn g12_a_change_of_any_file_is_a_change_of_the_whole() {
    let files = two();
    let reloader = builder(&files).load_at(ms(0), |until| until).unwrap();
    let config = reloader.handle();
    assert_eq!(
        (&*config.load().host, config.load().port),
        ("localhost", 81)
    );
    let origins: Vec<_> = config
        .load()
        .origins()
        .iter()
        .map(std::string::ToString::to_string)
        .collect();
    assert!(origins[0].ends_with("base.yaml") && origins[1].ends_with("over.yaml"));

    let mut now = ms(1000);
    let mut look = || {
        loop {
            let outcome = reloader.poll_at(now).unwrap();
            now = reloader.next_poll();
            if !matches!(outcome, Outcome::Settling { .. }) {
                return outcome;
            }
        }
    };
    fs::write(&files.base, BASE.replace("localhost", "example.org")).unwrap();
    assert!(matches!(look(), Outcome::Applied(_)));
    assert_eq!(
        (&*config.load().host, config.load().port),
        ("example.org", 81)
    );

    fs::write(&files.over, "port: 82\n").unwrap();
    assert!(matches!(look(), Outcome::Applied(_)));
    assert_eq!(
        (&*config.load().host, config.load().port),
        ("example.org", 82)
    );

    // Judged as a whole, and kept as a whole.
    fs::write(&files.over, "port: 83\npool: {min: 100}\n").unwrap();
    let outcome = look();
    assert!(matches!(outcome, Outcome::Rejected(_)), "{outcome:?}");
    assert_eq!(config.load().port, 82);
    fs::write(&files.base, BASE.replace("max: 8", "max: 800")).unwrap();
    assert!(matches!(look(), Outcome::Applied(_)));
    assert_eq!((config.load().port, config.load().pool.max), (83, 800));
}

/// As the docs say: `sha256sum a b | cut -c-64 | sha256sum`.
#[cfg(unix)]
#[test]
fn the_digest_is_what_sha256sum_shows() {
    let files = two();
    let reloader = builder(&files).load_at(ms(0), |until| until).unwrap();
    let shown = |script: &str| {
        let output = std::process::Command::new("sh")
            .args(["-c", script])
            .current_dir(files.base.parent().unwrap())
            .output()
            .unwrap();
        format!(
            "sha256:{}",
            &String::from_utf8(output.stdout).unwrap()[..64]
        )
    };
    let digest = reloader.handle().load().digest().to_string();
    let script = "sha256sum base.yaml over.yaml | cut -c-64 | sha256sum";
    assert_eq!(digest, shown(script));

    let one = Reloader::<serde_yaml::Value>::from_file(&files.base)
        .load_at(ms(0), |until| until)
        .unwrap();
    let digest = one.handle().load().digest().to_string();
    assert_eq!(digest, shown("sha256sum base.yaml"));
}
