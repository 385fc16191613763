//! What is a secret, and where it is not shown: by its type, its source, its name, its
//! shape, or a mask.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use crate::common::ms;
use secrecy::SecretString;
use serde::de::{self, DeserializeOwned};
use serde::{Deserialize, Deserializer};
use serde_yaml::Value;
use steadyconf::engine::{Document, Engine, Layer, UnknownKeys};
use steadyconf::format::Yaml;
use steadyconf::{Outcome, Secret};

fn doc(text: &str) -> Document {
    Document::single("c.yaml", text.as_bytes())
}

/// Everything that is said of the step from one document to another.
fn said_of<T>(engine: Engine<T>, old: Document, new: Document) -> String
where
    T: DeserializeOwned + Send + Sync + 'static,
{
    let diff = Arc::new(Mutex::new(String::new()));
    let sink = diff.clone();
    let mut engine = engine.on_commit(move |change| {
        *sink.lock().unwrap() = change.diff().to_string();
        Ok(())
    });
    let mut said = Vec::new();
    for document in [old, new] {
        let outcome = engine.apply(document, ms(0));
        said.push(format!("{outcome} {outcome:?} {:?}", engine.status()));
        said.extend(engine.events().iter().map(ToString::to_string));
    }
    said.push(diff.lock().unwrap().clone());
    said.join("\n")
}

/// Applies two texts in which `$` stands for a secret, and expects that none is shown.
#[track_caller]
fn hides<T>(engine: impl Fn() -> Engine<T>, text: &str)
where
    T: DeserializeOwned + Send + Sync + 'static,
{
    let [old, new] = ["c4nary-1", "c4nary-2"].map(|secret| doc(&text.replace('$', secret)));
    let said = said_of(engine(), old, new);
    assert!(!said.contains("c4nary"), "{text}: {said}");
    assert!(said.contains("[redacted]"), "{text}: {said}");
}

#[track_caller]
fn shows(text: &str) {
    let [old, new] = ["v4lue-1", "v4lue-2"].map(|value| doc(&text.replace('$', value)));
    let said = said_of(Engine::<Value>::new(Yaml::new()), old, new);
    let is_shown = said.contains("v4lue-1") && said.contains("v4lue-2");
    assert!(is_shown, "{text}: {said}");
}

fn free() -> Engine<Value> {
    Engine::new(Yaml::new())
}

#[test]
fn g06_secret_by_name_and_by_shape() {
    for text in [
        "openai_api_key: $",
        "a: {pkcs12_password: $}",
        "slackToken: $",
        "dsn: $",
        "database_url: $",
        "credentials: {deep: [{inside: $}]}",
        "where: postgres://user:$@host/db",
        "where: [\"see https://$@host for more\"]",
        "tag: !$ x",
    ] {
        hides(free, text);
    }
    for text in ["max: $", "where: https://host/$", "user: me@$", "tokens: $"] {
        shows(text);
    }
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "only what is said of it counts")]
struct Typed {
    #[serde(default)]
    ours: Option<Secret<String>>,
    #[serde(default)]
    theirs: Option<SecretString>,
    #[serde(default)]
    many: Vec<SecretString>,
    #[serde(default)]
    by_name: BTreeMap<String, SecretString>,
    #[serde(default)]
    plain: Option<String>,
    #[serde(default)]
    by_secret: BTreeMap<Secret<String>, u8>,
    #[serde(default)]
    of_secrets: Secret<BTreeMap<String, u8>>,
}

fn typed() -> Engine<Typed> {
    Engine::new(Yaml::new())
}

#[test]
fn g06_secret_by_type_and_equal_texts_with_it() {
    for text in [
        "ours: $",
        "theirs: $",
        "many: [$]",
        "by_name: {x: $}",
        "ours: &x $\nplain: *x",
        "plain: &x $\nours: *x",
        "ours: $\nplain: $",
        "plain: $\ntheirs: $",
    ] {
        hides(typed, text);
    }
    // A key that is a secret is not shown in any path.
    let [old, new] = [1, 2].map(|n| doc(&format!("by_secret: {{c4nary: {n}}}")));
    let said = said_of(typed(), old, new);
    assert!(!said.contains("c4nary"), "{said}");
    assert!(said.contains("by_secret[\"[redacted]\"]"), "{said}");
    for text in [
        "by_secret: {c4nary: x}",
        "by_secret: {c4nary: 1, c4nary: 2}",
        "of_secrets: {c4nary: x}",
        "of_secrets: {c4nary: {inside: x}}",
        "of_secrets: {c4nary: 1, c4nary: 2}",
        "{\"no_secret:c4nary\": 1, \"no_secret:c4nary\": 1, of_secrets: 1}",
    ] {
        let said = said_of(typed(), doc("{}"), doc(text));
        let is_hidden = !said.contains("c4nary");
        let is_told = said.contains("_secret") || said.contains("this key is given twice");
        assert!(is_hidden && is_told, "{said}");
    }
}

