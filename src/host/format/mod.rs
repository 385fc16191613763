//! Files as values: YAML, and JSON and TOML where these features are on. It adds what
//! a configuration needs: layers, an empty document is an error, and no message quotes
//! the input. The parsers are named in `syntax.rs` alone.

mod budget;
mod find;
mod guide;
mod scan;
mod syntax;
mod tree;
mod words;

use core::cell::RefCell;
use core::marker::PhantomData;

use serde::de::{DeserializeOwned, Deserializer};

use super::secret;
use super::std::prelude::rust_2024::*;
use super::std::{format, vec};
use crate::engine::path::{self, PathDisplay, Segment};
use crate::engine::{
    Content, Document, Format, Inspector, Layer, Leaf, Limits, Notes, Place, Report, Violation,
    affordable_places,
};
use budget::Counted;
use guide::{Caught, Fault, Guide, Tracked};
use scan::TooMuch;
use syntax::{Refused, Seeded, Syntax, Task};
use tree::{Build, Flaw, Letters, Node};

pub(crate) use syntax::{is_more_than_letters, write};

/// Reads YAML, and so JSON, into any type that `serde` can deserialize. With the
/// feature `toml`, files whose names end in `.toml` are read as TOML; with `json`,
/// those that end in `.json` by a JSON parser.
///
/// Errors say line, column, field path, what was expected and what kind of thing
/// was found, never a value. The parser stops at its first mistake, so there is
/// one violation at a time, and the keys besides that no field takes.
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
/// Each layer has to hold a value of its own, unless it is optional. What was merged
/// reads like one file: a bare `4` is a number or a string, as the type asks.
///
/// YAML's merge keys (`<<: *defaults`) work. A key that is given twice is an error,
/// also where the type would take the last.
///
/// Aliases are followed, and all they stand for counts: see
/// [`Limits::max_values`].
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
    fn parse(&self, document: &Document, limits: &Limits, notes: &mut Notes) -> Result<T, Report> {
        bounds(document, limits)?;
        let guide = Guide::default();
        let secrets = secret::read_so_far();
        let parsed = match document.layers() {
            [only] if is_plain(only) => {
                let task = Typed::<T>(&guide, PhantomData);
                syntax::run(only, task).map_err(|refused| explain(only, &refused, &guide))
            }
            layers => merge(layers).and_then(|tree| {
                let value = T::deserialize(guide.along(&tree));
                value.map_err(|caught| {
                    guide.caught(caught);
                    mismatch(layers, None, guide.taken())
                })
            }),
        };
        note(
            document,
            &guide,
            secret::read_so_far().wrapping_sub(secrets),
            notes,
        );
        parsed.map_err(Report::from)
    }

    fn inspector(&self) -> Option<Inspector> {
        Some(Inspector::new(find::locate, leaves))
    }
}

const NOTHING: &str = "holds no value, only comments or nothing";
const TOO_MANY_ALIASES: &str = "its aliases (`*name`) expand to too much";

/// What a type's own code says may quote the value.
const REFUSED_BY_TYPE: &str =
    "refused by its type (the reason is not repeated here: it may quote the value)";

/// A layer that can be parsed straight into a type. Merge keys are nothing that a
/// type knows of; most texts with `<<` in them hold none, but a script.
fn is_plain(layer: &Layer) -> bool {
    if *layer.content() != Content::Document {
        return false;
    }
    let bytes = layer.bytes();
    let merge_key = || bytes.contains(&b'<') && bytes.windows(2).any(|pair| pair == b"<<");
    if Syntax::of(layer) != Syntax::Yaml || !merge_key() {
        return true;
    }
    let flaw = RefCell::default();
    let tree = syntax::run(layer, Seeded(build(layer, &flaw)));
    // What is wrong with it is the type's to say.
    !tree.is_ok_and(|tree| tree.has_merge_key())
}

fn build<'k>(layer: &Layer, flaw: &'k RefCell<Option<Flaw>>) -> Build<'k> {
    Build {
        flaw,
        keys_are_letters: Syntax::of(layer) != Syntax::Yaml,
    }
}

/// Parsing into a type, with a guide.
struct Typed<'g, T>(&'g Guide, PhantomData<T>);

impl<T: DeserializeOwned> Task for Typed<'_, T> {
    type Value = T;

    fn run<'de, D: Deserializer<'de>>(self, de: D) -> Result<T, D::Error> {
        let tracked: Tracked<'_, D> = self.0.along(de);
        T::deserialize(tracked).map_err(|caught: Caught<D::Error>| self.0.caught(caught))
    }
}

