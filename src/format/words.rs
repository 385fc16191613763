//! What is said of a value that does not fit, in the words of whoever writes a
//! configuration.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use serde::de::Unexpected;

use crate::engine::Language;

pub(super) const OUT_OF_RANGE: &str = "a number out of range";

/// Prints as: one of `a`, `b`.
pub(super) struct OneOf(pub(super) &'static [&'static str]);

impl fmt::Display for OneOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.len() > 1 {
            f.write_str("one of ")?;
        }
        for (index, name) in self.0.iter().enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            write!(f, "{comma}`{name}`")?;
        }
        Ok(())
    }
}

pub(super) fn kind_of(unexpected: &Unexpected<'_>) -> &'static str {
    match unexpected {
        Unexpected::Bool(_) => "a boolean",
        Unexpected::Unsigned(_) | Unexpected::Signed(_) => "a whole number",
        Unexpected::Float(_) => "a number with a fraction",
        Unexpected::Char(_) | Unexpected::Str(_) => "a string",
        Unexpected::Bytes(_) => "bytes",
        Unexpected::Unit | Unexpected::Option => "nothing",
        Unexpected::Seq => "a list",
        Unexpected::Map => "a mapping",
        Unexpected::Other("integer") => "a whole number",
        Unexpected::Other(OUT_OF_RANGE) => OUT_OF_RANGE,
        // What `serde` says where a type takes no number of 128 bits.
        Unexpected::Other(text) if text.starts_with("integer `") => OUT_OF_RANGE,
        _ => "something else",
    }
}

/// Returns what a visitor of `serde` expects, in plain words. `None` if these are a
/// type's own words, which may be anything.
pub(super) fn in_words(expected: &str) -> Option<String> {
    let words = match expected {
        "a borrowed string" | "a string" => "a string",
        "a boolean" => "true or false",
        "f32" | "f64" => "a number",
        "i8" => "a whole number from -128 to 127",
        "i16" => "a whole number from -32768 to 32767",
        "i32" => "a whole number from -2147483648 to 2147483647",
        "i64" | "i128" | "isize" => "a whole number",
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" => "a whole number from 0 to 4294967295",
        "u64" | "u128" | "usize" => "a whole number, 0 or more",
        "a sequence" => "a list",
        "a map" => "a mapping",
        "unit" => "nothing",
        "a character" => "a character",
        "field identifier" => "a name",
        "socket address" => "a socket address",
        "IP address" => "an IP address",
        "IPv4 address" => "an IPv4 address",
        "IPv6 address" => "an IPv6 address",
        "IPv4 socket address" => "an IPv4 socket address",
        "IPv6 socket address" => "an IPv6 socket address",
        "path string" => "a path",
        "byte array" | "a byte array" => "bytes",
        _ => return in_more_words(expected),
    };
    Some(words.into())
}

/// `a tuple of size 2`, `an array of length 2`, `tuple struct P with 2 elements`,
/// `struct P`.
fn in_more_words(expected: &str) -> Option<String> {
    let counted = [
        "a tuple of size ",
        "an array of length ",
        "tuple struct ",
        "tuple variant ",
    ];
    if let Some(start) = counted.iter().find(|start| expected.starts_with(**start)) {
        let rest = &expected[start.len()..];
        let digits = rest.rsplit("with ").next().unwrap_or(rest);
        let count: usize = digits.split(' ').next()?.parse().ok()?;
        return Some(format!("a list of {}", items(count)));
    }
    if let Some(variant) = expected.strip_prefix("struct variant ") {
        let name = variant.rsplit("::").next().unwrap_or(variant);
        return Some(format!("the fields of `{name}`"));
    }
    let is_struct = expected.starts_with("struct ") && !expected[7..].contains(' ');
    is_struct.then(|| "a mapping".into())
}

pub(super) fn language(language: Language) -> &'static str {
    match language {
        Language::Yaml => "YAML",
        Language::Json => "JSON",
        Language::Toml => "TOML",
    }
}

pub(super) fn items(count: usize) -> String {
    match count {
        1 => "1 item".into(),
        count => format!("{count} items"),
    }
}

/// Returns the beginning of a key that nobody vouches for: what follows its first `:`,
/// `=` or `@` may be a secret, as in `{api_key:sk-123}`.
pub(super) fn cut_key(key: &str) -> String {
    match key.find([':', '=', '@']) {
        Some(end) => format!("{}…", &key[..end]),
        None => key.into(),
    }
}

