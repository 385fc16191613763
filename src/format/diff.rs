//! What differs between two trees, field by field, and which values of it may be shown.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::mask::REDACTED;
use super::tree::{Id, Kind, Tree, pairs};
use crate::engine::path::{PathDisplay, Segment};
use crate::engine::{Covered, Masks, cut};
use crate::report::Difference;

/// Longer values are cut.
const MAX_VALUE: usize = 120;

/// Every field has the whole path to it, which may be long for many of them.
const MAX_PATHS: usize = 8 * 1024 * 1024;

/// Shorter texts are too common to give a secret away where they stand elsewhere.
const MIN_SECRET: usize = 4;

/// Two trees, or a node of each, the older first.
type Both<T> = [T; 2];

/// Returns every difference, with the values that may be shown.
pub(super) fn differences(trees: Both<&Tree>, masks: &Masks) -> Vec<Difference> {
    let mut secrets = BTreeSet::new();
    for tree in trees {
        if let Some(root) = tree.root {
            collect_secrets(tree, root, &masks.start(), false, &mut secrets);
        }
    }
    let mut differences = Vec::new();
    let mut room = Some(MAX_PATHS);
    walk(trees, |found| {
        let Some(left) = room else {
            return;
        };
        let path = found.written();
        room = left.checked_sub(path.len());
        let text = |side: usize| trees[side].scalar(found.ids[side]?);
        let is_secret = |side| text(side).is_some_and(|text| secrets.contains(text));
        // A tag may be text that somebody forgot to put in quotes.
        let hidden = found.is_tag
            || found.path.iter().any(|step| step.is_hidden(trees))
            || masks.cover(&found.segments())
            || is_secret(0)
            || is_secret(1);
        let value = |side: usize| {
            let id = found.ids[side].filter(|id| {
                // Of a tag, nothing else is there.
                !found.is_tag || trees[side].variant(*id).is_some()
            })?;
            Some(match hidden {
                true => REDACTED.into(),
                false => cut(shown(trees[side], id), MAX_VALUE),
            })
        };
        let (old, new) = (value(0), value(1));
        differences.push(Difference { path, old, new });
    });
    differences
}

/// Returns the paths of the first differences, no more than `most`, and how many more
/// there are.
pub(super) fn changed_paths(trees: Both<&Tree>, most: usize) -> (Vec<String>, usize) {
    let (mut paths, mut more) = (Vec::new(), 0);
    walk(trees, |found| match paths.len() < most {
        true => paths.push(found.written()),
        false => more += 1,
    });
    (paths, more)
}

/// A field that differs.
struct Found<'w, 'a> {
    path: &'w [Step<'a>],
    /// What it is in each tree.
    ids: Both<Option<Id>>,
    /// It is the tag that differs.
    is_tag: bool,
}

impl Found<'_, '_> {
    fn segments(&self) -> Vec<Segment> {
        // The first step leads to the root.
        self.path[1..].iter().map(Step::segment).collect()
    }

    fn written(&self) -> String {
        let sign = if self.is_tag { "!" } else { "" };
        format!("{}{sign}", PathDisplay(&self.segments()))
    }
}

/// One step of a path, and where it leads in each tree.
struct Step<'a> {
    kind: StepKind<'a>,
    ids: Both<Option<Id>>,
}

enum StepKind<'a> {
    Root,
    Key(&'a Tree, Id),
    Index(usize),
}

impl Step<'_> {
    fn segment(&self) -> Segment {
        match self.kind {
            StepKind::Root => Segment::Index(0),
            StepKind::Key(tree, key) => tree.segment(key),
            StepKind::Index(index) => Segment::Index(index),
        }
    }

    fn is_hidden(&self, trees: Both<&Tree>) -> bool {
        let by_key = match self.kind {
            StepKind::Key(tree, key) => tree.hidden.has_under(tree, key),
            _ => false,
        };
        let node = |side: usize| {
            let tree = trees[side];
            self.ids[side].is_some_and(|id| tree.hidden.has(tree, id))
        };
        by_key || node(0) || node(1)
    }
}

/// Calls `note` with every difference.
fn walk(trees: Both<&Tree>, note: impl FnMut(&Found<'_, '_>)) {
    let mut walk = Walk {
        trees,
        path: Vec::new(),
        note,
    };
    walk.step(StepKind::Root, trees.map(|tree| tree.root));
}

struct Walk<'a, F> {
    trees: Both<&'a Tree>,
    path: Vec<Step<'a>>,
    note: F,
}

