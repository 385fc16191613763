//! What is watched: files, files that may be missing, and folders of files; and
//! the files that come of it, in order of precedence.

use core::time::Duration;

use super::super::source::{Kind, WatchedSource, document};
use super::super::std::fs;
use super::super::std::io::{self, ErrorKind};
use super::super::std::path::{Path, PathBuf, absolute};
use super::super::std::prelude::rust_2024::*;
use super::super::std::sync::Arc;
use super::super::std::{format, vec};
use super::Failed;
use super::read::{self, ReadError};
use super::stamp::Stamp;
use super::watched::Watched;
use super::witness::{Found, Seen};
use crate::engine::path::{PathDisplay, Segment};
use crate::engine::{Language, Layer, NamedFile, is_blank};

/// A folder of more files than this is taken for the wrong folder.
const MAX_FILES: usize = 1000;

/// One part of what is watched: a source as the user named it.
#[derive(Debug)]
pub(super) struct Part {
    source: WatchedSource,
    origin: Arc<str>,
    /// The folder itself, where it is one: it moves when names in it come and go.
    folder: Option<Watched>,
    pub(super) members: Vec<Member>,
}

/// One file of the set.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) path: PathBuf,
    pub(super) origin: Arc<str>,
    kind: Kind,
    /// Nothing, or a file without a value, is as good.
    may_be_missing: bool,
    language: Option<Language>,
    nested: Option<String>,
    name: String,
    pub(super) watched: Watched,
}

impl Part {
    pub(super) fn new(mut source: WatchedSource) -> Self {
        let origin: Arc<str> = source.path.to_string_lossy().into();
        source.path = absolute(&source.path).unwrap_or(source.path);
        let is_folder = matches!(source.kind, Kind::DropIns | Kind::Keys | Kind::EmptyKeys);
        let mut part = Part {
            folder: is_folder.then(Watched::default),
            members: vec![],
            origin: origin.clone(),
            source,
        };
        if part.source.kind == Kind::File {
            let path = part.source.path.clone();
            part.members.push(part.member(path, origin, String::new()));
        }
        part
    }

    /// From now on, the files are these. Those that were there before keep what is known
    /// of them.
    pub(super) fn name(&mut self, names: &[Arc<str>]) {
        let mut before = core::mem::take(&mut self.members);
        for name in names {
            let known = before.iter().position(|member| member.origin == *name);
            self.members.push(match known {
                Some(at) => before.swap_remove(at),
                None => {
                    let path = Path::new(&**name);
                    let path = absolute(path).unwrap_or_else(|_| path.to_path_buf());
                    self.member(path, name.clone(), String::new())
                }
            });
        }
    }

    /// Returns the path and its name, if it is one of a file.
    pub(super) fn file(&self) -> Option<(&Path, &str)> {
        let is_file = self.source.kind == Kind::File;
        is_file.then_some((&*self.source.path, &*self.origin))
    }

    pub(super) fn origin(&self) -> &Arc<str> {
        &self.origin
    }

    /// Takes the stamp of the folder, if it is one, and of every file that is known.
    pub(super) fn take_stamps(&mut self) -> Result<(), Failed> {
        if self.folder.is_some() {
            let stamp = self.folder_stamp()?;
            if let Some(folder) = &mut self.folder {
                folder.stamp = Some(stamp);
            }
        }
        for member in &mut self.members {
            member.take_stamp()?;
        }
        Ok(())
    }

    fn folder_stamp(&self) -> Result<Stamp, Failed> {
        match read::folder_stamp(&self.source.path) {
            Err(ReadError::Io(error)) if self.may_be_missing(&error) => Ok(Stamp::ABSENT),
            stamp => stamp.map_err(|error| Failed::at(&self.origin, error)),
        }
    }

    fn may_be_missing(&self, error: &io::Error) -> bool {
        self.source.may_be_missing && error.kind() == ErrorKind::NotFound
    }

    /// Finds the files of the folder, if it is one; those that were there before
    /// keep what is known of them.
    pub(super) fn list(&mut self) -> Result<(), Failed> {
        if self.folder.is_none() {
            return Ok(());
        }
        let names = self.names()?;
        let mut before = core::mem::take(&mut self.members);
        for name in names {
            let known = before.iter().position(|member| member.name == name);
            let member = match known {
                Some(at) => before.swap_remove(at),
                None => {
                    let origin = Path::new(&*self.origin).join(&name);
                    let origin = origin.to_string_lossy().into();
                    let mut member = self.member(self.source.path.join(&name), origin, name);
                    member.take_stamp()?;
                    member
                }
            };
            self.members.push(member);
        }
        Ok(())
    }

