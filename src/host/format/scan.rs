//! How much a YAML text asks of its parser: how deeply its collections are nested
//! and how many values it has at most, in one pass and without memory.
//!
//! libyaml looks at every open flow collection for every token, so that 100 KB of
//! `{a: ` take it two seconds; and what `serde_yaml` keeps of each value is a hundred
//! times the byte or two that make one. Both are bounded here, before it begins. A
//! mere count of brackets would refuse prompts that hold them in quotes or block
//! scalars, so this goes from token to token by libyaml's own rules (`scanner.c`). It
//! stops where libyaml would refuse, for then that is the end of it.

use super::super::std::borrow::Cow;
use super::super::std::prelude::rust_2024::*;

/// No more than this is looked at by a parser that takes each nested one again for
/// each token. What it refuses by itself begins at 128.
const MAX_DEPTH: usize = 200;

/// What a text asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Asks {
    pub(super) depth: usize,
    pub(super) values: usize,
    pub(super) aliases: bool,
    /// Where it went too far, as line and column.
    pub(super) at: (usize, usize),
}

/// What is too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TooMuch {
    Depth { at: (usize, usize) },
    Values { at: (usize, usize) },
}

/// What a text asks for, if a parser may be given that. `max_values` counts keys, too.
pub(super) fn count(bytes: &[u8], max_values: usize) -> Result<Asks, TooMuch> {
    let text = as_utf8(bytes);
    let asks = Scanner::new(text.as_bytes(), max_values).run();
    if asks.depth > MAX_DEPTH {
        return Err(TooMuch::Depth { at: asks.at });
    }
    if asks.values > max_values {
        return Err(TooMuch::Values { at: asks.at });
    }
    Ok(asks)
}

/// Whether a glance shows that it cannot be too much. Each flow level takes a bracket.
/// Each block level takes a column of its own, so that on any line there are no more
/// than it has spaces before it and signs in it. And there is a sign, or the end of a
/// line, before every value but the first, and two values have at most two of them.
pub(super) fn is_small(bytes: &[u8], max_values: usize) -> bool {
    let mut signs = 0;
    let mut brackets = 0;
    let mut level = 0;
    let mut deepest = 0;
    let mut at_start = true;
    for byte in bytes {
        match byte {
            b' ' if at_start => level += 1,
            b'\n' | b'\r' => {
                signs += 1;
                deepest = deepest.max(level);
                level = 0;
                at_start = true;
            }
            b'-' | b'?' | b':' => {
                signs += 1;
                level += 1;
                at_start = false;
            }
            b'[' | b'{' => {
                signs += 1;
                brackets += 1;
                at_start = false;
            }
            b',' => signs += 1,
            // Other line ends, and UTF-16: no glance is enough.
            0x00 | 0x85 | 0xa8 | 0xa9 | 0xfe | 0xff => return false,
            _ => at_start = false,
        }
    }
    brackets + deepest.max(level) < MAX_DEPTH && signs * 2 + 1 < max_values
}

/// The text as libyaml takes it: UTF-8, or UTF-16 with its mark; and of what is
/// neither, the part before the fault.
fn as_utf8(bytes: &[u8]) -> Cow<'_, str> {
    let units: fn([u8; 2]) -> u16 = match bytes {
        [0xff, 0xfe, ..] => u16::from_le_bytes,
        [0xfe, 0xff, ..] => u16::from_be_bytes,
        _ => {
            let valid = match core::str::from_utf8(bytes) {
                Ok(text) => return Cow::Borrowed(text),
                Err(error) => error.valid_up_to(),
            };
            return String::from_utf8_lossy(&bytes[..valid]);
        }
    };
    let units = bytes.chunks_exact(2).map(|pair| units([pair[0], pair[1]]));
    let text = char::decode_utf16(units).map_while(Result::ok);
    Cow::Owned(text.collect())
}

