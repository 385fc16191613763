//! TOML, by `toml`: the only file that names it and its lexer.
//!
//! `toml` takes in the whole text before anybody can count, and a table of one key takes
//! a thousand times the bytes that make it. So what the text asks for is counted first,
//! from its tokens.

use alloc::borrow::Cow;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::ops::Range;

use ::toml::Spanned;
use ::toml::de::{DeTable, DeValue};
use toml_parser::Source;
use toml_parser::lexer::TokenKind;

use super::grow::{Builder, Flaw, Head, MAX_DEPTH};
use super::tree::{At, Style};

/// Builds a tree from a text.
pub(super) fn read(text: &str, layer: u32, tree: &mut Builder<'_>) -> Result<(), Flaw> {
    Asked::default().count(text, layer, tree.values_left())?;
    let table = DeTable::parse(text).map_err(|error| {
        let byte = error.span().unwrap_or_default().start as u32;
        // Where it names keys, it names no more than our own paths do.
        Flaw::Text(error.message().into(), At { layer, byte })
    })?;
    Reading { layer, tree }.table(table.span(), table.into_inner())
}

/// What a text asks for: values, keys and tables.
#[derive(Default)]
struct Asked {
    values: usize,
    /// The segments of the key that is being read, and of the last `[header]`.
    segments: usize,
    header: usize,
    is_header: bool,
    /// A value is being read, not a key.
    in_value: bool,
    /// For each open bracket: whether keys are in it, and the segments of the key that
    /// leads to it.
    open: Vec<(bool, usize)>,
    /// All of these segments.
    around: usize,
}

impl Asked {
    fn count(mut self, text: &str, layer: u32, most: usize) -> Result<(), Flaw> {
        let mut at_start = true;
        for token in Source::new(text).lex() {
            self.take(token.kind(), at_start);
            at_start = match token.kind() {
                TokenKind::Newline => true,
                TokenKind::Whitespace => at_start,
                _ => false,
            };
            let byte = token.span().start() as u32;
            let at = At { layer, byte };
            if self.values > most {
                return Err(Flaw::TooMany(at));
            }
            let depth = self.header + self.around + self.segments + self.open.len();
            if depth > MAX_DEPTH {
                return Err(Flaw::TooDeep(at));
            }
        }
        Ok(())
    }

    fn take(&mut self, kind: TokenKind, at_start: bool) {
        let keys_around = self.open.last().is_none_or(|(keys, _)| *keys);
        match kind {
            TokenKind::Newline if self.open.is_empty() || self.is_header => {
                self.end_header();
                (self.in_value, self.segments) = (false, 0);
            }
            TokenKind::LeftSquareBracket if at_start && !self.in_value && self.open.is_empty() => {
                (self.is_header, self.header) = (true, 0);
            }
            TokenKind::LeftSquareBracket if self.is_header => {}
            TokenKind::LeftSquareBracket | TokenKind::LeftCurlyBracket => {
                self.values += 1;
                let keys = kind == TokenKind::LeftCurlyBracket;
                self.open.push((keys, self.segments));
                self.around += self.segments;
                self.in_value = kind == TokenKind::LeftSquareBracket;
                self.segments = 0;
            }
            TokenKind::RightSquareBracket if self.is_header => {}
            TokenKind::RightSquareBracket | TokenKind::RightCurlyBracket => {
                let (_, segments) = self.open.pop().unwrap_or_default();
                self.around -= segments;
                (self.in_value, self.segments) = (true, segments);
            }
            TokenKind::Comma if keys_around => (self.in_value, self.segments) = (false, 0),
            TokenKind::Equals => self.in_value = true,
            // A fraction is one value.
            TokenKind::Dot if self.in_value => self.values = self.values.saturating_sub(1),
            TokenKind::Dot | TokenKind::Whitespace | TokenKind::Comment | TokenKind::Comma => {}
            _ if self.in_value => self.values += 1,
            _ => {
                // A key, and the table that leads to it, if any. The value counts itself.
                let table = usize::from(self.segments > 0 || self.is_header);
                self.values += 1 + table;
                self.segments += 1;
            }
        }
    }

    fn end_header(&mut self) {
        if self.is_header {
            (self.is_header, self.header) = (false, self.segments);
        }
    }
}

struct Reading<'r, 't> {
    layer: u32,
    tree: &'r mut Builder<'t>,
}

impl Reading<'_, '_> {
    fn head(&self, span: &Range<usize>) -> Head<'static> {
        let (layer, byte) = (self.layer, span.start as u32);
        Head::at(At { layer, byte })
    }

    fn table(&mut self, span: Range<usize>, table: DeTable<'_>) -> Result<(), Flaw> {
        self.tree.start(true, self.head(&span))?;
        for (key, value) in table {
            let head = self.head(&key.span());
            self.tree.scalar(key.get_ref(), Style::Quoted, head)?;
            self.value(value)?;
        }
        self.tree.end()
    }

    fn value(&mut self, value: Spanned<DeValue<'_>>) -> Result<(), Flaw> {
        let span = value.span();
        let head = self.head(&span);
        let (text, style): (Cow<'_, str>, _) = match value.into_inner() {
            DeValue::Table(table) => return self.table(span, table),
            DeValue::Array(items) => {
                self.tree.start(false, head)?;
                items.into_iter().try_for_each(|item| self.value(item))?;
                return self.tree.end();
            }
            DeValue::String(text) => (text, Style::Quoted),
            DeValue::Datetime(time) => (time.to_string().into(), Style::Date),
            DeValue::Boolean(truth) => (truth.to_string().into(), Style::Typed),
            DeValue::Integer(number) => (number.to_string().into(), Style::Typed),
            DeValue::Float(number) => (in_yaml(number.as_str()).into(), Style::Typed),
        };
        self.tree.scalar(&text, style, head)
    }
}

/// Writes what YAML writes in another way.
fn in_yaml(number: &str) -> String {
    let number = match number {
        "inf" | "+inf" => ".inf",
        "-inf" => "-.inf",
        "nan" | "+nan" | "-nan" => ".nan",
        number => number,
    };
    number.into()
}
