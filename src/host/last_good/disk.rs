//! The few things that writing a file safely asks of a disk. A seam, so that tests
//! can let each of them fail, or the world end there.

use super::super::std::format;
use super::super::std::fs::{self, File, Metadata};
use super::super::std::io::{self, ErrorKind as Kind, Read as _, Write as _};
use super::super::std::path::{Path, PathBuf};
use super::super::std::prelude::rust_2024::*;
use super::super::std::time::SystemTime;
use super::temporary;

/// So many links are followed, one after the other, as Linux does.
const MOST_LINKS: usize = 40;

pub(crate) trait Disk {
    type File;

    /// Returns the path behind the links that `path` may be, whether or not something is
    /// there.
    fn target(&mut self, path: &Path) -> io::Result<PathBuf>;
    /// The first bytes of what is there; none if nothing is.
    fn head(&mut self, path: &Path, length: usize) -> io::Result<Vec<u8>>;
    /// Which file is there, with its length, as far as the platform tells.
    fn identity(&mut self, path: &Path) -> Option<Identity>;
    /// A file that nobody else can read: a new one, or an empty one that could not be
    /// removed.
    fn create(&mut self, path: &Path) -> io::Result<Self::File>;
    fn write_all(&mut self, file: &mut Self::File, bytes: &[u8]) -> io::Result<()>;
    /// Until what was written is where a power cut does not reach it.
    fn sync(&mut self, file: &mut Self::File) -> io::Result<()>;
    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()>;
    /// The same for the names in a folder.
    fn sync_folder(&mut self, folder: &Path) -> io::Result<()>;
    /// Removes a temporary file, or at least its content.
    fn remove(&mut self, path: &Path) -> io::Result<()>;
    /// Removes what a process that was killed left behind for the file called
    /// `name`. If another is at work there at this moment, which should not be, it
    /// fails to rename, says so, and tries again.
    fn remove_leftovers(&mut self, folder: &Path, name: &str);
}

/// Which file something is, and how long: what damage in place leaves as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    #[cfg(unix)]
    device_and_inode: (u64, u64),
    /// A number of a file that was deleted is soon given to another.
    born: Option<SystemTime>,
    length: u64,
}

impl Identity {
    pub(super) fn of(metadata: &Metadata) -> Self {
        #[cfg(unix)]
        use super::super::std::os::unix::fs::MetadataExt;
        Identity {
            #[cfg(unix)]
            device_and_inode: (metadata.dev(), metadata.ino()),
            born: metadata.created().ok(),
            length: metadata.len(),
        }
    }

    /// Returns whether it is the same file, shorter or longer than it was.
    pub(super) fn has_another_length(&self, before: &Self) -> bool {
        let length = before.length;
        self.length != length && Identity { length, ..*self } == *before
    }
}

/// The real one.
pub(crate) struct Folder;

impl Disk for Folder {
    type File = File;

    fn target(&mut self, path: &Path) -> io::Result<PathBuf> {
        let mut at = path.to_path_buf();
        for _ in 0..MOST_LINKS {
            match fs::symlink_metadata(&at) {
                Ok(link) if link.is_symlink() => at = behind(&at, &link)?,
                Err(error) if error.kind() != Kind::NotFound => return Err(error),
                _ => return Ok(at),
            }
        }
        Err(io::Error::other("its link leads in a circle, or too far"))
    }

    fn head(&mut self, path: &Path, length: usize) -> io::Result<Vec<u8>> {
        match fs::metadata(path) {
            Err(error) if error.kind() == Kind::NotFound => return Ok(Vec::new()),
            Ok(metadata) if !metadata.is_file() => return Err(io::Error::other("not a file")),
            _ => {}
        }
        let mut head = Vec::new();
        File::open(path)?
            .take(length as u64)
            .read_to_end(&mut head)?;
        Ok(head)
    }

    fn identity(&mut self, path: &Path) -> Option<Identity> {
        fs::metadata(path).ok().as_ref().map(Identity::of)
    }

    fn create(&mut self, path: &Path) -> io::Result<File> {
        temporary::create(path)
    }

