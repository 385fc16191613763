//! Merging and provenance against definitions that are slow and obviously right, over
//! documents that are made by chance.
#![cfg(feature = "values")]

mod lines;
mod tree;
mod write;

use std::sync::Arc;

use crate::common::{Random, ms};
use serde_yaml::Value;
use steadyconf::engine::{Document, Engine, Layer};
use steadyconf::format::Yaml;
use steadyconf::{Outcome, Snapshot};
use tree::{Key, Leaf, Tree, What};
use write::Writer;

/// A person reads so many at once.
const SHOWN: usize = 8;

const ROUNDS: usize = 1500;

/// Documents by chance. Another seed is other ones.
fn random() -> Random {
    let seed = std::env::var("STEADYCONF_TEST_SEED").ok();
    Random(seed.and_then(|seed| seed.parse().ok()).unwrap_or(6))
}

/// Layers as they are offered, and what each says, if anything.
struct Layers {
    offered: Vec<Layer>,
    said: Vec<Tree>,
}

fn layers(rng: &mut Random) -> Layers {
    let (mut offered, mut said) = (Vec::new(), Vec::new());
    let count = 1 + rng.below(3) as usize;
    for n in 0..count {
        if count > 1 && rng.below(8) == 0 {
            let blank = *rng.one_of(&["", "# nothing\n", "---\n"]);
            offered.push(Layer::new(format!("{n}"), blank.as_bytes()).optional());
            continue;
        }
        let (text, tree) = Writer::layer(rng, n);
        offered.push(Layer::new(format!("{n}"), text.into_bytes()));
        said.push(tree);
    }
    if said.is_empty() || rng.below(3) == 0 {
        let (layer, tree) = variable(rng, offered.len());
        offered.push(layer);
        said.push(tree);
    }
    Layers { offered, said }
}

/// One field, as an environment variable or a value set in code has it.
fn variable(rng: &mut Random, n: usize) -> (Layer, Tree) {
    let paths: [&[&str]; 4] = [&["a"], &["a", "1"], &["2"], &["b", "e-f", "a"]];
    let path = *rng.one_of(&paths);
    let tree = |what| Tree {
        layer: n,
        spot: None,
        tag: None,
        what,
    };
    let scalar = |value: Value| tree(What::Scalar(value));
    let (text, value) = match rng.below(5) {
        0 => ("~", tree(What::Null)),
        1 => (
            "[7, x]",
            tree(What::List(vec![scalar(7.into()), scalar("x".into())])),
        ),
        2 => {
            let entries = [("a", scalar(7.into())), ("b", tree(What::Null))];
            let entries = entries.map(|(key, value)| (Key::text(key), value));
            ("{a: 7, b: ~}", tree(What::Map(entries.into())))
        }
        _ => ("from: [outside", scalar("from: [outside".into())),
    };
    let dotted = path.join(".");
    let layer = match value.what {
        What::Scalar(_) => Layer::text(format!("{n}"), dotted, text.as_bytes()),
        _ => Layer::field(format!("{n}"), dotted, text.as_bytes()),
    };
    let nested = path.iter().rev().fold(value, |inside, key| {
        tree(What::Map(vec![(Key::text(key), inside)]))
    });
    (layer, nested)
}

/// What all rounds found wrong, with the texts.
#[derive(Default)]
struct Faults {
    checked: usize,
    found: Vec<String>,
}

impl Faults {
    fn add(&mut self, layers: &Layers, what: &str) {
        if self.found.len() < SHOWN {
            let texts: Vec<_> = (layers.offered.iter())
                .map(|layer| {
                    let text = String::from_utf8_lossy(layer.bytes());
                    format!("-- {} {:?}\n{text}", layer.origin(), layer.content())
                })
                .collect();
            self.found.push(format!("{what}\n{}", texts.join("\n")));
        } else {
            self.found.push(String::new());
        }
    }

    fn judge(self, enough: usize) {
        let count = self.found.len();
        let shown = self.found[..count.min(SHOWN)].join("\n\n");
        assert!(count == 0, "{count} faults, among them:\n{shown}");
        assert!(self.checked > enough, "only {} checked", self.checked);
    }
}

fn read(layers: &Layers) -> Result<Arc<Snapshot<Value>>, String> {
    apply(Engine::new(Yaml::new()), layers.offered.clone())
}

