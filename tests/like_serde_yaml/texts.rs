//! Texts: every scalar in every style, under every tag and in every place, what
//! structures there are, and what becomes of all that by chance.

#![allow(unreachable_pub, reason = "it is a part of a test")]

use crate::common::Random;

/// What a reader may take for a number, a truth, nothing or a text.
const SCALARS: &[&str] = &[
    "",
    "null",
    "Null",
    "~",
    "true",
    "True",
    "FALSE",
    "yes",
    "off",
    "0",
    "1",
    "-1",
    "+1",
    "-0",
    "7",
    "007",
    "-07",
    "0x1F",
    "0X1f",
    "-0x1f",
    "0o17",
    "0b101",
    "0x",
    "+-1",
    "1_000",
    "127",
    "128",
    "255",
    "256",
    "-129",
    "65536",
    "4294967296",
    "18446744073709551615",
    "18446744073709551616",
    "-9223372036854775809",
    "340282366920938463463374607431768211455",
    "340282366920938463463374607431768211456",
    "99999999999999999999",
    "1.0",
    "1.",
    ".5",
    "-.5",
    "1e3",
    "1E3",
    "1e400",
    "1.5e-3",
    "-0.0",
    "0.1",
    "00.5",
    ".inf",
    "-.inf",
    "+.INF",
    ".nan",
    ".NaN",
    "nan",
    "inf",
    "-",
    "12:30",
    "2024-01-01",
    "a",
    "A",
    "b",
    "Unit",
    "Number",
    "Struct",
    "a b",
    "\u{e9}",
    "\u{1f980}",
    "0.0.0.0",
    "#a",
    "a#b",
    "?",
    "=",
    "<",
    "!",
    "@",
    "%",
];

const TAGS: &[&str] = &[
    "!!str",
    "!!int",
    "!!float",
    "!!bool",
    "!!null",
    "!!map",
    "!!seq",
    "!!binary",
    "!Unit",
    "!Newtype",
    "!Number",
    "!Text",
    "!Maybe",
    "!a",
    "!Unknown",
    "!",
    "!<tag:yaml.org,2002:str>",
    "!<x>",
];

/// Where `X` is the scalar. Lines that go on with a block are put further in.
const PLACES: &[&str] = &[
    "X",
    "a: X",
    "- X",
    "[X]",
    "{a: X}",
    "X: 1",
    "? X",
    "{X: 1}",
    "a: [X, X]",
    "a: {b: X}",
    "b: &x X\na: *x",
    "a:\n- X\n- b\n",
    "--- X",
    "a: X # c",
    "t: X\na: 1",
];

const FEW_PLACES: &[&str] = &["X", "a: X", "- X", "{a: X}", "X: 1"];

const FEW_SCALARS: &[&str] = &[
    "", "null", "~", "true", "1", "300", "007", "0x1F", "1.5", ".nan", "a", "'1'", "\"\"",
    "[1, 2]", "[]", "{a: 1}", "{}", "[3, x]",
];

/// Structures of all kinds.
const STRUCTURES: &str = include_str!("structures.txt");

/// Those that are better written in escapes.
const SPECIAL: &[&str] = &[
    "\u{feff}\u{feff}?",
    "a: x\u{85}b: 1",
    "a: x\u{2028}",
    "a: \"x\u{85}y\"",
    "\u{feff}a: 1",
    "a: x\u{feff}",
    "a: x\u{a0}y",
    "a: 1\r\nb: x\r\n",
    "a: 1\rb: x\r",
    "a: |\r\n  x\r\n  y\r\n",
    "a: \u{0}",
    "a: \"\u{7f}\"",
];

/// All texts that are not by chance.
pub fn systematic() -> Vec<String> {
    let mut all = Vec::new();
    for (n, scalar) in SCALARS.iter().enumerate() {
        // What is rare is tried with each third scalar.
        let places = if n % 3 == 0 { PLACES.len() } else { 8 };
        let put = |place: &str, text: &str| place.replace('X', text);
        all.extend(PLACES[..places].iter().map(|place| put(place, scalar)));
        let single = format!("'{scalar}'");
        all.extend(["a: X", "X: 1"].map(|place| put(place, &single)));
        all.push(format!("[\"{scalar}\"]"));
        all.extend([format!("a: |\n  {scalar}\n"), format!("- >-\n  {scalar}\n")]);
    }
    for (n, tag) in TAGS.iter().enumerate() {
        for (m, scalar) in FEW_SCALARS.iter().enumerate() {
            let place = FEW_PLACES[(n + m) % FEW_PLACES.len()];
            all.push(place.replace('X', &format!("{tag} {scalar}")));
        }
    }
    all.extend(structures());
    all
}

/// One after the other, with lines of `--` between them.
pub fn structures() -> Vec<String> {
    let all = STRUCTURES.split("\n--\n").chain(SPECIAL.iter().copied());
    all.map(String::from).collect()
}

/// What is cut into and put into a text.
const SIGNS: &[&str] = &[
    " ", "\n", ": ", ", ", "[", "]", "{", "}", "- ", "? ", "!", "!!str ", "&x ", "*x", "#", "'",
    "\"", "|", ">", "~", "null", "1", "a", "\n  ", "\t", "\\", "%", "---\n", "...\n", "\r\n", "<<",
    "\u{85}", "\u{2028}", "\u{feff}",
];

/// So many of these texts, each changed in one to three places.
pub fn mutated(rng: &mut Random, of: &[String], count: usize) -> Vec<String> {
    let one = |rng: &mut Random| {
        let mut text = rng.one_of(of).clone();
        for _ in 0..=rng.below(3) {
            text = changed(rng, &text, of);
        }
        text
    };
    (0..count).map(|_| one(rng)).collect()
}

fn changed(rng: &mut Random, text: &str, others: &[String]) -> String {
    let mut letters: Vec<char> = text.chars().collect();
    let at = rng.below(letters.len() as u64 + 1) as usize;
    let end = (at + 1 + rng.below(4) as usize).min(letters.len());
    match rng.below(5) {
        0 => drop(letters.drain(at..end)),
        1 => letters.truncate(at.max(1)),
        2 => {
            let other = rng.one_of(others).chars();
            letters.splice(at..at, other.take(12));
        }
        _ => {
            letters.splice(at..at, rng.one_of(SIGNS).chars());
        }
    }
    letters.into_iter().collect()
}
