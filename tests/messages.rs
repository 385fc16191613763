//! What people read when a document does not fit its type: place, path, what
//! was expected, what kind of thing was found; never a value.
#![cfg(feature = "values")]

use std::collections::BTreeMap;

use crate::common::ms;
use serde::{Deserialize, Deserializer, de};
use steadyconf::Outcome;
use steadyconf::engine::{Document, Engine};
use steadyconf::format::Yaml;

/// One of each way in which a type can refuse.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "what is rejected is never read")]
struct Everything {
    #[serde(default)]
    small: u8,
    #[serde(default)]
    signed: i16,
    #[serde(default)]
    ratio: f64,
    #[serde(default)]
    on: bool,
    #[serde(default)]
    letter: Option<char>,
    #[serde(default)]
    names: Vec<String>,
    #[serde(default)]
    pair: Option<(u8, u8)>,
    #[serde(default)]
    by_name: BTreeMap<String, Inner>,
    #[serde(default)]
    by_number: BTreeMap<u16, bool>,
    #[serde(default)]
    mode: Option<Mode>,
    #[serde(default)]
    either: Option<Either>,
    #[serde(default, deserialize_with = "even")]
    even: u64,
    #[serde(default)]
    wrapped: Option<Wrapped>,
    #[serde(default)]
    tagged: Option<Tagged>,
}

/// Read whole before its fields are, so that they have no path.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
#[allow(dead_code, reason = "what is rejected is never read")]
enum Tagged {
    A { port: u16 },
}

#[derive(Debug, Deserialize)]
#[allow(dead_code, reason = "what is rejected is never read")]
struct Inner {
    limit: u32,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(dead_code, reason = "what is rejected is never read")]