fn apply(mut engine: Engine<Value>, layers: Vec<Layer>) -> Result<Arc<Snapshot<Value>>, String> {
    match engine.apply(Document::new(layers), ms(0)) {
        Outcome::Applied(_) => Ok(engine.active().unwrap().clone()),
        Outcome::Rejected(rejection) => Err(rejection.problems()[0].to_string()),
        other => Err(format!("{other:?}")),
    }
}

#[test]
fn g13_merging_is_what_the_table_says() {
    let (mut rng, mut faults) = (random(), Faults::default());
    for round in 0..ROUNDS {
        let layers = layers(&mut rng);
        let expected = alike(&tree::merged(&layers.said).value());
        faults.checked += usize::from(layers.said.len() > 1);
        match read(&layers) {
            Err(said) => faults.add(&layers, &format!("round {round}: {said}")),
            Ok(snapshot) => {
                let found = alike(snapshot.value());
                if found != expected {
                    let what = format!("round {round}:\nexpected {expected:?}\nfound    {found:?}");
                    faults.add(&layers, &what);
                }
            }
        }
    }
    faults.judge(500);
}

/// Keys that are numbers as texts, unless both are there: between layers they are the
/// same key, and nothing says which of the two writings is kept.
fn alike(value: &Value) -> Value {
    match value {
        Value::Sequence(list) => Value::Sequence(list.iter().map(alike).collect()),
        Value::Tagged(tagged) => {
            let mut tagged = tagged.clone();
            tagged.value = alike(&tagged.value);
            Value::Tagged(tagged)
        }
        Value::Mapping(map) => {
            let entry = |(key, value): (&Value, &Value)| {
                let text = key.as_u64().map(|number| Value::from(number.to_string()));
                let text = text.filter(|text| !map.contains_key(text));
                (text.unwrap_or_else(|| key.clone()), alike(value))
            };
            Value::Mapping(map.iter().map(entry).collect())
        }
        value => value.clone(),
    }
}

#[test]
fn g13_every_leaf_knows_its_layer_and_its_place() {
    let (mut rng, mut faults) = (random(), Faults::default());
    let mut absent = 0;
    for round in 0..ROUNDS {
        let layers = layers(&mut rng);
        let Ok(snapshot) = read(&layers) else {
            // The other test tells.
            continue;
        };
        let whole = tree::merged(&layers.said);
        let mut there = Vec::new();
        tree::leaves(&whole, "", true, &mut there);
        for leaf in there.iter().filter(|leaf| leaf.is_sure) {
            faults.checked += 1;
            if let Some(wrong) = misplaced(&snapshot, leaf) {
                faults.add(&layers, &format!("round {round}: {}: {wrong}", leaf.path));
            }
        }
        for path in gone(&layers, &there) {
            absent += 1;
            if let Some(place) = snapshot.origin(&path) {
                let what = format!("round {round}: {path} is not there, and stands at {place}");
                faults.add(&layers, &what);
            }
        }
    }
    faults.judge(5000);
    assert!(absent > 500, "only {absent} were gone");
}

/// What is wrong with the origin of a leaf.
fn misplaced(snapshot: &Snapshot<Value>, leaf: &Leaf<'_>) -> Option<String> {
    let Tree {
        layer, spot, what, ..
    } = leaf.tree;
    let place = match snapshot.origin(&leaf.path) {
        Some(place) => place,
        // The top may have been emptied.
        None if leaf.path.is_empty() => return None,
        None => return Some("has no origin".into()),
    };
    let found = (place.line(), place.column());
    let is_there = match *spot {
        None => found == (None, None),
        Some((line, None)) => found.0 == Some(line),
        Some((line, column)) => found == (Some(line), column),
    };
    // A mapping that later layers made empty stands in more than one layer.
    let is_emptied = matches!(what, What::Map(entries) if entries.is_empty());
    let is_right = is_emptied || (is_there && *place.origin() == *layer.to_string());
    (!is_right).then(|| format!("stands at {place}, not at {layer}:{spot:?}"))
}