    fn write_all(&mut self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        // The kernel ends a process that writes beyond this limit (SIGXFSZ), unless it
        // was told otherwise, and how signals are handled is the program's to say.
        if let Some(limit) = file_size_limit()?.filter(|limit| bytes.len() as u64 > *limit) {
            let takes = bytes.len();
            let message = format!(
                "it takes {takes} bytes, and this process may write files of {limit} bytes at most \
                 (RLIMIT_FSIZE)"
            );
            return Err(io::Error::new(Kind::FileTooLarge, message));
        }
        file.write_all(bytes)
    }

    fn sync(&mut self, file: &mut File) -> io::Result<()> {
        file.sync_all()
    }

    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    #[cfg(unix)]
    fn sync_folder(&mut self, folder: &Path) -> io::Result<()> {
        match File::open(folder)?.sync_all() {
            // A file system that has no such thing keeps its names in its own way.
            Err(error) if matches!(error.kind(), Kind::InvalidInput | Kind::Unsupported) => Ok(()),
            synced => synced,
        }
    }

    /// Where a folder cannot be opened, its names are the file system's to keep.
    #[cfg(not(unix))]
    fn sync_folder(&mut self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn remove(&mut self, path: &Path) -> io::Result<()> {
        let removed = fs::remove_file(path);
        let denied = |error: &io::Error| error.kind() == Kind::PermissionDenied;
        if removed.as_ref().is_err_and(denied) {
            // The name has to stay, as in an append-only folder; secrets do not.
            let _ = temporary::emptied(path);
        }
        removed
    }

    fn remove_leftovers(&mut self, folder: &Path, name: &str) {
        let Ok(entries) = fs::read_dir(folder) else {
            return;
        };
        for entry in entries.flatten() {
            if temporary::is_temporary(&entry.file_name().to_string_lossy(), name) {
                let _ = self.remove(&entry.path());
            }
        }
    }
}

/// Returns where one link leads. Whoever made the link chooses what is written to, so
/// its owner has to be as trusted as that of the file.
fn behind(at: &Path, link: &Metadata) -> io::Result<PathBuf> {
    #[cfg(unix)]
    if is_of_a_stranger(link) {
        let message = format!(
            "the link {} belongs to another user, and is not followed",
            at.display()
        );
        return Err(io::Error::new(Kind::PermissionDenied, message));
    }
    let _ = link;
    let to = fs::read_link(at)?;
    Ok(at.parent().map_or(to.clone(), |folder| folder.join(to)))
}

/// Returns how large a file this process may write, if the kernel tells and there is a
/// limit.
fn file_size_limit() -> io::Result<Option<u64>> {
    match fs::read_to_string("/proc/self/limits") {
        Ok(limits) => Ok(file_size_limit_in(&limits)),
        Err(error) if error.kind() == Kind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Returns the soft limit of the size of files in a text of `/proc/…/limits`.
pub(super) fn file_size_limit_in(limits: &str) -> Option<u64> {
    let mut lines = limits.lines();
    let limit = lines.find_map(|line| line.strip_prefix("Max file size"))?;
    limit.split_whitespace().next()?.parse().ok()
}

/// Returns why a file is not to be trusted: somebody else may have written it. It is the
/// rule of `ssh` for its keys, and of `sudo` for its rules.
pub(super) fn distrust(metadata: &Metadata) -> Option<&'static str> {
    #[cfg(unix)]
    {
        use super::super::std::os::unix::fs::MetadataExt;
        if metadata.mode() & 0o022 != 0 {
            return Some("others may write to it, so it is not trusted; `chmod go-w` it");
        }
        if is_of_a_stranger(metadata) {
            return Some("it belongs to another user, so it is not trusted");
        }
    }
    let _ = metadata;
    None
}

/// Returns whether a file belongs to somebody else than the user of this process or
/// root, as far as the kernel tells.
#[cfg(unix)]
fn is_of_a_stranger(metadata: &Metadata) -> bool {
    use super::super::std::os::unix::fs::MetadataExt;
    let owner = metadata.uid();
    owner != 0 && own_user().is_some_and(|own| own != owner)
}

/// Returns who runs this process. The kernel tells by whose its own entry is.
#[cfg(unix)]
pub(super) fn own_user() -> Option<u32> {
    use super::super::std::os::unix::fs::MetadataExt;
    fs::metadata("/proc/self").ok().map(|own| own.uid())
}
