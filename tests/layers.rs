//! Where values may come from, which of them count, and what is said of it.
#![cfg(feature = "values")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::common::{doc, ms, save};
use serde::Deserialize;
use serde_yaml::Value;
use steadyconf::engine::{Document, Engine, Layer, UnknownKeys};
use steadyconf::format::Yaml;
use steadyconf::report::{DetectErrorKind, Event, Stage};
use steadyconf::{Builder, LoadError, Outcome, Reloader, Secret, Source};
use tempfile::TempDir;

/// A folder to lay files out in, and virtual time.
struct World {
    folder: TempDir,
    now: Duration,
}

impl World {
    fn new(files: &[(&str, &str)]) -> Self {
        let world = World {
            folder: tempfile::tempdir().unwrap(),
            now: ms(0),
        };
        for (name, text) in files {
            world.write(name, text);
        }
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        save(&path, text);
    }

    fn base(&self) -> Builder<Value> {
        Reloader::from_file(self.path("base.yaml")).unknown_keys(UnknownKeys::Reject)
    }

    fn load(builder: Builder<Value>) -> Result<Reloader<Value>, LoadError> {
        builder.load_at(ms(0), |until| until)
    }

    /// Polls until it has come to rest.
    fn look(&mut self, reloader: &Reloader<Value>) -> Result<Outcome, String> {
        crate::common::tick(self.folder.path());
        self.now += ms(10_000);
        loop {
            match reloader.poll_at(self.now) {
                Ok(Outcome::Settling { until }) => self.now = until,
                outcome => return outcome.map_err(|error| self.plain(&error.to_string())),
            }
        }
    }

    /// Without the folder's name, which differs each time.
    fn plain(&self, text: &str) -> String {
        text.replace(&format!("{}/", self.folder.path().display()), "")
    }
}

fn shows(reloader: &Reloader<Value>) -> String {
    let value = reloader.handle().load().value().clone();
    serde_yaml::to_string(&value)
        .unwrap()
        .trim()
        .replace('\n', ", ")
}

#[test]
fn g13_precedence_is_the_order_of_calls() {
    let world = World::new(&[
        (
            "base.yaml",
            "a: base\nb: base\nc: base\nd: base\ne: base\nf: base\n",
        ),
        ("site.yaml", "b: site\nc: site\nd: site\ne: site\nf: site\n"),
        ("conf.d/10.yaml", "c: ten\nd: ten\n"),
        ("conf.d/20.yaml", "d: twenty\n"),
        ("secrets/e", "secret\n"),
    ]);
    let reloader = World::load(
        world
            .base()
            .source(Source::file(world.path("site.yaml")))
            .source(Source::dir(world.path("conf.d")))
            .source(Source::key_per_file(world.path("secrets")))
            .source(Source::value("f", "code")),
    );
    let reloader = reloader.unwrap();
    assert_eq!(
        shows(&reloader),
        "a: base, b: site, c: ten, d: twenty, e: secret, f: code"
    );
    let snapshot = reloader.handle().load();
    let origin = |path: &str| {
        let place = snapshot.origin(path).map(|place| place.to_string());
        place.map(|place| world.plain(&place))
    };
    for (path, place) in [
        ("a", "base.yaml:1:4"),
        ("b", "site.yaml:1:4"),
        ("c", "conf.d/10.yaml:1:4"),
        ("d", "conf.d/20.yaml:1:4"),
        ("e", "secrets/e"),
        ("f", "set in code"),
    ] {
        assert_eq!(origin(path).as_deref(), Some(place), "{path}");
    }
    assert_eq!(origin("g"), None);
    assert_eq!(origin("a.b"), None);
}

#[test]
fn g05_an_optional_file_may_be_missing_others_may_not() {
    let mut world = World::new(&[("base.yaml", "a: 1\n")]);
    let builder = world
        .base()
        .source(Source::file(world.path("more.yaml")).optional());
    let reloader = World::load(builder).unwrap();
    assert_eq!(shows(&reloader), "a: 1");
    for (text, expected) in [
        ("b: 2\n", "a: 1, b: 2"),
        ("# all out\n", "a: 1"),
        ("a: null\nb: 1\n", "b: 1"),
        ("", "a: 1"),
        ("~", "a: 1"),
    ] {
        world.write("more.yaml", text);
        let outcome = world.look(&reloader);
        assert!(
            matches!(outcome, Ok(Outcome::Applied(_) | Outcome::Unchanged)),
            "{outcome:?}"
        );
        assert_eq!(shows(&reloader), expected, "{text:?}");
    }
    fs::remove_file(world.path("more.yaml")).unwrap();
    world.look(&reloader).unwrap();
    assert_eq!(shows(&reloader), "a: 1");
    // Optional is not lenient.
    world.write("more.yaml", "b: [\n");
    assert!(matches!(world.look(&reloader), Ok(Outcome::Rejected(_))));
    fs::remove_file(world.path("more.yaml")).unwrap();
    fs::create_dir(world.path("more.yaml")).unwrap();
    assert_eq!(
        world.look(&reloader).unwrap_err(),
        "more.yaml: expected a file, found a folder"
    );
    fs::remove_file(world.path("base.yaml")).unwrap();
    assert_eq!(
        world.look(&reloader).unwrap_err(),
        "base.yaml: no such file"
    );
}

