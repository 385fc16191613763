//! JSON, by `serde_json`: the only file that names it.
//!
//! It checks the text and undoes the escapes, but it tells no places and rounds
//! numbers. So a cursor goes along: at each value, it stands where that value begins.

use alloc::borrow::Cow;
use alloc::string::{String, ToString};
use core::cell::RefCell;
use core::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::grow::{Builder, Flaw, Head};
use super::tree::{At, Style};

/// Builds a tree from a text.
pub(super) fn read(text: &str, layer: u32, tree: &mut Builder<'_>) -> Result<(), Flaw> {
    let reading = RefCell::new(Reading {
        text,
        byte: 0,
        layer,
        tree,
        flaw: None,
    });
    let mut json = serde_json::Deserializer::from_str(text);
    let read = Value(&reading).deserialize(&mut json);
    let read = read.and_then(|()| json.end());
    let reading = reading.into_inner();
    read.map_err(|error| reading.flaw.unwrap_or_else(|| fault(&error, text, layer)))
}

struct Reading<'r, 't> {
    text: &'r str,
    /// Up to here, the text was read.
    byte: usize,
    layer: u32,
    tree: &'r mut Builder<'t>,
    /// Why the reading was stopped, if not by the text.
    flaw: Option<Flaw>,
}

impl<'r> Reading<'r, '_> {
    /// Goes on to the next value or key, and returns where it begins and what is there.
    fn go_on(&mut self) -> (At, u8) {
        let between = |byte: &u8| {
            matches!(
                byte,
                b' ' | b'\t' | b'\r' | b'\n' | b',' | b':' | b']' | b'}'
            )
        };
        let rest = &self.text.as_bytes()[self.byte..];
        self.byte += rest.iter().take_while(|byte| between(byte)).count();
        let first = self.text.as_bytes().get(self.byte).copied();
        let byte = self.byte as u32;
        let layer = self.layer;
        (At { layer, byte }, first.unwrap_or_default())
    }

    /// Reads a number, a boolean or null, which was checked.
    fn word(&mut self) -> &'r str {
        let is_part =
            |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
        let rest = &self.text[self.byte..];
        let len = rest.bytes().take_while(|byte| is_part(byte)).count();
        self.byte += len;
        &rest[..len]
    }

    /// Goes to the end of a string, which was checked.
    fn skip_string(&mut self) {
        let mut bytes = self.text.bytes().enumerate().skip(self.byte + 1);
        while let Some((at, byte)) = bytes.next() {
            match byte {
                b'\\' => drop(bytes.next()),
                b'"' => {
                    self.byte = at + 1;
                    return;
                }
                _ => {}
            }
        }
    }

    fn check<E: serde::de::Error>(&mut self, done: Result<(), Flaw>) -> Result<(), E> {
        done.map_err(|flaw| {
            self.flaw = Some(flaw);
            E::custom("")
        })
    }
}

/// Reads one value, or one key.
#[derive(Clone, Copy)]
struct Value<'c, 'r, 't>(&'c RefCell<Reading<'r, 't>>);

impl<'de> DeserializeSeed<'de> for Value<'_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, de: D) -> Result<(), D::Error> {
        let (at, first) = self.0.borrow_mut().go_on();
        match first {
            b'{' | b'[' => {
                let mut reading = self.0.borrow_mut();
                reading.byte += 1;
                let done = reading.tree.start(first == b'{', Head::at(at));
                reading.check(done)?;
                drop(reading);
                match first {
                    b'{' => de.deserialize_map(self)?,
                    _ => de.deserialize_seq(self)?,
                }
                let mut reading = self.0.borrow_mut();
                let done = reading.tree.end();
                reading.check(done)
            }
            b'"' => {
                let text = de.deserialize_str(Text)?;
                let mut reading = self.0.borrow_mut();
                reading.skip_string();
                let done = reading.tree.scalar(&text, Style::Quoted, Head::at(at));
                reading.check(done)
            }
            _ => {
                de.deserialize_ignored_any(IgnoredAny)?;
                let mut reading = self.0.borrow_mut();
                let word = reading.word();
                let done = reading.tree.scalar(word, Style::Typed, Head::at(at));
                reading.check(done)
            }
        }
    }
}

impl<'de> Visitor<'de> for Value<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while map.next_key_seed(self)?.is_some() {
            map.next_value_seed(self)?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(self)?.is_some() {}
        Ok(())
    }
}

/// Undoes the escapes of a string.
struct Text;

impl<'de> Visitor<'de> for Text {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Owned(text.into()))
    }
}

/// Returns what is wrong with the text. The words of `serde_json` name what it expected
/// and never quote.
fn fault(error: &serde_json::Error, text: &str, layer: u32) -> Flaw {
    let message = error.to_string();
    let message: String = message.split(" at line ").next().unwrap_or_default().into();
    let before = error.line().saturating_sub(1);
    let line = match before {
        0 => 0,
        before => text
            .match_indices('\n')
            .nth(before - 1)
            .map_or(text.len(), |(at, _)| at + 1),
    };
    let byte = line + error.column().saturating_sub(1);
    let byte = byte.min(text.len()) as u32;
    let at = At { layer, byte };
    match message.starts_with("recursion limit exceeded") {
        true => Flaw::TooDeep(at),
        false => Flaw::Text(message, at),
    }
}
