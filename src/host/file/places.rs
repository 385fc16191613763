//! Where the layers of a detector of files stand: its sources, in order.

use super::super::std::prelude::rust_2024::*;
use super::super::std::sync::Arc;
#[cfg(feature = "remote")]
use super::remote::RemotePart;
use super::sources::Part;
use crate::engine::Layer;

/// What one source is.
#[derive(Debug)]
pub(super) enum Place {
    Watched(Box<Part>),
    #[cfg(feature = "remote")]
    Remote(RemotePart),
    Fixed(Vec<Layer>),
}

impl Place {
    /// What is watched, for messages.
    pub(super) fn name(&self) -> Option<&Arc<str>> {
        match self {
            Place::Watched(part) => Some(part.origin()),
            #[cfg(feature = "remote")]
            Place::Remote(part) => Some(part.name()),
            Place::Fixed(_) => None,
        }
    }
}

/// Returns a layer at the position of its source.
pub(super) fn at(position: usize, layer: &Layer) -> Layer {
    layer.clone().at_position(number(position))
}

pub(super) fn number(position: usize) -> u16 {
    u16::try_from(position).unwrap_or(u16::MAX)
}