#[test]
fn g07_g13_drop_ins_come_and_go_in_byte_order() {
    let mut world = World::new(&[("base.yaml", "a: 1\n")]);
    fs::create_dir(world.path("conf.d")).unwrap();
    let reloader = World::load(world.base().source(Source::dir(world.path("conf.d")))).unwrap();
    assert_eq!(shows(&reloader), "a: 1");
    for (name, text, expected) in [
        ("conf.d/20.yaml", "a: 20\n", "a: 20"),
        ("conf.d/10.yaml", "a: 10\nb: 10\n", "a: 20, b: 10"),
        ("conf.d/9.yml", "a: 9\n", "a: 9, b: 10"),
        ("conf.d/A.json", "{\"c\": 3}", "a: 9, b: 10, c: 3"),
        // What does not count.
        ("conf.d/.hidden.yaml", "a: no", "a: 9, b: 10, c: 3"),
        ("conf.d/z.yaml~", "a: no", "a: 9, b: 10, c: 3"),
        ("conf.d/z.yaml.bak", "a: no", "a: 9, b: 10, c: 3"),
        ("conf.d/#z.yaml#", "a: no", "a: 9, b: 10, c: 3"),
        ("conf.d/README", "a: no", "a: 9, b: 10, c: 3"),
        ("conf.d/.yaml", "a: no", "a: 9, b: 10, c: 3"),
        ("conf.d/sub/z.yaml", "a: no", "a: 9, b: 10, c: 3"),
    ] {
        world.write(name, text);
        let outcome = world.look(&reloader).unwrap();
        assert_eq!(shows(&reloader), expected, "{name}: {outcome:?}");
    }
    fs::remove_file(world.path("conf.d/9.yml")).unwrap();
    world.look(&reloader).unwrap();
    assert_eq!(shows(&reloader), "a: 20, b: 10, c: 3");
    fs::rename(world.path("conf.d/20.yaml"), world.path("conf.d/05.yaml")).unwrap();
    world.look(&reloader).unwrap();
    assert_eq!(shows(&reloader), "a: 10, b: 10, c: 3");

    // A truncated drop-in is no removed one, and names itself.
    world.write("conf.d/10.yaml", "");
    let Ok(Outcome::Rejected(rejection)) = world.look(&reloader) else {
        panic!("not rejected");
    };
    assert_eq!(
        world.plain(&rejection.problems()[0].to_string()),
        "conf.d/10.yaml: is empty"
    );
    fs::remove_dir_all(world.path("conf.d")).unwrap();
    assert_eq!(world.look(&reloader).unwrap_err(), "conf.d: no such file");
    world.write("conf.d", "a file");
    assert_eq!(
        world.look(&reloader).unwrap_err(),
        "conf.d: expected a folder, found a file"
    );
    assert_eq!(shows(&reloader), "a: 10, b: 10, c: 3");
}

#[cfg(unix)]
#[test]
fn g12_a_folder_behind_a_flipped_link_is_one_generation() {
    let generation = |world: &World, n: u32| {
        for name in ["10", "20"] {
            world.write(&format!("..{n}/{name}.yaml"), &format!("n{name}: {n}\n"));
        }
        let link = world.path("..new");
        std::os::unix::fs::symlink(format!("..{n}"), &link).unwrap();
        fs::rename(link, world.path("..data")).unwrap();
    };
    let mut world = World::new(&[("base.yaml", "a: 1\n")]);
    generation(&world, 1);
    // As Kubernetes has it: the folder's names are links into the generation.
    fs::create_dir(world.path("conf.d")).unwrap();
    for name in ["10.yaml", "20.yaml"] {
        let target = format!("../..data/{name}");
        std::os::unix::fs::symlink(target, world.path("conf.d").join(name)).unwrap();
    }
    let reloader = World::load(world.base().source(Source::dir(world.path("conf.d")))).unwrap();
    for n in 2..5 {
        generation(&world, n);
        world.look(&reloader).unwrap();
        assert_eq!(shows(&reloader), format!("a: 1, n10: {n}, n20: {n}"));
    }
    fs::remove_file(world.path("..4/20.yaml")).unwrap();
    assert_eq!(
        world.look(&reloader).unwrap_err(),
        "conf.d/20.yaml: no such file"
    );
}

