//! YAML, by `serde_yaml`: the only file that names it, so that another parser
//! can take its place. It adds what a configuration needs: an empty document is
//! an error, and no message quotes the input.

use core::cell::Cell;
use core::marker::PhantomData;

use serde::de::{DeserializeOwned, DeserializeSeed, IgnoredAny};

use super::explain::{self, Fault, Find};
use super::path::{self, PathDisplay, Segment};
use super::std::format;
use super::std::prelude::rust_2024::*;
use crate::engine::{Document, Format, Layer, Place, Report, Violation};

/// Reads YAML, and so JSON, into any type that `serde` can deserialize.
///
/// A document of one layer is parsed straight into the type. Errors say line,
/// column, field path, what was expected and what kind of thing was found,
/// never a value. The parser stops at its first mistake, so there is one
/// violation at a time.
///
/// An empty document, one of comments alone and a bare `null` are errors, also
/// where every field has a default: a file that was truncated must not switch
/// everything off. Write `{}` to ask for all defaults.
#[derive(Clone, Copy, Debug, Default)]
pub struct Yaml;

impl<T: DeserializeOwned> Format<T> for Yaml {
    fn parse(&self, document: &Document) -> Result<T, Report> {
        let layer = only_layer(document)?;
        if says_nothing(layer.bytes()) {
            let nothing = Violation::new("", "holds no value, only comments or nothing");
            return Err(nothing.at(Place::in_origin(layer.origin().clone())).into());
        }
        let parsed = serde_yaml::from_slice(layer.bytes());
        // The error itself is of no use: it quotes the input.
        parsed.map_err(|_quotes_the_input| explain::<T>(layer).into())
    }

    fn locate(&self, document: &Document, path: &str) -> Option<Place> {
        let layer = only_layer(document).ok()?;
        let (place, _) = find(layer, &path::parse(path)?);
        place
    }
}

fn only_layer(document: &Document) -> Result<&Layer, Violation> {
    match document.layers() {
        [only] => Ok(only),
        layers => {
            let message = format!("expected one YAML document, found {} layers", layers.len());
            Err(Violation::new("", message))
        }
    }
}

/// Whether there is no value in it: white space, comments, document markers,
/// directives, a bare tag or anchor, or a plain null. Stops at the first token
/// that is anything else.
fn says_nothing(bytes: &[u8]) -> bool {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    for line in bytes.split(|b| matches!(b, b'\n' | b'\r')) {
        let tokens = line.split(u8::is_ascii_whitespace);
        for token in tokens.filter(|token| !token.is_empty()) {
            match token {
                [b'#' | b'%', ..] => break,
                [b'!' | b'&', ..] => {}
                b"---" | b"..." | b"~" | b"null" | b"Null" | b"NULL" => {}
                _ => return false,
            }
        }
    }
    true
}

/// Why the layer does not give a `T`.
fn explain<T: DeserializeOwned>(layer: &Layer) -> Violation {
    syntax(layer).unwrap_or_else(|| mismatch::<T>(layer))
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
    let place = place.unwrap_or_else(|| Place::in_origin(layer.origin().clone()));
    Some(Violation::new("", format!("not valid YAML: {message}")).at(place))
}

/// Which field does not fit the type.
fn mismatch<T: DeserializeOwned>(layer: &Layer) -> Violation {
    let de = serde_yaml::Deserializer::from_slice(layer.bytes());
    let Err((error, fault)) = explain::trace(PhantomData::<T>, de) else {
        // It failed before and does not fail now: the type is not a function of
        // its input.
        return Violation::new("", "does not fit the expected type");
    };
    if let Some(message) = resource_limit(&error) {
        let place = place_of(&error, layer);
        let place = place.unwrap_or_else(|| Place::in_origin(layer.origin().clone()));
        return Violation::new("", message).at(place);
    }
    let Some(fault) = fault else {
        return Violation::new("", "does not fit the expected type");
    };
    let Fault { path, .. } = &fault;
    let (found, kind) = find(layer, path);
    let message = fault.problem.message(kind);
    // Where the parser raised its error is right for a key. For a value it may
    // be a field further out, so what was found at the very path is better.
    let raised = place_of(&error, layer);
    let at_the_path = kind.is_some() && !fault.is_key;
    let place = if at_the_path {
        found.or(raised)
    } else {
        raised.or(found)
    };
    let violation = Violation::new(PathDisplay(path).to_string(), message);
    violation.at(place.unwrap_or_else(|| Place::in_origin(layer.origin().clone())))
}

/// The bounds that `serde_yaml` keeps by itself. Its text is compared, not
/// repeated.
fn resource_limit(error: &serde_yaml::Error) -> Option<&'static str> {
    let text = error.to_string();
    if text.starts_with("recursion limit exceeded") {
        return Some("nested more than 128 levels deep");
    }
    if text.starts_with("repetition limit exceeded") {
        return Some("its aliases (`*name`) expand to too much");
    }
    None
}

/// Where the field is (or the nearest one around it), and what kind of thing it
/// holds.
fn find(layer: &Layer, path: &[Segment]) -> (Option<Place>, Option<&'static str>) {
    let kind = Cell::new(None);
    let seed = Find { path, kind: &kind };
    let found = seed.deserialize(serde_yaml::Deserializer::from_slice(layer.bytes()));
    let place = found.err().and_then(|error| place_of(&error, layer));
    (place, kind.get())
}

fn place_of(error: &serde_yaml::Error, layer: &Layer) -> Option<Place> {
    let at = error.location()?;
    Some(Place::in_origin(layer.origin().clone()).at(at.line(), at.column()))
}
