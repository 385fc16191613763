//! Goes along while a value is deserialized, and notes what is worth knowing: why
//! the document does not fit the type (which field, what was expected and what kind
//! of thing was found, never a value), which keys nothing takes, and which fields
//! are secrets.
//!
//! Parsers quote the input in their messages (`invalid type: string "sk-…"`),
//! and a text that was once mixed with a secret cannot be cleaned any more. So a
//! wrapper around the deserializer catches what is wrong before it becomes
//! text: the `serde` data model tells kind and expectation apart. It knows no
//! format, so the words are the same for all; the lines and columns are the
//! parser's, in `syntax.rs`.
//!
//! It is there in every parse, so all that costs is left until something is wrong.

use core::cell::{Cell, RefCell};
use core::fmt::{self, Write as _};
use core::marker::PhantomData;

use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, Expected, MapAccess, SeqAccess, Unexpected,
    VariantAccess, Visitor,
};

use super::super::secret::NAME_OF_SECRETS;
use super::super::std::collections::BTreeSet;
use super::super::std::error::Error as StdError;
use super::super::std::format;
use super::super::std::prelude::rust_2024::*;
use super::tree::MAX_KEY;
use super::words::{OneOf, in_words, kind_of, like_one_of};
use crate::engine::Violation;
use crate::engine::path::{PathDisplay, Segment};

/// What is wrong with a field.
#[derive(Clone, Debug)]
pub(crate) enum Problem {
    /// Of the wrong kind, or outside of what the kind may be. `found` is `None`
    /// where the deserializer refused by itself and did not tell.
    Mismatch {
        expected: String,
        found: Option<&'static str>,
    },
    Length {
        expected: String,
        found: usize,
    },
    Variant(&'static [&'static str]),
    Unknown {
        key: String,
        known: &'static [&'static str],
    },
    Missing(&'static str),
    Duplicate(String),
    LongKey,
    /// The type's own code refused it. What it says may quote the value.
    Custom,
}

impl Problem {
    /// What to tell people. `kind` is what is there, where that is known;
    /// `custom` stands in for what the type's own code said.
    pub(crate) fn message(&self, kind: Option<&str>, custom: &str) -> String {
        match self {
            // An enum that is tagged inside, or a flattened struct, is read whole
            // before its fields are, so the path ends at the outer one.
            Problem::Mismatch {
                expected,
                found: Some(found),
            } if kind.is_some_and(|kind| is_a_holder(kind) && kind != *found) => {
                format!("a value in it: expected {expected}, found {found}")
            }
            Problem::Mismatch { expected, found } => match found.or(kind) {
                Some(found) if expected.starts_with(found) => {
                    format!("expected {expected}, found another")
                }
                Some(found) => format!("expected {expected}, found {found}"),
                None => format!("expected {expected}"),
            },
            Problem::Length { expected, found } => {
                format!("expected {expected}, found {found} of them")
            }
            Problem::Variant(names) => format!("expected {}", OneOf(names)),
            Problem::Unknown { known: [], .. } => "unknown key; none is expected here".into(),
            Problem::Unknown { key, known } => match like_one_of(key, known) {
                Some(known) => format!("unknown key; did you mean `{known}`?"),
                None => format!("unknown key; expected {}", OneOf(known)),
            },
            Problem::Missing(field) => format!("the key `{field}` is missing"),
            Problem::Duplicate(field) => format!("the key `{field}` is given twice"),
            Problem::LongKey => format!("a key of more than {MAX_KEY} bytes"),
            Problem::Custom => custom.into(),
        }
    }
}

fn is_a_holder(kind: &str) -> bool {
    matches!(kind, "a list" | "a mapping")
}

/// A problem with the path to its field.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    pub(crate) path: Vec<Segment>,
    pub(crate) problem: Problem,
    /// It is a key that is wrong, not what the path leads to.
    pub(crate) is_key: bool,
}

impl Fault {
    /// The key that is given twice, if it is that.
    pub(crate) fn given_twice(&self) -> Option<Violation> {
        match &self.problem {
            Problem::Duplicate(_) => Some(self.violation(None, "")),
            _ => None,
        }
    }

