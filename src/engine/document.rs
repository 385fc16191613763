//! What a detector found: bytes, and where they came from. It knows nothing of
//! what they mean.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use super::digest::Digest;
use super::named::NamedFile;

/// One source's bytes, with the name under which people know it.
///
/// `Debug` leaves the bytes out: they may hold secrets.
#[derive(Clone)]
pub struct Layer {
    origin: Arc<str>,
    bytes: Arc<[u8]>,
    content: Content,
    optional: bool,
    overriding: bool,
    secret: bool,
    language: Option<Language>,
    naming: Naming,
    /// Where it belongs among the others: a source of the program has one for all of its
    /// layers, and later sources have larger ones.
    position: u16,
}

/// How the names and values of a layer are to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Naming {
    /// As they are written.
    Exact,
    /// Keys match without regard to case and signs; numbers are the items of a list, and
    /// so are the parts of a value between these.
    #[cfg_attr(
        not(all(feature = "std", feature = "reading")),
        allow(dead_code, reason = "there is no environment")
    )]
    Loose { list: Option<char> },
}

/// The language of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Language {
    /// YAML, and so JSON. What no name says otherwise is YAML.
    Yaml,
    /// JSON, by a reader of its own. It needs the feature `json`.
    Json,
    /// TOML. It needs the feature `toml`.
    Toml,
}

/// What the bytes of a layer stand for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Content {
    /// A whole document, in the format's language.
    Document,
    /// The value of the field at this path, as the format's language writes it.
    Field(Arc<str>),
    /// The value of the field at this path, which is a string: these very bytes.
    Text(Arc<str>),
}

impl Layer {
    /// A layer called `origin`: a path as the user wrote it, or a name such as
    /// `built-in defaults`. It is what error messages begin with.
    pub fn new(origin: impl Into<Arc<str>>, bytes: impl Into<Arc<[u8]>>) -> Self {
        Layer {
            origin: origin.into(),
            bytes: bytes.into(),
            content: Content::Document,
            optional: false,
            overriding: false,
            secret: false,
            language: None,
            naming: Naming::Exact,
            position: 0,
        }
    }

    /// A layer that holds the value of one field: `8080` for `server.port`.
    pub fn field(
        origin: impl Into<Arc<str>>,
        path: impl Into<Arc<str>>,
        bytes: impl Into<Arc<[u8]>>,
    ) -> Self {
        Layer {
            content: Content::Field(path.into()),
            ..Layer::new(origin, bytes)
        }
    }

    /// A layer that holds one field, which is a string: the very bytes.
    pub fn text(
        origin: impl Into<Arc<str>>,
        path: impl Into<Arc<str>>,
        bytes: impl Into<Arc<[u8]>>,
    ) -> Self {
        Layer {
            content: Content::Text(path.into()),
            ..Layer::new(origin, bytes)
        }
    }

    /// Lets it be blank, or hold comments alone; then it adds nothing. Otherwise
    /// that is an error, so that a truncated file is never "all defaults".
    #[must_use]
    pub fn optional(mut self) -> Self {
        self.optional = true;
        self
    }

    /// Says that it is no part of the source, but belongs to this process: set in
    /// code, or in its environment. It counts like any other layer, but it is left
    /// out of the digest and never written to disk.
    #[must_use]
    pub fn overriding(mut self) -> Self {
        self.overriding = true;
        self
    }

    /// Says that all of its values are secrets, whatever they are called: none of them
    /// is ever shown.
    #[must_use]
    pub fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    /// Says in which language the document is written, whatever its name ends in.
    #[must_use]
    pub fn language(mut self, language: Language) -> Self {
        self.language = Some(language);
        self
    }

    #[cfg(any(feature = "reading", feature = "std"))]
    pub(crate) fn own_language(&self) -> Option<Language> {
        self.language
    }

    #[cfg(all(feature = "std", feature = "reading"))]
    pub(crate) fn loosely_named(mut self) -> Self {
        self.naming = Naming::Loose { list: None };
        self
    }

    #[cfg(all(feature = "std", feature = "reading"))]
    pub(crate) fn list_at(mut self, separator: char) -> Self {
        let list = Some(separator);
        self.naming = Naming::Loose { list };
        self
    }

    #[cfg(feature = "reading")]
    pub(crate) fn naming(&self) -> Naming {
        self.naming
    }

    #[cfg(feature = "std")]
    pub(crate) fn at_position(mut self, position: u16) -> Self {
        self.position = position;
        self
    }

    #[cfg(feature = "std")]
    pub(crate) fn position(&self) -> u16 {
        self.position
    }

    /// The name under which people know this source.
    #[must_use]
    pub fn origin(&self) -> &Arc<str> {
        &self.origin
    }

    /// What was read.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    #[cfg(feature = "std")]
    pub(crate) fn share(&self) -> Arc<[u8]> {
        self.bytes.clone()
    }

    /// What the bytes stand for.
    #[must_use]
    pub fn content(&self) -> &Content {
        &self.content
    }

