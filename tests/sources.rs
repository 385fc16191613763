//! Sources are values, and the order of calls is their precedence.
#![cfg(all(unix, feature = "values"))]

use std::env;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::process::Command;

use crate::common::ms;
use serde::{Deserialize, Serialize};
use serde_yaml::Value;
use steadyconf::engine::{Language, UnknownKeys};
use steadyconf::{Builder, LoadError, Outcome, Reloader, Secret, Source};
use tempfile::TempDir;

/// Runs a test in a process of its own, for the environment is one for all threads.
/// Returns whether this is that process.
fn with_environment(test: &str, variables: &[(&str, &str)]) -> bool {
    const INSIDE: &str = "STEADYCONF_TEST_INSIDE";
    if env::var_os(INSIDE).is_some() {
        return true;
    }
    let raw = ("APP_RAW", OsString::from_vec(vec![0xff]));
    let status = Command::new(env::current_exe().unwrap())
        .args([
            "--exact",
            &crate::common::exact(module_path!(), test),
            "--nocapture",
        ])
        .env(INSIDE, "1")
        .envs(variables.iter().copied())
        .envs([raw].into_iter().filter(|_| variables.is_empty()))
        .status();
    assert!(status.unwrap().success());
    false
}

struct World(TempDir);

impl World {
    fn new(files: &[(&str, &str)]) -> Self {
        let world = World(tempfile::tempdir().unwrap());
        for (name, text) in files {
            let path = world.path(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Without the folder, which has another name each time.
    fn plain(&self, text: &impl ToString) -> String {
        let folder = format!("{}/", self.0.path().display());
        text.to_string().replace(&folder, "")
    }
}

fn load<T: Send + Sync>(builder: Builder<T>) -> Result<Reloader<T>, LoadError> {
    builder.load_at(ms(0), |until| until)
}

fn free() -> Builder<Value> {
    Reloader::builder()
}

#[derive(Serialize)]
struct X {
    x: &'static str,
}

const KINDS: &[&str] = &[
    "file", "optional", "dir", "keys", "env", "value", "values", "defaults", "text",
];

/// A source that sets `x` to the name of its kind.
fn of_kind(kind: &str, world: &World) -> Source {
    match kind {
        "file" => Source::file(world.path("file.yaml")).into(),
        "optional" => Source::file(world.path("optional.yaml")).optional().into(),
        "dir" => Source::dir(world.path("dir")).into(),
        "keys" => Source::key_per_file(world.path("keys")).into(),
        "env" => Source::env("PAIRS").into(),
        "value" => Source::value("x", "value"),
        "values" => Source::values(&X { x: "values" }),
        "defaults" => Source::defaults(&X { x: "defaults" }),
        _ => Source::text("built in", "x: text"),
    }
}

#[test]
fn g13_of_every_two_kinds_the_later_wins() {
    let test = "g13_of_every_two_kinds_the_later_wins";
    if !with_environment(test, &[("PAIRS_X", "env")]) {
        return;
    }
    let world = World::new(&[
        ("file.yaml", "x: file"),
        ("optional.yaml", "x: optional"),
        ("dir/10.yaml", "x: dir"),
        ("keys/x", "keys\n"),
    ]);
    for first in KINDS {
        for second in KINDS {
            let sources = [first, second].map(|kind| of_kind(kind, &world));
            let [a, b] = sources;
            let reloader = load(free().source(a).source(b)).unwrap();
            // Defaults are below everything, wherever they are added.
            let winner = match *second {
                "defaults" => first,
                second => second,
            };
            let active = reloader.handle().load();
            assert_eq!(active["x"], *winner, "{first}, then {second}");
            assert!(active.origin("x").is_some(), "{first}, then {second}");
        }
    }
}

#[derive(Debug, Deserialize, Serialize)]
struct Daemon {
    #[serde(rename = "logLevel")]
    log_level: String,
    db: Db,
    #[serde(default)]
    peers: Vec<String>,
    #[serde(default)]
    ports: Vec<u16>,
}

#[derive(Debug, Deserialize, Serialize)]
struct Db {
    max: u32,
    host: String,
}

fn defaults() -> Daemon {
    let host = "default".into();
    Daemon {
        log_level: "default".into(),
        db: Db { max: 1, host },
        peers: Vec::new(),
        ports: Vec::new(),
    }
}

fn daemon() -> Builder<Daemon> {
    Reloader::builder().source(Source::defaults(&defaults()))
}

#[test]
fn g13_a_program_starts_without_any_file() {
    let reloader = load(daemon()).unwrap();
    assert_eq!(reloader.handle().load().db.host, "default");
    assert_eq!(reloader.poll_at(ms(5000)), Ok(Outcome::Unchanged));
    let error = load(Reloader::<Daemon>::builder()).unwrap_err();
    assert!(error.to_string().contains("no source at all"), "{error}");
}

#[test]
fn g13_flags_over_environment_over_files_over_defaults() {
    let test = "g13_flags_over_environment_over_files_over_defaults";
    let variables = [("APP_DB__MAX", "4"), ("APP_LOG_LEVEL", "env")];
    if !with_environment(test, &variables) {
        return;
    }
    #[derive(Serialize, Default)]
    struct Flags {
        db: DbFlags,
        #[serde(rename = "logLevel")]
        log_level: Option<String>,
    }
    #[derive(Serialize, Default)]
    struct DbFlags {
        max: Option<u32>,
    }
    let world = World::new(&[
        ("base.yaml", "db: {max: 2, host: base}\nlogLevel: base\n"),
        ("conf.d/10.yaml", "db: {max: 3}\n"),
    ]);
    let all = |flags: &Flags| {
        daemon()
            .source(Source::file(world.path("base.yaml")))
            .source(Source::dir(world.path("conf.d")))
            .source(Source::env("APP"))
            .source(Source::values(flags))
            .source(Source::value("db.host", None::<String>))
    };
    let reloader = load(all(&Flags::default())).unwrap();
    let config = reloader.handle().load();
    assert_eq!((config.db.max, &*config.db.host), (4, "base"));
    assert_eq!(config.log_level, "env");
    assert_eq!(config.document().layers().len(), 5);
    let origin = |path| config.origin(path).unwrap().to_string();
    assert_eq!(origin("db.max"), "environment variable APP_DB__MAX");
    assert_eq!(origin("logLevel"), "environment variable APP_LOG_LEVEL");
    let flags = Flags {
        db: DbFlags { max: Some(5) },
        log_level: Some("flag".into()),
    };
    let config = load(all(&flags)).unwrap().handle().load();
    assert_eq!((config.db.max, &*config.log_level), (5, "flag"));
    // What is called later wins, also where that is unusual.
    let reloader = load(
        daemon()
            .source(Source::env("APP"))
            .source(Source::file(world.path("base.yaml"))),
    );
    assert_eq!(reloader.unwrap().handle().load().log_level, "base");
}

#[test]
fn g13_names_in_the_environment_match_as_near_as_can_be() {
    let test = "g13_names_in_the_environment_match_as_near_as_can_be";
    let variables = [
        ("APP_LOGLEVEL", "near"),
        ("APP_DB__HOTS", "x"),
        ("APP_PEERS", "a, b,3"),
        ("APP_PORTS__1", "81"),
        ("APP_PORTS__0", "80"),
        ("GAP_PORTS__1", "81"),
        ("BAD_DB__MAX", "many"),
        ("BAD_PORTS", "80,x"),
        ("SEP.DB.MAX", "7"),
    ];
    if !with_environment(test, &variables) {
        return;
    }
    let reloader = load(daemon().source(Source::env("APP").lists(','))).unwrap();
    let config = reloader.handle().load();
    assert_eq!(config.log_level, "near");
    assert_eq!(config.peers, ["a", "b", "3"]);
    assert_eq!(config.ports, [80, 81]);
    let warnings = reloader.status().warnings;
    assert_eq!(
        warnings[0].to_string(),
        "environment variable APP_DB__HOTS: db.hots: unknown key; did you mean `host`?"
    );
    let refused = |prefix: &str| {
        let env = Source::env(prefix).lists(',');
        load(daemon().source(env)).unwrap_err().to_string()
    };
    let said = refused("GAP");
    let expected = "environment variable GAP_PORTS__1: ports: item 0 is missing";
    assert!(said.contains(expected), "{said}");
    let said = refused("BAD");
    let expected = "environment variable BAD_DB__MAX: db.max: expected a whole number";
    assert!(said.contains(expected), "{said}");
    let strict = daemon().unknown_keys(UnknownKeys::Reject);
    assert!(load(strict.source(Source::env("APP"))).is_err());
    let dotted = Source::env("SEP").separator(".").nested(".");
    let config = load(daemon().source(dotted)).unwrap().handle().load();
    assert_eq!(config.db.max, 7);
}

#[test]
fn g05_a_variable_that_is_no_text_is_named() {
    if !with_environment("g05_a_variable_that_is_no_text_is_named", &[]) {
        return;
    }
    let error = load(free().source(Source::env("APP"))).unwrap_err();
    let expected = "environment variable APP_RAW: raw: expected text, found other bytes";
    assert!(error.to_string().contains(expected), "{error}");
}

#[test]
fn g06_a_secret_default_says_nothing() {
    #[derive(Deserialize, Serialize)]
    struct Keyed {
        api_key: Secret<String>,
        host: String,
    }
    let keyed = Keyed {
        api_key: "in code".to_string().into(),
        host: "h".into(),
    };
    let builder = || Reloader::<Keyed>::builder().source(Source::defaults(&keyed));
    let error = load(builder()).err().unwrap();
    let expected = "the key `api_key` is missing";
    assert!(error.to_string().contains(expected), "{error}");
    let config = load(builder().source(Source::value("api_key", "sk-1"))).unwrap();
    assert_eq!(config.handle().load().api_key.expose(), "sk-1");
}

#[test]
fn keys_per_file_nest_and_may_be_numbers() {
    let world = World::new(&[
        ("keys/db__max", "30\n"),
        ("keys/db__host", "1234\n"),
        ("keys/logLevel", "null"),
    ]);
    let keys = || Source::key_per_file(world.path("keys"));
    let config = load(daemon().source(keys().nested("__"))).unwrap();
    let config = config.handle().load();
    assert_eq!((config.db.max, &*config.db.host), (30, "1234"));
    assert_eq!(config.log_level, "null");
    let flat = load(free().source(keys())).unwrap().handle().load();
    assert_eq!(flat["db__max"], "30");
}

#[test]
fn a_language_may_be_said() {
    let world = World::new(&[("config", "x: [1]"), ("other.yaml", "{\"x\": 1}")]);
    let file = |name: &str| Source::file(world.path(name));
    let yaml = free().source(file("config").language(Language::Yaml));
    assert_eq!(load(yaml).unwrap().handle().load()["x"][0], 1);
    let json = |name| load(free().source(file(name).language(Language::Json)));
    let said = world.plain(&json("config").err().unwrap());
    if cfg!(feature = "json") {
        assert!(said.contains("config:1:1: not valid JSON"), "{said}");
        assert_eq!(json("other.yaml").unwrap().handle().load()["x"], 1);
    } else {
        let expected = "config: this is JSON, which needs the feature `json` of steadyconf";
        assert!(said.contains(expected), "{said}");
    }
}

#[cfg(not(feature = "toml"))]
#[test]
fn a_language_whose_feature_is_off_is_named() {
    let world = World::new(&[("config.toml", "x = 1")]);
    let error = load(free().source(Source::file(world.path("config.toml"))));
    let said = world.plain(&error.err().unwrap());
    let expected = "config.toml: this is TOML, which needs the feature `toml` of steadyconf";
    assert!(said.ends_with(expected), "{said}");
}

#[test]
fn g07_an_optional_folder_may_come_and_go() {
    let world = World::new(&[("base.yaml", "x: base")]);
    let dir = || Source::dir(world.path("conf.d"));
    let base = || free().source(Source::file(world.path("base.yaml")));
    let error = load(base().source(dir())).err().unwrap();
    let said = world.plain(&error);
    assert!(said.ends_with("conf.d: no such file"), "{said}");
    let reloader = load(base().source(dir().optional())).unwrap();
    let x = || reloader.handle().load()["x"].clone();
    assert_eq!(x(), "base");
    let poll = |now: u64| {
        for at in [0, 100, 200] {
            reloader.poll_at(ms(now + at)).unwrap();
        }
    };
    fs::create_dir(world.path("conf.d")).unwrap();
    fs::write(world.path("conf.d/1.yaml"), "x: dir").unwrap();
    poll(10_000);
    assert_eq!(x(), "dir");
    fs::remove_dir_all(world.path("conf.d")).unwrap();
    poll(20_000);
    assert_eq!(x(), "base");
}

#[test]
fn g05_a_value_at_no_path_is_named() {
    for (path, expected) in [
        ("a..b", "set in code: a..b: this is no path to a field"),
        ("a[0]", "set in code: a[0]: cannot be set by itself"),
    ] {
        let error = load(free().source(Source::value(path, 1))).err().unwrap();
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[test]
fn g18_the_last_known_good_keeps_its_place() {
    let world = World::new(&[("base.yaml", "x: file\ny: file\n")]);
    let builder = || {
        free()
            .source(Source::text("below", "{x: below, z: below}"))
            .source(Source::file(world.path("base.yaml")))
            .source(Source::value("y", "above"))
            .last_known_good(world.path("last.good"))
    };
    drop(load(builder()).unwrap());
    fs::remove_file(world.path("base.yaml")).unwrap();
    let reloader = load(builder()).unwrap();
    assert!(reloader.status().from_last_good);
    let config = reloader.handle().load();
    let all = ["x", "y", "z"].map(|key| config[key].as_str().unwrap());
    assert_eq!(all, ["file", "above", "below"]);
}

#[test]
fn g18_the_last_known_good_fits_other_sources() {
    let world = World::new(&[("base.yaml", "x: file\ny: file\n")]);
    let base = || Source::file(world.path("base.yaml"));
    let keep = |builder: Builder<Value>| builder.last_known_good(world.path("last.good"));
    let optional = || Source::file(world.path("none.yaml")).optional();
    drop(load(keep(free().source(optional()).source(base()))).unwrap());
    fs::write(world.path("base.yaml"), "x: [").unwrap();
    // The next version of the program has other sources.
    let builder = free()
        .source(Source::text("below", "{x: below, y: below}"))
        .source(base())
        .source(Source::value("y", "flag"))
        .source(Source::defaults(&X { x: "defaults" }));
    let reloader = load(keep(builder)).unwrap();
    assert!(reloader.status().from_last_good);
    let config = reloader.handle().load();
    assert_eq!(
        (&config["x"], &config["y"]),
        (&"file".into(), &"flag".into())
    );
    // What it held is no other content than the source holds.
    fs::write(world.path("base.yaml"), "x: file\ny: file\n").unwrap();
    for now in [5000, 5100, 5200] {
        reloader.poll_at(ms(now)).unwrap();
    }
    let status = reloader.status();
    assert_eq!((status.from_last_good, status.reloads), (false, 0));
}

#[test]
fn g13_a_misspelt_key_does_not_take_the_environment_away() {
    let test = "g13_a_misspelt_key_does_not_take_the_environment_away";
    let variables = [
        ("APP_LOG_LEVEL", "env"),
        ("TWO_LOG_LEVEL", "with"),
        ("TWO_LOGLEVEL", "without"),
    ];
    if !with_environment(test, &variables) {
        return;
    }
    #[derive(Deserialize)]
    struct Config {
        #[serde(default)]
        log_level: String,
        #[serde(default)]
        loglevel: Option<String>,
    }
    #[derive(Deserialize)]
    struct One {
        #[serde(default)]
        log_level: String,
    }
    for text in ["loglevel: file", "log-level: file"] {
        for env_first in [false, true] {
            let builder = Reloader::<One>::builder();
            let file = Source::text("file", text);
            let env = Source::env("APP");
            let builder = match env_first {
                true => builder.source(env).source(file),
                false => builder.source(file).source(env),
            };
            let reloader = load(builder).unwrap();
            assert_eq!(reloader.handle().load().log_level, "env", "{text}");
            let warnings = reloader.status().warnings;
            assert!(warnings[0].to_string().starts_with("file:1:1"), "{text}");
        }
    }
    // Of two fields that are alike, each has its own variable.
    let both = load(Reloader::<Config>::builder().source(Source::env("TWO"))).unwrap();
    let both = both.handle().load();
    assert_eq!(
        (&*both.log_level, both.loglevel.as_deref()),
        ("with", Some("without"))
    );
    // And two keys of one file stay two.
    let alike = Source::text("file", "{log-level: 1, log_level: 2}");
    let map = load(free().source(Source::env("APP")).source(alike)).unwrap();
    let map = map.handle().load();
    assert_eq!(
        (&map["log-level"], &map["log_level"]),
        (&1.into(), &2.into())
    );
}

#[test]
fn g06_secrets_of_the_environment_are_hidden() {
    let test = "g06_secrets_of_the_environment_are_hidden";
    let variables = [
        ("APP_UPSTREAMS", "c4nary-1,c4nary-2"),
        ("APP_PINS", "c4nary-3,c4nary-4"),
        ("APP_ITEMS__0__PIN", "c4nary-5"),
        ("APP_SIGNINGKEY", "c4nary-6"),
        ("APP_OTHER", "c4nary-1"),
    ];
    if !with_environment(test, &variables) {
        return;
    }
    #[derive(Deserialize)]
    struct Config {
        upstreams: Vec<Secret<String>>,
        pins: Vec<String>,
        items: Vec<Item>,
        #[serde(rename = "signingKey")]
        signing_key: String,
        other: String,
    }
    #[derive(Deserialize)]
    struct Item {
        pin: String,
    }
    let builder = Reloader::<Config>::builder()
        .source(Source::env("APP").lists(','))
        .mask("pins[*]")
        .mask("items[*].pin")
        .validate(|config, report| {
            if config.items[0].pin == "c4nary-5" {
                report.add("items[0].pin", "must be another");
            }
        });
    let error = load(builder).err().unwrap();
    let expected = "environment variable APP_ITEMS__0__PIN: items[0].pin: must be another";
    assert!(error.to_string().contains(expected), "{error}");
    let builder = Reloader::<Config>::builder()
        .source(Source::env("APP").lists(','))
        .mask("pins[*]")
        .mask("items[*].pin");
    let config = load(builder).unwrap().handle().load();
    assert_eq!(config.upstreams[1].expose(), "c4nary-2");
    assert_eq!(
        (&*config.pins[1], &*config.items[0].pin),
        ("c4nary-4", "c4nary-5")
    );
    assert_eq!(
        (&*config.signing_key, &*config.other),
        ("c4nary-6", "c4nary-1")
    );
    let effective = config.effective().unwrap().to_string();
    assert!(!effective.contains("c4nary"), "{effective}");
    assert!(effective.contains("signingKey"), "{effective}");
    let origin = config.origin("items[0].pin").unwrap().to_string();
    assert_eq!(origin, "environment variable APP_ITEMS__0__PIN");
}

#[test]
fn g13_what_is_none_says_nothing_at_any_depth() {
    #[derive(Deserialize, Serialize)]
    struct Tls {
        cert: Option<String>,
        ca: Option<String>,
    }
    #[derive(Deserialize, Serialize)]
    struct Config {
        tls: Tls,
        port: u16,
    }
    let tls = Tls {
        cert: None,
        ca: None,
    };
    let defaults = Config { tls, port: 1 };
    let builder = || Reloader::<Config>::builder().source(Source::defaults(&defaults));
    let config = load(builder()).unwrap().handle().load();
    assert_eq!((config.port, &config.tls.cert), (1, &None));
    let flags = Tls {
        cert: None,
        ca: Some("flag".into()),
    };
    let file = Source::text("file", "tls: {cert: file, ca: file}");
    let config = load(builder().source(file).source(Source::value("tls", flags)));
    let config = config.unwrap().handle().load();
    let tls = [&config.tls.cert, &config.tls.ca].map(|part| part.as_deref().unwrap());
    assert_eq!(tls, ["file", "flag"]);
    // Of two defaults, too, the later wins.
    let [one, two] = ["one", "two"].map(|x| Source::defaults(&X { x }));
    let config = load(free().source(one).source(two))
        .unwrap()
        .handle()
        .load();
    assert_eq!(config["x"], "two");
}

#[test]
#[should_panic(expected = "a source was given a secret, which does not write itself")]
fn g06_a_secret_flag_is_no_text() {
    let _ = Source::value("api_key", Some(Secret::new("sk-1")));
}
