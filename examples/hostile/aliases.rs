//! What stands for more than it is.

use super::{Named, fill, fill_free, free, numbered};

pub(super) fn documents(bytes: usize) -> Vec<Named> {
    let mut all = of_one(bytes);
    all.extend(of_spellings(bytes));
    all.extend(chains(bytes));
    all.extend(names(bytes));
    all
}

fn of_one(bytes: usize) -> Vec<Named> {
    let many = |head: &str, unit: &str, tail: &str| fill(head, unit, tail, bytes);
    let (half, tenth) = ("x".repeat(bytes / 2), "x".repeat(bytes / 10));
    let tool = format!(
        "tools:\n- &a {{name: x, description: {}}}\n",
        &tenth[..1000]
    );
    let list = format!("x: &a [{}1]\ny: [", "1,".repeat(1000));
    vec![
        (
            "aliases of a long text",
            many(&format!("x: &a {half}\ny: ["), "*a,", "]"),
        ),
        (
            "aliases of a text",
            many(&format!("x: &a {tenth}\ny: ["), "*a,", "]"),
        ),
        ("aliases of a word", many("x: &a b\ny: [", "*a,", "]")),
        ("aliases of nothing", many("x: &a\ny: [", "*a,", "]")),
        ("aliases of a list", many(&list, "*a,", "]")),
        ("aliases of tools", many(&tool, "- *a\n", "")),
        (
            "aliases of a text in a free place",
            fill_free(&format!("[&a {tenth},"), "*a,", "1]", bytes),
        ),
        (
            "aliases of a text in quotes",
            fill_free(&format!("[&a \"{tenth}\\t\","), "*a,", "1]", bytes),
        ),
        (
            "aliases as keys",
            fill_free(
                &format!("[&a {},", &tenth[..1000]),
                "{*a : 1},",
                "1]",
                bytes,
            ),
        ),
        (
            "aliases as keys of one map",
            fill_free("[&a b, {", "*a : 1,", "c: 1}]", bytes),
        ),
        ("aliases of a long key", {
            let key = &tenth[..1000];
            fill_free(&format!("[&a {{{key}: 1}},"), "*a,", "1]", bytes)
        }),
    ]
}

/// What is short in memory may be long as it is written.
fn of_spellings(bytes: usize) -> Vec<Named> {
    let zeros = "0".repeat(bytes / 10);
    let spelt = |spelling: &str| fill_free(&format!("[&a {spelling},"), "*a,", "1]", bytes);
    vec![
        (
            "aliases of a number with many zeros",
            spelt(&format!("0x{zeros}1")),
        ),
        (
            "aliases of a number with a long fraction",
            spelt(&format!("1.{zeros}")),
        ),
        (
            "aliases of a number under a tag",
            spelt(&format!("!!int 0x{zeros}1")),
        ),
        ("aliases of a long tag", spelt(&format!("!{zeros} 1"))),
        (
            "aliases of a long tag of a map",
            spelt(&format!("!{zeros} {{a: 1}}")),
        ),
        (
            "aliases of a long tag of nothing",
            spelt(&format!("!{zeros}")),
        ),
        (
            "aliases of a verbatim tag",
            spelt(&format!("!<tag:{zeros}> 1")),
        ),
        (
            "aliases of a list of long tags",
            spelt(&format!("[!{zeros} 1]")),
        ),
        (
            "aliases of a map with a number as key",
            spelt(&format!("{{0x{}1: 1}}", &zeros[..1000])),
        ),
        (
            "aliases of a text of blank lines",
            spelt(&format!("\"{}\"", "\n".repeat(zeros.len()))),
        ),
    ]
}

fn chains(bytes: usize) -> Vec<Named> {
    let chain = |first: &str, next: &dyn Fn(usize) -> String| {
        numbered(&format!("a0: &a0 {first}\n"), |n| next(n + 1), "", bytes)
    };
    let ten = |n: usize| vec![format!("*a{}", n - 1); 10].join(", ");
    let bomb = |first: &str| {
        let text = format!("a0: &a0 {first}\n");
        (1..26).fold(text, |text, n| {
            text + &format!("a{n}: &a{n} [{}]\n", ten(n))
        })
    };
    // As deep as may be, and an alias of it at the last level but one.
    let deep = |levels: usize, below: usize| {
        let list = |levels: usize, inside: &str| {
            format!("{}{inside}{}", "[".repeat(levels), "]".repeat(levels))
        };
        free(&format!(
            "[&a {}, {}]",
            list(levels, "1"),
            list(below, "*a")
        ))
    };
    vec![
        ("aliases of aliases", bomb("[x]")),
        ("aliases of aliases of a text", bomb(&"x".repeat(bytes / 2))),
        (
            "a chain of aliases, each a level deeper",
            chain("x", &|n| format!("a{n}: &a{n} [*a{}]\n", n - 1)),
        ),
        (
            "a chain of maps, each a level deeper",
            chain("x", &|n| format!("a{n}: &a{n} {{b: *a{}}}\n", n - 1)),
        ),
        (
            "a chain of names for one value",
            chain("x", &|n| format!("b{n}: *a0\na{n}: &a{n} y\n")),
        ),
        ("an alias that just fits in depth", deep(60, 55)),
        ("an alias that is too deep", deep(100, 100)),
        (
            "an alias of what it stands in",
            fill("a: &a [", "*a,", "]", bytes),
        ),
        (
            "an alias of a key",
            fill_free("[{&a b: 1},", "{*a : *a},", "1]", bytes),
        ),
    ]
}

fn names(bytes: usize) -> Vec<Named> {
    let long = "n".repeat(bytes / 10);
    vec![
        (
            "anchors",
            numbered("x:\n", |n| format!("- &a{n:06} x\n"), "", bytes),
        ),
        (
            "anchors and aliases",
            numbered("x:\n", |n| format!("- &a{n} x\n- *a{n}\n"), "", bytes),
        ),
        (
            "one anchor again and again",
            fill("x:\n", "- &a x\n", "", bytes),
        ),
        (
            "anchors in a free place",
            numbered(
                super::FREE,
                |n| {
                    let sign = if n == 0 { '[' } else { ',' };
                    format!("{sign}&a{n} 1")
                },
                "]}}]",
                bytes,
            ),
        ),
        ("anchors of nothing", fill_free("[", "&a ,", "1]", bytes)),
        ("a long name", fill_free("[&", "n", " x]", bytes)),
        (
            "a long name that is not there",
            fill_free("[*", "n", "]", bytes),
        ),
        ("a long name used often", {
            let unit = format!("*{long} ,");
            fill_free(&format!("[&{long} x,"), &unit, "1]", bytes)
        }),
        (
            "long names",
            numbered(
                "x:\n",
                |n| format!("- &{}{n} x\n", &long[..1000]),
                "",
                bytes,
            ),
        ),
    ]
}