enum Mode {
    Fast,
    Slow { pause: u32 },
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
#[allow(dead_code, reason = "what is rejected is never read")]
enum Either {
    Number(u32),
    Flag(bool),
}

#[derive(Debug, Deserialize)]
#[allow(dead_code, reason = "what is rejected is never read")]
struct Wrapped(u8);

/// A type's own parser, whose message quotes what it was given.
fn even<'de, D: Deserializer<'de>>(de: D) -> Result<u64, D::Error> {
    let text = String::deserialize(de)?;
    let number: u64 = text
        .parse()
        .map_err(|_| de::Error::custom(format!("{text} is no number")))?;
    if number % 2 == 1 {
        let found = de::Unexpected::Unsigned(number);
        return Err(de::Error::invalid_value(found, &"an even number"));
    }
    Ok(number)
}

fn message(text: &str) -> String {
    let mut engine = Engine::<Everything>::new(Yaml::new());
    match engine.apply(Document::single("c.yaml", text.as_bytes()), ms(0)) {
        Outcome::Rejected(rejection) => {
            let all = rejection.to_string();
            assert!(!all.contains("canary") && !all.contains("4242"), "{all}");
            let problems = rejection.problems().iter().map(ToString::to_string);
            problems.collect::<Vec<_>>().join(" | ")
        }
        other => panic!("{text}: {other:?}"),
    }
}

/// Shows all that differ, not only the first.
#[track_caller]
fn assert_messages(table: &[(&str, &str)]) {
    let mut wrong = Vec::new();
    for (text, expected) in table {
        let found = message(text);
        if found != *expected {
            wrong.push(format!("{text}\n  said     {found}\n  expected {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn g06_a_type_error_says_its_place_and_never_the_value() {
    let table = [
        (
            "small: sk-canary",
            "c.yaml:1:8: small: expected a whole number from 0 to 255, found a string",
        ),
        (
            "small: 4242",
            "c.yaml:1:8: small: expected a whole number from 0 to 255, found a number out of range",
        ),
        (
            "small: -4242",
            "c.yaml:1:8: small: expected a whole number from 0 to 255, found a number out of range",
        ),
        (
            "small: 4.242",
            "c.yaml:1:8: small: expected a whole number from 0 to 255, found a number with a fraction",
        ),
        (
            "small: [canary]",
            "c.yaml:1:8: small: expected a whole number from 0 to 255, found a list",
        ),
        (
            "small: null",
            "c.yaml:1:8: small: expected a whole number from 0 to 255, found nothing",
        ),
        (
            "signed: 424242",
            "c.yaml:1:9: signed: expected a whole number from -32768 to 32767, found a number out of range",
        ),
        (
            "ratio: canary",
            "c.yaml:1:8: ratio: expected a number, found a string",
        ),
        (
            "ratio: {canary: 1}",
            "c.yaml:1:8: ratio: expected a number, found a mapping",
        ),
        (
            "on: yes",
            "c.yaml:1:5: on: expected true or false, found a string",
        ),
        (
            "letter: canary",
            "c.yaml:1:9: letter: expected a character, found a string",
        ),
        (
            "names: canary",
            "c.yaml:1:8: names: expected a list, found a string",
        ),
        (
            "names:\n- a\n- {canary: 1}",
            "c.yaml:3:3: names[1]: expected a string, found a mapping",
        ),
        (
            "pair: [1]",
            "c.yaml:1:7: pair: expected a list of 2 items, found 1 item",
        ),
        (
            "pair: [1, canary]",
            "c.yaml:1:11: pair[1]: expected a whole number from 0 to 255, found a string",
        ),
        (
            "by_name:\n  a.b:\n    limit: canary",
            "c.yaml:3:12: by_name[\"a.b\"].limit: expected a whole number from 0 to 4294967295, found a string",
        ),
        (
            "by_name:\n  x: {limt: 1}",
            "c.yaml:2:6: by_name.x: the key `limit` is missing | c.yaml:2:7: by_name.x.limt: unknown key; did you mean `limit`?",
        ),
        (
            "by_number: {canary: true}",
            "c.yaml:1:13: by_number: expected a whole number from 0 to 65535 as a key, found a string",
        ),
        (
            "by_number: {7: canary}",
            "c.yaml:1:16: by_number.7: expected true or false, found a string",
        ),
        (
            "mode: canary",
            "c.yaml:1:7: mode: expected one of `fast`, `slow`",
        ),
        (
            "mode: !slow {pause: canary}",
            "c.yaml:1:21: mode.pause: expected a whole number from 0 to 4294967295, found a string",
        ),
        (
            "either: canary",
            "c.yaml:1:9: either: fits none of the forms that `Either` may have",
        ),
        (
            "small: 1\neven: sk-canary",
            "c.yaml:2:7: even: expected another value (the reason is not shown, for it repeats this one)",
        ),
        (
            "even: 42421",
            "c.yaml:1:7: even: expected an even number, found a whole number",
        ),
        (
            "wrapped: canary",
            "c.yaml:1:10: wrapped: expected a whole number from 0 to 255, found a string",
        ),
        (
            "small: 1\nsmall: 4242",
            "c.yaml:2:1: this key is given twice; the first is at line 1 column 1",
        ),
        (
            "smal: 4242",
            "c.yaml:1:1: smal: unknown key; did you mean `small`?",
        ),
        ("- canary", "c.yaml:1:1: expected a mapping, found a list"),
        (
            "sk-canary",
            "c.yaml:1:1: expected a mapping, found a string",
        ),
        (
            "a: &x sk-canary\nsmall: *x",
            "c.yaml:1:1: a: unknown key; expected one of `small`, `signed`, `ratio`, `on`, `letter`, `names`, `pair`, `by_name`, `by_number`, `mode`, `either`, `even`, `wrapped`, `tagged`",
        ),
        (
            "names: [&x sk-canary]\nsmall: *x",
            "c.yaml:1:12: small: expected a whole number from 0 to 255, found a string",
        ),
    ];
    assert_messages(&table);
}

#[test]
fn g06_a_syntax_error_says_what_and_where_and_never_the_text() {
    let table = [
        (
            "names: [sk-canary",
            "c.yaml:1:8: not valid YAML: this `[` is not closed, or a comma is missing in it",
        ),
        (
            "names: \"sk-canary",
            "c.yaml:1:8: not valid YAML: this quote is never closed",
        ),
        (
            "names: @sk-canary",
            "c.yaml:1:8: not valid YAML: a value cannot begin with this character; put it in quotes",
        ),
        (
            "small: *canary",
            "c.yaml:1:8: not valid YAML: there is no such anchor; put the text in quotes if it is no alias",
        ),
        (
            "small: 1\n---\nsmall: canary",
            "c.yaml:2:1: not valid YAML: expected one document, found a second one after `---`",
        ),
        (
            "small: canary: 1",
            "c.yaml:1:14: not valid YAML: a colon where no key may stand; check the indentation, or put the text in quotes",
        ),
    ];
    assert_messages(&table);
}

#[test]
fn g04_depth_and_aliases_end_in_an_error() {
    let deep = format!("names: {}{}", "[".repeat(500), "]".repeat(500));
    let mut engine = Engine::<serde_yaml::Value>::new(Yaml::new());
    let outcome = engine.apply(Document::single("c.yaml", deep.as_bytes()), ms(0));
    let Outcome::Rejected(rejection) = outcome else {
        panic!("{outcome:?}");
    };
    let text = rejection.to_string();
    assert!(text.contains("nested more than 128 levels deep"), "{text}");

    let mut laughs = String::from("a0: &a0 [lol]\n");
    for n in 1..20 {
        let before = vec![format!("*a{}", n - 1); 10].join(", ");
        laughs += &format!("a{n}: &a{n} [{before}]\n");
    }
    let outcome = engine.apply(Document::single("c.yaml", laughs.as_bytes()), ms(0));
    let Outcome::Rejected(rejection) = outcome else {
        panic!("{outcome:?}");
    };
    let text = rejection.to_string();
    assert!(text.contains("expand to too much"), "{text}");
}

/// A list of aliases of one long list: few bytes, no nesting, and, were it
/// written out, gigabytes.
fn expanding(n: usize, what: &str) -> String {
    let long = vec![what; n].join(", ");
    let aliases = vec!["*a"; n].join(", ");
    format!("x: &a [{long}]\ny: [{aliases}]\n")
}

#[test]
fn g04_aliases_stand_for_no_more_than_the_size_limit_could_hold() {
    let judge = |texts: &[&str]| {
        let mut engine = Engine::<serde_yaml::Value>::new(Yaml::new());
        let layers: Vec<_> = texts
            .iter()
            .map(|text| steadyconf::engine::Layer::new("c.yaml", text.as_bytes()))
            .collect();
        engine.apply(Document::new(layers), ms(0))
    };
    let refused = |outcome: Outcome| match outcome {
        Outcome::Rejected(rejection) => rejection.to_string().contains("expand to too much"),
        other => panic!("{other:?}"),
    };
    let many = expanding(10_000, "1");
    let long = expanding(100, &"x".repeat(1000));
    assert!(refused(judge(&[&many])));
    assert!(refused(judge(&[&long])));
    assert!(refused(judge(&["a: 1", &many])));
    // What ends the count early must not let the rest pass.
    #[derive(Deserialize)]
    struct Nothing {}
    for first in [
        format!("deep: {}{}", "[".repeat(130), "]".repeat(130)),
        "t: !!int x".into(),
    ] {
        let text = format!("{first}\n{many}");
        let mut engine = Engine::<Nothing>::new(Yaml::new());
        let outcome = engine.apply(Document::single("c.yaml", text.as_bytes()), ms(0));
        assert!(matches!(outcome, Outcome::Rejected(_)), "{outcome:?}");
    }
    // What people write is fine, and so are the marks in plain text.
    for fine in [
        expanding(200, "1"),
        format!("a: \"{}\"", "*&".repeat(100_000)),
    ] {
        let outcome = judge(&[&fine]);
        assert!(matches!(outcome, Outcome::Applied(_)), "{outcome:?}");
    }
}

#[test]
fn g05_nothing_but_markup_is_no_configuration() {
    let nothings = [
        "# all\n# out\n",
        "---\n",
        "---\n...\n",
        "%YAML 1.1\n---\n",
        "\u{feff}# bom\n",
        "~",
        "--- ~ # null\n",
        "!!map",
        "&anchor",
        "--- !tag &anchor # and a comment\n",
        // Neither ends a line in YAML 1.2, and so a comment.
        "# \u{85}a: 1",
        "# \u{2028}a: 1",
    ];
    for text in nothings {
        let expected = "c.yaml: holds no value, only comments or nothing";
        assert_eq!(message(text), expected, "{text}");
    }
    // UTF-16 is rejected by its name.
    let text: Vec<_> = "\u{feff}# all out\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let mut engine = Engine::<Everything>::new(Yaml::new());
    let Outcome::Rejected(rejection) = engine.apply(Document::single("c.yaml", text), ms(0)) else {
        panic!("not rejected");
    };
    assert_eq!(
        rejection.problems()[0].to_string(),
        "c.yaml: this is UTF-16; save it as UTF-8"
    );
}
