//! What a format keeps of a document that it read, so that the engine can say later
//! where a field stands and what changed. The tree itself is in `format/`.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::Any;
use core::fmt;
use core::panic::{RefUnwindSafe, UnwindSafe};

use super::diff::Difference;
use super::document::Document;
use super::masks::Masks;
use super::report::Place;

/// A document that was read.
#[cfg_attr(not(feature = "reading"), allow(dead_code, reason = "formats call it"))]
pub(crate) trait Inspect: Send + Sync + UnwindSafe + RefUnwindSafe {
    /// Returns where the field at `path` stands, or the nearest field around it.
    /// `None` if `path` is no path. `document` is the one that was read.
    fn locate(&self, document: &Document, path: &str) -> Option<Located>;

    /// Returns every field that differs from the older document, with the values that
    /// may be shown. `None` if the two cannot be compared.
    fn differences(&self, old: &dyn Inspect, masks: &Masks) -> Option<Vec<Difference>>;

    /// Returns the paths of the first of these fields, no more than `most`, and how
    /// many more there are.
    fn changed_paths(&self, old: &dyn Inspect, most: usize) -> Option<(Vec<String>, usize)>;

    /// Writes the document as YAML, with the origin of every line.
    fn write_effective(
        &self,
        document: &Document,
        masks: &Masks,
        out: &mut dyn fmt::Write,
    ) -> fmt::Result;

    fn as_any(&self) -> &dyn Any;
}

/// Where a field is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Located {
    /// The source that supplied it, with line and column where it has them.
    pub(crate) place: Place,
    /// Whether it is the field itself. Otherwise there is no such field, and this is
    /// the nearest one around it.
    pub(crate) exact: bool,
}

/// What a snapshot keeps to look into its document.
#[derive(Clone, Default)]
pub(crate) struct Lens {
    /// `None` if the format keeps nothing.
    pub(crate) tree: Option<Arc<dyn Inspect>>,
    pub(crate) masks: Arc<Masks>,
}

impl Lens {
    pub(crate) fn locate(&self, document: &Document, path: &str) -> Option<Located> {
        self.tree.as_ref()?.locate(document, path)
    }

    /// Returns whether both are of the same reading of the same document.
    pub(crate) fn is(&self, other: &Lens) -> bool {
        match (&self.tree, &other.tree) {
            (Some(this), Some(other)) => Arc::ptr_eq(this, other),
            (None, None) => true,
            _ => false,
        }
    }
}

impl fmt::Debug for Lens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lens").finish_non_exhaustive()
    }
}
