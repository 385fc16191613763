//! A document as a tree in which every node knows its place: in which layer it stands,
//! and where in it. How a tree grows, and within which bounds, is in `grow.rs`; how
//! layers are laid over each other, in `merge.rs`.
//!
//! All nodes are in one arena, so that nothing recurses to drop them. What an alias
//! stands for is not copied but pointed at.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

use super::mask::Hidden;
use super::scalar;
use crate::engine::path::Segment;
use crate::engine::{Naming, plain};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Id(u32);

/// Where a node begins. Lines and columns are counted when somebody asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct At {
    pub(super) layer: u32,
    pub(super) byte: u32,
}

/// A range of the tree's text or of its edges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    start: u32,
    len: u32,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    pub(super) kind: Kind,
    pub(super) tag: Tag,
    pub(super) at: At,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// The text without quotes, escapes and line folds.
    Scalar(Span, Style),
    List(Span),
    /// Keys and values in turn.
    Map(Span),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    /// Without quotes, in a language where every string has quotes (JSON, TOML).
    Typed,
    /// A date of TOML: a string, and more to a type that asks for it.
    Date,
    /// The `|` of YAML.
    Literal,
    Quoted,
    /// All of a file or a variable: a string, and a number where one is wanted.
    Text,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tag {
    None,
    /// `!name`, which names a variant of an enum.
    Own(Span),
    /// `!!int`
    Core(Core),
    Other,
}

/// The types of YAML's core schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Core {
    Bool,
    Float,
    Int,
    Map,
    Null,
    Seq,
    Str,
}

/// What makes two keys of a mapping the same: `1` and `'1'` are two keys.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key<'t> {
    Name(&'t str),
    /// A number, a boolean or null, as it is written.
    Typed(&'t str),
    /// A list or a mapping.
    Written(String),
}

impl Key<'_> {
    pub(super) fn text(&self) -> &str {
        match self {
            Key::Name(text) | Key::Typed(text) => text,
            Key::Written(text) => text,
        }
    }
}

/// What holds for all nodes of a layer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts {
    /// It holds secrets alone.
    pub(super) is_secret: bool,
    pub(super) naming: Naming,
}

#[derive(Debug, Default)]
pub(super) struct Tree {
    text: String,
    nodes: Vec<Node>,
    /// The children of all collections, each one's in a row.
    edges: Vec<Id>,
    /// `None` if no layer holds a value.
    pub(super) root: Option<Id>,
    /// What holds for all of a layer.
    pub(super) layers: Vec<Facts>,
    /// Texts that are lists where a list is wanted, and those lists.
    pub(super) lists: BTreeMap<Id, Id>,
    /// Keys of mappings that were merged with keys that are only alike: one of those, and
    /// what it alone leads to.
    pub(super) apart: BTreeMap<Id, (Id, Id)>,
    pub(super) hidden: Hidden,
}

impl Span {
    fn range(self) -> Range<usize> {
        self.start as usize..self.start as usize + self.len as usize
    }

    pub(super) fn is_empty(self) -> bool {
        self.len == 0
    }
}

impl Tree {
    /// Returns an empty tree with room for a document of so many bytes.
    pub(super) fn for_bytes(bytes: usize) -> Self {
        let mut tree = Tree::default();
        // What there is no room for will say so; here, it is only a guess.
        let _ = tree.text.try_reserve(bytes);
        let _ = tree.nodes.try_reserve(bytes / 10);
        let _ = tree.edges.try_reserve(bytes / 10);
        tree
    }

    /// Gives back the room that was not needed, where there is much: a snapshot keeps
    /// its tree.
    pub(super) fn shrink(&mut self) {
        const MUCH: usize = 1024;
        if self.nodes.capacity() - self.nodes.len() > MUCH {
            self.text.shrink_to_fit();
            self.nodes.shrink_to_fit();
            self.edges.shrink_to_fit();
        }
    }

    pub(super) fn node(&self, id: Id) -> Node {
        self.nodes[id.0 as usize]
    }

    pub(super) fn text(&self, span: Span) -> &str {
        &self.text[span.range()]
    }

    pub(super) fn children(&self, span: Span) -> &[Id] {
        &self.edges[span.range()]
    }

