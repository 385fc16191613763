//! A document as a tree that knows how each scalar was written, so that what was
//! merged reads like one file: a bare `4` is a number or a string, as the type asks.
//!
//! Here is what merging means, and what YAML's merge keys (`<<`) mean.

use core::cell::RefCell;
use core::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};

use super::super::std::collections::{BTreeSet, HashMap};
use super::super::std::format;
use super::super::std::prelude::rust_2024::*;
use super::super::std::vec;
use crate::engine::Leaf;
use crate::engine::path::{PathDisplay, Segment};

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    Scalar(Scalar),
    List(Vec<Node>),
    // Boxed, so that scalars, which are most, take less.
    Map(Box<Map>),
    /// A value with a tag of its own: `!name value`.
    Tagged(String, Box<Node>),
}

/// A scalar, and how it was written if that is not what it is.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Scalar {
    value: Value,
    text: Option<Box<str>>,
}

#[derive(Clone, Debug, PartialEq)]
enum Value {
    Null,
    Bool(bool),
    U64(u64),
    I64(i64),
    U128(Box<u128>),
    I128(Box<i128>),
    F64(f64),
    Str(String),
}

/// Keys with their values, in the order of the document. Two keys are the same if
/// they are written the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Map {
    entries: Vec<Option<(Scalar, Node)>>,
    index: HashMap<String, usize>,
}

impl PartialEq for Map {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Scalar {
    fn of(value: Value) -> Self {
        Scalar { value, text: None }
    }

    /// Whether it is written so.
    fn is_written(&self, letters: &str) -> bool {
        match (&self.text, &self.value) {
            (Some(text), _) => **text == *letters,
            (None, Value::Str(text)) => text == letters,
            _ => self.letters() == letters,
        }
    }

    /// How it is written, without quotes.
    fn letters(&self) -> String {
        match (&self.text, &self.value) {
            (Some(text), _) => text.to_string(),
            (None, Value::Str(text)) => text.clone(),
            (None, Value::Null) => "null".into(),
            (None, Value::Bool(value)) => format!("{value}"),
            (None, Value::U64(value)) => format!("{value}"),
            (None, Value::I64(value)) => format!("{value}"),
            (None, Value::U128(value)) => format!("{value}"),
            (None, Value::I128(value)) => format!("{value}"),
            (None, Value::F64(value)) => format!("{value}"),
        }
    }
}

/// So many keys are looked through one by one; more get an index.
const FEW: usize = 16;

impl Map {
    fn iter(&self) -> impl Iterator<Item = &(Scalar, Node)> {
        self.entries.iter().flatten()
    }

    fn find(&self, key: &str) -> Option<usize> {
        if self.entries.len() > FEW {
            return self.index.get(key).copied();
        }
        let is = |entry: &Option<(Scalar, Node)>| {
            entry
                .as_ref()
                .is_some_and(|(known, _)| known.is_written(key))
        };
        self.entries.iter().position(is)
    }

    fn contains(&self, key: &str) -> bool {
        self.find(key).is_some()
    }

    fn insert(&mut self, key: Scalar, node: Node) {
        match self.find(&key.letters()) {
            Some(at) => self.entries[at] = Some((key, node)),
            None => self.push(key, node),
        }
    }

    /// Adds an entry without asking whether its key is there.
    fn push(&mut self, key: Scalar, node: Node) {
        self.entries.push(Some((key, node)));
        self.index_from(self.entries.len() - 1);
    }

    /// Takes the last entries into the index, or all of them once there are many.
    fn index_from(&mut self, start: usize) {
        if self.entries.len() <= FEW {
            return;
        }
        let start = if self.index.is_empty() { 0 } else { start };
        for (at, entry) in self.entries.iter().enumerate().skip(start) {
            if let Some((key, _)) = entry {
                self.index.insert(key.letters(), at);
            }
        }
    }

    /// After keys got their letters.
    fn index_anew(&mut self) {
        self.index.clear();
        self.index_from(0);
    }

    fn get_mut(&mut self, key: &str) -> Option<&mut Node> {
        let at = self.find(key)?;
        self.entries[at].as_mut().map(|(_, node)| node)
    }

