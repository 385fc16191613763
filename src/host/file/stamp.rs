//! The cheap evidence of what a path leads to at one moment. Two stamps are
//! compared with `==` only: an older time is as much a change as a newer one.

use super::super::std::fs::Metadata;
use super::super::std::time::SystemTime;

/// After so many polls that trusted the stamp, one reads in full: a mapped
/// write, or a network file system, may leave the stamp as it was. Where the
/// platform tells neither which file it is nor when it was last changed in any
/// way, a stamp is worth less, and the full read comes more often.
pub(super) const FULL_READ_EVERY: u32 = if cfg!(unix) { 30 } else { 5 };

/// Which file it is, how long, and when it was touched, as exactly as the
/// platform tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    /// Or `false`: nothing is there, and the rest says nothing.
    there: bool,
    size: u64,
    modified: Option<SystemTime>,
    /// When the file was made, where that is kept. A number of a file that was
    /// deleted is soon given to another; this tells them apart. Where there is
    /// no number, it is all that tells a replaced file from the one before.
    born: Option<SystemTime>,
    #[cfg(unix)]
    device_and_inode: (u64, u64),
    /// The change time, in seconds and nanoseconds: of the content, the name or
    /// the rights. It cannot be put back by the one who edits the file.
    #[cfg(unix)]
    changed: (i64, i64),
}

impl Stamp {
    /// Of a file that may be missing, and is.
    pub(super) const ABSENT: Stamp = Stamp {
        there: false,
        size: 0,
        modified: None,
        born: None,
        #[cfg(unix)]
        device_and_inode: (0, 0),
        #[cfg(unix)]
        changed: (0, 0),
    };

    pub(super) fn of(metadata: &Metadata) -> Self {
        #[cfg(unix)]
        use super::super::std::os::unix::fs::MetadataExt;
        Stamp {
            there: true,
            size: metadata.len(),
            modified: metadata.modified().ok(),
            born: metadata.created().ok(),
            #[cfg(unix)]
            device_and_inode: (metadata.dev(), metadata.ino()),
            #[cfg(unix)]
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// Whether a file that is still open shows that nobody wrote to it since this stamp
    /// was taken. `unlinked` if it lost a name meanwhile, which moves its change time.
    pub(super) fn is_unwritten(&self, now: &Stamp, unlinked: bool) -> bool {
        #[cfg(unix)]
        let untouched = unlinked || self.changed == now.changed;
        #[cfg(not(unix))]
        let untouched = {
            let _ = unlinked;
            true
        };
        untouched && self.size == now.size && self.modified == now.modified
    }

    /// Whether the file was renamed after its last write: a rename moves the
    /// change time and not the modification time. One that is created and
    /// written in place has them equal.
    pub(super) fn was_renamed(&self) -> bool {
        #[cfg(unix)]
        return self.modified.is_some_and(|m| self.changed_after(m));
        #[cfg(not(unix))]
        false
    }

    #[cfg(unix)]
    fn changed_after(&self, modified: SystemTime) -> bool {
        use core::time::Duration;
        let (seconds, nanoseconds) = self.changed;
        let (Ok(seconds), Ok(nanoseconds)) = (u64::try_from(seconds), u32::try_from(nanoseconds))
        else {
            return false;
        };
        let changed = SystemTime::UNIX_EPOCH.checked_add(Duration::new(seconds, nanoseconds));
        changed.is_some_and(|changed| changed > modified)
    }
}