    /// The path of the key that nothing takes, if it is that.
    pub(crate) fn unknown_key(&self) -> Option<&[Segment]> {
        matches!(self.problem, Problem::Unknown { .. }).then_some(&self.path)
    }

    /// What to tell people; see [`Problem::message`].
    pub(crate) fn violation(&self, kind: Option<&str>, custom: &str) -> Violation {
        let path = PathDisplay(&self.path).to_string();
        Violation::new(path, self.problem.message(kind, custom))
    }
}

/// A key that nothing takes.
#[derive(Clone, Debug)]
pub(crate) struct UnknownKey {
    pub(crate) path: Vec<Segment>,
    pub(crate) like: Option<&'static str>,
}

/// More unknown keys are not kept: nobody reads them.
pub(super) const MAX_NOTED: usize = 64;

/// Where the deserializer is, and what was noted on the way.
#[derive(Default)]
pub(crate) struct Guide {
    path: RefCell<Trail>,
    /// The key that was read last.
    key: RefCell<String>,
    key_is_noted: Cell<bool>,
    /// What the visitor that refused last says it expects.
    expected: RefCell<Option<String>>,
    fault: RefCell<Option<Fault>>,
    caught: Cell<usize>,
    unknown_keys: RefCell<Vec<UnknownKey>>,
    secrets: RefCell<Vec<Vec<Segment>>>,
    /// How many bytes of paths are kept.
    kept: Cell<usize>,
}

/// No more is kept: each path is whole, and there may be many.
const MAX_KEPT: usize = 1024 * 1024;

/// A path that grows and shrinks without a new allocation for each key.
#[derive(Default)]
struct Trail {
    keys: String,
    steps: Vec<Step>,
}

#[derive(Clone, Copy)]
enum Step {
    Index(usize),
    /// Begins here among the keys.
    Key(usize),
}

impl Trail {
    fn segments(&self) -> Vec<Segment> {
        let mut end = self.keys.len();
        let segment = |step: &Step| match *step {
            Step::Index(index) => Segment::Index(index),
            Step::Key(start) => {
                let key = self.keys[start..end].into();
                end = start;
                Segment::Key(key)
            }
        };
        let mut segments: Vec<_> = self.steps.iter().rev().map(segment).collect();
        segments.reverse();
        segments
    }

    fn leave(&mut self) {
        if let Some(Step::Key(start)) = self.steps.pop() {
            self.keys.truncate(start);
        }
    }
}

