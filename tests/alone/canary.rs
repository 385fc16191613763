//! Secrets in every position of a document, and in everything that goes wrong with it:
//! none of them is in anything that was printed, logged or returned as text.
//!
//! A file of its own, for there is one logger in a process. Keys are no secrets: they
//! are what a path is made of.
#![cfg(feature = "values")]

#[path = "../common/mod.rs"]
mod common;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{Random, ms};
use log::{LevelFilter, Log, Metadata, Record};
use serde::{Deserialize, Deserializer, de};
use serde_yaml::Value;
use steadyconf::engine::{BoxError, Detector, Document, Layer, Sighting, UnknownKeys};
use steadyconf::report::DetectError;
use steadyconf::{Change, Listener, LoadError, Reloader, Secret, Snapshot};

const CANARY: &str = "c4nary";

struct Sink;

static SAID: Mutex<String> = Mutex::new(String::new());

impl Log for Sink {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        say(&record.args().to_string());
    }

    fn flush(&self) {}
}

fn say(text: &str) {
    let mut said = SAID.lock().unwrap();
    said.push_str(text);
    said.push('\n');
}

fn said() -> String {
    std::mem::take(&mut SAID.lock().unwrap())
}

/// Offers what is put into it.
#[derive(Clone, Default)]
struct Slot(Arc<Mutex<Option<Document>>>);

impl Detector for Slot {
    fn poll(&mut self, _: Duration) -> Result<Sighting, DetectError> {
        let document = self.0.lock().unwrap().take();
        Ok(document.map_or(Sighting::Unchanged, Sighting::Changed))
    }
}

/// Something of every kind that can refuse.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Config {
    api_key: String,
    hook: Secret<String>,
    timeout: u32,
    ratio: f64,
    on: bool,
    password: Option<String>,
    mode: Mode,
    even: Even,
    list: Vec<u16>,
    map: BTreeMap<String, u32>,
    inner: Vec<Inner>,
    either: Option<Either>,
    free: Value,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "only what is said of it counts")]
struct Inner {
    name: String,
    #[serde(default)]
    token: Secret<String>,
    #[serde(default)]
    limit: u8,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Mode {
    #[default]
    Fast,
    Slow,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
#[allow(dead_code, reason = "only what is said of it counts")]
enum Either {
    Number(u32),
    Map { a: u32 },
}

/// A type whose own code quotes what it was given.
#[derive(Clone, Debug, Default)]
#[allow(dead_code, reason = "only what is said of it counts")]
struct Even(u64);

impl<'de> Deserialize<'de> for Even {
    fn deserialize<D: Deserializer<'de>>(de: D) -> Result<Self, D::Error> {
        let text = String::deserialize(de)?;
        let number = text.parse();
        number
            .map(Even)
            .map_err(|_| de::Error::custom(format!("{text} is no number")))
    }
}

/// Panics with the secret at some values, in every phase.
struct Panics;

impl Panics {
    fn at(timeout: u32, change: &Change<Config>) {
        assert!(
            change.new.timeout != timeout,
            "{:?} {CANARY}",
            change.new.api_key
        );
    }
}

impl Listener<Config> for Panics {
    fn prepare(&mut self, change: &Change<Config>) -> Result<(), BoxError> {
        Panics::at(661, change);
        Ok(())
    }

