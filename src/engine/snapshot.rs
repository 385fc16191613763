//! What readers get: one value with everything that belongs to it.

use core::fmt;
use core::ops::Deref;

use alloc::sync::Arc;

use super::digest::Digest;
use super::document::Document;
use super::effective::Effective;
use super::lens::Lens;
use super::report::Place;
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
    lens: Lens,
}

impl<T> Snapshot<T> {
    pub(crate) fn new(value: T, version: Version, document: Document, lens: Lens) -> Self {
        Snapshot {
            value: Arc::new(value),
            version,
            digest: document.digest(),
            origins: document.origins(),
            document,
            lens,
        }
    }

    /// A value that came from nowhere, as version 1.
    #[cfg(feature = "std")]
    pub(crate) fn fixed(value: T, document: Document) -> Self {
        Snapshot::new(value, Version::new(1), document, Lens::default())
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
            lens: self.lens.clone(),
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

    /// Returns which source supplied the field at `path`, as in
    /// `llm_providers[0].model_name`, and where in it. `None` if no source did (the
    /// field has its default), if `path` is no path, or if the format keeps no places.
    ///
    /// Nothing is parsed, but lines are counted up to the field: for people and for
    /// tests, not for every request.
    #[must_use]
    pub fn origin(&self, path: &str) -> Option<Place> {
        let located = self.lens.locate(&self.document, path)?;
        located.exact.then_some(located.place)
    }

    /// Returns the merged configuration as YAML, with the origin of every line as a
    /// comment and secrets masked; see [`Effective`]. `None` if the format keeps no
    /// places: it is one of your own, or the value did not come from a document.
    #[must_use]
    pub fn effective(&self) -> Option<Effective> {
        self.lens.tree.as_ref()?;
        Some(Effective::new(&self.lens, &self.document))
    }

    pub(crate) fn lens(&self) -> &Lens {
        &self.lens
    }

    /// Returns the bytes of a file that the configuration names, by the path that it has
    /// there: the very ones that were read with this configuration. `None` if it names no
    /// such file; see `Builder::also_watch`.
    #[must_use]
    pub fn file(&self, name: &str) -> Option<&[u8]> {
        self.document.file(name)
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
