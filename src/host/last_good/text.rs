//! How a document is written to disk: a head that says what it is, the checksum of
//! the rest, and then each layer as a line and its bytes.
//!
//! ```text
//! steadyconf last known good, format 1
//! sha256:…
//! layer 31 "config.yaml"
//! greeting: hello
//! timeout_s: 30
//!
//! end
//! ```

use super::super::path;
use super::super::std::format;
use super::super::std::prelude::rust_2024::*;
use crate::engine::{Digest, Document, Layer};

const FAMILY: &str = "steadyconf last known good, format ";
const FORMAT: &str = "1";

pub(super) fn encode(document: &Document) -> Vec<u8> {
    let mut body = Vec::new();
    for layer in document.layers() {
        let (length, origin) = (layer.bytes().len(), layer.origin());
        body.extend_from_slice(format!("layer {length} {origin:?}\n").as_bytes());
        body.extend_from_slice(layer.bytes());
        body.push(b'\n');
    }
    body.extend_from_slice(b"end\n");
    let mut text = format!("{FAMILY}{FORMAT}\n{}\n", Digest::of(&body)).into_bytes();
    text.append(&mut body);
    text
}

/// Nothing in it is believed before the checksum is found to be right.
pub(super) fn decode(text: &[u8]) -> Result<Document, &'static str> {
    const CUT: &str = "it ends too early";
    let (head, rest) = line(text).ok_or("it does not begin as a last known good does")?;
    let format = head.strip_prefix(FAMILY);
    match format.ok_or("it does not begin as a last known good does")? {
        FORMAT => {}
        _ => return Err("it has a format that this version does not know"),
    }
    let (checksum, mut body) = line(rest).ok_or(CUT)?;
    if checksum != Digest::of(body).to_string() {
        return Err("its checksum does not match its content");
    }
    let mut layers = Vec::new();
    loop {
        let (head, rest) = line(body).ok_or(CUT)?;
        if head == "end" && rest.is_empty() {
            return Ok(Document::new(layers));
        }
        let (layer, rest) = layer(head, rest).ok_or("it has a layer that cannot be read")?;
        layers.push(layer);
        body = rest;
    }
}

fn layer<'a>(head: &str, rest: &'a [u8]) -> Option<(Layer, &'a [u8])> {
    let (length, origin) = head.strip_prefix("layer ")?.split_once(' ')?;
    let length: usize = length.parse().ok()?;
    let (origin, "") = path::unquote(origin.strip_prefix('"')?)? else {
        return None;
    };
    let (bytes, rest) = rest.split_at_checked(length)?;
    Some((Layer::new(origin, bytes), rest.strip_prefix(b"\n")?))
}

/// The first line, without its end, and what follows.
fn line(text: &[u8]) -> Option<(&str, &[u8])> {
    let end = text.iter().position(|byte| *byte == b'\n')?;
    let line = core::str::from_utf8(&text[..end]).ok()?;
    Some((line, &text[end + 1..]))
}