impl Guide {
    /// Goes along with a deserializer.
    pub(crate) fn along<D>(&self, de: D) -> Tracked<'_, D> {
        Tracked {
            inner: de,
            guide: self,
            is_key: false,
            fields: None,
        }
    }

    /// Notes what is wrong, and gives the parser's error.
    pub(crate) fn caught<E: de::Error>(&self, caught: Caught<E>) -> E {
        self.release(caught, false)
    }

    /// What was found to be wrong.
    pub(crate) fn taken(&self) -> Option<Fault> {
        self.fault.take()
    }

    pub(crate) fn unknown_keys(&self) -> Vec<UnknownKey> {
        self.unknown_keys.take()
    }

    pub(crate) fn secrets(&self) -> Vec<Vec<Segment>> {
        self.secrets.take()
    }

    fn note(&self, mut problem: Problem, is_key: bool) {
        let mut path = self.path.borrow().segments();
        match &mut problem {
            Problem::Unknown { key, .. } => path.push(Segment::Key(key.clone())),
            // The path is the map's; what is there is told apart from it.
            Problem::Mismatch { expected, found } if is_key => {
                expected.push_str(" as a key");
                *found = found.or(Some("something else"));
            }
            _ => {}
        }
        *self.fault.borrow_mut() = Some(Fault {
            path,
            problem,
            is_key,
        });
        self.caught.set(self.caught.get() + 1);
    }

    fn note_unknown_key(&self, fields: &'static [&'static str]) {
        let mut noted = self.unknown_keys.borrow_mut();
        // A field that takes anything and keeps nothing.
        if fields.contains(&self.key.borrow().as_str()) {
            return;
        }
        if noted.len() < MAX_NOTED {
            let like = like_one_of(&self.key.borrow(), fields);
            let path = self.path.borrow().segments();
            noted.push(UnknownKey { path, like });
        }
    }

    fn note_secret(&self) {
        let bytes = self.path.borrow().keys.len() + 64;
        self.kept.set(self.kept.get().saturating_add(bytes));
        if !self.noted_too_much() {
            let path = self.path.borrow().segments();
            self.secrets.borrow_mut().push(path);
        }
    }

    /// Some of what was to be noted is not there.
    pub(crate) fn noted_too_much(&self) -> bool {
        self.kept.get() > MAX_KEPT
    }

    fn at_index<R>(&self, index: usize, f: impl FnOnce() -> R) -> R {
        self.path.borrow_mut().steps.push(Step::Index(index));
        let result = f();
        self.path.borrow_mut().leave();
        result
    }

    fn at_key<R>(&self, f: impl FnOnce() -> R) -> R {
        {
            let path = &mut *self.path.borrow_mut();
            path.steps.push(Step::Key(path.keys.len()));
            path.keys.push_str(&self.key.borrow());
        }
        let result = f();
        self.path.borrow_mut().leave();
        result
    }

    /// Turns what was caught into the parser's own error, which then gets the
    /// parser's line and column on its way out.
    fn release<E: de::Error>(&self, caught: Caught<E>, is_key: bool) -> E {
        match caught {
            Caught::Passed(error) => error,
            Caught::Own(problem) => {
                self.note(problem, is_key);
                E::custom("refused")
            }
        }
    }
}

/// An error on its way from user code to the parser (`Own`) or from the parser
/// to user code (`Passed`).
#[derive(Debug)]
pub(crate) enum Caught<E> {
    Own(Problem),
    Passed(E),
}

impl<E> fmt::Display for Caught<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Caught::Own(problem) => f.write_str(&problem.message(None, "refused")),
            Caught::Passed(_) => f.write_str("refused"),
        }
    }
}

impl<E: fmt::Debug> StdError for Caught<E> {}

impl<E: de::Error> de::Error for Caught<E> {
    fn custom<M: fmt::Display>(_quotes_the_input: M) -> Self {
        Caught::Own(Problem::Custom)
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Caught::Own(Problem::Mismatch {
            expected: in_words(&format!("{expected}")),
            found: Some(kind_of(&unexpected)),
        })
    }

    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(unexpected, expected)
    }

    fn invalid_length(found: usize, expected: &dyn Expected) -> Self {
        Caught::Own(Problem::Length {
            expected: in_words(&format!("{expected}")),
            found,
        })
    }

    fn unknown_variant(_quotes_the_input: &str, names: &'static [&'static str]) -> Self {
        Caught::Own(Problem::Variant(names))
    }

    fn unknown_field(key: &str, known: &'static [&'static str]) -> Self {
        Caught::Own(Problem::Unknown {
            key: key.into(),
            known,
        })
    }

    fn missing_field(field: &'static str) -> Self {
        Caught::Own(Problem::Missing(field))
    }

    fn duplicate_field(field: &'static str) -> Self {
        Caught::Own(Problem::Duplicate(field.into()))
    }
}

/// A deserializer, visitor, access or seed that is watched.
pub(crate) struct Tracked<'t, I> {
    inner: I,
    guide: &'t Guide,
    is_key: bool,
    /// Of a value: the fields of the struct that it stands in. Of a visitor: those of
    /// the struct that it makes.
    fields: Option<&'static [&'static str]>,
}

impl<'t, I> Tracked<'t, I> {
    fn wrap<J>(&self, inner: J) -> Tracked<'t, J> {
        Tracked {
            inner,
            guide: self.guide,
            is_key: self.is_key,
            fields: None,
        }
    }

    fn with_fields(mut self, fields: &'static [&'static str]) -> Self {
        self.fields = Some(fields);
        self
    }
}

