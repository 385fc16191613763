//! What a format learned of a document besides its value.

use alloc::string::String;
use alloc::vec::Vec;

use super::report::{Report, Violation};

/// What to do with a key that no field takes.
///
/// Where `serde` reads a part whole before it looks into it (flattened structs, enums
/// that are untagged or tagged inside), every key is taken, and none is unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnknownKeys {
    /// Refuse the document.
    Reject,
    /// Say so, in the log and in the status, and go on.
    #[default]
    Warn,
    /// Say nothing.
    Allow,
}

/// Where a format writes what is worth knowing of a document that it can parse, or
/// of the part that it could. What follows from it is the engine's.
#[derive(Debug, Default)]
pub struct Notes {
    pub(crate) unknown_keys: Vec<Violation>,
    pub(crate) secrets: Vec<String>,
    pub(crate) some_secrets_have_no_path: bool,
}

/// Nobody reads more, and a hostile document must not make a long list.
const MAX_UNKNOWN_KEYS: usize = 64;

impl Notes {
    /// Nothing noted.
    #[must_use]
    pub const fn new() -> Self {
        Notes {
            unknown_keys: Vec::new(),
            secrets: Vec::new(),
            some_secrets_have_no_path: false,
        }
    }

    /// A key that no field takes, as a violation at its path. See [`UnknownKeys`]
    /// for what becomes of it.
    pub fn unknown_key(&mut self, violation: Violation) {
        if self.unknown_keys.len() < MAX_UNKNOWN_KEYS {
            self.unknown_keys.push(violation);
        }
    }

    /// Moves the unknown keys to where what is wrong is told.
    pub(crate) fn tell_unknown_keys(&mut self, report: &mut Report) {
        self.unknown_keys.drain(..).for_each(|key| report.push(key));
    }

    /// The field at `path` is a secret, whatever it is called.
    pub fn secret(&mut self, path: impl Into<String>) {
        self.secrets.push(path.into());
    }

    /// There are secrets in the value, and it cannot be told where: no value of this
    /// document is ever shown.
    pub fn secrets_without_a_path(&mut self) {
        self.some_secrets_have_no_path = true;
    }
}