    fn remove(&mut self, key: &str) -> Option<Node> {
        let at = self.find(key)?;
        self.index.remove(key);
        self.entries[at].take().map(|(_, node)| node)
    }
}

impl Node {
    pub(super) const fn null() -> Self {
        Node::Scalar(Scalar {
            value: Value::Null,
            text: None,
        })
    }

    fn untagged(&self) -> &Node {
        match self {
            Node::Tagged(_, node) => node.untagged(),
            node => node,
        }
    }

    /// A value that is not there: `key:`. It stands for an empty list or mapping where
    /// one is wanted.
    fn is_left_out(&self) -> bool {
        let empty = |scalar: &Scalar| scalar.text.as_deref() == Some("");
        self.is_null() && matches!(self, Node::Scalar(scalar) if empty(scalar))
    }

    pub(super) fn has_merge_key(&self) -> bool {
        match self {
            Node::Scalar(_) => false,
            Node::Tagged(_, node) => node.has_merge_key(),
            Node::List(nodes) => nodes.iter().any(Node::has_merge_key),
            Node::Map(map) => {
                map.contains(MERGE_KEY) || map.iter().any(|(_, node)| node.has_merge_key())
            }
        }
    }

    pub(super) fn text(text: &str) -> Self {
        Node::Scalar(Scalar::of(Value::Str(text.into())))
    }

    pub(super) fn is_null(&self) -> bool {
        matches!(self, Node::Scalar(scalar) if scalar.value == Value::Null)
    }

    /// This value as the field at a path; `None` if that leads into a list.
    pub(super) fn at(self, path: &[Segment]) -> Option<Node> {
        path.iter().rev().try_fold(self, |node, segment| {
            let Segment::Key(key) = segment else {
                return None;
            };
            let mut map = Map::default();
            map.insert(Scalar::of(Value::Str(key.clone())), node);
            Some(Node::Map(Box::new(map)))
        })
    }

    /// Lays another one over this one: maps are merged key by key, anything else
    /// replaces, an explicit null removes.
    ///
    /// Depth is bounded: the parsers give nothing that is nested more deeply than 128
    /// levels.
    pub(super) fn merge(&mut self, over: Node) {
        let Node::Map(over) = over else {
            *self = over;
            return;
        };
        if !matches!(self, Node::Map(_)) {
            // Key by key into nothing, so that a null in it removes here as well.
            *self = Node::Map(Box::default());
        }
        let Node::Map(base) = self else {
            return;
        };
        for (key, node) in over.entries.into_iter().flatten() {
            let letters = key.letters();
            if node.is_null() {
                base.remove(&letters);
                continue;
            }
            match base.get_mut(&letters) {
                Some(there) => there.merge(node),
                None => {
                    let mut fresh = Node::null();
                    fresh.merge(node);
                    base.insert(key, fresh);
                }
            }
        }
    }

    /// Puts in the place of every `<<` what it stands for: the keys of a map, or of
    /// several, that are not given beside it. Gives the path of one that stands for
    /// no map.
    pub(super) fn resolve_merge_keys(&mut self, path: &mut Vec<Segment>) -> Result<(), ()> {
        match self {
            Node::Scalar(_) => Ok(()),
            Node::Tagged(_, node) => node.resolve_merge_keys(path),
            Node::List(nodes) => nodes.iter_mut().enumerate().try_for_each(|(index, node)| {
                path.push(Segment::Index(index));
                node.resolve_merge_keys(path)?;
                path.pop();
                Ok(())
            }),
            Node::Map(map) => {
                for (key, node) in map.entries.iter_mut().flatten() {
                    path.push(Segment::Key(key.letters()));
                    node.resolve_merge_keys(path)?;
                    path.pop();
                }
                let Some(merged) = map.remove(MERGE_KEY) else {
                    return Ok(());
                };
                path.push(Segment::Key(MERGE_KEY.into()));
                map.take_in(merged)?;
                path.pop();
                Ok(())
            }
        }
    }

    /// All scalars, tags, and empty lists and maps, with their paths: as many as there
    /// is room for.
    pub(super) fn leaves(&self) -> Vec<Leaf> {
        let mut leaves = Vec::new();
        self.add_leaves(&mut Vec::new(), &mut { MAX_PATHS }, &mut leaves);
        leaves
    }

