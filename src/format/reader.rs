//! One reading of a type from a tree: what all of its parts share, the way to a node,
//! and what is noted on it. How a node is read is in `de.rs`.

use alloc::collections::BTreeSet;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::cell::RefCell;

use serde::de::DeserializeOwned;

use super::de::De;
use super::error::Error;
use super::mask::{REDACTED, is_secret_name};
use super::tree::{At, Id, Tree};
use super::words::{cut_key, unknown_key};
use crate::engine::Masks;
use crate::engine::path::{PathDisplay, Segment};

/// What is worth knowing besides the value.
#[derive(Debug, Default)]
pub(super) struct Noted {
    pub(super) unknown: Vec<UnknownKey>,
    pub(super) unknown_keys: BTreeSet<Id>,
    /// Nodes whose text must not be shown.
    pub(super) hidden: BTreeSet<Id>,
}

/// A key that no field takes.
#[derive(Clone, Debug)]
pub(super) struct UnknownKey {
    pub(super) path: String,
    pub(super) at: At,
    pub(super) message: String,
}

/// Nobody reads more.
const MAX_UNKNOWN: usize = 64;

/// What all parts of one reading share.
pub(super) struct Reader<'a> {
    pub(super) tree: &'a Tree,
    pub(super) masks: &'a Masks,
    /// Which layers hold secrets alone.
    secret_layers: &'a [bool],
    pub(super) noted: RefCell<Noted>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(tree: &'a Tree, masks: &'a Masks, secret_layers: &'a [bool]) -> Self {
        Reader {
            tree,
            masks,
            secret_layers,
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
        self.noted.borrow_mut().unknown_keys.insert(key);
        let full = self.noted.borrow().unknown.len() >= MAX_UNKNOWN;
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

    fn segment(&self, key: Id) -> Segment {
        match self.noted.borrow().hidden.contains(&key) {
            true => Segment::Key(REDACTED.into()),
            false => self.tree.segment(key),
        }
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
            Step::Key(key) => segments.push(reader.segment(key)),
            Step::Index(index) => segments.push(Segment::Index(index)),
        }
        segments
    }

    /// Returns whether what is here must not be shown.
    pub(super) fn is_secret(&self, reader: &Reader<'_>) -> bool {
        let tree = reader.tree;
        let by_name = || match self.step {
            Step::Key(key) => tree.scalar(key).is_none_or(is_secret_name),
            _ => false,
        };
        let layer = tree.node(self.id).at.layer as usize;
        reader.noted.borrow().hidden.contains(&self.id)
            || reader
                .secret_layers
                .get(layer)
                .is_some_and(|secret| *secret)
            || by_name()
            || self.above.is_some_and(|above| above.is_secret(reader))
    }
}
