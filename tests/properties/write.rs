//! Writes layers by chance, and knows of each value where it stands.

#![allow(unreachable_pub, reason = "it is a part of a test")]

use serde_yaml::Value;

use super::tree::{Key, Spot, Tree, What};
use crate::common::Random;

/// Texts as they are written, and what they mean.
const SCALARS: &[(&str, &str)] = &[
    ("x", "x"),
    ("'4'", "4"),
    ("\"two words\"", "two words"),
    ("007", "007"),
    ("'~'", "~"),
    ("''", ""),
];

const KEYS: &[&str] = &["a", "b", "c.d", "e-f", "1", "2", "<<"];

pub struct Writer<'r> {
    pub rng: &'r mut Random,
    pub text: String,
    layer: usize,
    /// Whether keys may be plain numbers.
    numbers: bool,
    /// What has a name, in the order of the names.
    anchors: Vec<Tree>,
}

impl<'r> Writer<'r> {
    /// A layer whose top is a mapping.
    pub fn layer(rng: &'r mut Random, layer: usize) -> (String, Tree) {
        let mut writer = Writer {
            rng,
            text: String::new(),
            layer,
            numbers: layer == 0,
            anchors: Vec::new(),
        };
        let tree = match writer.rng.below(4) {
            0 => writer.flow_map(3),
            _ => writer.block_map(0, 3),
        };
        (writer.text, tree)
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.rng.below(n) == 0
    }