    fn add_leaves(&self, path: &mut Vec<Segment>, room: &mut usize, leaves: &mut Vec<Leaf>) {
        if *room == 0 {
            return;
        }
        let text = match self {
            Node::Tagged(tag, node) => {
                let at = format!("{}", PathDisplay(path));
                leaves.push(Leaf::new(at + "!", tag.as_str()));
                return node.add_leaves(path, room, leaves);
            }
            Node::List(nodes) if !nodes.is_empty() => {
                for (index, node) in nodes.iter().enumerate() {
                    path.push(Segment::Index(index));
                    node.add_leaves(path, room, leaves);
                    path.pop();
                }
                return;
            }
            Node::Map(map) if map.iter().next().is_some() => {
                for (key, node) in map.iter() {
                    path.push(Segment::Key(key.letters()));
                    node.add_leaves(path, room, leaves);
                    path.pop();
                }
                return;
            }
            Node::List(_) => "[]".into(),
            Node::Map(_) => "{}".into(),
            Node::Scalar(scalar) => match &scalar.value {
                Value::Str(text) => format!("{text:?}"),
                _ => scalar.letters(),
            },
        };
        let at = format!("{}", PathDisplay(path));
        *room = room.saturating_sub(at.len() + text.len());
        leaves.push(Leaf::new(at, text));
    }
}

const MERGE_KEY: &str = "<<";

/// Each leaf has the whole path to it, which may be long for many of them.
const MAX_PATHS: usize = 8 * 1024 * 1024;

impl Map {
    /// Takes in the keys of a merge key's value that are not here. Of several maps
    /// the earlier ones count for more.
    fn take_in(&mut self, merged: Node) -> Result<(), ()> {
        let maps = match merged {
            Node::List(nodes) => nodes,
            one => vec![one],
        };
        for node in maps {
            let Node::Map(map) = node else {
                return Err(());
            };
            for (key, node) in map.entries.into_iter().flatten() {
                if !self.contains(&key.letters()) {
                    self.insert(key, node);
                }
            }
        }
        Ok(())
    }
}

/// Why a tree cannot be built, where that is not the parser's to say.
#[derive(Clone, Debug)]
pub(super) enum Flaw {
    /// This key is given for the second time.
    Twice(String),
    /// A list or a mapping as a key.
    NoScalar,
    /// A key that is longer than anybody writes.
    Long,
}

/// No key is longer than this. What is said of a field repeats its whole path.
pub(super) const MAX_KEY: usize = 1024;

/// Builds a tree. A key that is given twice is an error, at the second one.
///
/// For languages in which a key may be written in several ways (`16`, `0x10`), it is
/// [`Letters`] that tells: `keys_are_letters` is false then.
#[derive(Clone, Copy)]
pub(super) struct Build<'k> {
    pub(super) flaw: &'k RefCell<Option<Flaw>>,
    pub(super) keys_are_letters: bool,
}

impl<'de> DeserializeSeed<'de> for Build<'_> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, de: D) -> Result<Node, D::Error> {
        de.deserialize_any(self)
    }
}

macro_rules! build_scalar {
    ($($method:ident($type:ty) $variant:ident;)*) => {
        $(fn $method<E: de::Error>(self, value: $type) -> Result<Node, E> {
            Ok(Node::Scalar(Scalar::of(Value::$variant(value.into()))))
        })*
    };
}