impl<'t, D> Tracked<'t, D> {
    fn run<'de, V>(
        self,
        visitor: V,
        call: impl FnOnce(D, Tracked<'t, V>) -> Result<V::Value, D::Error>,
    ) -> Result<V::Value, Caught<D::Error>>
    where
        D: Deserializer<'de>,
        V: Visitor<'de>,
    {
        let (guide, is_key) = (self.guide, self.is_key);
        let before = guide.caught.get();
        let visitor = self.wrap(visitor);
        call(self.inner, visitor).map_err(|error| {
            // Nothing was caught below, so the deserializer itself refused, here, and
            // asked the visitor what it expects to tell us.
            if guide.caught.get() == before {
                if let Some(expected) = guide.expected.take() {
                    let found = None;
                    guide.note(Problem::Mismatch { expected, found }, is_key);
                }
            }
            Caught::Passed(error)
        })
    }
}

struct Expecting<'a, 'de, V>(&'a V, PhantomData<&'de ()>);

impl<'de, V: Visitor<'de>> fmt::Display for Expecting<'_, 'de, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }
}

macro_rules! pass_on {
    ($($method:ident($($arg:ident: $type:ty),*);)*) => {
        $(fn $method<V: Visitor<'de>>(self, $($arg: $type,)* visitor: V) -> Result<V::Value, Self::Error> {
            self.run(visitor, |de, visitor| de.$method($($arg,)* visitor))
        })*
    };
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Tracked<'_, D> {
    type Error = Caught<D::Error>;

    pass_on! {
        deserialize_any();
        deserialize_bool();
        deserialize_i8();
        deserialize_i16();
        deserialize_i32();
        deserialize_i64();
        deserialize_i128();
        deserialize_u8();
        deserialize_u16();
        deserialize_u32();
        deserialize_u64();
        deserialize_u128();
        deserialize_f32();
        deserialize_f64();
        deserialize_char();
        deserialize_bytes();
        deserialize_byte_buf();
        deserialize_option();
        deserialize_unit();
        deserialize_unit_struct(name: &'static str);
        deserialize_seq();
        deserialize_tuple(len: usize);
        deserialize_tuple_struct(name: &'static str, len: usize);
        deserialize_map();
        deserialize_enum(name: &'static str, variants: &'static [&'static str]);
        deserialize_identifier();
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        self.run(visitor, |de, visitor| de.deserialize_option(Text(visitor)))
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        if name == NAME_OF_SECRETS {
            self.guide.note_secret();
        }
        self.run(visitor, |de, visitor| {
            de.deserialize_newtype_struct(name, visitor)
        })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        self.run(visitor, |de, visitor| {
            de.deserialize_struct(name, fields, visitor.with_fields(fields))
        })
    }

    /// What a struct has no field for is asked for in this way.
    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        if let Some(fields) = self.fields {
            self.guide.note_unknown_key(fields);
        }
        self.run(visitor, |de, visitor| de.deserialize_ignored_any(visitor))
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

macro_rules! visit_scalar {
    ($($method:ident($type:ty);)*) => {
        $(fn $method<E: de::Error>(self, value: $type) -> Result<Self::Value, E> {
            self.note_key(&value);
            let visited = self.inner.$method::<Caught<E>>(value);
            visited.map_err(|caught| self.guide.release(caught, self.is_key))
        })*
    };
}

macro_rules! visit_text {
    ($($method:ident($type:ty);)*) => {
        $(fn $method<E: de::Error>(self, value: $type) -> Result<Self::Value, E> {
            if self.is_key {
                let mut noted = self.guide.key.borrow_mut();
                noted.clear();
                noted.push_str(&value);
                self.guide.key_is_noted.set(true);
            }
            let visited = self.inner.$method::<Caught<E>>(value);
            visited.map_err(|caught| self.guide.release(caught, self.is_key))
        })*
    };
}

impl<V> Tracked<'_, V> {
    fn note_key(&self, key: &impl fmt::Display) {
        if self.is_key {
            let mut noted = self.guide.key.borrow_mut();
            noted.clear();
            // Writing to a String cannot fail.
            let _ = write!(noted, "{key}");
            self.guide.key_is_noted.set(true);
        }
    }
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Tracked<'_, V> {
    type Value = V::Value;

    /// Asked for only when something is refused.
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let expected = format!("{}", Expecting(&self.inner, PhantomData));
        f.write_str(&expected)?;
        *self.guide.expected.borrow_mut() = Some(in_words(&expected));
        Ok(())
    }

    visit_scalar! {
        visit_bool(bool);
        visit_i8(i8);
        visit_i16(i16);
        visit_i32(i32);
        visit_i64(i64);
        visit_i128(i128);
        visit_u8(u8);
        visit_u16(u16);
        visit_u32(u32);
        visit_u64(u64);
        visit_u128(u128);
        visit_f32(f32);
        visit_f64(f64);
        visit_char(char);
    }

    visit_text! {
        visit_str(&str);
        visit_borrowed_str(&'de str);
        visit_string(String);
    }

    fn visit_bytes<E: de::Error>(self, value: &[u8]) -> Result<Self::Value, E> {
        let visited = self.inner.visit_bytes::<Caught<E>>(value);
        visited.map_err(|caught| self.guide.release(caught, self.is_key))
    }

    fn visit_none<E: de::Error>(self) -> Result<Self::Value, E> {
        let visited = self.inner.visit_none::<Caught<E>>();
        visited.map_err(|caught| self.guide.release(caught, self.is_key))
    }

    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        let visited = self.inner.visit_unit::<Caught<E>>();
        visited.map_err(|caught| self.guide.release(caught, self.is_key))
    }

    fn visit_some<D: Deserializer<'de>>(self, de: D) -> Result<Self::Value, D::Error> {
        let de = self.wrap(de);
        let visited = self.inner.visit_some(de);
        visited.map_err(|caught| self.guide.release(caught, self.is_key))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, de: D) -> Result<Self::Value, D::Error> {
        let de = self.wrap(de);
        let visited = self.inner.visit_newtype_struct(de);
        visited.map_err(|caught| self.guide.release(caught, self.is_key))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
        if self.fields.is_some() {
            // A struct would take a list for its fields, in their order.
            let caught = de::Error::invalid_type(Unexpected::Seq, &self.inner);
            return Err(self.guide.release(caught, self.is_key));
        }
        let seq = TrackedSeq {
            seq,
            guide: self.guide,
            index: 0,
        };
        let visited = self.inner.visit_seq(seq);
        visited.map_err(|caught| self.guide.release(caught, self.is_key))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        let map = TrackedMap {
            map,
            guide: self.guide,
            fields: self.fields,
            keys: BTreeSet::new(),
        };
        let visited = self.inner.visit_map(map);
        visited.map_err(|caught| self.guide.release(caught, self.is_key))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<Self::Value, A::Error> {
        let data = self.wrap(data);
        let visited = self.inner.visit_enum(data);
        visited.map_err(|caught| self.guide.release(caught, self.is_key))
    }
}

/// A string that is wanted. `serde_yaml` reads `key:` without a value as an empty
/// one, and `~` as a tilde; here nothing is no string.
struct Text<V>(V);

impl<'de, V: Visitor<'de>> Visitor<'de> for Text<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }

    fn visit_none<E: de::Error>(self) -> Result<V::Value, E> {
        self.0.visit_unit()
    }

    fn visit_unit<E: de::Error>(self) -> Result<V::Value, E> {
        self.0.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, de: D) -> Result<V::Value, D::Error> {
        de.deserialize_str(self.0)
    }

    // From deserializers of strings alone, which know no options.

    fn visit_str<E: de::Error>(self, text: &str) -> Result<V::Value, E> {
        self.0.visit_str(text)
    }

    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<V::Value, E> {
        self.0.visit_borrowed_str(text)
    }

    fn visit_string<E: de::Error>(self, text: String) -> Result<V::Value, E> {
        self.0.visit_string(text)
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Tracked<'_, S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, de: D) -> Result<Self::Value, D::Error> {
        let de = Tracked {
            inner: de,
            guide: self.guide,
            is_key: self.is_key,
            fields: self.fields,
        };
        let value = self.inner.deserialize(de);
        value.map_err(|caught| self.guide.release(caught, self.is_key))
    }
}

struct TrackedSeq<'t, A> {
    seq: A,
    guide: &'t Guide,
    index: usize,
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for TrackedSeq<'_, A> {
    type Error = Caught<A::Error>;

    fn next_element_seed<S>(&mut self, seed: S) -> Result<Option<S::Value>, Self::Error>
    where
        S: DeserializeSeed<'de>,
    {
        let seed = self.guide.along(seed);
        let index = self.index;
        self.index += 1;
        let guide = self.guide;
        let element = guide.at_index(index, || self.seq.next_element_seed(seed));
        element.map_err(Caught::Passed)
    }

    fn size_hint(&self) -> Option<usize> {
        self.seq.size_hint()
    }
}