    fn member(&self, path: PathBuf, origin: Arc<str>, name: String) -> Member {
        let source = &self.source;
        Member {
            path,
            origin,
            kind: source.kind,
            may_be_missing: source.may_be_missing && source.kind == Kind::File,
            language: source.language,
            nested: source.nested.clone(),
            name,
            watched: Watched::default(),
        }
    }

    /// The names of the files that count, in byte order.
    fn names(&self) -> Result<Vec<String>, Failed> {
        let failed = |error| Failed::at(&self.origin, ReadError::Io(error));
        let mut names = Vec::new();
        let entries = match fs::read_dir(&self.source.path) {
            Err(error) if self.may_be_missing(&error) => return Ok(names),
            entries => entries.map_err(failed)?,
        };
        for entry in entries {
            let name = entry.map_err(failed)?.file_name();
            let shown = name.to_string_lossy();
            match name.to_str() {
                Some(name) if self.counts(name) => names.push(String::from(name)),
                // A name that is no text cannot be a key, nor be asked for in a log.
                None if self.counts(&shown) => {
                    let name = shown.into_owned();
                    return Err(Failed::at(&self.origin, ReadError::NameIsNoText(name)));
                }
                _ => {}
            }
            if names.len() > MAX_FILES {
                return Err(Failed::at(&self.origin, ReadError::TooMany(MAX_FILES)));
            }
        }
        if names.is_empty() && self.source.kind == Kind::Keys {
            return Err(Failed::at(&self.origin, ReadError::NoKeys));
        }
        names.sort_unstable();
        Ok(names)
    }

    /// Whether a file of that name in the folder counts. Names with a dot before
    /// them never do: editors, Kubernetes (`..data`) and many tools keep theirs
    /// there.
    fn counts(&self, name: &str) -> bool {
        if name.starts_with('.') {
            return false;
        }
        match self.source.kind {
            // As systemd takes `*.conf` and nothing else, so that backups of
            // editors and package managers (`~`, `.bak`, `.dpkg-old`) do not.
            Kind::DropIns => ENDINGS.iter().any(|ending| {
                let stem = name.strip_suffix(ending);
                stem.is_some_and(|stem| !stem.is_empty())
            }),
            // A folder in it is no value.
            _ => !name.ends_with('~') && !self.source.path.join(name).is_dir(),
        }
    }

    /// After everything was read: is every file the one whose stamp was taken, and
    /// are there the same names in the folder?
    pub(super) fn must_be_the_same(&self) -> Result<(), Failed> {
        for member in &self.members {
            member.must_be_the_same()?;
        }
        let Some(folder) = &self.folder else {
            return Ok(());
        };
        if folder.stamp == Some(self.folder_stamp()?) {
            return Ok(());
        }
        // Somebody may be busy with other files there.
        let names = self.names()?;
        let same = names.iter().eq(self.members.iter().map(|m| &m.name));
        if same {
            return Ok(());
        }
        Err(Failed::Moved)
    }

    /// It was read whole under the stamps that it has. Returns whether that of a file is
    /// new.
    pub(super) fn remember(&mut self, now: Duration) -> bool {
        if let Some(folder) = &mut self.folder {
            folder.remember(now);
        }
        let mut moved = false;
        for member in &mut self.members {
            moved |= member.watched.is_new();
            member.watched.remember(now);
        }
        moved
    }

    /// Everything whose stamp decides whether to read.
    pub(super) fn watched(&mut self) -> impl Iterator<Item = &mut Watched> {
        let members = self.members.iter_mut().map(|member| &mut member.watched);
        self.folder.iter_mut().chain(members)
    }
}

fn key(name: &str) -> Segment {
    Segment::Key(name.into())
}

/// The endings of files in a folder of drop-ins.
const ENDINGS: &[&str] = &[
    ".yaml",
    ".yml",
    ".json",
    #[cfg(feature = "toml")]
    ".toml",
];

impl Member {
    pub(super) fn take_stamp(&mut self) -> Result<(), Failed> {
        self.watched.stamp = Some(self.stamp()?);
        Ok(())
    }

    fn stamp(&self) -> Result<Stamp, Failed> {
        match read::stamp(&self.path) {
            Ok(stamp) => Ok(stamp),
            Err(error) => self.missing(error),
        }
    }

    /// What it means that the file cannot be looked at.
    fn missing(&self, error: ReadError) -> Result<Stamp, Failed> {
        let is_gone = matches!(&error, ReadError::Io(e) if e.kind() == ErrorKind::NotFound);
        match self.kind {
            Kind::Named => Ok(Stamp::ABSENT),
            _ if !is_gone => Err(Failed::at(&self.origin, error)),
            Kind::File if self.may_be_missing => Ok(Stamp::ABSENT),
            Kind::File => Err(Failed::at(&self.origin, error)),
            // It was there when the folder was listed, or its link leads nowhere.
            Kind::DropIns | Kind::Keys | Kind::EmptyKeys if self.path.is_symlink() => {
                Err(Failed::at(&self.origin, error))
            }
            Kind::DropIns | Kind::Keys | Kind::EmptyKeys => Ok(Stamp::ABSENT),
        }
    }

