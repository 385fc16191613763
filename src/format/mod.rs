//! Documents as values: YAML, and JSON and TOML where these features are on. Each layer
//! is read once, into a tree that knows all places; layers are laid over each other;
//! and the type is read from that. No message quotes the input.
//!
//! It needs `alloc` and `serde`: no I/O, clock, thread, lock or log.

mod access;
mod de;
mod diff;
mod effective;
mod error;
#[cfg(feature = "yaml")]
mod faults;
mod grow;
#[cfg(feature = "json")]
mod json;
mod loose;
mod mask;
mod merge;
mod reader;
mod scalar;
pub(crate) mod secret;
#[cfg(feature = "toml")]
mod toml;
mod tree;
mod words;
mod write;
#[cfg(feature = "yaml")]
mod yaml;

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::Any;
use core::fmt;

use serde::de::DeserializeOwned;

use crate::Report;
use crate::engine::path;
use crate::engine::{
    Content, Document, Format, Inspect, Language, Layer, Limits, Located, Masks, Naming, Notes,
};
use crate::report::{Difference, Place, Problem};
use grow::{Builder, Flaw, MAX_DEPTH, MAX_KEY, Room};
use merge::Laid;
use reader::{Reader, UnknownKey};
use tree::{At, Facts, Id, Style, Tree};

/// Reads YAML, and so JSON, into any type that `serde` can deserialize. With the
/// feature `toml`, layers whose names end in `.toml` are read as TOML; with `json`,
/// those that end in `.json` by a JSON reader, which is stricter.
///
/// Errors say line, column, field path, what was expected and what kind of thing
/// was found, never a value. The reader stops at its first mistake, so there is
/// one problem at a time, and the keys besides that no field takes.
///
/// An empty document, one of comments alone and a bare `null` are errors, also
/// where every field has a default: a file that was truncated must not switch
/// everything off. Write `{}` to ask for all defaults.
///
/// Several layers are merged, each over the ones before it:
///
/// | the later layer has | and the earlier layers have | the result is |
/// |---|---|---|
/// | a mapping | a mapping | both, merged key by key |
/// | `null` or `~` for a key | anything, or nothing | without that key |
/// | a key with nothing after it | that key | the earlier one's |
/// | anything else | anything, or nothing | the later one's |
///
/// What was merged reads exactly like one file. Each layer has to hold a value of its
/// own, unless it is optional.
///
/// YAML's merge keys (`<<: *defaults`) work. A key that is given twice is an error.
/// Aliases are followed, and all they stand for counts: see
/// [`Limits::max_values`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Yaml {
    // There may be options one day.
    _private: (),
}

impl Yaml {
    /// Returns the format, as `Reloader::from_file` uses it.
    #[must_use]
    pub const fn new() -> Self {
        Yaml { _private: () }
    }
}

impl<T: DeserializeOwned> Format<T> for Yaml {
    fn parse(&self, document: &Document, limits: &Limits, notes: &mut Notes) -> Result<T, Report> {
        let mut tree = read(document, limits)?;
        let root = tree.root.ok_or_else(|| Problem::new("", NOTHING))?;
        let reader = Reader::new(&tree, &notes.masks);
        let value = reader.read::<T>(root);
        let mut noted = reader.into_noted();
        let value = value.map_err(|mut error| {
            noted.unknown.append(&mut error.0.unknown);
            // It has a place: the root's, if no other.
            let placed = error.0.placed.take();
            let problem = placed.map(|placed| {
                Problem::new(placed.path, placed.message).at(place(document, placed.at))
            });
            problem.unwrap_or_else(|| Problem::new("", "does not fit the expected type"))
        });
        for UnknownKey { path, at, message } in noted.unknown {
            notes.unknown_key(Problem::new(path, message).at(place(document, at)));
        }
        // What a type decided holds for all that is asked of the tree later.
        for (id, items) in noted.lists {
            tree.make_list(id, items);
        }
        for (key, field) in noted.hidden.take_fields() {
            tree.rename(key, field);
        }
        tree.hidden = noted.hidden;
        tree.shrink();
        notes.tree = Some(Arc::new(tree));
        Ok(value?)
    }
}

impl Inspect for Tree {
    fn locate(&self, document: &Document, path: &str) -> Option<Located> {
        let path = path::parse(path)?;
        let (id, depth) = self.find(self.root?, &path);
        Some(Located {
            place: place(document, self.node(id).at),
            exact: depth == path.len(),
        })
    }

    fn differences(&self, old: &dyn Inspect, masks: &Masks) -> Option<Vec<Difference>> {
        let old = old.as_any().downcast_ref::<Tree>()?;
        Some(diff::differences([old, self], masks))
    }

