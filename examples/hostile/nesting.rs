//! One in the other.

use super::{FREE, Named, fill, fill_free, free, numbered};

pub(super) fn documents(bytes: usize) -> Vec<Named> {
    let many = |head: &str, unit: &str, tail: &str| fill(head, unit, tail, bytes);
    let lists = |depth: usize| {
        let unit = format!("{}{},", "[".repeat(depth), "]".repeat(depth));
        fill_free("[", &unit, "]", bytes)
    };
    let maps = |depth: usize| {
        let unit = format!("{}1{},", "{a: ".repeat(depth), "}".repeat(depth));
        fill_free("[", &unit, "]", bytes)
    };
    let closed = (bytes / 2).min(200_000);
    vec![
        ("nested maps", many("", "{a: ", "")),
        ("nested maps in JSON's way", many("", "{\"a\":", "")),
        ("nested lists", many("", "[", "")),
        ("nested lists, closed", many("", "[]", "")),
        (
            "nested lists, all closed",
            "[".repeat(closed) + &"]".repeat(closed),
        ),
        ("nested items", many("", "- ", "")),
        ("nested keys", many("", "? ", "")),
        ("nested keys in brackets", many("", "{? ", "")),
        ("nested maps as keys", many("", "{{", "")),
        ("nested lists as keys", many("", "[[a]: ", "")),
        ("nested items and keys", many("", "- ? ", "")),
        ("nested in a value", many(FREE, "{a: ", "")),
        ("lists of 100 levels", lists(100)),
        ("lists of 120 levels", lists(120)),
        ("maps of 100 levels", maps(100)),
        ("maps of 120 levels", maps(120)),
        ("deep by indentation", by_indentation("a:\n", bytes)),
        ("items by indentation", by_indentation("-\n", bytes)),
        ("questions by indentation", by_indentation("?\n", bytes)),
        ("up and down by indentation", up_and_down(bytes)),
        ("keys that are lists", keys("[a, b]", bytes)),
        ("keys that are maps", keys("{a: b}", bytes)),
        (
            "a key that holds everything",
            free(&format!("{{{}: 1}}", fill("[", "1,", "1]", bytes - 200))),
        ),
    ]
}

/// Each line a level further in.
fn by_indentation(unit: &str, bytes: usize) -> String {
    let levels = 0..1400;
    let text: String = levels.map(|n| " ".repeat(n) + unit).collect();
    text[..bytes.min(text.len())].to_string()
}

/// Down a hundred levels and back, again and again.
fn up_and_down(bytes: usize) -> String {
    let way: String = (0..100)
        .map(|n| format!("{}- a:\n", " ".repeat(2 * n)))
        .collect();
    fill("", &way, "", bytes)
}

/// Keys that no text can name.
fn keys(key: &str, bytes: usize) -> String {
    let head = "llm_providers:\n- provider_specific:\n";
    numbered(
        head,
        |n| format!("    ? {key}\n    : {n}\n"),
        "  name: a\n",
        bytes,
    )
}
