//! What the names and values of the environment leave open until a type is read: fields
//! without regard to case, numbered items, lists in one text.

use alloc::string::String;
use alloc::vec::Vec;

use serde::de::Visitor;

use super::de::De;
use super::error::{Error, Problem};
use super::grow::Room;
use super::tree::{Id, Kind, Span, Style, Tag, Tree};
use crate::engine::plain;

impl De<'_> {
    /// Returns the field that a key means: as it is written, or, in the environment, as
    /// near as can be.
    pub(super) fn field<'n>(&self, key: Id, name: &'n str) -> &'n str {
        if !self.tree().is_loose(key) {
            return name;
        }
        match self.like(name) {
            Some(field) => {
                self.reader.noted.borrow_mut().hidden.add_field(key, field);
                field
            }
            None => name,
        }
    }

    fn like(&self, name: &str) -> Option<&'static str> {
        let known = self.known.unwrap_or_default();
        let exact = known.iter().find(|field| **field == name);
        let like = exact.or_else(|| known.iter().find(|field| plain(field) == plain(name)));
        like.copied()
    }

    /// Returns what stands for itself beside an entry that no field takes, though both were
    /// merged for their keys are alike.
    pub(super) fn apart(&self, key: Id) -> Option<(Id, Id)> {
        let known = self.known?;
        let (loose, value) = *self.tree().apart.get(&key)?;
        let is_taken = known.contains(&self.tree().scalar(key)?);
        let like = self.like(self.tree().scalar(loose)?);
        like.filter(|_| !is_taken).map(|_| (loose, value))
    }

    /// Reads a text as the list that it is, too.
    pub(super) fn listed<'de, V: Visitor<'de>>(
        &self,
        list: Id,
        visitor: V,
    ) -> Result<V::Value, Error> {
        let Kind::List(items) = self.tree().node(list).kind else {
            return self.list(&[], visitor);
        };
        let items = self.tree().children(items);
        let read = self.list(items, visitor);
        self.note_list(items);
        read
    }

    fn note_list(&self, items: &[Id]) {
        let lists = &mut self.reader.noted.borrow_mut().lists;
        lists.insert(self.trail.id, items.to_vec());
    }

    /// Returns whether a mapping stands for a list: `PEERS__0`.
    pub(super) fn is_numbered(&self, entries: Span) -> bool {
        let tree = self.tree();
        let mut keys = tree.entries(entries).map(|(key, _)| key);
        !entries.is_empty() && keys.all(|key| tree.is_loose(key) && index(tree, key).is_some())
    }

    pub(super) fn numbered<'de, V: Visitor<'de>>(
        &self,
        entries: Span,
        visitor: V,
    ) -> Result<V::Value, Error> {
        let tree = self.tree();
        let items = tree.entries(entries);
        let mut items: Vec<_> = items.map(|(key, id)| (index(tree, key), id)).collect();
        items.sort_unstable();
        let mut numbers = items.iter().map(|(at, _)| *at).enumerate();
        if let Some((missing, _)) = numbers.find(|(n, at)| *at != Some(*n)) {
            return Err(Problem::MissingItem(missing).into());
        }
        let ids: Vec<_> = items.into_iter().map(|(_, id)| id).collect();
        self.note_list(&ids);
        let de: De<'_> = *self;
        de.list(&ids, visitor)
    }
}

/// Returns the number that a key is, written as one writes it.
fn index(tree: &Tree, key: Id) -> Option<usize> {
    let text = tree.scalar(key)?;
    let is_plain = text == "0" || text.starts_with(|c: char| ('1'..='9').contains(&c));
    text.parse().ok().filter(|_| is_plain)
}

/// Adds the list that a text is where a list is wanted. Where there is no room for it, it
/// is none.
pub(super) fn add_list(separator: char, room: &mut Room, tree: &mut Tree, id: Id) {
    let Some(text) = tree.scalar(id) else {
        return;
    };
    let text: String = text.into();
    let parts = || text.split(separator).map(str::trim);
    let count = parts().count();
    if count > room.values {
        return;
    }
    room.values -= count;
    let at = tree.node(id).at;
    let parts = parts().filter(|_| !text.trim().is_empty());
    let items: Vec<_> = parts
        .map(|part| tree.add_scalar(part, Style::Text, at))
        .collect();
    let items = tree.add_edges(items.into_iter());
    let list = tree.add(Kind::List(items), Tag::None, at);
    tree.lists.insert(id, list);
}
