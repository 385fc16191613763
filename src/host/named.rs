//! The list of files that a configuration names, while the application makes it.

use super::std::collections::BTreeSet;
use super::std::path::Path;
use super::std::prelude::rust_2024::*;
use super::std::sync::Arc;
use crate::engine::MAX_NAMES;

/// The files that a configuration names; see [`Builder::also_watch`](crate::Builder::also_watch).
#[derive(Debug, Default)]
pub struct NamedFiles {
    /// In order, so that a map without one names the same files each time.
    pub(super) names: BTreeSet<Arc<str>>,
}

impl NamedFiles {
    /// Adds a file. One that was added before is no other. A path that is not UTF-8 names
    /// no file.
    pub fn add(&mut self, path: impl AsRef<Path>) {
        // One more than may be tells that there are too many.
        if self.names.len() <= MAX_NAMES {
            let name = path.as_ref().to_string_lossy();
            self.names.insert(name.into());
        }
    }
}
