//! The active configuration as YAML, with the origin of every line. What must not be
//! shown is masked as in a diff; so are keys that equal a secret.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::{self, Write};

use super::diff::collect_secrets;
use super::mask::REDACTED;
use super::tree::{At, Id, Kind, Tree, pairs};
use super::write::{block, is_raw, quoted, tag, written};
use super::{line_and_column, text_before, words};
use crate::engine::path::Segment;
use crate::engine::{Content, Covered, Document, Layer, Masks};
use crate::report::Place;

/// An alias costs one letter, and stands for much.
const MAX_OUTPUT: usize = 8 * 1024 * 1024;
const LEFT_OUT: &str = "# The rest is left out: it is more than 8 MiB.\n";

/// Comments begin here, where there is room.
const COLUMN: usize = 32;

/// A longer key stands behind a `?`: readers look for its colon within 1024 characters.
const LONG_KEY: usize = 1000;

/// Writes a tree that was read from a document.
pub(super) fn write(
    tree: &Tree,
    document: &Document,
    masks: &Masks,
    out: &mut dyn Write,
) -> fmt::Result {
    let Some(root) = tree.root else {
        return Ok(());
    };
    let mut secrets = BTreeSet::new();
    collect_secrets(tree, root, &masks.start(), false, &mut secrets);
    let mut writer = Writer {
        tree,
        secrets,
        origins: document.layers().iter().map(Origin::of).collect(),
        out,
        room: Some(MAX_OUTPUT),
        line: String::new(),
    };
    let spot = Spot {
        covered: &masks.start(),
        hidden: false,
        indent: 0,
        in_line: true,
    };
    let done = writer.node(root, spot);
    match writer.room {
        Some(_) => done,
        None => writer.out.write_str(LEFT_OUT),
    }
}

struct Writer<'w> {
    tree: &'w Tree,
    secrets: BTreeSet<&'w str>,
    /// One for each layer.
    origins: Vec<Origin<'w>>,
    out: &'w mut dyn Write,
    /// `None`: something had no room.
    room: Option<usize>,
    /// The line that is being written.
    line: String,
}

/// Where a node is written.
#[derive(Clone, Copy)]
struct Spot<'s> {
    covered: &'s Covered<'s>,
    hidden: bool,
    /// Where the lines of its children begin.
    indent: usize,
    /// Whether its first child may stand in the same line: `- name: x`.
    in_line: bool,
}

