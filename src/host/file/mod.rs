//! Notices that a file, or one of several, changed, by looking at it.
//!
//! The path is opened anew at every poll, with whatever links are in it, so a
//! link that is flipped anywhere along it is seen. A stamp decides whether to
//! read at all; the bytes decide whether anything changed; and they count only
//! once they have held still. What the bytes mean is not known here.

mod mounts;
mod places;
mod read;
#[cfg(feature = "remote")]
mod remote;
mod sources;
mod stamp;
#[cfg(test)]
mod tests;
mod watched;
mod witness;

use core::time::Duration;

use super::source::{Of, Source, WatchedSource};
use super::std::fs::Metadata;
use super::std::path::Path;
use super::std::prelude::rust_2024::*;
use super::std::sync::Arc;
use super::std::vec;
use crate::engine::{Detector, Document, Layer, Limits, Settle, Settled, Sighting};
use crate::report::DetectError;
use places::{Place, at, number};
use read::{ReadError, describe};
use sources::Part;
use witness::{Seen, Witness};

/// The debounce of the original recipe.
const DEFAULT_SETTLE: Duration = Duration::from_millis(100);

/// A stamp proves nothing until it is this old: two writes within one tick of
/// the file system's clock leave the same stamp. The coarsest tick in use is
/// FAT's 2 s. Git calls such an entry "racily clean". The age is measured on
/// monotonic time from the poll that saw the stamp first, because the wall
/// clock and the file's own times can be set.
const YOUNG: Duration = Duration::from_secs(2);

/// When to poll again if the file moved while it was read and no settle time
/// says so.
const MOVED_PAUSE: Duration = Duration::from_millis(10);

/// A file that never holds still for the settle time may pass after so many settle
/// times if it was renamed into place and is known to be whole; see `witness.rs`.
const PATIENCE: u32 = 20;

/// A [`Detector`] for one file, or for several that are read as one.
///
/// `Reloader::from_file` makes one; make it yourself to use another format:
///
/// ```no_run
/// use core::time::Duration;
/// use steadyconf::source::FileDetector;
///
/// let detector = FileDetector::new("app.conf").settle(Duration::from_millis(250));
/// ```
///
/// Several files are of one generation: if any of them moved while they were
/// read, none of that read counts. So where all of them lie behind one link that
/// is flipped (Kubernetes' `..data`), what is offered is never a mix. A file of
/// the set that is missing is an error for the whole, unless it was declared
/// optional.
#[derive(Debug)]
pub struct FileDetector {
    /// In order of precedence, the lowest first.
    places: Vec<Place>,
    /// How many of them, at the beginning, are defaults.
    #[cfg(feature = "values")]
    defaults: usize,
    /// Files that the configuration names, once it does.
    named: Option<Part>,
    max_bytes: usize,
    settle: Settle<Document>,
    /// How many polls in a row the stamps alone were trusted.
    trusted: u32,
    refresh: bool,
    /// Since when there is content that differs from what was offered, and has not held
    /// still.
    restless: Option<Duration>,
    witness: Option<Witness>,
    /// A file that the configuration names is there, and could not be read.
    unread: bool,
    /// Whether it was polled before, at which mounts are warned of.
    began: bool,
    #[cfg(test)]
    meanwhile: tests::Meanwhile,
}

/// Why a poll had no result.
#[derive(Debug)]
enum Failed {
    /// Something about what has this name.
    At(Arc<str>, ReadError),
    /// A file changed between its stamps.
    Moved,
    /// A source that is not a file.
    #[cfg(feature = "remote")]
    Remote(DetectError),
}

impl Failed {
    fn at(origin: &Arc<str>, error: ReadError) -> Self {
        Failed::At(origin.clone(), error)
    }
}

impl FileDetector {
    /// Watches the file at `path`. A relative path is taken from the folder that
    /// is current now; links in it are followed anew at every poll.
    pub fn new(path: impl AsRef<Path>) -> Self {
        FileDetector::empty().source(Source::file(path))
    }

    /// Watches this source alone: a folder, keys of a server.
    pub fn of(source: impl Into<Source>) -> Self {
        FileDetector::empty().source(source)
    }

    /// A detector without a source yet.
    pub(crate) fn empty() -> Self {
        FileDetector {
            places: vec![],
            #[cfg(feature = "values")]
            defaults: 0,
            named: None,
            max_bytes: Limits::default().bytes(),
            settle: Settle::new(DEFAULT_SETTLE),
            trusted: 0,
            refresh: false,
            restless: None,
            witness: None,
            unread: false,
            began: false,
            #[cfg(test)]
            meanwhile: tests::Meanwhile::default(),
        }
    }

