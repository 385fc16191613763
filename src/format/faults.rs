//! What is wrong with a YAML text, in the words of whoever wrote it, and the place to
//! look at. That is often not where the parser gave up, but what was opened and never
//! closed. No message quotes the text.

use alloc::format;
use alloc::string::String;

use super::grow::{Builder, Flaw};
use super::line_and_column;
use super::tree::At;
use super::words::invisible;
use super::yaml::ErrorKind as E;

/// Returns what is wrong, and the byte to look at.
pub(super) fn explain(kind: &E, text: &str, at: usize, tree: &Builder<'_>) -> (String, usize) {
    if let Some(marker) = conflict_marker(text) {
        let words = "a git conflict marker; keep one side, and remove the lines of markers";
        return (words.into(), marker);
    }
    let line = line_of(text, at);
    if let (Some((at, name)), false) = (invisible_in(text, line), in_quotes(kind)) {
        let words = format!("{name} in this line, which YAML takes for text; use plain spaces");
        return (words, at);
    }
    let flow = tree.open().find(|at| text[*at..].starts_with(['[', '{']));
    if let Some(opener) = flow.filter(|_| comes_of_an_open_bracket(kind)) {
        return (unclosed(&text[opener..]), opener);
    }
    let begun = tree.open().next().unwrap_or(at);
    let (words, at) = in_words(kind, text, at);
    match kind {
        E::ExpectedBlockSequenceEntry => {
            let place = from_line(text, begun);
            let words = format!("expected a `- ` of the list that begins at {place}");
            (words + "; check the indentation", at)
        }
        E::ExpectedBlockMappingKey => {
            let place = from_line(text, begun);
            let words = format!("expected a key of the mapping that begins at {place}");
            (words + "; check the indentation and the quotes", at)
        }
        E::ExpectedDocumentStart => after_the_root(text, at, tree),
        E::UnclosedFlowCollection { .. } => (unclosed(&text[at..]), at),
        _ => (words.into(), at),
    }
}

pub(super) fn second_document(text: &str, at: At) -> Flaw {
    let is_marked = text[at.byte as usize..].starts_with("---");
    let marker = if is_marked { "---" } else { "..." };
    let words = format!("expected one document, found a second one after `{marker}`");
    Flaw::Text(words, at)
}

/// Returns the words for what needs no look around.
fn in_words(kind: &E, text: &str, at: usize) -> (&'static str, usize) {
    let words = match kind {
        E::TabNotAllowed
        | E::TabInBlockIndentation
        | E::TabInIndentation
        | E::TabInPlainScalar
        | E::TabAtBlockScalarStart => {
            let line = line_of(text, at);
            let tab = text[line..].find('\t').unwrap_or_default();
            return ("indented with a tab; use spaces", line + tab);
        }
        E::SimpleKeyExpected | E::InvalidSimpleKey => "expected a colon and a space after this key",
        E::MappingValueNotAllowed | E::InvalidColonPlacement | E::MappingKeyNotAllowed => {
            "a colon where no key may stand; check the indentation, or put the text in quotes"
        }
        E::UnclosedQuotedScalar | E::DocumentIndicatorInQuotedScalar => {
            "this quote is never closed"
        }
        E::UnexpectedCharacter { character } if character.is_control() => {
            "a control character, which YAML does not allow; is this a text file?"
        }
        E::UnexpectedCharacter { .. } => {
            "a value cannot begin with this character; put it in quotes"
        }
        E::UnknownAnchor => "there is no such anchor; put the text in quotes if it is no alias",
        E::ExpectedNodeContent | E::UnexpectedEofImplicitFlowMapping => {
            "expected a value; is there a comma or a bracket too many?"
        }
        E::MisplacedFlowCollectionEnd => "this bracket closes nothing",
        E::MismatchedFlowCollectionEnd { .. } => "the wrong bracket; `[` needs `]`, `{` needs `}`",
        E::InvalidTrailingDoubleQuotedScalar => {
            "text after the closing quote; put the whole value in quotes"
        }
        E::InvalidTrailingSingleQuotedScalar => {
            "text after the closing quote; within single quotes, a quote is written twice"
        }
        _ => return (in_more_words(kind), at),
    };
    (words, at)
}

