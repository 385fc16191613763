//! The last known good document on disk: what a program may start from when its
//! source is missing or rejected.
//!
//! It is written so that a reader finds the old one or the new one, whole, also
//! after a crash or a power cut: into a temporary file of its own,
//! flushed, renamed into place, and the folder flushed (the way of `rename(2)`,
//! and of every database that survives). When it is written and when it is read is
//! `reloader.rs`'s.

mod disk;
mod temporary;
#[cfg(test)]
mod tests;
mod text;

use alloc::borrow::Cow;
use core::time::Duration;

use super::file;
use super::logging;
use super::std::path::{Path, PathBuf, absolute};
use super::std::prelude::rust_2024::*;
use super::std::sync::Arc;
use super::std::{format, io};
use crate::engine::{Document, LONGEST_PAUSE, Retry};
use crate::report::{DetectError, DetectErrorKind};
use disk::{Disk, Folder, Identity};
use temporary::Temporary;

/// What could not be written is tried again after this, at first.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// How often to see whether it is still there.
const CHECK_EVERY: Duration = Duration::from_secs(60);

/// What the names of the layers may take, beside their bytes.
const HEADERS: usize = 1024 * 1024;

/// The file, and what is known of it.
pub(crate) struct LastGood<D = Folder> {
    disk: D,
    path: PathBuf,
    name: Arc<str>,
    max_bytes: usize,
    /// What it holds, as far as this process knows.
    written: Option<Document>,
    /// Which file that is.
    known: Option<Identity>,
    /// When it was last seen to be there.
    seen: Duration,
    failing: Option<Failing>,
}

/// It could not be written, the last time.
struct Failing {
    document: Document,
    reason: Arc<str>,
    retry: Retry,
}

impl LastGood {
    pub(super) fn new(path: &Path) -> Self {
        LastGood::on(Folder, path)
    }
}

impl<D: Disk> LastGood<D> {
    fn on(disk: D, path: &Path) -> Self {
        LastGood {
            disk,
            path: absolute(path).unwrap_or_else(|_| path.to_path_buf()),
            name: path.to_string_lossy().into(),
            max_bytes: 0,
            written: None,
            known: None,
            seen: Duration::ZERO,
            failing: None,
        }
    }

    /// No document is larger than this.
    pub(super) fn max_bytes(&mut self, bytes: usize) {
        self.max_bytes = bytes;
    }

    /// The file is no larger than this.
    fn limit(&self) -> usize {
        self.max_bytes.saturating_add(HEADERS)
    }

    /// The path, as the user wrote it.
    pub(super) fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// What was written before, by this process or another.
    pub(super) fn read(&mut self) -> Result<Document, DetectError> {
        self.remove_leftovers();
        let max = self.limit();
        let failed = |kind, message| DetectError::new(kind, self.name.clone(), message);
        let read = file::read_whole(&self.path, &self.name, max).map_err(|error| {
            if error.kind() != DetectErrorKind::TooLarge {
                return error;
            }
            let message = format!("larger than the limit of {} bytes", self.max_bytes);
            failed(error.kind(), message)
        });
        let (bytes, metadata) = read?;
        if let Some(why) = disk::distrust(&metadata) {
            return Err(failed(DetectErrorKind::PermissionDenied, why.into()));
        }
        let document = text::decode(&bytes)
            .map_err(|problem| failed(DetectErrorKind::Other, format!("damaged: {problem}")))?;
        self.written = Some(document.clone());
        self.known = Some(Identity::of(&metadata));
        Ok(document)
    }

    /// Makes this the last known good, unless it is: what is of the source, for the
    /// rest belongs to this process. A failure is reported once, and tried again at a
    /// later call. Says whether it tried.
    pub(super) fn keep(&mut self, document: &Document, now: Duration) -> bool {
        let document = &document.of_the_source();
        if self.written.as_ref() == Some(document) && self.is_there(now) {
            return false;
        }
        let put_off = |f: &Failing| now < f.retry.at && f.document == *document;
        if self.failing.as_ref().is_some_and(put_off) {
            return false;
        }
        // After a failure either may be there.
        self.written = None;
        match self.write(document) {
            Ok(()) => {
                self.written = Some(document.clone());
                self.seen = now;
                if self.failing.take().is_some() {
                    logging::last_good_written(&self.name);
                }
            }
            Err(error) => self.failed(document, &error, now),
        }
        true
    }

