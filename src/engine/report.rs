//! Everything that is wrong with a document, each thing with its path and, where
//! it is known, its place. What happens to a document with problems is
//! `engine.rs`'s.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt::{self, Write as _};

/// Longer texts are cut: what is wrong with a document must not be as long as
/// the document.
const MAX_PATH: usize = 256;
const MAX_MESSAGE: usize = 1024;

/// A place in a source, for people: `config.yaml:5:18`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    origin: Arc<str>,
    position: Option<(usize, usize)>,
}

impl Place {
    /// The source called `origin`, as a whole.
    pub fn in_origin(origin: impl Into<Arc<str>>) -> Self {
        Place {
            origin: origin.into(),
            position: None,
        }
    }

    /// A line and a column of that source, both counted from 1; the column in
    /// characters.
    #[must_use]
    pub fn at(mut self, line: usize, column: usize) -> Self {
        self.position = Some((line, column));
        self
    }

    /// The name of the source, usually a file's path as the user wrote it.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The line, from 1.
    #[must_use]
    pub fn line(&self) -> Option<usize> {
        self.position.map(|(line, _)| line)
    }

    /// The column, from 1, in characters.
    #[must_use]
    pub fn column(&self) -> Option<usize> {
        self.position.map(|(_, column)| column)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", OneLine(&self.origin))?;
        if let Some((line, column)) = self.position {
            write!(f, ":{line}:{column}")?;
        }
        Ok(())
    }
}

/// One thing that is wrong: where, and what was expected.
///
/// It prints as `config.yaml:5:18: llm_providers[1].temperature: expected a
/// number, found a string`, leaving out what is not known. Control characters
/// are escaped, so that a crafted key cannot forge a log line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    path: String,
    message: String,
    place: Option<Place>,
}

impl Problem {
    /// Something wrong with the field at `path`, or with the whole document if
    /// the path is empty.
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Problem {
            path: cut(path.into(), MAX_PATH),
            message: cut(message.into(), MAX_MESSAGE),
            place: None,
        }
    }

    /// The same, with its place.
    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    /// The field, as in `llm_providers[1].temperature`; empty for the whole
    /// document.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What is wrong, without the place.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Where it is, if that is known.
    #[must_use]
    pub fn place(&self) -> Option<&Place> {
        self.place.as_ref()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        if !self.path.is_empty() {
            write!(f, "{}: ", OneLine(&self.path))?;
        }
        write!(f, "{}", OneLine(&self.message))
    }
}

/// What a validator or a parser writes its findings into. An empty report means
/// that nothing is wrong.
///
/// ```
/// use steadyconf::Report;
///
/// fn check(timeout_s: u32, report: &mut Report) {
///     if timeout_s == 0 {
///         report.add("timeout_s", "must be at least 1");
///     }
/// }
///
/// let mut report = Report::new();
/// check(0, &mut report);
/// assert_eq!(report.problems()[0].to_string(), "timeout_s: must be at least 1");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    problems: Vec<Problem>,
    limit: usize,
    more: usize,
}

impl Report {
    /// An empty report without a bound of its own.
    #[must_use]
    pub const fn new() -> Self {
        Report::with_limit(usize::MAX)
    }

    /// An empty report that keeps `limit` problems and counts the rest.
    #[must_use]
    pub(crate) const fn with_limit(limit: usize) -> Self {
        Report {
            problems: Vec::new(),
            limit,
            more: 0,
        }
    }

    /// Notes that the field at `path` is wrong, and why.
    ///
    /// A path is made of keys and indices, as in `agents[0].max_iterations`; a
    /// key with a dot or a bracket in it is written `["like.this"]`. An empty
    /// path means the whole. The message appears in log lines as it is: say
    /// what is expected ("must be at least 1"), not what was found, for that
    /// may be a secret.
    pub fn add(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.push(Problem::new(path, message));
    }

    /// Notes a problem that may have a place already.
    pub fn push(&mut self, problem: Problem) {
        if self.problems.len() < self.limit {
            self.problems.push(problem);
        } else {
            self.more = self.more.saturating_add(1);
        }
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.problems.is_empty() && self.more == 0
    }

    /// What was noted, in that order.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// How many more there were, beyond what a report keeps.
    #[must_use]
    pub fn more(&self) -> usize {
        self.more
    }

    /// Takes over what another report holds, within this one's bound.
    pub(crate) fn absorb(&mut self, other: Report) {
        other.problems.into_iter().for_each(|v| self.push(v));
        self.more = self.more.saturating_add(other.more);
    }

    pub(crate) fn problems_mut(&mut self) -> &mut [Problem] {
        &mut self.problems
    }
}

impl Default for Report {
    fn default() -> Self {
        Report::new()
    }
}

impl From<Problem> for Report {
    fn from(problem: Problem) -> Self {
        let mut report = Report::new();
        report.push(problem);
        report
    }
}

/// One problem a line, and a last line that counts the ones left out.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_char('\n')?;
            }
            write!(f, "{problem}")?;
        }
        if self.more > 0 {
            write!(f, "\n… and {} more", self.more)?;
        }
        Ok(())
    }
}

/// Prints text on one line: what comes from a document or from a file's name
/// must not be able to begin a new line in a log, or to steer a terminal.
pub(crate) struct OneLine<'a>(pub(crate) &'a str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            if steers(c) {
                write!(f, "{}", c.escape_default())?;
            } else {
                f.write_char(c)?;
            }
        }
        Ok(())
    }
}

/// Control characters, the two Unicode line ends, and the marks that turn the
/// direction of the text that follows.
pub(crate) fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The beginning of a text that is too long, with a sign that there was more.
pub(crate) fn cut(mut text: String, max: usize) -> String {
    if text.len() <= max {
        return text;
    }
    let mut end = max;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text.push('…');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn what_is_not_known_is_left_out() {
        let bare = Problem::new("", "is empty");
        assert_eq!(bare.to_string(), "is empty");
        let full = Problem::new("a[1].b", "must be at least 1")
            .at(Place::in_origin("config.yaml").at(5, 18));
        assert_eq!(
            full.to_string(),
            "config.yaml:5:18: a[1].b: must be at least 1"
        );
    }

    #[test]
    fn a_crafted_key_stays_on_its_line() {
        let forged = Problem::new("a\nERROR all is lost\u{1b}[2J", "bad\r\n");
        assert_eq!(
            forged.to_string(),
            "a\\nERROR all is lost\\u{1b}[2J: bad\\r\\n"
        );
    }

    #[test]
    fn long_texts_and_long_lists_are_cut() {
        let long = "ä".repeat(5000);
        let problem = Problem::new(long.clone(), long);
        assert!(problem.to_string().len() < MAX_PATH + MAX_MESSAGE + 32);

        let mut report = Report::with_limit(2);
        (0..5).for_each(|_| report.add("a", "bad"));
        assert_eq!(report.to_string(), "a: bad\na: bad\n… and 3 more");
    }
}
