//! What other crates say of the same: their readers as oracles, and their types in a
//! configuration.

#[path = "../common/mod.rs"]
mod common;

mod check;
mod effective;
mod secrets;
mod yaml_suite;