    /// Returns the entries of a mapping.
    pub(super) fn entries(&self, span: Span) -> impl Iterator<Item = (Id, Id)> + '_ {
        pairs(self.children(span))
    }

    /// Returns the text of a scalar.
    pub(super) fn scalar(&self, id: Id) -> Option<&str> {
        match self.node(id).kind {
            Kind::Scalar(text, _) => Some(self.text(text)),
            _ => None,
        }
    }

    /// Returns the tag that names a variant.
    pub(super) fn variant(&self, id: Id) -> Option<&str> {
        match self.node(id).tag {
            Tag::Own(name) if name.is_empty() => Some("!"),
            Tag::Own(name) => Some(self.text(name)),
            _ => None,
        }
    }

    /// Returns whether nothing is there but a tag, perhaps: `key:`. It stands for an empty
    /// list or mapping where one is wanted.
    pub(super) fn holds_nothing(&self, id: Id) -> bool {
        matches!(self.node(id).kind, Kind::Scalar(text, Style::Plain) if text.is_empty())
    }

    /// Returns whether it is a value that is left out.
    pub(super) fn is_left_out(&self, id: Id) -> bool {
        self.holds_nothing(id) && self.node(id).tag == Tag::None
    }

    /// Returns whether it is a null that somebody wrote.
    pub(super) fn is_null(&self, id: Id) -> bool {
        let node = self.node(id);
        let Kind::Scalar(text, Style::Plain | Style::Typed) = node.kind else {
            return false;
        };
        match node.tag {
            Tag::None => scalar::is_null(self.text(text)),
            tag => tag == Tag::Core(Core::Null),
        }
    }

    /// Returns whether a scalar is a string, for every caller.
    pub(super) fn is_string(&self, id: Id) -> bool {
        let node = self.node(id);
        match node.kind {
            Kind::Scalar(_, Style::Quoted | Style::Literal | Style::Date | Style::Text) => true,
            Kind::Scalar(text, _) => {
                node.tag == Tag::Core(Core::Str)
                    || matches!(node.tag, Tag::None | Tag::Own(_))
                        && scalar::is_string(self.text(text))
            }
            _ => false,
        }
    }

    /// Returns the facts of the layer that a node stands in.
    pub(super) fn facts(&self, id: Id) -> Facts {
        self.layers[self.node(id).at.layer as usize]
    }

    /// Returns whether a key matches without regard to case and signs.
    pub(super) fn is_loose(&self, id: Id) -> bool {
        matches!(self.facts(id).naming, Naming::Loose { .. })
    }

    pub(super) fn key(&self, id: Id) -> Key<'_> {
        match self.scalar(id) {
            Some(text) if self.is_string(id) && !self.is_merge_key(id) => Key::Name(text),
            Some(text) => Key::Typed(text),
            None => {
                let mut text = String::new();
                self.write(id, &mut text);
                Key::Written(text)
            }
        }
    }

    /// Returns whether it is YAML's merge key. In quotes, it is a key like any other.
    pub(super) fn is_merge_key(&self, id: Id) -> bool {
        let node = self.node(id);
        let Kind::Scalar(text, Style::Plain) = node.kind else {
            return false;
        };
        text.len == 2 && self.text(text) == "<<" && node.tag == Tag::None
    }

    pub(super) fn is_same_key(&self, a: Id, b: Id) -> bool {
        // Most keys differ in length, and that is seen fast.
        let may_be = match (self.node(a).kind, self.node(b).kind) {
            (Kind::Scalar(a, _), Kind::Scalar(b, _)) => a.len == b.len,
            _ => true,
        };
        may_be && self.scalar(a) == self.scalar(b) && self.key(a) == self.key(b)
    }

    /// Writes a node so that two nodes are written the same only if they are equal.
    fn write(&self, id: Id, out: &mut String) {
        if let Some(name) = self.variant(id) {
            out.extend(["!", name, " "]);
        }
        let mut all = |ids: &[Id], brackets: &str| {
            out.push_str(&brackets[..1]);
            for id in ids {
                self.write(*id, out);
                out.push(',');
            }
            out.push_str(&brackets[1..]);
        };
        match self.node(id).kind {
            Kind::List(items) => all(self.children(items), "[]"),
            Kind::Map(entries) => all(self.children(entries), "{}"),
            Kind::Scalar(text, _) if self.is_string(id) => {
                out.push_str(&alloc::format!("{:?}", self.text(text)));
            }
            Kind::Scalar(text, _) => out.push_str(self.text(text)),
        }
    }

    /// From now on, a node is a list of these.
    pub(super) fn make_list(&mut self, id: Id, items: Vec<Id>) {
        let items = self.add_edges(items.into_iter());
        self.nodes[id.0 as usize].kind = Kind::List(items);
    }

    /// From now on, a key is written so.
    pub(super) fn rename(&mut self, key: Id, name: &str) {
        let name = self.add_text(name);
        self.nodes[key.0 as usize].kind = Kind::Scalar(name, Style::Quoted);
    }

    pub(super) fn add_text(&mut self, text: &str) -> Span {
        let start = self.text.len() as u32;
        self.text.push_str(text);
        Span {
            start,
            len: text.len() as u32,
        }
    }

    pub(super) fn add_edges(&mut self, ids: impl Iterator<Item = Id>) -> Span {
        let start = self.edges.len() as u32;
        self.edges.extend(ids);
        Span {
            start,
            len: self.edges.len() as u32 - start,
        }
    }

    pub(super) fn add(&mut self, kind: Kind, tag: Tag, at: At) -> Id {
        self.nodes.push(Node { kind, tag, at });
        Id(self.nodes.len() as u32 - 1)
    }

    pub(super) fn add_scalar(&mut self, text: &str, style: Style, at: At) -> Id {
        let text = self.add_text(text);
        self.add(Kind::Scalar(text, style), Tag::None, at)
    }

    fn add_map(&mut self, entries: &[(Id, Id)], tag: Tag, at: At) -> Id {
        let edges = self.add_edges(entries.iter().flat_map(|(key, value)| [*key, *value]));
        self.add(Kind::Map(edges), tag, at)
    }

    /// Puts a node at a path, in mappings of one key each. `None` if the path leads
    /// into a list.
    pub(super) fn put_at(&mut self, path: &[Segment], id: Id) -> Option<Id> {
        let at = self.node(id).at;
        path.iter().rev().try_fold(id, |id, segment| {
            let Segment::Key(key) = segment else {
                return None;
            };
            let key = self.add_scalar(key, Style::Quoted, at);
            Some(self.add_map(&[(key, id)], Tag::None, at))
        })
    }

    /// Returns whether it is a mapping, and not one that a tag makes a variant.
    pub(super) fn is_plain_map(&self, id: Id) -> bool {
        let node = self.node(id);
        matches!(node.kind, Kind::Map(_)) && !matches!(node.tag, Tag::Own(_))
    }

    /// Returns the entries of a mapping; none of anything else.
    pub(super) fn map_entries(&self, id: Id) -> impl Iterator<Item = (Id, Id)> + '_ {
        let span = match self.node(id).kind {
            Kind::Map(entries) => entries,
            _ => Span::default(),
        };
        self.entries(span)
    }

    /// Returns the node at a path, or the nearest one around it, and how many segments
    /// lead there.
    pub(super) fn find(&self, root: Id, path: &[Segment]) -> (Id, usize) {
        let mut here = root;
        for (depth, segment) in path.iter().enumerate() {
            let next = match (self.node(here).kind, segment) {
                (Kind::Map(entries), Segment::Key(name)) => {
                    let mut entries = self.entries(entries);
                    let is_it = |key: Id| {
                        let text = self.scalar(key).unwrap_or_default();
                        text == name || self.is_loose(key) && plain(text) == plain(name)
                    };
                    let entry = entries.find(|(key, _)| is_it(*key));
                    entry.map(|(_, value)| value)
                }
                (Kind::List(items), Segment::Index(at)) => self.children(items).get(*at).copied(),
                _ => None,
            };
            let Some(next) = next else {
                return (here, depth);
            };
            here = next;
        }
        (here, path.len())
    }

    /// Calls `f` with every scalar in a node, and stops when it returns `true`.
    pub(super) fn any_scalar(&self, id: Id, f: &mut impl FnMut(Id, &str) -> bool) -> bool {
        match self.node(id).kind {
            Kind::Scalar(text, _) => f(id, self.text(text)),
            Kind::List(ids) | Kind::Map(ids) => {
                let mut ids = self.children(ids).iter();
                ids.any(|id| self.any_scalar(*id, f))
            }
        }
    }

    /// Returns how a key is written in a path.
    pub(super) fn segment(&self, key: Id) -> Segment {
        Segment::Key(self.hidden.segment(self, key))
    }
}

pub(super) fn pairs(ids: &[Id]) -> impl Iterator<Item = (Id, Id)> {
    ids.chunks_exact(2).map(|pair| (pair[0], pair[1]))
}
