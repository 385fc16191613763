//! Tags and directives.

use super::{Named, fill, fill_free, numbered};

pub(super) fn documents(bytes: usize) -> Vec<Named> {
    let mut all = tags(bytes);
    all.extend(directives(bytes));
    all
}

fn tags(bytes: usize) -> Vec<Named> {
    vec![
        ("tags", fill("tools: [", "!a b,", "]", bytes)),
        ("tags in a free place", fill_free("[", "!a b,", "1]", bytes)),
        ("tags of nothing", fill_free("[", "!a ,", "1]", bytes)),
        ("tags of maps", fill_free("[", "!a {b: 1},", "1]", bytes)),
        (
            "different tags",
            numbered("tools:\n", |n| format!("- !t{n} x\n"), "", bytes),
        ),
        ("long tags", fill("tools: !", "a", " b", bytes)),
        (
            "a long tag in a free place",
            fill_free("!", "a", " b", bytes),
        ),
        (
            "a long tag of many signs",
            fill_free("!", "%41", " b", bytes),
        ),
        ("a verbatim tag", fill_free("!<", "a", "> b", bytes)),
        (
            "a verbatim tag that is never closed",
            fill_free("!<", "a", " b", bytes),
        ),
    ]
}

fn directives(bytes: usize) -> Vec<Named> {
    let long = "t".repeat(bytes / 5);
    let often = |head: &str, unit: &str| {
        let head = format!("{head}\n---\n");
        fill(&head, unit, "", bytes)
    };
    vec![
        ("directives", fill("", "%A b\n", "--- a", bytes)),
        ("a long directive", fill("%A ", "b", "\n--- {a: 1}", bytes)),
        (
            "directives of versions",
            fill("", "%YAML 1.2\n", "--- a", bytes),
        ),
        (
            "tag directives",
            numbered(
                "",
                |n| format!("%TAG !t{n}! tag:x,\n"),
                "--- {a: 1}\n",
                bytes,
            ),
        ),
        (
            "one tag directive again and again",
            fill("", "%TAG !t! tag:x,\n", "--- {a: 1}\n", bytes),
        ),
        ("a long handle", {
            let text = format!("%TAG !{long}! tag:x,\n---\na: !{long}!b c\n");
            fill(&text, "#\n", "", bytes)
        }),
        (
            "a long prefix used often",
            often(&format!("%TAG !h! {long}"), "- !h!a b\n"),
        ),
        (
            "a long prefix for the usual handle",
            often(&format!("%TAG ! {long}"), "- !a b\n"),
        ),
        (
            "a long prefix for the second handle",
            often(&format!("%TAG !! {long}"), "- !!a b\n"),
        ),
        ("a long prefix of escapes", {
            let prefix = "%41".repeat(bytes / 15);
            often(&format!("%TAG !h! {prefix}"), "- !h!a b\n")
        }),
        ("a prefix that is aliased", {
            let head = format!("%TAG !h! {long}\n---\nx: &a !h!a b\ny: [");
            fill(&head, "*a,", "]", bytes)
        }),
    ]
}
