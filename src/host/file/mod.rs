//! Notices that a file, or one of several, changed, by looking at it.
//!
//! The path is opened anew at every look, with whatever links are in it, so a
//! link that is flipped anywhere along it is seen. A stamp decides whether to
//! read at all; the bytes decide whether anything changed; and they count only
//! once they have held still. What the bytes mean is not known here.

mod read;
mod stamp;
#[cfg(test)]
mod tests;

use core::time::Duration;

use super::std::path::{Path, PathBuf, absolute};
use super::std::prelude::rust_2024::*;
use super::std::sync::Arc;
use super::std::{format, io, vec};
use crate::engine::{
    DetectError, DetectErrorKind, Detector, Document, Layer, Limits, Settle, Settled, Sighting,
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

/// When to look again if the file moved while it was read and no settle time
/// says so.
const MOVED_PAUSE: Duration = Duration::from_millis(10);

/// A file that never holds still for the settle time may pass after so many
/// settle times if it was only ever replaced by another, and this one was
/// renamed into place, so in whole.
const PATIENCE: u32 = 20;

/// A [`Detector`] for one file, or for several that are read as one.
///
/// `Reloader::from_file` makes one; make it yourself to use another format:
///
/// ```no_run
/// use core::time::Duration;
/// use steadyconf::FileDetector;
///
/// let detector = FileDetector::new("app.conf").settle(Duration::from_millis(250));
/// ```
///
/// Several files are of one generation: if any of them moved while they were
/// read, none of that read counts. So where all of them lie behind one link that
/// is flipped (Kubernetes' `..data`), what is offered is never a mix. A file of
/// the set that is missing is an error for the whole.
#[derive(Debug)]
pub struct FileDetector {
    members: Vec<Member>,
    max_bytes: usize,
    settle: Settle<Document>,
    /// How many looks in a row the stamps alone were trusted.
    trusted: u32,
    refresh: bool,
    restless: Option<Restless>,
    #[cfg(test)]
    meanwhile: tests::Meanwhile,
}

/// One file of the set.
#[derive(Debug)]
struct Member {
    path: PathBuf,
    origin: Arc<str>,
    /// The stamp at this look, while it lasts.
    stamp: Option<Stamp>,
    read: Option<Read>,
    /// The stamp under which its content was offered last.
    offered: Option<Stamp>,
}

/// The last time that a file was read whole.
#[derive(Clone, Copy, Debug)]
struct Read {
    stamp: Stamp,
    /// The look that saw this stamp first.
    since: Duration,
    /// The look that read the file under this stamp last.
    last: Duration,
}

/// Content that differs from what was offered, and has not held still yet.
#[derive(Clone, Copy, Debug)]
struct Restless {
    since: Duration,
    /// Whether every sighting so far was of another file, so that none was seen
    /// being written.
    replaced: bool,
}

/// How content that is new came to be there.
#[derive(Clone, Copy)]
struct Came {
    /// Every file that is new is another than before.
    replaced: bool,
    /// And was renamed into place.
    renamed: bool,
}

/// Why a look had no result.
enum Failed {
    /// Something about the file of this index.
    Member(usize, ReadError),
    /// A file changed between its stamps. `written` if that was not by putting
    /// another file in its place.
    Moved { written: bool },
}

impl FileDetector {
    /// Watches the file at `path`. A relative path is taken from the folder that
    /// is current now; links in it are followed anew at every look.
    pub fn new(path: impl AsRef<Path>) -> Self {
        FileDetector {
            members: vec![Member::new(path.as_ref())],
            max_bytes: Limits::default().bytes(),
            settle: Settle::new(DEFAULT_SETTLE),
            trusted: 0,
            refresh: false,
            restless: None,
            #[cfg(test)]
            meanwhile: tests::Meanwhile::default(),
        }
    }

    /// Adds a file that takes precedence over the ones before it.
    #[must_use]
    pub fn then_file(mut self, path: impl AsRef<Path>) -> Self {
        self.members.push(Member::new(path.as_ref()));
        self
    }

    /// How long content must hold still before it counts. Default 100 ms. Zero
    /// takes what is there at once, which is right only for files that are
    /// always replaced by rename.
    #[must_use]
    pub fn settle(mut self, time: Duration) -> Self {
        self.settle = Settle::new(time);
        self
    }

    /// Refuses more bytes than this, all files together. Default 1 MiB. At most
    /// one byte more is read.
    #[must_use]
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// The names of the files, for messages about all of them.
    pub(crate) fn name(&self) -> Arc<str> {
        let names: Vec<_> = self.members.iter().map(|m| &*m.origin).collect();
        names.join(", ").into()
    }

    fn look(&mut self, now: Duration) -> Result<Sighting, Failed> {
        self.take_stamps()?;
        if self.may_trust() {
            return Ok(Sighting::Unchanged);
        }
        let document = self.read()?;
        self.compare_stamps()?;
        let came = self.remember(now);
        Ok(match self.settle.see(document, now) {
            Settled::Unchanged => self.rest(),
            Settled::Ready => self.offer(),
            Settled::Waiting(until) => self.wait(until, came, now),
        })
    }

    fn take_stamps(&mut self) -> Result<(), Failed> {
        for (index, member) in self.members.iter_mut().enumerate() {
            let stamp = read::stamp(&member.path);
            member.stamp = Some(stamp.map_err(|error| Failed::Member(index, error))?);
        }
        Ok(())
    }

    /// Whether the stamps alone show that nothing happened since the last read.
    fn may_trust(&mut self) -> bool {
        if self.refresh || self.restless.is_some() || self.trusted >= stamp::FULL_READ_EVERY {
            return false;
        }
        let trusted = self.members.iter().all(Member::is_aged);
        self.trusted += u32::from(trusted);
        trusted
    }

    /// Reads the whole set. Each file has to be the very one whose stamp was
    /// taken.
    fn read(&mut self) -> Result<Document, Failed> {
        let mut layers = Vec::with_capacity(self.members.len());
        let mut left = self.max_bytes;
        for index in 0..self.members.len() {
            self.meanwhile(Step::Stamped(index));
            let member = &self.members[index];
            let read = read::bounded(&member.path, left);
            let (bytes, opened) = read.map_err(|error| Failed::Member(index, error))?;
            member.must_still_be(&opened)?;
            left = left.saturating_sub(bytes.len());
            layers.push(Layer::new(member.origin.clone(), bytes));
            self.meanwhile(Step::Read(index));
        }
        Ok(Document::new(layers))
    }

    fn compare_stamps(&mut self) -> Result<(), Failed> {
        for (index, member) in self.members.iter().enumerate() {
            let after = read::stamp(&member.path);
            let after = after.map_err(|error| Failed::Member(index, error))?;
            member.must_still_be(&after)?;
        }
        Ok(())
    }

    /// The set was read whole under these stamps. Says how what is new in it came
    /// there.
    fn remember(&mut self, now: Duration) -> Came {
        self.refresh = false;
        self.trusted = 0;
        let mut came = Came {
            replaced: true,
            renamed: true,
        };
        for member in &mut self.members {
            let Some(stamp) = member.stamp else {
                continue;
            };
            let mut since = now;
            match &member.read {
                Some(read) if read.stamp == stamp => since = read.since,
                other => {
                    let same_file = |read: &Read| stamp.is_the_same_file(&read.stamp);
                    came.replaced &= !other.as_ref().is_some_and(same_file);
                }
            }
            // Of all that is new since the last offer, not since the last look.
            if member.offered != Some(stamp) {
                came.renamed &= stamp.was_renamed();
            }
            let last = now;
            member.read = Some(Read { stamp, since, last });
        }
        came
    }

    /// What is there is what was offered last.
    fn rest(&mut self) -> Sighting {
        self.at_rest();
        Sighting::Unchanged
    }

    fn at_rest(&mut self) {
        self.restless = None;
        for member in &mut self.members {
            member.offered = member.stamp;
        }
    }

    fn offer(&mut self) -> Sighting {
        self.at_rest();
        match self.settle.offered() {
            Some(document) => Sighting::Changed(document.clone()),
            None => Sighting::Unchanged,
        }
    }

    /// New content that has not held still for long enough. Where it never does,
    /// because somebody renames a new file into place again and again, each is
    /// whole, and after some patience one of them may pass.
    fn wait(&mut self, until: Duration, came: Came, now: Duration) -> Sighting {
        let restless = self.restless(now, came.replaced);
        let patience = self.settle.time().saturating_mul(PATIENCE);
        let patient = now.saturating_sub(restless.since) < patience;
        if patient || !restless.replaced || !came.renamed {
            return Sighting::Settling { until };
        }
        self.settle.accept();
        self.offer()
    }

    /// There is content that moves; says since when, and how.
    fn restless(&mut self, now: Duration, replaced: bool) -> Restless {
        let restless = self.restless.get_or_insert(Restless {
            since: now,
            replaced: true,
        });
        restless.replaced &= replaced;
        *restless
    }

    /// A file changed between its stamps: what was read may be half of one and
    /// half of another, so it does not count.
    fn moved(&mut self, written: bool, now: Duration) -> Sighting {
        self.settle.disturb();
        self.restless(now, !written);
        let pause = self.settle.time().max(MOVED_PAUSE);
        Sighting::Settling {
            until: now.saturating_add(pause),
        }
    }

    fn failed(&mut self, index: usize, error: ReadError) -> DetectError {
        self.settle.disturb();
        self.restless = None;
        for member in &mut self.members {
            member.read = None;
        }
        describe(error, &self.members[index].origin, self.max_bytes)
    }

    /// Where tests let something happen in the middle of a look.
    #[cfg(test)]
    fn meanwhile(&mut self, step: Step) {
        self.meanwhile.call(step);
    }

    #[cfg(not(test))]
    fn meanwhile(&mut self, _: Step) {}
}

/// A moment in the middle of a look, of the file of this index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Stamped(usize),
    Read(usize),
}