#[test]
fn too_many_files_in_a_folder_are_the_wrong_folder() {
    let mut world = World::new(&[("base.yaml", "a: 1\n")]);
    fs::create_dir(world.path("conf.d")).unwrap();
    let reloader = World::load(world.base().source(Source::dir(world.path("conf.d")))).unwrap();
    for n in 0..=1000 {
        fs::write(world.path("conf.d").join(format!("{n}.yaml")), "b: 1").unwrap();
    }
    assert_eq!(
        world.look(&reloader).unwrap_err(),
        "conf.d: holds more than 1000 files"
    );
}

#[test]
fn keys_per_file_are_strings_as_they_are() {
    let mut world = World::new(&[
        ("base.yaml", "a: 1\n"),
        ("secrets/api_key", "12345\n"),
        ("secrets/multi", "one\ntwo\r\n"),
        ("secrets/raw", "a: [b"),
        ("secrets/empty", ""),
        ("secrets/with.dot", "x"),
        ("secrets/..data/api_key", "no"),
        ("secrets/.hidden", "no"),
        ("secrets/old~", "no"),
    ]);
    let builder = world
        .base()
        .source(Source::key_per_file(world.path("secrets")).allow_empty());
    let reloader = World::load(builder).unwrap();
    let value = reloader.handle().load();
    let expected: Value = serde_yaml::from_str(
        "{a: 1, api_key: '12345', multi: \"one\\ntwo\", raw: 'a: [b', empty: '', with.dot: x}",
    )
    .unwrap();
    assert_eq!(*value, expected);
    world.write("secrets/api_key", "67890");
    assert!(matches!(world.look(&reloader), Ok(Outcome::Applied(_))));
    assert_eq!(reloader.handle().load()["api_key"], "67890");

    fs::write(world.path("secrets/api_key"), [0xff, 0x80, 0x00]).unwrap();
    let Ok(Outcome::Rejected(rejection)) = world.look(&reloader) else {
        panic!("not rejected");
    };
    assert_eq!(
        world.plain(&rejection.problems()[0].to_string()),
        "secrets/api_key: api_key: expected text, found other bytes"
    );
}

#[test]
fn g10_an_idle_folder_is_trusted_by_its_stamps() {
    let mut world = World::new(&[("base.yaml", "a: 1\n"), ("conf.d/10.yaml", "b: 1\n")]);
    let reloader = World::load(world.base().source(Source::dir(world.path("conf.d")))).unwrap();
    for _ in 0..5 {
        assert_eq!(world.look(&reloader), Ok(Outcome::Unchanged));
    }
    world.write("conf.d/10.yaml", "b: 2\n");
    world.look(&reloader).unwrap();
    assert_eq!(shows(&reloader), "a: 1, b: 2");
}

#[derive(Debug, Deserialize, PartialEq)]
struct Typed {
    name: String,
    port: u16,
    #[serde(default)]
    huge: u128,
    #[serde(default)]
    ratio: f64,
    #[serde(default)]
    by_number: BTreeMap<u32, String>,
    #[serde(default)]
    list: Vec<String>,
}

/// What was merged reads like one file.
#[test]
fn a_merge_reads_like_one_file() {
    let text = "name: 007\nport: 0x50\nhuge: 340282366920938463463374607431768211455\nratio: 1\n\
                by_number: {1: a, 2: 1.10}\nlist: [1.10, true, '~', 2024-01-01, 'x']\n";
    let alone: Typed = serde_yaml::from_str(text).unwrap();
    let mut engine = Engine::<Typed>::new(Yaml::new());
    let layers = [
        Layer::new("0", text.as_bytes()),
        Layer::new("1", *b"port: 80"),
    ];
    let outcome = engine.apply(Document::new(layers), ms(0));
    assert!(matches!(outcome, Outcome::Applied(_)), "{outcome:?}");
    assert_eq!(**engine.active().unwrap().clone(), alone);
    assert_eq!(alone.name, "007");
    assert_eq!(alone.list[0], "1.10");
}

#[test]
fn merge_keys_work_and_what_they_cannot_take_in_is_reported() {
    let text = "defaults: &d {timeout: 3, retries: 1}\nmore: &m {retries: 9, extra: 1}\n\
                a: {<<: *d, timeout: 5}\nb:\n  <<: [*d, *m]\n  x: 1\n";
    let mut engine = Engine::<Value>::new(Yaml::new());
    engine.apply(doc(text), ms(0));
    let snapshot = engine.active().unwrap().clone();
    let part = |name: &str| {
        serde_yaml::to_string(&snapshot[name])
            .unwrap()
            .replace('\n', ", ")
    };
    assert_eq!(part("a"), "timeout: 5, retries: 1, ");
    assert_eq!(part("b"), "x: 1, timeout: 3, retries: 1, extra: 1, ");
    let place = |path: &str| snapshot.origin(path).map(|place| place.to_string());
    assert_eq!(place("a.retries").as_deref(), Some("test:1:36"));
    assert_eq!(place("a.timeout").as_deref(), Some("test:3:22"));
    assert_eq!(place("b.extra").as_deref(), Some("test:2:30"));
    assert_eq!(place("b.none"), None);

    let Outcome::Rejected(rejection) = engine.apply(doc("a: {<<: 5}"), ms(1)) else {
        panic!("not rejected");
    };
    assert_eq!(
        rejection.problems()[0].to_string(),
        "test:1:9: expected a mapping, or a list of mappings, after `<<`"
    );
    // In quotes and in text it is nothing special.
    engine.apply(doc("a: \"x << y\"\nb: |\n  <<: 1\n"), ms(2));
    assert_eq!(engine.active().unwrap()["a"], "x << y");
}

