//! A deserializer of a node. It knows where it is, so that what is wrong gets its path
//! and its place on the way out; and it notes the keys that no field takes, and the
//! fields whose types say that they are secrets.

use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;
use core::any::type_name;

use serde::de::{self, Deserializer, Expected, Unexpected, Visitor};

use super::access::{Entries, Items, Variant};
use super::error::{Error, Placed, Problem, Spot};
use super::reader::{Reader, Step, Trail};
use super::scalar;
use super::secret::NAME_OF_SECRETS;
use super::tree::{Core, Id, Kind, Node, Style, Tag, Tree};
use super::words::{OUT_OF_RANGE, cut_key, kind_of};
use crate::engine::path::{PathDisplay, Segment};

/// As `toml` calls a date that it hands to its own types.
const TOML_DATE: &str = "$__toml_private_Datetime";
const TOML_DATE_FIELD: &str = "$__toml_private_datetime";

/// A deserializer of a node.
#[derive(Clone, Copy)]
pub(super) struct De<'a> {
    pub(super) reader: &'a Reader<'a>,
    pub(super) trail: Trail<'a>,
    /// The fields of the struct that it stands in.
    pub(super) known: Option<&'static [&'static str]>,
    pub(super) is_key: bool,
    /// Its tag was read.
    pub(super) untagged: bool,
}

impl<'a> De<'a> {
    pub(super) fn of_the_root(reader: &'a Reader<'a>, id: Id) -> Self {
        De {
            reader,
            trail: Trail {
                above: None,
                step: Step::Root,
                id,
            },
            known: None,
            is_key: false,
            untagged: false,
        }
    }

