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
    all.extend(long_names(bytes));
    all.extend(documents(bytes));
    all
}

fn text(path: String) -> Piece {
    let text = "x".into();
    Piece::Text { path, text }
}

/// What the names are laid over.
fn base() -> Piece {
    Piece::Document("tools: []".into())
}

fn segments(count: usize) -> String {
    vec!["a"; count].join(".")
}

/// Names of many segments.
fn names(bytes: usize) -> Vec<(&'static str, Vec<Piece>)> {
    let field = |path: String, text: &str| {
        let text = text.into();
        Piece::Field { path, text }
    };
    let thousand = |path: &dyn Fn(usize) -> String| {
        let pieces = (0..1000).map(|n| text(path(n)));
        std::iter::once(base()).chain(pieces).collect::<Vec<_>>()
    };
    let deep = format!("{}1{}", "[".repeat(100), "]".repeat(100));
    let named = |what, piece| (what, vec![base(), piece]);
    vec![
        named("a name of 4,000 segments", text(segments(4000))),
        named("a name of all that fit", text(segments(bytes / 2))),
        named("a name of 127 segments", text(segments(127))),
        named("a field of 4,000 segments", field(segments(4000), "1")),
        named("a deep value, a deep name", field(segments(100), &deep)),
        ("names of 100 segments", thousand(&|_| segments(100))),
        (
            "names of 100 segments that part late",
            thousand(&|n| format!("{}.b{n}", segments(100))),
        ),
    ]
}

/// Names of many letters.
fn long_names(bytes: usize) -> Vec<(&'static str, Vec<Piece>)> {
    let each = "k".repeat(bytes / 2000);
    let many = (0..500).map(|n| text(format!("{each}{n}")));
    let quoted = format!("[\"{}\"]", "\\\"".repeat(bytes / 4));
    let named = |what, path| (what, vec![base(), text(path)]);
    let value = Piece::Text {
        path: "tools".into(),
        text: "x".repeat(bytes / 2),
    };
    vec![
        named("a long name", "k".repeat(bytes / 2)),
        named("a name of dots", ".".repeat(bytes / 2)),
        named("a name of brackets", "[0]".repeat(bytes / 4)),
        named("a name in quotes", quoted),
        ("long names", std::iter::once(base()).chain(many).collect()),
        ("a long text of a variable", vec![base(), value]),
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