    /// Adds a source that takes precedence over those that were added before it.
    #[must_use]
    pub fn source(mut self, source: impl Into<Source>) -> Self {
        match source.into().0 {
            Of::Watched(watched) => self
                .places
                .push(Place::Watched(Box::new(Part::new(watched)))),
            #[cfg(feature = "remote")]
            Of::Remote(remote) => self
                .places
                .push(Place::Remote(remote::RemotePart::new(remote))),
            Of::Fixed(layers) => self.places.push(Place::Fixed(layers)),
            #[cfg(feature = "values")]
            Of::Defaults(layers) => {
                self.places.insert(self.defaults, Place::Fixed(layers));
                self.defaults += 1;
            }
        }
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

    /// Rejects more bytes than this, all files together. Default 1 MiB. At most
    /// one byte more is read.
    #[must_use]
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// The names of the files, for messages about all of them.
    pub(crate) fn name(&self) -> Arc<str> {
        let names = self.places.iter().filter_map(Place::name);
        let names: Vec<_> = names.map(|name| &**name).collect();
        match names.is_empty() {
            true => "the configuration".into(),
            false => names.join(", ").into(),
        }
    }

    fn parts(&self) -> impl Iterator<Item = &Part> {
        let parts = self.places.iter().filter_map(|place| match place {
            Place::Watched(part) => Some(&**part),
            _ => None,
        });
        parts.chain(&self.named)
    }

    fn parts_mut(&mut self) -> impl Iterator<Item = &mut Part> {
        let parts = self.places.iter_mut().filter_map(|place| match place {
            Place::Watched(part) => Some(&mut **part),
            _ => None,
        });
        parts.chain(&mut self.named)
    }

    /// Returns the sources that are watched, each with its position.
    pub(crate) fn watched(&self) -> Vec<(Arc<str>, u16)> {
        let places = self.places.iter().enumerate();
        let watched = places.filter_map(|(position, place)| {
            let name = place.name()?;
            Some((name.clone(), number(position)))
        });
        watched.collect()
    }

    /// Returns the layers that never change, each at its position.
    pub(crate) fn fixed(&self) -> Vec<Layer> {
        let mut layers = Vec::new();
        for (position, place) in self.places.iter().enumerate() {
            if let Place::Fixed(fixed) = place {
                layers.extend(fixed.iter().map(|layer| at(position, layer)));
            }
        }
        layers
    }

    /// Warns, once, of files that can only change in place.
    fn begin(&mut self) {
        if core::mem::replace(&mut self.began, true) {
            return;
        }
        #[cfg(feature = "remote")]
        self.ask_remotes_first();
        for name in mounts::among(self.parts().filter_map(Part::file)) {
            super::logging::mount_of_its_own(name);
        }
    }

    fn poll_once(&mut self, now: Duration) -> Result<Sighting, Failed> {
        self.begin();
        for part in self.parts_mut() {
            part.take_stamps()?;
        }
        #[cfg(feature = "remote")]
        self.ask_remotes()?;
        if self.may_trust() {
            return Ok(Sighting::Unchanged);
        }
        for part in self.parts_mut() {
            part.list()?;
        }
        let seen = self.read(self.is_out_of_patience(now))?;
        for part in self.parts() {
            part.must_be_the_same()?;
        }
        if self.remember(now) {
            // Equal bytes may be the same half of two writes.
            self.settle.disturb();
        }
        let document = self.document_of(&seen);
        self.unread = seen.iter().any(Seen::is_unread);
        Ok(match self.settle.see(document.clone(), now) {
            Settled::Unchanged => self.rest(),
            Settled::Ready => self.offer(),
            Settled::Waiting(until) => self.wait(until, document, seen, now),
        })
    }

    fn document_of(&self, seen: &[Seen]) -> Document {
        let mut rest = seen.iter();
        let mut layers = Vec::new();
        for (position, place) in self.places.iter().enumerate() {
            match place {
                Place::Fixed(fixed) => layers.extend(fixed.iter().map(|layer| at(position, layer))),
                #[cfg(feature = "remote")]
                Place::Remote(part) => {
                    layers.extend(part.layers().iter().map(|layer| at(position, layer)));
                }
                Place::Watched(part) => {
                    let seen = rest.by_ref().take(part.members.len());
                    layers.extend(
                        seen.filter_map(Seen::layer)
                            .map(|layer| at(position, layer)),
                    );
                }
            }
        }
        let named = self.named.iter().flat_map(|part| &part.members);
        let files = named
            .zip(rest)
            .filter_map(|(member, seen)| member.as_named(seen));
        Document::new(layers).with_files(files.collect::<Vec<_>>())
    }

    /// Whether the stamps alone show that nothing happened since the last read.
    fn may_trust(&mut self) -> bool {
        let is_first = self.settle.offered().is_none();
        if is_first
            || self.unread
            || self.refresh
            || self.restless.is_some()
            || self.trusted >= stamp::FULL_READ_EVERY
        {
            return false;
        }
        #[cfg(feature = "remote")]
        if !self.remotes().all(remote::RemotePart::is_read) {
            return false;
        }
        let trusted = self
            .parts_mut()
            .flat_map(Part::watched)
            .all(|one| one.is_aged());
        self.trusted += u32::from(trusted);
        trusted
    }

    /// Reads the whole set. Each file has to be the very one whose stamp was
    /// taken.
    fn read(&self, hold: bool) -> Result<Vec<Seen>, Failed> {
        let mut all = Vec::new();
        let mut left = self.max_bytes;
        for (index, member) in self.members().enumerate() {
            self.meanwhile(Step::Stamped(index));
            let seen = member.read(left, hold)?;
            let bytes = seen.layer().map_or(0, |layer| layer.bytes().len());
            left = left.saturating_sub(bytes);
            all.push(seen);
            self.meanwhile(Step::Read(index));
        }
        Ok(all)
    }

    fn members(&self) -> impl Iterator<Item = &sources::Member> {
        self.parts().flat_map(|part| &part.members)
    }

    /// The set was read whole under these stamps. Returns whether that of a file is new.
    fn remember(&mut self, now: Duration) -> bool {
        self.refresh = false;
        self.trusted = 0;
        #[cfg(feature = "remote")]
        self.remotes_mut().for_each(remote::RemotePart::remember);
        let mut moved = false;
        for part in self.parts_mut() {
            moved |= part.remember(now);
        }
        moved
    }

    /// What is there is what was offered last.
    fn rest(&mut self) -> Sighting {
        self.at_rest();
        Sighting::Unchanged
    }

    fn at_rest(&mut self) {
        self.restless = None;
        self.witness = None;
    }

    fn offer(&mut self) -> Sighting {
        self.at_rest();
        match self.settle.offered() {
            Some(document) => Sighting::Changed(document.clone()),
            None => Sighting::Unchanged,
        }
    }

    /// New content that has not held still for long enough. Where it never does,
    /// because somebody renames a new file into place again and again, each is whole,
    /// and after some patience one of them may pass.
    fn wait(
        &mut self,
        until: Duration,
        document: Document,
        seen: Vec<Seen>,
        now: Duration,
    ) -> Sighting {
        self.restless.get_or_insert(now);
        if !self.is_out_of_patience(now) {
            return Sighting::Settling { until };
        }
        let settled = |witness: &Witness| now.saturating_sub(witness.at) >= self.settle.time();
        match &self.witness {
            Some(witness) if !settled(witness) => {}
            Some(witness) if self.holds(witness, &seen) => {
                let whole = witness.document.clone();
                self.settle.accept(whole);
                return self.offer();
            }
            _ => self.witness = Some(Witness::new(now, document, seen)),
        }
        Sighting::Settling { until }
    }

    fn holds(&self, witness: &Witness, now: &[Seen]) -> bool {
        let members: Vec<_> = self.members().collect();
        witness.holds(&members, now, self.max_bytes)
    }

    fn is_out_of_patience(&self, now: Duration) -> bool {
        let patience = self.settle.time().saturating_mul(PATIENCE);
        let waited = |since| now.saturating_sub(since) >= patience;
        self.restless.is_some_and(waited)
    }

    /// A file changed between its stamps: what was read may be half of one and
    /// half of another, so it does not count.
    fn moved(&mut self, now: Duration) -> Sighting {
        self.settle.disturb();
        self.restless.get_or_insert(now);
        let pause = self.settle.time().max(MOVED_PAUSE);
        Sighting::Settling {
            until: now.saturating_add(pause),
        }
    }

    fn saw_nothing(&mut self) {
        self.settle.disturb();
        self.at_rest();
        let watched = self.parts_mut().flat_map(Part::watched);
        watched.for_each(watched::Watched::forget);
    }

    fn failed(&mut self, origin: &Arc<str>, error: ReadError) -> DetectError {
        self.saw_nothing();
        let is_one = self.members().count() < 2;
        describe(error, origin, self.max_bytes, is_one)
    }

    /// Where tests let something happen in the middle of a poll.
    #[cfg(test)]
    fn meanwhile(&self, step: Step) {
        self.meanwhile.call(step);
    }

    #[cfg(not(test))]
    fn meanwhile(&self, _: Step) {}
}

/// A moment in the middle of a poll, of the file of this index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Stamped(usize),
    Read(usize),
}