/// What is at a place, as far as it matters here.
enum Shape<'a> {
    Absent,
    /// It holds no others.
    Leaf,
    List(&'a [Id]),
    Map(&'a [Id]),
}

impl<'a, F: FnMut(&Found<'_, '_>)> Walk<'a, F> {
    fn step(&mut self, kind: StepKind<'a>, ids: Both<Option<Id>>) {
        self.path.push(Step { kind, ids });
        let tags = [0, 1].map(|side| self.trees[side].variant(ids[side]?));
        if tags[0] != tags[1] {
            self.note(ids, true);
        }
        match [0, 1].map(|side| self.shape(side, ids[side])) {
            [Shape::Map(old), Shape::Map(new)] => self.maps(old, new),
            [Shape::List(old), Shape::List(new)] => self.lists(old, new),
            [Shape::Absent | Shape::Leaf, Shape::Absent | Shape::Leaf] => {
                let same = match ids {
                    [Some(old), Some(new)] => same(self.trees, old, new),
                    ids => ids == [None, None],
                };
                if !same {
                    self.note(ids, false);
                }
            }
            [old, new] => {
                match old {
                    Shape::Map(old) => self.maps(old, &[]),
                    Shape::List(old) => self.lists(old, &[]),
                    _ if ids[0].is_some() => self.note([ids[0], None], false),
                    _ => {}
                }
                match new {
                    Shape::Map(new) => self.maps(&[], new),
                    Shape::List(new) => self.lists(&[], new),
                    _ if ids[1].is_some() => self.note([None, ids[1]], false),
                    _ => {}
                }
            }
        }
        self.path.pop();
    }

    fn shape(&self, side: usize, id: Option<Id>) -> Shape<'a> {
        let tree = self.trees[side];
        match id.map(|id| tree.node(id).kind) {
            None => Shape::Absent,
            Some(Kind::List(items)) if !items.is_empty() => Shape::List(tree.children(items)),
            Some(Kind::Map(entries)) if !entries.is_empty() => Shape::Map(tree.children(entries)),
            Some(_) => Shape::Leaf,
        }
    }

    fn lists(&mut self, old: &'a [Id], new: &'a [Id]) {
        for index in 0..old.len().max(new.len()) {
            let ids = [old, new].map(|items| items.get(index).copied());
            self.step(StepKind::Index(index), ids);
        }
    }

    fn maps(&mut self, old: &'a [Id], new: &'a [Id]) {
        let [old_tree, new_tree] = self.trees;
        // Most keys stand where they stood. Others are looked up.
        let mut places = None;
        let mut matched = vec![false; old.len() / 2];
        for (index, (key, value)) in pairs(new).enumerate() {
            let name = new_tree.key(key);
            let here = old
                .get(2 * index)
                .is_some_and(|key| old_tree.key(*key) == name);
            let place = match here {
                true => Some(index),
                false => places
                    .get_or_insert_with(|| -> BTreeMap<_, _> {
                        let keys = pairs(old).enumerate();
                        keys.map(|(at, (key, _))| (old_tree.key(key), at)).collect()
                    })
                    .get(&name)
                    .copied(),
            };
            let before = place.map(|place| {
                matched[place] = true;
                old[2 * place + 1]
            });
            self.step(StepKind::Key(new_tree, key), [before, Some(value)]);
        }
        for (index, (key, value)) in pairs(old).enumerate() {
            if !matched[index] {
                self.step(StepKind::Key(old_tree, key), [Some(value), None]);
            }
        }
    }

    fn note(&mut self, ids: Both<Option<Id>>, is_tag: bool) {
        let path = &self.path;
        (self.note)(&Found { path, ids, is_tag });
    }
}

/// Returns whether two leaves say the same.
fn same(trees: Both<&Tree>, old: Id, new: Id) -> bool {
    let [old_tree, new_tree] = trees;
    match (old_tree.scalar(old), new_tree.scalar(new)) {
        (Some(a), Some(b)) => {
            let strings = [old_tree.is_string(old), new_tree.is_string(new)];
            let nulls = [is_nothing(old_tree, old), is_nothing(new_tree, new)];
            strings[0] == strings[1] && (a == b || nulls == [true, true])
        }
        (None, None) => {
            let is_map = |tree: &Tree, id| matches!(tree.node(id).kind, Kind::Map(_));
            is_map(old_tree, old) == is_map(new_tree, new)
        }
        _ => false,
    }
}

fn is_nothing(tree: &Tree, id: Id) -> bool {
    tree.is_null(id) || tree.is_left_out(id)
}

/// Returns a leaf as people would write it.
fn shown(tree: &Tree, id: Id) -> String {
    match tree.node(id).kind {
        Kind::List(_) => "[]".into(),
        Kind::Map(_) => "{}".into(),
        Kind::Scalar(..) if is_nothing(tree, id) => "null".into(),
        Kind::Scalar(text, _) => match tree.is_string(id) {
            true => format!("{:?}", tree.text(text)),
            false => tree.text(text).into(),
        },
    }
}

/// Collects the texts that must not be shown anywhere.
pub(super) fn collect_secrets<'a>(
    tree: &'a Tree,
    id: Id,
    covered: &Covered<'_>,
    hidden: bool,
    secrets: &mut BTreeSet<&'a str>,
) {
    let hidden = hidden || tree.hidden.has(tree, id) || covered.is_masked;
    let mut inside = |segment, id, hidden| {
        collect_secrets(tree, id, &covered.then(&segment), hidden, secrets);
    };
    match tree.node(id).kind {
        Kind::Scalar(text, _) => {
            let text = tree.text(text);
            if hidden && text.chars().count() >= MIN_SECRET {
                secrets.insert(text);
            }
        }
        Kind::List(items) => {
            for (index, item) in tree.children(items).iter().enumerate() {
                inside(Segment::Index(index), *item, hidden);
            }
        }
        Kind::Map(entries) => {
            for (key, value) in tree.entries(entries) {
                let hidden = hidden || tree.hidden.has_under(tree, key);
                inside(tree.segment(key), value, hidden);
            }
        }
    }
}
