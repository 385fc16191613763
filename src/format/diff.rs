//! What differs between two trees, field by field, and which values of it may be shown.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::mask::{REDACTED, has_user_information, is_secret_name};
use super::tree::{Id, Kind, Tag, Tree, pairs};
use crate::engine::path::{PathDisplay, Segment};
use crate::engine::{Difference, Masks, cut};

/// Longer values are cut.
const MAX_VALUE: usize = 120;

/// Every field has the whole path to it, which may be long for many of them.
const MAX_PATHS: usize = 8 * 1024 * 1024;

/// Shorter texts are too common to give a secret away where they stand elsewhere.
const MIN_SECRET: usize = 4;

/// Two trees, the older first.
type Both<'a> = [&'a Tree; 2];

/// Returns every difference, with the values that may be shown.
pub(super) fn differences(trees: Both<'_>, masks: &Masks) -> Vec<Difference> {
    let mut secrets = BTreeSet::new();
    for (tree, root) in trees.iter().filter_map(|tree| Some((tree, tree.root?))) {
        collect_secrets(tree, root, masks, &mut Vec::new(), false, &mut secrets);
    }
    let show = |found: Found| {
        let text = |side: usize| {
            let id = found.ids[side]?;
            Some(match found.is_tag {
                true => trees[side].variant(id)?.to_string(),
                false => shown(trees[side], id),
            })
        };
        let is_secret = |side: usize| {
            let text = found.ids[side].and_then(|id| trees[side].scalar(id));
            text.is_some_and(|text| secrets.contains(text))
        };
        // A tag may be text that somebody forgot to put in quotes.
        let hidden = found.is_tag
            || found.hidden
            || masks.cover(&found.path)
            || is_secret(0)
            || is_secret(1);
        let value = |side| {
            let shown = |text| {
                if hidden {
                    REDACTED.into()
                } else {
                    cut(text, MAX_VALUE)
                }
            };
            text(side).map(shown)
        };
        let (old, new) = (value(0), value(1));
        let path = found.written;
        Difference { path, old, new }
    };
    Walk::over(trees).into_iter().map(show).collect()
}

/// Returns the path of every difference.
pub(super) fn changed_paths(trees: Both<'_>) -> Vec<String> {
    let found = Walk::over(trees).into_iter();
    found.map(|found| found.written).collect()
}

/// A field that differs.
struct Found {
    path: Vec<Segment>,
    written: String,
    /// What it is in each tree.
    ids: [Option<Id>; 2],
    /// It is the tag that differs.
    is_tag: bool,
    /// Its value must not be shown.
    hidden: bool,
}

struct Walk<'a> {
    trees: Both<'a>,
    path: Vec<Step<'a>>,
    found: Vec<Found>,
    room: usize,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Key(&'a Tree, Id),
    Index(usize),
}

impl<'a> Walk<'a> {
    fn over(trees: Both<'a>) -> Vec<Found> {
        let mut walk = Walk {
            trees,
            path: Vec::new(),
            found: Vec::new(),
            room: MAX_PATHS,
        };
        walk.compare(trees.map(|tree| tree.root), false);
        walk.found
    }

    fn compare(&mut self, ids: [Option<Id>; 2], hidden: bool) {
        let hidden = hidden || [0, 1].iter().any(|side| self.is_hidden(*side, ids[*side]));
        let tags = [0, 1].map(|side| self.trees[side].variant(ids[side]?));
        if tags[0] != tags[1] {
            self.note(ids, true, hidden);
        }
        let kinds = [0, 1].map(|side| Some(self.trees[side].node(ids[side]?).kind));
        match kinds {
            [Some(Kind::Map(old)), Some(Kind::Map(new))] if !old.is_empty() && !new.is_empty() => {
                let children = |side: usize, span| self.trees[side].children(span);
                self.compare_maps(children(0, old), children(1, new), hidden);
            }
            [Some(Kind::List(old)), Some(Kind::List(new))]
                if !old.is_empty() && !new.is_empty() =>
            {
                let items =
                    [(0, old), (1, new)].map(|(side, span)| self.trees[side].children(span));
                for index in 0..items[0].len().max(items[1].len()) {
                    let ids = items.map(|items| items.get(index).copied());
                    self.step(Step::Index(index), ids, hidden);
                }
            }
            _ => self.compare_leaves(ids, hidden),
        }
    }

    /// Compares where at least one side holds no others.
    fn compare_leaves(&mut self, ids: [Option<Id>; 2], hidden: bool) {
        let is_leaf = |side: usize| ids[side].is_none_or(|id| is_leaf(self.trees[side], id));
        match [is_leaf(0), is_leaf(1)] {
            [true, true] => {
                let same = match ids {
                    [Some(old), Some(new)] => same(self.trees, old, new),
                    ids => ids == [None, None],
                };
                if !same {
                    self.note(ids, false, hidden);
                }
            }
            [old_is_leaf, _] => {
                // One after the other, so that each finds nothing on the other side.
                for side in [0, 1] {
                    let mut alone = [None, None];
                    alone[side] = ids[side];
                    match (side == 0) == old_is_leaf {
                        true if alone[side].is_some() => self.note(alone, false, hidden),
                        true => {}
                        false => self.all_of(side, ids[side], hidden),
                    }
                }
            }
        }
    }

