//! Types of every kind that `serde` knows.

#![allow(unreachable_pub, reason = "it is a part of a test")]

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::{self, Debug};
use std::time::Duration;

use serde::de::{DeserializeOwned, Deserializer, IgnoredAny, Visitor};
use serde::{Deserialize, de};
use serde_yaml::Value;
use steadyconf::Outcome;
use steadyconf::engine::{Document, Engine};
use steadyconf::format::Yaml;

/// A type, and how two readers read it: as text that is the same for equal values, or
/// why not.
pub struct Shape {
    pub name: &'static str,
    pub ours: fn(&Document) -> Result<String, String>,
    pub theirs: fn(&str) -> Result<String, String>,
    /// As `theirs`, but an enum may be a mapping of one key.
    pub with_maps: fn(&str) -> Result<String, String>,
}

fn ours<T: DeserializeOwned + Debug + 'static>(document: &Document) -> Result<String, String> {
    let mut engine = Engine::<T>::new(Yaml::new());
    match engine.apply(document.clone(), Duration::ZERO) {
        Outcome::Applied(_) => Ok(format!("{:?}", engine.active().unwrap().value())),
        Outcome::Rejected(rejection) => Err(rejection.problems()[0].to_string()),
        other => panic!("{other:?}"),
    }
}

fn theirs<T: DeserializeOwned + Debug>(text: &str) -> Result<String, String> {
    let value = serde_yaml::from_str::<T>(text);
    value
        .map(|value| format!("{value:?}"))
        .map_err(|error| error.to_string())
}

fn with_maps<T: DeserializeOwned + Debug>(text: &str) -> Result<String, String> {
    let from = serde_yaml::Deserializer::from_str(text);
    let value = serde_yaml::with::singleton_map_recursive::deserialize::<T, _>(from);
    value
        .map(|value| format!("{value:?}"))
        .map_err(|error| error.to_string())
}

macro_rules! shapes {
    ($($type:ty,)*) => {
        vec![$(Shape {
            name: stringify!($type),
            ours: ours::<$type>,
            theirs: theirs::<$type>,
            with_maps: with_maps::<$type>,
        }),*]
    };
}

/// Plain numbers, truths and texts, and what is made of them.
pub fn all() -> Vec<Shape> {
    let mut all = shapes![
        i8, i16, i32, i64, i128, u8, u16, u32, u64, u128, f32, f64, bool, char, String, (),
        Option<String>, Option<u32>, Option<Option<u8>>, Option<()>, Bytes, IgnoredAny, Value,
        Vec<Value>, Vec<String>, Vec<u8>, Vec<Option<u8>>, VecDeque<f64>, BTreeSet<String>,
        [u8; 2], [String; 1], (u8, String), (Value,),
        BTreeMap<String, Value>, BTreeMap<String, Option<u8>>, BTreeMap<String, ()>,
        BTreeMap<u8, Value>, BTreeMap<i64, Value>, BTreeMap<u128, Value>, BTreeMap<bool, Value>,
        BTreeMap<char, Value>, BTreeMap<Letter, Value>, BTreeMap<Option<u8>, Value>,
        BTreeMap<String, BTreeMap<String, String>>,
    ];
    all.extend(shapes![
        Field<u8>,
        Field<i128>,
        Field<f64>,
        Field<bool>,
        Field<char>,
        Field<String>,
        Field<()>,
        Field<Option<u8>>,
        Field<Option<String>>,
        Field<Vec<u8>>,
        Field<Vec<String>>,
        Field<(u8, u8)>,
        Field<[String; 2]>,
        Field<Bytes>,
        Field<Value>,
        Field<BTreeMap<String, String>>,
        Field<External>,
        Field<Option<External>>,
        Field<Nothing>,
    ]);
    all.extend(shapes![
        Defaults, Strict, Nothing, Empty, New, NewList, Pair, Flat, FlatStrict, FlatOption, Letter,
        External, Internal, Adjacent, Untagged, UntaggedUnit, Nested, Renamed, Vec<External>,
        Vec<Internal>, Field<Untagged>, Field<Adjacent>, BTreeMap<String, External>, FlatEnum,
        FlatUntagged,
    ]);
    all
}