    pub(super) fn tree(&self) -> &'a Tree {
        self.reader.tree
    }

    fn node(&self) -> Node {
        self.tree().node(self.trail.id)
    }

    /// Returns a deserializer of a node inside of this one.
    pub(super) fn inside<'b>(&'b self, step: Step, id: Id) -> De<'b>
    where
        'a: 'b,
    {
        De {
            reader: self.reader,
            trail: Trail {
                above: Some(&self.trail),
                step,
                id,
            },
            known: None,
            is_key: false,
            untagged: false,
        }
    }

    /// Gives an error its path and its place, unless one further in has them.
    pub(super) fn placing<T>(&self, result: Result<T, Error>) -> Result<T, Error> {
        result.map_err(|error| self.placed(error, type_name::<T>()))
    }

    #[cold]
    fn placed(&self, mut error: Error, wanted: &'static str) -> Error {
        if error.0.placed.is_some() {
            return error;
        }
        let mut path = self.trail.segments(self.reader);
        let is_masked = self.reader.masks.cover(&path);
        let spot = Spot {
            tree: self.tree(),
            id: self.trail.id,
            kind: kind_of(&self.unexpected()),
            is_key: self.is_key,
            is_secret: is_masked || self.trail.is_secret(self.reader),
            wanted,
        };
        let message = error.0.problem.message(&spot);
        match &error.0.problem {
            // Only our own key is known to be one: user code may call anything a key.
            Problem::Unknown { key, .. }
                if self.is_key && self.tree().scalar(self.trail.id) == Some(key) =>
            {
                path.push(Segment::Key(cut_key(key)));
            }
            _ => {}
        }
        error.0.placed = Some(Placed {
            path: PathDisplay(&path).to_string(),
            at: self.node().at,
            message,
        });
        error
    }

    /// Notes what a type's name says: the types of `secrecy` are secrets, and what
    /// `serde` sets aside to read it later may be one.
    pub(super) fn note_type<T>(&self) {
        let name = type_name::<T>();
        // This is asked of every value, and most names end otherwise than these do:
        // `SecretBox<str>`, `Option<SecretBox<str>>`, `Content`, `(Tag, Content)`.
        if !name.ends_with(['>', 't', ')']) {
            return;
        }
        if name.contains("secrecy::Secret") {
            self.is_secret();
        } else if name.contains("::Content") && name.contains("serde") {
            self.reader.noted.borrow_mut().hidden.add(self.trail.id);
        }
    }

    fn is_secret(&self) {
        let hidden = &mut self.reader.noted.borrow_mut().hidden;
        hidden.add_whole(self.tree(), self.trail.id);
    }

    fn tag(&self) -> Tag {
        match self.untagged {
            true => Tag::None,
            false => self.node().tag,
        }
    }

    /// Returns the name of a variant.
    fn variant(&self) -> Option<&'a str> {
        let name = self.tree().variant(self.trail.id);
        name.filter(|_| !self.untagged)
    }

    /// Returns a scalar without quotes, or one whose tag says that it is of this kind.
    /// Keys have quotes where there are no others (JSON, TOML, the environment).
    fn plain(&self, kind: Core) -> Option<&'a str> {
        let Kind::Scalar(text, style) = self.node().kind else {
            return None;
        };
        let is_plain = match style {
            Style::Plain | Style::Typed | Style::Text => true,
            Style::Literal => self.is_key || self.tag() == Tag::Core(kind),
            Style::Quoted | Style::Date => self.is_key,
        };
        is_plain.then(|| self.tree().text(text))
    }

    fn is_null(&self) -> bool {
        let Kind::Scalar(text, Style::Plain | Style::Typed) = self.node().kind else {
            return false;
        };
        let text = self.tree().text(text);
        match self.tag() {
            Tag::None => text.is_empty() || scalar::is_null(text),
            tag => tag == Tag::Core(Core::Null) && scalar::is_null(text),
        }
    }

    /// Reads a scalar as what it is.
    fn scalar<'de, V: Visitor<'de>>(
        &self,
        text: &str,
        style: Style,
        visitor: V,
    ) -> Result<V::Value, Error> {
        let not = |kind: &str| Err(de::Error::invalid_value(Unexpected::Str(text), &kind));
        match self.tag() {
            Tag::Core(Core::Bool) if scalar::boolean(text).is_none() => return not("a boolean"),
            Tag::Core(Core::Int) if scalar::whole(text).is_none() => return not("an integer"),
            Tag::Core(Core::Null) if !scalar::is_null(text) => return not("null"),
            Tag::Core(Core::Float) => {
                let number = scalar::fraction(text);
                return number.map_or_else(|| not("a float"), |number| visitor.visit_f64(number));
            }
            Tag::Core(Core::Bool | Core::Int | Core::Null) => {}
            Tag::None | Tag::Own(_) if matches!(style, Style::Plain | Style::Typed) => {}
            _ => return visitor.visit_str(text),
        }
        if text.is_empty() || scalar::is_null(text) {
            return visitor.visit_unit();
        }
        if let Some(truth) = scalar::boolean(text) {
            return visitor.visit_bool(truth);
        }
        if let Some((negative, size)) = scalar::whole(text) {
            match (negative, u64::try_from(size), scalar::signed(text)) {
                (false, Ok(number), _) => return visitor.visit_u64(number),
                (false, Err(_), _) => return visitor.visit_u128(size),
                (true, _, Some(number)) => {
                    return match i64::try_from(number) {
                        Ok(number) => visitor.visit_i64(number),
                        Err(_) => visitor.visit_i128(number),
                    };
                }
                (true, _, None) => {}
            }
        }
        match scalar::fraction(text) {
            Some(number) if scalar::is_fraction(text) => visitor.visit_f64(number),
            // Where strings have quotes, this is a number.
            _ if style == Style::Typed => {
                let found = Unexpected::Other(OUT_OF_RANGE);
                Err(de::Error::invalid_value(found, &visitor))
            }
            _ => visitor.visit_str(text),
        }
    }

    /// Returns what is there, for an error: its kind counts, not its value.
    fn unexpected(&self) -> Unexpected<'static> {
        let (text, style) = match self.node().kind {
            Kind::Scalar(text, style) => (self.tree().text(text), style),
            Kind::List(_) => return Unexpected::Seq,
            Kind::Map(_) => return Unexpected::Map,
        };
        let is_plain =
            matches!(style, Style::Plain | Style::Typed) && self.tag() != Tag::Core(Core::Str);
        match () {
            () if self.is_null() => Unexpected::Unit,
            () if !is_plain => Unexpected::Str(""),
            () if scalar::boolean(text).is_some() => Unexpected::Bool(true),
            () if scalar::whole(text).is_some() => Unexpected::Unsigned(0),
            () if scalar::is_out_of_range(text) => Unexpected::Other(OUT_OF_RANGE),
            () if scalar::is_fraction(text) => Unexpected::Float(0.0),
            () => Unexpected::Str(""),
        }
    }

    fn mismatch<T>(&self, expected: &dyn Expected) -> Result<T, Error> {
        Err(de::Error::invalid_type(self.unexpected(), expected))
    }

    pub(super) fn list<'de, V: Visitor<'de>>(
        &self,
        ids: &'a [Id],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let mut items = Items {
            de: *self,
            ids,
            index: 0,
        };
        let value = visitor.visit_seq(&mut items)?;
        if items.index < ids.len() {
            let expected = format!("a tuple of size {}", items.index);
            return Err(de::Error::invalid_length(ids.len(), &expected.as_str()));
        }
        Ok(value)
    }

    pub(super) fn map<'de, V: Visitor<'de>>(
        &self,
        known: Option<&'static [&'static str]>,
        visitor: V,
    ) -> Result<V::Value, Error> {
        let ids = match self.node().kind {
            Kind::Map(entries) => self.tree().children(entries),
            _ if self.tree().holds_nothing(self.trail.id) => &[],
            _ => return self.mismatch(&visitor),
        };
        let before = self.reader.noted.borrow().unknown.len();
        let de = *self;
        visitor
            .visit_map(Entries {
                de,
                ids,
                known,
                apart_was_read: false,
            })
            .map_err(|mut error| {
                let mut noted = self.reader.noted.borrow_mut();
                let mut unknown: Vec<_> = noted.unknown.drain(before..).collect();
                unknown.append(&mut error.0.unknown);
                error.0.unknown = unknown;
                error
            })
    }
}

