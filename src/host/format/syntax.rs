//! The parsers: the only file that names them, so that another can take the place of
//! any. It hands out deserializers, and says what is wrong with a text and where,
//! without quoting it.

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny};

use super::super::std::format;
use super::super::std::prelude::rust_2024::*;
use super::scan;
use super::whole;
use crate::engine::{Content, Layer, Place, Violation};

/// The language of a layer, told by the ending of its name. JSON is YAML.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Syntax {
    Yaml,
    #[cfg(feature = "toml")]
    Toml,
    #[cfg(feature = "json")]
    Json,
}

impl Syntax {
    pub(super) fn of(layer: &Layer) -> Self {
        // A variable's name says nothing.
        if *layer.content() != Content::Document {
            return Syntax::Yaml;
        }
        match layer.origin().rsplit_once('.') {
            #[cfg(feature = "toml")]
            Some((_, "toml")) => Syntax::Toml,
            #[cfg(feature = "json")]
            Some((_, "json")) => Syntax::Json,
            _ => Syntax::Yaml,
        }
    }
}

/// A parser's error, as far as it is worth anything: what it says may quote the
/// input.
#[derive(Clone, Debug, Default)]
pub(super) struct Refused {
    pub(super) place: Option<Place>,
    /// It kept a bound of its own.
    pub(super) limit: Option<&'static str>,
}

/// Something to do with any deserializer.
pub(super) trait Task {
    type Value;

    fn run<'de, D: Deserializer<'de>>(self, de: D) -> Result<Self::Value, D::Error>;
}

/// A seed is the plainest of tasks.
pub(super) struct Seeded<S>(pub(super) S);

impl<S: for<'de> DeserializeSeed<'de, Value = V>, V> Task for Seeded<S> {
    type Value = V;

    fn run<'de, D: Deserializer<'de>>(self, de: D) -> Result<V, D::Error> {
        self.0.deserialize(de)
    }
}

/// Parses the layer's bytes, and does this with what comes of it.
pub(super) fn run<K: Task>(layer: &Layer, task: K) -> Result<K::Value, Refused> {
    match Syntax::of(layer) {
        Syntax::Yaml => {
            let de = serde_yaml::Deserializer::from_slice(layer.bytes());
            task.run(de).map_err(|error| yaml_refused(&error, layer))
        }
        #[cfg(feature = "toml")]
        Syntax::Toml => {
            let text = core::str::from_utf8(layer.bytes()).map_err(|_| Refused::default())?;
            let refused = |error: toml::de::Error| toml_refused(&error, text, layer);
            let de = toml::Deserializer::parse(text).map_err(refused)?;
            task.run(de).map_err(refused)
        }
        #[cfg(feature = "json")]
        Syntax::Json => {
            let mut de = serde_json::Deserializer::from_slice(without_mark(layer));
            let value = task.run(&mut de);
            let value = value.and_then(|value| de.end().map(|()| value));
            value.map_err(|error| json_refused(&error, layer))
        }
    }
}

/// What is wrong with the text itself, if anything is.
///
/// Nothing is deserialized here, so the words are the parser's own: they name the
/// construct and the place, and never quote.
pub(super) fn fault(layer: &Layer) -> Option<Violation> {
    match Syntax::of(layer) {
        Syntax::Yaml => yaml_fault(layer),
        #[cfg(feature = "toml")]
        Syntax::Toml => toml_fault(layer),
        #[cfg(feature = "json")]
        Syntax::Json => {
            let error = serde_json::from_slice::<IgnoredAny>(without_mark(layer)).err()?;
            let text = format!("{error}");
            let message = text.split(" at line ").next().unwrap_or_default();
            let place = json_refused(&error, layer).place?;
            Some(Violation::new("", format!("not valid JSON: {message}")).at(place))
        }
    }
}

/// Whether a text, all of it, is a number, a truth, nothing in so many words, or a
/// string in quotes. Anything else is a string, whatever signs are in it: `#ff0000`,
/// `&Passw0rd`, `!root`.
pub(crate) fn is_more_than_letters(text: &str) -> bool {
    let in_quotes = |quote| text.len() > 1 && text.starts_with(quote) && text.ends_with(quote);
    if in_quotes('"') || in_quotes('\'') {
        return matches!(serde_yaml::from_str(text), Ok(serde_yaml::Value::String(_)));
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.' | '_' | '~');
    if text.is_empty() || !text.chars().all(plain) {
        return false;
    }
    let value: Result<serde_yaml::Value, _> = serde_yaml::from_str(text);
    value.is_ok_and(|value| value.is_number() || value.is_bool() || value.is_null())
}

/// Writes a value so that it reads back as the same.
pub(crate) fn write(value: &impl serde::Serialize) -> Option<String> {
    serde_yaml::to_string(value).ok()
}

/// Whether a text has no value in it, for a text that is not UTF-8: it may be UTF-16,
/// which YAML allows.
pub(super) fn holds_nothing(bytes: &[u8]) -> bool {
    matches!(
        serde_yaml::from_slice::<Option<IgnoredAny>>(bytes),
        Ok(None)
    )
}

fn yaml_refused(error: &serde_yaml::Error, layer: &Layer) -> Refused {
    let place = error.location();
    let text = error.to_string();
    // Compared, not repeated.
    let limit = if text.starts_with("recursion limit exceeded") {
        Some("nested more than 128 levels deep")
    } else if text.starts_with("repetition limit exceeded") {
        Some("its aliases (`*name`) expand to too much")
    } else {
        None
    };
    Refused {
        place: place.map(|at| whole(layer).at(at.line(), at.column())),
        limit,
    }
}

fn yaml_fault(layer: &Layer) -> Option<Violation> {
    let error = serde_yaml::from_slice::<IgnoredAny>(layer.bytes()).err()?;
    let text = error.to_string();
    if text.contains("more than one document") {
        let message = "expected one document, found a second one after `---`";
        let place = scan::second_document(layer.bytes());
        let place = place.map_or_else(|| whole(layer), |line| whole(layer).at(line, 1));
        return Some(Violation::new("", format!("not valid YAML: {message}")).at(place));
    }
    let said = Said::of(&text);
    let (message, at) = said.in_words();
    let place = at.map_or_else(
        || yaml_refused(&error, layer).place,
        |(line, column)| Some(whole(layer).at(line, column)),
    );
    let place = place.unwrap_or_else(|| whole(layer));
    Some(Violation::new("", format!("not valid YAML: {message}")).at(place))
}

/// What libyaml says: what is wrong, and what it was about when it found that. Both
/// have a place.
struct Said<'t> {
    problem: &'t str,
    at: Option<(usize, usize)>,
    context: &'t str,
    context_at: Option<(usize, usize)>,
}

