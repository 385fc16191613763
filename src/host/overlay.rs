//! Layers that belong to this process, laid over whatever a detector offers: values
//! set in code, and the environment, which is read once.

use core::time::Duration;

use super::std::prelude::rust_2024::*;
use super::std::sync::Arc;
use crate::engine::{DetectError, Detector, Layer, Sighting};

/// A detector, and what is laid over its documents.
pub(crate) struct Overlay {
    pub(crate) detector: Box<dyn Detector + Send>,
    pub(crate) layers: Arc<[Layer]>,
}

impl Detector for Overlay {
    fn poll(&mut self, now: Duration) -> Result<Sighting, DetectError> {
        Ok(match self.detector.poll(now)? {
            Sighting::Changed(document) => Sighting::Changed(document.with(&self.layers)),
            other => other,
        })
    }

    fn refresh(&mut self) {
        self.detector.refresh();
    }

    fn also_read(&mut self, names: &[Arc<str>]) {
        self.detector.also_read(names);
    }
}

/// The variables that begin with `prefix` and a separator, as layers of one field
/// each, in order of their names. The separator also stands between the keys of a
/// path; capitals are made small.
#[cfg(feature = "yaml")]
pub(crate) fn environment(prefix: &str, separator: &str) -> Vec<Layer> {
    use super::std::env;
    use super::std::format;
    use crate::engine::path::{PathDisplay, Segment};

    let mut layers = Vec::new();
    for (name, value) in env::vars_os() {
        let Some(name) = name.to_str() else {
            continue;
        };
        let rest = name
            .strip_prefix(prefix)
            .and_then(|rest| rest.strip_prefix(separator));
        let Some(rest) = rest else {
            continue;
        };
        let key = |key: &str| Segment::Key(key.to_lowercase());
        if rest.is_empty() {
            continue;
        }
        let path: Vec<_> = rest.split(separator).map(key).collect();
        let path = format!("{}", PathDisplay(&path));
        let origin = format!("environment variable {name}");
        let layer = match value.to_str() {
            Some(value) if crate::format::is_more_than_text(value) => {
                Layer::field(origin.as_str(), path, value.as_bytes())
            }
            _ => Layer::text(origin.as_str(), path, value.as_encoded_bytes()),
        };
        layers.push(layer.overriding());
    }
    layers.sort_by(|a, b| a.origin().cmp(b.origin()));
    layers
}
