//! What a check of a configuration found, for people and for programs. The check itself
//! is in `load.rs`.

use core::fmt::{self, Write as _};
use core::ops::Deref;

use super::cell::Loaded;
use super::load::LoadError;
use super::std::prelude::rust_2024::*;
use super::std::sync::Arc;
use crate::engine::{Digest, steers};
use crate::report::{DetectError, Place, Problem};

/// A configuration that a program could start with; see
/// [`Builder::check`](crate::Builder::check). It derefs to what would have been loaded.
///
/// It prints, for people, as one line, and one more for each warning.
pub struct Checked<T> {
    loaded: Loaded<T>,
    warnings: Arc<[Problem]>,
}

impl<T> Checked<T> {
    pub(super) const fn new(loaded: Loaded<T>, warnings: Arc<[Problem]>) -> Self {
        Checked { loaded, warnings }
    }

    /// Returns what would have been loaded.
    #[must_use]
    pub fn loaded(&self) -> &Loaded<T> {
        &self.loaded
    }

    /// Returns what does not keep a program from starting, and is probably not what was
    /// meant: keys that no field takes. Empty with
    /// [`UnknownKeys::Allow`](crate::engine::UnknownKeys::Allow).
    #[must_use]
    pub fn warnings(&self) -> &[Problem] {
        &self.warnings
    }

    /// Returns what a program's `--check-config` exits with: 0 if nothing is to be said,
    /// and 3 if there are warnings. For what is rejected it is
    /// [`LoadError::exit_code`], which is 1.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self.warnings.is_empty() {
            true => 0,
            false => 3,
        }
    }

    /// Returns the same as one line of JSON:
    /// `{"ok":true,"problems":[],"more":0,"warnings":[…],"digest":"sha256:…"}`. A
    /// warning is an object like a problem in [`LoadError::to_json`].
    #[must_use]
    pub fn to_json(&self) -> String {
        let json = Json {
            ok: true,
            warnings: self.warnings.iter().map(Entry::of).collect(),
            digest: Some(self.loaded.digest()),
            ..Json::default()
        };
        json.to_string()
    }
}

impl<T> Deref for Checked<T> {
    type Target = Loaded<T>;

    fn deref(&self) -> &Loaded<T> {
        &self.loaded
    }
}

impl<T> Clone for Checked<T> {
    fn clone(&self) -> Self {
        Checked {
            loaded: self.loaded.clone(),
            warnings: self.warnings.clone(),
        }
    }
}

/// `Debug` leaves the value out: it may hold secrets.
impl<T> fmt::Debug for Checked<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checked")
            .field("loaded", &self.loaded)
            .field("warnings", &self.warnings)
            .finish()
    }
}

impl<T> fmt::Display for Checked<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is good", self.loaded.digest().short())?;
        match self.warnings.len() {
            0 => return Ok(()),
            1 => f.write_str(", with 1 warning:")?,
            count => write!(f, ", with {count} warnings:")?,
        }
        let mut warnings = self.warnings.iter();
        warnings.try_for_each(|warning| write!(f, "\n  {warning}"))
    }
}

impl LoadError {
    /// Returns what a program exits with that cannot start, or whose configuration is
    /// rejected: 1.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        1
    }

    /// Returns the same as one line of JSON, for a program's `--check-config`:
    /// `{"ok":false,"problems":[{"path":"server.port","message":"must be at least 1","source":"config.yaml","line":3,"column":9}],"more":0,"warnings":[],"digest":"sha256:…"}`.
    ///
    /// An empty `path` is the whole document. `source`, `line` and `column`, both counted
    /// from 1, are `null` where they are not known; `digest` is `null` if nothing could be
    /// read. `more` counts the problems that were left out; see
    /// [`Limits`](crate::engine::Limits). Control characters are escaped. No value is in it but
    /// what validators say.
    ///
    /// If the program cannot start from the last known good either, what is wrong with
    /// that follows; such a message begins with "the last known good:".
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut json = Json::default();
        json.reject(self, "");
        json.to_string()
    }
}

/// What is written.
#[derive(Default)]
struct Json<'a> {
    ok: bool,
    problems: Vec<Entry<'a>>,
    more: usize,
    warnings: Vec<Entry<'a>>,
    digest: Option<Digest>,
}

impl<'a> Json<'a> {
    /// Adds the problems of `error`; `of` says what they are problems of.
    fn reject(&mut self, error: &'a LoadError, of: &'static str) {
        match error {
            LoadError::Source(error) => self.problems.push(Entry::of_source(error).said_of(of)),
            LoadError::Rejected(rejection) => {
                let problems = rejection.problems().iter().map(Entry::of);
                self.problems
                    .extend(problems.map(|problem| problem.said_of(of)));
                self.more = self.more.saturating_add(rejection.more());
                // The source's comes first, and it is what was asked about.
                if of.is_empty() {
                    self.digest = Some(rejection.digest());
                }
            }
            LoadError::NorLastGood {
                source, last_good, ..
            } => {
                self.reject(source, of);
                self.reject(last_good, "the last known good: ");
            }
        }
    }
}

