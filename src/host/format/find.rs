//! Goes to a field of a document, so that the parser tells where it is. It parses
//! anew, so it is for failures and for people who ask.

use core::cell::Cell;
use core::fmt;

use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, IgnoredAny, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};

use super::super::std::format;
use super::super::std::prelude::rust_2024::*;
use super::syntax::{self, Seeded};
use super::{says_nothing, whole};
use crate::engine::path::{self, Segment};
use crate::engine::{Content, Document, Layer, Located, Place};

/// Where a field is, and what kind of thing it holds.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) place: Place,
    /// `None` if there is no such field, and this is the nearest one around it.
    pub(super) kind: Option<&'static str>,
}

/// What a locator says of a document.
pub(super) fn locate(document: &Document, path: &str) -> Option<Located> {
    let found = field(document.layers(), &path::parse(path)?)?;
    Some(Located::new(found.place, found.kind.is_some()))
}

/// The field at a path, or the nearest one around it, in the layer that supplied it.
///
/// A later layer counts for more. So the question goes from the last layer to the
/// first, until one has the field, or has something in its way that is no mapping
/// and so replaced whatever earlier ones have there.
pub(super) fn field(layers: &[Layer], path: &[Segment]) -> Option<Found> {
    let mut nearest: Option<(usize, Found)> = None;
    for layer in layers.iter().rev() {
        let Some((reached, place)) = reach(layer, path, Aim::Value) else {
            continue;
        };
        let there = reached.depth == path.len();
        // An explicit null in a merge removes; in a list, which is replaced as a whole,
        // it is what it is.
        let in_list = path
            .iter()
            .any(|segment| matches!(segment, Segment::Index(_)));
        let removed = reached.stopped_at == NOTHING && layers.len() > 1 && !in_list;
        let kind = Some(reached.stopped_at).filter(|_| there && !removed);
        if kind.is_some() {
            return Some(Found { place, kind });
        }
        let deeper = |(depth, _): &(usize, Found)| reached.depth > *depth;
        if nearest.as_ref().is_none_or(deeper) {
            nearest = Some((reached.depth, Found { place, kind }));
        }
        // A list is one layer's, with all that is in it; and a mapping, where the path
        // goes on into a list, replaced that list.
        let so_far = &path[..path.len().min(reached.depth + 1)];
        if reached.stopped_at != MAPPING || so_far.iter().any(is_index) {
            break;
        }
    }
    nearest.map(|(_, found)| found)
}

fn is_index(segment: &Segment) -> bool {
    matches!(segment, Segment::Index(_))
}

/// The key at the end of a path, in the last layer that has it.
pub(super) fn key(layers: &[Layer], path: &[Segment]) -> Option<Place> {
    let last_with = |layer: &Layer| {
        let (reached, place) = reach(layer, path, Aim::Key)?;
        (reached.depth == path.len()).then_some(place)
    };
    layers.iter().rev().find_map(last_with)
}

const NOTHING: &str = "nothing";
const MAPPING: &str = "a mapping";

/// How far along the path a layer goes, and where that is.
fn reach(layer: &Layer, path: &[Segment], aim: Aim) -> Option<(Reached, Place)> {
    let (at, is_text) = match layer.content() {
        Content::Document => {
            if says_nothing(layer.bytes()) {
                return None;
            }
            return reach_inside(layer, path, aim);
        }
        Content::Field(at) => (path::parse(at)?, false),
        Content::Text(at) => (path::parse(at)?, true),
    };
    let common = at.iter().zip(path).take_while(|(a, b)| a == b).count();
    let reached = |depth, stopped_at| (Reached { depth, stopped_at }, whole(layer));
    if common < at.len() {
        return Some(reached(common, MAPPING));
    }
    if is_text || aim == Aim::Key && common == path.len() {
        return Some(reached(common, "a string"));
    }
    // A line of one value says nothing.
    let (inside, _) = reach_inside(layer, &path[common..], aim)?;
    let depth = common + inside.depth;
    Some(reached(depth, inside.stopped_at))
}

fn reach_inside(layer: &Layer, path: &[Segment], aim: Aim) -> Option<(Reached, Place)> {
    let (reached, place, saw_merge_key) = follow(layer, path, aim, false)?;
    if reached.depth == path.len() || !saw_merge_key {
        return Some((reached, place));
    }
    // It may come by a merge key.
    let (merged, merged_place, _) = follow(layer, path, aim, true)?;
    if merged.depth > reached.depth {
        return Some((merged, merged_place));
    }
    Some((reached, place))
}

fn follow(
    layer: &Layer,
    path: &[Segment],
    aim: Aim,
    merge_keys: bool,
) -> Option<(Reached, Place, bool)> {
    let reached = Cell::new(Reached {
        depth: 0,
        stopped_at: MAPPING,
    });
    let saw_merge_key = Cell::new(false);
    let find = Find {
        path,
        aim,
        merge_keys,
        reached: &reached,
        saw_merge_key: &saw_merge_key,
    };
    let refused = syntax::run(layer, Seeded(find)).err()?;
    let place = refused.place.unwrap_or_else(|| whole(layer));
    Some((reached.get(), place, saw_merge_key.get()))
}

/// What the place is wanted of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Aim {
    Value,
    Key,
}

/// Goes to the field at a path and fails there, so that the parser's error
/// tells the line and the column. If there is no such field, it fails at the
/// last one on the way: that is where it is missing.
#[derive(Clone, Copy)]
struct Find<'p> {
    path: &'p [Segment],
    aim: Aim,
    /// Whether to look into what a merge key (`<<`) stands for.
    merge_keys: bool,
    reached: &'p Cell<Reached>,
    saw_merge_key: &'p Cell<bool>,
}

