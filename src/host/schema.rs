//! A JSON Schema for editors, of a type that `schemars` can describe.

use schemars::{JsonSchema, schema_for};
use serde_json::{Map, Value, json};

use super::std::prelude::rust_2024::*;

/// Returns a JSON Schema of a configuration, as text, for editors and for CI: point to it
/// by `# yaml-language-server: $schema=config.schema.json` in the first line, or by a key
/// `$schema` in JSON.
///
/// It suits layers: a file may leave out any field, for another source may have it, but a
/// key that no field takes is an error. (Of the variants of an enum, none can be left out.)
///
/// ```
/// #[derive(schemars::JsonSchema)]
/// struct Config {
///     port: u16,
/// }
///
/// let schema = steadyconf::json_schema::<Config>();
/// assert!(schema.contains("\"port\""));
/// assert!(!schema.contains("\"required\""));
/// ```
#[must_use]
pub fn json_schema<T: JsonSchema>() -> String {
    let mut schema = schema_for!(T).to_value();
    suit_layers(&mut schema, false);
    let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
    if let Some(properties) = properties {
        properties.insert("$schema".into(), json!({"type": "string"}));
    }
    // A value of JSON can always be written.
    serde_json::to_string_pretty(&schema).unwrap_or_default()
}

/// `is_choice`: it is one of several forms, which are told apart by what they require.
fn suit_layers(schema: &mut Value, is_choice: bool) {
    match schema {
        Value::Object(fields) => {
            if fields.get("properties").is_some_and(Value::is_object) && !is_choice {
                fields.remove("required");
                refuse_others(fields);
            }
            for (name, value) in fields {
                let is_choice = matches!(name.as_str(), "oneOf" | "anyOf");
                suit_layers(value, is_choice);
            }
        }
        Value::Array(items) => {
            for item in items {
                suit_layers(item, is_choice);
            }
        }
        _ => {}
    }
}

fn refuse_others(fields: &mut Map<String, Value>) {
    let is_composed = ["allOf", "anyOf", "oneOf", "$ref"]
        .iter()
        .any(|name| fields.contains_key(*name));
    let rule = match is_composed {
        true => "unevaluatedProperties",
        false => "additionalProperties",
    };
    fields.entry(rule).or_insert(Value::Bool(false));
}
