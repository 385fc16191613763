//! A tree while it grows, node by node, in the order of the text, and within bounds:
//! depth, values, and bytes. What an alias stands for counts as if it were copied.
//!
//! When a mapping closes, a key that is given twice is found, and merge keys (`<<`) are
//! replaced by what they stand for. Both take time linear in what is counted.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

use super::tree::{At, Core, Id, Kind, Style, Tag, Tree, pairs};

/// Why there is no tree.
#[derive(Clone, Debug)]
pub(super) enum Flaw {
    /// There is no value.
    Nothing,
    Utf16,
    TooDeep(At),
    TooMany(At),
    /// Aliases, keys or tags stand for too many bytes.
    TooLarge(At),
    LongKey(At),
    /// A key is given at two places.
    Twice(At, At),
    /// What a merge key stands for is no mapping.
    NoMap(At),
    /// The field at a path cannot be set.
    NoPath,
    /// Its language needs a feature that is off.
    #[cfg_attr(
        all(feature = "yaml", feature = "toml", feature = "json"),
        allow(dead_code)
    )]
    #[cfg_attr(
        all(feature = "yaml", feature = "toml", feature = "json"),
        allow(dead_code, reason = "all languages have a reader")
    )]
    NoReader(&'static str, &'static str),
    /// The text is wrong.
    Text(String, At),
}

impl Flaw {
    /// Returns where it is, if it is not about the whole text.
    pub(super) fn at(&self) -> Option<At> {
        match self {
            Flaw::Nothing | Flaw::Utf16 | Flaw::NoPath | Flaw::NoReader(..) => None,
            Flaw::TooDeep(at) | Flaw::TooMany(at) | Flaw::TooLarge(at) | Flaw::LongKey(at) => {
                Some(*at)
            }
            Flaw::Twice(_, at) | Flaw::NoMap(at) | Flaw::Text(_, at) => Some(*at),
        }
    }
}

/// What may still be built.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    pub(super) values: usize,
    pub(super) bytes: usize,
}

/// As `serde_yaml` has it.
pub(super) const MAX_DEPTH: usize = 128;

/// An error repeats the whole path of a field, so no key may be longer.
pub(super) const MAX_KEY: usize = 1024;

/// So few keys are compared one by one.
const FEW: usize = 16;

/// Properties of a node, as they stand before it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head<'a> {
    pub(super) at: At,
    pub(super) tag: NewTag<'a>,
    /// 0: none.
    pub(super) anchor: usize,
}

/// A tag whose name is not in the tree yet.
#[derive(Clone, Copy, Debug)]
pub(super) enum NewTag<'a> {
    None,
    /// The two halves of its name.
    Own(&'a str, &'a str),
    Core(Core),
    Other,
}

impl Head<'_> {
    pub(super) const fn at(at: At) -> Self {
        Head {
            at,
            tag: NewTag::None,
            anchor: 0,
        }
    }
}

pub(super) struct Builder<'t> {
    tree: &'t mut Tree,
    room: &'t mut Room,
    /// The children of open collections, and at last the root.
    done: Vec<Id>,
    open: Vec<Open>,
    anchors: BTreeMap<usize, Anchor>,
}

struct Open {
    is_map: bool,
    /// Where its children begin in `done`.
    start: usize,
    tag: Tag,
    anchor: usize,
    at: At,
    /// The room before it.
    before: Room,
    /// How many levels are below it.
    height: usize,
}

/// A node with a name, and what it takes.
struct Anchor {
    id: Id,
    takes: Room,
    height: usize,
}

impl<'t> Builder<'t> {
    pub(super) fn new(tree: &'t mut Tree, room: &'t mut Room) -> Self {
        Builder {
            tree,
            room,
            done: Vec::with_capacity(64),
            open: Vec::with_capacity(16),
            anchors: BTreeMap::new(),
        }
    }

    /// Returns how many values there is room for.
    #[cfg(feature = "toml")]
    pub(super) fn values_left(&self) -> usize {
        self.room.values
    }

