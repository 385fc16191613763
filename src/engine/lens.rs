//! Looking into a document: where a field is, what all the fields are, and which of
//! them nobody may see.

use alloc::collections::BTreeSet;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use super::document::Document;
use super::path::{self, PathDisplay, Segment};
use super::report::Place;

/// How to look into the documents of a format. Plain functions, so that every
/// snapshot can carry them to any thread.
#[derive(Clone, Copy)]
pub struct Inspector {
    pub(crate) locate: fn(&Document, &str) -> Option<Located>,
    pub(crate) leaves: fn(&Document) -> Vec<Leaf>,
}

/// Finding a place may mean to parse again, so only the first few of a list get one,
/// and fewer where the document is large.
const MAX_LOCATED: usize = 16;
const MAX_PARSED_TO_LOCATE: usize = 1024 * 1024;

/// How many places it is reasonable to look for in a document.
pub(crate) fn affordable_places(document: &Document) -> usize {
    let affordable = MAX_PARSED_TO_LOCATE / document.len().max(1);
    affordable.clamp(1, MAX_LOCATED)
}

/// Where a field is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Located {
    /// The place: the source that supplied it, with line and column where these can
    /// be had.
    pub place: Place,
    /// Whether it is the field itself. Otherwise there is no such field, and this is
    /// the nearest one around it.
    pub exact: bool,
}

/// A field that holds no others: a scalar, or an empty list or mapping.
#[derive(Clone, PartialEq, Eq)]
pub struct Leaf {
    pub(crate) path: String,
    pub(crate) text: String,
}

impl Inspector {
    /// Two functions of a document. `locate` says where the field at a path is;
    /// it may be slow. `leaves` lists all fields that hold no others, in the order of
    /// the document, after everything is merged; a document that does not parse has
    /// none.
    #[must_use]
    pub const fn new(
        locate: fn(&Document, &str) -> Option<Located>,
        leaves: fn(&Document) -> Vec<Leaf>,
    ) -> Self {
        Inspector { locate, leaves }
    }
}

impl fmt::Debug for Inspector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inspector").finish_non_exhaustive()
    }
}

impl Located {
    /// A place, and whether it is the field's own.
    #[must_use]
    pub const fn new(place: Place, exact: bool) -> Self {
        Located { place, exact }
    }
}

impl Leaf {
    /// The field at `path`, and its value as people would write it.
    pub fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        Leaf {
            path: path.into(),
            text: text.into(),
        }
    }
}

impl fmt::Debug for Leaf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leaf")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// Names of fields that hold secrets, unless they are called otherwise. Whole
/// segments, so that `max_tokens` is none.
const DEFAULT_MASKS: &[&str] = &[
    "**.api_key",
    "**.password",
    "**.token",
    "**.secret",
    "**.connection_string",
    "**.passwd",
    "**.passphrase",
    "**.credentials",
    "**.private_key",
    "**.secret_key",
    "**.access_key",
    "**.access_token",
    "**.auth_token",
    "**.refresh_token",
    "**.client_secret",
    "**.db_password",
];

/// Which paths are masked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Masks(Vec<Vec<Step>>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    /// `**`: any number of segments, also none.
    Any,
    /// `*`: one segment.
    One,
    Named(String),
}

impl Default for Masks {
    fn default() -> Self {
        let mut masks = Masks(Vec::new());
        DEFAULT_MASKS.iter().for_each(|mask| masks.add(mask));
        masks
    }
}

impl Masks {
    pub(crate) fn add(&mut self, pattern: &str) {
        let steps = pattern.split('.').map(|step| match step {
            "**" => Step::Any,
            "*" => Step::One,
            name => Step::Named(plain(name)),
        });
        self.0.push(steps.collect());
    }

    /// Whether the field at this path, or one around it, is masked.
    fn cover(&self, path: &[Segment]) -> bool {
        self.0.iter().any(|steps| covers(steps, path))
    }
}

/// Whether the steps lead to a field at the path or around it.
fn covers(steps: &[Step], path: &[Segment]) -> bool {
    match (steps, path) {
        ([], _) => true,
        ([Step::Any, steps @ ..], path) => {
            (0..=path.len()).any(|from| covers(steps, &path[from..]))
        }
        ([Step::One, steps @ ..], [_, path @ ..]) => covers(steps, path),
        ([Step::Named(name), steps @ ..], [Segment::Key(key), path @ ..]) => {
            plain(key) == *name && covers(steps, path)
        }
        _ => false,
    }
}