    /// Notes every leaf of one side.
    fn all_of(&mut self, side: usize, id: Option<Id>, hidden: bool) {
        let tree = self.trees[side];
        let Some(id) = id else {
            return;
        };
        let alone = |id| {
            let mut ids = [None, None];
            ids[side] = Some(id);
            ids
        };
        match tree.node(id).kind {
            Kind::Map(entries) if !entries.is_empty() => {
                for (key, value) in pairs(tree.children(entries)) {
                    self.step(Step::Key(tree, key), alone(value), hidden);
                }
            }
            Kind::List(items) if !items.is_empty() => {
                for (index, item) in tree.children(items).iter().enumerate() {
                    self.step(Step::Index(index), alone(*item), hidden);
                }
            }
            _ => self.note(alone(id), false, hidden),
        }
    }

    fn compare_maps(&mut self, old: &'a [Id], new: &'a [Id], hidden: bool) {
        let [old_tree, new_tree] = self.trees;
        // Most keys stand where they stood. Others are looked up.
        let mut places = None;
        let mut matched = alloc::vec![false; old.len() / 2];
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
            self.step(Step::Key(new_tree, key), [before, Some(value)], hidden);
        }
        for (index, (key, value)) in pairs(old).enumerate() {
            if !matched[index] {
                self.step(Step::Key(old_tree, key), [Some(value), None], hidden);
            }
        }
    }

    fn step(&mut self, step: Step<'a>, ids: [Option<Id>; 2], hidden: bool) {
        let by_name = match step {
            Step::Key(tree, key) => is_hidden_key(tree, key),
            Step::Index(_) => false,
        };
        self.path.push(step);
        match ids {
            [Some(_), Some(_)] => self.compare(ids, hidden || by_name),
            [old, new] => {
                let side = usize::from(old.is_none());
                let hidden = hidden || by_name || self.is_hidden(side, ids[side]);
                let tag = ids[side].and_then(|id| self.trees[side].variant(id));
                if tag.is_some() {
                    self.note(ids, true, hidden);
                }
                self.all_of(side, old.or(new), hidden);
            }
        }
        self.path.pop();
    }

    fn is_hidden(&self, side: usize, id: Option<Id>) -> bool {
        id.is_some_and(|id| is_hidden_node(self.trees[side], id))
    }

    fn note(&mut self, ids: [Option<Id>; 2], is_tag: bool, hidden: bool) {
        let path: Vec<_> = self.path.iter().map(|step| step.segment()).collect();
        let sign = if is_tag { "!" } else { "" };
        let written = format!("{}{sign}", PathDisplay(&path));
        let Some(room) = self.room.checked_sub(written.len()) else {
            self.room = 0;
            return;
        };
        self.room = room;
        self.found.push(Found {
            path,
            written,
            ids,
            is_tag,
            hidden,
        });
    }
}

impl Step<'_> {
    fn segment(self) -> Segment {
        match self {
            Step::Key(tree, key) => tree.segment(key),
            Step::Index(index) => Segment::Index(index),
        }
    }
}

/// Returns whether a field holds no others.
fn is_leaf(tree: &Tree, id: Id) -> bool {
    match tree.node(id).kind {
        Kind::Scalar(..) => true,
        Kind::List(ids) | Kind::Map(ids) => ids.is_empty(),
    }
}

/// Returns whether two leaves say the same.
fn same(trees: Both<'_>, old: Id, new: Id) -> bool {
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

fn is_hidden_node(tree: &Tree, id: Id) -> bool {
    let node = tree.node(id);
    let in_secret_layer = tree.secret_layers.get(node.at.layer as usize) == Some(&true);
    in_secret_layer
        || tree.hidden.contains(&id)
        || node.tag != Tag::None && matches!(node.tag, Tag::Own(_)) && tree.scalar(id).is_some()
        || tree.scalar(id).is_some_and(has_user_information)
}

/// Returns whether a key hides what it leads to: by its name, or because no field takes
/// it, so that it may be a misspelt secret.
fn is_hidden_key(tree: &Tree, key: Id) -> bool {
    tree.unknown.contains(&key) || tree.scalar(key).is_none_or(is_secret_name)
}

/// Collects the texts that must not be shown anywhere.
fn collect_secrets<'a>(
    tree: &'a Tree,
    id: Id,
    masks: &Masks,
    path: &mut Vec<Segment>,
    hidden: bool,
    secrets: &mut BTreeSet<&'a str>,
) {
    let hidden = hidden || is_hidden_node(tree, id) || masks.cover(path);
    let mut inside = |step: Step<'_>, id, hidden| {
        path.push(step.segment());
        collect_secrets(tree, id, masks, path, hidden, secrets);
        path.pop();
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
                inside(Step::Index(index), *item, hidden);
            }
        }
        Kind::Map(entries) => {
            for (key, value) in tree.entries(entries) {
                let by_name = is_hidden_key(tree, key);
                inside(Step::Key(tree, key), value, hidden || by_name);
            }
        }
    }
}
