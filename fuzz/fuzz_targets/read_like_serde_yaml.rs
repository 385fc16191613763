//! Whatever this library and `serde_yaml` both take has to mean the same, for free values
//! and for types. What differs on purpose is in `docs/yaml.md`; a text that may show
//! such a difference is let pass where the two differ. A panic anywhere is a finding.

#![no_main]

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_yaml::Value;
use steadyconf::Outcome;
use steadyconf::engine::{Document, Engine};
use steadyconf::format::Yaml;

/// A field of each kind, all of them optional, so that much is taken.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
#[allow(dead_code, reason = "what is read is only printed")]
struct Fields {
    a: Option<u8>,
    b: Option<i128>,
    c: Option<f64>,
    d: Option<bool>,
    e: Option<char>,
    f: Option<String>,
    g: Vec<Fields>,
    h: Option<Kind>,
    i: Option<(u8, String)>,
    j: Option<Value>,
    k: BTreeMap<i64, String>,
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

#[derive(Debug, Deserialize)]
#[allow(dead_code, reason = "what is read is only printed")]
enum Kind {
    Unit,
    Newtype(Value),
    Number(f32),
    Tuple(u8, String),
    Struct { a: u8 },
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
#[allow(dead_code, reason = "what is read is only printed")]
enum Any {
    Number(u64),
    Fraction(f64),
    Texts(Vec<String>),
    Map(BTreeMap<String, Any>),
    Other(Value),
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = core::str::from_utf8(bytes) else {
        return;
    };
    compare::<Value>(text);
    compare::<Fields>(text);
    compare::<Vec<Kind>>(text);
    compare::<BTreeMap<String, Option<String>>>(text);
    compare::<Any>(text);
});

fn compare<T: DeserializeOwned + Debug + 'static>(text: &str) {
    let mut engine = Engine::<T>::new(Yaml::new());
    let document = Document::single("fuzz.yaml", text.as_bytes());
    let Outcome::Applied(_) = engine.apply(document, Duration::ZERO) else {
        return;
    };
    let Ok(theirs) = serde_yaml::from_str::<T>(text) else {
        return;
    };
    let ours = engine.active().expect("it was accepted");
    let (ours, theirs) = (format!("{:?}", ours.value()), format!("{theirs:?}"));
    assert!(
        ours == theirs || may_differ(text),
        "{text:?}\n  here:       {ours}\n  serde_yaml: {theirs}"
    );
}

/// Whether a known difference may show in a text.
fn may_differ(text: &str) -> bool {
    let in_brackets = text.contains(['[', '{']);
    text.contains("<<")
        || text.contains(['\u{85}', '\u{2028}', '\u{2029}'])
        || (in_brackets && text.contains('?'))
        || has_name_of_other_letters(text)
        || has_lone_mark(text)
}

/// An anchor or an alias with anything but ASCII letters, digits, `-` and `_`.
fn has_name_of_other_letters(text: &str) -> bool {
    let names = text.split(['&', '*']).skip(1);
    names.into_iter().any(|name| {
        let rest = name.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || "-_".contains(c));
        !rest.is_empty() && !rest.starts_with(|c: char| c.is_whitespace() || ",[]{}".contains(c))
    })
}

/// An exclamation mark with no name behind it.
fn has_lone_mark(text: &str) -> bool {
    let tags = text.split('!').skip(1);
    tags.into_iter().any(|tag| {
        tag.is_empty() || tag.starts_with(|c: char| c.is_whitespace() || ",[]{}".contains(c))
    })
}