    fn changed_paths(&self, old: &dyn Inspect, most: usize) -> Option<(Vec<String>, usize)> {
        let old = old.as_any().downcast_ref::<Tree>()?;
        Some(diff::changed_paths([old, self], most))
    }

    fn write_effective(
        &self,
        document: &Document,
        masks: &Masks,
        out: &mut dyn fmt::Write,
    ) -> fmt::Result {
        effective::write(self, document, masks, out)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

const NOTHING: &str = "holds no value, only comments or nothing";
const NOT_UTF_8: &str = "not UTF-8";
const TWO_MARKS: &str = "begins with two byte order marks (U+FEFF); remove one";
const BYTE_ORDER_MARK: &str = "\u{feff}";

/// Reads all layers as one tree, the later over the earlier.
fn read(document: &Document, limits: &Limits) -> Result<Tree, Report> {
    let mut tree = Tree::for_bytes(document.len());
    let mut room = Room {
        values: limits.values(),
        bytes: limits.bytes(),
    };
    let mut report = Report::new();
    let mut layers = Vec::new();
    for (index, layer) in document.layers().iter().enumerate() {
        tree.layers.push(Facts {
            is_secret: layer.is_secret(),
            naming: layer.naming(),
        });
        match read_layer(layer, index as u32, &mut room, &mut tree) {
            Ok(id) => layers.push(Laid {
                id,
                is_first: layers.is_empty(),
            }),
            Err(Flaw::Nothing) if layer.is_optional() => {}
            Err(flaw) => report.push(problem(document, index, limits, flaw)),
        }
    }
    if !report.is_empty() {
        return Err(report);
    }
    tree.root = tree.merge(&layers);
    Ok(tree)
}

/// Reads one layer as a whole document.
fn read_layer(layer: &Layer, index: u32, room: &mut Room, tree: &mut Tree) -> Result<Id, Flaw> {
    let at = At {
        layer: index,
        byte: 0,
    };
    let text = text_of(layer, at)?;
    let (path, id) = match layer.content() {
        Content::Document => return parse(layer, text, index, Builder::new(tree, room)),
        Content::Text(path) => {
            let mut builder = Builder::new(tree, room);
            builder.scalar(text, Style::Text, grow::Head::at(at))?;
            (path, builder.finish()?)
        }
        Content::Field(path) => {
            let id = match field(layer, text, index, Builder::new(tree, room)) {
                Err(Flaw::Nothing) => tree.add_scalar("null", Style::Plain, at),
                id => id?,
            };
            (path, id)
        }
    };
    if let Naming::Loose { list: Some(list) } = layer.naming() {
        loose::add_list(list, room, tree, id);
    }
    let path = path::parse(path).ok_or(Flaw::NoPath)?;
    if path.len() >= MAX_DEPTH {
        return Err(Flaw::TooDeep(at));
    }
    tree.put_at(&path, id).ok_or(Flaw::NoPath)
}

/// Returns the text of a layer, without a byte order mark.
fn text_of(layer: &Layer, at: At) -> Result<&str, Flaw> {
    let bytes = layer.bytes();
    if let [0xff, 0xfe, ..] | [0xfe, 0xff, ..] = bytes {
        return Err(Flaw::Utf16);
    }
    match core::str::from_utf8(bytes) {
        Ok(text) => {
            let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
            // One is a habit of editors. After it, readers disagree on what it means.
            match text.starts_with(BYTE_ORDER_MARK) {
                true => Err(Flaw::Text(TWO_MARKS.into(), at)),
                false => Ok(text),
            }
        }
        Err(error) => {
            let byte = text_before(bytes, error.valid_up_to()).len() as u32;
            Err(Flaw::Text(NOT_UTF_8.into(), At { byte, ..at }))
        }
    }
}

/// Reads the value of one field: YAML, or, without that, a scalar in one word.
fn field(layer: &Layer, text: &str, index: u32, tree: Builder<'_>) -> Result<Id, Flaw> {
    #[cfg(feature = "yaml")]
    return parse(layer, text, index, tree);
    #[cfg(not(feature = "yaml"))]
    {
        let (_, mut tree) = (layer, tree);
        let at = At {
            layer: index,
            byte: 0,
        };
        tree.scalar(text, Style::Plain, grow::Head::at(at))?;
        tree.finish()
    }
}

fn parse(layer: &Layer, text: &str, index: u32, mut tree: Builder<'_>) -> Result<Id, Flaw> {
    match language(layer) {
        #[cfg(feature = "yaml")]
        Language::Yaml => yaml::read(text, index, &mut tree)?,
        #[cfg(not(feature = "yaml"))]
        Language::Yaml => return Err(Flaw::NoReader("YAML", "yaml")),
        #[cfg(feature = "toml")]
        Language::Toml => toml::read(text, index, &mut tree)?,
        #[cfg(not(feature = "toml"))]
        Language::Toml => return Err(Flaw::NoReader("TOML", "toml")),
        #[cfg(feature = "json")]
        Language::Json => json::read(text, index, &mut tree)?,
        #[cfg(not(feature = "json"))]
        Language::Json => return Err(Flaw::NoReader("JSON", "json")),
    }
    tree.finish()
}

/// Returns the language of a layer: the one that was said, or by what its name ends in. A
/// variable's name says nothing.
fn language(layer: &Layer) -> Language {
    if *layer.content() != Content::Document {
        return Language::Yaml;
    }
    let ending = layer.origin().rsplit_once('.').map(|(_, ending)| ending);
    layer.own_language().unwrap_or(match ending {
        Some("toml") => Language::Toml,
        // Without a reader of its own, it is the YAML that it is, too.
        Some("json") if cfg!(feature = "json") => Language::Json,
        _ => Language::Yaml,
    })
}

/// Returns what is said of a flaw.
fn problem(document: &Document, index: usize, limits: &Limits, flaw: Flaw) -> Problem {
    let layer = &document.layers()[index];
    let path = match layer.content() {
        Content::Field(path) | Content::Text(path) => String::from(&**path),
        _ => String::new(),
    };
    let place = match flaw.at() {
        Some(at) => place(document, at),
        None => Place::in_origin(layer.origin().clone()),
    };
    let message = match flaw {
        Flaw::Nothing => NOTHING.into(),
        Flaw::Utf16 => "this is UTF-16; save it as UTF-8".into(),
        Flaw::NoPath if path::parse(&path).is_none() => "this is no path to a field".into(),
        Flaw::NoPath => "cannot be set by itself: a list is replaced as a whole".into(),
        Flaw::NoReader(language, feature) => {
            format!("this is {language}, which needs the feature `{feature}` of steadyconf")
        }
        Flaw::TooDeep(_) => format!("nested more than {MAX_DEPTH} levels deep"),
        Flaw::TooMany(_) => {
            let most = limits.values();
            format!("more than the limit of {most} values and keys")
        }
        Flaw::TooLarge(_) => "its aliases (`*name`) expand to too much".into(),
        Flaw::LongKey(_) => format!("a key of more than {MAX_KEY} bytes"),
        Flaw::Twice(first, ..) => given_twice(document, first),
        Flaw::NoMap(..) => "expected a mapping, or a list of mappings, after `<<`".into(),
        Flaw::Text(message, _) => match layer.content() {
            Content::Document => {
                let language = language(layer);
                format!("not valid {}: {message}", words::language(language))
            }
            _ if message == NOT_UTF_8 => "expected text, found other bytes".into(),
            _ => message,
        },
    };
    Problem::new(path, message).at(place)
}

/// The key is not repeated: it may be one of a map of secrets.
fn given_twice(document: &Document, first: At) -> String {
    let first = place(document, first);
    let first = match (first.line(), first.column()) {
        (Some(line), Some(column)) => format!("; the first is at line {line} column {column}"),
        _ => String::new(),
    };
    format!("this key is given twice{first}")
}

/// Returns a place for people. The line of a single value says nothing.
fn place(document: &Document, at: At) -> Place {
    let layer = &document.layers()[at.layer as usize];
    let place = Place::in_origin(layer.origin().clone());
    if *layer.content() != Content::Document {
        return place;
    }
    let text = text_before(layer.bytes(), usize::MAX);
    let (line, column) = line_and_column(text, at.byte as usize);
    place.at(line, column)
}

/// Returns the text before a byte, as far as it is text, without a byte order mark.
fn text_before(bytes: &[u8], end: usize) -> &str {
    let bytes = &bytes[..end.min(bytes.len())];
    let text = match core::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => core::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default(),
    };
    text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text)
}

/// Returns the line and the column of a byte, both from 1, the column in characters.
fn line_and_column(text: &str, at: usize) -> (usize, usize) {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    let before = &text[..at];
    let start = before.rfind('\n').map_or(0, |end| end + 1);
    let line = 1 + before.bytes().filter(|byte| *byte == b'\n').count();
    (line, 1 + before[start..].chars().count())
}

/// Returns whether a text, all of it, is a number, a boolean, null in so many words, or
/// a string in quotes. Anything else is a string, whatever signs are in it: `#ff0000`,
/// `&Passw0rd`, `!root`.
#[cfg(feature = "std")]
pub(crate) fn is_more_than_text(text: &str) -> bool {
    #[cfg(feature = "yaml")]
    let is_in_quotes = yaml::unquoted(text).is_some();
    #[cfg(not(feature = "yaml"))]
    let is_in_quotes = false;
    !text.is_empty() && !scalar::is_string(text) || is_in_quotes
}
