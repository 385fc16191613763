//! Temporary files: what they are called, and how one that could not be removed is
//! written again.

use super::super::std::format;
use super::super::std::fs::{File, OpenOptions};
use super::super::std::hash::{BuildHasher, RandomState};
use super::super::std::io::{self, ErrorKind as Kind};
use super::super::std::path::{Path, PathBuf};
use super::super::std::prelude::rust_2024::*;
use super::super::std::process;
use super::super::std::sync::{Mutex, OnceLock, PoisonError};

/// Keeps the names of processes apart that have the same number, as in containers.
static CHANCE: OnceLock<RandomState> = OnceLock::new();

/// The paths that this process writes to at the moment.
static IN_USE: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// The path of a temporary file that no other write has at the moment. The same path
/// serves one file for all the life of a process: in a folder from which nothing can be
/// removed, leftovers do not pile up.
pub(super) struct Temporary(PathBuf);

impl Temporary {
    /// Takes one in this folder for the file called `name`. No other process uses it, nor
    /// does a child that was forked.
    pub(super) fn take(folder: &Path, name: &str) -> Self {
        let chance = CHANCE.get_or_init(RandomState::new);
        let path_of = |number: u32| {
            let own = chance.hash_one((process::id(), number));
            folder.join(format!(".{}.{own:016x}.tmp", beginning(name)))
        };
        let mut in_use = IN_USE.lock().unwrap_or_else(PoisonError::into_inner);
        let mut number = 0;
        // Two reloaders of a process may keep the same file.
        while in_use.contains(&path_of(number)) {
            number += 1;
        }
        in_use.push(path_of(number));
        Temporary(path_of(number))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let mut in_use = IN_USE.lock().unwrap_or_else(PoisonError::into_inner);
        in_use.retain(|path| *path != self.0);
    }
}

/// What of a name is left where the rest has to fit in, too: file systems take 255
/// bytes.
fn beginning(name: &str) -> &str {
    let mut end = name.len().min(200);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    &name[..end]
}

/// Returns whether a file is a temporary one for the file called `name`, of whatever
/// process.
pub(super) fn is_temporary(entry: &str, name: &str) -> bool {
    let middle = (entry.strip_prefix('.'))
        .and_then(|rest| rest.strip_prefix(beginning(name)))
        .and_then(|rest| rest.strip_prefix('.'))
        .and_then(|rest| rest.strip_suffix(".tmp"));
    middle.is_some_and(|m| m.len() == 16 && m.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// Creates a file that nobody else can read, or takes what an earlier try could not
/// remove.
pub(super) fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use super::super::std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    match options.open(path) {
        Err(error) if error.kind() == Kind::AlreadyExists => emptied(path),
        opened => opened,
    }
}

/// Opens a temporary file that is there, without its content. It is taken only if
/// nobody else can have a part in it: a link, a pipe, or a file that others can read
/// under this or another name may have been put there.
#[cfg(unix)]
pub(super) fn emptied(path: &Path) -> io::Result<File> {
    use super::super::std::os::unix::fs::{MetadataExt, OpenOptionsExt};
    let mut options = OpenOptions::new();
    options.write(true);
    options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY);
    let file = options.open(path)?;
    let metadata = file.metadata()?;
    let is_private = metadata.mode() & 0o7777 == 0o600 && metadata.nlink() == 1;
    let is_own = super::disk::own_user() == Some(metadata.uid());
    if !(metadata.is_file() && is_private && is_own) {
        let message = format!("{} is in the way, and is left alone", path.display());
        return Err(io::Error::new(Kind::AlreadyExists, message));
    }
    file.set_len(0)?;
    Ok(file)
}

/// Where a file does not tell whose it is, none is taken.
#[cfg(not(unix))]
pub(super) fn emptied(_: &Path) -> io::Result<File> {
    Err(Kind::AlreadyExists.into())
}
