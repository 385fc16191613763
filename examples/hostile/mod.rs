//! Documents that ask as much as they can of who parses them. Tests and benches share
//! them.

#![allow(
    unreachable_pub,
    dead_code,
    unused_imports,
    reason = "each program that shares this file is a crate root of its own, and uses its part"
)]

mod aliases;
mod counts;
mod layers;
mod merges;
mod nesting;
mod other_formats;
mod places;
mod tags;
mod texts;

pub use layers::{Piece, layers};
pub use other_formats::{json, toml};

/// A document and its name.
pub type Named = (&'static str, String);

/// What the schema of `llm_config` takes as it is: a place for any value.
const FREE: &str = "llm_providers: [{name: a, provider: b, model_name: c, provider_specific: {x: ";
const FREE_END: &str = "}}]";

/// Hostile YAML documents of at most so many bytes, each with a name. All of them are
/// for the schema of `llm_config`.
pub fn documents(bytes: usize) -> Vec<Named> {
    let groups = [
        nesting::documents(bytes),
        counts::documents(bytes),
        texts::documents(bytes),
        aliases::documents(bytes),
        merges::documents(bytes),
        tags::documents(bytes),
        places::documents(bytes),
    ];
    groups.into_iter().flatten().collect()
}

/// As many of these as fit.
fn fill(head: &str, unit: &str, tail: &str, bytes: usize) -> String {
    let room = bytes - head.len() - tail.len();
    format!("{head}{}{tail}", unit.repeat(room / unit.len()))
}

/// As many of these as fit, each with its number.
fn numbered(head: &str, unit: impl Fn(usize) -> String, tail: &str, bytes: usize) -> String {
    let mut text = String::from(head);
    for unit in (0..).map(unit) {
        if text.len() + unit.len() + tail.len() > bytes {
            break;
        }
        text += &unit;
    }
    text + tail
}

/// A value in a place where the schema takes any.
fn free(value: &str) -> String {
    format!("{FREE}{value}{FREE_END}")
}

/// As many of these as fit, in a place where the schema takes any value.
fn fill_free(head: &str, unit: &str, tail: &str, bytes: usize) -> String {
    let (head, tail) = (format!("{FREE}{head}"), format!("{tail}{FREE_END}"));
    fill(&head, unit, &tail, bytes)
}
