//! What a snapshot prints as its effective configuration: what it looks like, that it
//! reads back, and that it ends. Documents by chance are in `properties.rs`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Instant;

use crate::common::{Text, doc, ms};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_yaml::Value;
use steadyconf::engine::{Document, Engine, Layer, Limits, UnknownKeys};
use steadyconf::format::Yaml;
use steadyconf::{Outcome, Secret, Snapshot};

#[track_caller]
fn active<T>(mut engine: Engine<T>, document: Document) -> Arc<Snapshot<T>>
where
    T: Send + Sync + 'static,
{
    let outcome = engine.apply(document, ms(0));
    assert!(matches!(outcome, Outcome::Applied(_)), "{outcome}");
    engine.active().unwrap().clone()
}

#[track_caller]
fn printed<T>(layers: impl Into<Arc<[Layer]>>) -> String
where
    T: DeserializeOwned + Send + Sync + 'static,
{
    let engine = Engine::<T>::new(Yaml::new()).unknown_keys(UnknownKeys::Allow);
    let snapshot = active(engine, Document::new(layers));
    snapshot.effective().unwrap().to_string()
}

fn one(text: &str) -> [Layer; 1] {
    [Layer::new("c.yaml", text.as_bytes())]
}

/// Prints a document, and expects that both readers make the same of it.
#[track_caller]
fn round_trip(layers: &[Layer]) -> String {
    // A printed document is longer than the one that was read.
    let limits = Limits::default().max_bytes(64 * 1024 * 1024);
    let engine = || Engine::<Value>::new(Yaml::new()).limits(limits);
    let snapshot = active(engine(), Document::new(layers));
    let printed = snapshot.effective().unwrap().to_string();
    let ours = active(engine(), doc(&printed));
    assert_eq!(ours.value(), snapshot.value(), "{printed}");
    let others = serde_yaml::from_str::<Value>(&printed);
    let others = others.unwrap_or_else(|error| panic!("{error}\n{printed}"));
    assert_eq!(others, *snapshot.value(), "{printed}");
    printed
}

/// The lines without their comments.
fn plain(printed: &str) -> Vec<&str> {
    let content = |line: &'_ str| line.rfind("  # ").unwrap_or(line.len());
    let lines = printed.lines();
    lines.map(|line| line[..content(line)].trim_end()).collect()
}

#[test]
fn g13_the_effective_configuration_says_where_each_line_is_from() {
    let base = "server: &s\n  host: a\n  port: 80\nold: *s\nlist: [{x: 1, y: [2, 3]}, z]\n";
    let layers = [
        Layer::new("c.yaml", base.as_bytes()),
        Layer::new("conf.d/50.yaml", *b"server: {port: 8080}"),
        Layer::text("environment variable APP_HOST", "server.host", *b"b"),
        Layer::field("set in code", "server.deep", *b"{on: true}"),
    ];
    let expected = "\
server:                         # set in code
  host: b                       # environment variable APP_HOST
  port: 8080                    # conf.d/50.yaml:1:16
  deep:                         # set in code
    on: true                    # set in code
old:                            # c.yaml:2:3
  host: a                       # c.yaml:2:9
  port: 80                      # c.yaml:3:9
list:                           # c.yaml:5:7
  - x: 1                        # c.yaml:5:12
    y:                          # c.yaml:5:18
      - 2                       # c.yaml:5:19
      - 3                       # c.yaml:5:22
  - z                           # c.yaml:5:27
";
    assert_eq!(round_trip(&layers), expected);
}

#[test]
fn g13_what_is_effective_keeps_scalars_as_they_are() {
    let kept = [
        "a: 5",
        "a: -0x1F",
        "a: 1.50",
        "a: 1e3",
        "a: .inf",
        "a: -.5",
        "a: 007",
        "a: true",
        "a: ~",
        "a: null",
        "a:",
        "a: yes",
        "a: 2024-01-01",
        "a: 12:30:45",
        "a: 127.0.0.1:80",
        "a: https://host/x#y",
        "a: b, c]",
        "a: größe",
        "a: \"5\"",
        "a: \"yes\"",
        "a: \"true\"",
        "a: \"~\"",
        "a: \"\"",
        "a: \"2024-01-01\"",
        "a: \"x # y\"",
        "a: \"x: y\"",
        "a: \"x:\"",
        "a: \" x\"",
        "a: \"x \"",
        "a: \"[x]\"",
        "a: \"!x\"",
        "a: \"*x\"",
        "a: \"- x\"",
        "a: \"---\"",
        "a: \"a\\tb\\n\"",
        "a: \"\\\\ \\\"\"",
        "a: !!float 5",
        "a: []",
        "a: {}",
        "a: !t []",
        "a: !t {}",
        "a: ! {}",
        "a: !a%20b%21 {}",
        "1: x",
        "\"1\": x",
        "\"\": x",
        "true: x",
        "\"true\": x",
        "\"a b: c\": x",
        "\"<<\": x",
        "1.5: x",
        "x y: z",
        "x",
        "\"...\"",
        "\"--- x\"",
    ];
    for text in kept {
        assert_eq!(plain(&round_trip(&one(text))), [text]);
    }
    for (text, expected) in [
        ("a: 'x'", "a: x"),
        ("a: !!str 5", "a: \"5\""),
        ("a: !!int 5", "a: 5"),
        ("a: |\n  5\n", "a: \"5\\n\""),
        ("? a\n: b", "a: b"),
        ("~: x", "~: x"),
        (": x", "null: x"),
    ] {
        assert_eq!(plain(&round_trip(&one(text))), [expected]);
    }
}

