//! Notices that a file changed, by looking at it.
//!
//! The path is opened anew at every look, with whatever links are in it, so a
//! link that is flipped anywhere along it is seen. A stamp decides whether to
//! read at all; the bytes decide whether anything changed; and they count only
//! once they have held still. What the bytes mean is not known here.

mod read;
mod stamp;

use core::time::Duration;

use super::std::path::{Path, PathBuf, absolute};
use super::std::prelude::rust_2024::*;
use super::std::sync::Arc;
use super::std::{format, io};
use crate::engine::{
    DetectError, DetectErrorKind, Detector, Document, Limits, Settle, Settled, Sighting,
};
use read::ReadError;
use stamp::Stamp;

/// The debounce of the original recipe.
const DEFAULT_SETTLE: Duration = Duration::from_millis(100);

/// A stamp proves nothing until it is this old: two writes within one tick of
/// the file system's clock leave the same stamp. The coarsest tick in use is
/// FAT's 2 s. Git calls such an entry "racily clean". The age is measured on
/// monotonic time from the look that saw the stamp first, because the wall
/// clock and the file's own times can be set.
const YOUNG: Duration = Duration::from_secs(2);

/// After so many looks that trusted the stamp, one reads the file in full: a
/// mapped write, or a network file system, may leave the stamp as it was.
const FULL_READ_EVERY: u32 = 30;

/// When to look again if the file moved while it was read and no settle time
/// says so.
const MOVED_PAUSE: Duration = Duration::from_millis(10);

/// A [`Detector`] for one file.
///
/// `Reloader::from_file` makes one; make it yourself to use another format:
///
/// ```no_run
/// use core::time::Duration;
/// use steadyconf::FileDetector;
///
/// let detector = FileDetector::new("app.conf").settle(Duration::from_millis(250));
/// ```
#[derive(Debug)]
pub struct FileDetector {
    path: PathBuf,
    origin: Arc<str>,
    max_bytes: usize,
    settle: Settle<Document>,
    seen: Option<Seen>,
    refresh: bool,
}

/// The stamp that was read last, and how far it can be trusted.
#[derive(Debug)]
struct Seen {
    stamp: Stamp,
    since: Duration,
    trusted: u32,
}

impl FileDetector {
    /// Watches the file at `path`. A relative path is taken from the folder that
    /// is current now; links in it are followed anew at every look.
    pub fn new(path: impl AsRef<Path>) -> Self {
        let path = path.as_ref();
        FileDetector {
            path: absolute(path).unwrap_or_else(|_| path.to_path_buf()),
            origin: path.to_string_lossy().into(),
            max_bytes: Limits::default().bytes(),
            settle: Settle::new(DEFAULT_SETTLE),
            seen: None,
            refresh: false,
        }
    }

    /// How long content must hold still before it counts. Default 100 ms. Zero
    /// takes what is there at once, which is right only for files that are
    /// always replaced by rename.
    #[must_use]
    pub fn settle(mut self, time: Duration) -> Self {
        self.settle = Settle::new(time);
        self
    }

    /// Refuses a larger file. Default 1 MiB. At most one byte more is read.
    #[must_use]
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    pub(crate) fn origin(&self) -> &Arc<str> {
        &self.origin
    }

    fn look(&mut self, now: Duration) -> Result<Sighting, ReadError> {
        let stamp = Stamp::of_path(&self.path)?;
        if self.may_trust(&stamp, now) {
            return Ok(Sighting::Unchanged);
        }
        let (bytes, opened) = read::bounded(&self.path, self.max_bytes)?;
        let after = Stamp::of_path(&self.path)?;
        if opened != stamp || after != stamp {
            return Ok(self.moved(now));
        }
        self.remember(stamp, now);
        let document = Document::single(self.origin.clone(), bytes);
        Ok(match self.settle.see(document, now) {
            Settled::Unchanged => Sighting::Unchanged,
            Settled::Waiting(until) => Sighting::Settling { until },
            Settled::Ready => match self.settle.offered() {
                Some(document) => Sighting::Changed(document.clone()),
                None => Sighting::Unchanged,
            },
        })
    }

    /// Whether the stamp alone shows that nothing happened since the last read.
    fn may_trust(&mut self, stamp: &Stamp, now: Duration) -> bool {
        if self.refresh || self.settle.is_waiting() {
            return false;
        }
        let Some(seen) = &mut self.seen else {
            return false;
        };
        let aged = now.saturating_sub(seen.since) >= YOUNG;
        if seen.stamp != *stamp || !aged || seen.trusted >= FULL_READ_EVERY {
            return false;
        }
        seen.trusted += 1;
        true
    }

    /// The file was read whole under one stamp.
    fn remember(&mut self, stamp: Stamp, now: Duration) {
        self.refresh = false;
        let since = match &self.seen {
            Some(seen) if seen.stamp == stamp => seen.since,
            _ => now,
        };
        self.seen = Some(Seen {
            stamp,
            since,
            trusted: 0,
        });
    }

    /// The file changed between the first stamp and the last: what was read may
    /// be half of one and half of another, so it does not count.
    fn moved(&mut self, now: Duration) -> Sighting {
        self.seen = None;
        self.settle.disturb();
        let pause = self.settle.time().max(MOVED_PAUSE);
        Sighting::Settling {
            until: now.saturating_add(pause),
        }
    }
}

impl Detector for FileDetector {
    fn poll(&mut self, now: Duration) -> Result<Sighting, DetectError> {
        self.look(now).map_err(|error| {
            self.seen = None;
            self.settle.disturb();
            describe(error, &self.origin)
        })
    }

    fn refresh(&mut self) {
        self.refresh = true;
    }
}

fn describe(error: ReadError, origin: &Arc<str>) -> DetectError {
    use DetectErrorKind as Kind;
    let (kind, message) = match error {
        ReadError::NotAFile(what) => (Kind::NotAFile, format!("expected a file, found {what}")),
        ReadError::TooLarge(max) => (
            Kind::TooLarge,
            format!("larger than the limit of {max} bytes"),
        ),
        ReadError::Io(error) => match error.kind() {
            io::ErrorKind::NotFound => (Kind::NotFound, String::from("no such file")),
            io::ErrorKind::PermissionDenied => {
                (Kind::PermissionDenied, String::from("permission denied"))
            }
            _ => (Kind::Other, error.to_string()),
        },
    };
    DetectError::new(kind, origin.clone(), message)
}
