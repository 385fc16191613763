//! What changed between two documents, field by field, with secrets masked.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::document::Document;
use super::lens::{Leaf, Lens};
use super::report::{OneLine, cut};

/// Longer values are cut.
const MAX_VALUE: usize = 120;

/// A log line names at most so many paths, and so much of each.
const MAX_PATHS: usize = 8;
const MAX_PATH: usize = 120;

const MASKED: &str = "[redacted]";

/// The difference between two documents. It is computed when it is asked for: both
/// are parsed anew then.
///
/// It prints as one line for each field that differs. `Debug` prints nothing of
/// either.
#[derive(Clone)]
pub struct Diff {
    old: Document,
    new: Document,
    old_lens: Lens,
    new_lens: Lens,
}

/// One field that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Difference {
    /// The field's path.
    pub path: String,
    /// What it was: as people would write it, or `[redacted]`. `None` if it was not
    /// there.
    pub old: Option<String>,
    /// What it is now; `None` if it is not there any more.
    pub new: Option<String>,
}

impl Diff {
    pub(crate) fn new(old: (&Document, &Lens), new: (&Document, &Lens)) -> Self {
        Diff {
            old: old.0.clone(),
            new: new.0.clone(),
            old_lens: old.1.clone(),
            new_lens: new.1.clone(),
        }
    }

    /// Every field that was added, removed or changed, in order of their paths as text
    /// (`a[10]` before `a[2]`). Empty if the format has no way to tell. The tag of a
    /// value is a field of its own, called `path!`, and is not shown. Of documents whose paths take more
    /// than 8 MiB to write, the rest is left out.
    #[must_use]
    pub fn differences(&self) -> Vec<Difference> {
        let (old, new) = self.leaves();
        let old_hidden = self.old_lens.hidden(&old);
        let new_hidden = self.new_lens.hidden(&new);
        let mut fields: BTreeMap<String, Field> = BTreeMap::new();
        for (leaf, hidden) in old.into_iter().zip(old_hidden) {
            let field = fields.entry(leaf.path).or_default();
            field.old = Some(leaf.text);
            field.hidden |= hidden;
        }
        for (leaf, hidden) in new.into_iter().zip(new_hidden) {
            let field = fields.entry(leaf.path).or_default();
            field.new = Some(leaf.text);
            field.hidden |= hidden;
        }
        let shown = |(path, field): (String, Field)| {
            let show = |text: String| match field.hidden {
                true => MASKED.into(),
                false => cut(text, MAX_VALUE),
            };
            Difference {
                path,
                old: field.old.map(show),
                new: field.new.map(show),
            }
        };
        let differs = |(_, field): &(String, Field)| field.old != field.new;
        fields.into_iter().filter(differs).map(shown).collect()
    }

    fn leaves(&self) -> (Vec<Leaf>, Vec<Leaf>) {
        (
            self.old_lens.leaves(&self.old),
            self.new_lens.leaves(&self.new),
        )
    }

    /// The paths of those fields, for one line: at most eight, and how many more.
    pub(crate) fn paths(&self) -> impl fmt::Display {
        let (old, new) = self.leaves();
        let known = |leaves: Vec<Leaf>| -> BTreeMap<String, String> {
            leaves
                .into_iter()
                .map(|leaf| (leaf.path, leaf.text))
                .collect()
        };
        let (old, new) = (known(old), known(new));
        let changed = old
            .iter()
            .filter(|(path, text)| new.get(*path) != Some(text));
        let added = new.keys().filter(|path| !old.contains_key(*path));
        let mut paths: Vec<_> = changed.map(|(path, _)| path).chain(added).collect();
        paths.sort_unstable();
        let more = paths.len().saturating_sub(MAX_PATHS);
        let paths = paths.into_iter().take(MAX_PATHS);
        let paths = paths.map(|path| cut(path.clone(), MAX_PATH)).collect();
        Paths(paths, more)
    }
}

/// One field in both documents.
#[derive(Default)]
struct Field {
    old: Option<String>,
    new: Option<String>,
    hidden: bool,
}

struct Paths(Vec<String>, usize);

impl fmt::Display for Paths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, path) in self.0.iter().enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            write!(f, "{comma}{}", OneLine(path))?;
        }
        if self.1 > 0 {
            write!(f, " and {} more", self.1)?;
        }
        Ok(())
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = OneLine(&self.path);
        match (&self.old, &self.new) {
            (None, Some(new)) => write!(f, "+ {path}: {}", OneLine(new)),
            (Some(old), None) => write!(f, "- {path}: {}", OneLine(old)),
            (old, new) => {
                let text = |side: &Option<String>| side.clone().unwrap_or_default();
                let (old, new) = (text(old), text(new));
                write!(f, "~ {path}: {} -> {}", OneLine(&old), OneLine(&new))
            }
        }
    }
}

impl fmt::Display for Diff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, difference) in self.differences().iter().enumerate() {
            let end = if index > 0 { "\n" } else { "" };
            write!(f, "{end}{difference}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Diff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Diff").finish_non_exhaustive()
    }
}

/// Two are equal if they are of the same documents.
impl PartialEq for Diff {
    fn eq(&self, other: &Self) -> bool {
        self.old == other.old && self.new == other.new
    }
}

impl Eq for Diff {}
