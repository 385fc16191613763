//! What has to be said about a document: where a fault is, which field it is about,
//! what must not be shown.

use super::{FREE_END, Named, fill, free, numbered};

pub(super) fn documents(bytes: usize) -> Vec<Named> {
    let mut all = faults(bytes);
    all.extend(minified(bytes));
    all.extend(long_paths(bytes));
    all.extend(secrets(bytes));
    all
}

fn faults(bytes: usize) -> Vec<Named> {
    let many = |head: &str, unit: &str, tail: &str| fill(head, unit, tail, bytes);
    vec![
        (
            "wrong at the end",
            many("tools:\n", "- {name: a}\n", "- {nam: a}\n"),
        ),
        (
            "wrong in the last sign",
            many("tools:\n", "- {name: a}\n", "- {name: a"),
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
        (
            "one line of letters of four bytes, wrong at the end",
            many("tools: [\"", "\u{1f980}", "\", ]]"),
        ),
        ("a long word where a number is wanted", {
            let head = "agents:\n- name: a\n  llm_provider_name: b\n  max_iterations: ";
            many(head, "x", "\n")
        }),
        (
            "a long text where a list is wanted",
            many("tools: '", "x", "'\n"),
        ),
        (
            "a git conflict",
            many("<<<<<<< ours\n", "tools: []\n=======\n", ">>>>>>> theirs\n"),
        ),
        (
            "lines of an INI file",
            many("[section]\n", "name = a\n", ""),
        ),
    ]
}

/// All in one line.
fn minified(bytes: usize) -> Vec<Named> {
    let many = |tail: &str| fill("{\"tools\":[", "{\"name\":\"a\"},", tail, bytes);
    vec![
        ("minified JSON, wrong at the end", many("{\"nam\":\"a\"}]}")),
        ("minified JSON, cut", many("{\"name\":\"a")),
        ("minified JSON, a comma too many", many(",]}")),
        ("minified JSON, the wrong bracket", many("}}")),
    ]
}

/// What is said of a leaf repeats its whole path.
fn long_paths(bytes: usize) -> Vec<Named> {
    let key = "k".repeat((bytes / 300).min(1000));
    let levels = 100;
    let open = format!("{{{key}: ").repeat(levels);
    let close = "}".repeat(levels);
    let head = format!("{}{open}[", super::FREE);
    let tail = format!("1]{close}{FREE_END}");
    let each = |n| {
        let open = format!("{{{key}{n}: ").repeat(20);
        format!("{open}1{},", "}".repeat(20))
    };
    vec![
        ("long paths to many leaves", fill(&head, "1,", &tail, bytes)),
        (
            "long paths that end in a fault",
            fill(&head, "1,", "", bytes),
        ),
        ("long paths to empty maps", fill(&head, "{},", &tail, bytes)),
        (
            "long paths to keys given twice",
            fill(&head, "{a: 1},", "{a: 1, a: 2}", bytes),
        ),
        (
            "long paths of different keys",
            free(&numbered("[", each, "1]", bytes - 200)),
        ),
        (
            "keys that need quotes in a path",
            numbered("", |n| format!("\"a.b[{n}]\\\"\\t\": 1\n"), "", bytes),
        ),
    ]
}

/// What is equal to a secret must not be shown either.
fn secrets(bytes: usize) -> Vec<Named> {
    let provider = |n: usize, more: &str| {
        format!("- {{name: n{n}, provider: b, model_name: c, api_key: s{n}{more}}}\n")
    };
    let beside = |n: usize| {
        let next = n + 1;
        provider(n, &format!(", provider_specific: {{x: s{n}, y: s{next}}}"))
    };
    vec![
        (
            "many secrets",
            numbered("llm_providers:\n", |n| provider(n, ""), "", bytes),
        ),
        (
            "many secrets beside what is free",
            numbered("llm_providers:\n", beside, "", bytes),
        ),
        (
            "many passwords",
            numbered(
                "",
                |n| format!("password{n}: s{n}\nx{n}: s{n}\n"),
                "",
                bytes,
            ),
        ),
        ("one secret in many places", {
            let head = format!("api_key: &a {}\nx: [", "s".repeat(100));
            fill(&head, "*a,", "]", bytes)
        }),
        (
            "a secret of one letter",
            fill("password: s\nx: ", "s", "", bytes),
        ),
        ("short secrets and a long text", {
            let secrets = numbered("", |n| format!("token{n}: {n:x}\n"), "", bytes / 2);
            fill(
                &format!("{secrets}x: \""),
                "0123456789abcdef",
                "\"\n",
                bytes,
            )
        }),
        (
            "addresses with passwords",
            numbered(
                "x:\n",
                |n| format!("- postgres://u{n}:p{n}@h/d\n"),
                "",
                bytes,
            ),
        ),
    ]
}