    fn commit(&mut self, change: &Change<Config>) -> Result<(), BoxError> {
        say(&format!("{change:?} {:?}", change.new));
        say(&shown(change));
        say(&effective(&change.new));
        Panics::at(662, change);
        Ok(())
    }
}

/// What a diff says, short of fields that are no secrets: those it shows.
fn shown(change: &Change<Config>) -> String {
    let diff = change.diff();
    let mut lines = vec![format!("{diff:?}")];
    for difference in diff.differences().unwrap_or_default() {
        // In a free-form part nobody can tell what a misspelt name stood for, and
        // a name is shown, whatever the lines behind it were meant to be.
        let secret = ["secret", "password"];
        let mut names = difference.path.split(['.', '[', ']']);
        let is_free = difference.path.starts_with("free") || difference.path.ends_with(".name");
        if !is_free || names.any(|name| secret.contains(&name)) {
            lines.push(difference.to_string());
        }
    }
    lines.join("\n")
}

/// What is printed of the active configuration, short of what `shown` leaves out.
fn effective(snapshot: &Snapshot<Config>) -> String {
    let printed = snapshot.effective().map(|all| all.to_string());
    let mut left_out = None;
    let mut lines = Vec::new();
    for line in printed
        .unwrap_or_default()
        .lines()
        .filter(|line| !line.is_empty())
    {
        // An item has its first key in its own line.
        let content = line.trim_start_matches([' ', '-']);
        let indent = line.len() - content.len();
        left_out = left_out.filter(|around| *around < indent);
        let begins = |name: &str| content.starts_with(name);
        let may_be_shown = left_out.is_some() || begins("free:") || begins("name:");
        if may_be_shown {
            left_out = left_out.or(Some(indent));
        }
        if !may_be_shown || begins("secret:") || begins("password:") {
            lines.push(line.to_string());
        }
    }
    lines.join("\n")
}

/// Good, with the secret where secrets belong.
const GOOD: &str = "\
# about c4nary
api_key: c4nary
hook: 'c4nary'
timeout: 30
ratio: 0.5
on: true
password: &pass \"c4nary\"
mode: fast
even: 4
list: [1, 2, 3]
map: {x: 1, y: 2}
inner:
  - name: one
    token: *pass
    limit: 5
  - name: two
    token: |
      c4nary
      c4nary
either: {a: 1}
free:
  secret: >-
    c4nary
  deep: [{password: c4nary}]
";

/// Where a secret stands that belongs elsewhere, and what else goes wrong.
const BAD: &[&str] = &[
    "timeout: c4nary",
    "timeout: \"c4nary\"",
    "timeout: [c4nary]",
    "timeout: {x: c4nary}",
    "timeout: |\n  c4nary\n",
    "timeout: !c4nary 5",
    "timeout: 661",
    "timeout: 662",
    "timeout: 663",
    "ratio: c4nary",
    "on: c4nary",
    "mode: c4nary",
    "mode: [c4nary]",
    "mode: !c4nary x",
    "even: c4nary",
    "list: c4nary",
    "list: [c4nary]",
    "list: [1, &x c4nary, *x]",
    "map: {x: c4nary}",
    "map: {x: 1, x: c4nary}",
    "map: c4nary",
    "inner: c4nary",
    "inner: [c4nary]",
    "inner: [{name: c4nary, limit: c4nary}]",
    "inner: [{name: c4nary, limt: c4nary}]",
    "inner: [{token: c4nary}]",
    "inner: [{name: [c4nary]}]",
    "inner:\n  - name: a\n    limit: 256 # c4nary",
    "either: c4nary",
    "either: {a: c4nary}",
    "hook: [c4nary]",
    "hook: {x: c4nary}",
    "api_key: [c4nary]",
    "api_key: {x: c4nary}",
    "api_key: c4nary\n  more: c4nary",
    "api_key: c4nary: c4nary",
    "api_key: \"c4nary",
    "api_key: 'c4nary",
    "api_key: \"c4nary\" c4nary",
    "api_key: \"\\c4nary\"",
    "api_key: *c4nary",
    "api_key: &c4nary",
    "api_key: @c4nary",
    "api_key: %c4nary",
    "api_key: `c4nary`",
    "api_key: [c4nary, c4nary",
    "api_key: {x: c4nary",
    "api_key: |c4nary\n  x",
    "api_key: |\n  c4nary\n c4nary",
    "api_key: !!int c4nary",
    "api_key: !<c4nary c4nary",
    "api_key: c4nary\napi_key: c4nary",
    "api_key:\n\t- c4nary",
    "api_key c4nary",
    "- c4nary",
    "c4nary",
    "\"c4nary\"",
    "[c4nary]",
    "--- c4nary\n--- c4nary",
    "%c4nary\n---\na: 1",
    "unknown: c4nary",
    "free: {<<: c4nary}",
    "<<: c4nary",
    "<<: [c4nary]",
    "a: &a [*a, c4nary]",
    "free: \u{0}c4nary",
    "free: 340282366920938463463374607431768211456c4nary",
];

struct Bench {
    slot: Slot,
    reloader: Reloader<Config>,
    now: Duration,
}

impl Bench {
    fn new() -> Self {
        let slot = Slot::default();
        *slot.0.lock().unwrap() = Some(Document::single("start.yaml", *b"{}"));
        let reloader = Reloader::with_detector(slot.clone(), steadyconf::format::Yaml::new())
            .unknown_keys(UnknownKeys::Warn)
            .validate(|config: &Config, _| {
                assert!(config.timeout != 663, "{:?} {CANARY}", config.api_key);
            })
            .listener("panics", Panics)
            .load_at(ms(0), |until| until)
            .unwrap();
        Bench {
            slot,
            reloader,
            now: ms(0),
        }
    }

