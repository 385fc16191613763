//! YAML, by `serde_yaml`: the only file that names it, so that another parser
//! can take its place. It adds what a configuration needs: an empty document is
//! an error, and no message quotes the input.

use core::cell::Cell;
use core::marker::PhantomData;
use core::slice;

use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, IgnoredAny};
use serde_yaml::{Mapping, Value};

use super::budget::{self, Counted};
use super::explain;
use super::find::Find;
use super::std::format;
use super::std::prelude::rust_2024::*;
use crate::engine::path::{self, PathDisplay, Segment};
use crate::engine::{Document, Format, Layer, Limits, Place, Report, Violation};

/// Reads YAML, and so JSON, into any type that `serde` can deserialize.
///
/// Errors say line, column, field path, what was expected and what kind of thing
/// was found, never a value. The parser stops at its first mistake, so there is
/// one violation at a time.
///
/// An empty document, one of comments alone and a bare `null` are errors, also
/// where every field has a default: a file that was truncated must not switch
/// everything off. Write `{}` to ask for all defaults.
///
/// A document of one layer is parsed straight into the type. Several are merged
/// first, each over the ones before it:
///
/// | the later layer has | and the earlier one has | the result is |
/// |---|---|---|
/// | a mapping | a mapping | both, merged key by key |
/// | `null` for a key | anything, or nothing | without that key |
/// | anything else | anything, or nothing | the later one's |
///
/// Each layer has to hold a value of its own. In a merge a bare `4` or `true` is
/// no string: write it in quotes where a string is meant.
///
/// Aliases are followed, and may not stand for more than a document of the size
/// limit could hold, were they written out.
#[derive(Clone, Copy, Debug, Default)]
pub struct Yaml {
    // There may be options one day.
    _private: (),
}

impl Yaml {
    /// The format, as it is used for `Reloader::from_file`.
    #[must_use]
    pub const fn new() -> Self {
        Yaml { _private: () }
    }
}

impl<T: DeserializeOwned> Format<T> for Yaml {
    fn parse(&self, document: &Document, limits: &Limits) -> Result<T, Report> {
        let mut report = Report::new();
        for layer in document.layers() {
            if says_nothing(layer.bytes()) {
                report.push(Violation::new("", NOTHING).at(whole(layer)));
            } else if let Some(violation) = expands_too_far(layer, limits) {
                report.push(violation);
            }
        }
        if !report.is_empty() {
            return Err(report);
        }
        match document.layers() {
            // The errors themselves are of no use: they quote the input.
            [only] => serde_yaml::from_slice(only.bytes())
                .map_err(|_quotes_the_input| explain::<T>(only, REFUSED_BY_TYPE).into()),
            layers => {
                let merged = merge(layers)?;
                T::deserialize(&merged).map_err(|_quotes_the_input| {
                    mismatch::<T, _>(layers, &merged, REFUSED_BY_TYPE).into()
                })
            }
        }
    }

    fn locate(&self, document: &Document, path: &str) -> Option<Place> {
        let path = path::parse(path)?;
        find(document.layers(), &path).place
    }
}

const NOTHING: &str = "holds no value, only comments or nothing";
const TOO_MANY_ALIASES: &str = "its aliases (`*name`) expand to too much";

/// What a type's own code says may quote the value.
const REFUSED_BY_TYPE: &str =
    "refused by its type (the reason is not repeated here: it may quote the value)";

/// What is wrong if aliases stand for more than a document at the size limit
/// could hold, or if that cannot be told. The scan for their two marks is only a
/// hint; the count is exact.
fn expands_too_far(layer: &Layer, limits: &Limits) -> Option<Violation> {
    let bytes = layer.bytes();
    if !(bytes.contains(&b'&') && bytes.contains(&b'*')) {
        return None;
    }
    // A value and a byte of its text count one each, so that written out they
    // are at most two for each byte.
    let units = limits.bytes().saturating_mul(2);
    match budget::count(serde_yaml::Deserializer::from_slice(bytes), units) {
        Counted::Within => None,
        Counted::TooFar => Some(Violation::new("", TOO_MANY_ALIASES).at(whole(layer))),
        Counted::Failed(error) => Some(syntax(layer).unwrap_or_else(|| {
            let unknown = "its aliases cannot be counted past this place";
            let message = resource_limit(&error).unwrap_or(unknown);
            let place = place_of(&error, layer).unwrap_or_else(|| whole(layer));
            Violation::new("", message).at(place)
        })),
    }
}

/// All layers as one value, the later over the earlier.
fn merge(layers: &[Layer]) -> Result<Value, Report> {
    let mut report = Report::new();
    let mut merged = Value::Null;
    for layer in layers {
        match serde_yaml::from_slice(layer.bytes()) {
            // It would replace all of the layers before it.
            Ok(Value::Null) => report.push(Violation::new("", NOTHING).at(whole(layer))),
            Ok(value) => merge_into(&mut merged, value),
            // All that a `Value` refuses by itself is a key that it has already.
            Err(_quotes_the_input) => {
                report.push(explain::<Value>(layer, "a key is given twice"));
            }
        }
    }
    if report.is_empty() {
        return Ok(merged);
    }
    Err(report)
}

/// Depth is bounded: the parser gives no value that is nested more deeply than
/// 128 levels.
fn merge_into(base: &mut Value, over: Value) {
    let Value::Mapping(over) = over else {
        *base = over;
        return;
    };
    if !base.is_mapping() {
        // Key by key into nothing, so that a `null` in it removes here as well.
        *base = Value::Mapping(Mapping::new());
    }
    let Value::Mapping(base) = base else {
        return;
    };
    for (key, value) in over {
        if value.is_null() {
            base.remove(&key);
        } else {
            merge_into(base.entry(key).or_insert(Value::Null), value);
        }
    }
}