#[test]
fn g06_keys_in_what_is_a_secret_are_secrets() {
    let [old, new] = [1, 2].map(|n| doc(&format!("of_secrets: {{c4nary: {n}}}")));
    let said = said_of(typed(), old, new);
    assert!(!said.contains("c4nary"), "{said}");
    assert!(said.contains("of_secrets[\"[redacted]\"]"), "{said}");
    let key = "\"https://me:c4nary@host\"";
    let [old, new] = [1, 2].map(|n| doc(&format!("{key}: {n}")));
    let said = said_of(free(), old, new);
    assert!(!said.contains("c4nary"), "{said}");
    assert!(said.contains("~ [\"[redacted]\"]: 1 -> 2"), "{said}");
}

#[test]
fn g06_secret_merged_from_a_visible_field() {
    #[derive(Deserialize)]
    #[allow(dead_code, reason = "only what is said of it counts")]
    struct Both {
        plain: BTreeMap<String, String>,
        hidden: BTreeMap<String, Secret<String>>,
    }
    let text = "plain: &p {x: $}\nhidden: {<<: *p}\n";
    hides(|| Engine::<Both>::new(Yaml::new()), text);
}

/// `serde` reads these parts as a whole before it looks into them.
#[test]
fn g06_secret_in_a_part_that_is_set_aside() {
    #[derive(Deserialize)]
    #[allow(dead_code, reason = "only what is said of it counts")]
    struct Inner {
        pin: Secret<String>,
        note: SecretString,
    }
    #[derive(Deserialize)]
    #[allow(dead_code, reason = "only what is said of it counts")]
    struct Flat {
        #[serde(flatten)]
        inner: Inner,
    }
    #[derive(Deserialize)]
    #[serde(untagged)]
    #[allow(dead_code, reason = "only what is said of it counts")]
    enum Untagged {
        Inner(Inner),
    }
    #[derive(Deserialize)]
    #[serde(tag = "kind")]
    #[allow(dead_code, reason = "only what is said of it counts")]
    enum Tagged {
        Inner(Inner),
    }
    #[derive(Deserialize)]
    #[serde(tag = "kind", content = "with")]
    #[allow(dead_code, reason = "only what is said of it counts")]
    enum Beside {
        Inner(Inner),
    }
    for text in ["pin: $\nnote: a", "pin: a\nnote: $"] {
        hides(|| Engine::<Flat>::new(Yaml::new()), text);
        hides(|| Engine::<Untagged>::new(Yaml::new()), text);
        let text = format!("kind: Inner\n{text}");
        hides(|| Engine::<Tagged>::new(Yaml::new()), &text);
    }
    for text in [
        "kind: Inner\nwith: {pin: $, note: a}",
        "with: {pin: a, note: $}\nkind: Inner",
    ] {
        hides(|| Engine::<Beside>::new(Yaml::new()), text);
    }
}

#[test]
fn g06_secret_by_its_source() {
    let document = |secret: &str| {
        let base = Layer::new("c.yaml", format!("a: {}", secret.len()).into_bytes());
        let key = Layer::text("secrets/plain", "plain", secret.as_bytes()).secret();
        Document::new([base, key])
    };
    let said = said_of(free(), document("c4nary-1"), document("c4nary-22"));
    assert!(said.contains("~ plain: [redacted] -> [redacted]"), "{said}");
    assert!(said.contains("~ a: 8 -> 9"), "{said}");
    assert!(!said.contains("c4nary"), "{said}");
}

#[test]
fn g06_secret_by_mask() {
    let masked = |pattern: &'static str| move || free().mask(pattern);
    hides(masked("providers[0].where"), "providers: [{where: $}]");
    hides(
        masked("providers[*].where"),
        "providers: [{where: x}, {where: $}]",
    );
    hides(masked("[\"a.b\"].c"), "a.b: {c: $}");
    hides(masked("**.inside"), "a: [{inside: {deep: $}}]");
}

