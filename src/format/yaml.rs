//! YAML: the only file that names its parser, so that another can take its place. What
//! is said of a text that is wrong is in `faults.rs`.

use alloc::borrow::Cow;
#[cfg(feature = "std")]
use alloc::string::String;

use granit_parser::{Event, Options, Parser, ScalarStyle, ScanError, Span, Tag};

pub(super) use granit_parser::ErrorKind;

use super::faults;
use super::grow::{Builder, Flaw, Head, NewTag};
use super::tree::{At, Core, Style};

/// Builds a tree from a text.
pub(super) fn read(text: &str, layer: u32, tree: &mut Builder<'_>) -> Result<(), Flaw> {
    let mut options = Options::default();
    // Both as libyaml has it.
    options.block_scalar_eof_without_line_feed = true;
    options.bom_inside_document_as_content = true;
    options.set_emit_comments(false);
    let mut is_second = false;
    let mut parser = Parser::new_from_str_with_options(text, options);
    while let Some(next) = parser.next_event() {
        // By reference: an event is large, and moving each of them would be felt.
        let (event, span) = match &next {
            Ok((event, span)) => (event, span),
            Err(error) => return Err(fault(error, text, layer, tree)),
        };
        let mut at = place(layer, span);
        match event {
            Event::DocumentStart(..) if is_second => {
                return Err(faults::second_document(text, at));
            }
            Event::DocumentStart(..) => is_second = true,
            Event::Scalar(scalar, style, anchor, tag) => {
                let mut scalar = &**scalar;
                if span.start.index() == span.end.index() {
                    // The parser's own word for a value that is left out, at the colon.
                    scalar = "";
                    at.byte += u32::from(text[at.byte as usize..].starts_with(':'));
                }
                let style = match style {
                    ScalarStyle::Plain => Style::Plain,
                    ScalarStyle::Literal => Style::Literal,
                    _ => Style::Quoted,
                };
                tree.scalar(scalar, style, head(at, *anchor, tag.as_ref()))?;
            }
            Event::SequenceStart(_, anchor, tag) => {
                tree.start(false, head(at, *anchor, tag.as_ref()))?
            }
            Event::MappingStart(_, anchor, tag) => {
                tree.start(true, head(at, *anchor, tag.as_ref()))?
            }
            Event::SequenceEnd | Event::MappingEnd => tree.end()?,
            Event::Alias(anchor) => tree.alias(*anchor, at)?,
            _ => {}
        }
    }
    Ok(())
}

/// Returns the content of a text that is, all of it, one string in quotes.
#[cfg(feature = "std")]
pub(crate) fn unquoted(text: &str) -> Option<String> {
    let in_quotes = |quote| text.len() > 1 && text.starts_with(quote) && text.ends_with(quote);
    if !in_quotes('"') && !in_quotes('\'') {
        return None;
    }
    let mut found = None;
    for next in Parser::new_from_str(text) {
        match next.ok()? {
            (Event::Scalar(scalar, ..), _) if found.is_none() => found = Some(scalar.into_owned()),
            (
                Event::StreamStart
                | Event::StreamEnd
                | Event::DocumentStart(..)
                | Event::DocumentEnd,
                _,
            ) => {}
            _ => return None,
        }
    }
    found
}

fn place(layer: u32, span: &Span) -> At {
    let byte = span.start.byte_offset().unwrap_or_default() as u32;
    At { layer, byte }
}

fn head<'a>(at: At, anchor: usize, tag: Option<&'a Cow<'_, Tag>>) -> Head<'a> {
    let tag = tag.map_or(NewTag::None, |tag| tag_of(tag));
    Head { at, tag, anchor }
}

fn tag_of(tag: &Tag) -> NewTag<'_> {
    match tag.core_suffix() {
        Some("bool") => return NewTag::Core(Core::Bool),
        Some("float") => return NewTag::Core(Core::Float),
        Some("int") => return NewTag::Core(Core::Int),
        Some("map") => return NewTag::Core(Core::Map),
        Some("null") => return NewTag::Core(Core::Null),
        Some("seq") => return NewTag::Core(Core::Seq),
        Some("str") => return NewTag::Core(Core::Str),
        Some(_) => return NewTag::Other,
        None => {}
    }
    match (tag.handle(), tag.suffix()) {
        ("", suffix) if suffix.starts_with('!') => NewTag::Own("", &suffix[1..]),
        (handle, suffix) if handle.starts_with('!') => NewTag::Own(&handle[1..], suffix),
        _ => NewTag::Other,
    }
}

fn fault(error: &ScanError, text: &str, layer: u32, tree: &Builder<'_>) -> Flaw {
    let byte = error.marker().byte_offset().unwrap_or_default() as u32;
    if matches!(error.kind(), ErrorKind::RecursionLimitExceeded) {
        return Flaw::TooDeep(At { layer, byte });
    }
    let (message, byte) = faults::explain(error.kind(), text, byte as usize, tree);
    let byte = byte as u32;
    Flaw::Text(message, At { layer, byte })
}