#[test]
fn g13_what_is_effective_keeps_tags_of_collections() {
    let text = "a: !t\n  b: !u\n    - !v\n      c: !w {}\nd:\n  - !x\n    - 1\n";
    let expected: Vec<_> = text.lines().collect();
    assert_eq!(plain(&round_trip(&one(text))), expected);
    let text = "!t\na: 1";
    assert_eq!(plain(&round_trip(&one(text))), ["!t", "a: 1"]);
}

#[test]
fn g13_strings_of_several_lines_are_blocks_that_read_back() {
    let shown = round_trip(&one("a: {b: [\"x\\n\\n  y #z\\n\"]}\nc: \"d\\ne\""));
    let expected = "\
a:                              # c.yaml:1:4
  b:                            # c.yaml:1:8
    - |                         # c.yaml:1:9
      x

        y #z
c: |-                           # c.yaml:2:4
  d
  e
";
    assert_eq!(shown, expected);
    // Every text of these signs, up to six of them.
    let signs = ["a", " ", "\n", "\t", "#", "-"];
    let mut texts = vec![String::new()];
    for _ in 0..5 {
        let more = |text: &String| signs.map(|sign| format!("{text}{sign}"));
        texts = texts.iter().flat_map(more).collect();
        for places in ["", "a", "a.b"] {
            let list = serde_json::to_string(&texts).unwrap();
            round_trip(&[Layer::field("set in code", places, list.into_bytes())]);
        }
    }
    for text in ["---\n---", "a\n...\nb", "# a\n# b\n", "%a\n%b"] {
        let text = serde_json::to_string(text).unwrap();
        round_trip(&one(&text));
        round_trip(&one(&format!("[[{text}]]")));
    }
}

