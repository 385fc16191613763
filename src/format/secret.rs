//! A value that does not print itself.

use core::fmt;
use core::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Visitor};
use serde::ser::{Serialize, Serializer};

use super::mask::REDACTED;

/// How our deserializer recognizes one.
pub(super) const NAME_OF_SECRETS: &str = "steadyconf::Secret";

/// A value that does not print itself: `Debug`, `Display` and `Serialize` give
/// `[redacted]`. It reads like a `T`.
///
/// Fields of this type are masked in a [`Diff`](crate::report::Diff), whatever they are
/// called, and keys of this type in every path. It does not wipe memory; types of the
/// `secrecy` crate do, and are masked as well.
///
/// ```
/// use steadyconf::Secret;
///
/// #[derive(Debug, serde::Deserialize)]
/// struct Provider {
///     api_key: Secret<String>,
/// }
///
/// let provider: Provider = serde_yaml::from_str("api_key: sk-123456")?;
/// assert_eq!(format!("{provider:?}"), "Provider { api_key: [redacted] }");
/// assert_eq!(provider.api_key.expose(), "sk-123456");
/// # Ok::<(), serde_yaml::Error>(())
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Secret<T>(T);

impl<T> Secret<T> {
    /// Wraps a value, so that it does not print itself.
    pub const fn new(value: T) -> Self {
        Secret(value)
    }

    /// Returns the value. Whatever is done with it is no longer kept secret.
    pub const fn expose(&self) -> &T {
        &self.0
    }

    /// Returns the value itself.
    pub fn into_exposed(self) -> T {
        self.0
    }
}

impl<T> From<T> for Secret<T> {
    fn from(value: T) -> Self {
        Secret(value)
    }
}

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl<T> fmt::Display for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl<T> Serialize for Secret<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(REDACTED)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Secret<T> {
    fn deserialize<D: Deserializer<'de>>(de: D) -> Result<Self, D::Error> {
        de.deserialize_newtype_struct(NAME_OF_SECRETS, Inside(PhantomData))
    }
}

struct Inside<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Inside<T> {
    type Value = Secret<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a secret")
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, de: D) -> Result<Secret<T>, D::Error> {
        T::deserialize(de).map(Secret)
    }
}