/// The paths of leaves that were replaced or removed.
fn gone(layers: &Layers, there: &[Leaf<'_>]) -> Vec<String> {
    let mut all = Vec::new();
    for layer in &layers.said {
        tree::leaves(layer, "", true, &mut all);
    }
    // Something may be below it now.
    let is_there = |path: &str| {
        there.iter().any(|known| {
            let rest = known.path.strip_prefix(path);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        })
    };
    let gone = (all.into_iter()).filter(|leaf| !leaf.path.is_empty() && !is_there(&leaf.path));
    gone.map(|leaf| leaf.path).collect()
}

#[test]
fn g13_what_is_effective_reads_back_as_the_same_value() {
    let (mut rng, mut faults) = (random(), Faults::default());
    for round in 0..ROUNDS {
        let layers = layers(&mut rng);
        let Ok(snapshot) = read(&layers) else {
            continue;
        };
        faults.checked += 1;
        let printed = snapshot.effective().unwrap().to_string();
        let ours = apply(
            Engine::new(Yaml::new()),
            vec![Layer::new("printed", printed.as_bytes())],
        );
        let ours = ours.map(|snapshot| snapshot.value().clone());
        let others = serde_yaml::from_str(&printed).map_err(|error| error.to_string());
        for found in [ours, others] {
            if found.as_ref() != Ok(snapshot.value()) {
                faults.add(&layers, &format!("round {round}: {found:?}\n{printed}"));
            }
        }
    }
    faults.judge(1000);
}

#[test]
fn g13_every_line_that_is_effective_has_its_origin() {
    let (mut rng, mut faults) = (random(), Faults::default());
    for round in 0..ROUNDS {
        let layers = layers(&mut rng);
        let Ok(snapshot) = read(&layers) else {
            continue;
        };
        let printed = snapshot.effective().unwrap().to_string();
        let lines = lines::lines(&printed);
        for (path, origin) in &lines {
            // Where a number and a text are keys beside each other, a path is of both.
            let inside = |other: &str| path.strip_prefix(other).is_some();
            let twice = |(other, _): &&(String, String)| {
                inside(other) && lines.iter().filter(|(path, _)| path == other).count() > 1
            };
            if lines.iter().find(twice).is_some() {
                continue;
            }
            faults.checked += 1;
            let expected = snapshot.origin(path).map(|place| place.to_string());
            if expected.as_ref() != Some(origin) {
                let what = format!("round {round}: {path}: {origin}, not {expected:?}\n{printed}");
                faults.add(&layers, &what);
            }
        }
    }
    faults.judge(5000);
}

/// Hides a field by chance that holds a text: neither it nor its equals are printed.
#[test]
fn g06_no_secret_is_in_what_is_effective() {
    const SECRET: &str = "two words";
    let (mut rng, mut faults) = (random(), Faults::default());
    for round in 0..ROUNDS {
        let mut layers = layers(&mut rng);
        let whole = tree::merged(&layers.said);
        let mut there = Vec::new();
        tree::leaves(&whole, "", true, &mut there);
        let is_secret = |leaf: &&Leaf<'_>| {
            matches!(&leaf.tree.what, What::Scalar(value) if value == SECRET) && leaf.is_sure
        };
        let secret: Vec<_> = there
            .iter()
            .filter(is_secret)
            .map(|leaf| &leaf.path)
            .collect();
        if secret.is_empty() {
            continue;
        }
        let path = (*rng.one_of(&secret)).clone();
        let engine = match rng.below(3) {
            0 => Engine::new(Yaml::new()).mask(&path),
            1 => {
                // Its equal is a secret by its name, in a layer below.
                let text = format!("api_key: {SECRET}");
                layers
                    .offered
                    .insert(0, Layer::new("below", text.into_bytes()));
                Engine::new(Yaml::new())
            }
            _ => {
                let layer = Layer::text("by its source", "below", SECRET.as_bytes());
                layers.offered.push(layer.secret());
                Engine::new(Yaml::new())
            }
        };
        let Ok(snapshot) = apply(engine, layers.offered.clone()) else {
            continue;
        };
        faults.checked += 1;
        let printed = snapshot.effective().unwrap().to_string();
        let is_valid = serde_yaml::from_str::<Value>(&printed).is_ok();
        if printed.contains("two") || !printed.contains("\"[redacted]\"") || !is_valid {
            faults.add(&layers, &format!("round {round}: {path}\n{printed}"));
        }
    }
    faults.judge(300);
}