fn whole(layer: &Layer) -> Place {
    Place::in_origin(layer.origin().clone())
}

/// Whether there is no value in it: white space, comments, document markers,
/// directives, a bare tag or anchor, or a plain null. What is not UTF-8 may be
/// UTF-16, which YAML allows; then the parser itself is asked.
fn says_nothing(bytes: &[u8]) -> bool {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    match core::str::from_utf8(bytes) {
        Ok(text) => text.split(is_break).all(is_markup),
        Err(_) => matches!(
            serde_yaml::from_slice::<Option<IgnoredAny>>(bytes),
            Ok(None)
        ),
    }
}

/// What ends a line, and so a comment, for a YAML 1.1 parser.
fn is_break(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Whether a line has no value in it. Stops at the first token that is one.
fn is_markup(line: &str) -> bool {
    for token in line.split_ascii_whitespace() {
        match token.as_bytes() {
            [b'#' | b'%', ..] => break,
            [b'!' | b'&', ..] => {}
            b"---" | b"..." | b"~" | b"null" | b"Null" | b"NULL" => {}
            _ => return false,
        }
    }
    true
}

/// Why the layer does not give a `T`. `custom` stands in for what the type's own
/// code says.
fn explain<T: DeserializeOwned>(layer: &Layer, custom: &str) -> Violation {
    let layers = slice::from_ref(layer);
    let de = || serde_yaml::Deserializer::from_slice(layer.bytes());
    syntax(layer).unwrap_or_else(|| mismatch::<T, _>(layers, de(), custom))
}

/// What is wrong with the YAML itself, if anything is.
///
/// Nothing is deserialized here, so the texts are libyaml's own: they name the
/// construct and the place, and never quote.
fn syntax(layer: &Layer) -> Option<Violation> {
    let error = serde_yaml::from_slice::<IgnoredAny>(layer.bytes()).err()?;
    let text = error.to_string();
    let place = place_of(&error, layer);
    let message = match place.as_ref().and_then(|p| p.line().zip(p.column())) {
        // The place comes first in our errors; say it once.
        Some((line, column)) => text.replacen(&format!(" at line {line} column {column}"), "", 1),
        None if text.contains("more than one document") => {
            String::from("expected one document, found a second one after `---`")
        }
        None => text,
    };
    let place = place.unwrap_or_else(|| whole(layer));
    Some(Violation::new("", format!("not valid YAML: {message}")).at(place))
}

/// Which field does not fit the type. `de` gives what the layers give together.
fn mismatch<'de, T, D>(layers: &[Layer], de: D, custom: &str) -> Violation
where
    T: DeserializeOwned,
    D: Deserializer<'de, Error = serde_yaml::Error>,
{
    let Err((error, fault)) = explain::trace(PhantomData::<T>, de) else {
        // It failed before and does not fail now: the type is not a function of
        // its input.
        return Violation::new("", "does not fit the expected type");
    };
    // What was merged has no places of its own.
    let raised = match layers {
        [only] => place_of(&error, only).or_else(|| Some(whole(only))),
        _ => None,
    };
    let (path, message, place) = match (resource_limit(&error), fault) {
        (Some(message), _) => (String::new(), message.into(), raised),
        (None, None) => (
            String::new(),
            "does not fit the expected type".into(),
            raised,
        ),
        (None, Some(fault)) => {
            let found = find(layers, &fault.path);
            // For a key, what the path leads to is the map around it.
            let kind = found.kind.filter(|_| !fault.is_key);
            let message = fault.problem.message(kind, custom);
            // Where the parser raised its error is right for a key. For a value
            // it may be a field further out, so what was found at the very path
            // is better.
            let place = if kind.is_some() {
                found.place.or(raised)
            } else {
                raised.or(found.place)
            };
            (PathDisplay(&fault.path).to_string(), message, place)
        }
    };
    let violation = Violation::new(path, message);
    match place {
        Some(place) => violation.at(place),
        None => violation,
    }
}

/// The bounds that `serde_yaml` keeps by itself. Its text is compared, not
/// repeated.
fn resource_limit(error: &serde_yaml::Error) -> Option<&'static str> {
    let text = error.to_string();
    if text.starts_with("recursion limit exceeded") {
        return Some("nested more than 128 levels deep");
    }
    if text.starts_with("repetition limit exceeded") {
        return Some(TOO_MANY_ALIASES);
    }
    None
}

/// Where a field is, and what kind of thing it holds.
#[derive(Default)]
struct Found {
    place: Option<Place>,
    kind: Option<&'static str>,
}

/// Finds a field, or the nearest one around it, in the layer that supplied it:
/// the last one that goes as far along the path as any.
fn find(layers: &[Layer], path: &[Segment]) -> Found {
    let mut best = Found::default();
    let mut depth = 0;
    for layer in layers {
        let reached = Cell::default();
        let seed = Find {
            path,
            reached: &reached,
        };
        let de = serde_yaml::Deserializer::from_slice(layer.bytes());
        let place = seed.deserialize(de).err();
        let place = place.and_then(|error| place_of(&error, layer));
        let reached = reached.get();
        if place.is_some() && reached.depth >= depth {
            depth = reached.depth;
            let kind = reached.kind;
            best = Found { place, kind };
        }
    }
    best
}

fn place_of(error: &serde_yaml::Error, layer: &Layer) -> Option<Place> {
    let at = error.location()?;
    Some(whole(layer).at(at.line(), at.column()))
}
