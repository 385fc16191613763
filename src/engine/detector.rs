//! The seam between the engine and the world: how a change is noticed. The one
//! for files is `host/file/`.

use alloc::sync::Arc;
use core::time::Duration;

use super::document::Document;
use super::error::DetectError;

/// What a detector saw at a poll.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Sighting {
    /// The source is what was offered last.
    Unchanged,
    /// Something is there, but it has not held still for long enough. Poll
    /// again at `until`, on the timeline of `now`.
    Settling {
        /// When to poll again.
        until: Duration,
    },
    /// New content, whole and at rest.
    Changed(Document),
}

/// Polls a source and says whether its content is new.
///
/// A detector is only ever asked; it calls nobody. What it saw last time is its
/// own affair: what was *observed* is kept here, what was *rejected* and what is
/// *active* is kept in the engine. So it offers new content once, whatever
/// becomes of it, and offers old content again when the source goes back to it.
pub trait Detector {
    /// Polls once. It must not wait: if it has to, it says
    /// [`Sighting::Settling`].
    ///
    /// `now` is monotonic time since some start; it never goes back.
    ///
    /// # Errors
    ///
    /// The source cannot be read at present. It is asked again at every poll,
    /// and the active snapshot stays meanwhile.
    fn poll(&mut self, now: Duration) -> Result<Sighting, DetectError>;

    /// Asks that the next poll trusts no cheap evidence, such as an unchanged
    /// time stamp, and takes the content itself. An operator said "now".
    fn refresh(&mut self) {}

    /// Asks that the next poll also reads the files of these names, as one generation
    /// with the rest, and no others: see [`Document::with_files`]. The active
    /// configuration, or one that may become active, names them. A detector that reads
    /// no files does nothing.
    fn also_read(&mut self, names: &[Arc<str>]) {
        let _ = names;
    }
}
