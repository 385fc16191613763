//! The seam for parsers. The one that is built in is `format/`.

use super::document::Document;
use super::limits::Limits;
use super::notes::Notes;
use super::report::Report;

/// Turns bytes into a value.
///
/// It is asked once for each new content, from one thread at a time. A panic
/// in it is a rejection like any other where the host catches panics.
pub trait Format<T> {
    /// The value that the whole document stands for. It is no larger than
    /// `limits` allow; what else the format could make of it (by aliases, say)
    /// is the format's to bound.
    ///
    /// # Errors
    ///
    /// Everything that is wrong, each with the field path and the place where
    /// they can be had. Two duties come with it. **Quote nothing of the
    /// input**: say the kind of what was found ("expected a number, found a
    /// string"), for the value may be a secret in the wrong place. And **take
    /// no content for all defaults**: a document of comments alone is an error.
    /// (A layer of white space alone never gets here, unless it is optional; the
    /// engine rejects it.)
    ///
    /// What else is worth knowing goes into `notes`, also where it fails.
    fn parse(&self, document: &Document, limits: &Limits, notes: &mut Notes) -> Result<T, Report>;
}