/// What is wrong before anything is built: a layer says nothing, or asks for too
/// much.
fn bounds(document: &Document, limits: &Limits) -> Result<(), Report> {
    let mut report = Report::new();
    let mut room = Room {
        limits: *limits,
        left: limits.values(),
        one_layer: document.layers().len() == 1,
    };
    for layer in document.layers() {
        if *layer.content() != Content::Document {
            continue;
        }
        let silent = says_nothing(layer.bytes());
        if silent && !layer.is_optional() {
            report.push(Violation::new("", NOTHING).at(whole(layer)));
        }
        if let (false, Some(violation)) = (silent, asks_too_much(layer, &mut room)) {
            report.push(violation);
        }
    }
    if report.is_empty() {
        return Ok(());
    }
    Err(report)
}

/// What may still be built.
struct Room {
    limits: Limits,
    /// So many values.
    left: usize,
    /// Nothing comes after it, so that a glance may be enough.
    one_layer: bool,
}

impl Room {
    fn too_many(&self) -> Violation {
        let max = self.limits.values();
        Violation::new("", format!("more than the limit of {max} values and keys"))
    }

    fn take(&mut self, values: usize) {
        self.left = self.left.saturating_sub(values);
    }
}

fn asks_too_much(layer: &Layer, room: &mut Room) -> Option<Violation> {
    if Syntax::of(layer) != Syntax::Yaml {
        // Its parser keeps its own bound of depth.
        return match budget::count(layer, room.left, room.limits.bytes()) {
            Counted::TooFar => Some(room.too_many().at(whole(layer))),
            Counted::Within(values) => {
                room.take(values);
                None
            }
            Counted::Failed(_) => None,
        };
    }
    let bytes = layer.bytes();
    if room.one_layer && !may_have_aliases(bytes) && scan::is_small(bytes, room.left) {
        return None;
    }
    match scan::count(bytes, room.left) {
        Err(TooMuch::Depth { at: (line, column) }) => {
            let place = whole(layer).at(line, column);
            Some(Violation::new("", "nested more than 128 levels deep").at(place))
        }
        Err(TooMuch::Values { at: (line, column) }) => {
            Some(room.too_many().at(whole(layer).at(line, column)))
        }
        Ok(asks) if asks.aliases => expands_too_far(layer, room),
        Ok(asks) => {
            room.take(asks.values);
            None
        }
    }
}

/// A hint: aliases need both of these marks, which may also be in text.
fn may_have_aliases(bytes: &[u8]) -> bool {
    bytes.contains(&b'&') && bytes.contains(&b'*')
}

/// What is wrong if aliases stand for more than there is room for, or if that cannot
/// be told. This count is exact.
fn expands_too_far(layer: &Layer, room: &mut Room) -> Option<Violation> {
    match budget::count(layer, room.left, room.limits.bytes()) {
        Counted::Within(values) => {
            room.take(values);
            None
        }
        Counted::TooFar => Some(Violation::new("", TOO_MANY_ALIASES).at(whole(layer))),
        Counted::Failed(refused) => Some(syntax::fault(layer).unwrap_or_else(|| {
            let unknown = "its aliases cannot be counted past this place";
            let message = refused.limit.unwrap_or(unknown);
            let place = refused.place.unwrap_or_else(|| whole(layer));
            Violation::new("", message).at(place)
        })),
    }
}

/// All layers as one tree, the later over the earlier.
fn merge(layers: &[Layer]) -> Result<Node, Violation> {
    if let [only] = layers {
        // A null in it removes nothing.
        return tree_of(only);
    }
    let mut merged = Node::null();
    for layer in layers {
        if *layer.content() == Content::Document && says_nothing(layer.bytes()) {
            continue;
        }
        let tree = tree_of(layer)?;
        // It would replace all of the layers before it.
        if tree.is_null() && *layer.content() == Content::Document {
            return Err(Violation::new("", NOTHING).at(whole(layer)));
        }
        merged.merge(tree);
    }
    Ok(merged)
}

/// One layer as a tree of a whole document.
fn tree_of(layer: &Layer) -> Result<Node, Violation> {
    let at = match layer.content() {
        Content::Document => return document_tree(layer),
        Content::Field(at) | Content::Text(at) => at,
    };
    let node = match layer.content() {
        Content::Text(_) => match core::str::from_utf8(layer.bytes()) {
            Ok(text) => Node::text(text),
            Err(_) => {
                let violation = Violation::new(at.to_string(), "expected text, found other bytes");
                return Err(violation.at(whole(layer)));
            }
        },
        _ => document_tree(layer)?,
    };
    let placed = path::parse(at).and_then(|path| node.at(&path));
    placed.ok_or_else(|| {
        let message = "cannot be set by itself: a list is replaced as a whole";
        Violation::new(at.to_string(), message).at(whole(layer))
    })
}