#[test]
#[should_panic(expected = "mask(): `max_*` is no pattern of a path")]
fn g06_a_mask_that_can_match_nothing_panics() {
    let _ = free().mask("max_*");
}

#[test]
fn g06_an_unknown_key_is_cut_where_a_secret_may_begin() {
    #[derive(Deserialize)]
    #[allow(dead_code, reason = "only what is said of it counts")]
    struct Lax {
        #[serde(default)]
        api_key: String,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code, reason = "only what is said of it counts")]
    struct Strict {
        #[serde(default)]
        api_key: String,
    }
    for text in [
        "{api_key:c4nary: 1}",
        "{api_key:c4nary}",
        "{api_key=c4nary}",
        "{user@c4nary: 1}",
    ] {
        let old = || doc("{}");
        let policy = UnknownKeys::Warn;
        let lax = Engine::<Lax>::new(Yaml::new()).unknown_keys(policy);
        let strict = Engine::<Strict>::new(Yaml::new());
        let said = said_of(lax, old(), doc(text)) + &said_of(strict, old(), doc(text));
        assert!(!said.contains("c4nary"), "{text}: {said}");
        assert!(said.contains('…'), "{text}: {said}");
    }
}

/// A type whose own words are these, with its text in them.
fn quoting<'de, D: Deserializer<'de>>(de: D) -> Result<u8, D::Error> {
    let text = String::deserialize(de)?;
    Err(match text.split(':').next() {
        Some("custom") => de::Error::custom(format!("no such thing as {text}")),
        Some("part") => de::Error::custom(format!("bad part {}", &text[5..])),
        Some("value") => de::Error::invalid_value(de::Unexpected::Str(&text), &text.as_str()),
        Some("length") => de::Error::invalid_length(1, &text.as_str()),
        Some("field") => de::Error::unknown_field(&text, &["a"]),
        Some("variant") => de::Error::unknown_variant(&text, &["a"]),
        _ => de::Error::custom("must be green"),
    })
}

#[derive(Debug, Deserialize)]
#[allow(dead_code, reason = "only what is said of it counts")]
struct Quoting {
    #[serde(default, deserialize_with = "quoting")]
    color: u8,
    #[serde(default, deserialize_with = "quoting")]
    api_key: u8,
}

fn problem(text: &str) -> String {
    let mut engine = Engine::<Quoting>::new(Yaml::new());
    match engine.apply(doc(text), ms(0)) {
        Outcome::Rejected(rejection) => rejection.problems()[0].to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn g06_a_type_may_say_why_unless_it_repeats_the_value() {
    for how in ["custom", "part", "value", "length", "field", "variant"] {
        for field in ["color", "api_key"] {
            let said = problem(&format!("{field}: {how}:c4nary"));
            assert!(!said.contains("c4nary"), "{said}");
        }
    }
    assert_eq!(problem("color: red"), "c.yaml:1:8: color: must be green");
    // Of a secret, nothing that its type says is shown.
    let said = problem("api_key: red");
    assert!(!said.contains("green"), "{said}");
}

/// No more than 64 are told, but all of them are hidden.
#[test]
fn g06_every_unknown_key_is_hidden() {
    #[derive(Deserialize)]
    #[allow(dead_code, reason = "only what is said of it counts")]
    struct One {
        one: Option<u32>,
    }
    let many: String = (0..70).map(|n| format!("u{n}: 1\n")).collect();
    hides(
        || Engine::<One>::new(Yaml::new()),
        &format!("{many}pasword: $\n"),
    );
}

#[test]
fn g06_a_reason_that_polls_like_serdes_is_no_exception() {
    #[derive(Debug)]
    struct Picky;
    impl<'de> Deserialize<'de> for Picky {
        fn deserialize<D: Deserializer<'de>>(de: D) -> Result<Self, D::Error> {
            let text = String::deserialize(de)?;
            let start = "data did not match any variant of untagged enum";
            Err(de::Error::custom(format!("{start} X, at {text}")))
        }
    }
    let mut engine = Engine::<BTreeMap<String, Secret<Picky>>>::new(Yaml::new());
    let said = format!("{}", engine.apply(doc("pin: c4nary-1"), ms(0)));
    assert!(!said.contains("c4nary"), "{said}");
}
