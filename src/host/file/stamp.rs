//! The cheap evidence of what a path leads to at one moment. Two stamps are
//! compared with `==` only: an older time is as much a change as a newer one.

use super::super::std::fs::{self, Metadata};
use super::super::std::path::Path;
use super::read::{ReadError, must_be_a_file};

/// After so many looks that trusted the stamp, one reads in full: a mapped
/// write, or a network file system, may leave the stamp as it was. Where the
/// platform tells neither which file it is nor when it was last changed in any
/// way, a stamp is worth less, and the full read comes more often.
pub(super) const FULL_READ_EVERY: u32 = if cfg!(unix) { 30 } else { 5 };

/// Which file it is, how long, and when it was last touched, as exactly as the
/// platform tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    #[cfg(unix)]
    device_and_inode: (u64, u64),
    size: u64,
    /// Modification and change, in seconds and nanoseconds. The second cannot
    /// be put back by the one who edits the file.
    #[cfg(unix)]
    times: [(i64, i64); 2],
    /// Where there is no inode and no change time, the creation time is what
    /// tells a replaced file from the one before.
    #[cfg(not(unix))]
    times: [Option<super::super::std::time::SystemTime>; 2],
}

impl Stamp {
    /// The stamp of what the path leads to, with its links.
    pub(super) fn of_path(path: &Path) -> Result<Self, ReadError> {
        let metadata = fs::metadata(path)?;
        must_be_a_file(&metadata)?;
        Ok(Stamp::of(&metadata))
    }

    #[cfg(unix)]
    pub(super) fn of(metadata: &Metadata) -> Self {
        use super::super::std::os::unix::fs::MetadataExt;
        Stamp {
            device_and_inode: (metadata.dev(), metadata.ino()),
            size: metadata.size(),
            times: [
                (metadata.mtime(), metadata.mtime_nsec()),
                (metadata.ctime(), metadata.ctime_nsec()),
            ],
        }
    }

    #[cfg(not(unix))]
    pub(super) fn of(metadata: &Metadata) -> Self {
        Stamp {
            size: metadata.len(),
            times: [metadata.modified().ok(), metadata.created().ok()],
        }
    }

    /// Whether both are of the same file, as far as the platform tells.
    #[cfg(unix)]
    pub(super) fn is_the_same_file(&self, other: &Stamp) -> bool {
        self.device_and_inode == other.device_and_inode
    }

    /// Cannot be told, so the answer is the one that promises less.
    #[cfg(not(unix))]
    pub(super) fn is_the_same_file(&self, _: &Stamp) -> bool {
        true
    }

    /// Whether the file was renamed after its last write: a rename moves the
    /// change time and not the modification time. One that is created and
    /// written in place has them equal.
    #[cfg(unix)]
    pub(super) fn was_renamed(&self) -> bool {
        let [modified, changed] = self.times;
        changed > modified
    }

    /// Cannot be told, so the answer is the one that promises less.
    #[cfg(not(unix))]
    pub(super) fn was_renamed(&self) -> bool {
        false
    }
}
