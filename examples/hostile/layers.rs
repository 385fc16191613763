//! Several layers that are hostile together, or where a name is.

use super::{fill, numbered};

/// One layer: a document, or a field at this path.
#[derive(Clone, Debug)]
pub enum Piece {
    Document(String),
    /// As an environment variable has it.
    Text {
        path: String,
        text: String,
    },
    /// As a value set in code has it.
    Field {
        path: String,
        text: String,
    },
}

/// Hostile layers of at most so many bytes together, names included.
pub fn layers(bytes: usize) -> Vec<(&'static str, Vec<Piece>)> {
    let mut all = names(bytes);
    all.extend(documents(bytes));
    all
}

fn names(bytes: usize) -> Vec<(&'static str, Vec<Piece>)> {
    let segments = |count: usize| vec!["a"; count].join(".");
    let text = |path: String| Piece::Text {
        path,
        text: "x".into(),
    };
    let field = |path: String| Piece::Field {
        path,
        text: "1".into(),
    };
    let base = || Piece::Document("tools: []".into());
    let many = |count: usize, piece: &dyn Fn(usize) -> Piece| {
        let pieces = (0..count).map(piece);
        std::iter::once(base()).chain(pieces).collect::<Vec<_>>()
    };
    let each = bytes / 2000;
    vec![
        (
            "a name of 4,000 segments",
            vec![base(), text(segments(4000))],
        ),
        (
            "a name of all segments that fit",
            vec![base(), text(segments(bytes / 2))],
        ),
        (
            "a field of 4,000 segments",
            vec![base(), field(segments(4000))],
        ),
        ("a name of 127 segments", vec![base(), text(segments(127))]),
        (
            "names of 100 segments",
            many(1000, &|_| text(segments(100))),
        ),
        ("names of 100 segments that part late", {
            many(1000, &|n| text(format!("{}.b{n}", segments(100))))
        }),
        ("a long name", vec![base(), text("k".repeat(bytes / 2))]),
        (
            "long names",
            many(500, &|n| text(format!("{}{n}", "k".repeat(each)))),
        ),
        ("a name of dots", vec![base(), text(".".repeat(bytes / 2))]),
        (
            "a name of brackets",
            vec![base(), text("[0]".repeat(bytes / 4))],
        ),
        (
            "a name in quotes",
            vec![base(), text(format!("[\"{}\"]", "\\\"".repeat(bytes / 4)))],
        ),
        ("a deep value under a deep name", {
            let text = format!("{}1{}", "[".repeat(100), "]".repeat(100));
            let path = segments(100);
            vec![base(), Piece::Field { path, text }]
        }),
        ("a long text of a variable", {
            let text = "x".repeat(bytes / 2);
            vec![
                base(),
                Piece::Text {
                    path: "tools".into(),
                    text,
                },
            ]
        }),
    ]
}

fn documents(bytes: usize) -> Vec<(&'static str, Vec<Piece>)> {
    let document = |text: &str| Piece::Document(text.into());
    let half = bytes / 2;
    let (keys, other) = (
        numbered("", |n| format!("k{n:06}: 1\n"), "", half),
        numbered("", |n| format!("k{n:06}: {{a: 1}}\n"), "", half),
    );
    let nulls = numbered("", |n| format!("k{n:06}: ~\n"), "", half);
    let deep = |leaf: &str| {
        let map = format!("{}{leaf}{}", "{a: ".repeat(100), "}".repeat(100));
        numbered("", |n| format!("k{n}: {map}\n"), "", half)
    };
    let bomb = fill(
        &format!("x: &a {}\ny: [", "x".repeat(half / 4)),
        "*a,",
        "]",
        half,
    );
    let pair = |one: &str, two: &str| vec![document(one), document(two)];
    vec![
        ("many keys over the same", pair(&keys, &keys)),
        ("many maps over many numbers", pair(&keys, &other)),
        ("many nulls over many keys", pair(&keys, &nulls)),
        ("many keys over many nulls", pair(&nulls, &keys)),
        ("deep maps over deep maps", pair(&deep("1"), &deep("2"))),
        (
            "nulls deep inside over deep maps",
            pair(&deep("1"), &deep("~")),
        ),
        ("aliases of a text, twice", pair(&bomb, &bomb)),
        ("numbers as keys over texts as keys", {
            let plain = numbered("", |n| format!("{n}: 1\n"), "", half);
            pair(&plain, &numbered("", |n| format!("'{n}': 2\n"), "", half))
        }),
        ("a thousand layers of a few keys", {
            let unit = numbered("", |n| format!("k{n}: 1\n"), "", bytes / 1001);
            (0..1000).map(|_| document(&unit)).collect()
        }),
        ("a thousand layers over one of many keys", {
            let few = (0..1000).map(|n| document(&format!("l{n}: 1\n")));
            std::iter::once(document(&keys)).chain(few).collect()
        }),
        ("merge keys over merge keys", {
            let text = fill("a: &a {b: 1}\nc:\n", "- <<: *a\n", "", half);
            pair(&text, &text)
        }),
    ]
}
