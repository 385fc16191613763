//! The list of files that a configuration names, while the application makes it.

use super::std::path::Path;
use super::std::prelude::rust_2024::*;
use super::std::sync::Arc;

/// The files that a configuration names; see [`Builder::also_watch`](crate::Builder::also_watch).
#[derive(Debug, Default)]
pub struct NamedFiles {
    /// In order of their first naming, each once.
    pub(super) names: Vec<Arc<str>>,
}

impl NamedFiles {
    /// Adds a file. One that was added before is no other.
    pub fn add(&mut self, path: impl AsRef<Path>) {
        let name = path.as_ref().to_string_lossy();
        if !self.names.iter().any(|known| **known == *name) {
            self.names.push(name.into());
        }
    }
}