#[derive(Debug, Deserialize)]
#[allow(dead_code, reason = "only what is said of it counts")]
struct Llm {
    #[serde(default)]
    timeout_s: u32,
    #[serde(default)]
    model: String,
    #[serde(default)]
    inner: Option<Inner>,
}

#[derive(Debug, Deserialize)]
#[allow(dead_code, reason = "only what is said of it counts")]
struct Inner {
    temperature: f64,
}

fn engine_of(policy: UnknownKeys) -> Engine<Llm> {
    Engine::new(Yaml::new()).unknown_keys(policy)
}

const MISSPELT: &str = "timeout: 3\nmodel: x\ninner: {temperature: 1, temprature: 2}\ngame: 1\n";

#[test]
fn unknown_keys_are_reported_with_place_and_guess_once() {
    let mut engine = engine_of(UnknownKeys::Warn);
    assert!(matches!(
        engine.apply(doc(MISSPELT), ms(0)),
        Outcome::Applied(_)
    ));
    let expected = [
        "test:1:1: timeout: unknown key; did you mean `timeout_s`?",
        "test:3:25: inner.temprature: unknown key; did you mean `temperature`?",
        "test:4:1: game: unknown key",
    ];
    let warnings = engine.status().warnings.clone();
    let warnings: Vec<_> = warnings.iter().map(ToString::to_string).collect();
    assert_eq!(warnings, expected);
    assert!(engine.status().is_healthy());
    let told = engine.events().last().unwrap();
    assert!(matches!(told, Event::UnknownKeys { .. }));
    assert_eq!(
        told.to_string(),
        format!(
            "v1 is active, with 3 unknown keys:\n  {}",
            expected.join("\n  ")
        )
    );
    engine.apply(doc(MISSPELT), ms(1));
    assert!(engine.events().is_empty());
    engine.apply(doc("model: y\n"), ms(2));
    assert!(engine.status().warnings.is_empty());
}

#[test]
fn unknown_keys_can_be_rejected_or_allowed() {
    let mut engine = engine_of(UnknownKeys::Reject);
    let Outcome::Rejected(rejection) = engine.apply(doc(MISSPELT), ms(0)) else {
        panic!("not rejected");
    };
    assert_eq!(
        (rejection.stage(), rejection.problems().len()),
        (Stage::Parse, 3)
    );
    let mut engine = engine_of(UnknownKeys::Allow);
    engine.apply(doc(MISSPELT), ms(0));
    assert_eq!(engine.events().len(), 1);
    assert!(engine.status().warnings.is_empty());
}

#[test]
fn unknown_keys_of_a_merge_name_the_file() {
    let mut engine = engine_of(UnknownKeys::Warn);
    let layers = [
        Layer::new("a.yaml", *b"model: x\n"),
        Layer::new("b.yaml", *b"inner:\n  temperature: 1\n  tmperature: 2\n"),
        Layer::text("environment variable APP__MODLE", "modle", *b"y").overriding(),
    ];
    engine.apply(Document::new(layers), ms(0));
    let warnings: Vec<_> = engine
        .status()
        .warnings
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        warnings,
        [
            "b.yaml:3:3: inner.tmperature: unknown key; did you mean `temperature`?",
            "environment variable APP__MODLE: modle: unknown key; did you mean `model`?",
        ]
    );
}

#[derive(Debug, Deserialize, PartialEq)]
struct Hook {
    url: Secret<String>,
    #[serde(default)]
    max_tokens: u32,
    #[serde(default)]
    api_key: String,
    #[serde(default)]
    pins: Vec<Secret<u32>>,
}

fn diff_of<T: serde::de::DeserializeOwned + Send + Sync + 'static>(
    engine: Engine<T>,
    old: &str,
    new: &str,
) -> Vec<String> {
    let said = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let sink = said.clone();
    let mut engine = engine.on_commit(move |change| {
        *sink.lock().unwrap() = change
            .diff()
            .to_string()
            .lines()
            .map(String::from)
            .collect();
        Ok(())
    });
    engine.apply(doc(old), ms(0));
    engine.apply(doc(new), ms(1));
    said.lock().unwrap().clone()
}