macro_rules! number {
    ($($method:ident $kind:ident $parse:ident $visit:ident($type:ty);)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            let value = self.plain(Core::$kind).and_then(scalar::$parse);
            match value.and_then(|value| <$type>::try_from(value).ok()) {
                Some(value) => visitor.$visit(value),
                None => self.mismatch(&visitor),
            }
        })*
    };
}

macro_rules! same_as {
    ($($method:ident($($type:ty),*) $other:ident;)*) => {
        $(fn $method<V: Visitor<'de>>(self, $(_: $type,)* visitor: V) -> Result<V::Value, Error> {
            self.$other(visitor)
        })*
    };
}

impl<'de> Deserializer<'de> for De<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.note_type::<V::Value>();
        if let Some(name) = self.variant() {
            return visitor.visit_enum(Variant::of(self, name, false));
        }
        match self.node().kind {
            Kind::Scalar(text, style) => self.scalar(self.tree().text(text), style, visitor),
            Kind::List(items) => self.list(self.tree().children(items), visitor),
            Kind::Map(_) => self.map(None, visitor),
        }
    }

    number! {
        deserialize_bool Bool boolean visit_bool(bool);
        deserialize_i64 Int signed visit_i64(i64);
        deserialize_i128 Int signed visit_i128(i128);
        deserialize_u64 Int unsigned visit_u64(u64);
        deserialize_u128 Int unsigned visit_u128(u128);
        deserialize_f64 Float fraction visit_f64(f64);
    }

    same_as! {
        deserialize_i8() deserialize_i64;
        deserialize_i16() deserialize_i64;
        deserialize_i32() deserialize_i64;
        deserialize_u8() deserialize_u64;
        deserialize_u16() deserialize_u64;
        deserialize_u32() deserialize_u64;
        deserialize_f32() deserialize_f64;
        deserialize_char() deserialize_str;
        deserialize_string() deserialize_str;
        deserialize_bytes() deserialize_str;
        deserialize_byte_buf() deserialize_str;
        deserialize_unit_struct(&'static str) deserialize_unit;
        deserialize_tuple(usize) deserialize_seq;
        deserialize_tuple_struct(&'static str, usize) deserialize_seq;
    }

    /// Reads the text; but nothing is no string, and neither is a tag without content.
    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let words = |visitor: &dyn Expected| visitor.to_string();
        let is_own_type = !type_name::<V::Value>().starts_with("alloc::");
        let expected = is_own_type.then(|| words(&visitor));
        let read = match self.node().kind {
            Kind::Scalar(text, Style::Typed) => {
                self.scalar(self.tree().text(text), Style::Typed, visitor)
            }
            Kind::Scalar(text, Style::Plain)
                if text.is_empty() && matches!(self.tag(), Tag::Own(_) | Tag::Other) =>
            {
                let found = "a tag without content; put a text that begins with `!` in quotes";
                let expected = words(&visitor);
                return Err(Problem::Mismatch { expected, found }.into());
            }
            Kind::Scalar(text, _) if !self.is_null() => visitor.visit_str(self.tree().text(text)),
            _ => return self.mismatch(&visitor),
        };
        read.map_err(|mut error| {
            if let Problem::Custom {
                expected: visitor, ..
            } = &mut error.0.problem
            {
                *visitor = visitor.take().or(expected);
            }
            error
        })
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.node().kind {
            Kind::Scalar(text, _) if !self.is_null() => {
                visitor.visit_str(self.field(self.trail.id, self.tree().text(text)))
            }
            _ => self.mismatch(&visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.is_null() {
            return visitor.visit_none();
        }
        let is_plain = matches!(self.node().kind, Kind::Scalar(_, Style::Plain));
        if is_plain && self.tag() == Tag::Core(Core::Null) {
            return self.mismatch(&"null");
        }
        visitor.visit_some(self)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.is_null() {
            return visitor.visit_unit();
        }
        self.mismatch(&visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        if name == NAME_OF_SECRETS {
            self.is_secret();
        }
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let tree = self.tree();
        if let Some(listed) = tree.lists.get(&self.trail.id) {
            return self.listed(*listed, visitor);
        }
        match self.node().kind {
            Kind::List(items) => self.list(tree.children(items), visitor),
            Kind::Map(entries) if self.is_numbered(entries) => self.numbered(entries, visitor),
            _ if self.tree().holds_nothing(self.trail.id) => self.list(&[], visitor),
            _ => self.mismatch(&visitor),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.map(None, visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        known: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.node().kind {
            Kind::Scalar(text, Style::Date) if name == TOML_DATE => {
                let entry = (TOML_DATE_FIELD, self.tree().text(text));
                visitor.visit_map(de::value::MapDeserializer::new([entry].into_iter()))
            }
            _ => self.map(Some(known), visitor),
        }
    }

    /// Reads a tag, a name alone, or a mapping of one key.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        if let Some(name) = self.variant() {
            return visitor.visit_enum(Variant::of(self, name, false));
        }
        let tree = self.tree();
        let other = || {
            let found = Some(kind_of(&self.unexpected()));
            Err(Problem::Variant { names, found }.into())
        };
        match self.node().kind {
            Kind::Scalar(name, _) if !self.is_null() => {
                let name = tree.text(name);
                visitor.visit_enum(Variant::of(self, name, true))
            }
            Kind::Map(entries) => match tree.children(entries) {
                [key, value] => {
                    let name = tree.scalar(*key).unwrap_or_default();
                    let de = self.inside(Step::Key(*key), *value);
                    visitor.visit_enum(Variant::of(de, name, false))
                }
                _ => other(),
            },
            _ => other(),
        }
    }

    /// A struct asks in this way for what it has no field for.
    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if let (Some(known), Step::Key(key)) = (self.known, self.trail.step) {
            // A field may take anything and keep nothing.
            let name = self.tree().scalar(key).unwrap_or_default();
            if !known.contains(&self.field(key, name)) {
                self.reader.note_unknown(&self.trail, key, known);
            }
        }
        visitor.visit_unit()
    }
}
