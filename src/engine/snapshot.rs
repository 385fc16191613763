//! What readers get: one value with everything that belongs to it.

use core::fmt;
use core::ops::Deref;

use alloc::sync::Arc;

use super::digest::Digest;
use super::document::Document;
use super::version::Version;

/// A configuration that was parsed, validated and accepted, and does not change
/// any more.
///
/// It derefs to the value. Value, version, digest and origins belong together:
/// whoever holds a snapshot holds all four of one single change.
///
/// `Debug` leaves the value out: it may hold secrets.
pub struct Snapshot<T> {
    // Shared, so that a rollback brings the very same value back without parsing
    // it again, which could fail.
    value: Arc<T>,
    version: Version,
    digest: Digest,
    origins: Arc<[Arc<str>]>,
    // Kept whole: equality with what is at the source is decided by bytes, and
    // a rollback brings exactly these back.
    document: Document,
}

impl<T> Snapshot<T> {
    pub(crate) fn new(value: T, version: Version, document: Document) -> Self {
        Snapshot {
            value: Arc::new(value),
            version,
            digest: document.digest(),
            origins: document.origins().into(),
            document,
        }
    }

    /// The same content under a new version.
    pub(crate) fn again(&self, version: Version) -> Self {
        Snapshot {
            version,
            ..self.part(self.value.clone())
        }
    }

    /// A part of the value, with all that belongs to the whole.
    pub(crate) fn part<P>(&self, value: Arc<P>) -> Snapshot<P> {
        Snapshot {
            value,
            version: self.version,
            digest: self.digest,
            origins: self.origins.clone(),
            document: self.document.clone(),
        }
    }

    /// The value itself; the same as dereferencing.
    #[must_use]
    pub fn value(&self) -> &T {
        &self.value
    }

    /// The number of this snapshot; see [`Version`].
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// The digest of the bytes that the value was made from; see [`Digest`].
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Where the bytes came from, the lowest precedence first.
    #[must_use]
    pub fn origins(&self) -> &Arc<[Arc<str>]> {
        &self.origins
    }

    /// The bytes that the value was made from. They may hold secrets.
    #[must_use]
    pub fn document(&self) -> &Document {
        &self.document
    }
}

impl<T> Deref for Snapshot<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> fmt::Debug for Snapshot<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot")
            .field("version", &self.version)
            .field("digest", &self.digest)
            .field("origins", &self.origins)
            .finish_non_exhaustive()
    }
}
