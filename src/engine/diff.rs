//! What changed between two documents, field by field, with secrets masked. How two
//! documents are compared is the format's.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::lens::Lens;
use super::report::{OneLine, cut};

/// A log line names at most so many paths, and so much of each.
const MAX_PATHS: usize = 8;
const MAX_PATH: usize = 120;

const NOT_COMPARABLE: &str = "not comparable";

/// The difference between two documents. It is worked out when it is asked for, from
/// what was kept when they were read: nothing is parsed.
///
/// It prints as one line for each field that differs, or as `not comparable`. `Debug`
/// prints nothing of either.
#[derive(Clone)]
pub struct Diff {
    old: Lens,
    new: Lens,
}

/// One field that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Difference {
    /// The field's path; empty if the whole document is one value.
    pub path: String,
    /// What it was, as people would write it, or `[redacted]`. `None` if it was not
    /// there.
    pub old: Option<String>,
    /// What it is now; `None` if it is not there any more.
    pub new: Option<String>,
}

impl Diff {
    pub(crate) fn new(old: &Lens, new: &Lens) -> Self {
        Diff {
            old: old.clone(),
            new: new.clone(),
        }
    }

    /// Returns every field that was added, removed or changed, in order of their paths
    /// as text (`a[10]` before `a[2]`).
    ///
    /// `None` if the two cannot be compared: they were read by a format of your own, or
    /// one of them did not come from a document.
    ///
    /// The tag of a value is a field of its own, called `path!`, and its text is not
    /// shown. Where all paths together take more than 8 MiB, the rest is left out.
    #[must_use]
    pub fn differences(&self) -> Option<Vec<Difference>> {
        let (old, new) = (self.old.tree.as_ref()?, self.new.tree.as_ref()?);
        let mut differences = new.differences(&**old, &self.new.masks)?;
        differences.sort_by(|a, b| a.path.cmp(&b.path));
        Some(differences)
    }

    /// Returns the paths of those fields, for one line: at most eight, and how many
    /// more there are. `None` if nothing differs, or if the format keeps no fields.
    pub(crate) fn paths(&self) -> Option<impl fmt::Display> {
        let paths = match (&self.old.tree, &self.new.tree) {
            (None, None) => return None,
            (Some(old), Some(new)) => new.changed_paths(&**old, MAX_PATHS),
            _ => None,
        };
        let Some((mut paths, more)) = paths else {
            return Some(Paths(None));
        };
        paths.sort_unstable();
        let shown: Vec<_> = paths.into_iter().map(|path| cut(path, MAX_PATH)).collect();
        (!shown.is_empty()).then_some(Paths(Some((shown, more))))
    }
}

/// The paths to print, and how many more there are. `None`: not comparable.
struct Paths(Option<(Vec<String>, usize)>);

impl fmt::Display for Paths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((paths, more)) = &self.0 else {
            return f.write_str(NOT_COMPARABLE);
        };
        for (index, path) in paths.iter().enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            write!(f, "{comma}{}", OneLine(named(path)))?;
        }
        if *more > 0 {
            write!(f, " and {more} more")?;
        }
        Ok(())
    }
}

/// The root has no path, but a line needs a word for it.
fn named(path: &str) -> &str {
    if path.is_empty() {
        "the whole document"
    } else {
        path
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = OneLine(named(&self.path));
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
        let Some(differences) = self.differences() else {
            return f.write_str(NOT_COMPARABLE);
        };
        for (index, difference) in differences.iter().enumerate() {
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

/// Two are equal if they are of the same readings of the same documents.
impl PartialEq for Diff {
    fn eq(&self, other: &Self) -> bool {
        self.old.is(&other.old) && self.new.is(&other.new)
    }
}

impl Eq for Diff {}