#[test]
fn g06_a_diff_shows_what_changed_and_masks_secrets() {
    let old = "url: sk-1\nmax_tokens: 1\napi_key: sk-2\npins: [1, 2]\n";
    let new = "url: sk-3\nmax_tokens: 20\napi_key: sk-4\npins: [1, 3, 4]\n";
    let engine = || Engine::<Hook>::new(Yaml::new());
    assert_eq!(
        diff_of(engine(), old, new),
        [
            "~ api_key: [redacted] -> [redacted]",
            "~ max_tokens: 1 -> 20",
            "~ pins[1]: [redacted] -> [redacted]",
            "+ pins[2]: [redacted]",
            "~ url: [redacted] -> [redacted]",
        ]
    );
    assert_eq!(
        diff_of(
            engine().mask("MaxTokens"),
            "url: a\nmax_tokens: 1",
            "url: a\nmax_tokens: 2"
        ),
        ["~ max_tokens: [redacted] -> [redacted]"]
    );
    let value = |old: &str, new: &str| diff_of(Engine::<Value>::new(Yaml::new()), old, new);
    assert_eq!(
        value(
            "a: {b: 1, c: [x, y]}\nd: 1\n",
            "a: {b: '1', c: []}\ne: {}\n"
        ),
        [
            "~ a.b: 1 -> \"1\"",
            "+ a.c: []",
            "- a.c[0]: \"x\"",
            "- a.c[1]: \"y\"",
            "- d: 1",
            "+ e: {}",
        ]
    );
}

/// A path may not lead where it seems to: then nothing is shown.
#[test]
fn g06_a_secret_in_a_variant_is_not_shown() {
    #[derive(Deserialize)]
    #[allow(dead_code, reason = "only what is said of it counts")]
    enum Store {
        File { pin: Secret<String> },
    }
    let value = |pin: &str| format!("b: {{File: {{pin: {pin}}}}}\n");
    let judge = |text: String| {
        let layers = [Layer::new("a", text.into_bytes()), Layer::new("b", *b"{}")];
        Document::new(layers)
    };
    let said = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
    let sink = said.clone();
    let mut engine = Engine::<BTreeMap<String, Store>>::new(Yaml::new()).on_commit(move |change| {
        *sink.lock().unwrap() = change.diff().to_string();
        Ok(())
    });
    for pin in ["canary-1", "canary-2"] {
        let outcome = engine.apply(judge(value(pin)), ms(0));
        assert!(matches!(outcome, Outcome::Applied(_)), "{outcome:?}");
    }
    let said = said.lock().unwrap().clone();
    assert_eq!(said, "~ b.File.pin: [redacted] -> [redacted]");

    type Numbered = BTreeMap<u32, Secret<String>>;
    let said = diff_of(
        Engine::<Numbered>::new(Yaml::new()),
        "0x10: canary-1",
        "0x10: canary-2",
    );
    assert!(
        !said.is_empty() && !said.concat().contains("canary"),
        "{said:?}"
    );
    let tag = |old: &str, new: &str| diff_of(Engine::<Value>::new(Yaml::new()), old, new);
    let said = tag("a: !canary {x: 1}", "a: !b {x: 1}");
    assert_eq!(said, ["~ a!: [redacted] -> [redacted]"]);
}

/// Each of these reads as `serde_yaml` alone would read it, in one file and in two.
#[test]
fn what_is_valid_alone_is_valid_in_a_merge() {
    fn same<T>(text: &str)
    where
        T: serde::de::DeserializeOwned + std::fmt::Debug + PartialEq + Send + Sync + 'static,
    {
        let alone: T = serde_yaml::from_str(text).unwrap();
        for layers in [
            vec![Layer::new("a", text.as_bytes())],
            vec![Layer::new("a", text.as_bytes()), Layer::new("b", *b"{}")],
        ] {
            let mut engine = Engine::<T>::new(Yaml::new());
            let outcome = engine.apply(Document::new(layers), ms(0));
            assert!(
                matches!(outcome, Outcome::Applied(_)),
                "{text}: {outcome:?}"
            );
            assert_eq!(*engine.active().unwrap().value(), alone, "{text}");
        }
    }
    type Strings = BTreeMap<String, BTreeMap<String, String>>;
    same::<Strings>("v: {1.1: a, 1.10: b}");
    same::<Strings>("v: {0x10: a, 16: b, true: c, True: d}");
    same::<BTreeMap<String, BTreeMap<u16, String>>>("v: {80: http, 0x1f90: alt}");
    same::<BTreeMap<String, BTreeMap<bool, u8>>>("v: {true: 1, false: 0}");
    same::<BTreeMap<String, String>>("s: !env FOO\nt: !!str 5");
    same::<BTreeMap<String, u8>>("n: !x 5");
    same::<BTreeMap<String, Vec<u8>>>("v: !list [1]");
    same::<BTreeMap<String, (u8, u8)>>("v: !pair [1, 2]");
    same::<BTreeMap<String, Vec<Vec<u8>>>>("l:\n-\n- [1]\n");
    #[derive(Debug, PartialEq, Deserialize)]
    enum Mode {
        Fast,
        Slow(u8),
        Tuple(u8, u8),
        Map { a: u8 },
    }
    let modes = "a: Fast\nb: !Slow 1\nc: !Tuple [1, 2]\nd: !Map {a: 1}\ne: !Fast";
    same::<BTreeMap<String, Mode>>(modes);
    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(tag = "kind", rename_all = "lowercase")]
    enum Tagged {
        One { n: u8 },
        Two { s: String },
    }
    same::<BTreeMap<String, Tagged>>("a: {kind: one, n: 1}\nb: {kind: two, s: x}");
    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(untagged)]
    enum Either {
        Number(u8),
        Text(String),
        Map { a: char },
    }
    same::<BTreeMap<String, Either>>("a: 1\nb: x\nc: {a: y}");
    #[derive(Debug, PartialEq, Deserialize)]
    struct Flat {
        a: u8,
        #[serde(flatten)]
        rest: BTreeMap<String, Value>,
    }
    same::<Flat>("a: 1\nb: [1, {c: 2.5}]\nd: text");
}