/// As a value, as a key, in several lines, and in an origin.
#[test]
fn g13_every_character_reads_back_and_breaks_out_of_no_line() {
    // What is special in Unicode is in these.
    let codes = (0..0x3100).chain(0xd000..0x1_0100);
    let all: Vec<char> = codes.filter_map(char::from_u32).collect();
    for chars in all.chunks(512) {
        let mut text = String::new();
        for c in chars {
            let c = format!("\\U{:08X}", *c as u32);
            writeln!(text, "\"x{c}y\": [\"x{c}y\", \"x{c}y\\nz\", \"{c}\"]").unwrap();
        }
        round_trip(&one(&text));
    }
    for c in all {
        let origin = format!("a{c}b: {c}");
        let layer = Layer::text(origin, "a", *b"x");
        let printed = printed::<Value>([layer]);
        let is_one = printed.matches(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']);
        assert_eq!(is_one.count(), 1, "{printed:?}");
        let value = serde_yaml::from_str::<Value>(&printed);
        assert_eq!(value.ok(), serde_yaml::from_str("a: x").ok(), "{printed:?}");
    }
}

#[test]
fn g13_long_keys_read_back() {
    for len in [990, 1000, 1024] {
        for sign in ["k", "\\u0001", "\""] {
            let key = sign.replace('"', "\\\"").repeat(len / sign.len().min(2));
            let key = format!("\"{key}\"");
            for value in ["1", "{x: 1}", "[1]", "", "\"a\\nb\""] {
                let text = format!("{key}: {value}");
                if key.len() < 1020 {
                    round_trip(&one(&text));
                }
                round_trip(&one(&format!("? {key}\n: {value}\n")));
                round_trip(&one(&format!("- ? {key}\n  : {value}\n")));
            }
        }
    }
}

#[test]
fn g13_toml_and_json_are_printed_as_yaml() {
    let toml = "at = 2024-01-01T00:00:00Z\nday = 2024-01-01\nf = 1e06\ni = +1_000\n\
                n = -inf\ns = \"5\"\n[\"a.b\".c]\nt = '''\nx\ny'''\n[[l]]\nz = [[], {}]\n";
    let shown = round_trip(&[Layer::new("c.toml", toml.as_bytes())]);
    for line in [
        "at: \"2024-01-01T00:00:00Z\"",
        "day: \"2024-01-01\"",
        "i: +1000",
        "n: -.inf",
        "s: \"5\"",
        "  - z:",
        "      - []",
        "      - {}",
    ] {
        assert!(plain(&shown).contains(&line), "{line}\n{shown}");
    }
    let json = "{\"a\": 1E5, \"b\": \"null\", \"c\": null, \"d\": \"x\\ny\", \"1\": -0.0}";
    let shown = round_trip(&[Layer::new("c.json", json.as_bytes())]);
    let expected = [
        "a: 1E5",
        "b: \"null\"",
        "c: null",
        "d: |-",
        "  x",
        "  y",
        "\"1\": -0.0",
    ];
    assert_eq!(plain(&shown), expected);
    assert!(shown.contains("# c.json:1:7\n"), "{shown}");
}

#[test]
fn g06_what_is_effective_is_masked_as_in_a_diff() {
    #[derive(Deserialize)]
    #[allow(dead_code, reason = "only what is said of it counts")]
    struct Config {
        hook: Secret<String>,
        users: Secret<BTreeMap<String, u8>>,
        plain: Vec<String>,
        keys_by_name: BTreeMap<String, String>,
        openai_api_key: Option<String>,
        names: BTreeMap<String, u8>,
        site: String,
    }
    let text = "\
hook: c4nary-1
users: {c4nary-2: 1, c4nary-3: 2}
plain: [c4nary-1, shown, c4nary-4]
keys_by_name: {a: c4nary-4}
openai_api_key:
names: {c4nary-1: 1, shown: 2}
site: postgres://me:c4nary@host
hoook: [{c4nary-5: c4nary-5}]
\"x=c4nary\": !c4nary {a: 1}
";
    let shown = printed::<Config>(one(text));
    let expected = [
        "hook: \"[redacted]\"",
        "users:",
        "  \"[redacted] #1\": \"[redacted]\"",
        "  \"[redacted] #2\": \"[redacted]\"",
        "plain:",
        "  - \"[redacted]\"",
        "  - shown",
        "  - \"[redacted]\"",
        "keys_by_name:",
        "  a: \"[redacted]\"",
        "openai_api_key: \"[redacted]\"",
        "names:",
        "  \"[redacted] #1\": 1",
        "  shown: 2",
        "site: \"[redacted]\"",
        "hoook:",
        "  - \"[redacted] #1\": \"[redacted]\"",
        "\"x… #9\":",
        "  a: \"[redacted]\"",
    ];
    assert_eq!(plain(&shown), expected);
    serde_yaml::from_str::<Value>(&shown).unwrap();
    let engine = Engine::<Value>::new(Yaml::new()).mask("a[*].b");
    let snapshot = active(
        engine,
        doc("a: [{b: c4nary, c: 1}]\nd: {e: c4nary}\nf: !g c4nary"),
    );
    let shown = snapshot.effective().unwrap().to_string();
    let expected = [
        "a:",
        "  - b: \"[redacted]\"",
        "    c: 1",
        "d:",
        "  e: \"[redacted]\"",
        "f: \"[redacted]\"",
    ];
    assert_eq!(plain(&shown), expected);
    assert!(!format!("{:?}", snapshot.effective()).contains('1'));
}

/// A mapping that a layer of secrets adds to holds values of other layers, too.
#[test]
fn g06_a_layer_of_secrets_hides_only_what_it_has() {
    let layers = [
        Layer::new("c.yaml", *b"db: {host: a, pass: x}\nport: 80"),
        Layer::text("run/secrets/pass", "db.pass", *b"c4nary").secret(),
    ];
    let expected = "\
db:                             # run/secrets/pass
  host: a                       # c.yaml:1:12
  pass: \"[redacted]\"            # run/secrets/pass
port: 80                        # c.yaml:2:7
";
    assert_eq!(printed::<Value>(layers), expected);
}

#[test]
fn g04_what_is_effective_is_bounded_and_takes_linear_time() {
    // Half a million values in one kilobyte.
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x]\n");
    for n in 1..6 {
        let items = vec![format!("*a{}", n - 1); 8].join(", ");
        writeln!(text, "a{n}: &a{n} [{items}]").unwrap();
    }
    let limits = Limits::default().max_values(10_000_000);
    let engine = Engine::<Value>::new(Yaml::new()).limits(limits);
    let shown = active(engine, doc(&text)).effective().unwrap().to_string();
    assert!(shown.len() > 8_000_000 && shown.len() < 8 * 1024 * 1024 + 100);
    assert!(shown.ends_with("# The rest is left out: it is more than 8 MiB.\n"));
    serde_yaml::from_str::<Value>(&shown).unwrap();

    // One line, and one value in each line.
    let wide = format!("[{}]", "1, ".repeat(60_000));
    let tall = "- 1\n".repeat(60_000);
    let deep = format!("{}{}", "[".repeat(128), "]".repeat(128));
    let deeper = Layer::field("set in code", vec!["a"; 120].join("."), deep.as_bytes());
    let shown = printed::<Value>([deeper]);
    assert_eq!(shown.lines().count(), 120 + 1, "{shown}");
    for text in [wide, tall, deep] {
        let begun = Instant::now();
        let shown = round_trip(&one(&text));
        let took = begun.elapsed();
        assert!(took.as_secs() < 10, "{took:?} for {} bytes", shown.len());
    }
}

#[test]
fn a_format_that_keeps_no_places_has_nothing_to_print() {
    assert!(active(Engine::new(Text), doc("x")).effective().is_none());
}
