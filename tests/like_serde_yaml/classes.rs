//! The differences that are known. Each is a section of `docs/yaml.md`, and a small test
//! tells whether a text belongs there.

#![allow(unreachable_pub, reason = "it is a part of a test")]

use serde_yaml::Value;

use super::shapes::Shape;

/// A text that was read twice.
pub struct Case<'c> {
    pub shape: &'c Shape,
    pub text: &'c str,
    pub theirs: &'c Result<String, String>,
    pub ours: &'c Result<String, String>,
}

/// A section of the page, and what belongs there.
pub type Class = (&'static str, fn(&Case<'_>) -> bool);

/// The first that fits counts.
pub const CLASSES: &[Class] = &[
    ("Bytes are read", |case| case.shape.name.contains("Bytes")),
    ("An empty document is rejected", |case| {
        is_refused(case) && (is_nothing(case.text) || is_a_tag(case.text))
    }),
    ("Two byte order marks are rejected", |case| {
        is_refused(case) && case.text.starts_with("\u{feff}\u{feff}")
    }),
    ("A key given twice is rejected", |case| {
        is_refused(case) && is_given_twice(case.text)
    }),
    ("Nothing is no text", |case| {
        is_refused(case)
            && (has_null_key(case.text) || (wants_text(case.shape) && holds_nothing(case.text)))
    }),
    ("Merge keys are resolved", |case| case.text.contains("<<")),
    ("An enum may be a mapping of one key", |case| {
        is_taken(case) && ((case.shape.with_maps)(case.text) == *case.ours || is_unit_variant(case))
    }),
    ("A key in quotes may be a number", |case| {
        is_taken(case) && has_other_keys(case)
    }),
    ("Line breaks are LF, CR and CRLF", |case| {
        case.text.contains(['\u{85}', '\u{2028}', '\u{2029}'])
    }),
    ("Tabs do not indent", |case| case.text.contains('\t')),
    ("A comment needs a space before it", |case| {
        is_refused(case) && has_pair(case.text, "\"']}", "#")
    }),
    ("Signs in brackets", |case| {
        case.text.contains(['[', '{']) && case.text.contains(['-', '?'])
    }),
    ("Names of anchors", |case| case.text.contains(['&', '*'])),
    ("Tags end where the specification says", |case| {
        case.text.contains('!') && syntax_error(case).contains("tag")
    }),
    ("A key may be left out", |case| {
        is_taken(case) && has_pair(&format!("\n{}", case.text), "\n {[,?\u{feff}", ":")
    }),
    ("A key in brackets may go over lines", |case| {
        let is_in_brackets = case.text.contains(['[', '{']) && case.text.contains('\n');
        is_taken(case) && is_in_brackets && syntax_error(case).contains("did not find expected ','")
    }),
    ("The end of a document that did not begin", |case| {
        is_taken(case) && case.text.trim_start_matches('\u{feff}').starts_with("...")
    }),
    ("A colon before a bracket", |case| {
        is_taken(case) && has_pair(case.text, ":", "}],")
    }),
    ("Pairs of surrogates", |case| {
        is_taken(case) && case.text.contains("\\ud")
    }),
    ("Directives that are not known", |case| {
        case.text.starts_with('%')
    }),
];

fn is_refused(case: &Case<'_>) -> bool {
    case.ours.is_err()
}

fn is_taken(case: &Case<'_>) -> bool {
    case.theirs.is_err() && case.ours.is_ok()
}

/// What either says is wrong with the text itself.
fn syntax_error(case: &Case<'_>) -> String {
    let said = [case.theirs, case.ours].map(|said| said.clone().err().unwrap_or_default());
    said.concat()
}

fn value(text: &str) -> Option<Value> {
    serde_yaml::from_str(text).ok()
}

fn is_null(value: &Value) -> bool {
    match value {
        Value::Tagged(tagged) => is_null(&tagged.value),
        value => value.is_null(),
    }
}

fn is_nothing(text: &str) -> bool {
    value(text).as_ref().is_some_and(is_null)
}

/// Nothing but a tag, or a tag that says that there is nothing.
fn is_a_tag(text: &str) -> bool {
    let (tag, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let is_alone = rest.trim().is_empty() || rest.trim().starts_with('#');
    tag.starts_with('!') && (is_alone || tag == "!!null")
}

fn is_given_twice(text: &str) -> bool {
    let value = serde_yaml::from_str::<Value>(text);
    value.is_err_and(|error| error.to_string().contains("duplicate entry"))
}

/// Whether there is a null anywhere, also as a key.
fn holds_nothing(text: &str) -> bool {
    value(text).is_some_and(|value| any(&value, &|value| value.is_null()))
}

fn has_null_key(text: &str) -> bool {
    let has = |value: &Value| {
        let map = value.as_mapping();
        map.is_some_and(|map| map.keys().any(is_null))
    };
    value(text).is_some_and(|value| any(&value, &has))
}

/// Whether it is so anywhere in a value.
fn any(value: &Value, is_so: &dyn Fn(&Value) -> bool) -> bool {
    let inside = match value {
        Value::Sequence(list) => list.iter().any(|value| any(value, is_so)),
        Value::Mapping(map) => map
            .iter()
            .any(|(key, value)| any(key, is_so) || any(value, is_so)),
        Value::Tagged(tagged) => any(&tagged.value, is_so),
        _ => false,
    };
    inside || is_so(value)
}

/// `Unit:`, which `serde_yaml` takes in neither way.
fn is_unit_variant(case: &Case<'_>) -> bool {
    let is_enum = ["Letter", "External", "FlatEnum"]
        .iter()
        .any(|name| case.shape.name.contains(name));
    is_enum && holds_nothing(case.text)
}

fn wants_text(shape: &Shape) -> bool {
    let types = [
        "String", "char", "Defaults", "NewList", "Pair", "Flat", "External", "Internal", "Letter",
        "Untagged", "Adjacent",
    ];
    types.iter().any(|name| shape.name.contains(name))
}

/// Keys that are no text for a type whose keys are no text either.
fn has_other_keys(case: &Case<'_>) -> bool {
    let maps = ["<u8", "<i64", "<u128", "<bool", "<Option<u8>"];
    let is_map = maps
        .iter()
        .any(|of| case.shape.name.starts_with(&format!("BTreeMap{of}")));
    is_map && case.text.contains(['\'', '"', '!', '|'])
}

/// One of these letters right before one of those.
fn has_pair(text: &str, first: &str, then: &str) -> bool {
    let mut letters = text.chars().zip(text.chars().skip(1));
    letters.any(|(one, next)| first.contains(one) && then.contains(next))
}
