//! Says why a document does not fit a type: which field, what was expected and
//! what kind of thing was found. Never a value.
//!
//! Parsers quote the input in their messages (`invalid type: string "sk-…"`),
//! and a text that was once mixed with a secret cannot be cleaned any more. So a
//! wrapper around the deserializer catches what is wrong before it becomes
//! text: the `serde` data model tells kind and expectation apart. It knows no
//! format; the lines and columns are the parser's, in `yaml.rs`.
//!
//! It runs only after a parse has failed, so it may be slow.

use core::cell::{Cell, RefCell};
use core::fmt;
use core::marker::PhantomData;

use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, Expected, MapAccess, SeqAccess, Unexpected,
    VariantAccess, Visitor,
};

use super::std::error::Error as StdError;
use super::std::format;
use super::std::prelude::rust_2024::*;
use crate::engine::path::Segment;

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
    Duplicate(&'static str),
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
            Problem::Unknown { known, .. } => format!("unknown key; expected {}", OneOf(known)),
            Problem::Missing(field) => format!("the key `{field}` is missing"),
            Problem::Duplicate(field) => format!("the key `{field}` is given twice"),
            Problem::Custom => custom.into(),
        }
    }
}

fn is_a_holder(kind: &str) -> bool {
    matches!(kind, "a list" | "a mapping")
}

struct OneOf(&'static [&'static str]);

impl fmt::Display for OneOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.len() > 1 {
            f.write_str("one of ")?;
        }
        for (index, name) in self.0.iter().enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            write!(f, "{comma}`{name}`")?;
        }
        Ok(())
    }
}

/// A problem with the path to its field.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    pub(crate) path: Vec<Segment>,
    pub(crate) problem: Problem,
    /// It is a key that is wrong, not what the path leads to.
    pub(crate) is_key: bool,
}

/// Where the deserializer is, and what was caught last.
#[derive(Default)]
pub(crate) struct Trace {
    path: RefCell<Vec<Segment>>,
    key: RefCell<Option<String>>,
    fault: RefCell<Option<Fault>>,
    caught: Cell<usize>,
}

