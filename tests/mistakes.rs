//! Mistakes that people make in a configuration file, and what they are told.
//!
//! Read the messages as one who was woken by them: each has to say where, and what to
//! do about it.
#![cfg(feature = "values")]

use crate::common::ms;
use crate::llm_config::{Config, SAMPLE, check};
use steadyconf::Outcome;
use steadyconf::engine::{Document, Engine};
use steadyconf::format::Yaml;

/// The sample, with one thing done to it.
fn with(this: &str, that: &str) -> String {
    assert!(SAMPLE.contains(this), "{this}");
    SAMPLE.replacen(this, that, 1)
}

fn said(text: &str) -> String {
    let mut engine = Engine::<Config>::new(Yaml::new()).validate(check);
    let document = Document::single("config.yaml", text.as_bytes());
    match engine.apply(document, ms(0)) {
        Outcome::Rejected(rejection) => {
            let problems = rejection.problems().iter().map(ToString::to_string);
            problems.collect::<Vec<_>>().join("\n")
        }
        other => format!("{other:?}"),
    }
}

#[test]
fn mistakes_and_what_is_said_of_them() {
    let table: Vec<(&str, String, &str)> = vec![
        (
            "a typo in a key",
            with("max_tokens", "max_tokenz"),
            "config.yaml:9:7: llm_providers[0].default_call_options.max_tokenz: unknown key; did you mean `max_tokens`?",
        ),
        (
            "a key of another case",
            with("model_name", "modelName"),
            "config.yaml:5:5: llm_providers[0].modelName: unknown key; did you mean `model_name`?",
        ),
        (
            "a number in words",
            with("temperature: 0.7", "temperature: warm"),
            "config.yaml:8:20: llm_providers[0].default_call_options.temperature: expected a number, found a string",
        ),
        (
            "a number in quotes",
            with("temperature: 0.7", "temperature: \"0.7\""),
            "config.yaml:8:20: llm_providers[0].default_call_options.temperature: expected a number, found a string",
        ),
        (
            "a number with a unit",
            with("timeout_s: 30", "timeout_s: 30s"),
            "config.yaml:10:18: llm_providers[0].default_call_options.timeout_s: expected a whole number from 0 to 4294967295, found a string",
        ),
        (
            "a negative number",
            with("timeout_s: 30", "timeout_s: -1"),
            "config.yaml:10:18: llm_providers[0].default_call_options.timeout_s: expected a whole number from 0 to 4294967295, found a number out of range",
        ),
        (
            "a fraction for a whole number",
            with("timeout_s: 30", "timeout_s: 1.5"),
            "config.yaml:10:18: llm_providers[0].default_call_options.timeout_s: expected a whole number from 0 to 4294967295, found a number with a fraction",
        ),
        (
            "out of range",
            with("temperature: 0.7", "temperature: 7"),
            "config.yaml:8:20: llm_providers[0].default_call_options.temperature: must be between 0 and 2",
        ),
        (
            "several at once",
            with("temperature: 0.7", "temperature: 7").replace("timeout_s: 30", "timeout_s: 0"),
            "config.yaml:8:20: llm_providers[0].default_call_options.temperature: must be between 0 and 2\n\
             config.yaml:10:18: llm_providers[0].default_call_options.timeout_s: must be at least 1",
        ),
        (
            "a tab",
            with("    provider:", "\tprovider:"),
            "config.yaml:4:1: not valid YAML: indented with a tab; use spaces",
        ),
        (
            "indented too little",
            with("    model_name:", "   model_name:"),
            "config.yaml:5:4: not valid YAML: expected a `- ` of the list that begins at line 3 column 3; check the indentation",
        ),
        (
            "indented too much",
            with("    model_name:", "      model_name:"),
            "config.yaml:5:17: not valid YAML: a colon where no key may stand; check the indentation, or put the text in quotes",
        ),
        (
            "a list item indented too little",
            with("      max_tokens:", "    max_tokens:"),
            "config.yaml:10:16: not valid YAML: a colon where no key may stand; check the indentation, or put the text in quotes",
        ),
        (
            "no blank after a colon",
            with("provider: openai", "provider:openai"),
            "config.yaml:4:5: not valid YAML: expected a colon and a space after this key",
        ),
        (
            "no colon",
            with("provider: openai", "provider openai"),
            "config.yaml:4:5: not valid YAML: expected a colon and a space after this key",
        ),
        (
            "a second colon",
            with("provider: openai", "provider: openai: x"),
            "config.yaml:4:21: not valid YAML: a colon where no key may stand; check the indentation, or put the text in quotes",
        ),
        (
            "an equals sign",
            with("provider: openai", "provider = openai"),
            "config.yaml:4:5: not valid YAML: expected a colon and a space after this key",
        ),
        (
            "an unclosed quote",
            with("provider: openai", "provider: \"openai"),
            "config.yaml:4:15: not valid YAML: this quote is never closed",
        ),
        (
            "text after a quote",
            with("provider: openai", "provider: \"open\"ai"),
            "config.yaml:4:21: not valid YAML: text after the closing quote; put the whole value in quotes",
        ),
        (
            "an unclosed bracket",
            with("[search]", "[search"),
            "config.yaml:33:17: not valid YAML: this `[` is not closed, or a comma is missing in it",
        ),
        (
            "a bracket too many",
            with("[search]", "[search]]"),
            "config.yaml:33:25: not valid YAML: this bracket closes nothing",
        ),
        (
            "one in place of a list",
            with("[search]", "search"),
            "config.yaml:33:17: agents[0].tool_names: expected a list, found a string",
        ),
        (
            "a list in place of one",
            with("provider: openai", "provider: [openai]"),
            "config.yaml:4:15: llm_providers[0].provider: expected a string, found a list",
        ),
        (
            "a dash missing",
            with("  - name: search", "    name: search"),
            "config.yaml:24:5: tools: expected a list, found a mapping",
        ),
        (
            "a dash without a blank",
            with("  - name: search", "  -name: search"),
            "config.yaml:25:16: not valid YAML: a colon where no key may stand; check the indentation, or put the text in quotes",
        ),
        (
            "a key missing",
            with("    model_name: gpt-3.5-turbo     # try gpt-4\n", ""),
            "config.yaml:3:5: llm_providers[0]: the key `model_name` is missing",
        ),
        (
            "a value missing",
            with("provider: openai", "provider:"),
            "config.yaml:4:14: llm_providers[0].provider: expected a string, found nothing",
        ),
        (
            "a section without content",
            with("  - name: search\n    description: Looks things up.\n", ""),
            "config.yaml:31:18: agents[0].tool_names[0]: names no tool",
        ),
        (
            "a reference that leads nowhere",
            with("llm_provider_name: openai", "llm_provider_name: opnai"),
            "config.yaml:30:24: agents[0].llm_provider_name: names no LLM provider",
        ),
        (
            "a name given twice",
            with("- name: search", "- name: search\n  - name: search"),
            "config.yaml:25:11: tools[1].name: is taken by an earlier one of this list",
        ),
        (
            "a key given twice",
            with(
                "    provider: openai\n",
                "    provider: openai\n    provider: azure\n",
            ),
            "config.yaml:5:5: this key is given twice; the first is at line 4 column 5",
        ),
        (
            "two documents",
            format!("{SAMPLE}---\n{SAMPLE}"),
            "config.yaml:35:1: not valid YAML: expected one document, found a second one after `---`",
        ),
        (
            "a merge that was not finished",
            with(
                "    provider: openai\n",
                "<<<<<<< ours\n    provider: openai\n=======\n    provider: azure\n>>>>>>> theirs\n",
            ),
            "config.yaml:4:1: not valid YAML: a git conflict marker; keep one side, and remove the lines of markers",
        ),
        (
            "an anchor that is not there",
            with("api_key: sk-", "api_key: *sk-"),
            "config.yaml:6:14: not valid YAML: there is no such anchor; put the text in quotes if it is no alias",
        ),
        (
            "a template that was not filled in",
            with("provider: openai", "provider: {{ provider }}"),
            "config.yaml:4:15: llm_providers[0].provider: expected a string, found a mapping",
        ),
        (
            "a percent sign",
            with("provider: openai", "provider: %openai"),
            "config.yaml:4:15: not valid YAML: a value cannot begin with this character; put it in quotes",
        ),
        (
            "an at sign",
            with("provider: openai", "provider: @openai"),
            "config.yaml:4:15: not valid YAML: a value cannot begin with this character; put it in quotes",
        ),
        (
            "yes for a number",
            with("max_iterations: 5", "max_iterations: yes"),
            "config.yaml:32:21: agents[0].max_iterations: expected a whole number from 0 to 4294967295, found a string",
        ),
        (
            "a comment that swallowed the value",
            with("provider: openai", "provider: #openai"),
            "config.yaml:4:14: llm_providers[0].provider: expected a string, found nothing",
        ),
        (
            "everything commented out",
            SAMPLE.lines().map(|l| format!("# {l}\n")).collect(),
            "config.yaml: holds no value, only comments or nothing",
        ),
        ("nothing", String::new(), "config.yaml: is empty"),
        (
            "cut in the middle of a key",
            SAMPLE[..SAMPLE.find("rature").unwrap()].to_string(),
            "config.yaml:8:7: llm_providers[0].default_call_options: expected a mapping, found a string",
        ),
        (
            "another file altogether",
            "<html><body>502</body></html>".to_string(),
            "config.yaml:1:1: expected a mapping, found a string",
        ),
        (
            "a list at the top",
            "- llm_providers: []\n".to_string(),
            "config.yaml:1:1: expected a mapping, found a list",
        ),
        (
            "JSON with a comma too many",
            "{\"tools\": [{\"name\": \"a\"},,]}".to_string(),
            "config.yaml:1:26: not valid YAML: expected a value; is there a comma or a bracket too many?",
        ),
    ];
    let mut wrong = Vec::new();
    for (what, text, expected) in table {
        let found = said(&text);
        if found != expected {
            wrong.push(format!("{what}\n  said     {found}\n  expected {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