/// The line of a second document, for a text that holds more than one.
pub(super) fn second_document(bytes: &[u8]) -> Option<usize> {
    let text = as_utf8(bytes);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let mut begun = false;
    let mut ended = false;
    for (index, line) in text.lines().enumerate() {
        let is = |mark: &str| {
            let rest = line.strip_prefix(mark);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t']))
        };
        let says_nothing = line.trim().is_empty() || line.trim_start().starts_with('#');
        if is("---") && begun || ended && !says_nothing && !is("...") {
            return Some(index + 1);
        }
        ended |= is("...") && begun;
        begun |= !says_nothing && !line.starts_with('%');
    }
    None
}

struct Scanner<'t> {
    text: &'t [u8],
    max_values: usize,
    at: usize,
    line: usize,
    column: usize,
    flow: usize,
    /// Of the open flow collections, as deep as is looked: whether it is a list.
    lists: Vec<bool>,
    /// The columns of the block collections that are open, from the outermost.
    indents: Vec<usize>,
    key_allowed: bool,
    /// Outside of flow collections: where a key may have begun, and on which line.
    key: Option<(usize, usize)>,
    /// The last token asks for a value, or for none.
    wants_value: bool,
    asks: Asks,
}

/// The text ends, or libyaml refuses it here.
struct End;

impl<'t> Scanner<'t> {
    fn new(text: &'t [u8], max_values: usize) -> Self {
        Scanner {
            text,
            max_values,
            at: 0,
            line: 0,
            column: 0,
            flow: 0,
            lists: Vec::new(),
            indents: Vec::new(),
            key_allowed: true,
            key: None,
            wants_value: false,
            asks: Asks::default(),
        }
    }

    fn run(mut self) -> Asks {
        while self.token().is_ok() {
            self.asks.at = (self.line + 1, self.column + 1);
            if self.asks.depth > MAX_DEPTH || self.asks.values > self.max_values {
                break;
            }
        }
        self.asks
    }

