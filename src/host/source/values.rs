//! Values that the program sets itself, written as YAML.

use serde::Serialize;
use serde_yaml::{Mapping, Value};

use super::super::std::prelude::rust_2024::*;
use super::super::std::vec;
use super::{Of, Source};
use crate::engine::Layer;

/// What a secret writes of itself: nothing that could be read back.
const REDACTED: &str = "[redacted]";

impl Source {
    /// The field at `path`, as in `server.port`: what the command line said, for one.
    /// What is `None` says nothing, also within a struct. An empty path means the whole
    /// document. It is part of no digest, and never written to disk.
    ///
    /// # Panics
    ///
    /// If the value cannot be written as YAML: a type's own code refuses that, or it holds
    /// a [`Secret`](crate::Secret), which does not write itself.
    pub fn value(path: &str, value: impl Serialize) -> Source {
        Source::fixed(layers_of("set in code", path, said(written(value))))
    }

    /// The fields of a struct, such as the flags of `clap`: what is `None` says nothing.
    ///
    /// # Panics
    ///
    /// As for [`value`](Self::value).
    pub fn values(values: &impl Serialize) -> Source {
        Source::value("", values)
    }

    /// A whole configuration, below everything else wherever it is added, so that a
    /// program starts without any file. A field that is a [`Secret`](crate::Secret) says
    /// nothing, for it does not write itself.
    ///
    /// # Panics
    ///
    /// If the value cannot be written as YAML, or has a secret anywhere but in a field.
    pub fn defaults(values: &impl Serialize) -> Source {
        let values = without_secrets(written(values));
        let layers = layers_of("built-in defaults", "", values).into_iter();
        Source(Of::Defaults(layers.map(Layer::overriding).collect()))
    }
}

/// Returns a layer of what is said, if anything is. It has no lines, for nobody wrote them.
fn layers_of(name: &str, path: &str, value: Value) -> Vec<Layer> {
    assert!(
        !holds_secrets(&value),
        "a source was given a secret, which does not write itself; expose it"
    );
    match value {
        Value::Null => vec![],
        value => vec![Layer::field(name, path, text_of(&value))],
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
            let fields: Mapping = fields.filter(|(_, value)| *value != Value::Null).collect();
            match fields.is_empty() {
                true => Value::Null,
                false => Value::Mapping(fields),
            }
        }
        other => other,
    }
}

fn without_secrets(value: Value) -> Value {
    match value {
        Value::Mapping(fields) => {
            let fields = fields.into_iter();
            let fields = fields.filter(|(_, value)| value.as_str() != Some(REDACTED));
            let fields = fields.map(|(key, value)| (key, without_secrets(value)));
            Value::Mapping(fields.collect())
        }
        other => other,
    }
}

fn holds_secrets(value: &Value) -> bool {
    match value {
        Value::String(text) => text == REDACTED,
        Value::Sequence(items) => items.iter().any(holds_secrets),
        Value::Mapping(fields) => {
            let both = |(key, value): (&Value, &Value)| holds_secrets(key) || holds_secrets(value);
            fields.iter().any(both)
        }
        Value::Tagged(tagged) => holds_secrets(&tagged.value),
        _ => false,
    }
}