impl<'de> Visitor<'de> for Build<'_> {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    build_scalar! {
        visit_bool(bool) Bool;
        visit_u64(u64) U64;
        visit_i64(i64) I64;
        visit_u128(u128) U128;
        visit_i128(i128) I128;
        visit_f64(f64) F64;
        visit_str(&str) Str;
        visit_string(String) Str;
    }

    fn visit_unit<E: de::Error>(self) -> Result<Node, E> {
        Ok(Node::null())
    }

    fn visit_none<E: de::Error>(self) -> Result<Node, E> {
        Ok(Node::null())
    }

    fn visit_some<D: Deserializer<'de>>(self, de: D) -> Result<Node, D::Error> {
        de.deserialize_any(self)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, de: D) -> Result<Node, D::Error> {
        de.deserialize_any(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Node, A::Error> {
        let mut nodes = Vec::new();
        while let Some(node) = seq.next_element_seed(self)? {
            nodes.push(node);
        }
        // Most lists are short, and there may be many.
        nodes.shrink_to_fit();
        Ok(Node::List(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        let mut map = Map::default();
        let known = |map: &Map, key: &str| self.keys_are_letters && map.contains(key);
        while let Some(key) = access.next_key_seed(BuildKey {
            is_known: &|key| known(&map, key),
            flaw: self.flaw,
        })? {
            map.push(key, access.next_value_seed(self)?);
        }
        map.entries.shrink_to_fit();
        Ok(Node::Map(Box::new(map)))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<Node, A::Error> {
        let (tag, variant) = data.variant::<String>()?;
        let node = variant.newtype_variant_seed(self)?;
        Ok(Node::Tagged(tag, Box::new(node)))
    }
}

/// Builds a key of a map that has some already.
struct BuildKey<'m> {
    is_known: &'m dyn Fn(&str) -> bool,
    flaw: &'m RefCell<Option<Flaw>>,
}

impl<'de> DeserializeSeed<'de> for BuildKey<'_> {
    type Value = Scalar;

    fn deserialize<D: Deserializer<'de>>(self, de: D) -> Result<Scalar, D::Error> {
        de.deserialize_any(self)
    }
}

macro_rules! build_key {
    ($($method:ident($type:ty) $variant:ident;)*) => {
        $(fn $method<E: de::Error>(self, value: $type) -> Result<Scalar, E> {
            self.unless_known(Scalar::of(Value::$variant(value.into())))
        })*
    };
}

impl BuildKey<'_> {
    fn refuse<E: de::Error>(&self, flaw: Flaw) -> E {
        *self.flaw.borrow_mut() = Some(flaw);
        E::custom("refused")
    }

    fn unless_known<E: de::Error>(self, key: Scalar) -> Result<Scalar, E> {
        let letters = key.letters();
        if letters.len() > MAX_KEY {
            return Err(self.refuse(Flaw::Long));
        }
        if (self.is_known)(&letters) {
            return Err(self.refuse(Flaw::Twice(letters)));
        }
        Ok(key)
    }
}

impl<'de> Visitor<'de> for BuildKey<'_> {
    type Value = Scalar;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    build_key! {
        visit_bool(bool) Bool;
        visit_u64(u64) U64;
        visit_i64(i64) I64;
        visit_u128(u128) U128;
        visit_i128(i128) I128;
        visit_f64(f64) F64;
        visit_str(&str) Str;
        visit_string(String) Str;
    }

    fn visit_unit<E: de::Error>(self) -> Result<Scalar, E> {
        self.unless_known(Scalar::of(Value::Null))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Scalar, A::Error> {
        Err(self.refuse(Flaw::NoScalar))
    }

    fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<Scalar, A::Error> {
        Err(self.refuse(Flaw::NoScalar))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, _: A) -> Result<Scalar, A::Error> {
        Err(self.refuse(Flaw::NoScalar))
    }
}

/// Notes how the scalars of a tree were written, from the same text again. For
/// languages in which what is not in quotes may be a string all the same.
pub(super) struct Letters<'n> {
    pub(super) node: &'n mut Node,
    pub(super) flaw: &'n RefCell<Option<Flaw>>,
}

impl<'de> DeserializeSeed<'de> for Letters<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, de: D) -> Result<(), D::Error> {
        match self.node {
            Node::Scalar(scalar) if matches!(scalar.value, Value::Str(_)) => {
                de.deserialize_ignored_any(de::IgnoredAny).map(drop)
            }
            Node::Scalar(scalar) => {
                let text = <String as de::Deserialize>::deserialize(de)?;
                scalar.text = Some(text.into());
                Ok(())
            }
            _ => de.deserialize_any(self),
        }
    }
}

