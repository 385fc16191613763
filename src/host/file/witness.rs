//! Evidence that content is whole although the file at the path never holds still:
//! the file that was read then is kept open, and shows a settle time later that nobody
//! wrote to it. Times alone prove nothing, for anybody can set them.

use core::time::Duration;

use super::super::std::fs::{File, Metadata};
use super::super::std::io::{Seek as _, SeekFrom};
use super::super::std::prelude::rust_2024::*;
use super::read::{self, Opened};
use super::sources::Member;
use super::stamp::Stamp;
use crate::engine::{Document, Layer};

/// What one poll found, all of it.
#[derive(Debug)]
pub(super) struct Witness {
    pub(super) at: Duration,
    pub(super) document: Document,
    seen: Vec<Seen>,
}

/// What one poll found of one file.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) found: Found,
    stamp: Option<Stamp>,
    held: Option<Held>,
}

/// What is to be had of a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    Layer(Layer),
    /// It may be missing, or unreadable, and is, for this reason.
    Nothing(String),
}

/// A file that is kept open.
#[derive(Debug)]
struct Held {
    file: File,
    /// How many names it had.
    links: u64,
}

impl Witness {
    pub(super) fn new(at: Duration, document: Document, seen: Vec<Seen>) -> Self {
        Witness { at, document, seen }
    }

    /// Whether every file is known to have been whole then: its stamp and its bytes are
    /// the same now, or it was renamed into place, and nobody wrote to it since.
    pub(super) fn holds(&self, members: &[&Member], now: &[Seen], max: usize) -> bool {
        let all = self.seen.iter().zip(members).zip(now);
        members.len() == self.seen.len()
            && all.into_iter().all(|((then, member), now)| {
                let is_same_stamp = then.stamp == now.stamp && then.found == now.found;
                is_same_stamp || then.is_unwritten(member, max)
            })
    }
}

impl Seen {
    pub(super) const fn missing(stamp: Option<Stamp>) -> Self {
        Seen::unreadable(stamp, String::new())
    }

    pub(super) const fn unreadable(stamp: Option<Stamp>, reason: String) -> Self {
        Seen {
            found: Found::Nothing(reason),
            stamp,
            held: None,
        }
    }

    /// Returns whether a file is there and cannot be read: its stamp does not tell when
    /// that ends.
    pub(super) fn is_unread(&self) -> bool {
        let is_there = self.stamp != Some(Stamp::ABSENT);
        matches!(self.found, Found::Nothing(ref reason) if !reason.is_empty()) && is_there
    }

    pub(super) fn layer(&self) -> Option<&Layer> {
        match &self.found {
            Found::Layer(layer) => Some(layer),
            Found::Nothing(_) => None,
        }
    }

    pub(super) fn new(layer: Layer, opened: Opened, hold: bool) -> Self {
        let Opened { stamp, file, .. } = opened;
        let held = |file: File| {
            let links = links(&file.metadata().ok()?);
            Some(Held { file, links })
        };
        Seen {
            found: Found::Layer(layer),
            stamp: Some(stamp),
            held: if hold { held(file) } else { None },
        }
    }

    fn is_unwritten(&self, member: &Member, max: usize) -> bool {
        let (Some(held), Some(stamp), Some(layer)) = (&self.held, &self.stamp, self.layer()) else {
            return false;
        };
        let unwritten = || {
            let metadata = held.file.metadata().ok()?;
            let unlinked = links(&metadata) < held.links;
            if !stamp.was_renamed() || !stamp.is_unwritten(&Stamp::of(&metadata), unlinked) {
                return None;
            }
            (&held.file).seek(SeekFrom::Start(0)).ok()?;
            let bytes = read::content(&held.file, &metadata, max).ok()?;
            Some(member.layer(bytes) == *layer)
        };
        unwritten() == Some(true)
    }
}

fn links(metadata: &Metadata) -> u64 {
    #[cfg(unix)]
    {
        use super::super::std::os::unix::fs::MetadataExt;
        metadata.nlink()
    }
    #[cfg(not(unix))]
    {
        let _ = metadata;
        1
    }
}
