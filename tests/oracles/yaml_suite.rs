//! The cases of yaml-test-suite: what the library makes of them, against the suite's own
//! word and against `serde_yaml`. What differs is listed in `docs/yaml.md`, by name.
//!
//! The cases are no part of the project. Where they are not, this says so and passes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::common::{doc, ms, skip};
use serde::Deserialize;
use serde_yaml::{Mapping, Value};
use steadyconf::Outcome;
use steadyconf::engine::Engine;
use steadyconf::format::Yaml;

const CASES: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../../shared/yaml-suite/cases.json"
);
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/yaml.md");

#[derive(Debug, Deserialize)]
struct Case {
    id: String,
    name: String,
    yaml: String,
    error: bool,
    json: Option<String>,
}

fn cases() -> Option<Vec<Case>> {
    let Ok(text) = fs::read_to_string(CASES) else {
        skip("the cases of yaml-test-suite are not here");
        return None;
    };
    let cases: Vec<Case> = serde_json::from_str(&text).unwrap();
    assert_eq!(cases.len(), 402);
    Some(cases)
}

fn ours(text: &str) -> Result<Value, String> {
    let mut engine = Engine::<Value>::new(Yaml::new());
    let outcome = catch_unwind(AssertUnwindSafe(|| engine.apply(doc(text), ms(0))));
    match outcome.unwrap_or_else(|_| panic!("a panic at {text:?}")) {
        Outcome::Applied(_) => Ok(engine.active().unwrap().value().clone()),
        Outcome::Rejected(rejection) => Err(rejection.problems()[0].to_string()),
        other => panic!("{other:?}"),
    }
}

/// The cases that a part of the page names, each with the section that it stands in.
fn listed(part: &str) -> BTreeMap<String, String> {
    let page = fs::read_to_string(PAGE).unwrap();
    let part = page
        .split("\n## ")
        .find(|text| text.lines().next() == Some(part))
        .unwrap_or_else(|| panic!("the page has no part called {part:?}"));
    let mut listed = BTreeMap::new();
    for section in part.split("\n### ").skip(1) {
        let title = section.lines().next().unwrap();
        let ids = section.split('`').skip(1).step_by(2);
        for id in ids.filter(|word| is_id(word)) {
            let before = listed.insert(id.to_string(), title.to_string());
            assert_eq!(before, None, "{id} is listed twice");
        }
    }
    listed
}

/// `4CQQ`, and `9MQT/01` where one file of the suite holds several.
fn is_id(word: &str) -> bool {
    let (id, number) = word.split_once('/').unwrap_or((word, "0"));
    let is_letter = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit();
    id.len() == 4 && id.chars().all(is_letter) && number.chars().all(|c| c.is_ascii_digit())
}

/// What differs has to be what the page lists, no more and no less.
fn judge(part: &str, found: &BTreeMap<String, String>) {
    let listed = listed(part);
    let names = |map: &BTreeMap<String, String>| map.keys().cloned().collect::<BTreeSet<_>>();
    let (here, there) = (names(found), names(&listed));
    let mut lines: Vec<_> = (here.difference(&there))
        .map(|id| format!("{id} is not on the page: {}", found[id]))
        .collect();
    lines.extend(there.difference(&here).map(|id| {
        format!(
            "{id} is on the page (\"{}\") and is as it should be",
            listed[id]
        )
    }));
    assert!(lines.is_empty(), "{}\n{}", lines.len(), lines.join("\n"));
}

#[test]
fn g13_the_suite_reads_as_it_says_but_for_the_page() {
    let Some(cases) = cases() else { return };
    let mut found = BTreeMap::new();
    let mut compared = 0;
    for case in &cases {
        let ours = ours(&case.yaml);
        let json = case.json.as_deref().map(documents).unwrap_or_default();
        let wrong = match (&ours, case.error, &json[..]) {
            (Err(_), true, _) => None,
            (Ok(value), true, _) => Some(format!("has to be rejected, and is {value:?}")),
            (Err(said), false, [_]) => Some(format!("is rejected: {said}")),
            (Ok(value), false, [json]) if as_json(value) != as_json(json) => {
                Some(format!("is {value:?}, and has to be {json:?}"))
            }
            (Ok(value), false, [_, _, ..]) => Some(format!("are several, and this is {value:?}")),
            (_, false, _) => None,
        };
        compared += usize::from(case.error || json.len() == 1);
        if let Some(wrong) = wrong {
            found.insert(
                case.id.clone(),
                format!("{} ({:?}) {wrong}", case.name, case.yaml),
            );
        }
    }
    assert!(compared > 300, "only {compared} say what they are");
    judge("What the suite expects otherwise", &found);
}

/// The JSON documents of a case, which stand one after another.
fn documents(json: &str) -> Vec<Value> {
    let all = serde_json::Deserializer::from_str(json).into_iter();
    all.map(Result::unwrap).collect()
}

/// A value as JSON can say it: without tags, with texts as keys.
fn as_json(value: &Value) -> Value {
    match value {
        Value::Tagged(tagged) => as_json(&tagged.value),
        Value::Sequence(list) => Value::Sequence(list.iter().map(as_json).collect()),
        Value::Mapping(map) => {
            let entry = |(key, value): (&Value, &Value)| (as_json_key(key), as_json(value));
            Value::Mapping(map.iter().map(entry).collect::<Mapping>())
        }
        // JSON's writers say 450 for 450.00.
        Value::Number(number) => match number.as_f64() {
            Some(size) if size.fract() == 0.0 && size.abs() < 1e15 => (size as i64).into(),
            _ => value.clone(),
        },
        value => value.clone(),
    }
}

fn as_json_key(key: &Value) -> Value {
    match as_json(key) {
        Value::Null => "".into(),
        Value::Bool(truth) => truth.to_string().into(),
        Value::Number(number) => number.to_string().into(),
        key => key,
    }
}

#[test]
fn g13_the_suite_reads_as_in_serde_yaml_but_for_the_page() {
    let Some(cases) = cases() else { return };
    let mut found = BTreeMap::new();
    let mut equal = 0;
    for case in &cases {
        let theirs = serde_yaml::from_str::<Value>(&case.yaml);
        let ours = ours(&case.yaml);
        let wrong = match (&theirs, &ours) {
            (Ok(theirs), Ok(ours)) if theirs == ours => {
                equal += 1;
                continue;
            }
            (Err(_), Err(_)) => continue,
            (Ok(theirs), Ok(ours)) => format!("is {ours:?}, and serde_yaml reads {theirs:?}"),
            (Ok(theirs), Err(said)) => format!("is rejected ({said}), and is {theirs:?}"),
            (Err(said), Ok(ours)) => format!("is {ours:?}, and serde_yaml says {said}"),
        };
        found.insert(
            case.id.clone(),
            format!("{} ({:?}) {wrong}", case.name, case.yaml),
        );
    }
    assert!(equal > 150, "only {equal} are equal");
    judge("What serde_yaml makes of the suite", &found);
}