struct TrackedMap<'t, A> {
    map: A,
    guide: &'t Guide,
    fields: Option<&'static [&'static str]>,
    /// The keys so far, of a map that is no struct: a struct minds by itself.
    keys: BTreeSet<String>,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for TrackedMap<'_, A> {
    type Error = Caught<A::Error>;

    fn next_key_seed<S>(&mut self, seed: S) -> Result<Option<S::Value>, Self::Error>
    where
        S: DeserializeSeed<'de>,
    {
        let mut seed = self.guide.along(seed);
        seed.is_key = true;
        self.guide.key.borrow_mut().clear();
        self.guide.key_is_noted.set(false);
        let found = self.map.next_key_seed(seed).map_err(Caught::Passed)?;
        let key = self.guide.key.borrow();
        if key.len() > MAX_KEY {
            return Err(Caught::Own(Problem::LongKey));
        }
        // A key that is no scalar was not noted.
        let is_noted = found.is_some() && self.guide.key_is_noted.get();
        if self.fields.is_none() && is_noted && !self.keys.insert(key.clone()) {
            return Err(Caught::Own(Problem::Duplicate(key.clone())));
        }
        Ok(found)
    }

    fn next_value_seed<S>(&mut self, seed: S) -> Result<S::Value, Self::Error>
    where
        S: DeserializeSeed<'de>,
    {
        let mut seed = self.guide.along(seed);
        seed.fields = self.fields;
        let guide = self.guide;
        let value = guide.at_key(|| self.map.next_value_seed(seed));
        value.map_err(Caught::Passed)
    }

    fn size_hint(&self) -> Option<usize> {
        self.map.size_hint()
    }
}