impl Member {
    fn new(path: &Path) -> Self {
        Member {
            path: absolute(path).unwrap_or_else(|_| path.to_path_buf()),
            origin: path.to_string_lossy().into(),
            stamp: None,
            read: None,
            offered: None,
        }
    }

    /// Whether the file was read under the stamp that it has now, at a time when
    /// that stamp was old enough for any later write to have moved it.
    fn is_aged(&self) -> bool {
        let Some(read) = &self.read else {
            return false;
        };
        self.stamp.as_ref() == Some(&read.stamp) && read.last.saturating_sub(read.since) >= YOUNG
    }

    fn must_still_be(&self, stamp: &Stamp) -> Result<(), Failed> {
        match &self.stamp {
            Some(before) if before == stamp => Ok(()),
            Some(before) => Err(Failed::Moved {
                written: before.is_the_same_file(stamp),
            }),
            None => Err(Failed::Moved { written: true }),
        }
    }
}

impl Detector for FileDetector {
    fn poll(&mut self, now: Duration) -> Result<Sighting, DetectError> {
        match self.look(now) {
            Ok(sighting) => Ok(sighting),
            Err(Failed::Moved { written }) => Ok(self.moved(written, now)),
            Err(Failed::Member(index, error)) => Err(self.failed(index, error)),
        }
    }

    fn refresh(&mut self) {
        self.refresh = true;
    }
}

/// The bytes of a file that is not watched.
pub(super) fn read_whole(
    path: &Path,
    origin: &Arc<str>,
    max: usize,
) -> Result<Vec<u8>, DetectError> {
    let read = read::bounded(path, max).map_err(|error| describe(error, origin, max))?;
    Ok(read.0)
}

/// `max` is the limit for all files together.
fn describe(error: ReadError, origin: &Arc<str>, max: usize) -> DetectError {
    use DetectErrorKind as Kind;
    let (kind, message) = match error {
        ReadError::NotAFile(what) => (Kind::NotAFile, format!("expected a file, found {what}")),
        ReadError::TooLarge => (
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