/// `<<` in text is text, and changes nothing.
#[test]
fn text_with_two_signs_less_than_changes_nothing_else() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Config {
        #[serde(default = "five")]
        limit: Option<u32>,
        prompt: String,
    }
    fn five() -> Option<u32> {
        Some(5)
    }
    for prompt in ["cat EOF", "cat <<EOF"] {
        let mut engine = Engine::<Config>::new(Yaml::new());
        let text = format!("limit: null\nprompt: {prompt}");
        engine.apply(doc(&text), ms(0));
        let active = engine.active().unwrap();
        assert_eq!((active.limit, active.prompt.as_str()), (None, prompt));
    }
    let mut engine = Engine::<Value>::new(Yaml::new());
    engine.apply(doc("a: &a {x: 1}\nb: {<<: *a, y: null}"), ms(0));
    assert_eq!(engine.active().unwrap()["b"]["y"], Value::Null);
}

#[test]
fn g13_keys_that_are_lists_merge_like_any_other() {
    type Pairs = BTreeMap<(u8, u8), String>;
    let apply = |texts: &[&str]| {
        let mut engine = Engine::<Pairs>::new(Yaml::new());
        let layer = |text: &&str| Layer::new("a", text.as_bytes());
        let layers: Vec<_> = texts.iter().map(layer).collect();
        let outcome = engine.apply(Document::new(layers), ms(0));
        let value = engine.active().map(|active| active.value().clone());
        value.ok_or_else(|| format!("{outcome:?}"))
    };
    let pairs = |list: &[(u8, &str)]| -> Pairs {
        let pair = |(n, text): &(u8, &str)| ((*n, 2), text.to_string());
        list.iter().map(pair).collect()
    };
    let base = "[1, 2]: a\n[3, 2]: b";
    assert_eq!(apply(&[base]), Ok(pairs(&[(1, "a"), (3, "b")])));
    assert_eq!(apply(&[base, "{}"]), Ok(pairs(&[(1, "a"), (3, "b")])));
    let over = "[3, 2]: c\n? [1, 2]\n: null";
    assert_eq!(apply(&[base, over]), Ok(pairs(&[(3, "c")])));
    let said = apply(&["[1, 2]: a\n? - 1\n  - 2\n: b"]).unwrap_err();
    assert!(said.contains("is given twice"), "{said}");
}

/// What is said of a field repeats its whole path.
#[test]
fn g04_a_key_that_nobody_writes_is_rejected() {
    let text = format!("? \"{}\"\n: [1, 2]", "k".repeat(2000));
    for more in [&[][..], &[Layer::new("b", *b"{}")]] {
        let mut engine = Engine::<BTreeMap<String, Vec<u8>>>::new(Yaml::new());
        let outcome = engine.apply(doc(&text).with(more), ms(0));
        let Outcome::Rejected(rejection) = outcome else {
            panic!("not rejected");
        };
        let said = rejection.to_string();
        assert!(said.contains("a key of more than 1024 bytes"), "{said}");
    }
}

/// What YAML would read as a comment, an anchor or a tag is text there.
#[test]
fn keys_of_numbers_come_from_everywhere() {
    type Ports = BTreeMap<String, BTreeMap<u16, String>>;
    let mut engine = Engine::<Ports>::new(Yaml::new());
    let layers = [
        Layer::new("a.yaml", *b"ports: {80: http}"),
        Layer::text(
            "environment variable APP__PORTS__8080",
            "ports.8080",
            *b"alt",
        )
        .overriding(),
    ];
    let outcome = engine.apply(Document::new(layers), ms(0));
    assert!(matches!(outcome, Outcome::Applied(_)), "{outcome:?}");
    assert_eq!(engine.active().unwrap()["ports"][&8080], "alt");
}

