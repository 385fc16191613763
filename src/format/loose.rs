//! What the names and values of the environment leave open until a type is read: fields
//! without regard to case, numbered items, lists in one text.

use alloc::vec::Vec;

use serde::de::Visitor;

use super::de::De;
use super::error::{Error, Problem};
use super::grow::{Flaw, Room};
use super::scalar;
use super::tree::{Id, Kind, Span, Style, Tag, Tree};
use crate::engine::plain;

impl De<'_> {
    /// Returns the field that a key means: as it is written, or, in the environment, as
    /// near as can be.
    pub(super) fn field<'n>(&self, key: Id, name: &'n str) -> &'n str {
        if !self.tree().is_loose(key) {
            return name;
        }
        let known = self.known.unwrap_or_default();
        let exact = known.iter().find(|field| **field == name);
        let like = exact.or_else(|| known.iter().find(|field| plain(field) == plain(name)));
        like.copied().unwrap_or(name)
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
        let de: De<'_> = *self;
        de.list(&ids, visitor)
    }
}

fn index(tree: &Tree, key: Id) -> Option<usize> {
    tree.scalar(key)?.parse().ok()
}

/// Adds the list that a text is where a list is wanted.
pub(super) fn add_list(
    text: &str,
    separator: char,
    room: &mut Room,
    tree: &mut Tree,
    id: Id,
) -> Result<(), Flaw> {
    let at = tree.node(id).at;
    let parts = text.split(separator).map(str::trim);
    let parts = parts.filter(|_| !text.trim().is_empty());
    let mut items = Vec::new();
    for part in parts {
        room.values = room.values.checked_sub(1).ok_or(Flaw::TooMany(at))?;
        let style = match scalar::is_string(part) || part.is_empty() {
            true => Style::Text,
            false => Style::Plain,
        };
        items.push(tree.add_scalar(part, style, at));
    }
    let items = tree.add_edges(items.into_iter());
    let list = tree.add(Kind::List(items), Tag::None, at);
    tree.lists.insert(id, list);
    Ok(())
}