impl fmt::Display for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (ok, more) = (self.ok, self.more);
        let (problems, warnings) = (List(&self.problems), List(&self.warnings));
        write!(f, "{{\"ok\":{ok},\"problems\":{problems},\"more\":{more},")?;
        write!(f, "\"warnings\":{warnings},\"digest\":")?;
        match &self.digest {
            Some(digest) => write!(f, "\"{digest}\"}}"),
            None => f.write_str("null}"),
        }
    }
}

struct List<'a>(&'a [Entry<'a>]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('[')?;
        for (index, problem) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{problem}")?;
        }
        f.write_char(']')
    }
}

struct Entry<'a> {
    path: &'a str,
    /// What it is a problem of, if not of the source.
    of: &'static str,
    message: &'a str,
    source: Option<&'a str>,
    line: Option<usize>,
    column: Option<usize>,
}

impl<'a> Entry<'a> {
    fn of(problem: &'a Problem) -> Self {
        let place = problem.place();
        Entry {
            path: problem.path(),
            of: "",
            message: problem.message(),
            source: place.map(Place::origin),
            line: place.and_then(Place::line),
            column: place.and_then(Place::column),
        }
    }

    fn of_source(error: &'a DetectError) -> Self {
        Entry {
            path: "",
            of: "",
            message: error.message(),
            source: Some(error.origin()),
            line: None,
            column: None,
        }
    }

    fn said_of(self, of: &'static str) -> Self {
        Entry { of, ..self }
    }
}

impl fmt::Display for Entry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{\"path\":")?;
        quoted(f, &[self.path])?;
        f.write_str(",\"message\":")?;
        quoted(f, &[self.of, self.message])?;
        f.write_str(",\"source\":")?;
        match self.source {
            Some(source) => quoted(f, &[source])?,
            None => f.write_str("null")?,
        }
        for (name, number) in [("line", self.line), ("column", self.column)] {
            match number {
                Some(number) => write!(f, ",\"{name}\":{number}")?,
                None => write!(f, ",\"{name}\":null")?,
            }
        }
        f.write_char('}')
    }
}

/// Writes texts as one JSON string.
fn quoted(f: &mut fmt::Formatter<'_>, texts: &[&str]) -> fmt::Result {
    f.write_char('"')?;
    for c in texts.iter().flat_map(|text| text.chars()) {
        match c {
            '"' | '\\' => write!(f, "\\{c}")?,
            // JSON asks for some of these; a terminal that shows it, for all. They all
            // fit in four digits.
            c if steers(c) => write!(f, "\\u{:04x}", u32::from(c))?,
            c => f.write_char(c)?,
        }
    }
    f.write_char('"')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Report;
    use crate::report::{DetectErrorKind, Rejection, Stage};

    #[test]
    fn g06_json_has_no_control_character() {
        let all: String = ('\0'..='\u{2fff}')
            .chain('\u{ff00}'..='\u{10fff}')
            .collect();
        for text in [&all, "", "a\"b\\c\n\u{1b}[2J\u{2028}\u{202e}", "😀"] {
            let problem = Problem::new("", text).at(Place::in_origin(text).at(1, 2));
            let problem = Entry {
                path: text,
                message: text,
                ..Entry::of(&problem)
            };
            let json = problem.to_string();
            assert!(!json.chars().any(steers), "{json}");
        }
    }

    #[test]
    fn what_is_wrong_with_the_last_known_good_follows() {
        let mut report = Report::with_limit(1);
        report.add("a", "must be at least 1");
        report.add("b", "must be at least 1");
        let rejection = Rejection::new(Stage::Validate, Digest::of(b"kept"), report);
        let missing = DetectError::new(DetectErrorKind::NotFound, "config.yaml", "no such file");
        let error = LoadError::NorLastGood {
            source: Box::new(missing.into()),
            last_good: Box::new(LoadError::Rejected(Arc::new(rejection))),
            path: "kept".into(),
        };
        assert_eq!(
            error.to_json(),
            concat!(
                r#"{"ok":false,"problems":["#,
                r#"{"path":"","message":"no such file","source":"config.yaml","line":null,"column":null},"#,
                r#"{"path":"a","message":"the last known good: must be at least 1","source":null,"line":null,"column":null}"#,
                r#"],"more":1,"warnings":[],"digest":null}"#
            )
        );
        assert_eq!(error.exit_code(), 1);
    }
}