/// `serde` reads flattened types as a whole first: their types do not say what is secret.
#[test]
fn g06_nothing_of_a_flattened_part_is_shown() {
    #[derive(Deserialize)]
    #[allow(dead_code, reason = "only what is said of it counts")]
    struct Flat {
        #[serde(flatten)]
        hook: Hook,
        name: String,
    }
    let old = "url: sk-canary\nname: a\n";
    let new = "url: sk-canary-2\nname: b\n";
    let said = diff_of(Engine::<Flat>::new(Yaml::new()), old, new);
    assert_eq!(
        said,
        ["~ name: \"a\" -> \"b\"", "~ url: [redacted] -> [redacted]"]
    );
}

#[test]
fn secrets_read_as_what_they_are_and_do_not_print_themselves() {
    let hook: Hook = serde_yaml::from_str("url: sk-1\npins: [1]").unwrap();
    assert_eq!(hook.url.expose(), "sk-1");
    assert_eq!(hook.pins, [Secret::new(1)]);
    let printed = format!("{hook:?} {} {:#?}", hook.url, hook.url);
    assert!(!printed.contains("sk-1"), "{printed}");
    assert_eq!(
        serde_yaml::to_string(&hook.url).unwrap().trim(),
        "'[redacted]'"
    );
    assert_eq!(hook.url.into_exposed(), "sk-1");
}

#[test]
fn the_digest_leaves_out_what_belongs_to_this_process() {
    let world = World::new(&[("base.yaml", "a: 1\n")]);
    let plain = World::load(world.base()).unwrap();
    let valued = World::load(world.base().source(Source::value("b", 2))).unwrap();
    let digests = [&plain, &valued].map(|reloader| reloader.handle().load().digest());
    assert_eq!(digests[0], digests[1]);
    assert_eq!(shows(&valued), "a: 1, b: 2");
}

#[test]
fn values_set_in_code_are_what_they_are() {
    let world = World::new(&[("base.yaml", "a: {b: 1, c: 1}\nlist: [1, 2]\n")]);
    let reloader = World::load(
        world
            .base()
            .source(Source::value("a.b", "12"))
            .source(Source::value("d", vec![1, 2]))
            .source(Source::value("", BTreeMap::from([("e", 5)])))
            // It says nothing.
            .source(Source::value("a.c", None::<u32>)),
    );
    assert_eq!(
        shows(&reloader.unwrap()),
        "a:,   b: '12',   c: 1, list:, - 1, - 2, d:, - 1, - 2, e: 5"
    );
    let error = World::load(world.base().source(Source::value("list[0]", 5))).unwrap_err();
    assert!(
        error.to_string().ends_with(
            "set in code: list[0]: cannot be set by itself: a list is replaced as a whole"
        ),
        "{error}"
    );
}

/// In a process of its own, for the environment is one for all threads.
#[test]
fn the_environment_is_a_source_like_any_other() {
    let Ok(base) = std::env::var("STEADYCONF_TEST_BASE") else {
        let world = World::new(&[("base.yaml", "llm: {timeout: 1, key: a}\nx: 1\n")]);
        let status = std::process::Command::new(std::env::current_exe().unwrap())
            .arg("--exact")
            .arg(crate::common::exact(
                module_path!(),
                "the_environment_is_a_source_like_any_other",
            ))
            .env("STEADYCONF_TEST_BASE", world.path("base.yaml"))
            .env("APP__LLM__TIMEOUT", "30")
            .env("APP__LLM__KEY", "12345")
            .env("APP__FLAG", "true")
            .env("APP__NAME", "a: [b")
            .env("APP__QUOTED", "\"30\"")
            .env("APP__EMPTY", "")
            .env("APP__X", "null")
            .env("APP__COLOR", "#ff0000")
            .env("APP__PASSWORD", "&Passw0rd")
            .env("APP__USER", "!root")
            .env("APP__TAG", "5 # five")
            .env("APP__NOTE", "x # y")
            .env("APP__", "no")
            .env("APPLE", "no")
            .env("OTHER-A-B", "1.50")
            .status()
            .unwrap();
        assert!(status.success());
        return;
    };
    let load = |builder: Builder<Value>| World::load(builder).unwrap();
    let reloader = load(
        Reloader::from_file(&base)
            .source(Source::env("APP").separator("__"))
            .source(Source::value("flag", 3)),
    );
    assert_eq!(
        shows(&reloader),
        "llm:,   timeout: 30,   key: 12345, color: '#ff0000', empty: '', flag: 3, name: 'a: \
         [b', note: 'x # y', password: '&Passw0rd', quoted: '30', tag: '5 # five', user: '!root'"
    );
    let origin = reloader.handle().load().origin("llm.timeout").unwrap();
    assert_eq!(origin.to_string(), "environment variable APP__LLM__TIMEOUT");
    let reloader =
        load(Reloader::from_file(&base).source(Source::env("OTHER").separator("-").nested("-")));
    assert_eq!(
        shows(&reloader),
        "llm:,   timeout: 1,   key: a, x: 1, a:,   b: 1.5"
    );

    // A key of digits only is a string where the type asks for one.
    #[derive(Deserialize)]
    struct Keyed {
        llm: BTreeMap<String, String>,
    }
    let reloader = Reloader::<Keyed>::from_file(&base)
        .source(Source::env("APP").separator("__"))
        .load()
        .unwrap();
    assert_eq!(reloader.handle().load().llm["key"], "12345");
    // It is read once.
    let error = Reloader::<Value>::from_file(Path::new(&base).with_extension("none"))
        .source(Source::env("APP").separator("__"))
        .load()
        .unwrap_err();
    let LoadError::Source(error) = error else {
        panic!("{error}");
    };
    assert_eq!(error.kind(), DetectErrorKind::NotFound);
}

