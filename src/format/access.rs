//! How a type goes through a list, a mapping or a variant of an enum: the parts of the
//! deserializer in `de.rs` that `serde` calls accesses.

use alloc::format;

use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};

use super::de::De;
use super::error::{Error, Problem};
use super::reader::Step;
use super::tree::Id;

/// A list.
pub(super) struct Items<'a> {
    pub(super) de: De<'a>,
    pub(super) ids: &'a [Id],
    pub(super) index: usize,
}

impl<'de> SeqAccess<'de> for &mut Items<'_> {
    type Error = Error;

    fn next_element_seed<S>(&mut self, seed: S) -> Result<Option<S::Value>, Error>
    where
        S: DeserializeSeed<'de>,
    {
        let Some(id) = self.ids.get(self.index) else {
            return Ok(None);
        };
        let de = self.de.inside(Step::Index(self.index), *id);
        self.index += 1;
        de.note_type::<S::Value>();
        de.placing(seed.deserialize(de)).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.ids.len() - self.index)
    }
}

/// A mapping.
pub(super) struct Entries<'a> {
    pub(super) de: De<'a>,
    pub(super) ids: &'a [Id],
    pub(super) known: Option<&'static [&'static str]>,
    /// The entry at the front had one beside it, which was read.
    pub(super) apart_was_read: bool,
}

/// How editors are told in JSON which schema a document has.
const SCHEMA: &str = "$schema";

impl Entries<'_> {
    /// Returns the key and the value that are read next.
    fn entry(&self) -> Option<(Id, Id)> {
        let [key, value, ..] = self.ids else {
            return None;
        };
        let itself = (*key, *value);
        if self.de.tree().apart.is_empty() || self.apart_was_read {
            return Some(itself);
        }
        let mut de = self.de;
        de.known = self.known;
        Some(de.apart(*key).unwrap_or(itself))
    }

    /// Passes over what is said to editors, at the top of a document.
    fn skip_schema(&mut self) {
        let [key, _, rest @ ..] = self.ids else {
            return;
        };
        if self.de.trail.above.is_some() || self.de.tree().scalar(*key) != Some(SCHEMA) {
            return;
        }
        if self.known.is_some_and(|known| !known.contains(&SCHEMA)) {
            self.ids = rest;
        }
    }
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = Error;

    fn next_key_seed<S>(&mut self, seed: S) -> Result<Option<S::Value>, Error>
    where
        S: DeserializeSeed<'de>,
    {
        self.skip_schema();
        let Some((key, _)) = self.entry() else {
            return Ok(None);
        };
        let mut de = self.de.inside(Step::Root, key);
        de.is_key = true;
        de.known = self.known;
        de.note_type::<S::Value>();
        de.placing(seed.deserialize(de)).map(Some)
    }

    fn next_value_seed<S>(&mut self, seed: S) -> Result<S::Value, Error>
    where
        S: DeserializeSeed<'de>,
    {
        let (Some((key, value)), [first, _, rest @ ..]) = (self.entry(), self.ids) else {
            return Err(de::Error::custom(
                "a value was asked for after the last one",
            ));
        };
        self.apart_was_read = key != *first;
        if !self.apart_was_read {
            self.ids = rest;
        }
        let mut de = self.de.inside(Step::Key(key), value);
        de.known = self.known;
        de.note_type::<S::Value>();
        de.placing(seed.deserialize(de))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.ids.len() / 2)
    }
}

/// The name of a variant, and the node that it holds, or is.
pub(super) struct Variant<'a> {
    de: De<'a>,
    name: &'a str,
    is_alone: bool,
}

impl<'a> Variant<'a> {
    pub(super) fn of(de: De<'a>, name: &'a str, is_alone: bool) -> Self {
        Variant { de, name, is_alone }
    }
}

impl<'de, 'a> EnumAccess<'de> for Variant<'a> {
    type Error = Error;
    type Variant = Content<'a>;

    fn variant_seed<S>(self, seed: S) -> Result<(S::Value, Content<'a>), Error>
    where
        S: DeserializeSeed<'de>,
    {
        let name: de::value::StrDeserializer<'_, Error> = self.name.into_deserializer();
        let variant = seed.deserialize(name)?;
        let mut de = self.de;
        de.untagged = true;
        // From here on it is known to be the name of a variant, which may be shown.
        let alone = self.is_alone.then_some(self.name);
        Ok((variant, Content { de, alone }))
    }
}

/// What a variant holds.
pub(super) struct Content<'a> {
    de: De<'a>,
    /// The name of a variant of which nothing else is there.
    alone: Option<&'a str>,
}

impl<'a> Content<'a> {
    /// Returns the content, or an error that says in which form it is expected.
    fn expect(self, form: &str) -> Result<De<'a>, Error> {
        match self.alone {
            Some(name) => Err(Problem::NameAlone(format!("!{name} {form}")).into()),
            None => Ok(self.de),
        }
    }
}

impl<'de> VariantAccess<'de> for Content<'_> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        match self.alone {
            Some(_) => Ok(()),
            None => self.de.placing(de::Deserialize::deserialize(self.de)),
        }
    }

    fn newtype_variant_seed<S>(self, seed: S) -> Result<S::Value, Error>
    where
        S: DeserializeSeed<'de>,
    {
        let de = self.expect("…")?;
        de.note_type::<S::Value>();
        de.placing(seed.deserialize(de))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        let de = self.expect("[…]")?;
        de.placing(de.deserialize_seq(visitor))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        known: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let de = self.expect("{…}")?;
        de.placing(de.map(Some(known), visitor))
    }
}