    fn put(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// The place of what is written next.
    fn here(&self) -> Spot {
        let line = self.text.matches('\n').count() + 1;
        let column = self.text.rsplit('\n').next().unwrap().chars().count() + 1;
        Some((line, Some(column)))
    }

    fn tree(&self, spot: Spot, what: What) -> Tree {
        Tree {
            layer: self.layer,
            spot,
            tag: None,
            what,
        }
    }

    fn comment(&mut self) {
        match self.rng.below(8) {
            0 => self.put(" # a comment: 1\n"),
            1 => self.put("\n\n"),
            2 => self.put("\n# - one\n"),
            _ => self.put("\n"),
        }
    }

    /// What can be said before a value: a name, and a tag for a mapping. Where it is
    /// written, the value has the name's index.
    fn properties(&mut self, may_have_tag: bool) -> (Option<usize>, Option<&'static str>) {
        let mut name = None;
        if self.one_in(4) {
            name = Some(self.anchors.len());
            // So that what is inside has other names.
            let placeholder = self.tree(None, What::LeftOut);
            self.anchors.push(placeholder);
            self.put(&format!("&n{} ", self.anchors.len() - 1));
        }
        let tag = (may_have_tag && self.one_in(8)).then_some("!t");
        if tag.is_some() {
            self.put("!t ");
        }
        (name, tag)
    }

    fn named(&mut self, name: Option<usize>, tree: Tree) -> Tree {
        if let Some(name) = name {
            self.anchors[name] = tree.clone();
        }
        tree
    }

    /// A value that is complete and has a name.
    fn alias(&mut self, is_fit: impl Fn(&Tree) -> bool) -> Option<Tree> {
        let complete = |(_, tree): &(usize, &Tree)| tree.spot.is_some() && is_fit(tree);
        let fit: Vec<_> = self.anchors.iter().enumerate().filter(complete).collect();
        if fit.is_empty() {
            return None;
        }
        let (name, tree) = *self.rng.one_of(&fit);
        let tree = tree.clone();
        self.put(&format!("*n{name}"));
        Some(tree)
    }

    fn scalar(&mut self) -> Tree {
        let (name, _) = self.properties(false);
        let spot = self.here();
        let what = match self.rng.below(9) {
            0 => self.null("null"),
            1 => self.null("~"),
            2 => self.number("1.5", Value::from(1.5)),
            3 => self.number("0x1F", Value::from(31)),
            4 => self.number("true", Value::from(true)),
            _ => {
                let (text, means) = *self.rng.one_of(SCALARS);
                self.put(text);
                What::Scalar(means.into())
            }
        };
        let tree = self.tree(spot, what);
        self.named(name, tree)
    }

    fn null(&mut self, text: &str) -> What {
        self.put(text);
        What::Null
    }

    fn number(&mut self, text: &str, value: Value) -> What {
        self.put(text);
        What::Scalar(value)
    }

    /// Keys of one mapping, each once, as they are written and as they are.
    fn keys(&mut self) -> Vec<(String, Key)> {
        let mut keys: Vec<(String, Key)> = Vec::new();
        for text in KEYS {
            if !self.one_in(3) {
                continue;
            }
            let is_digit = text.starts_with(|c: char| c.is_ascii_digit());
            let is_number = is_digit && self.numbers && self.one_in(2);
            let written = match (is_number, self.rng.below(3)) {
                (true, _) => text.to_string(),
                (false, 0) => format!("\"{text}\""),
                (false, 1) => format!("'{text}'"),
                (false, _) if is_digit || *text == "<<" => format!("'{text}'"),
                (false, _) => text.to_string(),
            };
            let text = text.to_string();
            keys.push((written, Key { text, is_number }));
        }
        keys
    }

    /// The entries that a merge key brings, if there is one here.
    fn merge_key(&mut self, depth: u64) -> Option<Vec<Tree>> {
        let is_map = |tree: &Tree| tree.entries().is_some();
        let has_map = self
            .anchors
            .iter()
            .any(|tree| tree.spot.is_some() && is_map(tree));
        if depth == 0 || !self.one_in(4) {
            return None;
        }
        self.put("<<: ");
        let one = |writer: &mut Self| match has_map && !writer.one_in(3) {
            true => writer.alias(is_map).unwrap(),
            false => writer.flow_map(depth - 1),
        };
        if self.one_in(2) {
            return Some(vec![one(self)]);
        }
        let mut maps = Vec::new();
        self.put("[");
        for n in 0..self.rng.below(4) {
            self.put(if n > 0 { " , " } else { "" });
            maps.push(one(self));
        }
        self.put("]");
        Some(maps)
    }

    pub fn flow_map(&mut self, depth: u64) -> Tree {
        let spot = self.here();
        self.put("{");
        let (mut entries, mut merged) = (Vec::new(), None);
        for (written, key) in self.keys() {
            if merged.is_none() {
                if let Some(maps) = self.merge_key(depth) {
                    merged = Some(maps);
                    self.put(" , ");
                }
            }
            self.put(&format!("{written}: "));
            let value = match self.one_in(8) {
                true => self.left_out(),
                false => self.flow(depth),
            };
            self.put(" , ");
            entries.push((key, value));
        }
        self.put("}");
        let what = What::Map(with_merged(entries, merged.unwrap_or_default()));
        self.tree(spot, what)
    }

    fn left_out(&self) -> Tree {
        let line = self.here().unwrap().0;
        self.tree(Some((line, None)), What::LeftOut)
    }

    /// Anything in one line.
    fn flow(&mut self, depth: u64) -> Tree {
        if self.one_in(6) {
            if let Some(tree) = self.alias(|_| true) {
                return tree;
            }
        }
        match self.rng.below(if depth == 0 { 3 } else { 6 }) {
            0..3 => self.scalar(),
            3 => {
                let (name, tag) = self.properties(true);
                let mut tree = self.flow_map(depth - 1);
                tree.tag = tag;
                self.named(name, tree)
            }
            _ => {
                let (name, _) = self.properties(false);
                let spot = self.here();
                self.put("[");
                let list = (0..self.rng.below(3)).map(|_| {
                    let tree = self.flow(depth - 1);
                    self.put(" , ");
                    tree
                });
                let list = What::List(list.collect());
                self.put("]");
                let tree = self.tree(spot, list);
                self.named(name, tree)
            }
        }
    }

    fn block_map(&mut self, indent: usize, depth: u64) -> Tree {
        let spaces = " ".repeat(indent);
        let keys = self.keys();
        if keys.is_empty() {
            self.put(&spaces);
            let tree = self.flow_map(0);
            self.comment();
            return tree;
        }
        let spot = self.here().map(|(line, _)| (line, Some(indent + 1)));
        let (mut entries, mut merged) = (Vec::new(), None);
        for (written, key) in keys {
            self.put(&spaces);
            if merged.is_none() {
                if let Some(maps) = self.merge_key(depth) {
                    merged = Some(maps);
                    self.comment();
                    self.put(&spaces);
                }
            }
            self.put(&format!("{written}:"));
            let value = self.block(indent, depth, true);
            entries.push((key, value));
        }
        let what = What::Map(with_merged(entries, merged.unwrap_or_default()));
        self.tree(spot, what)
    }

    /// Anything, behind a key or the sign of an item.
    fn block(&mut self, indent: usize, depth: u64, may_be_left_out: bool) -> Tree {
        let kind = self.rng.below(if depth == 0 { 5 } else { 8 });
        if kind == 0 && may_be_left_out {
            let tree = self.left_out();
            self.comment();
            return tree;
        }
        self.put(" ");
        if kind < 5 {
            let tree = self.flow(depth);
            self.comment();
            return tree;
        }
        let (name, tag) = self.properties(kind < 7);
        self.comment();
        let mut tree = match kind {
            5 | 6 => self.block_map(indent + 2, depth - 1),
            _ => self.block_list(indent + 1, depth - 1),
        };
        tree.tag = tag;
        self.named(name, tree)
    }

    fn block_list(&mut self, indent: usize, depth: u64) -> Tree {
        let spot = self.here().map(|(line, _)| (line, Some(indent + 1)));
        let items = 1 + self.rng.below(2);
        let list = (0..items).map(|_| {
            self.put(&format!("{}-", " ".repeat(indent)));
            self.block(indent, depth, false)
        });
        let list = What::List(list.collect());
        self.tree(spot, list)
    }
}

/// Keys that are given beat those that are merged, and of these the earlier the later.
fn with_merged(mut entries: Vec<(Key, Tree)>, maps: Vec<Tree>) -> Vec<(Key, Tree)> {
    let more = maps.iter().flat_map(|map| map.entries().unwrap());
    for (key, value) in more {
        if !entries.iter().any(|(known, _)| known == key) {
            entries.push((key.clone(), value.clone()));
        }
    }
    entries
}