impl Trace {
    fn note(&self, mut problem: Problem, is_key: bool) {
        let mut path = self.path.borrow().clone();
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

    fn within<R>(&self, segment: Segment, f: impl FnOnce() -> R) -> R {
        self.path.borrow_mut().push(segment);
        let result = f();
        self.path.borrow_mut().pop();
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

/// Deserializes with `seed`, and says what is wrong besides the parser's error.
pub(crate) fn trace<'de, S, D>(seed: S, de: D) -> Result<S::Value, (D::Error, Option<Fault>)>
where
    S: DeserializeSeed<'de>,
    D: Deserializer<'de>,
{
    let trace = Trace::default();
    let tracked = Tracked {
        inner: de,
        trace: &trace,
        is_key: false,
    };
    seed.deserialize(tracked).map_err(|caught| {
        let error = trace.release(caught, false);
        (error, trace.fault.take())
    })
}

/// An error on its way from user code to the parser (`Own`) or from the parser
/// to user code (`Passed`).
#[derive(Debug)]
enum Caught<E> {
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
        Caught::Own(Problem::Duplicate(field))
    }
}

/// A deserializer, visitor, access or seed that is watched.
struct Tracked<'t, I> {
    inner: I,
    trace: &'t Trace,
    is_key: bool,
}

impl<'t, I> Tracked<'t, I> {
    fn wrap<J>(&self, inner: J) -> Tracked<'t, J> {
        Tracked {
            inner,
            trace: self.trace,
            is_key: self.is_key,
        }
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
        let (trace, is_key) = (self.trace, self.is_key);
        let expected = format!("{}", Expecting(&visitor, PhantomData));
        let before = trace.caught.get();
        let visitor = self.wrap(visitor);
        call(self.inner, visitor).map_err(|error| {
            // Nothing was caught below, so the deserializer itself refused, here.
            if trace.caught.get() == before {
                let expected = in_words(&expected);
                let found = None;
                trace.note(Problem::Mismatch { expected, found }, is_key);
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
        deserialize_str();
        deserialize_string();
        deserialize_bytes();
        deserialize_byte_buf();
        deserialize_option();
        deserialize_unit();
        deserialize_unit_struct(name: &'static str);
        deserialize_newtype_struct(name: &'static str);
        deserialize_seq();
        deserialize_tuple(len: usize);
        deserialize_tuple_struct(name: &'static str, len: usize);
        deserialize_map();
        deserialize_struct(name: &'static str, fields: &'static [&'static str]);
        deserialize_enum(name: &'static str, variants: &'static [&'static str]);
        deserialize_identifier();
        deserialize_ignored_any();
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
            visited.map_err(|caught| self.trace.release(caught, self.is_key))
        })*
    };
}

impl<V> Tracked<'_, V> {
    fn note_key(&self, key: &impl fmt::Display) {
        if self.is_key {
            *self.trace.key.borrow_mut() = Some(key.to_string());
        }
    }
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Tracked<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(f)
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
        visit_str(&str);
        visit_borrowed_str(&'de str);
        visit_string(String);
    }

    fn visit_bytes<E: de::Error>(self, value: &[u8]) -> Result<Self::Value, E> {
        let visited = self.inner.visit_bytes::<Caught<E>>(value);
        visited.map_err(|caught| self.trace.release(caught, self.is_key))
    }

    fn visit_none<E: de::Error>(self) -> Result<Self::Value, E> {
        let visited = self.inner.visit_none::<Caught<E>>();
        visited.map_err(|caught| self.trace.release(caught, self.is_key))
    }

    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        let visited = self.inner.visit_unit::<Caught<E>>();
        visited.map_err(|caught| self.trace.release(caught, self.is_key))
    }

    fn visit_some<D: Deserializer<'de>>(self, de: D) -> Result<Self::Value, D::Error> {
        let de = self.wrap(de);
        let visited = self.inner.visit_some(de);
        visited.map_err(|caught| self.trace.release(caught, self.is_key))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, de: D) -> Result<Self::Value, D::Error> {
        let de = self.wrap(de);
        let visited = self.inner.visit_newtype_struct(de);
        visited.map_err(|caught| self.trace.release(caught, self.is_key))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
        let seq = TrackedSeq {
            seq,
            trace: self.trace,
            index: 0,
        };
        let visited = self.inner.visit_seq(seq);
        visited.map_err(|caught| self.trace.release(caught, self.is_key))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        let map = TrackedMap {
            map,
            trace: self.trace,
            key: String::new(),
        };
        let visited = self.inner.visit_map(map);
        visited.map_err(|caught| self.trace.release(caught, self.is_key))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<Self::Value, A::Error> {
        let data = self.wrap(data);
        let visited = self.inner.visit_enum(data);
        visited.map_err(|caught| self.trace.release(caught, self.is_key))
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Tracked<'_, S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, de: D) -> Result<Self::Value, D::Error> {
        let de = self.wrap(de);
        let value = self.inner.deserialize(de);
        value.map_err(|caught| self.trace.release(caught, self.is_key))
    }
}

struct TrackedSeq<'t, A> {
    seq: A,
    trace: &'t Trace,
    index: usize,
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for TrackedSeq<'_, A> {
    type Error = Caught<A::Error>;

    fn next_element_seed<S>(&mut self, seed: S) -> Result<Option<S::Value>, Self::Error>
    where
        S: DeserializeSeed<'de>,
    {
        let seed = Tracked {
            inner: seed,
            trace: self.trace,
            is_key: false,
        };
        let segment = Segment::Index(self.index);
        self.index += 1;
        let element = self
            .trace
            .within(segment, || self.seq.next_element_seed(seed));
        element.map_err(Caught::Passed)
    }

    fn size_hint(&self) -> Option<usize> {
        self.seq.size_hint()
    }
}

struct TrackedMap<'t, A> {
    map: A,
    trace: &'t Trace,
    key: String,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for TrackedMap<'_, A> {
    type Error = Caught<A::Error>;

    fn next_key_seed<S>(&mut self, seed: S) -> Result<Option<S::Value>, Self::Error>
    where
        S: DeserializeSeed<'de>,
    {
        let seed = Tracked {
            inner: seed,
            trace: self.trace,
            is_key: true,
        };
        self.trace.key.take();
        let key = self.map.next_key_seed(seed);
        self.key = self.trace.key.take().unwrap_or_default();
        key.map_err(Caught::Passed)
    }

    fn next_value_seed<S>(&mut self, seed: S) -> Result<S::Value, Self::Error>
    where
        S: DeserializeSeed<'de>,
    {
        let seed = Tracked {
            inner: seed,
            trace: self.trace,
            is_key: false,
        };
        let segment = Segment::Key(core::mem::take(&mut self.key));
        let value = self
            .trace
            .within(segment, || self.map.next_value_seed(seed));
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
        let trace = self.trace;
        let (value, variant) = self.inner.variant_seed(seed).map_err(Caught::Passed)?;
        let variant = Tracked {
            inner: variant,
            trace,
            is_key: false,
        };
        Ok((value, variant))
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
        let visitor = self.wrap(visitor);
        let value = self.inner.struct_variant(fields, visitor);
        value.map_err(Caught::Passed)
    }
}

fn kind_of(unexpected: &Unexpected<'_>) -> &'static str {
    match unexpected {
        Unexpected::Bool(_) => "a boolean",
        Unexpected::Unsigned(_) | Unexpected::Signed(_) => "a whole number",
        Unexpected::Float(_) => "a number with a fraction",
        Unexpected::Char(_) | Unexpected::Str(_) => "a string",
        Unexpected::Bytes(_) => "bytes",
        Unexpected::Unit | Unexpected::Option => "nothing",
        Unexpected::Seq => "a list",
        Unexpected::Map => "a mapping",
        Unexpected::Other("integer") => "a whole number",
        _ => "something else",
    }
}

/// What visitors call their expectation, in the words of who writes a
/// configuration. What is not known here is a type's own wording, and stays.
fn in_words(expected: &str) -> String {
    let words = match expected {
        "a borrowed string" => "a string",
        "a boolean" => "true or false",
        "f32" | "f64" => "a number",
        "i8" => "a whole number from -128 to 127",
        "i16" => "a whole number from -32768 to 32767",
        "i32" => "a whole number from -2147483648 to 2147483647",
        "i64" | "i128" | "isize" => "a whole number",
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" => "a whole number from 0 to 4294967295",
        "u64" | "u128" | "usize" => "a whole number, 0 or more",
        "a sequence" => "a list",
        "a map" => "a mapping",
        "unit" => "nothing",
        _ if expected.starts_with("struct ") => "a mapping",
        other => other,
    };
    words.into()
}