    /// Whether it may be blank.
    #[must_use]
    pub fn is_optional(&self) -> bool {
        self.optional
    }

    /// Whether it belongs to this process, and not to the source.
    #[must_use]
    pub fn is_overriding(&self) -> bool {
        self.overriding
    }

    /// Returns whether all of its values are secrets.
    #[must_use]
    pub fn is_secret(&self) -> bool {
        self.secret
    }
}

impl PartialEq for Layer {
    fn eq(&self, other: &Self) -> bool {
        // `Arc` compares slices byte by byte, also where both are the same one.
        let same = |a: &Arc<[u8]>, b: &Arc<[u8]>| Arc::ptr_eq(a, b) || a == b;
        let flags = |layer: &Layer| (layer.optional, layer.overriding, layer.secret);
        let how = |layer: &Layer| (layer.language, layer.naming, layer.position);
        flags(self) == flags(other)
            && how(self) == how(other)
            && self.origin == other.origin
            && self.content == other.content
            && same(&self.bytes, &other.bytes)
    }
}

impl Eq for Layer {}

impl fmt::Debug for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Layer")
            .field("origin", &self.origin)
            .field("content", &self.content)
            .field("len", &self.bytes.len())
            .finish_non_exhaustive()
    }
}

/// A whole configuration as it was read: layers in order of precedence, the
/// lowest first.
///
/// Two documents are equal only if every byte is; a digest decides nothing. A
/// clone shares the bytes. `Debug` leaves them out.
#[derive(Clone)]
pub struct Document {
    layers: Arc<[Layer]>,
    files: Arc<[NamedFile]>,
}

impl Document {
    /// A document of these layers, the lowest precedence first.
    pub fn new(layers: impl Into<Arc<[Layer]>>) -> Self {
        Document {
            layers: layers.into(),
            files: Arc::default(),
        }
    }

    /// A document of one layer.
    pub fn single(origin: impl Into<Arc<str>>, bytes: impl Into<Arc<[u8]>>) -> Self {
        Document::new([Layer::new(origin, bytes)])
    }

    /// The same layers, with the files that they name.
    #[must_use]
    pub fn with_files(self, files: impl Into<Arc<[NamedFile]>>) -> Self {
        let files = files.into();
        Document { files, ..self }
    }

    /// Returns the files that the configuration names, in its order; see
    /// `Builder::also_watch`. They are no layers: formats do not read them.
    #[must_use]
    pub fn files(&self) -> &[NamedFile] {
        &self.files
    }

    /// Returns the bytes of a file that the configuration names, by the path that it has
    /// there. `None` if it names no such file.
    #[must_use]
    pub fn file(&self, name: &str) -> Option<&[u8]> {
        let file = self.files.iter().find(|file| **file.name() == *name)?;
        file.bytes().ok()
    }

    /// The layers, the lowest precedence first.
    #[must_use]
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// The names of the layers, in the same order.
    #[must_use]
    pub fn origins(&self) -> Arc<[Arc<str>]> {
        self.layers.iter().map(|l| l.origin.clone()).collect()
    }

    /// How many bytes all the layers and files have together.
    #[must_use]
    pub fn len(&self) -> usize {
        let layers = self.layers.iter().map(|layer| layer.bytes.len());
        let files = self
            .files
            .iter()
            .map(|file| file.bytes().map_or(0, <[u8]>::len));
        layers.chain(files).fold(0, usize::saturating_add)
    }

    /// Whether there is no byte at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The digest of the content; see [`Digest`] for how to compare it by hand: the files
    /// that the configuration names come after its layers. Layers that belong to this
    /// process are left out of it.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let of_the_source = self.layers.iter().filter(|layer| !layer.overriding);
        let files = self
            .files
            .iter()
            .map(|file| file.bytes().unwrap_or_default());
        Digest::of_parts(of_the_source.map(Layer::bytes).chain(files))
    }

    /// The same without the layers that belong to this process.
    #[must_use]
    pub fn of_the_source(&self) -> Document {
        if !self.layers.iter().any(Layer::is_overriding) {
            return self.clone();
        }
        let layers = self.layers.iter().filter(|layer| !layer.overriding);
        Document::new(layers.cloned().collect::<Vec<_>>()).with_files(self.files.clone())
    }

    /// The same with these layers after the others; layers of a program's sources are put
    /// where their source is.
    #[must_use]
    pub fn with(&self, more: &[Layer]) -> Document {
        if more.is_empty() {
            return self.clone();
        }
        let mut layers = [&self.layers, more].concat();
        layers.sort_by_key(|layer| layer.position);
        Document::new(layers).with_files(self.files.clone())
    }
}

impl PartialEq for Document {
    fn eq(&self, other: &Self) -> bool {
        // A poll that finds nothing new compares a document with itself.
        let layers = Arc::ptr_eq(&self.layers, &other.layers) || self.layers == other.layers;
        layers && (Arc::ptr_eq(&self.files, &other.files) || self.files == other.files)
    }
}

impl Eq for Document {}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.layers.iter()).finish()
    }
}
