//! Long texts in every style.

use super::{FREE, FREE_END, Named, fill, fill_free, free, numbered};

/// The end of a prompt is the place where texts are long.
const PROMPT: &str = "agents:\n- name: a\n  llm_provider_name: b\n  system_prompt: ";

pub(super) fn documents(bytes: usize) -> Vec<Named> {
    let mut all = plain(bytes);
    all.extend(quoted(bytes));
    all.extend(blocks(bytes));
    all.extend(numbers(bytes));
    all
}

fn plain(bytes: usize) -> Vec<Named> {
    let many = |head: &str, unit: &str, tail: &str| fill(head, unit, tail, bytes);
    vec![
        ("one long line", many("agents: ", "x", "")),
        ("one long line alone", many("", "x", "")),
        ("one long line of words", many("agents: ", "x ", "")),
        ("one long key", many("", "x", ": 1")),
        ("one long key after a question", many("? ", "x", "\n: 1")),
        ("one long key in quotes", many("? \"", "x", "\"\n: 1")),
        (
            "one long key in a free place",
            free(&fill("{? ", "x", " : 1}", bytes - 200)),
        ),
        ("a key over many lines", many("? a", "\n  b", "\n: 1")),
        ("folded", many("agents: ", "x\n ", "x")),
        ("folded with blank lines", many("agents: x", "\n", " x")),
        ("blanks", many("tools: []\n", " ", "")),
        ("blanks in the middle", many("agents: x", " ", "x")),
        ("tabs", many("tools: []\n", "\t", "")),
        ("tabs in the middle", many("agents: x", "\t", "x")),
        ("letters of four bytes", many("agents: ", "\u{1f980}", "")),
        ("byte order marks", many("agents: ", "\u{feff}", "")),
        ("line separators", many("agents: ", "\u{2028}", "")),
        ("nothing but NUL", many("", "\0", "")),
        (
            "control characters in a text",
            many("agents: [", "\u{7},", "]"),
        ),
    ]
}

fn quoted(bytes: usize) -> Vec<Named> {
    let many = |head: &str, unit: &str, tail: &str| fill(head, unit, tail, bytes);
    vec![
        ("one long word in quotes", many("agents: \"", "x", "\"")),
        ("escapes", many("agents: \"", "\\x41", "\"")),
        (
            "escapes of eight digits",
            many("agents: \"", "\\U0001f980", "\""),
        ),
        ("escaped line ends", many("agents: \"", "\\\n", "\"")),
        (
            "escapes in a prompt",
            many(&format!("{PROMPT}\""), "\\n", "\"\n"),
        ),
        ("doubled quotes", many(&format!("{PROMPT}'"), "''", "'\n")),
        ("never closed", many("agents: \"", "x ", "")),
        ("never closed, in many lines", many("agents: '", "x\n", "")),
        ("blank lines", many("agents: 'x", "\n", "'")),
        ("quoted texts", fill_free("[", "\"\\t\",", "]", bytes)),
    ]
}

fn blocks(bytes: usize) -> Vec<Named> {
    let prompt = |unit: &str| fill(&format!("{PROMPT}|\n"), unit, "", bytes);
    let many = |head: &str, unit: &str, tail: &str| fill(head, unit, tail, bytes);
    vec![
        ("brackets in text", prompt("    [{[{[{[{[{[{[{[{[{[{[{[{\n")),
        ("colons in text", prompt("    - a: b, c: d ? e\n")),
        ("blank lines in text", prompt("\n")),
        ("short lines in text", prompt("    x\n")),
        ("blocks", many("tools:\n", "- |\n", "")),
        ("folded blocks", many("tools:\n", "- >+\n\n", "")),
        (
            "a block that is indented far",
            many("agents: |\n", " ", "x\n"),
        ),
        (
            "blocks that are indented more and more",
            numbered(
                "tools:\n",
                |n| format!("- |\n{}x\n", " ".repeat(n + 1)),
                "",
                bytes,
            ),
        ),
        ("a folded block of long lines", {
            let line = format!("    {}\n", "x".repeat(1000));
            fill(&format!("{PROMPT}>\n"), &line, "", bytes)
        }),
        (
            "a folded block that folds nothing",
            fill(&format!("{PROMPT}>\n"), "     x\n", "", bytes),
        ),
    ]
}

/// What is nearly a number, or one that is long.
fn numbers(bytes: usize) -> Vec<Named> {
    let value = |head: &str, unit: &str, tail: &str| {
        let (head, tail) = (format!("{FREE}{head}"), format!("{tail}{FREE_END}"));
        fill(&head, unit, &tail, bytes)
    };
    let long = "0".repeat(bytes / 100);
    vec![
        ("a long whole number", value("", "9", "")),
        ("a long number with zeros before it", value("0x", "0", "1")),
        ("a long fraction", value("0.", "3", "")),
        ("a long exponent", value("1e", "9", "")),
        (
            "long numbers",
            value("[", &format!("0x{long}1, 1.{long}, -0b{long}1, "), "]"),
        ),
        ("dots", value("", ".", "")),
        ("signs", value("", "+", "1")),
        ("a long number for a field", {
            let head = format!("{PROMPT}x\n  max_iterations: ");
            fill(&head, "9", "\n", bytes)
        }),
    ]
}
