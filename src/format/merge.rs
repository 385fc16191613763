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

/// A place of a mapping.
struct Slot {
    key: Id,
    /// What the layers have there, the lowest first.
    layers: Vec<Laid>,
    /// Those of them whose key is only alike, as the environment's are, and one such key.
    alike: Option<(Id, Vec<Laid>)>,
}

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
                let merged = slots.into_iter().filter_map(|slot| self.merge_slot(&slot));
                let merged: Vec<_> = merged.flatten().collect();
                let edges = self.add_edges(merged.into_iter());
                let Node { tag, at, .. } = self.node(last.id);
                Some(self.add(Kind::Map(edges), tag, at))
            }
        }
    }

    fn merge_slot(&mut self, slot: &Slot) -> Option<[Id; 2]> {
        if let Some((key, layers)) = &slot.alike {
            // If no field takes the key of the others, these stand for themselves.
            if let Some(apart) = self.merge(layers) {
                self.apart.insert(slot.key, (*key, apart));
            }
        }
        Some([slot.key, self.merge(&slot.layers)?])
    }

    fn slots(&self, maps: &[Laid]) -> Vec<Slot> {
        let mut slots: Vec<Slot> = Vec::new();
        let mut known: BTreeMap<Key<'_>, usize> = BTreeMap::new();
        let is_loose = maps.iter().any(|map| self.is_loose(map.id));
        let mut plainly: BTreeMap<String, usize> = BTreeMap::new();
        for map in maps {
            // An exact name comes before one that is only alike, so these are taken first.
            let mut rest = Vec::new();
            for (key, id) in self.map_entries(map.id) {
                let laid = Laid { id, ..*map };
                match place(&known, &self.key(key)) {
                    Some(place) => slots[place].take(self, key, laid),
                    None => rest.push((key, laid)),
                }
            }
            let mut new = Vec::new();
            for (key, laid) in rest {
                let name = self.scalar(key).filter(|_| is_loose).map(plain);
                let alike = name.as_ref().and_then(|name| plainly.get(name).copied());
                let is_one = |place: &usize| self.is_loose(key) != self.is_loose(slots[*place].key);
                let place = alike.filter(is_one).unwrap_or(slots.len());
                match slots.get_mut(place) {
                    Some(slot) => slot.take_alike(self, key, laid),
                    None => slots.push(Slot {
                        key,
                        layers: alloc::vec![laid],
                        alike: None,
                    }),
                }
                new.push((self.key(key), place));
                plainly.extend(name.map(|name| (name, place)));
            }
            // After all of them, for `1` and `'1'` of one layer are two keys.
            known.extend(new);
        }
        slots
    }
}

impl Slot {
    /// Adds what one more layer has there. A name that somebody chose says more than one
    /// that was made.
    fn take(&mut self, tree: &Tree, key: Id, laid: Laid) {
        if tree.is_loose(self.key) {
            self.key = key;
        }
        self.layers.push(laid);
    }

    /// The same where the key is only alike.
    fn take_alike(&mut self, tree: &Tree, key: Id, laid: Laid) {
        if tree.is_loose(key) {
            let alike = self.alike.get_or_insert_with(|| (key, Vec::new()));
            alike.1.push(laid);
        } else {
            self.alike = Some((self.key, self.layers.clone()));
        }
        self.take(tree, key, laid);
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
