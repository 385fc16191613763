//! How a document is written to disk: a head that says what it is, the checksum of
//! the rest, and then each layer, and each file that the configuration names, as a line
//! and its bytes.
//!
//! ```text
//! steadyconf last known good, format 1
//! sha256:…
//! document 31 1 "config.yaml"
//! greeting: hello
//! timeout_s: 30
//!
//! text 9 2 "/run/secrets/api_key" "api_key"
//! sk-123456
//! file 27 0 "/etc/app/cert.pem"
//! -----BEGIN CERTIFICATE-----
//! end
//! ```
//!
//! A line has the length of what follows, the position of its source among the sources of
//! the program, its name, and what else there is to say: its field, or its language.

use super::super::std::format;
use super::super::std::prelude::rust_2024::*;
use crate::engine::path;
use crate::engine::{Content, Digest, Document, Language, Layer, NamedFile};

pub(super) const FAMILY: &str = "steadyconf last known good, format ";
const FORMAT: &str = "1";
/// The length of the two lines before the layers: the second is a SHA-256 sum in hex.
pub(super) const HEAD: usize = FAMILY.len() + FORMAT.len() + 1 + "sha256:".len() + 64 + 1;
const CUT: &str = "it ends too early";

pub(super) fn encode(document: &Document) -> Vec<u8> {
    let mut body = Vec::new();
    for layer in document.layers() {
        body.extend_from_slice(head_of(layer).as_bytes());
        body.extend_from_slice(layer.bytes());
        body.push(b'\n');
    }
    for file in document.files() {
        // One that cannot be read belongs to no document that was good.
        if let Ok(bytes) = file.bytes() {
            let head = format!("file {} 0 {:?}\n", bytes.len(), file.name());
            body.extend_from_slice(head.as_bytes());
            body.extend_from_slice(bytes);
            body.push(b'\n');
        }
    }
    body.extend_from_slice(b"end\n");
    let mut text = format!("{FAMILY}{FORMAT}\n{}\n", Digest::of(&body)).into_bytes();
    text.append(&mut body);
    text
}

/// Nothing in it is believed before the checksum is found to be right.
pub(super) fn decode(text: &[u8]) -> Result<Document, &'static str> {
    let (head, rest) = line(text).ok_or("it does not begin as a last known good does")?;
    let format = head.strip_prefix(FAMILY);
    match format.ok_or("it does not begin as a last known good does")? {
        FORMAT => {}
        _ => return Err("it has a format that this version does not know"),
    }
    let (checksum, body) = line(rest).ok_or(CUT)?;
    if checksum != Digest::of(body).to_string() {
        return Err("its checksum does not match its content");
    }
    document(body)
}

/// Returns whether a file that does not begin as a last known good was one before its
/// beginning was damaged, so that it may be replaced. What a disk spoils stays where it
/// is, so the rest is at its place. One of these has to be so:
/// - it holds nothing but NULs, as what a power cut left of it may;
/// - its checksum matches all that follows;
/// - its layers are as long as they say, up to the end;
/// - NULs have taken the place of its beginning, and it ends as one does.
///
/// A file of somebody else that is like this has content that nobody can miss, or was
/// made to be taken for one.
pub(super) fn was_one(text: &[u8]) -> bool {
    let is_blank = |bytes: &[u8]| bytes.iter().all(|byte| *byte == 0);
    if is_blank(text) {
        return true;
    }
    let Some((head, body)) = text.split_at_checked(HEAD) else {
        return false;
    };
    let checksum = format!("{}\n", Digest::of(body));
    head.ends_with(checksum.as_bytes())
        || document(body).is_ok_and(|document| !document.layers().is_empty())
        || (is_blank(head) && body.ends_with(b"\nend\n"))
}

/// Reads what follows the checksum.
fn document(mut body: &[u8]) -> Result<Document, &'static str> {
    let (mut layers, mut files) = (Vec::new(), Vec::new());
    loop {
        let (head, rest) = line(body).ok_or(CUT)?;
        if head == "end" && rest.is_empty() {
            return Ok(Document::new(layers).with_files(files));
        }
        let (part, rest) = part(head, rest).ok_or("it has a layer that cannot be read")?;
        match part {
            Part::Layer(layer) => layers.push(layer),
            Part::File(file) => files.push(file),
        }
        body = rest;
    }
}

enum Part {
    Layer(Layer),
    File(NamedFile),
}

fn head_of(layer: &Layer) -> String {
    let (length, position, origin) = (layer.bytes().len(), layer.position(), layer.origin());
    let (kind, more) = match layer.content() {
        Content::Field(path) => ("field", Some(&**path)),
        Content::Text(path) if layer.is_optional() => ("optional-text", Some(&**path)),
        Content::Text(path) => ("text", Some(&**path)),
        Content::Document if layer.is_optional() => ("optional", layer.own_language().map(name_of)),
        Content::Document => ("document", layer.own_language().map(name_of)),
    };
    let more = more.map_or(String::new(), |more| format!(" {more:?}"));
    format!("{kind} {length} {position} {origin:?}{more}\n")
}

fn part<'a>(head: &str, rest: &'a [u8]) -> Option<(Part, &'a [u8])> {
    let (kind, head) = head.split_once(' ')?;
    let (length, head) = head.split_once(' ')?;
    let (position, head) = head.split_once(' ')?;
    let (bytes, rest) = rest.split_at_checked(length.parse().ok()?)?;
    let (origin, head) = path::unquote(head.strip_prefix('"')?)?;
    let more = || {
        let (more, end) = path::unquote(head.strip_prefix(" \"")?)?;
        end.is_empty().then_some(more)
    };
    let document = || {
        let layer = Layer::new(origin.as_str(), bytes);
        match head {
            "" => Some(layer),
            _ => Some(layer.language(language_of(&more()?)?)),
        }
    };
    let layer = match (kind, head) {
        ("file", "") => {
            let file = NamedFile::new(origin, bytes);
            return Some((Part::File(file), rest.strip_prefix(b"\n")?));
        }
        ("document", _) => document()?,
        ("optional", _) => document()?.optional(),
        ("field", _) => Layer::field(origin, more()?, bytes),
        // Only folders with a key per file have such layers on disk.
        ("text", _) => Layer::text(origin, more()?, bytes).secret(),
        ("optional-text", _) => Layer::text(origin, more()?, bytes).secret().optional(),
        _ => return None,
    };
    let layer = layer.at_position(position.parse().ok()?);
    Some((Part::Layer(layer), rest.strip_prefix(b"\n")?))
}

fn name_of(language: Language) -> &'static str {
    match language {
        Language::Yaml => "yaml",
        Language::Json => "json",
        Language::Toml => "toml",
    }
}

fn language_of(name: &str) -> Option<Language> {
    let all = [Language::Yaml, Language::Json, Language::Toml];
    all.into_iter().find(|language| name_of(*language) == name)
}

/// The first line, without its end, and what follows.
fn line(text: &[u8]) -> Option<(&str, &[u8])> {
    let end = text.iter().position(|byte| *byte == b'\n')?;
    let line = core::str::from_utf8(&text[..end]).ok()?;
    Some((line, &text[end + 1..]))
}
