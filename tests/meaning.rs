//! What a text means, alone and among other layers, and what is said where it means
//! nothing.
#![cfg(feature = "values")]

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::net::SocketAddr;

use crate::common::ms;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use steadyconf::Outcome;
use steadyconf::engine::{Document, Engine, Layer, UnknownKeys};
use steadyconf::format::Yaml;

fn layers(texts: &[&str]) -> Document {
    let layer = |(n, text): (usize, &&str)| Layer::new(format!("{n}.yaml"), text.as_bytes());
    Document::new(texts.iter().enumerate().map(layer).collect::<Vec<_>>())
}

/// The value of a document, or the first problem.
fn read<T>(document: Document) -> Result<T, String>
where
    T: DeserializeOwned + Clone + Send + Sync + 'static,
{
    let mut engine = Engine::<T>::new(Yaml::new()).unknown_keys(UnknownKeys::Reject);
    match engine.apply(document, ms(0)) {
        Outcome::Applied(_) => Ok(engine.active().unwrap().value().clone()),
        Outcome::Rejected(rejection) => Err(rejection.problems()[0].to_string()),
        other => panic!("{other:?}"),
    }
}

/// Reads a text alone, with a layer that says nothing, and with a merge key.
#[track_caller]
fn reads_alike<T>(text: &str, expected: Result<T, &str>)
where
    T: DeserializeOwned + Clone + Debug + PartialEq + Send + Sync + 'static,
{
    let merging = format!("<<: {{}}\n{text}");
    for document in [layers(&[text]), layers(&[text, "{}"]), layers(&[&merging])] {
        let found = read::<T>(document.clone());
        match (&found, &expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{text} {document:?}"),
            (Err(found), Err(expected)) => assert!(found.contains(expected), "{text}: {found}"),
            _ => panic!("{text} {document:?}: {found:?}, expected {expected:?}"),
        }
    }
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
struct Config {
    #[serde(default)]
    llm: BTreeMap<String, u32>,
    tools: Vec<String>,
}

#[test]
fn g05_a_section_without_content_removes_nothing() {
    let base = "llm: {a: 1}\ntools: [x]\n";
    let full = Config {
        llm: BTreeMap::from([("a".into(), 1)]),
        tools: vec!["x".into()],
    };
    for over in [
        "llm:\n",
        "llm:\n  # a: 2\n",
        "llm:\ntools:\n",
        "{llm: , tools: }",
    ] {
        assert_eq!(read(layers(&[base, over])), Ok(full.clone()), "{over}");
    }
    let without = Config {
        llm: BTreeMap::new(),
        ..full.clone()
    };
    for over in ["llm: null\n", "llm: ~\n", "llm: !!null\n", "llm: Null"] {
        assert_eq!(read(layers(&[base, over])), Ok(without.clone()), "{over}");
    }
    // What no earlier layer has is read as it is alone.
    let empty = Config::default();
    assert_eq!(read(layers(&["tools:\n"])), Ok(empty.clone()));
    assert_eq!(read(layers(&["tools:\n", "llm: {}\n"])), Ok(empty.clone()));
    assert_eq!(read(layers(&["llm: {}\n", "tools:\n"])), Ok(empty));
    let said = read::<Config>(layers(&[base, "tools: ~\n"])).unwrap_err();
    assert_eq!(said, "1.yaml:1:1: the key `tools` is missing");
}

#[test]
fn g13_what_was_merged_reads_exactly_like_one_file() {
    type Map<V> = BTreeMap<String, V>;
    fn map<V>(value: V) -> Map<V> {
        BTreeMap::from([("v".into(), value)])
    }
    reads_alike::<Map<(u8, u8)>>(
        "v: [1, 2, 3]",
        Err("expected a list of 2 items, found 3 items"),
    );
    reads_alike::<Map<[u8; 2]>>(
        "v: [1, 2, 3]",
        Err("expected a list of 2 items, found 3 items"),
    );
    reads_alike::<Map<String>>("v: 007", Ok(map("007".into())));
    reads_alike::<Map<u8>>("v: 007", Err("found a string"));
    reads_alike::<Map<u128>>(
        "v: 340282366920938463463374607431768211455",
        Ok(map(u128::MAX)),
    );
    reads_alike::<Map<i128>>(&format!("v: {}", i128::MIN), Ok(map(i128::MIN)));
    reads_alike::<Map<u8>>("v: !!str 1", Ok(map(1)));
    reads_alike::<Map<serde_yaml::Value>>("v: !!str 1", Ok(map("1".into())));
    reads_alike::<Map<f64>>("v: 0x1F", Err("expected a number, found a whole number"));
    reads_alike::<Map<Option<u8>>>("v: null", Ok(map(None)));
    reads_alike::<Map<Option<u8>>>("v:", Ok(map(None)));

    #[derive(Clone, Debug, Deserialize, PartialEq)]
    enum Mode {
        Unit,
        One(u8),
    }
    reads_alike::<Map<Mode>>("v: {Unit: null}", Ok(map(Mode::Unit)));
    reads_alike::<Map<Mode>>("v: {One: 1}", Ok(map(Mode::One(1))));
    reads_alike::<Map<Mode>>(
        "v: {One: 1, Unit: null}",
        Err("v: expected one of `Unit`, `One`, found a mapping"),
    );
    #[derive(Clone, Debug, Deserialize, PartialEq)]
    struct Flat {
        #[serde(flatten)]
        mode: Mode,
    }
    reads_alike::<Flat>("Unit: null", Ok(Flat { mode: Mode::Unit }));
}

#[test]
fn g13_a_key_given_twice_is_rejected_everywhere() {
    #[derive(Clone, Debug, Deserialize)]
    #[allow(dead_code, reason = "only what is said of it counts")]
    struct Known {
        a: Option<u8>,
        map: Option<BTreeMap<String, u8>>,
    }
    for (text, at, line) in [
        ("a: 1\na: 1\n", "2:1: ", "1 column 1"),
        ("map:\n  x: 1\n  x: 2\n", "3:3: ", "2 column 3"),
        ("b: 1\nb: 2\n", "2:1: ", "1 column 1"),
        ("b:\n- {c: {d: 1, d: 2}}\n", "2:14: ", "2 column 8"),
        ("1: a\n1: b\n", "2:1: ", "1 column 1"),
        ("'a': 1\na: 1\n", "2:1: ", "1 column 1"),
        ("<<: {}\n<<: {}\n", "2:1: ", "1 column 1"),
    ] {
        let said = "this key is given twice; the first is at line";
        let expected = format!("0.yaml:{at}{said} {line}");
        assert_eq!(read::<Known>(layers(&[text])).unwrap_err(), expected);
        let expected = expected.replace("0.yaml", "1.yaml");
        assert_eq!(read::<Known>(layers(&["{}", text])).unwrap_err(), expected);
    }
    let keys: serde_yaml::Value = read(layers(&["1: 1\n'1': 2\n\"<<\": 3\n"])).unwrap();
    let keys = keys.as_mapping().unwrap();
    assert_eq!(
        (keys.len(), &keys["1"], &keys["<<"]),
        (3, &2.into(), &3.into())
    );
}

#[test]
fn g05_a_tag_without_content_is_no_text() {
    type Map = BTreeMap<String, String>;
    reads_alike::<Map>(
        "password: !Passw0rd",
        Err(
            "password: expected a string, found a tag without content; put a text that begins \
             with `!` in quotes",
        ),
    );
    let said = read::<Map>(layers(&["password: !Passw0rd"])).unwrap_err();
    assert!(!said.contains("Passw0rd"), "{said}");
}

/// A document in some encoding, and its name.
fn encoded(name: &str, bytes: &[u8]) -> Document {
    Document::single(name, bytes)
}

#[test]
fn g05_a_byte_order_mark_is_skipped_and_utf_16_is_named() {
    type Map = BTreeMap<String, u8>;
    let a = Ok(BTreeMap::from([("a".to_string(), 1)]));
    let mut texts = vec![("c.yaml", "\u{feff}a: 1\n")];
    if cfg!(feature = "toml") {
        texts.push(("c.toml", "\u{feff}a = 1\n"));
    }
    if cfg!(feature = "json") {
        texts.push(("c.json", "\u{feff}{\"a\": 1}"));
    }
    for (name, text) in texts {
        assert_eq!(read::<Map>(encoded(name, text.as_bytes())), a, "{name}");
        // A place counts from behind it.
        let wrong = text.replace('1', "\"x\"");
        let said = read::<Map>(encoded(name, wrong.as_bytes())).unwrap_err();
        let column = text.find('1').unwrap() - 2;
        let place = format!("{name}:1:{column}: a: expected");
        assert!(said.starts_with(&place), "{said}");
    }
    let said = read::<Map>(encoded("c.yaml", "\u{feff}\u{feff}a: 1".as_bytes())).unwrap_err();
    let expected = "not valid YAML: begins with two byte order marks (U+FEFF); remove one";
    assert!(said.ends_with(expected), "{said}");
    let key = Layer::text("secrets/a", "a", "\u{feff}x".as_bytes());
    let read_key = read::<BTreeMap<String, String>>(Document::new([key]));
    assert_eq!(read_key, Ok(BTreeMap::from([("a".into(), "x".into())])));
    let units = "\u{feff}a: 1".encode_utf16();
    for bytes in [
        units.clone().flat_map(u16::to_le_bytes).collect::<Vec<_>>(),
        units.flat_map(u16::to_be_bytes).collect(),
    ] {
        let said = read::<Map>(encoded("c.yaml", &bytes)).unwrap_err();
        assert_eq!(said, "c.yaml: this is UTF-16; save it as UTF-8");
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "only what is said of it counts")]
struct Server {
    #[serde(default)]
    port: u16,
    #[serde(default)]
    listen: Option<SocketAddr>,
    #[serde(default)]
    mode: Option<Mode>,
    #[serde(default)]
    names: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[allow(dead_code, reason = "only what is said of it counts")]
enum Mode {
    Fast,
    Tuned { x: u8 },
    Fixed(u8),
    Pair(u8, u8),
}

/// Mistakes, and what is said of them.
#[test]
fn g06_messages_name_what_is_wrong_and_where() {
    let table: &[(&[u8], &str)] = &[
        (
            b"  port: 1\nnames: []\n",
            "2:1: not valid YAML: a key that is indented less than the first one, at line 1 \
             column 3; indent all keys of a mapping alike",
        ),
        (
            b"[server]\nport = 80\n",
            "2:1: not valid YAML: text after the list that begins at line 1 column 1; is this an \
             INI or TOML file? YAML has no section headers",
        ),
        (
            b"port: 1\n---\nport: 2\n",
            "2:1: not valid YAML: expected one document, found a second one after `---`",
        ),
        (b"port: 1\nnames: \xff\n", "2:8: not valid YAML: not UTF-8"),
        (
            b"port: 1\nnames: [a, \x07]\n",
            "2:12: not valid YAML: a control character, which YAML does not allow; is this a \
             text file?",
        ),
        (
            b"names: [a,\n",
            "1:8: not valid YAML: this `[` is not closed, or a comma is missing in it",
        ),
        (
            b"names: [a, b\nport: 1\n",
            "1:8: not valid YAML: this `[` is not closed, or a comma is missing in it",
        ),
        (
            "names: [a]\n\u{a0}port: 1\n".as_bytes(),
            "2:1: [\"\\u{a0}port\"]: unknown key; it holds a no-break space (U+00A0)",
        ),
        (
            "names:\n  - a\n \u{a0}- b\n".as_bytes(),
            "3:2: not valid YAML: a no-break space (U+00A0) in this line, which YAML takes for \
             text; use plain spaces",
        ),
        (
            "port:\u{a0}1\n".as_bytes(),
            "1:1: expected a mapping, found a string with a no-break space (U+00A0) in it",
        ),
        (
            "port: 1\u{200b}\n".as_bytes(),
            "1:7: port: expected a whole number from 0 to 65535, found a string with a \
             zero-width space (U+200B) in it",
        ),
        (b": 1\n", "1:2: expected a name as a key, found nothing"),
        (
            b"<<<<<<< HEAD\nport: 1\n=======\nport: 2\n>>>>>>> theirs\n",
            "1:1: not valid YAML: a git conflict marker; keep one side, and remove the lines of \
             markers",
        ),
        (
            b"names:\n\t- a\n",
            "2:1: not valid YAML: indented with a tab; use spaces",
        ),
        (
            b"port: 99999999999999999999\n",
            "1:7: port: expected a whole number from 0 to 65535, found a number out of range",
        ),
        (
            b"port: 999999999999999999999999999999999999999999999\n",
            "1:7: port: expected a whole number from 0 to 65535, found a number out of range",
        ),
        (
            b"listen: nowhere\n",
            "1:9: listen: invalid socket address syntax",
        ),
        (
            b"listen: [a]\n",
            "1:9: listen: expected a socket address, found a list",
        ),
        (
            b"mode: Tuned\n",
            "1:7: mode: expected `!Tuned {…}`, found its name alone",
        ),
        (
            b"mode: Fixed\n",
            "1:7: mode: expected `!Fixed …`, found its name alone",
        ),
        (
            b"mode: Pair\n",
            "1:7: mode: expected `!Pair […]`, found its name alone",
        ),
        (
            b"mode: Slow\n",
            "1:7: mode: expected one of `Fast`, `Tuned`, `Fixed`, `Pair`",
        ),
        (
            b"mode: [Fast]\n",
            "1:7: mode: expected one of `Fast`, `Tuned`, `Fixed`, `Pair`, found a list",
        ),
        (
            b"mode: !Pair [1]\n",
            "1:13: mode: expected a list of 2 items, found 1 item",
        ),
        (
            b"mode: !Tuned {x: a}\n",
            "1:18: mode.x: expected a whole number from 0 to 255, found a string",
        ),
        (
            b"mode: {Tuned: {x: a}}\n",
            "1:19: mode.Tuned.x: expected a whole number from 0 to 255, found a string",
        ),
    ];
    let mut wrong = Vec::new();
    for (text, expected) in table {
        let found = read::<Server>(encoded("c.yaml", text)).unwrap_err();
        let expected = format!("c.yaml:{expected}");
        if found != expected {
            let text = String::from_utf8_lossy(text);
            wrong.push(format!("{text}\n  said     {found}\n  expected {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[cfg(feature = "json")]
#[test]
fn g06_a_number_of_json_is_no_text() {
    for number in ["1e400", "123456789012345678901234567890"] {
        let text = format!("{{\"a\": [{number}]}}");
        let said = read::<serde_yaml::Value>(encoded("c.json", text.as_bytes())).unwrap_err();
        assert!(said.starts_with("c.json:1:8: a[0]: expected"), "{said}");
        assert!(said.ends_with("found a number out of range"), "{said}");
    }
    type Map = BTreeMap<String, String>;
    let said = read::<Map>(encoded("c.json", b"{\"a\": 1}")).unwrap_err();
    assert_eq!(
        said,
        "c.json:1:7: a: expected a string, found a whole number"
    );
}

#[test]
fn g13_a_wrong_value_of_the_environment_names_the_variable() {
    let base = Layer::new("c.yaml", *b"port: 80");
    let variable = Layer::text("environment variable APP__PORT", "port", *b"many").overriding();
    let said = read::<Server>(Document::new([base, variable])).unwrap_err();
    assert_eq!(
        said,
        "environment variable APP__PORT: port: expected a whole number from 0 to 65535, found a \
         string"
    );
}

/// The type's own code may catch an error; then nothing is left of it.
#[test]
fn g06_an_error_that_is_caught_leaves_no_trace() {
    #[derive(Clone, Debug, Default, Deserialize, PartialEq)]
    struct Inner {
        n: u8,
    }
    fn or_default<'de, D: serde::Deserializer<'de>>(de: D) -> Result<Inner, D::Error> {
        Ok(Inner::deserialize(de).unwrap_or_default())
    }
    #[derive(Clone, Debug, Deserialize, PartialEq)]
    struct Outer {
        #[serde(deserialize_with = "or_default")]
        inner: Inner,
        port: u16,
    }
    let inner = Inner::default();
    let fine = read::<Outer>(layers(&["inner: {n: x, m: 1}\nport: 1\n"]));
    assert_eq!(fine, Ok(Outer { inner, port: 1 }));
    let said = read::<Outer>(layers(&["inner: {n: x}\nport: a\n"])).unwrap_err();
    assert!(said.starts_with("0.yaml:2:7: port: expected"), "{said}");
}

#[cfg(feature = "toml")]
#[test]
fn g04_toml_is_counted_as_it_is_built() {
    type Map = BTreeMap<String, serde_yaml::Value>;
    let lines: String = (0..30_000).map(|n| format!("k{n} = 1\n")).collect();
    assert!(read::<Map>(encoded("c.toml", lines.as_bytes())).is_ok());
    // Dotted keys in tables in tables are as deep as all of them together.
    let open = format!("{{ {} = ", ["a"; 40].join("."));
    let deep = format!("x = {}1{}", open.repeat(70), "}".repeat(70));
    let read = move || read::<Map>(encoded("c.toml", deep.as_bytes()));
    let thread = std::thread::Builder::new().stack_size(512 * 1024);
    let said = thread.spawn(read).unwrap().join().unwrap().unwrap_err();
    assert!(said.contains("nested more than 128 levels deep"), "{said}");
}

#[cfg(feature = "json")]
#[test]
fn g06_a_place_within_a_character_is_that_characters() {
    let text = "{\"a\": {\n\"x\": 1}, \"b\": {\"\\u12é\": 1},\n\n\n\"c\": {}}";
    let said = read::<serde_yaml::Value>(encoded("c.json", text.as_bytes())).unwrap_err();
    assert!(said.starts_with("c.json:2:"), "{said}");
}
