//! Merging and provenance against definitions that are slow and obviously right, over
//! documents that are made by chance.
#![cfg(feature = "values")]

mod common;

use common::{Random, ms};
use serde_yaml::{Mapping, Value};
use steadyconf::{Document, Engine, Layer, Outcome, Yaml};

const KEYS: [&str; 4] = ["a", "b", "c.d", "e-f"];

fn any_value(rng: &mut Random, depth: u64) -> Value {
    match rng.below(if depth == 0 { 6 } else { 10 }) {
        0 => Value::Null,
        1 => Value::from(rng.below(3)),
        2 => Value::from("text"),
        3 => Value::from(true),
        4 => Value::from("4"),
        5 => Value::from(1.5),
        6 => Value::Sequence(
            (0..rng.below(3))
                .map(|_| any_value(rng, depth - 1))
                .collect(),
        ),
        _ => any_mapping(rng, depth - 1),
    }
}

fn any_mapping(rng: &mut Random, depth: u64) -> Value {
    let mut map = Mapping::new();
    for key in KEYS {
        if rng.below(2) == 0 {
            map.insert(key.into(), any_value(rng, depth));
        }
    }
    Value::Mapping(map)
}

/// What all layers together have at one place, by the table in the docs: find the last
/// layer that has something else than a mapping there; earlier ones do not count. What
/// is left are mappings, and each key of them is a place of its own. A null removes,
/// but in the first layer, where there is nothing to remove.
fn merged(layers: &[(bool, Option<&Value>)]) -> Option<Value> {
    let is_map = |value: Option<&Value>| value.is_none_or(Value::is_mapping);
    let cut = layers.iter().rposition(|(_, value)| !is_map(*value));
    let later = match cut {
        Some(at) => &layers[at + 1..],
        None => layers,
    };
    let maps: Vec<_> = later
        .iter()
        .filter_map(|(first, value)| Some((*first, value.and_then(Value::as_mapping)?)))
        .collect();
    if maps.is_empty() {
        let (first, value) = layers[cut?];
        return value.filter(|value| first || !value.is_null()).cloned();
    }
    let mut whole = Mapping::new();
    for key in maps.iter().flat_map(|(_, map)| map.keys()) {
        let there: Vec<_> = maps
            .iter()
            .map(|(first, map)| (*first, map.get(key)))
            .collect();
        match merged(&there) {
            Some(value) => whole.insert(key.clone(), value),
            None => whole.remove(key),
        };
    }
    Some(Value::Mapping(whole))
}

/// Every scalar and every empty list or mapping, with its path in two writings.
fn leaves<'v>(
    value: &'v Value,
    path: &str,
    at: &[Step],
    found: &mut Vec<(String, Vec<Step>, &'v Value)>,
) {
    match value {
        Value::Mapping(map) if !map.is_empty() => {
            for (key, value) in map {
                let key = key.as_str().unwrap();
                let step = match (key.contains('.'), path.is_empty()) {
                    (true, _) => format!("[\"{key}\"]"),
                    (false, true) => key.to_string(),
                    (false, false) => format!(".{key}"),
                };
                let at = [at, &[Step::Key(key.into())]].concat();
                leaves(value, &format!("{path}{step}"), &at, found);
            }
        }
        Value::Sequence(list) if !list.is_empty() => {
            for (index, value) in list.iter().enumerate() {
                let at = [at, &[Step::Index(index)]].concat();
                leaves(value, &format!("{path}[{index}]"), &at, found);
            }
        }
        leaf => found.push((path.into(), at.to_vec(), leaf)),
    }
}

#[derive(Clone)]
enum Step {
    Key(String),
    Index(usize),
}

fn value_at<'v>(value: &'v Value, path: &[Step]) -> Option<&'v Value> {
    path.iter().try_fold(value, |value, step| match step {
        Step::Key(key) => value.as_mapping()?.get(key.as_str()),
        Step::Index(index) => value.as_sequence()?.get(*index),
    })
}

#[test]
fn g13_merging_is_what_the_table_says_and_every_leaf_tells_its_layer() {
    let mut rng = Random(6);
    let (mut leaf_count, mut absent) = (0, 0);
    for round in 0..3000 {
        let count = 2 + rng.below(3);
        let values: Vec<_> = (0..count).map(|_| any_mapping(&mut rng, 3)).collect();
        let layers: Vec<_> = (values.iter().enumerate())
            .map(|(n, value)| {
                Layer::new(
                    format!("{n}.yaml"),
                    serde_yaml::to_string(value).unwrap().into_bytes(),
                )
            })
            .collect();
        let all = values.iter().enumerate();
        let all: Vec<_> = all.map(|(n, value)| (n == 0, Some(value))).collect();
        let expected = merged(&all);
        let expected = expected.unwrap_or_else(|| Value::Mapping(Mapping::new()));

        let mut engine = Engine::<Value>::new(Yaml::new());
        let outcome = engine.apply(Document::new(layers), ms(0));
        assert!(
            matches!(outcome, Outcome::Applied(_)),
            "round {round}: {outcome:?}"
        );
        let snapshot = engine.active().unwrap();
        assert_eq!(*snapshot.value(), expected, "round {round}: {values:#?}");

        let mut found = Vec::new();
        leaves(&expected, "", &[], &mut found);
        for (path, at, leaf) in &found {
            let Some(place) = snapshot.origin(path) else {
                assert!(
                    leaf.is_mapping() || path.is_empty(),
                    "round {round}: {path} has no origin"
                );
                continue;
            };
            let n: usize = place
                .origin()
                .strip_suffix(".yaml")
                .unwrap()
                .parse()
                .unwrap();
            let holds = value_at(&values[n], at);
            // A mapping may be left empty by what a later layer removed.
            assert!(
                holds == Some(leaf) || leaf.is_mapping(),
                "round {round}: {path} is not of {n}"
            );
            let later = values[n + 1..].iter().find_map(|value| value_at(value, at));
            assert!(
                later.is_none(),
                "round {round}: {path} is of a later layer than {n}"
            );
            let line = layers_line(&values[n], place.line().unwrap());
            let key = path
                .rsplit(['.', '['])
                .next()
                .unwrap()
                .trim_end_matches([']', '"']);
            assert!(
                leaf.is_mapping() || line.contains(key) || line.trim_start().starts_with('-'),
                "{path}: {line}"
            );
            leaf_count += 1;
        }
        // And what is not there has no origin.
        for (n, value) in values.iter().enumerate() {
            let mut all = Vec::new();
            leaves(value, "", &[], &mut all);
            for (path, at, _) in &all {
                if value_at(&expected, at).is_none() {
                    assert_eq!(
                        snapshot.origin(path),
                        None,
                        "round {round}, layer {n}: {path}\n{}",
                        values
                            .iter()
                            .map(|v| serde_yaml::to_string(v).unwrap())
                            .collect::<Vec<_>>()
                            .join("---\n")
                    );
                    absent += 1;
                }
            }
        }
    }
    assert!(
        leaf_count > 10_000 && absent > 1000,
        "{leaf_count} leaves, {absent} absent"
    );
}

fn layers_line(value: &Value, line: usize) -> String {
    let text = serde_yaml::to_string(value).unwrap();
    text.lines().nth(line - 1).unwrap().to_string()
}