fn document_tree(layer: &Layer) -> Result<Node, Violation> {
    let flaw = RefCell::default();
    let flawed = |refused| flawed(layer, &refused, &flaw);
    let mut tree = syntax::run(layer, Seeded(build(layer, &flaw))).map_err(flawed)?;
    if Syntax::of(layer) != Syntax::Yaml {
        return Ok(tree);
    }
    let letters = Letters {
        node: &mut tree,
        flaw: &flaw,
    };
    syntax::run(layer, Seeded(letters)).map_err(flawed)?;
    let mut path = Vec::new();
    if tree.resolve_merge_keys(&mut path).is_err() {
        let message = "expected a mapping, or a list of mappings, to merge";
        let violation = Violation::new(PathDisplay(&path).to_string(), message);
        let found = find::field(core::slice::from_ref(layer), &path);
        return Err(violation.at(found.map_or_else(|| whole(layer), |found| found.place)));
    }
    Ok(tree)
}

/// Why a layer is no tree.
fn flawed(layer: &Layer, refused: &Refused, flaw: &RefCell<Option<Flaw>>) -> Violation {
    let flaw = flaw.borrow();
    if let (None, Some(fault)) = (&*flaw, syntax::fault(layer)) {
        return fault;
    }
    let message = match &*flaw {
        Some(Flaw::Twice(key)) => format!("the key `{key}` is given twice"),
        Some(Flaw::NoScalar) => String::from("a list or a mapping cannot be a key in a merge"),
        Some(Flaw::Long) => format!("a key of more than {} bytes", tree::MAX_KEY),
        None => refused.limit.unwrap_or("does not fit its tag").into(),
    };
    let place = refused.place.clone().unwrap_or_else(|| whole(layer));
    Violation::new("", message).at(place)
}

/// All fields that hold no others, after everything is merged.
fn leaves(document: &Document) -> Vec<Leaf> {
    merge(document.layers()).map_or(vec![], |tree| tree.leaves())
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
        Err(_) => syntax::holds_nothing(bytes),
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

/// Why the layer does not give the type that was asked for.
fn explain(layer: &Layer, refused: &Refused, guide: &Guide) -> Violation {
    if let Some(violation) = syntax::fault(layer) {
        return violation;
    }
    mismatch(core::slice::from_ref(layer), Some(refused), guide.taken())
}

/// Which field does not fit the type. `refused` is what the parser said, where it was
/// one that did.
fn mismatch(layers: &[Layer], refused: Option<&Refused>, fault: Option<Fault>) -> Violation {
    // What was merged has no places of its own.
    let raised = refused.and_then(|refused| refused.place.clone());
    let fallback = || match layers {
        [only] => Some(whole(only)),
        _ => None,
    };
    let at = |violation: Violation, place: Option<Place>| match place.or_else(fallback) {
        Some(place) => violation.at(place),
        None => violation,
    };
    if let Some(limit) = refused.and_then(|refused| refused.limit) {
        return at(Violation::new("", limit), raised);
    }
    let Some(fault) = fault else {
        return at(Violation::new("", "does not fit the expected type"), raised);
    };
    if let Some(twice) = fault.given_twice() {
        return at(twice, second_place(layers));
    }
    if let Some(path) = fault.unknown_key() {
        let violation = fault.violation(None, REFUSED_BY_TYPE);
        return at(violation, find::key(layers, path).or(raised));
    }
    let found = find::field(layers, &fault.path);
    let (place, kind) = found.map_or((None, None), |found| (Some(found.place), found.kind));
    // For a key, what the path leads to is the map around it.
    let kind = kind.filter(|_| !fault.is_key);
    let violation = fault.violation(kind, REFUSED_BY_TYPE);
    // Where the parser raised its error is right for a key. For a value it may be a
    // field further out, so what was found at the very path is better.
    let place = if kind.is_some() {
        place.or(raised)
    } else {
        raised.or(place)
    };
    at(violation, place)
}

/// Where a key is given for the second time.
fn second_place(layers: &[Layer]) -> Option<Place> {
    let [only] = layers else {
        return None;
    };
    document_tree(only).err()?.place().cloned()
}

/// Hands on what the guide noted.
fn note(document: &Document, guide: &Guide, secrets: usize, notes: &mut Notes) {
    let text = |path: &[Segment]| PathDisplay(path).to_string();
    let places = affordable_places(document);
    let unknown_keys = guide.unknown_keys();
    if unknown_keys.len() >= guide::MAX_NOTED || guide.noted_too_much() {
        notes.secrets_without_a_path();
    }
    for (index, unknown) in unknown_keys.into_iter().enumerate() {
        // Nobody vouches for what it holds: it may be a misspelt secret.
        notes.secret(text(&unknown.path));
        let message = match unknown.like {
            Some(name) => format!("unknown key; did you mean `{name}`?"),
            None => String::from("unknown key"),
        };
        let violation = Violation::new(text(&unknown.path), message);
        let place = (index < places).then(|| find::key(document.layers(), &unknown.path));
        notes.unknown_key(match place.flatten() {
            Some(place) => violation.at(place),
            None => violation,
        });
    }
    let seen = guide.secrets();
    // `serde` reads flattened and untagged types behind the guide's back.
    if seen.len() < secrets {
        notes.secrets_without_a_path();
    }
    seen.iter().for_each(|path| notes.secret(text(path)));
}