#[derive(Debug, Deserialize)]
#[allow(dead_code, reason = "what is read is only printed")]
struct Field<T> {
    a: T,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
#[allow(dead_code, reason = "what is read is only printed")]
struct Defaults {
    a: u8,
    b: Option<String>,
    c: Vec<String>,
    d: BTreeMap<String, u8>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "what is read is only printed")]
struct Strict {
    a: Value,
    #[serde(default)]
    b: Value,
}

#[derive(Debug, Deserialize)]
struct Nothing;

#[derive(Debug, Deserialize)]
struct Empty {}

#[derive(Debug, Deserialize)]
#[allow(dead_code, reason = "what is read is only printed")]
struct New(u16);

#[derive(Debug, Deserialize)]
#[allow(dead_code, reason = "what is read is only printed")]
struct NewList(Vec<String>);

#[derive(Debug, Deserialize)]
#[allow(dead_code, reason = "what is read is only printed")]
struct Pair(String, Option<i32>);

#[derive(Debug, Deserialize)]
#[allow(dead_code, reason = "what is read is only printed")]
struct Flat {
    a: Value,
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "what is read is only printed")]
struct FlatStrict {
    #[serde(flatten)]
    inner: Defaults,
}

#[derive(Debug, Deserialize)]
#[allow(dead_code, reason = "what is read is only printed")]
struct FlatOption {
    #[serde(flatten)]
    inner: Option<Field<u8>>,
    #[serde(flatten)]
    other: Defaults,
}

#[derive(Debug, Deserialize)]
#[allow(dead_code, reason = "what is read is only printed")]
struct FlatEnum {
    #[serde(flatten)]
    inner: External,
}

#[derive(Debug, Deserialize)]
#[allow(dead_code, reason = "what is read is only printed")]
struct FlatUntagged {
    #[serde(default)]
    b: u8,
    #[serde(flatten)]
    inner: Untagged,
}

#[derive(Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "lowercase")]
enum Letter {
    A,
    B,
    #[serde(rename = "1")]
    One,
    #[serde(rename = "true")]
    True,
}

#[derive(Debug, Deserialize)]
#[allow(dead_code, reason = "what is read is only printed")]
enum External {
    Unit,
    Newtype(Value),
    Number(u8),
    Text(String),
    Tuple(u8, String),
    Struct {
        a: u8,
        #[serde(default)]
        b: Option<u8>,
    },
    Maybe(Option<u8>),
    #[serde(rename = "a")]
    A(String),
}

#[derive(Debug, Deserialize)]
#[serde(tag = "t")]
#[allow(dead_code, reason = "what is read is only printed")]
enum Internal {
    Unit,
    Newtype(BTreeMap<String, Value>),
    Struct { a: u8, b: Option<String> },
}

#[derive(Debug, Deserialize)]
#[serde(tag = "t", content = "c")]
#[allow(dead_code, reason = "what is read is only printed")]
enum Adjacent {
    Unit,
    Newtype(Value),
    Tuple(u8, u8),
    Struct { a: u8 },
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
#[allow(dead_code, reason = "what is read is only printed")]
enum Untagged {
    Number(u8),
    Signed(i64),
    Fraction(f64),
    Truth(bool),
    List(Vec<u8>),
    Struct { a: u8 },
    Text(String),
    Map(BTreeMap<String, Value>),
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
#[allow(dead_code, reason = "what is read is only printed")]
enum UntaggedUnit {
    Nothing,
    Any(Value),
}

#[derive(Debug, Deserialize)]
#[allow(dead_code, reason = "what is read is only printed")]
struct Nested {
    a: Option<Box<Nested>>,
    #[serde(default)]
    b: Vec<Nested>,
    c: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[allow(dead_code, reason = "what is read is only printed")]
struct Renamed {
    #[serde(alias = "a")]
    first: Value,
    #[serde(skip)]
    second: u8,
}

/// Takes bytes, and so what a reader gives to for every caller for them.
#[derive(Debug)]
#[allow(dead_code, reason = "what is read is only printed")]
struct Bytes(Vec<u8>);

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_byte_buf(OfBytes)
    }
}

struct OfBytes;

impl Visitor<'_> for OfBytes {
    type Value = Bytes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes")
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Bytes, E> {
        Ok(Bytes(bytes.into()))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Bytes, E> {
        Ok(Bytes(text.into()))
    }
}
