//! The code of pages that needs crates which are here, compiled.

#[doc = include_str!("../../../README.md")]
pub mod readme {}
#[doc = include_str!("../../../docs/migration.md")]
pub mod migration {}
