//! What changed between two documents, field by field, with secrets masked.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::document::Document;
use super::lens::Lens;
use super::report::OneLine;

/// Longer values are cut.
const MAX_VALUE: usize = 120;

/// A log line names at most so many paths.
const MAX_PATHS: usize = 8;

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

    /// Every field that was added, removed or changed, in order of their paths. Empty
    /// if the format has no way to tell.
    #[must_use]
    pub fn differences(&self) -> Vec<Difference> {
        let mut fields: BTreeMap<String, (Option<String>, Option<String>)> = BTreeMap::new();
        for leaf in self.old_lens.leaves(&self.old) {
            fields.entry(leaf.path).or_default().0 = Some(leaf.text);
        }
        for leaf in self.new_lens.leaves(&self.new) {
            fields.entry(leaf.path).or_default().1 = Some(leaf.text);
        }
        let differs = |(_, (old, new)): &(String, (Option<String>, Option<String>))| old != new;
        let shown = |(path, (old, new)): (String, (Option<String>, Option<String>))| {
            let hidden = self.old_lens.hides(&path) || self.new_lens.hides(&path);
            let show = |text: String| if hidden { MASKED.into() } else { cut(text) };
            Difference {
                path,
                old: old.map(show),
                new: new.map(show),
            }
        };
        fields.into_iter().filter(differs).map(shown).collect()
    }

    /// The paths of those fields, for one line: at most eight, and how many more.
    pub(crate) fn paths(&self) -> impl fmt::Display {
        Paths(self.differences())
    }
}

fn cut(mut text: String) -> String {
    if text.len() > MAX_VALUE {
        let mut end = MAX_VALUE;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push('…');
    }
    text
}

struct Paths(Vec<Difference>);

impl fmt::Display for Paths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, difference) in self.0.iter().take(MAX_PATHS).enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            write!(f, "{comma}{}", OneLine(&difference.path))?;
        }
        let more = self.0.len().saturating_sub(MAX_PATHS);
        if more > 0 {
            write!(f, " and {more} more")?;
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
