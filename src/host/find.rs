//! Goes to a field of a document, so that the parser tells where it is. Used on
//! failure only: it parses anew.

use core::cell::Cell;
use core::fmt;

use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, IgnoredAny, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};

use super::std::format;
use crate::engine::path::Segment;

/// Goes to the field at a path and fails there, so that the parser's error
/// tells the line and the column. If there is no such field, it fails at the
/// last one on the way: that is where it is missing.
pub(crate) struct Find<'p> {
    pub(crate) path: &'p [Segment],
    pub(crate) reached: &'p Cell<Reached>,
}

/// How far it came.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reached {
    /// How many segments of the path exist.
    pub(crate) depth: usize,
    /// What kind of thing is there, if the field itself exists.
    pub(crate) kind: Option<&'static str>,
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
        let reached = self.0.reached;
        let depth = reached.get().depth + 1;
        reached.set(Reached { depth, kind: None });
        self.0.deserialize(de)
    }
}

macro_rules! name_kind {
    ($($method:ident($($arg:ident: $type:ty)?) $kind:literal;)*) => {
        $(fn $method<E: de::Error>(self, $($arg: $type)?) -> Result<(), E> {
            $(let _ = $arg;)?
            self.stop($kind)
        })*
    };
}

impl Find<'_> {
    fn stop<E: de::Error>(self, kind: &'static str) -> Result<(), E> {
        if self.path.is_empty() {
            let depth = self.reached.get().depth;
            let kind = Some(kind);
            self.reached.set(Reached { depth, kind });
        }
        Err(E::custom("here"))
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
        visit_unit() "nothing";
        visit_none() "nothing";
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
        let reached = self.reached;
        match seq.next_element_seed(Deeper(Find { path, reached }))? {
            Some(()) => Ok(()),
            None => self.stop("a list"),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let [Segment::Key(wanted), path @ ..] = self.path else {
            return self.stop("a mapping");
        };
        let reached = self.reached;
        while let Some(found) = map.next_key_seed(IsKey(wanted))? {
            if found {
                return map.next_value_seed(Deeper(Find { path, reached }));
            }
            map.next_value::<IgnoredAny>()?;
        }
        self.stop("a mapping")
    }

    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<(), A::Error> {
        let (IgnoredAny, variant) = data.variant()?;
        variant.newtype_variant_seed(self)
    }
}

/// Whether a key reads like this one.
struct IsKey<'k>(&'k str);

impl<'de> DeserializeSeed<'de> for IsKey<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, de: D) -> Result<bool, D::Error> {
        de.deserialize_any(self)
    }
}

macro_rules! compare_key {
    ($($method:ident($type:ty);)*) => {
        $(fn $method<E: de::Error>(self, key: $type) -> Result<bool, E> {
            Ok(format!("{key}") == self.0)
        })*
    };
}

impl<'de> Visitor<'de> for IsKey<'_> {
    type Value = bool;

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
        visit_str(&str);
    }

    fn visit_unit<E: de::Error>(self) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<bool, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(false)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(false)
    }
}