impl Detector for FileDetector {
    fn poll(&mut self, now: Duration) -> Result<Sighting, DetectError> {
        match self.poll_once(now) {
            Ok(sighting) => Ok(sighting),
            Err(Failed::Moved) => Ok(self.moved(now)),
            Err(Failed::At(origin, error)) => Err(self.failed(&origin, error)),
            #[cfg(feature = "remote")]
            Err(Failed::Remote(error)) => {
                self.saw_nothing();
                Err(error)
            }
        }
    }

    fn refresh(&mut self) {
        self.refresh = true;
        #[cfg(feature = "remote")]
        self.refresh_remotes();
    }

    fn also_read(&mut self, names: &[Arc<str>]) {
        let none = || Part::new(WatchedSource::named());
        self.named.get_or_insert_with(none).name(names);
        // What was read without them is no evidence of a generation.
        self.refresh = true;
    }
}

/// Returns the bytes of a file that is not watched, and what is known of the very file
/// that was read.
pub(super) fn read_whole(
    path: &Path,
    origin: &Arc<str>,
    max: usize,
) -> Result<(Vec<u8>, Metadata), DetectError> {
    let failed = |error| describe(error, origin, max, true);
    let read = read::bounded(path, max).map_err(failed)?;
    let metadata = read.file.metadata();
    let metadata = metadata.map_err(|error| failed(ReadError::Io(error)))?;
    Ok((read.bytes, metadata))
}
