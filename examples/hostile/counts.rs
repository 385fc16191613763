//! Very many of something small.

use super::{Named, fill, fill_free, numbered};

pub(super) fn documents(bytes: usize) -> Vec<Named> {
    let many = |head: &str, unit: &str, tail: &str| fill(head, unit, tail, bytes);
    let items = |unit: &str| fill_free("[", unit, "1]", bytes);
    let keys = |digits: usize| {
        let key = move |n| format!("k{n:0digits$}: 1\n");
        numbered("", key, "", bytes)
    };
    vec![
        ("short items", many("tools:\n", "-\n", "")),
        ("short items in a list", fill_free("[", ",1", "]", bytes)),
        ("numbers in a list", items("1,")),
        ("empty lists", items("[],")),
        ("empty maps", items("{},")),
        ("empty texts", items("'',")),
        ("pairs in a list", items("a: 1,")),
        ("lone keys in a map", fill_free("{", "? ,", "a: 1}", bytes)),
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
        ("unknown keys", keys(6)),
        ("unknown keys of a thousand letters", keys(1000)),
        ("unknown keys of two thousand letters", keys(2000)),
        ("keys given twice", many("", "tools: []\n", "")),
        (
            "a key given twice at the end",
            keys(6)[10..].to_string() + "k000001: 1",
        ),
        (
            "keys that are numbers",
            numbered("", |n| format!("{n}: 1\n'{n}': 1\n"), "", bytes),
        ),
        (
            "keys that are numbers in many spellings",
            numbered("", |n| format!("0x{n:0500x}: 1\n"), "", bytes),
        ),
        ("questions", many("", "?\n", "")),
        ("commas", many("[", ",", "]")),
        ("documents", many("", "--- a\n", "")),
        ("empty documents", many("", "---\n", "")),
        ("ends of documents", many("tools: []\n", "...\n", "")),
        ("comments", many("tools: []\n", "#\n", "")),
        ("comments in a list", many("tools: [", "#\n", "]")),
        ("blank lines in a list", many("tools: [", "\n", "]")),
        ("carriage returns", many("tools: []", "\r", "")),
    ]
}