impl Writer<'_> {
    fn node(&mut self, id: Id, mut spot: Spot<'_>) -> fmt::Result {
        let (tree, node) = (self.tree, self.tree.node(id));
        spot.hidden |= spot.covered.is_masked || tree.hidden.has(tree, id);
        let is_secret = |text| self.secrets.contains(text);
        let is_masked = spot.hidden || tree.scalar(id).is_some_and(is_secret);
        let name = tree.variant(id).filter(|name| !is_secret(*name));
        if let Some(name) = name.filter(|_| !is_masked) {
            self.put(&tag(name));
            spot.in_line = false;
        }
        match node.kind {
            Kind::List(ids) | Kind::Map(ids) if !ids.is_empty() => {
                if !spot.in_line {
                    self.end(node.at, "")?;
                }
                return match node.kind {
                    Kind::Map(_) => self.entries(tree.children(ids), spot),
                    _ => self.items(tree.children(ids), spot),
                };
            }
            _ if is_masked => self.put(&quoted(REDACTED)),
            Kind::List(_) => self.put("[]"),
            Kind::Map(_) => self.put("{}"),
            Kind::Scalar(text, _) => {
                if let Some((sign, lines)) = block(tree.text(text), spot.indent) {
                    self.put(sign);
                    return self.end(node.at, &lines);
                }
                self.put(&written(tree, id));
            }
        }
        self.end(node.at, "")
    }

    fn items(&mut self, ids: &[Id], spot: Spot<'_>) -> fmt::Result {
        for (index, id) in ids.iter().enumerate() {
            self.begin(index, spot);
            self.put("-");
            let item = Spot {
                covered: &spot.covered.then(&Segment::Index(index)),
                indent: spot.indent + 2,
                in_line: true,
                ..spot
            };
            self.node(*id, item)?;
        }
        Ok(())
    }

    fn entries(&mut self, ids: &[Id], spot: Spot<'_>) -> fmt::Result {
        for (index, (key, value)) in pairs(ids).enumerate() {
            self.begin(index, spot);
            let covered = &spot.covered.then(&self.tree.segment(key));
            let under = Spot {
                covered,
                hidden: spot.hidden || self.tree.hidden.has_under(self.tree, key),
                indent: spot.indent + 2,
                in_line: false,
            };
            let name = self.key(key, under.hidden || covered.is_masked);
            // So that no two of them are the same.
            let numbered = |name| quoted(&format!("{name} #{}", index + 1));
            let name = name.unwrap_or_else(numbered);
            if name.chars().count() > LONG_KEY {
                self.put(&format!("? {name}"));
                self.end(self.tree.node(value).at, "")?;
                self.begin(1, spot);
            } else {
                self.put(&name);
            }
            self.line.push(':');
            self.node(value, under)?;
        }
        Ok(())
    }

    /// Returns a key as it is written, or else what is shown in its place.
    fn key(&self, key: Id, is_masked: bool) -> Result<String, String> {
        let tree = self.tree;
        let mut shown = tree.hidden.segment(tree, key);
        if self.secrets.contains(&*shown) {
            shown = REDACTED.into();
        }
        if is_masked {
            shown = words::cut_key(&shown);
        }
        let is_whole = tree.scalar(key) == Some(&shown) && tree.variant(key).is_none();
        match is_whole {
            true if shown.is_empty() && !tree.is_string(key) => Ok("null".into()),
            true => Ok(written(tree, key)),
            false => Err(shown),
        }
    }

    /// Begins the line of a child.
    fn begin(&mut self, index: usize, spot: Spot<'_>) {
        if index > 0 || !spot.in_line {
            self.line = " ".repeat(spot.indent);
        }
    }

    fn put(&mut self, text: &str) {
        if !text.is_empty() && !self.line.is_empty() && !self.line.ends_with(' ') {
            self.line.push(' ');
        }
        self.line.push_str(text);
    }

    /// Ends a line, and adds those that belong to it.
    fn end(&mut self, at: At, more: &str) -> fmt::Result {
        let width = self.line.chars().count();
        let spaces = COLUMN.saturating_sub(width).max(2);
        let origin = self.origins[at.layer as usize].place(at.byte as usize);
        let line = format!("{}{:spaces$}# {origin}\n{more}", self.line, "");
        self.line.clear();
        self.room = self.room.and_then(|left| left.checked_sub(line.len()));
        self.room.ok_or(fmt::Error)?;
        self.out.write_str(&line)
    }
}

/// A layer in which places are found fast.
struct Origin<'d> {
    name: Place,
    /// Empty where lines say nothing.
    text: &'d str,
    /// Of every so many characters, one.
    marks: Vec<Mark>,
}

/// A byte, and its line and column.
type Mark = (usize, usize, usize);

impl<'d> Origin<'d> {
    fn of(layer: &'d Layer) -> Self {
        let text = match layer.content() {
            Content::Document => text_before(layer.bytes(), usize::MAX),
            _ => "",
        };
        let mut marks = Vec::new();
        let mut last = (0, 1, 1);
        for (byte, _) in text.char_indices().step_by(128) {
            last = mark(text, last, byte);
            marks.push(last);
        }
        let name = Place::in_origin(layer.origin().clone());
        Origin { name, text, marks }
    }

    /// Returns what is said of a byte.
    fn place(&self, at: usize) -> String {
        let mut place = self.name.clone();
        let before = self.marks.partition_point(|(byte, ..)| *byte <= at);
        if let Some(before) = before.checked_sub(1) {
            let (_, line, column) = mark(self.text, self.marks[before], at);
            place = place.at(line, column);
        }
        place.to_string().replace(|c| !is_raw(c), "?")
    }
}

fn mark(text: &str, (byte, line, column): Mark, at: usize) -> Mark {
    match line_and_column(&text[byte..], at - byte) {
        (1, more) => (at, line, column + more - 1),
        (more, column) => (at, line + more - 1, column),
    }
}