#[cfg(feature = "toml")]
#[test]
fn toml_and_json_are_parsed_by_their_own_and_merge() {
    let mut world = World::new(&[
        ("base.toml", "a = 1\n[pool]\nmin = 1\nname = \"x\"\n"),
        ("over.json", "{\"pool\": {\"min\": 2}}"),
    ]);
    let builder = Reloader::<Value>::from_file(world.path("base.toml"));
    let builder = builder.source(Source::file(world.path("over.json")));
    let reloader = World::load(builder).unwrap();
    assert_eq!(shows(&reloader), "a: 1, pool:,   min: 2,   name: x");
    let snapshot = reloader.handle().load();
    let origin = |path: &str| world.plain(&snapshot.origin(path).unwrap().to_string());
    assert_eq!(origin("pool.name"), "base.toml:4:8");
    let place = origin("pool.min");
    assert!(place.starts_with("over.json:1:"), "{place}");
    for (name, text, expected) in [
        (
            "base.toml",
            "a = sk-canary\n",
            "base.toml:1:5: not valid TOML: ",
        ),
        (
            "base.toml",
            "a = 1\na = 2\n",
            "base.toml:2:1: not valid TOML: duplicate key",
        ),
        (
            "over.json",
            "{\"pool\": sk-canary}",
            "over.json:1:10: not valid JSON: expected value",
        ),
        (
            "over.json",
            "{\"a\": 1, \"a\": 2}",
            "over.json:1:10: this key is given twice; the first is at line 1 column 2",
        ),
    ] {
        world.write("base.toml", "a = 1\n");
        world.write("over.json", "{}");
        world.look(&reloader).unwrap();
        world.write(name, text);
        let Ok(Outcome::Rejected(rejection)) = world.look(&reloader) else {
            panic!("{text}: not rejected");
        };
        let said = world.plain(&rejection.problems()[0].to_string());
        assert!(said.starts_with(expected), "{said}");
        assert!(!said.contains("canary"), "{said}");
    }
}

#[cfg(feature = "toml")]
#[test]
fn one_file_of_another_format_says_where_and_what() {
    for (name, text, expected) in [
        (
            "c.toml",
            "name = 1\nport = 1\n",
            "c.toml:1:8: name: expected a string, found a whole number",
        ),
        (
            "c.toml",
            "name = \"x\"\nport = 70000\n",
            "c.toml:2:8: port: expected a whole number from 0 to 65535, found a number out of range",
        ),
        (
            "c.toml",
            "name = \"x\"\n",
            "c.toml:1:1: the key `port` is missing",
        ),
        (
            "c.json",
            "{\"name\": \"x\",\n \"port\": \"sk-canary\"}",
            "c.json:2:10: port: expected a whole number from 0 to 65535, found a string",
        ),
        (
            "c.json",
            "{\"name\": \"x\"",
            "c.json:1:12: not valid JSON: EOF while parsing an object",
        ),
    ] {
        let mut engine = Engine::<Typed>::new(Yaml::new());
        let document = Document::single(name, text.as_bytes());
        let Outcome::Rejected(rejection) = engine.apply(document, ms(0)) else {
            panic!("{text}: not rejected");
        };
        assert_eq!(rejection.problems()[0].to_string(), expected, "{text}");
    }
}

#[test]
fn what_is_said_to_editors_is_no_key() {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Strict {
        a: u8,
    }
    let text = "# yaml-language-server: $schema=x.json\n$schema: x.json\na: 1\n";
    let mut engine = Engine::<Strict>::new(Yaml::new()).unknown_keys(UnknownKeys::Reject);
    assert!(matches!(
        engine.apply(doc(text), ms(0)),
        Outcome::Applied(_)
    ));
    assert_eq!(engine.active().unwrap().a, 1);
    // Elsewhere it is a key like any other.
    #[derive(Deserialize)]
    struct Outer {
        #[serde(rename = "inner")]
        _inner: Strict,
    }
    let mut engine = Engine::<Outer>::new(Yaml::new());
    let outcome = engine.apply(doc("inner: {$schema: x, a: 1}"), ms(0));
    assert!(matches!(outcome, Outcome::Rejected(_)));
}