    /// Returns at which bytes the open collections begin, the innermost first.
    pub(super) fn open(&self) -> impl Iterator<Item = usize> + '_ {
        self.open.iter().rev().map(|open| open.at.byte as usize)
    }

    /// Returns at which byte the root begins, once it is complete.
    pub(super) fn root(&self) -> Option<usize> {
        let root = self.done.first().filter(|_| self.open.is_empty());
        root.map(|root| self.tree.node(*root).at.byte as usize)
    }

    pub(super) fn scalar(&mut self, text: &str, style: Style, head: Head<'_>) -> Result<(), Flaw> {
        let before = *self.room;
        self.spend(1, text.len(), head.at)?;
        let tag = self.tag(head)?;
        let text = self.tree.add_text(text);
        let id = self.tree.add(Kind::Scalar(text, style), tag, head.at);
        self.push(id, head.anchor, before, 0);
        Ok(())
    }

    pub(super) fn start(&mut self, is_map: bool, head: Head<'_>) -> Result<(), Flaw> {
        if self.open.len() >= MAX_DEPTH {
            return Err(Flaw::TooDeep(head.at));
        }
        let before = *self.room;
        self.spend(1, 0, head.at)?;
        let tag = self.tag(head)?;
        self.open.push(Open {
            is_map,
            start: self.done.len(),
            tag,
            anchor: head.anchor,
            at: head.at,
            before,
            height: 0,
        });
        Ok(())
    }

    pub(super) fn end(&mut self) -> Result<(), Flaw> {
        let Some(open) = self.open.pop() else {
            return Ok(());
        };
        if open.is_map {
            self.check_keys(&open)?;
            self.resolve_merge_key(&open)?;
        }
        let edges = self.tree.add_edges(self.done.drain(open.start..));
        let kind = match open.is_map {
            true => Kind::Map(edges),
            false => Kind::List(edges),
        };
        let id = self.tree.add(kind, open.tag, open.at);
        self.push(id, open.anchor, open.before, open.height + 1);
        Ok(())
    }

    /// Adds what an anchor stands for.
    pub(super) fn alias(&mut self, anchor: usize, at: At) -> Result<(), Flaw> {
        let Some(Anchor { id, takes, height }) = self.anchors.get(&anchor) else {
            return Err(Flaw::Text("an alias of what it stands in".into(), at));
        };
        let (id, takes, height) = (*id, *takes, *height);
        if self.open.len() + height > MAX_DEPTH {
            return Err(Flaw::TooDeep(at));
        }
        let spent = self.spend(takes.values, takes.bytes, at);
        spent.map_err(|_| Flaw::TooLarge(at))?;
        self.push(id, 0, *self.room, height);
        Ok(())
    }

    /// Returns the root, if the text holds any value.
    pub(super) fn finish(mut self) -> Result<Id, Flaw> {
        let root = self.done.pop().ok_or(Flaw::Nothing)?;
        // Nor is a tag or an anchor without content a value.
        match self.tree.scalar(root) {
            Some("") if !self.tree.is_string(root) => Err(Flaw::Nothing),
            _ if self.tree.is_null(root) => Err(Flaw::Nothing),
            _ => Ok(root),
        }
    }

    fn spend(&mut self, values: usize, bytes: usize, at: At) -> Result<(), Flaw> {
        if values > self.room.values {
            return Err(Flaw::TooMany(at));
        }
        if bytes > self.room.bytes {
            return Err(Flaw::TooLarge(at));
        }
        self.room.values -= values;
        self.room.bytes -= bytes;
        Ok(())
    }

    fn tag(&mut self, head: Head<'_>) -> Result<Tag, Flaw> {
        Ok(match head.tag {
            NewTag::None => Tag::None,
            NewTag::Core(core) => Tag::Core(core),
            NewTag::Other => Tag::Other,
            NewTag::Own(start, end) => {
                self.spend(0, start.len() + end.len(), head.at)?;
                Tag::Own(self.tree.add_text(&[start, end].concat()))
            }
        })
    }

    fn push(&mut self, id: Id, anchor: usize, before: Room, height: usize) {
        if anchor > 0 {
            let takes = Room {
                values: before.values - self.room.values,
                bytes: before.bytes - self.room.bytes,
            };
            self.anchors.insert(anchor, Anchor { id, takes, height });
        }
        if let Some(open) = self.open.last_mut() {
            open.height = open.height.max(height);
        }
        self.done.push(id);
    }

    fn check_keys(&mut self, map: &Open) -> Result<(), Flaw> {
        let entries = &self.done[map.start..];
        let mut known = (entries.len() / 2 > FEW).then(BTreeMap::new);
        for (index, (id, _)) in pairs(entries).enumerate() {
            let at = self.tree.node(id).at;
            match self.tree.scalar(id) {
                Some(text) if text.len() > MAX_KEY => return Err(Flaw::LongKey(at)),
                Some(_) => {}
                None => {
                    let written = self.tree.key(id).text().len();
                    let left = self.room.bytes.checked_sub(written);
                    self.room.bytes = left.ok_or(Flaw::TooLarge(at))?;
                }
            }
            let first = match &mut known {
                Some(known) => known.insert(self.tree.key(id), id),
                None => pairs(&entries[..2 * index])
                    .map(|(key, _)| key)
                    .find(|key| self.tree.is_same_key(*key, id)),
            };
            if let Some(first) = first {
                let first = self.tree.node(first).at;
                return Err(Flaw::Twice(first, at));
            }
        }
        Ok(())
    }

    /// Puts in the place of `<<` what it stands for: the entries of a mapping, or of
    /// several, whose keys are not given beside it. Of several mappings, the earlier
    /// ones win.
    fn resolve_merge_key(&mut self, map: &Open) -> Result<(), Flaw> {
        let entries = &self.done[map.start..];
        let Some(index) = pairs(entries).position(|(key, _)| self.tree.is_merge_key(key)) else {
            return Ok(());
        };
        let (key, value) = (entries[2 * index], entries[2 * index + 1]);
        let at = self.tree.node(key).at;
        let known = pairs(entries).map(|(key, _)| self.tree.key(key));
        let mut known: BTreeSet<_> = known.collect();
        let listed = match self.tree.node(value).kind {
            Kind::List(items) => self.tree.children(items),
            _ => &[value],
        };
        let mut more = Vec::new();
        for id in listed {
            if !self.tree.is_plain_map(*id) {
                return Err(Flaw::NoMap(self.tree.node(value).at));
            }
            let merged = self.tree.map_entries(*id);
            more.extend(merged.filter(|(key, _)| known.insert(self.tree.key(*key))));
        }
        drop(known);
        // Else merge keys in what they stand for, level in level, would be quadratic.
        self.spend(more.len(), 0, at)?;
        let merge_key = map.start + 2 * index;
        self.done.drain(merge_key..merge_key + 2);
        self.done
            .extend(more.into_iter().flat_map(|(key, value)| [key, value]));
        Ok(())
    }
}
