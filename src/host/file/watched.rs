//! What is known of one file or folder from its stamps: whether it has to be
//! looked into again.

use core::time::Duration;

use super::stamp::Stamp;
use super::{Failed, YOUNG};

/// The stamps of one file or folder.
#[derive(Debug, Default)]
pub(super) struct Watched {
    /// The stamp at this poll, while it lasts.
    pub(super) stamp: Option<Stamp>,
    read: Option<Read>,
}

/// The last time that it was read whole.
#[derive(Clone, Copy, Debug)]
struct Read {
    stamp: Stamp,
    /// The poll that saw this stamp first.
    since: Duration,
    /// The poll that read the file under this stamp last.
    last: Duration,
}

impl Watched {
    /// Whether it was read under the stamp that it has now, at a time when that
    /// stamp was old enough for any later write to have moved it. That a file is
    /// not there needs no age.
    pub(super) fn is_aged(&self) -> bool {
        let Some(read) = &self.read else {
            return false;
        };
        let old = read.last.saturating_sub(read.since) >= YOUNG || read.stamp == Stamp::ABSENT;
        self.stamp.as_ref() == Some(&read.stamp) && old
    }

    /// Whether it was not read yet under the stamp that it has now.
    pub(super) fn is_new(&self) -> bool {
        self.stamp != self.read.map(|read| read.stamp)
    }

    pub(super) fn must_still_be(&self, stamp: &Stamp) -> Result<(), Failed> {
        match &self.stamp {
            Some(before) if before == stamp => Ok(()),
            _ => Err(Failed::Moved),
        }
    }

    /// It was read whole under the stamp that it has.
    pub(super) fn remember(&mut self, now: Duration) {
        let Some(stamp) = self.stamp else {
            return;
        };
        let since = match &self.read {
            Some(read) if read.stamp == stamp => read.since,
            _ => now,
        };
        let last = now;
        self.read = Some(Read { stamp, since, last });
    }

    pub(super) fn forget(&mut self) {
        self.read = None;
    }
}