    /// Everything that is said of a document.
    fn judge(&mut self, document: Document) -> String {
        say(&format!("{document:?}"));
        *self.slot.0.lock().unwrap() = Some(document.clone());
        self.now += ms(100_000);
        let outcome = self.reloader.poll_at(self.now);
        say(&format!("{outcome:?}"));
        say(&format!("{:?}", self.reloader.status()));
        say(&format!(
            "{:?} {:?}",
            self.reloader,
            self.reloader.handle().load()
        ));
        // And of a start with it.
        let slot = Slot::default();
        *slot.0.lock().unwrap() = Some(document);
        let load: Result<Reloader<Config>, LoadError> =
            Reloader::with_detector(slot, steadyconf::format::Yaml::new())
                .unknown_keys(UnknownKeys::Reject)
                .load_at(ms(0), |until| until);
        if let Err(error) = load {
            say(&format!("{error} {error:?}"));
        }
        said()
    }
}

fn layered(texts: &[&str]) -> Document {
    let layer = |(n, text): (usize, &&str)| Layer::new(format!("{n}.yaml"), text.as_bytes());
    Document::new(texts.iter().enumerate().map(layer).collect::<Vec<_>>())
}

/// Cuts, adds, doubles and moves things, and leaves the secret whole.
fn mangled(rng: &mut Random) -> String {
    let mut text = GOOD.to_string();
    if rng.below(2) == 0 {
        text = format!("{text}{}\n", rng.one_of(BAD));
    }
    for _ in 0..=rng.below(3) {
        let lines: Vec<&str> = text.lines().collect();
        let line = rng.below(lines.len() as u64) as usize;
        let mut lines: Vec<String> = lines.into_iter().map(String::from).collect();
        match rng.below(6) {
            0 => drop(lines.remove(line)),
            1 => lines.insert(line, lines[line].clone()),
            2 => {
                let sign = *rng.one_of::<&str>(&[" ", "\t", "- ", "  ", "#", "? "]);
                lines[line].insert_str(0, sign);
            }
            3 => {
                let other = rng.below(lines.len() as u64) as usize;
                lines.swap(line, other);
            }
            4 => lines.truncate(line + 1),
            _ => {
                let signs = [
                    "[", "]", "{", "}", "\"", "'", ": ", ", ", "|", "*", "&", "\n", "!", " #",
                ];
                let at = rng.below(lines[line].len() as u64 + 1) as usize;
                let inside = lines[line].match_indices(CANARY);
                let splits = inside
                    .into_iter()
                    .any(|(from, _)| at > from && at < from + CANARY.len());
                if !splits && lines[line].is_char_boundary(at) {
                    let sign = rng.one_of(&signs);
                    lines[line].insert_str(at, sign);
                }
            }
        }
        text = lines.join("\n");
        if lines.is_empty() {
            break;
        }
    }
    text
}

/// Whether the secret has become a key, or part of one.
fn is_in_a_key(value: &Value) -> bool {
    match value {
        Value::Mapping(map) => map.iter().any(|(key, value)| {
            let key = serde_yaml::to_string(key).unwrap();
            key.contains(CANARY) || is_in_a_key(value)
        }),
        Value::Sequence(list) => list.iter().any(is_in_a_key),
        Value::Tagged(tagged) => is_in_a_key(&tagged.value),
        _ => false,
    }
}

#[test]
fn g06_no_secret_is_said_wherever_it_stands() {
    log::set_logger(&Sink).unwrap();
    log::set_max_level(LevelFilter::Trace);
    // What a panic says goes where the program sends it; it is not ours.
    std::panic::set_hook(Box::new(|_| {}));
    let mut bench = Bench::new();
    let found = bench.judge(layered(&[GOOD]));
    assert!(
        found.contains("applied v2") && found.contains("[redacted]"),
        "{found}"
    );
    assert!(!found.contains(CANARY), "{found}");

    let check = |what: &str, found: &str| {
        if let Some(line) = found.lines().find(|line| line.contains(CANARY)) {
            let _ = std::panic::take_hook();
            panic!("{what}\n----\n{line}");
        }
    };
    for bad in BAD {
        let whole = format!("{GOOD}{bad}\n");
        check(bad, &bench.judge(layered(&[bad])));
        check(&whole, &bench.judge(layered(&[&whole])));
        check(bad, &bench.judge(layered(&[GOOD, bad])));
        check(bad, &bench.judge(layered(&[bad, GOOD])));
        let environment = Layer::text("environment variable X", "timeout", *b"c4nary");
        let field = Layer::field("set in code", "list", bad.as_bytes());
        for layer in [environment, field] {
            let document = layered(&[GOOD]).with(&[layer.overriding()]);
            check(bad, &bench.judge(document));
        }
    }

    // Another seed is another 10,000.
    let seed = std::env::var("STEADYCONF_TEST_SEED").ok();
    let seed = seed.and_then(|seed| seed.parse().ok()).unwrap_or(6);
    let mut rng = Random(seed);
    let (mut judged, mut refused) = (0, 0);
    while judged < 10_000 {
        let text = mangled(&mut rng);
        let keys = match serde_yaml::from_str::<Value>(&text) {
            Ok(value) => is_in_a_key(&value),
            // A key that is given twice hides the rest from this check.
            Err(error) => error.to_string().contains("duplicate entry"),
        };
        if keys {
            continue;
        }
        let document = match judged % 3 {
            0 => layered(&[GOOD, &text]),
            _ => layered(&[&text]),
        };
        let found = bench.judge(document);
        check(&text, &found);
        judged += 1;
        // The status tells of earlier documents, too; the log line is of this one.
        refused += usize::from(found.contains("keeping v"));
    }
    assert!(
        refused > 3000 && refused < 9990,
        "{refused} of {judged} were refused"
    );
    println!("{judged} documents, {refused} refused");
}
