//! The same in the other languages.

use super::{Named, fill, numbered};

/// Hostile TOML of at most so many bytes.
pub fn toml(bytes: usize) -> Vec<Named> {
    let many = |head: &str, unit: &str, tail: &str| fill(head, unit, tail, bytes);
    let mut all = toml_keys(bytes);
    all.extend(vec![
        ("lines without a value", many("", "a = \n", "")),
        ("one line, wrong at the end", many("a = [", "1, ", "")),
        ("nested arrays", many("a = ", "[", "")),
        ("nested arrays, closed", {
            let half = bytes / 2 - 10;
            format!("a = {}{}", "[".repeat(half), "]".repeat(half))
        }),
        ("nested tables", many("a = ", "{a = ", "")),
        ("numbers in an array", many("a = [", "1,", "]")),
        ("empty arrays", many("a = [", "[],", "]")),
        ("empty tables", many("a = [", "{},", "]")),
        ("a long text", many("agents = \"", "x", "\"\n")),
        ("escapes", many("agents = \"", "\\u0041", "\"\n")),
        (
            "a long text that is never closed",
            many("agents = \"\"\"", "x\n", ""),
        ),
        ("comments", many("tools = []\n", "#\n", "")),
        ("a long number", many("a = ", "9", "\n")),
        ("a long number in hexadecimal", many("a = 0x", "0", "1\n")),
        ("a long fraction", many("a = 0.", "3", "\n")),
        ("dates", many("a = [", "1979-05-27T07:32:00Z,", "]")),
        ("tiny tools", many("", "[[tools]]\nname = \"a\"\n", "")),
        ("wrong all over", {
            let agent = "[[agents]]\nname = \"a\"\nllm_provider_name = \"b\"\nmax_iterations = 0\n";
            many("", agent, "")
        }),
        (
            "wrong at the end",
            many("", "[[tools]]\nname = \"a\"\n", "[[tools]]\nnam = 1\n"),
        ),
    ]);
    all
}

fn toml_keys(bytes: usize) -> Vec<Named> {
    let many = |head: &str, unit: &str, tail: &str| fill(head, unit, tail, bytes);
    let keys = |unit: &dyn Fn(usize) -> String| numbered("", unit, "", bytes);
    let path = "a.".repeat(60);
    vec![
        ("one deep dotted key", many("", "a.", "a = 1\n")),
        ("one deep table", many("[", "a.", "a]\n")),
        ("one deep table in a list", many("[[", "a.", "a]]\n")),
        ("many dotted keys", keys(&|n| format!("{path}k{n} = 1\n"))),
        ("many tables", keys(&|n| format!("[{path}k{n}]\n"))),
        ("many tables in lists", keys(&|_| "[[a.b]]\n".into())),
        (
            "lists of tables in lists",
            many("", "[[a]]\n[[a.b]]\n[[a.b.c]]\n", ""),
        ),
        (
            "dotted keys in tables",
            many("a = [", "{b.c.d.e.f = 1},", "]"),
        ),
        ("dotted keys of 100 levels in tables", {
            many("a = [", &format!("{{{}b = 1}},", "b.".repeat(99)), "]")
        }),
        ("keys given twice", many("", "a = 1\n", "")),
        ("unknown keys", keys(&|n| format!("k{n} = 1\n"))),
        (
            "unknown keys of a thousand letters",
            keys(&|n| format!("k{n:01000} = 1\n")),
        ),
        ("a long key", many("", "k", " = 1\n")),
        ("a long key in quotes", many("\"", "\\t", "\" = 1\n")),
        ("empty keys", many("", "\"\".", "\"\" = 1\n")),
    ]
}

/// Hostile JSON of at most so many bytes.
pub fn json(bytes: usize) -> Vec<Named> {
    let many = |head: &str, unit: &str, tail: &str| fill(head, unit, tail, bytes);
    let keys = |digits: usize| {
        let tail = "\"z\":1}";
        numbered("{", move |n| format!("\"k{n:0digits$}\":1,"), tail, bytes)
    };
    let free = |value: String| {
        format!(
            "{{\"llm_providers\":[{{\"name\":\"a\",\"provider\":\"b\",\"model_name\":\"c\",\
             \"provider_specific\":{{\"x\":{value}}}}}]}}"
        )
    };
    let inside = bytes - 200;
    let lists = format!("{}1{},", "[".repeat(100), "]".repeat(100));
    vec![
        ("nested lists", many("", "[", "")),
        ("nested maps", many("", "{\"a\":", "")),
        ("lists of 100 levels", free(fill("[", &lists, "1]", inside))),
        ("numbers in a list", free(fill("[", "1,", "1]", inside))),
        ("empty lists", free(fill("[", "[],", "1]", inside))),
        ("empty maps", free(fill("[", "{},", "1]", inside))),
        ("unknown keys", keys(6)),
        ("unknown keys of a thousand letters", keys(1000)),
        ("a long key", many("{\"", "k", "\":1}")),
        ("keys given twice", many("{", "\"a\":1,", "\"a\":1}")),
        ("a long number", free(fill("", "9", "", inside))),
        ("a long fraction", free(fill("0.", "3", "", inside))),
        ("a long exponent", free(fill("1e", "9", "", inside))),
        ("a long text", many("{\"agents\":\"", "x", "\"}")),
        ("escapes", many("{\"agents\":\"", "\\u0041", "\"}")),
        (
            "surrogate pairs",
            many("{\"agents\":\"", "\\ud83e\\udd80", "\"}"),
        ),
        (
            "a long text that is never closed",
            many("{\"agents\":\"", "x", ""),
        ),
        ("blanks", many("{", " ", "}")),
        (
            "tiny tools",
            many("{\"tools\":[", "{\"name\":\"a\"},", "{\"name\":\"a\"}]}"),
        ),
        (
            "wrong at the end",
            many("{\"tools\":[", "{\"name\":\"a\"},", "{\"nam\":\"a\"}]}"),
        ),
        (
            "a comma too many",
            many("{\"tools\":[", "{\"name\":\"a\"},", "]}"),
        ),
        ("text after the end", many("{\"tools\":[]}", " x", "")),
    ]
}
