//! Files that a configuration names, such as the certificate and the key of a server.
//! They are read with it, as one generation; what they mean is the application's.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

/// A file that the configuration names, as it was read with it.
///
/// `Debug` leaves the bytes out: they may be a private key.
#[derive(Clone, PartialEq, Eq)]
pub struct NamedFile {
    name: Arc<str>,
    content: Result<Arc<[u8]>, Arc<str>>,
}

/// Returns the names of the files that a value names, in its own words.
pub(crate) type Names<T> = Box<dyn Fn(&T) -> Vec<Arc<str>> + Send>;

impl NamedFile {
    /// A file that was read.
    pub fn new(name: impl Into<Arc<str>>, bytes: impl Into<Arc<[u8]>>) -> Self {
        NamedFile {
            name: name.into(),
            content: Ok(bytes.into()),
        }
    }

    /// A file that cannot be read, for this reason. A configuration that names it is
    /// rejected.
    pub fn unreadable(name: impl Into<Arc<str>>, reason: impl Into<Arc<str>>) -> Self {
        NamedFile {
            name: name.into(),
            content: Err(reason.into()),
        }
    }

    /// Returns the path, as the configuration has it.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Returns what was read.
    ///
    /// # Errors
    ///
    /// The reason why it cannot be read.
    pub fn bytes(&self) -> Result<&[u8], &str> {
        match &self.content {
            Ok(bytes) => Ok(bytes),
            Err(reason) => Err(reason),
        }
    }
}

impl fmt::Debug for NamedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NamedFile")
            .field("name", &self.name)
            .field("len", &self.bytes().map(<[u8]>::len))
            .finish_non_exhaustive()
    }
}
