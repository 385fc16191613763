//! What a format learned of a document besides its value.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use super::lens::{Inspect, Lens};
use super::masks::Masks;
use super::report::{Problem, Report};

/// What to do with a key that no field takes.
///
/// Where `serde` reads a part whole before it looks into it (flattened structs, enums
/// that are untagged or tagged inside), every key is taken, and none is unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnknownKeys {
    /// Reject the document.
    Reject,
    /// Say so, in the log and in the status, and go on.
    #[default]
    Warn,
    /// Say nothing.
    Allow,
}

/// Where a format writes what is worth knowing of a document that it can parse, or
/// of the part that it could. What follows from it is the engine's.
#[derive(Default)]
pub struct Notes {
    pub(crate) unknown_keys: Vec<Problem>,
    /// What the format keeps to look into the document later.
    pub(crate) tree: Option<Arc<dyn Inspect>>,
    /// What the application wants to be hidden.
    pub(crate) masks: Arc<Masks>,
}

/// Nobody reads more, and a hostile document must not make a long list.
pub(crate) const MAX_UNKNOWN_KEYS: usize = 64;

impl Notes {
    /// Returns notes without an entry, for tests of formats.
    #[must_use]
    pub fn new() -> Self {
        Notes::default()
    }

    pub(crate) fn masked_by(masks: &Arc<Masks>) -> Self {
        Notes {
            unknown_keys: Vec::new(),
            tree: None,
            masks: masks.clone(),
        }
    }

    /// Notes a key that no field takes, as a problem at its path. See
    /// [`UnknownKeys`] for what follows from it. No more than 64 are kept.
    pub fn unknown_key(&mut self, problem: Problem) {
        if self.unknown_keys.len() < MAX_UNKNOWN_KEYS {
            self.unknown_keys.push(problem);
        }
    }

    /// Moves the unknown keys to where the other problems are reported.
    pub(crate) fn tell_unknown_keys(&mut self, report: &mut Report) {
        self.unknown_keys.drain(..).for_each(|key| report.push(key));
    }

    /// Takes the notes out that a snapshot keeps.
    pub(crate) fn lens(&mut self) -> Lens {
        Lens {
            tree: self.tree.take(),
            masks: self.masks.clone(),
        }
    }
}

impl fmt::Debug for Notes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notes")
            .field("unknown_keys", &self.unknown_keys)
            .finish_non_exhaustive()
    }
}