    fn byte(&self, ahead: usize) -> u8 {
        self.text.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn is_end(&self) -> bool {
        // libyaml takes a NUL for the end, too.
        self.byte(0) == 0
    }

    /// How many bytes the line break here has; none if there is none.
    fn line_break(&self, ahead: usize) -> usize {
        match (self.byte(ahead), self.byte(ahead + 1), self.byte(ahead + 2)) {
            (b'\r', b'\n', _) | (0xc2, 0x85, _) => 2,
            (b'\r' | b'\n', _, _) => 1,
            (0xe2, 0x80, 0xa8 | 0xa9) => 3,
            _ => 0,
        }
    }

    fn is_blank(&self, ahead: usize) -> bool {
        matches!(self.byte(ahead), b' ' | b'\t')
    }

    /// White space, a line break, or the end.
    fn is_gap(&self, ahead: usize) -> bool {
        self.is_blank(ahead) || self.byte(ahead) == 0 || self.line_break(ahead) > 0
    }

    /// One character that is no line break.
    fn skip(&mut self) {
        self.at += 1;
        while self.byte(0) & 0xc0 == 0x80 {
            self.at += 1;
        }
        self.column += 1;
    }

    fn skip_line_break(&mut self) {
        self.at += self.line_break(0);
        self.line += 1;
        self.column = 0;
    }

    fn skip_rest_of_line(&mut self) {
        while !self.is_end() && self.line_break(0) == 0 {
            self.skip();
        }
    }

    /// The next token.
    fn token(&mut self) -> Result<(), End> {
        self.skip_to_next_token();
        if self.key.is_some_and(|(line, _)| line < self.line) {
            self.key = None;
        }
        self.unroll(self.column);
        if self.is_end() {
            return Err(End);
        }
        if self.column == 0 && self.byte(0) == b'%' {
            self.skip_rest_of_line();
            return Ok(());
        }
        if self.is_document_mark() {
            (0..3).for_each(|_| self.skip());
            self.indents.clear();
            self.key_allowed = false;
            return Ok(());
        }
        let in_flow = self.flow > 0;
        match self.byte(0) {
            b'[' | b'{' => self.flow_start(),
            b']' | b'}' => self.flow_end(),
            b',' => self.mark(true),
            b'-' if self.is_gap(1) => self.block_entry()?,
            b'?' if in_flow || self.is_gap(1) => self.explicit_key()?,
            b':' if in_flow || self.is_gap(1) => self.value()?,
            b'*' => self.alias(),
            b'&' | b'!' => self.property(),
            b'|' | b'>' if !in_flow => self.block_scalar(),
            quote @ (b'\'' | b'"') => self.quoted(quote)?,
            b'#' | b'%' | b'@' | b'`' | b'|' | b'>' => return Err(End),
            _ => self.plain()?,
        }
        Ok(())
    }

    fn skip_to_next_token(&mut self) {
        loop {
            if self.column == 0
                && self.text[self.at.min(self.text.len())..].starts_with(b"\xef\xbb\xbf")
            {
                // It counts as a column, as it does for libyaml.
                self.skip();
            }
            let tabs = self.flow > 0 || !self.key_allowed;
            while self.byte(0) == b' ' || tabs && self.byte(0) == b'\t' {
                self.skip();
            }
            if self.byte(0) == b'#' {
                self.skip_rest_of_line();
            }
            if self.line_break(0) == 0 {
                return;
            }
            self.skip_line_break();
            if self.flow == 0 {
                self.key_allowed = true;
            }
        }
    }

    fn is_document_mark(&self) -> bool {
        let mark = [self.byte(0), self.byte(1), self.byte(2)];
        self.column == 0 && (mark == *b"---" || mark == *b"...") && self.is_gap(3)
    }

    fn indent(&self) -> Option<usize> {
        self.indents.last().copied()
    }

    /// Block collections that are further in than this column are over.
    fn unroll(&mut self, column: usize) {
        if self.flow > 0 {
            return;
        }
        while self.indent().is_some_and(|indent| indent > column) {
            self.indents.pop();
        }
    }

    /// A block collection begins at this column, unless one is open there.
    fn roll(&mut self, column: usize) {
        if self.flow > 0 || self.indent().is_some_and(|indent| indent >= column) {
            return;
        }
        self.indents.push(column);
        self.asks.values += 1;
        // It is the value that the sign before it asked for.
        self.wants_value = false;
        self.go_deep();
    }

    fn go_deep(&mut self) {
        self.asks.depth = self.asks.depth.max(self.flow + self.indents.len());
    }

    /// A node begins: it may turn out to be a key.
    fn node(&mut self) {
        self.asks.values += 1;
        self.wants_value = false;
        self.may_be_key();
        self.key_allowed = false;
    }

    fn may_be_key(&mut self) {
        if self.key_allowed && self.flow == 0 {
            self.key = Some((self.line, self.column));
        }
    }

    /// A sign that asks for a value; where the one before did, that one has none.
    fn mark(&mut self, key_allowed: bool) {
        self.asks.values += usize::from(self.wants_value);
        self.wants_value = true;
        self.key_allowed = key_allowed;
        self.skip();
    }

    fn flow_start(&mut self) {
        self.node();
        self.flow += 1;
        self.lists.push(self.byte(0) == b'[');
        self.go_deep();
        self.key_allowed = true;
        self.skip();
    }

    fn flow_end(&mut self) {
        self.asks.values += usize::from(self.wants_value);
        self.wants_value = false;
        self.flow = self.flow.saturating_sub(1);
        self.lists.pop();
        self.key_allowed = false;
        self.skip();
    }

    fn block_entry(&mut self) -> Result<(), End> {
        if self.flow == 0 {
            if !self.key_allowed {
                return Err(End);
            }
            self.roll(self.column);
            self.key = None;
        }
        self.mark(true);
        Ok(())
    }

    /// In a flow list, a key makes a mapping of its own.
    fn pair(&mut self) {
        self.asks.values += usize::from(self.lists.last() == Some(&true));
    }

    fn explicit_key(&mut self) -> Result<(), End> {
        if self.flow == 0 {
            if !self.key_allowed {
                return Err(End);
            }
            self.roll(self.column);
            self.key = None;
        } else {
            self.pair();
        }
        self.mark(self.flow == 0);
        Ok(())
    }

    fn value(&mut self) -> Result<(), End> {
        if self.flow > 0 {
            self.pair();
            self.mark(false);
            return Ok(());
        }
        match self.key.take() {
            Some((_, column)) => {
                self.roll(column);
                self.mark(false);
            }
            None if self.key_allowed => {
                self.roll(self.column);
                self.mark(true);
            }
            None => return Err(End),
        }
        Ok(())
    }

    fn name(&mut self) {
        self.skip();
        while matches!(self.byte(0), b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'-') {
            self.skip();
        }
    }

    fn alias(&mut self) {
        self.asks.aliases = true;
        self.node();
        self.name();
    }

    /// An anchor or a tag: the node comes after it, and may be a key from here on.
    fn property(&mut self) {
        self.may_be_key();
        self.key_allowed = false;
        if self.byte(0) == b'&' {
            return self.name();
        }
        if self.byte(1) == b'<' {
            while !self.is_gap(0) && self.byte(0) != b'>' {
                self.skip();
            }
        }
        while !(self.is_gap(0) || self.flow > 0 && self.byte(0) == b',') {
            self.skip();
        }
    }

    fn quoted(&mut self, quote: u8) -> Result<(), End> {
        self.node();
        self.skip();
        loop {
            if self.is_end() || self.is_document_mark() {
                return Err(End);
            }
            match self.byte(0) {
                b'\\' if quote == b'"' => {
                    self.skip();
                    if self.line_break(0) > 0 {
                        self.skip_line_break();
                    } else if !self.is_end() {
                        self.skip();
                    }
                }
                b'\'' if quote == b'\'' && self.byte(1) == b'\'' => {
                    self.skip();
                    self.skip();
                }
                byte if byte == quote => {
                    self.skip();
                    return Ok(());
                }
                _ if self.line_break(0) > 0 => self.skip_line_break(),
                _ => self.skip(),
            }
        }
    }

    fn plain(&mut self) -> Result<(), End> {
        self.node();
        let indent = self.indent().map_or(0, |indent| indent + 1);
        let mut new_line = false;
        loop {
            if self.is_document_mark() || self.byte(0) == b'#' {
                break;
            }
            while !self.is_gap(0) {
                let next = self.byte(1);
                let flow_sign = |byte| matches!(byte, b',' | b'[' | b']' | b'{' | b'}');
                if self.flow > 0 && self.byte(0) == b':' && (next == b'?' || flow_sign(next)) {
                    return Err(End);
                }
                let ends = self.byte(0) == b':' && self.is_gap(1);
                if ends || self.flow > 0 && flow_sign(self.byte(0)) {
                    break;
                }
                self.skip();
                new_line = false;
            }
            if !self.is_blank(0) && self.line_break(0) == 0 {
                break;
            }
            while self.is_blank(0) || self.line_break(0) > 0 {
                if self.line_break(0) > 0 {
                    self.skip_line_break();
                    new_line = true;
                } else if new_line && self.column < indent && self.byte(0) == b'\t' {
                    return Err(End);
                } else {
                    self.skip();
                }
            }
            if self.flow == 0 && self.column < indent {
                break;
            }
        }
        if new_line {
            self.key_allowed = true;
        }
        Ok(())
    }

    fn block_scalar(&mut self) {
        self.asks.values += 1;
        self.wants_value = false;
        self.key = None;
        self.key_allowed = true;
        self.skip();
        let mut indent = None;
        while matches!(self.byte(0), b'+' | b'-' | b'1'..=b'9') {
            if let digit @ b'1'..=b'9' = self.byte(0) {
                let parent = self.indent().unwrap_or(0);
                indent = Some(parent + usize::from(digit - b'0'));
            }
            self.skip();
        }
        self.skip_rest_of_line();
        self.skip_line_break();
        let indent = indent.unwrap_or_else(|| self.first_indent());
        while !self.is_end() {
            while self.column < indent && self.byte(0) == b' ' {
                self.skip();
            }
            if self.line_break(0) > 0 {
                self.skip_line_break();
                continue;
            }
            if self.column < indent {
                return;
            }
            self.skip_rest_of_line();
            if !self.is_end() {
                self.skip_line_break();
            }
        }
    }

    /// The indentation of a block scalar that does not say it: that of its first line
    /// with text, or of a longer empty one before it.
    fn first_indent(&self) -> usize {
        let least = self.indent().map_or(0, |indent| indent + 1).max(1);
        let mut longest = least;
        let mut ahead = 0;
        loop {
            let mut spaces = 0;
            while self.byte(ahead) == b' ' {
                spaces += 1;
                ahead += 1;
            }
            longest = longest.max(spaces);
            match self.line_break(ahead) {
                0 => return longest,
                length => ahead += length,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::std::format;
    use super::*;

    /// A glance first, where that is enough.
    fn check(bytes: &[u8], max_values: usize) -> Result<(), TooMuch> {
        match is_small(bytes, max_values) {
            true => Ok(()),
            false => count(bytes, max_values).map(drop),
        }
    }

    fn asks(text: &str) -> (usize, usize) {
        let asks = Scanner::new(text.as_bytes(), usize::MAX).run();
        (asks.depth, asks.values)
    }

    #[test]
    fn depth_and_values_are_counted() {
        for (text, depth, values) in [
            ("", 0, 0),
            ("a", 0, 1),
            ("a: b", 1, 3),
            ("a:", 1, 2),
            ("a:\n", 1, 2),
            ("[]", 1, 1),
            ("{a: 1, b: [2, 3]}", 2, 7),
            ("- - - x", 3, 4),
            ("a:\n  b:\n    c: d\n  e: f\n", 3, 9),
            // A list at the column of its key is no level of its own for libyaml.
            ("a:\n- b\n- c\n", 1, 4),
            ("? a\n: b\n", 1, 3),
            ("- a: 1\n  b: 2\n- c: 3\n", 2, 9),
            ("a: &x [1]\nb: *x\n", 2, 6),
            ("a: \"]}[{\"\nb: '[[''[['\nc: x[y{z\n", 1, 7),
            ("a: b # [[[[\n# {{{{\nc: d\n", 1, 5),
            ("a: |\n  [[[\n  {{{\nb: 1\n", 1, 5),
            ("- a: |\n   [[\n  b: {x: 1}\n", 3, 8),
            ("- |\n [[[\n- >-\n  {{{\n", 1, 3),
            ("a: |2\n    [[[\n  [[\nb: [c]\n", 2, 6),
            ("a:\n    |\n  [[\nb: 1\n", 1, 5),
            ("a: multi\n  line [ here\n  and { here\nb: 1\n", 1, 5),
            ("%YAML 1.1\n---\na: [b]\n...\n", 2, 4),
            ("a: {\n# ]]]\nb: 1}\n", 2, 5),
            ("[a, [b, {c: d}]]", 3, 7),
            ("[a: b, c]", 1, 5),
            ("[\"a\\\"[\", b]", 1, 3),
            ("a: !t {b: 1}\n", 2, 5),
            ("prompt: |\n\n  \n   [\n     {\nx: [1]", 2, 6),
        ] {
            let (found_depth, found_values) = asks(text);
            assert_eq!(found_depth, depth, "{text:?}");
            assert!(
                (values..=values + 1).contains(&found_values),
                "{text:?}: {found_values}, not {values}"
            );
        }
    }

    #[test]
    fn brackets_in_text_are_text_however_many() {
        let brackets = "[{".repeat(5000);
        for text in [
            format!("a: |\n  {brackets}\n"),
            format!("a: >\n  {brackets}\n  more\nb: 1\n"),
            format!("a: \"{brackets}\"\n"),
            format!("a: '{brackets}'\n"),
            format!("a: text {brackets}\n"),
            format!("# {brackets}\na: 1 # {brackets}\n"),
            format!("{{a: '{brackets}'}}"),
            format!("- k:\n  - p: |\n      {brackets}\n"),
        ] {
            assert_eq!(check(text.as_bytes(), 1000), Ok(()), "{}", &text[..20]);
            let parsed: Result<serde_yaml::Value, _> = serde_yaml::from_str(&text);
            assert!(parsed.is_ok(), "{}", &text[..20]);
        }
    }

    #[test]
    fn nesting_to_128_is_fine_and_far_more_is_not() {
        for unit in ["[", "{a: ", "- ", "? "] {
            let fine = check(unit.repeat(128).as_bytes(), 1000);
            assert_eq!(fine, Ok(()), "{unit}");
            let deep = check(unit.repeat(30_000).as_bytes(), usize::MAX);
            assert!(matches!(deep, Err(TooMuch::Depth { .. })), "{unit}");
        }
        // What a scanner may lose its way in.
        for head in [
            "[!<,@> x, ",
            "{? a : b}: 1\nb: ",
            "[- a]: 1\nb: ",
            "\u{feff}--- : 1\n b: ",
            "{a: b}: 1\nb: ",
            "? |\n  x\n: ",
            "&a [b]: ",
            "--- !t\n",
        ] {
            let text = format!("{head}{}", "{a: ".repeat(30_000));
            let deep = check(text.as_bytes(), usize::MAX);
            assert!(
                matches!(deep, Err(TooMuch::Depth { .. })),
                "{head:?}: {deep:?}"
            );
        }
        let hidden = format!("- a: |\n    x\n  b: {}", "{a: ".repeat(30_000));
        let deep = check(hidden.as_bytes(), usize::MAX);
        assert!(
            matches!(deep, Err(TooMuch::Depth { at: (3, _) })),
            "{deep:?}"
        );
        let wide: Vec<u8> = (hidden.encode_utf16().flat_map(u16::to_le_bytes)).collect();
        let wide = [&[0xff, 0xfe], &wide[..]].concat();
        assert!(check(&wide, usize::MAX).is_err(), "UTF-16");
    }

    #[test]
    fn values_are_bounded_where_they_are_too_many() {
        for unit in ["- 1\n", "-\n", "[],", "a: 1\n", ",", "? \n"] {
            let text = if unit == "," {
                "[".into()
            } else {
                String::new()
            };
            let many = text + &unit.repeat(5000);
            let found = check(many.as_bytes(), 4000);
            let refused = serde_yaml::from_str::<serde_yaml::Value>(&many).is_err();
            assert!(found.is_err() || refused, "{unit:?}");
            assert_eq!(check(many.as_bytes(), 50_000), Ok(()), "{unit:?}");
        }
    }

    #[test]
    fn a_second_document_is_found() {
        for (text, line) in [
            ("a: 1\n---\nb: 1\n", Some(2)),
            ("---\na: 1\n--- b\n", Some(3)),
            ("# x\n%YAML 1.1\n---\na: 1\n", None),
            ("---\n---\n", Some(2)),
            ("a: 1\n...\n# x\nb: 2\n", Some(4)),
            ("a: |\n  ---\n", None),
            ("a: 1\n...\n", None),
        ] {
            assert_eq!(second_document(text.as_bytes()), line, "{text:?}");
            let parsed: Result<serde_yaml::Value, _> = serde_yaml::from_str(text);
            let several = parsed.is_err_and(|e| e.to_string().contains("more than one"));
            assert_eq!(several, line.is_some(), "{text:?}");
        }
    }
}