impl<'t> Said<'t> {
    fn of(text: &'t str) -> Self {
        let (problem, context) = text.split_once(", while ").unwrap_or((text, ""));
        let (problem, at) = place_in(problem);
        let (context, context_at) = place_in(context);
        Said {
            problem,
            at,
            context,
            context_at,
        }
    }

    /// The same for people, with the place to look at: often that of the context,
    /// where what was begun was not ended.
    fn in_words(&self) -> (String, Option<(usize, usize)>) {
        let begun = match self.context_at {
            Some((line, column)) => format!("that begins at line {line} column {column}"),
            None => String::from("it is in"),
        };
        let (words, at): (&str, _) = match self.problem {
            "could not find expected ':'" => (
                "expected a colon and a blank after this key",
                self.context_at,
            ),
            "mapping values are not allowed in this context" => (
                "a colon where no key may stand; check the indentation, or put the text in quotes",
                self.at,
            ),
            "found unexpected end of stream" if self.context.contains("quoted") => {
                ("this quote is never closed", self.context_at)
            }
            "did not find expected ',' or ']'" => (
                "this `[` is not closed, or a comma is missing in it",
                self.context_at,
            ),
            "did not find expected ',' or '}'" => (
                "this `{` is not closed, or a comma is missing in it",
                self.context_at,
            ),
            "found character that cannot start any token" => (
                "a value cannot begin with this character; put it in quotes",
                self.at,
            ),
            "found a tab character that violates indentation"
            | "found a tab character where an indentation space is expected" => {
                ("indented with a tab; use blanks", self.at)
            }
            "unknown anchor" => (
                "there is no such anchor; put the text in quotes if it is no alias",
                self.at,
            ),
            "did not find expected node content" => (
                "expected a value; is there a comma or a bracket too many?",
                self.at,
            ),
            "did not find expected '-' indicator" => {
                let words = format!("expected a `- ` of the list {begun}; check the indentation");
                return (words, self.at);
            }
            "did not find expected key" => {
                let words = format!(
                    "expected a key of the mapping {begun}; check the indentation and the quotes"
                );
                return (words, self.at);
            }
            problem => {
                let while_ = if self.context.is_empty() {
                    ""
                } else {
                    ", while "
                };
                return (format!("{problem}{while_}{}", self.context), self.at);
            }
        };
        (words.into(), at.or(self.at))
    }
}

/// Takes the place off the end of a phrase.
fn place_in(phrase: &str) -> (&str, Option<(usize, usize)>) {
    let place = || {
        let (words, place) = phrase.rsplit_once(" at line ")?;
        let (line, column) = place.split_once(" column ")?;
        Some((words, (line.parse().ok()?, column.parse().ok()?)))
    };
    match place() {
        Some((words, place)) => (words, Some(place)),
        None => (phrase, None),
    }
}

/// Without the byte order mark that some editors write.
#[cfg(feature = "json")]
fn without_mark(layer: &Layer) -> &[u8] {
    let bytes = layer.bytes();
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

#[cfg(feature = "json")]
fn json_refused(error: &serde_json::Error, layer: &Layer) -> Refused {
    let deep = format!("{error}").starts_with("recursion limit exceeded");
    // Its columns are in bytes.
    let column = || {
        let line = without_mark(layer)
            .split(|byte| *byte == b'\n')
            .nth(error.line() - 1);
        let before = line.and_then(|line| line.get(..error.column().saturating_sub(1)));
        1 + before.map_or(0, |before| String::from_utf8_lossy(before).chars().count())
    };
    Refused {
        place: (error.line() > 0).then(|| whole(layer).at(error.line(), column())),
        limit: deep.then_some("nested more than 128 levels deep"),
    }
}

#[cfg(feature = "toml")]
fn toml_refused(error: &toml::de::Error, text: &str, layer: &Layer) -> Refused {
    let place = error.span().map(|span| {
        let (line, column) = line_and_column(text, span.start);
        whole(layer).at(line, column)
    });
    Refused { place, limit: None }
}

#[cfg(feature = "toml")]
fn toml_fault(layer: &Layer) -> Option<Violation> {
    let Ok(text) = core::str::from_utf8(layer.bytes()) else {
        return Some(Violation::new("", "not valid TOML: not UTF-8").at(whole(layer)));
    };
    let error = toml::de::DeTable::parse(text).err()?;
    // Where it names keys, it names no more than our own paths do.
    let message = format!("not valid TOML: {}", error.message());
    let place = toml_refused(&error, text, layer).place;
    Some(Violation::new("", message).at(place.unwrap_or_else(|| whole(layer))))
}

#[cfg(feature = "toml")]
fn line_and_column(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let start = before.rfind('\n').map_or(0, |end| end + 1);
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    (line, before[start..].chars().count() + 1)
}
