//! What a detector found: bytes, and where they came from. It knows nothing of
//! what they mean.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use super::digest::Digest;

/// One source's bytes, with the name under which people know it.
///
/// `Debug` leaves the bytes out: they may hold secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct Layer {
    origin: Arc<str>,
    bytes: Arc<[u8]>,
}

impl Layer {
    /// A layer called `origin`: a path as the user wrote it, or a name such as
    /// `built-in defaults`. It is what error messages begin with.
    pub fn new(origin: impl Into<Arc<str>>, bytes: impl Into<Arc<[u8]>>) -> Self {
        Layer {
            origin: origin.into(),
            bytes: bytes.into(),
        }
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
}

impl fmt::Debug for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Layer")
            .field("origin", &self.origin)
            .field("len", &self.bytes.len())
            .finish_non_exhaustive()
    }
}

/// A whole configuration as it was read: layers in order of precedence, the
/// lowest first.
///
/// Two documents are equal only if every byte is; a digest decides nothing. A
/// clone shares the bytes. `Debug` leaves them out.
#[derive(Clone, PartialEq, Eq)]
pub struct Document {
    layers: Arc<[Layer]>,
}

impl Document {
    /// A document of these layers, the lowest precedence first.
    pub fn new(layers: impl Into<Arc<[Layer]>>) -> Self {
        Document {
            layers: layers.into(),
        }
    }

    /// A document of one layer.
    pub fn single(origin: impl Into<Arc<str>>, bytes: impl Into<Arc<[u8]>>) -> Self {
        Document::new([Layer::new(origin, bytes)])
    }

    /// The layers, the lowest precedence first.
    #[must_use]
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// The names of the layers, in the same order.
    #[must_use]
    pub fn origins(&self) -> Vec<Arc<str>> {
        self.layers.iter().map(|l| l.origin.clone()).collect()
    }

    /// How many bytes all the layers have together.
    #[must_use]
    pub fn len(&self) -> usize {
        self.layers
            .iter()
            .fold(0, |sum, layer| sum.saturating_add(layer.bytes.len()))
    }

    /// Whether there is no byte at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The digest of the content; see [`Digest`] for how to compare it by hand.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of_parts(self.layers.iter().map(Layer::bytes))
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.layers.iter()).finish()
    }
}
