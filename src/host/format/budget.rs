//! Bounds what a document expands to: an alias stands for a value of any size,
//! so a few bytes can stand for gigabytes. Counted before anything is built.

use core::cell::Cell;
use core::fmt;

use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, IgnoredAny, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};

use super::super::std::prelude::rust_2024::*;
use super::syntax::{self, Refused, Seeded};
use crate::engine::Layer;

/// What counting came to.
pub(super) enum Counted {
    /// So many values.
    Within(usize),
    TooFar,
    /// The count ended before the document did. What is behind that place is
    /// not known, so this must not pass for `Within`.
    Failed(Refused),
}

/// Whether all that the layer holds, with every alias written out, is no more than so
/// many values, keys included, and so many bytes of text.
pub(super) fn count(layer: &Layer, values: usize, text: usize) -> Counted {
    let left = Cell::new(Some((values, text)));
    match syntax::run(layer, Seeded(Count(&left))) {
        _ if left.get().is_none() => Counted::TooFar,
        Ok(()) => {
            let left = left.get().map_or(0, |(values, _)| values);
            Counted::Within(values - left)
        }
        Err(refused) => Counted::Failed(refused),
    }
}

/// What is left, or nothing any more.
#[derive(Clone, Copy)]
struct Count<'b>(&'b Cell<Option<(usize, usize)>>);

impl Count<'_> {
    fn spend<E: de::Error>(self, text: usize) -> Result<(), E> {
        let left = self
            .0
            .get()
            .and_then(|(values, bytes)| Some((values.checked_sub(1)?, bytes.checked_sub(text)?)));
        self.0.set(left);
        match left {
            Some(_) => Ok(()),
            None => Err(E::custom("too much")),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Count<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, de: D) -> Result<(), D::Error> {
        de.deserialize_any(self)
    }
}

macro_rules! spend_one {
    ($($method:ident($($type:ty)?);)*) => {
        $(fn $method<E: de::Error>(self $(, _: $type)?) -> Result<(), E> {
            self.spend(0)
        })*
    };
}

impl<'de> Visitor<'de> for Count<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    spend_one! {
        visit_bool(bool);
        visit_i64(i64);
        visit_i128(i128);
        visit_u64(u64);
        visit_u128(u128);
        visit_f64(f64);
        visit_unit();
        visit_none();
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<(), E> {
        self.spend(text.len())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        self.spend(0)?;
        while seq.next_element_seed(self)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        self.spend(0)?;
        while map.next_key_seed(self)?.is_some() {
            map.next_value_seed(self)?;
        }
        Ok(())
    }

    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<(), A::Error> {
        let (IgnoredAny, variant) = data.variant()?;
        variant.newtype_variant_seed(self)
    }
}
