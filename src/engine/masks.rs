//! Which fields must not be shown, as the application says it: patterns of paths. What
//! is secret by its type, its source, its name or its shape is the format's to know.

use alloc::string::String;
use alloc::vec::Vec;

use super::path::{self, Segment};

/// Patterns of paths whose fields are not shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Masks(Vec<Vec<Step>>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    /// `**`: any number of segments, also none.
    AnyNumber,
    /// `*`: one segment.
    AnyOne,
    /// `[*]`: one item of a list.
    AnyItem,
    Item(usize),
    Named(String),
}

impl Masks {
    /// Adds a pattern. `None` if it is none: it could match nothing.
    #[must_use]
    pub(crate) fn add(&mut self, pattern: &str) -> Option<()> {
        let mut steps = Vec::new();
        let mut rest = pattern;
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix("[*]") {
                steps.push(Step::AnyItem);
                rest = after;
                continue;
            }
            let begins_here = steps.is_empty() || rest.starts_with(['.', '[']);
            let (segment, after) = path::first(rest).filter(|_| begins_here)?;
            let is_quoted = rest.starts_with('[');
            steps.push(match segment {
                Segment::Index(index) => Step::Item(index),
                Segment::Key(key) if is_quoted => Step::Named(plain(&key)),
                Segment::Key(key) if key == "**" => Step::AnyNumber,
                Segment::Key(key) if key == "*" => Step::AnyOne,
                // Half a name is no segment: `max_*` would match nothing.
                Segment::Key(key) if key.contains('*') => return None,
                Segment::Key(key) => Step::Named(plain(&key)),
            });
            rest = after;
        }
        (!steps.is_empty()).then(|| self.0.push(steps))
    }

    /// Returns how far the patterns lead before the first segment of a path.
    #[cfg_attr(not(feature = "reading"), allow(dead_code, reason = "formats ask"))]
    pub(crate) fn start(&self) -> Covered<'_> {
        let mut covered = Covered {
            is_masked: false,
            reached: Vec::new(),
        };
        self.0.iter().for_each(|steps| covered.reach(steps));
        covered
    }

    /// Returns whether the field at this path, or one around it, is masked.
    #[cfg_attr(not(feature = "reading"), allow(dead_code, reason = "formats ask"))]
    pub(crate) fn cover(&self, path: &[Segment]) -> bool {
        let begin = self.start();
        path.iter().fold(begin, |at, step| at.then(step)).is_masked
    }
}

/// How far the patterns lead along a path: each step of it costs no more than the
/// patterns are long.
#[derive(Clone, Debug)]
pub(crate) struct Covered<'m> {
    pub(crate) is_masked: bool,
    /// What is left of each pattern that matched so far, once each.
    reached: Vec<&'m [Step]>,
}

impl<'m> Covered<'m> {
    fn reach(&mut self, rest: &'m [Step]) {
        let is_known = |known: &&[Step]| core::ptr::eq(*known, rest);
        match rest {
            [] => self.is_masked = true,
            _ if self.reached.iter().any(is_known) => {}
            [first, more @ ..] => {
                self.reached.push(rest);
                if *first == Step::AnyNumber {
                    self.reach(more);
                }
            }
        }
    }

    /// Goes one segment further.
    #[cfg_attr(not(feature = "reading"), allow(dead_code, reason = "formats ask"))]
    pub(crate) fn then(&self, segment: &Segment) -> Covered<'m> {
        let mut next = Covered {
            is_masked: self.is_masked,
            reached: Vec::new(),
        };
        if self.is_masked || self.reached.is_empty() {
            return next;
        }
        let name = match segment {
            Segment::Key(key) => Some(plain(key)),
            Segment::Index(_) => None,
        };
        for rest in &self.reached {
            let [step, more @ ..] = rest else {
                continue;
            };
            let matches = match (step, segment) {
                (Step::AnyNumber, _) => {
                    next.reach(rest);
                    continue;
                }
                (Step::AnyOne, _) | (Step::AnyItem, Segment::Index(_)) => true,
                (Step::Item(wanted), Segment::Index(index)) => wanted == index,
                (Step::Named(wanted), _) => name.as_ref() == Some(wanted),
                _ => false,
            };
            if matches {
                next.reach(more);
            }
        }
        next
    }
}

/// `apiKey`, `api-key` and `API_KEY` are all `apikey`.
#[cfg_attr(not(feature = "reading"), allow(dead_code, reason = "formats ask"))]
pub(crate) fn plain(name: &str) -> String {
    let letters = name.chars().filter(|c| !matches!(c, '_' | '-'));
    letters.flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn g06_masks_use_the_syntax_of_error_paths() {
        let covered = |pattern: &str, path: &str| {
            let mut masks = Masks::default();
            masks.add(pattern).unwrap();
            masks.cover(&path::parse(path).unwrap())
        };
        for (pattern, path, expected) in [
            ("server.*.pin", "server.a.pin", true),
            ("server.*.pin", "server[0].pin", true),
            ("server.*.pin", "server.a.b.pin", false),
            ("server.*.pin", "server.pin", false),
            ("a.**.z", "a.z", true),
            ("a.**.z", "a.b[2].z.below", true),
            ("**", "anything", true),
            ("providers[0].dsn", "providers[0].dsn", true),
            ("providers[0].dsn", "providers[1].dsn", false),
            ("providers[*].dsn", "providers[7].dsn.host", true),
            ("providers[*].dsn", "providers.x.dsn", false),
            ("[\"a.b\"].c", "[\"a.b\"].c", true),
            ("[\"*\"]", "x", false),
            ("MaxTokens", "max_tokens", true),
            ("maxtoken", "max_tokens", false),
        ] {
            assert_eq!(covered(pattern, path), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn g04_many_stars_take_one_step_each_for_a_segment() {
        let mut masks = Masks::default();
        masks.add(&["**.x"; 32].join(".")).unwrap();
        let x = Segment::Key("x".into());
        let mut covered = masks.start();
        for depth in 1..200 {
            covered = covered.then(&x);
            assert!(covered.reached.len() <= 64, "at a depth of {depth}");
            assert_eq!(covered.is_masked, depth >= 32, "at a depth of {depth}");
        }
    }

    #[test]
    fn g06_a_pattern_that_can_match_nothing_is_rejected() {
        for pattern in [
            "", ".", "a.", "a..b", "a[", "a[x]", "max_*", "a[0]b", "a[\"b\"",
        ] {
            assert!(Masks::default().add(pattern).is_none(), "{pattern}");
        }
    }
}