    /// Whether the file is still there, and looks as it did, as seen now and then: it is
    /// asked for by nobody until the day that it is needed.
    fn is_there(&mut self, now: Duration) -> bool {
        if now.saturating_sub(self.seen) < CHECK_EVERY {
            return true;
        }
        self.seen = now;
        if let (Some(known), Some(found)) = (self.known, self.disk.identity(&self.path)) {
            if found.has_another_length(&known) {
                return false;
            }
        }
        let head = self.disk.head(&self.path, text::FAMILY.len());
        // What cannot be looked at now is looked at later.
        head.map_or(true, |head| head == text::FAMILY.as_bytes())
    }

    /// When to try again what could not be written.
    pub(super) fn retry_at(&self) -> Option<Duration> {
        self.failing.as_ref().map(|failing| failing.retry.at)
    }

    /// Why it could not be written, if that is so.
    pub(super) fn failure(&self) -> Option<Arc<str>> {
        self.failing.as_ref().map(|failing| failing.reason.clone())
    }

    fn failed(&mut self, document: &Document, error: &io::Error, now: Duration) {
        let reason: Arc<str> = error.to_string().into();
        let known = self.failing.as_ref().is_some_and(|f| f.reason == reason);
        let last = self.failing.take().map(|failing| failing.retry);
        let pause = Retry::next_pause(last.map(|last| last.pause), FIRST_PAUSE, LONGEST_PAUSE);
        self.failing = Some(Failing {
            document: document.clone(),
            reason: reason.clone(),
            retry: Retry {
                at: now.saturating_add(pause),
                pause,
            },
        });
        if !known {
            logging::last_good_failed(&self.name, &reason);
        }
    }

    /// Removes what killed processes left behind.
    fn remove_leftovers(&mut self) {
        if let Ok(target) = self.disk.target(&self.path) {
            if let Some((folder, name)) = folder_and_name(&target) {
                self.disk.remove_leftovers(folder, &name);
            }
        }
    }

    fn write(&mut self, document: &Document) -> io::Result<()> {
        let text = text::encode(document);
        if text.len() > self.limit() {
            let (takes, limit) = (text.len(), self.limit());
            let message = format!(
                "with the names of its layers it takes {takes} bytes, and no more than {limit} \
                 could be read back"
            );
            return Err(io::Error::other(message));
        }
        let target = self.disk.target(&self.path)?;
        self.write_to(&target, &text).map_err(|error| {
            if target == self.path {
                return error;
            }
            let target = target.display();
            let message = format!("{target}, where its link leads: {error}");
            io::Error::new(error.kind(), message)
        })
    }

    /// Returns whether what is at this path is a last known good, whole or damaged, or
    /// nothing. A wrong path in a configuration must not cost somebody a file.
    fn may_replace(&mut self, target: &Path) -> io::Result<bool> {
        let head = self.disk.head(target, text::FAMILY.len())?;
        if head.is_empty() || head == text::FAMILY.as_bytes() {
            return Ok(true);
        }
        // Nothing of the content is needed to know what this process wrote or read.
        if self.known.is_some() && self.disk.identity(target) == self.known {
            return Ok(true);
        }
        let limit = self.limit();
        let text = self.disk.head(target, limit.saturating_add(1))?;
        Ok(text.len() <= limit && text::was_one(&text))
    }

    /// Puts the text at a path that is no link.
    fn write_to(&mut self, target: &Path, text: &[u8]) -> io::Result<()> {
        if !self.may_replace(target)? {
            let message = "what is there is no last known good, and is left alone";
            return Err(io::Error::other(message));
        }
        let Some((folder, name)) = folder_and_name(target) else {
            return Err(io::Error::other("not a path to a file"));
        };
        self.disk.remove_leftovers(folder, &name);
        let temporary = Temporary::take(folder, &name);
        let written = fill(&mut self.disk, temporary.path(), text)
            .and_then(|()| self.disk.rename(temporary.path(), target))
            .and_then(|()| {
                self.known = self.disk.identity(target);
                self.disk.sync_folder(folder)
            });
        if written.is_err() {
            // There may be nothing to remove, or no way to.
            let _ = self.disk.remove(temporary.path());
        }
        written
    }
}

fn folder_and_name(path: &Path) -> Option<(&Path, Cow<'_, str>)> {
    Some((path.parent()?, path.file_name()?.to_string_lossy()))
}

fn fill<D: Disk>(disk: &mut D, temporary: &Path, text: &[u8]) -> io::Result<()> {
    let mut file = disk.create(temporary).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => io::Error::new(error.kind(), "its folder does not exist"),
        _ => error,
    })?;
    disk.write_all(&mut file, text)?;
    // Before the rename: otherwise a power cut may leave the new name on bytes that
    // never reached the disk.
    disk.sync(&mut file)
}