impl<'de> Visitor<'de> for Letters<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the same as before")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let flaw = self.flaw;
        if let Node::List(nodes) = self.node {
            for node in nodes {
                seq.next_element_seed(Letters { node, flaw })?;
            }
        }
        while seq.next_element::<de::IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<(), A::Error> {
        let Node::Map(map) = self.node else {
            return Ok(());
        };
        let flaw = self.flaw;
        let known = RefCell::new(BTreeSet::new());
        for (key, node) in map.entries.iter_mut().flatten() {
            let is_known = |key: &str| known.borrow().contains(key);
            let letters = KeyLetters(BuildKey {
                is_known: &is_known,
                flaw,
            });
            if let Some(letters) = access.next_key_seed(letters)? {
                known.borrow_mut().insert(letters.clone());
                if !matches!(key.value, Value::Str(_)) {
                    key.text = Some(letters.into());
                }
            }
            access.next_value_seed(Letters { node, flaw })?;
        }
        map.index_anew();
        while access
            .next_entry::<de::IgnoredAny, de::IgnoredAny>()?
            .is_some()
        {}
        Ok(())
    }

    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<(), A::Error> {
        let (de::IgnoredAny, variant) = data.variant()?;
        let flaw = self.flaw;
        match self.node {
            Node::Tagged(_, node) => variant.newtype_variant_seed(Letters { node, flaw }),
            _ => variant.newtype_variant::<de::IgnoredAny>().map(drop),
        }
    }
}

/// The letters of a key of a map that has some already.
struct KeyLetters<'m>(BuildKey<'m>);

impl<'de> DeserializeSeed<'de> for KeyLetters<'_> {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, de: D) -> Result<String, D::Error> {
        de.deserialize_str(self.0).map(|key| key.letters())
    }
}

/// A refusal without words: they are the guide's to find.
#[derive(Debug)]
pub(super) struct NoWords;

impl fmt::Display for NoWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("refused")
    }
}

impl super::super::std::error::Error for NoWords {}

impl de::Error for NoWords {
    fn custom<M: fmt::Display>(message: M) -> Self {
        // Printed and thrown away, for then the visitor says what it expected.
        let _ = format!("{message}");
        NoWords
    }
}

/// A tag says something only to an enum, or to who takes anything.
macro_rules! as_it_is {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NoWords> {
            self.untagged().deserialize_any(visitor)
        })*
    };
}

/// As its letters, if it is a scalar with any.
macro_rules! as_letters {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NoWords> {
            match self.untagged() {
                Node::Scalar(Scalar { text: Some(text), .. }) => visitor.visit_str(text),
                node => node.deserialize_any(visitor),
            }
        })*
    };
}

impl<'de> Deserializer<'de> for &Node {
    type Error = NoWords;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NoWords> {
        match self {
            Node::Scalar(scalar) => scalar.deserialize_any(visitor),
            Node::List(nodes) => visitor.visit_seq(Elements(nodes.iter())),
            Node::Map(map) => visitor.visit_map(Entries::of(map)),
            Node::Tagged(tag, node) => visitor.visit_enum(Variant(tag, Some(node))),
        }
    }

