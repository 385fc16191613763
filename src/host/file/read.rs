//! Reads a file that may be anything: never hangs on opening a pipe, never takes
//! more than the limit and one byte.

use super::super::std::format;
use super::super::std::fs::{self, File, FileType, Metadata, OpenOptions};
use super::super::std::io::{self, Read as _};
use super::super::std::path::Path;
use super::super::std::prelude::rust_2024::*;
use super::super::std::sync::Arc;
use super::stamp::Stamp;
use crate::report::{DetectError, DetectErrorKind};

/// Why a file could not be read.
#[derive(Debug)]
pub(super) enum ReadError {
    NotAFile(&'static str),
    NotAFolder(&'static str),
    TooMany(usize),
    /// A folder of keys is empty.
    NoKeys,
    /// The name of a file in a folder.
    NameIsNoText(String),
    TooLarge,
    Io(io::Error),
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        ReadError::Io(error)
    }
}

/// The stamp of what the path leads to, with its links.
pub(super) fn stamp(path: &Path) -> Result<Stamp, ReadError> {
    let metadata = fs::metadata(path)?;
    must_be_a_file(&metadata)?;
    Ok(Stamp::of(&metadata))
}

/// The stamp of the folder that the path leads to.
pub(super) fn folder_stamp(path: &Path) -> Result<Stamp, ReadError> {
    let metadata = fs::metadata(path)?;
    if metadata.is_dir() {
        return Ok(Stamp::of(&metadata));
    }
    let file_type = metadata.file_type();
    let found = if file_type.is_file() {
        "a file"
    } else {
        name_of(file_type)
    };
    Err(ReadError::NotAFolder(found))
}

/// A file that was opened and read.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) bytes: Vec<u8>,
    /// Of the very file that was opened.
    pub(super) stamp: Stamp,
    pub(super) file: File,
}

/// Reads the file at `path`.
pub(super) fn bounded(path: &Path, max: usize) -> Result<Opened, ReadError> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use super::super::std::os::unix::fs::OpenOptionsExt;
        // A pipe without a writer would otherwise hang in `open`, and a
        // terminal would become ours.
        options.custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
    }
    let file = options.open(path)?;
    // The path may have been swapped since it was looked at, so the question is
    // asked again of what was opened.
    let metadata = file.metadata()?;
    must_be_a_file(&metadata)?;
    let bytes = content(&file, &metadata, max)?;
    let stamp = Stamp::of(&metadata);
    Ok(Opened { bytes, stamp, file })
}

/// Reads an open file from where it stands, and one byte more than `max` at most.
pub(super) fn content(file: &File, metadata: &Metadata, max: usize) -> Result<Vec<u8>, ReadError> {
    if metadata.len() > max as u64 {
        return Err(ReadError::TooLarge);
    }
    let mut bytes = Vec::new();
    let size = metadata.len() as usize + 1;
    bytes
        .try_reserve_exact(size)
        .map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
    if size > AT_ONCE || !at_once(file, &mut bytes, size)? {
        let left = (max as u64 + 1).saturating_sub(bytes.len() as u64);
        file.take(left).read_to_end(&mut bytes)?;
    }
    if bytes.len() > max {
        return Err(ReadError::TooLarge);
    }
    Ok(bytes)
}

/// A file of this size is asked for in one call; the standard library asks for what it
/// does not know the end of in parts.
const AT_ONCE: usize = 64 * 1024;

/// Reads up to `size` bytes. Returns whether that was all.
fn at_once(mut file: &File, bytes: &mut Vec<u8>, size: usize) -> io::Result<bool> {
    bytes.resize(size, 0);
    let mut filled = 0;
    while filled < size {
        match file.read(&mut bytes[filled..]) {
            Ok(0) => {
                bytes.truncate(filled);
                return Ok(true);
            }
            Ok(more) => filled += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}

fn must_be_a_file(metadata: &Metadata) -> Result<(), ReadError> {
    if metadata.is_file() {
        return Ok(());
    }
    Err(ReadError::NotAFile(name_of(metadata.file_type())))
}

fn name_of(file_type: FileType) -> &'static str {
    #[cfg(unix)]
    {
        use super::super::std::os::unix::fs::FileTypeExt;
        if file_type.is_fifo() {
            return "a named pipe";
        }
        if file_type.is_socket() {
            return "a socket";
        }
        if file_type.is_char_device() || file_type.is_block_device() {
            return "a device";
        }
    }
    if file_type.is_dir() {
        "a folder"
    } else {
        "something else"
    }
}

/// Returns what is said of an error. `max` is the limit for all files together.
pub(super) fn describe(
    error: ReadError,
    origin: &Arc<str>,
    max: usize,
    is_one: bool,
) -> DetectError {
    let is_too_large = matches!(error, ReadError::TooLarge);
    let (kind, message) = in_words(error, max);
    let message = match is_too_large && !is_one {
        true => format!("all files together are {message}"),
        false => message,
    };
    DetectError::new(kind, origin.clone(), message)
}

pub(super) fn in_words(error: ReadError, max: usize) -> (DetectErrorKind, String) {
    use DetectErrorKind as Kind;
    match error {
        ReadError::NotAFile(what) => (Kind::NotAFile, format!("expected a file, found {what}")),
        ReadError::NotAFolder(what) => (Kind::NotAFile, format!("expected a folder, found {what}")),
        ReadError::TooMany(max) => (Kind::TooLarge, format!("holds more than {max} files")),
        ReadError::NoKeys => (Kind::Other, "holds no key; is it mounted?".into()),
        ReadError::NameIsNoText(name) => (
            Kind::Other,
            format!("the name of a file in it is not UTF-8: {name}"),
        ),
        ReadError::TooLarge => {
            let message = format!("larger than the limit of {max} bytes");
            (Kind::TooLarge, message)
        }
        ReadError::Io(error) => match error.kind() {
            io::ErrorKind::NotFound => (Kind::NotFound, String::from("no such file")),
            io::ErrorKind::PermissionDenied => {
                (Kind::PermissionDenied, String::from("permission denied"))
            }
            _ => (Kind::Other, error.to_string()),
        },
    }
}
