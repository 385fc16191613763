//! The environment as layers of one field each.

use super::super::std::env;
use super::super::std::format;
use super::super::std::prelude::rust_2024::*;
use super::EnvSource;
use crate::engine::Layer;
use crate::engine::path::{PathDisplay, Segment};

/// Returns the variables of a source, in order of their names.
pub(super) fn read(source: &EnvSource) -> Vec<Layer> {
    let variables = env::vars_os();
    let mut layers: Vec<_> = variables
        .filter_map(|(name, value)| layer(source, name.to_str()?, value.as_encoded_bytes()))
        .collect();
    layers.sort_by(|a, b| a.origin().cmp(b.origin()));
    layers
}

fn layer(source: &EnvSource, name: &str, value: &[u8]) -> Option<Layer> {
    let rest = name.strip_prefix(&*source.prefix)?;
    let rest = rest.strip_prefix(&*source.separator)?;
    if rest.is_empty() {
        return None;
    }
    let key = |key: &str| Segment::Key(key.to_lowercase());
    let path: Vec<_> = match &*source.nested {
        "" => [key(rest)].into(),
        nested => rest.split(nested).map(key).collect(),
    };
    let path = format!("{}", PathDisplay(&path));
    let origin = format!("environment variable {name}");
    let layer = match core::str::from_utf8(value) {
        Ok(text) if crate::format::is_more_than_text(text) => Layer::field(origin, path, value),
        _ => Layer::text(origin, path, value),
    };
    let layer = layer.loosely_named();
    Some(match source.list {
        Some(separator) => layer.list_at(separator),
        None => layer,
    })
}
