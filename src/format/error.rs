//! What is wrong with a field: what was expected and what kind of thing was found,
//! never a value.
//!
//! `serde` quotes the input in its messages (`invalid type: string "sk-…"`), and a text
//! that was once mixed with a secret cannot be cleaned any more. So this error takes
//! kind and expectation before they become text. A type's own words are shown only
//! where they do not repeat the value.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use serde::de::{self, Expected, Unexpected};

use super::reader::UnknownKey;
use super::tree::{At, Id, Tree};
use super::words::{
    OUT_OF_RANGE, OneOf, in_words, invisible, items, kind_of, repeats, unknown_key,
};

/// A type's own words are not shown if they are longer.
const MAX_WORDS: usize = 256;

#[derive(Clone, Debug)]
pub(super) enum Problem {
    /// Of the wrong kind, or outside of what the kind may be.
    Mismatch {
        expected: String,
        found: &'static str,
    },
    Length {
        expected: String,
        found: usize,
    },
    /// No variant: a name that is none, or another kind of thing.
    Variant {
        names: &'static [&'static str],
        found: Option<&'static str>,
    },
    /// A variant with content, of which only the name is there.
    NameAlone(String),
    Unknown {
        key: String,
        known: &'static [&'static str],
    },
    Missing(&'static str),
    /// Of a list whose items are numbered.
    MissingItem(usize),
    Duplicate(&'static str),
    /// The type's own reason, and what its visitor expected.
    Custom {
        reason: String,
        expected: Option<String>,
    },
}

/// A problem at its place, in words.
#[derive(Clone, Debug)]
pub(super) struct Placed {
    pub(super) path: String,
    pub(super) at: At,
    pub(super) message: String,
}

#[derive(Debug)]
pub(super) struct Error(pub(super) Box<State>);

#[derive(Debug)]
pub(super) struct State {
    pub(super) problem: Problem,
    pub(super) placed: Option<Placed>,
    /// The keys that no field takes, in what could not be read. They go where the
    /// error goes: if the type's own code catches it, nobody hears of them.
    pub(super) unknown: Vec<UnknownKey>,
}

/// What is at the place of a problem.
pub(super) struct Spot<'a> {
    pub(super) tree: &'a Tree,
    pub(super) id: Id,
    pub(super) kind: &'static str,
    /// It is a key that is wrong, not what it leads to.
    pub(super) is_key: bool,
    pub(super) is_secret: bool,
    /// The name of the type that was asked for.
    pub(super) wanted: &'static str,
}

impl Problem {
    /// Returns what to tell people.
    pub(super) fn message(&self, spot: &Spot<'_>) -> String {
        match self {
            Problem::Mismatch { expected, found } => spot.mismatch(expected, found),
            Problem::Length { expected, found } => {
                let expected = spot.expected(expected);
                format!("expected {expected}, found {}", items(*found))
            }
            Problem::Variant { names, found } => {
                let found = found.map(|found| format!(", found {found}"));
                format!("expected {}{}", OneOf(names), found.unwrap_or_default())
            }
            Problem::NameAlone(_) if spot.is_secret => "expected a variant with content".into(),
            Problem::NameAlone(form) => format!("expected `{form}`, found its name alone"),
            Problem::Unknown { known: [], .. } => "unknown key; none is expected here".into(),
            Problem::Unknown { key, known } => {
                let like = unknown_key(key, known);
                like.unwrap_or_else(|| format!("unknown key; expected {}", OneOf(known)))
            }
            Problem::Missing(field) => format!("the key `{field}` is missing"),
            Problem::MissingItem(item) => {
                format!("item {item} is missing; the items of a list are numbered from 0")
            }
            Problem::Duplicate(field) => format!("the key `{field}` is given twice"),
            Problem::Custom { reason, expected } => spot.custom(reason, expected.as_deref()),
        }
    }
}

impl Spot<'_> {
    fn mismatch(&self, expected: &str, found: &'static str) -> String {
        let expected = self.expected(expected);
        if self.is_key {
            return format!("expected {expected} as a key, found {found}");
        }
        // Flattened structs and enums tagged inside are read whole before their fields
        // are, so the path ends at the outer one.
        if matches!(self.kind, "a list" | "a mapping") && self.kind != found {
            let around = &self.kind[2..];
            return format!("inside this {around}: expected {expected}, found {found}");
        }
        let found = match expected.starts_with(found) && found != "a string" {
            true => OUT_OF_RANGE,
            false => found,
        };
        let text = self.tree.scalar(self.id).unwrap_or_default();
        match text.chars().find_map(invisible) {
            Some(space) => format!("expected {expected}, found {found} with {space} in it"),
            None => format!("expected {expected}, found {found}"),
        }
    }

    fn expected(&self, expected: &str) -> String {
        let known = in_words(expected);
        known
            .or_else(|| self.own_words(expected))
            .unwrap_or_else(|| self.valid())
    }

    fn custom(&self, reason: &str, expected: Option<&str>) -> String {
        const UNTAGGED: &str = "data did not match any variant of untagged enum ";
        let is_name = |name: &&str| name.chars().all(|c| c.is_alphanumeric() || c == '_');
        if let Some(name) = reason.strip_prefix(UNTAGGED).filter(is_name) {
            return format!("fits none of the forms that `{name}` may have");
        }
        match (self.own_words(reason), expected) {
            (Some(reason), _) => reason,
            (None, Some(expected)) => format!("expected {}", self.expected(expected)),
            (None, None) => format!("expected {}", self.valid()),
        }
    }

    /// Returns what a type says itself, unless it may give a secret away.
    fn own_words(&self, text: &str) -> Option<String> {
        if self.is_secret || text.is_empty() || text.len() > MAX_WORDS {
            return None;
        }
        let lower = text.to_lowercase();
        let mut repeated = |_, value: &str| repeats(&lower, value);
        (!self.tree.any_scalar(self.id, &mut repeated)).then(|| text.into())
    }

    /// Returns the name of what was wanted, where nothing better can be said.
    fn valid(&self) -> String {
        let name = self.wanted.split('<').next().unwrap_or_default();
        let name = name.rsplit("::").next().unwrap_or_default();
        match name.starts_with("__") || name.is_empty() {
            true => "another value (the reason is not shown, for it repeats this one)".into(),
            false => format!("a valid `{name}`"),
        }
    }
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Error(Box::new(State {
            problem,
            placed: None,
            unknown: Vec::new(),
        }))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("does not fit the expected type")
    }
}

impl core::error::Error for Error {}

impl de::Error for Error {
    fn custom<M: fmt::Display>(reason: M) -> Self {
        let reason = reason.to_string();
        let expected = None;
        Problem::Custom { reason, expected }.into()
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let expected = expected.to_string();
        let found = kind_of(&unexpected);
        Problem::Mismatch { expected, found }.into()
    }

    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(unexpected, expected)
    }

    fn invalid_length(found: usize, expected: &dyn Expected) -> Self {
        let expected = expected.to_string();
        Problem::Length { expected, found }.into()
    }

    fn unknown_variant(_quotes_the_input: &str, names: &'static [&'static str]) -> Self {
        let found = None;
        Problem::Variant { names, found }.into()
    }

    fn unknown_field(key: &str, known: &'static [&'static str]) -> Self {
        let key = key.into();
        Problem::Unknown { key, known }.into()
    }

    fn missing_field(field: &'static str) -> Self {
        Problem::Missing(field).into()
    }

    fn duplicate_field(field: &'static str) -> Self {
        Problem::Duplicate(field).into()
    }
}
