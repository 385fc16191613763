//! Values that the program sets itself, written as YAML.

use serde::Serialize;
use serde_yaml::{Mapping, Value};

use super::super::std::prelude::rust_2024::*;
use super::super::std::vec;
use super::{Of, Source};
use crate::engine::Layer;

/// The name of what is set in code, in messages.
const IN_CODE: &str = "set in code";

/// What a secret writes of itself: nothing that could be read back.
const REDACTED: &str = "[redacted]";

impl Source {
    /// The field at `path`, as in `server.port`: what the command line said, for one.
    /// `None` says nothing. An empty path means the whole document. It is part of no
    /// digest, and never written to disk.
    ///
    /// # Panics
    ///
    /// If the value cannot be written as YAML: a type's own code refuses that.
    #[cfg_attr(docsrs, doc(cfg(feature = "values")))]
    pub fn value(path: &str, value: impl Serialize) -> Source {
        let layers = match written(value) {
            Value::Null => vec![],
            value => vec![Layer::field(IN_CODE, path, text_of(&value))],
        };
        Source::fixed(layers)
    }

    /// The fields of a struct, such as the flags of `clap`: what is `None` says nothing.
    ///
    /// # Panics
    ///
    /// If the value cannot be written as YAML.
    pub fn values(values: &impl Serialize) -> Source {
        Source::fixed(document_of(IN_CODE, values))
    }

    /// A whole configuration, below everything else wherever it is added, so that a
    /// program starts without any file. What is `None` says nothing, and neither does a
    /// [`Secret`](crate::Secret), which does not write itself.
    ///
    /// # Panics
    ///
    /// If the value cannot be written as YAML.
    pub fn defaults(values: &impl Serialize) -> Source {
        let layers = document_of("built-in defaults", values).into_iter();
        Source(Of::Defaults(layers.map(Layer::overriding).collect()))
    }
}

/// Returns a layer of all that is said, if anything is.
fn document_of(name: &str, values: &impl Serialize) -> Vec<Layer> {
    match said(written(values)) {
        Value::Null => vec![],
        // The lines of a text that nobody wrote say nothing.
        value => vec![Layer::field(name, "", text_of(&value))],
    }
}

fn written(value: impl Serialize) -> Value {
    serde_yaml::to_value(value).unwrap_or_else(|_| {
        // What the type says of it may quote it.
        core::panic!("a source was given a value that cannot be written as YAML")
    })
}

fn text_of(value: &Value) -> Vec<u8> {
    let text = serde_yaml::to_string(value);
    text.map(String::into_bytes).unwrap_or_default()
}

/// Leaves out the fields that say nothing. A struct of which nothing is left says nothing.
fn said(value: Value) -> Value {
    match value {
        Value::Mapping(fields) if !fields.is_empty() => {
            let fields = fields.into_iter().map(|(key, value)| (key, said(value)));
            let fields: Mapping = fields.filter(|(_, value)| !value.is_null()).collect();
            match fields.is_empty() {
                true => Value::Null,
                false => Value::Mapping(fields),
            }
        }
        Value::String(text) if text == REDACTED => Value::Null,
        other => other,
    }
}