/// How far it came.
#[derive(Clone, Copy, Debug)]
struct Reached {
    /// How many segments of the path exist.
    depth: usize,
    /// What kind of thing is there.
    stopped_at: &'static str,
}

impl<'de> DeserializeSeed<'de> for Find<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, de: D) -> Result<(), D::Error> {
        de.deserialize_any(self)
    }
}

/// The same, one segment further in. Called only if there is something.
struct Deeper<'p>(Find<'p>);

impl<'de> DeserializeSeed<'de> for Deeper<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, de: D) -> Result<(), D::Error> {
        self.0.one_deeper();
        self.0.deserialize(de)
    }
}

/// The value of a merge key: a mapping that may have the field, or several. It is no
/// failure if none has.
struct Merged<'p>(Find<'p>);

impl<'de> DeserializeSeed<'de> for Merged<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, de: D) -> Result<(), D::Error> {
        de.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Merged<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a mapping")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(Merged(self.0))?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        self.0.look_into(map).map(drop)
    }
}

macro_rules! name_kind {
    ($($method:ident($($arg:ident: $type:ty)?) $kind:expr;)*) => {
        $(fn $method<E: de::Error>(self, $($arg: $type)?) -> Result<(), E> {
            $(let _ = $arg;)?
            self.stop($kind)
        })*
    };
}

impl Find<'_> {
    fn stop<E: de::Error>(self, kind: &'static str) -> Result<(), E> {
        let depth = self.reached.get().depth;
        let stopped_at = kind;
        self.reached.set(Reached { depth, stopped_at });
        Err(E::custom("here"))
    }

    fn one_deeper(self) {
        let depth = self.reached.get().depth + 1;
        let stopped_at = MAPPING;
        self.reached.set(Reached { depth, stopped_at });
    }

    /// Whether the map has the field, short of failing there.
    fn look_into<'de, A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        let [Segment::Key(wanted), path @ ..] = self.path else {
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(false);
        };
        let fails = self.aim == Aim::Key && path.is_empty();
        let find = fails.then_some(self);
        while let Some(key) = map.next_key_seed(IsKey(wanted, find))? {
            match key {
                Is::Wanted => {
                    map.next_value_seed(Deeper(Find { path, ..self }))?;
                    return Ok(true);
                }
                Is::MergeKey if self.merge_keys => map.next_value_seed(Merged(self))?,
                Is::MergeKey => {
                    self.saw_merge_key.set(true);
                    map.next_value::<IgnoredAny>()?;
                }
                Is::Other => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(false)
    }
}

impl<'de> Visitor<'de> for Find<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    name_kind! {
        visit_bool(v: bool) "a boolean";
        visit_i64(v: i64) "a whole number";
        visit_i128(v: i128) "a whole number";
        visit_u64(v: u64) "a whole number";
        visit_u128(v: u128) "a whole number";
        visit_f64(v: f64) "a number with a fraction";
        visit_str(v: &str) "a string";
        visit_unit() NOTHING;
        visit_none() NOTHING;
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let [Segment::Index(wanted), path @ ..] = self.path else {
            return self.stop("a list");
        };
        for _ in 0..*wanted {
            if seq.next_element::<IgnoredAny>()?.is_none() {
                return self.stop("a list");
            }
        }
        match seq.next_element_seed(Deeper(Find { path, ..self }))? {
            Some(()) => Ok(()),
            None => self.stop("a list"),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        if self.path.is_empty() || !self.look_into(map)? {
            return self.stop(MAPPING);
        }
        Ok(())
    }

    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<(), A::Error> {
        let (IgnoredAny, variant) = data.variant()?;
        variant.newtype_variant_seed(self)
    }
}

/// Whether a key reads like this one; fails there if that is asked for.
struct IsKey<'k>(&'k str, Option<Find<'k>>);

enum Is {
    Wanted,
    MergeKey,
    Other,
}

impl IsKey<'_> {
    fn compare<E: de::Error>(self, key: &str) -> Result<Is, E> {
        match (key == self.0, self.1) {
            (true, Some(find)) => {
                find.one_deeper();
                Err(E::custom("here"))
            }
            (true, None) => Ok(Is::Wanted),
            (false, _) if key == "<<" => Ok(Is::MergeKey),
            (false, _) => Ok(Is::Other),
        }
    }
}

impl<'de> DeserializeSeed<'de> for IsKey<'_> {
    type Value = Is;

    fn deserialize<D: Deserializer<'de>>(self, de: D) -> Result<Is, D::Error> {
        // By its letters, as it is written.
        de.deserialize_str(self)
    }
}

macro_rules! compare_key {
    ($($method:ident($type:ty);)*) => {
        $(fn $method<E: de::Error>(self, key: $type) -> Result<Is, E> {
            self.compare(&format!("{key}"))
        })*
    };
}

impl<'de> Visitor<'de> for IsKey<'_> {
    type Value = Is;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    compare_key! {
        visit_bool(bool);
        visit_i64(i64);
        visit_i128(i128);
        visit_u64(u64);
        visit_u128(u128);
        visit_f64(f64);
    }

    fn visit_str<E: de::Error>(self, key: &str) -> Result<Is, E> {
        self.compare(key)
    }

    fn visit_unit<E: de::Error>(self) -> Result<Is, E> {
        self.compare("null")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Is, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Is::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Is, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Is::Other)
    }
}