    as_it_is! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_i128 deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
        deserialize_u128 deserialize_f32 deserialize_f64 deserialize_unit
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NoWords> {
        match self.untagged() {
            node if node.is_left_out() => visitor.visit_seq(Elements([].iter())),
            node => node.deserialize_any(visitor),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NoWords> {
        match self.untagged() {
            node if node.is_left_out() => visitor.visit_map(Entries::of(&Map::default())),
            node => node.deserialize_any(visitor),
        }
    }

    as_letters! {
        deserialize_char deserialize_str deserialize_string deserialize_bytes
        deserialize_byte_buf deserialize_identifier
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NoWords> {
        if self.is_null() {
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, NoWords> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, NoWords> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, NoWords> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, NoWords> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, NoWords> {
        self.deserialize_map(visitor)
    }

    /// A name alone, a tag (YAML), or a map of one key (TOML and JSON).
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, NoWords> {
        match self {
            Node::Scalar(scalar) => visitor.visit_enum(Variant(&scalar.letters(), None)),
            Node::Map(map) => visitor.visit_enum(MapAccessDeserializer::new(Entries::of(map))),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NoWords> {
        visitor.visit_unit()
    }
}

impl Scalar {
    fn deserialize_any<'de, V: Visitor<'de>>(&self, visitor: V) -> Result<V::Value, NoWords> {
        match &self.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::U64(value) => visitor.visit_u64(*value),
            Value::I64(value) => visitor.visit_i64(*value),
            Value::U128(value) => visitor.visit_u128(**value),
            Value::I128(value) => visitor.visit_i128(**value),
            Value::F64(value) => visitor.visit_f64(*value),
            Value::Str(value) => visitor.visit_str(value),
        }
    }
}

struct Elements<'n>(core::slice::Iter<'n, Node>);

impl<'de> SeqAccess<'de> for Elements<'_> {
    type Error = NoWords;

    fn next_element_seed<S>(&mut self, seed: S) -> Result<Option<S::Value>, NoWords>
    where
        S: DeserializeSeed<'de>,
    {
        self.0.next().map(|node| seed.deserialize(node)).transpose()
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.0.len())
    }
}

struct Entries<'n> {
    entries: core::slice::Iter<'n, Option<(Scalar, Node)>>,
    value: Option<&'n Node>,
}

impl<'n> Entries<'n> {
    fn of(map: &'n Map) -> Self {
        Entries {
            entries: map.entries.iter(),
            value: None,
        }
    }
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = NoWords;

    fn next_key_seed<S>(&mut self, seed: S) -> Result<Option<S::Value>, NoWords>
    where
        S: DeserializeSeed<'de>,
    {
        let Some((key, value)) = self.entries.by_ref().flatten().next() else {
            return Ok(None);
        };
        self.value = Some(value);
        seed.deserialize(AsKey(key)).map(Some)
    }

    fn next_value_seed<S>(&mut self, seed: S) -> Result<S::Value, NoWords>
    where
        S: DeserializeSeed<'de>,
    {
        seed.deserialize(self.value.take().ok_or(NoWords)?)
    }
}

/// A key. Where numbers are no keys (TOML, JSON, the environment), one in letters is a
/// number if the type asks for one.
struct AsKey<'n>(&'n Scalar);

macro_rules! key_as_number {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NoWords> {
            let Value::Str(text) = &self.0.value else {
                return self.0.deserialize_any(visitor);
            };
            if let Ok(number) = text.parse::<u64>() {
                return visitor.visit_u64(number);
            }
            match text.parse::<i64>() {
                Ok(number) => visitor.visit_i64(number),
                Err(_) => self.0.deserialize_any(visitor),
            }
        })*
    };
}

impl<'de> Deserializer<'de> for AsKey<'_> {
    type Error = NoWords;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NoWords> {
        self.0.deserialize_any(visitor)
    }

    key_as_number! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NoWords> {
        match &self.0.value {
            Value::Str(text) if text == "true" => visitor.visit_bool(true),
            Value::Str(text) if text == "false" => visitor.visit_bool(false),
            _ => self.0.deserialize_any(visitor),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NoWords> {
        visitor.visit_string(self.0.letters())
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NoWords> {
        self.deserialize_str(visitor)
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NoWords> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NoWords> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NoWords> {
        if self.0.value == Value::Null {
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, NoWords> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, NoWords> {
        visitor.visit_enum(Variant(&self.0.letters(), None))
    }

    serde::forward_to_deserialize_any! {
        f32 f64 bytes byte_buf unit unit_struct seq tuple tuple_struct map struct ignored_any
    }
}

/// The name of a variant, and what it holds.
struct Variant<'n>(&'n str, Option<&'n Node>);

impl<'de, 'n> EnumAccess<'de> for Variant<'n> {
    type Error = NoWords;
    type Variant = Holds<'n>;

    fn variant_seed<S>(self, seed: S) -> Result<(S::Value, Holds<'n>), NoWords>
    where
        S: DeserializeSeed<'de>,
    {
        let name: de::value::StrDeserializer<'_, NoWords> = self.0.into_deserializer();
        Ok((seed.deserialize(name)?, Holds(self.1)))
    }
}

struct Holds<'n>(Option<&'n Node>);

impl<'de> VariantAccess<'de> for Holds<'_> {
    type Error = NoWords;

    fn unit_variant(self) -> Result<(), NoWords> {
        match self.0 {
            Some(node) if !node.is_null() => Err(NoWords),
            _ => Ok(()),
        }
    }

    fn newtype_variant_seed<S>(self, seed: S) -> Result<S::Value, NoWords>
    where
        S: DeserializeSeed<'de>,
    {
        seed.deserialize(self.0.unwrap_or(&Node::null()))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, NoWords> {
        self.0.unwrap_or(&Node::null()).deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, NoWords> {
        self.0.unwrap_or(&Node::null()).deserialize_any(visitor)
    }
}