/// The same for what is rare.
fn in_more_words(kind: &E) -> &'static str {
    match kind {
        E::CommentNotSeparated | E::CommentInterceptedScalar => {
            "a comment where none may stand; put a space before `#`, or the text in quotes"
        }
        E::BlockSequenceEntryNotAllowed
        | E::BlockEntryInFlowCollection
        | E::InvalidBlockEntryWhitespace
        | E::PlainScalarStartsWithDashFlowIndicator => {
            "a `-` where no list item may stand; begin it on a line of its own, or use quotes"
        }
        E::UnknownQuotedScalarEscape
        | E::InvalidQuotedScalarHexEscape
        | E::InvalidLowSurrogateHexEscape
        | E::InvalidLowSurrogate
        | E::MissingLowSurrogate
        | E::UnpairedLowSurrogate
        | E::InvalidUnicodeEscape => {
            "an escape that YAML does not know; write `\\\\` for a backslash, or use single quotes"
        }
        E::InvalidBlockScalarHeader | E::ZeroBlockScalarIndent | E::InvalidBlockScalarIndent => {
            "the text of a `|` or `>` begins on the next line, and all its lines are indented alike"
        }
        E::UndeclaredTagHandle
        | E::ExpectedTagBang
        | E::InvalidTagTerminator
        | E::InvalidGlobalTagCharacter
        | E::MissingTagUri
        | E::UnclosedVerbatimTag
        | E::InvalidTagEscape
        | E::InvalidTagUtf8LeadingByte
        | E::InvalidTagUtf8TrailingByte
        | E::InvalidTagUtf8 => {
            "a tag that cannot be read; put a text that begins with `!` in quotes"
        }
        E::MissingAnchorOrAliasName => {
            "a name is missing here; put a text that begins with `&` or `*` in quotes"
        }
        E::DirectiveByteLimitExceeded { .. }
        | E::TooManyReservedDirectiveParams { .. }
        | E::DuplicateVersionDirective
        | E::UnsupportedYamlMajorVersion
        | E::DuplicateTagDirective
        | E::MissingDocumentEndBeforeDirective
        | E::InvalidDirectiveTerminator
        | E::MissingYamlVersionSeparator
        | E::MissingDirectiveName
        | E::InvalidDirectiveName
        | E::YamlVersionTooLong
        | E::MissingYamlVersion
        | E::ExpectedTagDirectiveBang
        | E::InvalidTagDirectiveTerminator => {
            "a line that begins with `%` is a directive, and this one cannot be read"
        }
        E::InvalidDocumentEnd => "text after `...`, which ends the document",
        _ => "the text cannot be read from here on; check the indentation and the quotes",
    }
}

/// Returns whether what the parser says comes from a bracket that is still open.
fn comes_of_an_open_bracket(kind: &E) -> bool {
    !matches!(
        kind,
        E::UnclosedQuotedScalar
            | E::ExpectedNodeContent
            | E::UnexpectedEofImplicitFlowMapping
            | E::UnknownAnchor
            | E::UnexpectedCharacter { .. }
            | E::UnknownQuotedScalarEscape
            | E::MismatchedFlowCollectionEnd { .. }
            | E::PlainScalarStartsWithDashFlowIndicator
            | E::UnclosedFlowCollection { .. }
    )
}

fn unclosed(rest: &str) -> String {
    let sign = rest.chars().next().unwrap_or('[');
    format!("this `{sign}` is not closed, or a comma is missing in it")
}

/// Something follows the value that is the whole document.
fn after_the_root(text: &str, at: usize, tree: &Builder<'_>) -> (String, usize) {
    let Some(root) = tree.root() else {
        let words = "a line that begins with `%` is a directive; expected `---` after it";
        return (words.into(), at);
    };
    let place = from_line(text, root);
    let column = line_and_column(text, root).1;
    let words = match text[root..].chars().next() {
        Some('[') => format!(
            "text after the list that begins at {place}; is this an INI or TOML file? YAML has \
             no section headers"
        ),
        _ if column > 1 => format!(
            "a key that is indented less than the first one, at {place}; indent all keys of a \
             mapping alike"
        ),
        _ => format!("text after the value that begins at {place}"),
    };
    (words, at)
}

fn from_line(text: &str, at: usize) -> String {
    let (line, column) = line_and_column(text, at);
    format!("line {line} column {column}")
}

/// Returns where the line begins that a byte stands in.
fn line_of(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |end| end + 1)
}

/// Returns where git wrote the first marker of a merge that was not finished.
fn conflict_marker(text: &str) -> Option<usize> {
    let begins = |mark: &str| {
        let mut found = text.match_indices(mark).map(|(at, _)| at);
        found.find(|at| *at == 0 || text.as_bytes()[at - 1] == b'\n')
    };
    begins(">>>>>>> ").and(begins("<<<<<<< "))
}

/// Returns the first space in a line that is none to YAML, and its name.
fn invisible_in(text: &str, line: usize) -> Option<(usize, &'static str)> {
    let end = text[line..].find('\n').map_or(text.len(), |end| line + end);
    let mut chars = text[line..end].char_indices();
    chars.find_map(|(at, c)| Some((line + at, invisible(c)?)))
}

/// Returns whether a fault is of a text in quotes, where any space may stand.
fn in_quotes(kind: &E) -> bool {
    matches!(
        kind,
        E::UnclosedQuotedScalar
            | E::UnknownQuotedScalarEscape
            | E::InvalidTrailingDoubleQuotedScalar
            | E::InvalidTrailingSingleQuotedScalar
    )
}
