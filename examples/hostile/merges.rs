//! Merge keys: what is written once and stands in many maps.

use super::{Named, fill, fill_free, free, numbered};

pub(super) fn documents(bytes: usize) -> Vec<Named> {
    let mut all = few_maps(bytes);
    all.extend(chains(bytes));
    all.extend(lists(bytes));
    all
}

/// A map of this many bytes, in one line.
fn large(bytes: usize) -> String {
    numbered("{", |n| format!("k{n:06}: 1, "), "z: 1}", bytes)
}

fn few_maps(bytes: usize) -> Vec<Named> {
    let levels = |levels: usize, inside: &str| {
        format!("{}{inside}{}", "{<<: ".repeat(levels), "}".repeat(levels))
    };
    let between = |levels: usize| {
        let open: String = (0..levels).map(|n| format!("{{l{n}: 1, <<: ")).collect();
        format!("{open}{}{}", large(bytes / 2), "}".repeat(levels))
    };
    vec![
        (
            "merge keys",
            fill("a: &a {b: 1}\nc:\n", "- <<: *a\n", "", bytes),
        ),
        (
            "merge keys in a free place",
            fill_free("[&a {b: 1},", "{<<: *a},", "1]", bytes),
        ),
        (
            "nested merge keys",
            free(&levels(110, &large(bytes - 2000))),
        ),
        (
            "nested merge keys at the limit",
            free(&levels(120, &large(bytes / 2))),
        ),
        (
            "nested merge keys without end",
            fill("", "{<<: ", "", bytes),
        ),
        ("nested merge keys, each with a key", free(&between(100))),
        ("nested lists of merge keys", {
            let inside = levels(1, &large(bytes / 2));
            free(&format!(
                "{}{inside}{}",
                "{<<: [".repeat(55),
                "]}".repeat(55)
            ))
        }),
        ("merge keys by indentation", {
            let head: String = (0..100)
                .map(|n| format!("{}<<:\n", " ".repeat(n)))
                .collect();
            let indent = " ".repeat(101);
            numbered(&head, |n| format!("{indent}k{n}: 1\n"), "", bytes)
        }),
    ]
}

fn chains(bytes: usize) -> Vec<Named> {
    let chain =
        |unit: &dyn Fn(usize) -> String| numbered("a0: &a0 {x: 1}\n", |n| unit(n + 1), "", bytes);
    let of_large = |unit: &str| {
        let head = format!("a: &a {}\nb:\n", large(bytes / 2));
        fill(&head, unit, "", bytes)
    };
    let doubled: String = (1..200)
        .map(|n| format!("a{n}: &a{n} {{<<: [*a{}, *a{}]}}\n", n - 1, n - 1))
        .collect();
    let empty = numbered(
        "a0: &a0 {}\n",
        |n| format!("a{}: &a{} {{<<: *a{n}}}\n", n + 1, n + 1),
        "",
        bytes,
    );
    vec![
        (
            "merge keys of merge keys",
            format!("a0: &a0 {{x: 1}}\n{doubled}"),
        ),
        (
            "a chain of merge keys",
            chain(&|n| format!("a{n}: &a{n} {{<<: *a{}}}\n", n - 1)),
        ),
        ("a chain of empty merge keys", empty),
        (
            "a chain of merge keys, each with a key",
            chain(&|n| format!("a{n}: &a{n} {{<<: *a{}, k{n}: 1}}\n", n - 1)),
        ),
        (
            "a chain of merge keys, each in a value",
            chain(&|n| format!("a{n}: &a{n} {{<<: {{<<: *a{}}}}}\n", n - 1)),
        ),
        ("merge keys of a large map", of_large("- <<: *a\n")),
        ("merge keys of a large map that hide all", {
            let map = large(bytes / 4);
            let inside = &map[1..map.len() - 1];
            free(&format!("[&a {map}, {{<<: *a, {inside}}}]"))
        }),
        (
            "merge keys that take each other's place",
            of_large("- {<<: *a, k000000: 2, k000001: 2}\n"),
        ),
    ]
}

fn lists(bytes: usize) -> Vec<Named> {
    vec![
        (
            "a merge key of many maps",
            fill_free("[&a {b: 1}, {<<: [", "*a,", "*a]}]", bytes),
        ),
        (
            "a merge key of many empty maps",
            fill_free("{<<: [", "{},", "{}]}", bytes),
        ),
        (
            "a merge key of many different maps",
            free(&numbered(
                "{<<: [",
                |n| format!("{{k{n}: 1}},"),
                "{}]}",
                bytes - 200,
            )),
        ),
        ("a merge key of one large map, often", {
            let head = format!("[&a {}, {{<<: [", large(bytes / 2));
            fill_free(&head, "*a,", "*a]}]", bytes)
        }),
        (
            "merge keys given twice",
            fill_free("{", "<<: {a: 1},", "b: 1}", bytes),
        ),
        (
            "merge keys in quotes",
            fill_free("[", "{'<<': 1},", "1]", bytes),
        ),
        (
            "merge keys of what is no map",
            fill_free("[", "{<<: 1},", "1]", bytes),
        ),
        (
            "merge keys of nothing",
            fill_free("[", "{<<: },", "1]", bytes),
        ),
    ]
}
