//! Field paths such as `llm_providers[1].temperature`: how they are written and
//! read. One writing for all: parsers print paths, validators give them, and
//! a place is looked up by them.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write as _};

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Segment {
    Key(String),
    Index(usize),
}

/// Writes a path. A key with anything in it but letters, digits, `_` and `-`
/// is written `["like.this"]`, so that reading it back is exact.
pub(crate) struct PathDisplay<'a>(pub(crate) &'a [Segment]);

impl fmt::Display for PathDisplay<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Index(index) => write!(f, "[{index}]")?,
                Segment::Key(key) if !is_plain(key) => write!(f, "[{key:?}]")?,
                Segment::Key(key) => {
                    if position > 0 {
                        f.write_char('.')?;
                    }
                    f.write_str(key)?;
                }
            }
        }
        Ok(())
    }
}

fn is_plain(key: &str) -> bool {
    let plain = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    !key.is_empty() && key.chars().all(plain)
}

/// Reads a path; `None` where it is not one. Lenient: a validator may have
/// written a key as it is, so everything up to the next dot or bracket counts.
pub(crate) fn parse(path: &str) -> Option<Vec<Segment>> {
    let mut segments = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        let (segment, after) = first(rest)?;
        segments.push(segment);
        rest = after;
    }
    Some(segments)
}

/// Reads the first segment of a path; returns it and what follows.
pub(crate) fn first(path: &str) -> Option<(Segment, &str)> {
    if let Some(inside) = path.strip_prefix('[') {
        return bracket(inside);
    }
    let start = path.strip_prefix('.').unwrap_or(path);
    let end = start.find(['.', '[']).unwrap_or(start.len());
    (end > 0).then(|| (Segment::Key(String::from(&start[..end])), &start[end..]))
}

/// Reads `1]…` or `"like.this"]…`.
fn bracket(inside: &str) -> Option<(Segment, &str)> {
    if let Some(quoted) = inside.strip_prefix('"') {
        let (key, after) = unquote(quoted)?;
        return Some((Segment::Key(key), after.strip_prefix(']')?));
    }
    let (index, after) = inside.split_once(']')?;
    Some((Segment::Index(index.parse().ok()?), after))
}

/// Undoes what `{:?}` does to a string; begins after the first quote, and gives
/// what follows the last, too.
pub(crate) fn unquote(text: &str) -> Option<(String, &str)> {
    let mut key = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((key, &text[at + 1..])),
            '\\' => key.push(match chars.next()?.1 {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                '0' => '\0',
                'u' => hex_escape(&mut chars)?,
                other => other,
            }),
            other => key.push(other),
        }
    }
    None
}

/// Reads `{1b}` of `\u{1b}`.
fn hex_escape(chars: &mut core::str::CharIndices<'_>) -> Option<char> {
    let mut code: u32 = 0;
    if chars.next()?.1 != '{' {
        return None;
    }
    loop {
        match chars.next()?.1 {
            '}' => return char::from_u32(code),
            digit => code = code.checked_mul(16)?.checked_add(digit.to_digit(16)?)?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use alloc::vec;

    #[test]
    fn what_is_written_reads_back() {
        let key = |k: &str| Segment::Key(k.to_string());
        let paths = [
            (vec![], ""),
            (
                vec![key("llm_providers"), Segment::Index(1), key("name")],
                "llm_providers[1].name",
            ),
            (vec![key("a"), key("b.c"), key("d")], "a[\"b.c\"].d"),
            (vec![Segment::Index(0), key("")], "[0][\"\"]"),
            (vec![key("q\"\\\n\u{1b}")], "[\"q\\\"\\\\\\n\\u{1b}\"]"),
        ];
        for (segments, text) in paths {
            assert_eq!(PathDisplay(&segments).to_string(), text);
            assert_eq!(parse(text), Some(segments), "{text}");
        }
    }

    #[test]
    fn what_is_no_path_is_none() {
        for text in [".", "a..b", "a[", "a[x]", "a[\"b", "a[\"b\"x", "[\"\\u{}"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