impl<'de, 't, A: EnumAccess<'de>> EnumAccess<'de> for Tracked<'t, A> {
    type Error = Caught<A::Error>;
    type Variant = Tracked<'t, A::Variant>;

    fn variant_seed<S>(self, seed: S) -> Result<(S::Value, Self::Variant), Self::Error>
    where
        S: DeserializeSeed<'de>,
    {
        let seed = self.wrap(seed);
        let guide = self.guide;
        let (value, variant) = self.inner.variant_seed(seed).map_err(Caught::Passed)?;
        Ok((value, guide.along(variant)))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Tracked<'_, A> {
    type Error = Caught<A::Error>;

    fn unit_variant(self) -> Result<(), Self::Error> {
        self.inner.unit_variant().map_err(Caught::Passed)
    }

    fn newtype_variant_seed<S>(self, seed: S) -> Result<S::Value, Self::Error>
    where
        S: DeserializeSeed<'de>,
    {
        let seed = self.wrap(seed);
        let value = self.inner.newtype_variant_seed(seed);
        value.map_err(Caught::Passed)
    }

    fn tuple_variant<V: Visitor<'de>>(
        self,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        let visitor = self.wrap(visitor);
        let value = self.inner.tuple_variant(len, visitor);
        value.map_err(Caught::Passed)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        let visitor = self.wrap(visitor).with_fields(fields);
        let value = self.inner.struct_variant(fields, visitor);
        value.map_err(Caught::Passed)
    }
}