/// `apiKey`, `api-key` and `API_KEY` are all `api_key`.
fn plain(name: &str) -> String {
    let letters = name.chars().filter(|c| !matches!(c, '_' | '-'));
    letters.flat_map(char::to_lowercase).collect()
}

/// What a snapshot needs to look into its document.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lens {
    pub(crate) inspector: Option<Inspector>,
    pub(crate) masks: Arc<Masks>,
    /// The paths of fields whose type says that they are secrets.
    pub(crate) secrets: Arc<[String]>,
    /// Nothing may be shown.
    pub(crate) blind: bool,
}

impl Lens {
    pub(crate) fn locate(&self, document: &Document, path: &str) -> Option<Located> {
        (self.inspector?.locate)(document, path)
    }

    pub(crate) fn leaves(&self, document: &Document) -> Vec<Leaf> {
        self.inspector
            .map_or(Vec::new(), |inspector| (inspector.leaves)(document))
    }

    /// Which of these leaves nobody may see, one answer for each.
    ///
    /// A secret whose path leads to none of them shows that paths are not what they
    /// seem (an enum's variant, a key in another writing), and then all are hidden.
    pub(crate) fn hidden(&self, leaves: &[Leaf]) -> Vec<bool> {
        let mut missing: BTreeSet<&str> = self.secrets.iter().map(String::as_str).collect();
        let secrets = missing.clone();
        let mut hidden = Vec::with_capacity(leaves.len());
        for leaf in leaves {
            // What is no path cannot be compared.
            let Some(path) = path::parse(leaf.path.trim_end_matches('!')) else {
                hidden.push(true);
                continue;
            };
            // A tag may be text that somebody forgot to put in quotes.
            let mut is_hidden = leaf.path.ends_with('!') || self.masks.cover(&path);
            for end in 0..=path.len() {
                if secrets.is_empty() {
                    break;
                }
                let around = PathDisplay(&path[..end]).to_string();
                is_hidden |= secrets.contains(around.as_str());
                missing.remove(around.as_str());
            }
            hidden.push(is_hidden);
        }
        if self.blind || !missing.is_empty() {
            hidden.fill(true);
        }
        hidden
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_are_of_whole_segments_and_of_all_that_is_below() {
        let mut lens = Lens::default();
        let mut masks = Masks::default();
        masks.add("server.*.pin");
        masks.add("a.**.z");
        lens.masks = Arc::new(masks);
        lens.secrets = Arc::new([String::from("hooks[1].url")]);
        for hidden in [
            "api_key",
            "llm_providers[0].api_key",
            "a.apiKey",
            "x.API-KEY",
            "secret.deep[3].inside",
            "db.password",
            "server.a.pin",
            "server[0].pin",
            "a.z",
            "a.b.c.z",
            "a.b[2].z.y",
            "hooks[1].url",
            "hooks[1].url.host",
            "no path at all..",
        ] {
            assert!(hides(&lens, hidden), "{hidden}");
        }
        for shown in [
            "max_tokens",
            "tokens",
            "token_count",
            "server.pin",
            "server.a.b.pin",
            "hooks[0].url",
            "hooks[1]",
            "secrets",
            "",
        ] {
            assert!(!hides(&lens, shown), "{shown}");
        }
        lens.blind = true;
        assert!(hides(&lens, "max_tokens"));
    }

    #[test]
    fn a_secret_that_is_not_found_hides_everything() {
        let lens = Lens {
            secrets: Arc::new([String::from("b.pin")]),
            ..Lens::default()
        };
        let leaves = [Leaf::new("b.File.pin", "1"), Leaf::new("c", "2")];
        assert_eq!(lens.hidden(&leaves), [true, true]);
        let leaves = [Leaf::new("b.pin[0]", "1"), Leaf::new("c", "2")];
        assert_eq!(lens.hidden(&leaves), [true, false]);
    }

    /// Beside a leaf for every secret.
    fn hides(lens: &Lens, path: &str) -> bool {
        let secrets = lens
            .secrets
            .iter()
            .map(|secret| Leaf::new(secret.as_str(), ""));
        let leaves: Vec<_> = secrets.chain([Leaf::new(path, "")]).collect();
        lens.hidden(&leaves).pop().unwrap()
    }
}
