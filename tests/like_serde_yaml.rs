//! What is read here is what `serde_yaml` reads: many types, many texts. What differs on
//! purpose is listed in `docs/yaml.md`, and a small test here tells what belongs there.
#![cfg(feature = "values")]

mod classes;
mod shapes;
mod texts;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use crate::common::Random;
use classes::{CLASSES, Case};
use serde_yaml::Value;
use shapes::Shape;
use steadyconf::engine::{Document, Layer};

/// More deviations than this nobody reads.
const SHOWN: usize = 100;

/// All texts of a run. Another seed is other mutations.
fn all_texts() -> Vec<String> {
    let seed = std::env::var("STEADYCONF_TEST_SEED").ok();
    let seed = seed.and_then(|seed| seed.parse().ok()).unwrap_or(11);
    let mut all = texts::systematic();
    let mutated = texts::mutated(&mut Random(seed), &texts::structures(), 300);
    all.extend(mutated);
    let mut known = BTreeSet::new();
    all.retain(|text| known.insert(text.clone()));
    assert!(all.len() >= 1900, "{} texts", all.len());
    all
}

/// Every second shape, so that two tests run side by side.
fn half(which: usize) -> Vec<Shape> {
    let all = shapes::all();
    assert!(all.len() >= 60, "{} shapes", all.len());
    let half = all.into_iter().skip(which).step_by(2);
    half.collect()
}

fn alone(text: &str) -> Document {
    Document::single("a.yaml", text.as_bytes())
}

/// What differed, by its class, and what has none.
#[derive(Default)]
struct Found {
    compared: usize,
    equal: usize,
    known: BTreeMap<&'static str, usize>,
    deviations: Vec<String>,
}

impl Found {
    fn compare(&mut self, shape: &Shape, text: &str) {
        let theirs = &(shape.theirs)(text);
        let ours = &(shape.ours)(&alone(text));
        self.compared += 1;
        match (theirs, ours) {
            (Err(_), Err(_)) => return,
            (Ok(theirs), Ok(ours)) if theirs == ours => {
                self.equal += 1;
                return;
            }
            _ => {}
        }
        let case = Case {
            shape,
            text,
            theirs,
            ours,
        };
        match CLASSES.iter().find(|(_, belongs)| belongs(&case)) {
            Some((name, _)) => *self.known.entry(name).or_default() += 1,
            None => self.deviations.push(format!(
                "{text:?} as {}:\n    serde_yaml: {theirs:?}\n    here:       {ours:?}",
                shape.name
            )),
        }
    }

    fn judge(self) {
        println!("{} compared, {} equal", self.compared, self.equal);
        for (name, count) in &self.known {
            println!("{count:6} {name}");
        }
        assert!(self.equal > 5000, "only {} are equal", self.equal);
        all_hold(&self.deviations);
    }
}

/// Fails with all deviations, or with the first that a person reads.
fn all_hold(deviations: &[String]) {
    let shown = &deviations[..deviations.len().min(SHOWN)];
    assert!(
        deviations.is_empty(),
        "{} deviations:\n{}",
        deviations.len(),
        shown.join("\n")
    );
}

fn compare_all(which: usize) {
    let mut found = Found::default();
    let shapes = half(which);
    for text in all_texts() {
        shapes.iter().for_each(|shape| found.compare(shape, &text));
    }
    found.judge();
}

#[test]
fn g13_every_type_is_read_as_serde_yaml_reads_it() {
    compare_all(0);
}

#[test]
fn g13_every_other_type_is_read_as_serde_yaml_reads_it() {
    compare_all(1);
}

/// A page with a section that nothing belongs to would tell of what is not so.
#[test]
fn g13_every_known_difference_is_on_the_page_and_is_one() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/yaml.md");
    let page = fs::read_to_string(page).unwrap();
    let part = page
        .split("\n## ")
        .find(|part| part.starts_with("serde_yaml\n"));
    let on_page: BTreeSet<_> = (part.unwrap().lines())
        .filter_map(|line| line.strip_prefix("### "))
        .collect();
    let here: BTreeSet<_> = CLASSES.iter().map(|(name, _)| *name).collect();
    assert_eq!(here, on_page);

    let mut found = Found::default();
    let texts = texts::structures();
    let enough = [
        "Value",
        "Field<String>",
        "Bytes",
        "External",
        "BTreeMap<u8, Value>",
    ];
    let shapes = shapes::all().into_iter();
    for shape in shapes.filter(|shape| enough.contains(&shape.name)) {
        texts.iter().for_each(|text| found.compare(&shape, text));
    }
    let seen: BTreeSet<_> = found.known.keys().copied().collect();
    let unseen: Vec<_> = here.difference(&seen).collect();
    assert!(unseen.is_empty(), "no text shows these: {unseen:?}");
}

/// What makes more of one text without changing what it says.
enum More {
    Layer,
    MergeKey,
}

/// Of texts whose top is a mapping without a tag, and of those alone, this says nothing.
fn is_mapping(text: &str) -> bool {
    let value = serde_yaml::from_str::<Value>(text);
    let is_odd = text.contains("<<") || text.contains(['\u{85}', '\u{2028}', '\u{2029}']);
    value.is_ok_and(|value| matches!(value, Value::Mapping(_))) && !is_odd
}

/// The text with a merge key at its top that brings nothing; `None` where a line cannot
/// simply be put before it.
fn with_merge_key(text: &str) -> Option<String> {
    if let Some(rest) = text.strip_prefix('{') {
        let comma = if rest.trim_start().starts_with('}') {
            ""
        } else {
            ", "
        };
        return Some(format!("{{<<: {{}}{comma}{rest}"));
    }
    let starts_anew = text.starts_with(['!', '%', '-', '#', '\u{feff}', '&', '\n', '\r', '\t']);
    let indent = text.len() - text.trim_start_matches(' ').len();
    (!starts_anew).then(|| format!("{}<<: {{}}\n{text}", " ".repeat(indent)))
}

/// Every second pair of text and type: the other ones say little more.
fn reads_alike(more: &More) {
    let (mut compared, mut taken, mut deviations) = (0, 0, Vec::new());
    let shapes = shapes::all();
    let texts = all_texts();
    for (n, text) in texts.iter().filter(|text| is_mapping(text)).enumerate() {
        let document = match more {
            More::Layer => alone(text).with(&[Layer::new("b.yaml", *b"{}")]),
            More::MergeKey => match with_merge_key(text) {
                Some(text) => alone(&text),
                None => continue,
            },
        };
        for shape in shapes.iter().skip(n % 2).step_by(2) {
            let expected = (shape.ours)(&alone(text));
            let found = (shape.ours)(&document);
            compared += 1;
            taken += usize::from(expected.is_ok());
            let is_same = match (&expected, &found) {
                (Ok(expected), Ok(found)) => expected == found,
                (expected, found) => expected.is_err() && found.is_err(),
            };
            if !is_same {
                deviations.push(format!(
                    "{text:?} as {}:\n    alone: {expected:?}\n    here:  {found:?}",
                    shape.name
                ));
            }
        }
    }
    println!("{compared} compared, {taken} taken");
    assert!(taken > 3000, "only {taken} of {compared} were taken");
    all_hold(&deviations);
}

#[test]
fn g13_two_layers_read_like_the_one_that_says_something() {
    reads_alike(&More::Layer);
}

#[test]
fn g13_a_merge_key_that_brings_nothing_changes_nothing() {
    reads_alike(&More::MergeKey);
}
