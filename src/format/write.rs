//! Scalars and tags as YAML, so that they read back as what they are.

use alloc::format;
use alloc::string::String;

use super::scalar;
use super::tree::{Core, Id, Kind, Style, Tag, Tree};
use crate::engine::steers;

/// Returns a scalar so that it reads back as what it is.
pub(super) fn written(tree: &Tree, id: Id) -> String {
    let node = tree.node(id);
    let Kind::Scalar(text, style) = node.kind else {
        return String::new();
    };
    let text = tree.text(text);
    let as_it_was = match node.tag {
        Tag::None => matches!(style, Style::Plain | Style::Typed),
        Tag::Core(core) => matches!(core, Core::Bool | Core::Float | Core::Int | Core::Null),
        _ => false,
    };
    let is_float = node.tag == Tag::Core(Core::Float);
    let sign = if is_float { "!!float " } else { "" };
    match text {
        "" if tree.is_left_out(id) => String::new(),
        _ if as_it_was && is_plain(text) || is_name(text) => format!("{sign}{text}"),
        _ => format!("{sign}{}", quoted(text)),
    }
}

/// Returns whether a text without quotes is one line that every reader takes as it is.
fn is_plain(text: &str) -> bool {
    let mut chars = text.chars();
    let is_begun = match chars.next() {
        Some('-' | '.') => chars
            .next()
            .is_some_and(|c| c.is_alphanumeric() || c == '.'),
        Some(c) => c.is_alphanumeric() || matches!(c, '_' | '/' | '~' | '+'),
        None => false,
    };
    let ends = text.ends_with([' ', ':']) || text.starts_with("...");
    let breaks = text.contains(": ") || text.contains(" #");
    is_begun && !ends && !breaks && text.chars().all(is_raw)
}

/// Returns whether a text is a string also to readers of YAML 1.1, which take `on`,
/// `1_000`, `12:30` and `2024-01-01` for something else.
fn is_name(text: &str) -> bool {
    let begins = text.starts_with(|c: char| c.is_alphabetic() || matches!(c, '_' | '/'));
    let truths = ["yes", "no", "on", "off"];
    let is_truth = truths.iter().any(|word| text.eq_ignore_ascii_case(word));
    begins && !is_truth && is_plain(text) && scalar::is_string(text)
}

/// Returns whether a character means itself in quotes and comments.
pub(super) fn is_raw(c: char) -> bool {
    !steers(c) && !matches!(c, '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

pub(super) fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if is_raw(c) => out.push(c),
            c => out.push_str(&format!("\\u{:04X}", c as u32)),
        }
    }
    out.push('"');
    out
}

/// Returns a text of several lines as a block, if it reads back so: the sign of the
/// block, and the lines.
pub(super) fn block(text: &str, indent: usize) -> Option<(&'static str, String)> {
    let (sign, body) = match text.strip_suffix('\n') {
        Some(body) => ("|", body),
        None => ("|-", text),
    };
    let is_fit = body.contains('\n')
        && !body.starts_with([' ', '\n'])
        && !body.ends_with('\n')
        && body.chars().all(|c| c == '\n' || is_raw(c));
    is_fit.then(|| {
        // At the left edge, `---` would end the document.
        let spaces = " ".repeat(indent.max(2));
        let line = |line: &str| match line {
            "" => "\n".into(),
            line => format!("{spaces}{line}\n"),
        };
        (sign, body.split('\n').map(line).collect())
    })
}

/// Returns a tag of somebody's own. Signs that end a tag are written as their bytes.
pub(super) fn tag(name: &str) -> String {
    let mut out = String::from("!");
    // The tag that is nothing but this sign is called so.
    for byte in name.strip_prefix('!').unwrap_or(name).bytes() {
        match byte {
            b'-' | b'_' | b'.' | b':' | b'/' => out.push(byte as char),
            byte if byte.is_ascii_alphanumeric() => out.push(byte as char),
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
