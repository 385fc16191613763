//! The service of `main.rs`, for its test.

pub mod gateway;
#[path = "../../../examples/llm_config/mod.rs"]
pub mod llm_config;
