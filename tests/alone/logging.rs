//! What the operator finds in the log. A file of its own, for there is one
//! logger in a process.
#![cfg(feature = "values")]

use std::fs;
use std::sync::Mutex;
use std::time::Duration;

use log::kv::{Key, Value, VisitSource};
use log::{Level, LevelFilter, Log, Metadata, Record};
use steadyconf::Reloader;

struct Lines(Mutex<Vec<(Level, String)>>);

static LINES: Lines = Lines(Mutex::new(Vec::new()));

/// What stood beside the lines, for programs.
static PAIRS: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Pairs(Vec<String>);

impl<'kvs> VisitSource<'kvs> for Pairs {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), log::kv::Error> {
        let short: String = value.to_string().chars().take(19).collect();
        self.0.push(format!("{key}={short}"));
        Ok(())
    }
}

fn pairs() -> Vec<String> {
    std::mem::take(&mut PAIRS.lock().unwrap())
}

impl Log for Lines {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        assert_eq!(record.target(), "steadyconf");
        let line = (record.level(), record.args().to_string());
        self.0.lock().unwrap().push(line);
        let mut pairs = Pairs(Vec::new());
        record.key_values().visit(&mut pairs).unwrap();
        PAIRS.lock().unwrap().push(pairs.0.join(" "));
    }

    fn flush(&self) {}
}

fn lines() -> Vec<(Level, String)> {
    let lines = std::mem::take(&mut *LINES.0.lock().unwrap());
    // Colours are a terminal's affair: no line has any.
    assert!(lines.iter().all(|(_, line)| !line.contains('\u{1b}')));
    lines
}

#[derive(serde::Deserialize)]
struct Config {
    #[allow(dead_code, reason = "only its type matters here")]
    api_key: String,
    workers: u32,
}

#[test]
fn g06_g20_one_line_for_each_change_without_secrets() {
    log::set_logger(&LINES).unwrap();
    log::set_max_level(LevelFilter::Trace);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.yaml");
    let name = path.display();
    let write = |text: &str| fs::write(&path, text).unwrap();
    write("api_key: sk-canary\nworkers: 1\n");

    let reloader = Reloader::<Config>::from_file(&path)
        .validate(|config, report| {
            if config.workers == 0 {
                report.add("workers", "must be at least 1");
            }
        })
        .listener("pool", Pool)
        .load_at(Duration::ZERO, |until| until)
        .unwrap();
    let loaded = format!("loaded v1 sha256:0e6fc4fedd94, from {name}");
    assert_eq!(lines(), [(Level::Info, loaded)]);
    let origin: String = name.to_string().chars().take(19).collect();
    let beside = |attempt: u64, version: u64, digest: &str| {
        format!("attempt={attempt} version={version} digest=sha256:{digest}")
    };
    assert_eq!(
        pairs(),
        [format!("{} origin={origin}", beside(1, 1, "0e6fc4fedd94"))]
    );

    // Each state lasts for many looks, and is told once.
    let mut now = reloader.next_poll();
    let mut look = || {
        for _ in 0..10 {
            let _ = reloader.poll_at(now);
            now = reloader.next_poll();
        }
        lines()
    };
    write("api_key: sk-canary\nworkers: 2\n");
    let applied =
        format!("applied v2 sha256:39a694ae0983 in place of v1, from {name}; changed: workers");
    let failed = String::from("v2 is active, but listener pool: two is too many");
    assert_eq!(look(), [(Level::Info, applied), (Level::Warn, failed)]);

    write("api_key: sk-canary\nworkers: sk-canary\n");
    let wrong = format!(
        "keeping v2; sha256:c67c411cd572 does not parse, 1 problem:\n  {name}:2:10: workers: \
         expected a whole number from 0 to 4294967295, found a string"
    );
    assert_eq!(look(), [(Level::Warn, wrong)]);

    write("api_key: sk-canary\nworkers: 0\n");
    let invalid = format!(
        "keeping v2; sha256:abcb277419be fails validation, 1 problem:\n  {name}:2:10: workers: \
         must be at least 1"
    );
    pairs();
    assert_eq!(look(), [(Level::Warn, invalid)]);
    let refused = format!(
        "{} stage=validate origin={origin}",
        beside(4, 2, "abcb277419be")
    );
    assert_eq!(pairs(), [refused]);

    fs::remove_file(&path).unwrap();
    let gone = format!("keeping v2; cannot read {name}: no such file");
    assert_eq!(look(), [(Level::Warn, gone)]);

    write("api_key: sk-canary\nworkers: 2\n");
    let back = format!("can read {name} again");
    let good = String::from("recovered: the source is again v2 sha256:39a694ae0983");
    assert_eq!(look(), [(Level::Warn, back), (Level::Warn, good)]);
    drop(reloader);

    // A last known good that cannot be written, and one that is started from.
    let missing = folder.path().join("missing");
    let start = || {
        let builder = Reloader::<Config>::from_file(&path);
        let builder = builder.last_known_good(missing.join("last.good"));
        builder.load_at(Duration::ZERO, |until| until).unwrap()
    };
    let last_good = missing.join("last.good").display().to_string();
    let reloader = start();
    let loaded = format!("loaded v1 sha256:39a694ae0983, from {name}");
    let failed = format!(
        "cannot write the last known good, {last_good}: its folder does not exist; it is \
         tried again"
    );
    assert_eq!(lines(), [(Level::Info, loaded), (Level::Warn, failed)]);
    fs::create_dir(&missing).unwrap();
    for second in 1..10 {
        reloader.poll_at(Duration::from_secs(second)).unwrap();
    }
    let again = format!("the last known good, {last_good}, is written again");
    assert_eq!(lines(), [(Level::Warn, again)]);

    write("api_key: sk-canary\nworkers: sk-canary\n");
    let reloader = start();
    let started = format!(
        "started from the last known good, v1 sha256:39a694ae0983 of {last_good}, which is not current: \
         sha256:c67c411cd572 does not parse, 1 problem:\n  {name}:2:10: workers: \
         expected a whole number from 0 to 4294967295, found a string"
    );
    assert_eq!(lines(), [(Level::Warn, started)]);
    write("api_key: sk-canary\nworkers: 2\n");
    for second in 1..10 {
        reloader.poll_at(Duration::from_secs(second)).unwrap();
    }
    let good = String::from("recovered: the source is again v1 sha256:39a694ae0983");
    assert_eq!(lines(), [(Level::Warn, good)]);
}

struct Pool;

impl steadyconf::Listener<Config> for Pool {
    fn commit(
        &mut self,
        change: &steadyconf::Change<Config>,
    ) -> Result<(), steadyconf::engine::BoxError> {
        if change.new.workers == 2 {
            return Err("two is too many".into());
        }
        Ok(())
    }
}
