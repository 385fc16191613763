//! Documents that ask as much as they can of who parses them. Tests and benches share
//! them.

#![allow(
    unreachable_pub,
    reason = "each program that shares this file is a crate root of its own"
)]

/// As many of these as fit.
fn fill(head: &str, unit: &str, tail: &str, bytes: usize) -> String {
    let room = bytes - head.len() - tail.len();
    format!("{head}{}{tail}", unit.repeat(room / unit.len()))
}

/// Hostile documents of at most so many bytes, each with a name. All of them are for
/// the schema of `llm_config`.
pub fn documents(bytes: usize) -> Vec<(&'static str, String)> {
    let many = |head: &str, unit: &str, tail: &str| fill(head, unit, tail, bytes);
    let specific = "llm_providers: [{name: a, provider: b, model_name: c, provider_specific: {x: ";
    let half = "x".repeat(bytes / 2);
    let tenth = "x".repeat(bytes / 10);
    let nested = |depth: usize| {
        let open = "[".repeat(depth);
        let unit = format!("{open}{},", "]".repeat(depth));
        many(&format!("{specific}["), &unit, "]}}]")
    };
    let anchors: String = (0..bytes / 16).map(|n| format!("- &a{n:06} x\n")).collect();
    vec![
        ("nested maps", many("", "{a: ", "")),
        ("nested lists", many("", "[", "")),
        ("nested lists, closed", many("", "[]", "")),
        ("nested items", many("", "- ", "")),
        ("nested keys", many("", "? ", "")),
        ("nested in a value", many(specific, "{a: ", "")),
        ("lists of 100 levels", nested(100)),
        ("lists of 120 levels", nested(120)),
        (
            "deep by indentation",
            (0..1400)
                .map(|n| format!("{}a:\n", " ".repeat(n)))
                .collect::<String>()[..bytes.min(981_000)]
                .to_string(),
        ),
        ("short items", many("tools:\n", "-\n", "")),
        (
            "short items in a list",
            many(&format!("{specific}["), ",1", "]}}]"),
        ),
        (
            "numbers in a list",
            many(&format!("{specific}["), "1,", "1]}}]"),
        ),
        ("empty lists", many(&format!("{specific}["), "[],", "1]}}]")),
        ("empty maps", many(&format!("{specific}["), "{},", "1]}}]")),
        ("tiny tools", many("tools:\n", "- {name: a}\n", "")),
        (
            "tool names",
            many(
                "agents:\n- name: a\n  llm_provider_name: a\n  tool_names:\n",
                "  - a\n",
                "",
            ),
        ),
        ("colons", many("", "a:\n", "")),
        (
            "unknown keys",
            (0..bytes / 10)
                .map(|n| format!("k{n:06}: 1\n"))
                .collect::<String>()[..bytes / 10 * 10]
                .to_string(),
        ),
        ("keys given twice", many("", "tools: []\n", "")),
        ("questions", many("", "?\n", "")),
        ("commas", many("[", ",", "]")),
        (
            "brackets in text",
            many(
                "agents:\n- name: a\n  llm_provider_name: b\n  system_prompt: |\n",
                "    [{[{[{[{[{[{[{[{[{[{[{[{\n",
                "",
            ),
        ),
        (
            "colons in text",
            many(
                "agents:\n- name: a\n  llm_provider_name: b\n  system_prompt: |\n",
                "    - a: b, c: d ? e\n",
                "",
            ),
        ),
        ("one long line", many("agents: ", "x", "")),
        ("one long word in quotes", many("agents: \"", "x", "\"")),
        ("escapes", many("agents: \"", "\\x41", "\"")),
        ("never closed", many("agents: \"", "x ", "")),
        ("folded", many("agents: ", "x\n ", "x")),
        ("blank lines", many("agents: 'x", "\n", "'")),
        ("comments", many("tools: []\n", "#\n", "")),
        ("blanks", many("tools: []\n", " ", "")),
        ("tabs", many("tools: []\n", "\t", "")),
        (
            "anchors",
            format!(
                "x:\n{}",
                &anchors[..anchors.len().min(bytes - 10) / 12 * 12]
            ),
        ),
        (
            "aliases of a long text",
            many(&format!("x: &a {half}\ny: ["), "*a,", "]"),
        ),
        (
            "aliases of a text",
            many(&format!("x: &a {tenth}\ny: ["), "*a,", "]"),
        ),
        ("aliases of a word", many("x: &a b\ny: [", "*a,", "]")),
        (
            "aliases of a list",
            many(&format!("x: &a [{}1]\ny: [", "1,".repeat(1000)), "*a,", "]"),
        ),
        (
            "aliases of tools",
            many(
                &format!(
                    "tools:\n- &a {{name: x, description: {}}}\n",
                    &tenth[..1000.min(tenth.len())]
                ),
                "- *a\n",
                "",
            ),
        ),
        (
            "aliases of aliases",
            (1..26).fold(String::from("a0: &a0 [x]\n"), |text, n| {
                text + &format!(
                    "a{n}: &a{n} [{}]\n",
                    vec![format!("*a{}", n - 1); 10].join(", ")
                )
            }),
        ),
        ("merge keys", many("a: &a {b: 1}\nc:\n", "- <<: *a\n", "")),
        (
            "merge keys of merge keys",
            (1..200).fold(String::from("a0: &a0 {x: 1}\n"), |text, n| {
                text + &format!("a{n}: &a{n} {{<<: [*a{}, *a{}]}}\n", n - 1, n - 1)
            }),
        ),
        ("tags", many("tools: [", "!a b,", "]")),
        ("long tags", many("tools: !", "a", " b")),
        ("documents", many("", "--- a\n", "")),
        ("directives", many("", "%A b\n", "--- a")),
        (
            "wrong at the end",
            many("tools:\n", "- {name: a}\n", "- {nam: a}\n"),
        ),
        (
            "wrong all over",
            many(
                "agents:\n",
                "- {name: a, llm_provider_name: b, max_iterations: 0}\n",
                "",
            ),
        ),
        (
            "not UTF-8 at the end",
            many("tools:\n", "- {name: a}\n", "- \u{fffd}"),
        ),
    ]
}
