//! One reading of a type from a tree: what all of its parts share, the way to a node,
//! and what is noted on it. How a node is read is in `de.rs`.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::cell::RefCell;

use serde::de::DeserializeOwned;

use super::de::De;
use super::error::Error;
use super::mask::Hidden;
use super::tree::{At, Id, Tree};
use super::words::{cut_key, unknown_key};
use crate::engine::path::{PathDisplay, Segment};
use crate::engine::{MAX_UNKNOWN_KEYS, Masks};

/// What is worth knowing besides the value.
#[derive(Debug, Default)]
pub(super) struct Noted {
    pub(super) unknown: Vec<UnknownKey>,
    pub(super) hidden: Hidden,
    /// What was read as a list and is none in the tree, with its items.
    pub(super) lists: BTreeMap<Id, Vec<Id>>,
}

/// A key that no field takes.
#[derive(Clone, Debug)]
pub(super) struct UnknownKey {
    pub(super) path: String,
    pub(super) at: At,
    pub(super) message: String,
}

/// What all parts of one reading share.
pub(super) struct Reader<'a> {
    pub(super) tree: &'a Tree,
    pub(super) masks: &'a Masks,
    pub(super) noted: RefCell<Noted>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(tree: &'a Tree, masks: &'a Masks) -> Self {
        Reader {
            tree,
            masks,
            noted: RefCell::default(),
        }
    }

    /// Reads a type from a node.
    pub(super) fn read<T: DeserializeOwned>(&self, id: Id) -> Result<T, Error> {
        let de = De::of_the_root(self, id);
        de.note_type::<T>();
        de.placing::<T>(T::deserialize(de))
    }

    /// Notes that no field takes the key that leads to a node.
    pub(super) fn note_unknown(&self, trail: &Trail<'_>, key: Id, known: &'static [&'static str]) {
        // All of them are hidden, also those that nobody reads of.
        self.noted.borrow_mut().hidden.add_unknown_key(key);
        let full = self.noted.borrow().unknown.len() >= MAX_UNKNOWN_KEYS;
        let Some(name) = self.tree.scalar(key).filter(|_| !full) else {
            return;
        };
        let mut path = trail.segments(self);
        path.pop();
        path.push(Segment::Key(cut_key(name)));
        let message = unknown_key(name, known).unwrap_or_else(|| "unknown key".into());
        self.noted.borrow_mut().unknown.push(UnknownKey {
            path: PathDisplay(&path).to_string(),
            at: self.tree.node(key).at,
            message,
        });
    }

    pub(super) fn into_noted(self) -> Noted {
        self.noted.into_inner()
    }
}

/// A node, and the way to it.
#[derive(Clone, Copy)]
pub(super) struct Trail<'a> {
    pub(super) above: Option<&'a Trail<'a>>,
    pub(super) step: Step,
    pub(super) id: Id,
}

#[derive(Clone, Copy)]
pub(super) enum Step {
    /// Nothing leads there, or nothing that is part of a path.
    Root,
    Key(Id),
    Index(usize),
}

impl Trail<'_> {
    pub(super) fn segments(&self, reader: &Reader<'_>) -> Vec<Segment> {
        let mut segments = self
            .above
            .map_or(Vec::new(), |above| above.segments(reader));
        match self.step {
            Step::Root => {}
            Step::Key(key) => {
                let hidden = &reader.noted.borrow().hidden;
                segments.push(Segment::Key(hidden.segment(reader.tree, key)));
            }
            Step::Index(index) => segments.push(Segment::Index(index)),
        }
        segments
    }

    /// Returns whether what is here must not be shown.
    pub(super) fn is_secret(&self, reader: &Reader<'_>) -> bool {
        let (tree, hidden) = (reader.tree, &reader.noted.borrow().hidden);
        let by_key = || match self.step {
            Step::Key(key) => hidden.has_under(tree, key),
            _ => false,
        };
        hidden.has(tree, self.id)
            || by_key()
            || self.above.is_some_and(|above| above.is_secret(reader))
    }
}
