//! What is known of one file or folder from its stamps: whether it has to be
//! looked into again.

use core::time::Duration;

use super::stamp::Stamp;
use super::{Failed, YOUNG};

/// The stamps of one file or folder.
#[derive(Debug, Default)]
pub(super) struct Watched {
    /// The stamp at this look, while it lasts.
    pub(super) stamp: Option<Stamp>,
    read: Option<Read>,
    /// The stamp under which its content was offered last.
    offered: Option<Stamp>,
}

/// The last time that it was read whole.
#[derive(Clone, Copy, Debug)]
struct Read {
    stamp: Stamp,
    /// The look that saw this stamp first.
    since: Duration,
    /// The look that read the file under this stamp last.
    last: Duration,
}

/// How content that is new came to be there.
#[derive(Clone, Copy)]
pub(super) struct Came {
    /// Every file that is new is another than before.
    pub(super) replaced: bool,
    /// And was renamed into place.
    pub(super) renamed: bool,
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

    pub(super) fn must_still_be(&self, stamp: &Stamp) -> Result<(), Failed> {
        match &self.stamp {
            Some(before) if before == stamp => Ok(()),
            Some(before) => Err(Failed::Moved {
                written: before.is_the_same_file(stamp),
            }),
            None => Err(Failed::Moved { written: true }),
        }
    }

    /// It was read whole under the stamp that it has. Says how, if it is new.
    pub(super) fn remember(&mut self, now: Duration, came: &mut Came) {
        let Some(stamp) = self.stamp else {
            return;
        };
        let mut since = now;
        match &self.read {
            Some(read) if read.stamp == stamp => since = read.since,
            other => {
                let same_file = |read: &Read| stamp.is_the_same_file(&read.stamp);
                came.replaced &= !other.as_ref().is_some_and(same_file);
            }
        }
        // Of all that is new since the last offer, not since the last look.
        if self.offered != Some(stamp) {
            came.renamed &= stamp.was_renamed();
        }
        let last = now;
        self.read = Some(Read { stamp, since, last });
    }

    /// The same for a folder, whose stamp says nothing of how its files came.
    pub(super) fn remember_folder(&mut self, now: Duration) {
        let mut ignored = Came {
            replaced: true,
            renamed: true,
        };
        self.remember(now, &mut ignored);
    }

    pub(super) fn offered(&mut self) {
        self.offered = self.stamp;
    }

    pub(super) fn forget(&mut self) {
        self.read = None;
    }
}