    /// Reads it as a layer, or finds it missing where it may be. It is kept open if
    /// `hold` says so and it is new.
    pub(super) fn read(&self, max: usize, hold: bool) -> Result<Seen, Failed> {
        if self.kind == Kind::Named {
            return self.read_named(max, hold);
        }
        if self.watched.stamp == Some(Stamp::ABSENT) {
            // One that vanished from its folder after it was listed is no longer
            // of the set.
            return match self.may_be_missing {
                true => Ok(Seen::missing(self.watched.stamp)),
                false => Err(Failed::Moved),
            };
        }
        let mut opened = match read::bounded(&self.path, max) {
            Ok(opened) => opened,
            Err(ReadError::Io(error)) if self.is_of_now(error.kind()) => {
                return Err(Failed::Moved);
            }
            Err(error) => return Err(Failed::at(&self.origin, error)),
        };
        self.watched.must_still_be(&opened.stamp)?;
        let bytes = core::mem::take(&mut opened.bytes);
        if self.may_be_missing && is_blank(&bytes) {
            // It says as little as if it were missing, and so makes no version.
            return Ok(Seen::missing(self.watched.stamp));
        }
        let layer = self.layer(bytes);
        Ok(Seen::new(layer, opened, hold && self.watched.is_new()))
    }

    /// Reads a file that the configuration names, or finds out why it cannot be read.
    fn read_named(&self, max: usize, hold: bool) -> Result<Seen, Failed> {
        let is_absent = self.watched.stamp == Some(Stamp::ABSENT);
        match read::bounded(&self.path, max) {
            // It came to be there since its stamp was taken.
            Ok(_) if is_absent => Err(Failed::Moved),
            Ok(mut opened) => {
                self.watched.must_still_be(&opened.stamp)?;
                let layer = self.layer(core::mem::take(&mut opened.bytes));
                Ok(Seen::new(layer, opened, hold && self.watched.is_new()))
            }
            Err(ReadError::Io(error)) if !is_absent && self.is_of_now(error.kind()) => {
                Err(Failed::Moved)
            }
            Err(ReadError::TooLarge) => {
                let reason = "makes all files together larger than the limit";
                Ok(Seen::unreadable(self.watched.stamp, reason.into()))
            }
            Err(error) => Ok(Seen::unreadable(
                self.watched.stamp,
                read::in_words(error, max).1,
            )),
        }
    }

    /// Returns what was found as a file that the configuration names.
    pub(super) fn as_named(&self, seen: &Seen) -> Option<NamedFile> {
        let name = self.origin.clone();
        match &seen.found {
            _ if self.kind != Kind::Named => None,
            Found::Layer(layer) => Some(NamedFile::new(name, layer.share())),
            Found::Nothing(reason) => Some(NamedFile::unreadable(name, &**reason)),
        }
    }

    /// Whether an error is of this moment: somebody holds a lease on the file and is
    /// asked to give it back (`fcntl(2)`, `F_SETLEASE`), or the file was just removed.
    fn is_of_now(&self, error: ErrorKind) -> bool {
        let must_be_there = self.kind == Kind::File && !self.may_be_missing;
        let is_gone = error == ErrorKind::NotFound && !must_be_there;
        is_gone || error == ErrorKind::WouldBlock
    }

    pub(super) fn layer(&self, mut bytes: Vec<u8>) -> Layer {
        let origin = self.origin.clone();
        match self.kind {
            Kind::File | Kind::DropIns | Kind::Named => {
                document(origin, bytes, self.language, self.may_be_missing)
            }
            Kind::Keys | Kind::EmptyKeys => {
                // `echo` and editors end the last line; the value does not.
                if bytes.ends_with(b"\n") {
                    bytes.pop();
                    if bytes.ends_with(b"\r") {
                        bytes.pop();
                    }
                }
                let path: Vec<_> = match &self.nested {
                    Some(separator) => self.name.split(&**separator).map(key).collect(),
                    None => vec![key(&self.name)],
                };
                let layer = Layer::text(origin, format!("{}", PathDisplay(&path)), bytes).secret();
                match self.kind {
                    Kind::EmptyKeys => layer.optional(),
                    _ => layer,
                }
            }
        }
    }

    fn must_be_the_same(&self) -> Result<(), Failed> {
        self.watched.must_still_be(&self.stamp()?)
    }
}
