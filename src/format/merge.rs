//! Layers are laid over each other here: mappings are merged key by key, anything else
//! replaces, a null removes, and a value that is left out says nothing.
//!
//! All layers are merged at once, place by place, so that a thousand of them cost no more
//! than what they hold.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use super::tree::{Id, Key, Kind, Node, Tree};
use crate::engine::plain;

/// What one layer has at a place.
#[derive(Clone, Copy)]
pub(super) struct Laid {
    pub(super) id: Id,
    /// Nothing is below it, so that a null in it removes nothing.
    pub(super) is_first: bool,
}

/// The places of a mapping: each key, and what the layers have there, the lowest first.
type Slots = Vec<(Id, Vec<Laid>)>;

impl Tree {
    /// Merges what the layers have at one place, the lowest first. `None` if nothing is
    /// left.
    pub(super) fn merge(&mut self, layers: &[Laid]) -> Option<Id> {
        let mut maps: Vec<Laid> = Vec::new();
        let mut other = None;
        for laid in layers {
            let is_there = other.is_some() || !maps.is_empty();
            if self.is_plain_map(laid.id) {
                other = None;
                maps.push(*laid);
            } else if self.is_left_out(laid.id) && is_there {
                // It says nothing.
            } else {
                maps.clear();
                let removes = self.is_null(laid.id) && !laid.is_first;
                other = (!removes).then_some(laid.id);
            }
        }
        match maps[..] {
            [] => other,
            [only] if only.is_first => Some(only.id),
            [.., last] => {
                let slots = self.slots(&maps);
                let merged = slots
                    .into_iter()
                    .filter_map(|(key, layers)| Some([key, self.merge(&layers)?]));
                let merged: Vec<_> = merged.flatten().collect();
                let edges = self.add_edges(merged.into_iter());
                let Node { tag, at, .. } = self.node(last.id);
                Some(self.add(Kind::Map(edges), tag, at))
            }
        }
    }

    fn slots(&self, maps: &[Laid]) -> Slots {
        let mut slots = Slots::new();
        let mut known: BTreeMap<Key<'_>, usize> = BTreeMap::new();
        let is_loose = maps.iter().any(|map| self.is_loose(map.id));
        let mut plainly: BTreeMap<String, usize> = BTreeMap::new();
        for map in maps {
            let mut new = Vec::new();
            for (key, id) in self.map_entries(map.id) {
                let laid = Laid { id, ..*map };
                let name = self.scalar(key).filter(|_| is_loose).map(plain);
                let place = place(&known, &self.key(key)).or_else(|| {
                    let place = *plainly.get(name.as_ref()?)?;
                    let either = self.is_loose(key) || self.is_loose(slots[place].0);
                    either.then_some(place)
                });
                if let Some(place) = place {
                    let (name, layers) = &mut slots[place];
                    layers.push(laid);
                    // The name that somebody chose says more than one that was made.
                    if self.is_loose(*name) {
                        *name = key;
                    }
                    continue;
                }
                new.push((self.key(key), slots.len()));
                plainly.extend(name.map(|name| (name, slots.len())));
                slots.push((key, alloc::vec![laid]));
            }
            // After all of them, for `1` and `'1'` of one layer are two keys.
            known.extend(new);
        }
        slots
    }
}

/// Returns where a key of an earlier layer stands. Some sources know only strings, so a
/// string is the same key as a number that is written so.
fn place(known: &BTreeMap<Key<'_>, usize>, key: &Key<'_>) -> Option<usize> {
    let other = match key {
        Key::Name(text) => Some(Key::Typed(text)),
        Key::Typed(text) => Some(Key::Name(text)),
        Key::Written(_) => None,
    };
    let place = known.get(key).or_else(|| known.get(&other?));
    place.copied()
}
