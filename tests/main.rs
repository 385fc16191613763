//! The tests that share a process. Those that need one of their own, for they set a logger,
//! count allocations or send themselves signals, are in `tests/alone/`; those that need
//! crates which the others do not, in `tests/network/` and `tests/telemetry/`.

mod common;
#[cfg(feature = "values")]
#[path = "../examples/llm_config/mod.rs"]
mod llm_config;

mod api;
mod awaiting;
mod build;
mod contract;
mod each;
mod engine;
mod events;
mod last_good;
mod layers;
mod like_serde_yaml;
mod meaning;
mod merge;
mod messages;
mod mistakes;
mod named_files;
mod normalize;
mod part;
mod probation;
mod prometheus;
mod promises;
mod properties;
mod readers;

mod reload;
mod restart;
mod rollback;
mod rounds;
mod sequences;
mod sources;
mod stagger;
mod thread;
mod truth;
mod whole;