/// Returns what is said of a key that no field takes, if there is more to say.
pub(super) fn unknown_key(key: &str, known: &[&'static str]) -> Option<String> {
    if let Some(space) = key.chars().find_map(invisible) {
        return Some(format!("unknown key; it holds {space}"));
    }
    let like = like_one_of(&cut_key(key), known)?;
    Some(format!("unknown key; did you mean `{like}`?"))
}

/// Returns the name of a space that looks like one and is none to YAML.
pub(super) fn invisible(c: char) -> Option<&'static str> {
    Some(match c {
        '\u{a0}' => "a no-break space (U+00A0)",
        '\u{2007}' => "a figure space (U+2007)",
        '\u{202f}' => "a narrow no-break space (U+202F)",
        '\u{200b}' => "a zero-width space (U+200B)",
        '\u{3000}' => "an ideographic space (U+3000)",
        '\u{feff}' => "a byte order mark (U+FEFF)",
        _ => return None,
    })
}

/// Returns whether a text repeats a value, or a word of it: what a type says of a
/// value may quote it.
pub(super) fn repeats(text: &str, value: &str) -> bool {
    let text = text.to_lowercase();
    let value = value.trim().to_lowercase();
    let words = value.split(|c: char| !c.is_alphanumeric());
    let long = words.filter(|word| word.chars().count() >= 3);
    (!value.is_empty() && text.contains(&value)) || long.into_iter().any(|word| text.contains(word))
}

/// Returns the name that a key was probably meant to be: spelt otherwise, or one or two
/// slips away.
pub(super) fn like_one_of(key: &str, names: &[&'static str]) -> Option<&'static str> {
    let near = |name: &&'static str| (slips(key, name), *name);
    let (slips, name) = names.iter().map(near).min_by_key(|(slips, _)| *slips)?;
    let allowed = match name.len() {
        0..=2 => 0,
        3..=5 => 1,
        _ => 2,
    };
    (slips <= allowed).then_some(name)
}

/// Counts the letters that were left out, added, changed or swapped with their
/// neighbour. Capitals, `-` and `_` do not count.
fn slips(a: &str, b: &str) -> usize {
    let letters = |text: &str| -> Vec<char> {
        let letters = text.chars().filter(|c| !matches!(c, '-' | '_'));
        letters.flat_map(char::to_lowercase).take(64).collect()
    };
    let (a, b) = (letters(a), letters(b));
    if a.len().abs_diff(b.len()) > 2 {
        return usize::MAX;
    }
    // Optimal string alignment, row by row.
    let mut two_before: Vec<usize> = vec![0; b.len() + 1];
    let mut before: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let same = usize::from(a[i - 1] != b[j - 1]);
            let mut least = (before[j] + 1)
                .min(row[j - 1] + 1)
                .min(before[j - 1] + same);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(two_before[j - 2] + 1);
            }
            row[j] = least;
        }
        two_before = core::mem::replace(&mut before, row);
    }
    before[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_close_are_offered_and_others_are_not() {
        let names = [
            "timeout_s",
            "temperature",
            "max_tokens",
            "name",
            "url",
            "id",
        ];
        for (key, expected) in [
            ("timeout", Some("timeout_s")),
            ("timeoutS", Some("timeout_s")),
            ("temprature", Some("temperature")),
            ("tempreature", Some("temperature")),
            ("MAX-TOKENS", Some("max_tokens")),
            ("nmae", Some("name")),
            ("uri", Some("url")),
            ("di", None),
            ("ids", None),
            ("game_over", None),
            ("", None),
        ] {
            assert_eq!(like_one_of(key, &names), expected, "{key}");
        }
        assert_eq!(like_one_of("anything", &[]), None);
    }

    #[test]
    fn g06_a_reason_that_repeats_a_word_of_the_value_is_noticed() {
        for (text, value) in [
            ("sk-1 is no number", "sk-1"),
            ("bad part `Canary`", "x:canary:y"),
            ("unknown unit parsecs", "10 parsecs"),
            ("at least 5", "5"),
        ] {
            assert!(repeats(text, value), "{text} {value}");
        }
        for (text, value) in [
            ("invalid socket address syntax", "nohost"),
            ("bad", ""),
            ("a b", "c d"),
        ] {
            assert!(!repeats(text, value), "{text} {value}");
        }
    }

    #[test]
    fn what_serde_expects_is_said_in_plain_words() {
        for (expected, words) in [
            ("a tuple of size 2", Some("a list of 2 items")),
            ("tuple struct Pair with 1 element", Some("a list of 1 item")),
            ("struct Config", Some("a mapping")),
            ("struct variant Mode::Slow", Some("the fields of `Slow`")),
            ("an even number", None),
            ("struct of my own", None),
        ] {
            assert_eq!(in_words(expected).as_deref(), words, "{expected}");
        }
        assert_eq!(cut_key("api_key:sk-123"), "api_key…");
    }
}
