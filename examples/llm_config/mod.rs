//! The configuration of a small LLM gateway: providers, stores, tools, agents.
//!
//! It is the domain that the original recipe came from, as typed structs with
//! validation. Examples, tests and benches share it.

#![allow(
    unreachable_pub,
    reason = "each program that shares this file is a crate root of its own"
)]

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use steadyconf::{Report, Secret};

/// The whole file.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    pub llm_providers: Vec<LlmProvider>,
    pub embedding_providers: Vec<EmbeddingProvider>,
    pub vector_stores: Vec<VectorStore>,
    pub tools: Vec<Tool>,
    pub agents: Vec<Agent>,
}

/// A language model that can be called.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LlmProvider {
    pub name: String,
    pub provider: String,
    pub model_name: String,
    pub api_key: Option<Secret<String>>,
    pub base_url: Option<String>,
    #[serde(default)]
    pub default_call_options: CallOptions,
    #[serde(default)]
    pub provider_specific: BTreeMap<String, serde_yaml::Value>,
}

/// What a call is made with if the caller says nothing else.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallOptions {
    pub temperature: Option<f64>,
    pub max_tokens: Option<u32>,
    pub timeout_s: Option<u32>,
}

/// A model that turns text into vectors.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmbeddingProvider {
    pub name: String,
    pub provider: String,
    pub model_name: String,
    pub api_key: Option<Secret<String>>,
}

/// Where vectors are kept.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VectorStore {
    pub name: String,
    pub provider: String,
    pub connection_string: Option<Secret<String>>,
    pub embedding_provider_name: String,
}

/// Something that an agent may use.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tool {
    pub name: String,
    #[serde(default)]
    pub description: String,
    pub url: Option<String>,
}

/// A model with a task, and the tools for it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agent {
    pub name: String,
    pub llm_provider_name: String,
    #[serde(default)]
    pub system_prompt: String,
    #[serde(default = "ten")]
    pub max_iterations: u32,
    #[serde(default)]
    pub tool_names: Vec<String>,
    pub vector_store_name: Option<String>,
}

fn ten() -> u32 {
    10
}

/// What a type cannot say: names are unique, references lead somewhere, numbers
/// are in range.
pub fn check(config: &Config, report: &mut Report) {
    let providers = config.llm_providers.iter().map(|p| &p.name);
    let providers = unique("llm_providers", providers, report);
    let embeddings = config.embedding_providers.iter().map(|p| &p.name);
    let embeddings = unique("embedding_providers", embeddings, report);
    let stores = config.vector_stores.iter().map(|s| &s.name);
    let stores = unique("vector_stores", stores, report);
    let tools = config.tools.iter().map(|t| &t.name);
    let tools = unique("tools", tools, report);
    unique("agents", config.agents.iter().map(|a| &a.name), report);

    for (i, provider) in config.llm_providers.iter().enumerate() {
        check_provider(&format!("llm_providers[{i}]"), provider, report);
    }
    for (i, store) in config.vector_stores.iter().enumerate() {
        if !embeddings.contains(store.embedding_provider_name.as_str()) {
            let path = format!("vector_stores[{i}].embedding_provider_name");
            report.add(path, "names no embedding provider");
        }
    }
    for (i, agent) in config.agents.iter().enumerate() {
        let at = format!("agents[{i}]");
        if !providers.contains(agent.llm_provider_name.as_str()) {
            report.add(format!("{at}.llm_provider_name"), "names no LLM provider");
        }
        if agent.max_iterations == 0 {
            report.add(format!("{at}.max_iterations"), "must be at least 1");
        }
        for (j, tool) in agent.tool_names.iter().enumerate() {
            if !tools.contains(tool.as_str()) {
                report.add(format!("{at}.tool_names[{j}]"), "names no tool");
            }
        }
        let store = agent.vector_store_name.as_deref();
        if store.is_some_and(|store| !stores.contains(store)) {
            let path = format!("{at}.vector_store_name");
            report.add(path, "names no vector store");
        }
    }
}

fn check_provider(at: &str, provider: &LlmProvider, report: &mut Report) {
    if provider.model_name.is_empty() {
        report.add(format!("{at}.model_name"), "must not be empty");
    }
    let options = &provider.default_call_options;
    let temperature = options.temperature.unwrap_or(1.0);
    if !(0.0..=2.0).contains(&temperature) {
        let path = format!("{at}.default_call_options.temperature");
        report.add(path, "must be between 0 and 2");
    }
    if options.timeout_s == Some(0) {
        let path = format!("{at}.default_call_options.timeout_s");
        report.add(path, "must be at least 1");
    }
}

/// The names of a list; reports those that are empty or stand there twice.
fn unique<'a>(
    list: &str,
    names: impl Iterator<Item = &'a String>,
    report: &mut Report,
) -> BTreeSet<&'a str> {
    let mut seen = BTreeSet::new();
    for (i, name) in names.enumerate() {
        if name.is_empty() {
            report.add(format!("{list}[{i}].name"), "must not be empty");
        } else if !seen.insert(name.as_str()) {
            let message = "is taken by an earlier one of this list";
            report.add(format!("{list}[{i}].name"), message);
        }
    }
    seen
}

/// A good file of at least `bytes` bytes, and less than 400 more.
#[allow(
    dead_code,
    reason = "not every program that shares this file needs one"
)]
pub fn of_size(bytes: usize) -> String {
    let mut providers = String::from("llm_providers:\n");
    let mut agents = String::from("agents:\n");
    for i in 0.. {
        if providers.len() + agents.len() >= bytes {
            break;
        }
        providers += &format!(
            "  - name: provider-{i}\n    provider: openai\n    model_name: gpt-4\n    \
             api_key: sk-not-a-real-key-{i}\n    default_call_options: {{temperature: 0.7, \
             max_tokens: 1024}}\n"
        );
        agents += &format!(
            "  - name: agent-{i}\n    llm_provider_name: provider-{i}\n    system_prompt: \
             You are helper number {i}.\n    max_iterations: 5\n"
        );
    }
    providers + &agents
}

/// A commented file that is good.
#[allow(dead_code, reason = "not every program that shares this file needs it")]
pub const SAMPLE: &str = r"# Which models there are, and who uses them.
llm_providers:
  - name: openai
    provider: openai
    model_name: gpt-3.5-turbo     # try gpt-4
    api_key: sk-not-a-real-key
    default_call_options:
      temperature: 0.7            # 0 to 2
      max_tokens: 1024
      timeout_s: 30

embedding_providers:
  - name: small
    provider: openai
    model_name: text-embedding-3-small

vector_stores:
  - name: docs
    provider: pgvector
    connection_string: postgres://app:not-a-real-password@localhost/docs
    embedding_provider_name: small

tools:
  - name: search
    description: Looks things up.

# Every provider, tool and store that an agent names has to exist above.
agents:
  - name: helper
    llm_provider_name: openai
    system_prompt: You are helpful.
    max_iterations: 5
    tool_names: [search]
    vector_store_name: docs
";
