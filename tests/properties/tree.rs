//! What a layer holds, and what merging means: slow, and obviously right.

#![allow(unreachable_pub, reason = "it is a part of a test")]

use serde_yaml::value::{Tag, TaggedValue};
use serde_yaml::{Mapping, Value};

/// Where something stands in its layer: line and column, and the column is open where
/// nothing stands. `None` in a layer that has no lines.
pub type Spot = Option<(usize, Option<usize>)>;

#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    pub text: String,
    pub is_number: bool,
}

/// A value, after aliases and merge keys were resolved.
#[derive(Clone, Debug)]
pub struct Tree {
    pub layer: usize,
    pub spot: Spot,
    pub tag: Option<&'static str>,
    pub what: What,
}

#[derive(Clone, Debug)]
pub enum What {
    Scalar(Value),
    /// `null` or `~`, as it is written.
    Null,
    /// `key:` with nothing behind it.
    LeftOut,
    List(Vec<Tree>),
    Map(Vec<(Key, Tree)>),
}

impl Tree {
    /// A mapping that is nothing but that.
    pub fn entries(&self) -> Option<&[(Key, Tree)]> {
        match &self.what {
            What::Map(entries) if self.tag.is_none() => Some(entries),
            _ => None,
        }
    }

    pub fn value(&self) -> Value {
        let value = match &self.what {
            What::Scalar(value) => value.clone(),
            What::Null | What::LeftOut => Value::Null,
            What::List(list) => Value::Sequence(list.iter().map(Tree::value).collect()),
            What::Map(entries) => {
                let entry = |(key, tree): &(Key, Tree)| (key.value(), tree.value());
                Value::Mapping(entries.iter().map(entry).collect::<Mapping>())
            }
        };
        match self.tag {
            None => value,
            Some(tag) => Value::Tagged(Box::new(TaggedValue {
                tag: Tag::new(tag),
                value,
            })),
        }
    }
}

impl Key {
    pub fn text(text: &str) -> Key {
        Key {
            text: text.into(),
            is_number: false,
        }
    }

    fn value(&self) -> Value {
        match self.is_number {
            true => Value::from(self.text.parse::<u64>().unwrap()),
            false => Value::from(self.text.as_str()),
        }
    }
}

/// All layers that say something, the later over the earlier.
pub fn merged(layers: &[Tree]) -> Tree {
    let (first, later) = layers.split_first().unwrap();
    later
        .iter()
        .fold(first.clone(), |base, over| laid(Some(&base), over).unwrap())
}

/// What a later layer makes of what was there: `None` is nothing at all.
fn laid(base: Option<&Tree>, over: &Tree) -> Option<Tree> {
    if matches!(over.what, What::Null) && over.tag.is_none() {
        return None;
    }
    if matches!(over.what, What::LeftOut) && over.tag.is_none() {
        return Some(base.unwrap_or(over).clone());
    }
    let Some(entries) = over.entries() else {
        return Some(over.clone());
    };
    let mut whole = base.and_then(Tree::entries).unwrap_or_default().to_vec();
    for (key, value) in entries {
        // What is a number there may be a text here; the very same comes first.
        let same = whole.iter().position(|(known, _)| known == key);
        let alike = || whole.iter().position(|(known, _)| known.text == key.text);
        match same.or_else(alike) {
            Some(at) => match laid(Some(&whole[at].1), value) {
                Some(value) => whole[at].1 = value,
                None => drop(whole.remove(at)),
            },
            None => whole.extend(laid(None, value).map(|value| (key.clone(), value))),
        }
    }
    let what = What::Map(whole);
    Some(Tree {
        what,
        ..over.clone()
    })
}

/// A value with nothing inside.
pub struct Leaf<'t> {
    /// In the library's writing.
    pub path: String,
    pub tree: &'t Tree,
    /// Where a number and a text are keys beside each other, a path cannot tell them
    /// apart.
    pub is_sure: bool,
}

/// All leaves below a path.
pub fn leaves<'t>(tree: &'t Tree, path: &str, is_sure: bool, found: &mut Vec<Leaf<'t>>) {
    match &tree.what {
        What::List(list) if !list.is_empty() => {
            for (index, tree) in list.iter().enumerate() {
                leaves(tree, &format!("{path}[{index}]"), is_sure, found);
            }
        }
        What::Map(entries) if !entries.is_empty() => {
            for (key, tree) in entries {
                let same = entries.iter().filter(|(other, _)| other.text == key.text);
                let is_sure = is_sure && same.count() == 1;
                leaves(tree, &step(path, &key.text), is_sure, found);
            }
        }
        _ => {
            let path = path.into();
            found.push(Leaf {
                path,
                tree,
                is_sure,
            });
        }
    }
}

pub fn step(path: &str, key: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    match (key.chars().all(is_plain), path.is_empty()) {
        (false, _) => format!("{path}[{key:?}]"),
        (true, true) => key.into(),
        (true, false) => format!("{path}.{key}"),
    }
}
