//! Where a configuration comes from: files, folders, the environment, and what the
//! program says itself. How files are read is in `file/`.

#[cfg(feature = "reading")]
mod env;
#[cfg(feature = "values")]
mod values;

#[cfg(feature = "etcd")]
use super::remote::Etcd;
#[cfg(feature = "http")]
use super::remote::HttpSource;
#[cfg(feature = "remote")]
use super::remote::Remote;
use super::std::path::{Path, PathBuf};
use super::std::prelude::rust_2024::*;
use super::std::sync::Arc;
use super::std::vec;
use crate::engine::{Language, Layer};

/// A place that layers come from. The order in which sources are added is the order of
/// precedence: the later wins, key by key.
///
/// ```
/// # #[cfg(feature = "values")]
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use serde::{Deserialize, Serialize};
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("config.yaml");
/// # std::fs::write(&path, "port: 80")?;
/// # struct Flags { port: Option<u16> }
/// # let flags = Flags { port: Some(8080) };
/// use steadyconf::{Reloader, Source};
///
/// #[derive(Deserialize, Serialize)]
/// struct Config {
///     host: String,
///     port: u16,
/// }
///
/// let host = "localhost".into();
/// let reloader = Reloader::<Config>::builder()
///     .source(Source::defaults(&Config { host, port: 0 }))
///     .source(Source::file(&path))
///     .source(Source::dir(folder.path().join("conf.d")).optional())
///     .source(Source::env("APP"))
///     .source(Source::value("port", flags.port)) // `None` says nothing
///     .load()?;
/// assert_eq!(reloader.handle().load().port, 8080);
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "values"))]
/// # fn main() {}
/// ```
#[derive(Debug)]
pub struct Source(pub(super) Of);

#[derive(Debug)]
pub(super) enum Of {
    Watched(WatchedSource),
    #[cfg(feature = "remote")]
    Remote(Arc<Remote>),
    /// It never changes while the program runs.
    Fixed(Vec<Layer>),
    /// The same, below everything else.
    #[cfg(feature = "values")]
    Defaults(Vec<Layer>),
}

/// A file, or a folder of files.
#[derive(Debug)]
pub(super) struct WatchedSource {
    pub(super) path: PathBuf,
    pub(super) kind: Kind,
    pub(super) may_be_missing: bool,
    pub(super) language: Option<Language>,
    /// What stands between the keys of a path in the name of a file.
    pub(super) nested: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    /// A folder whose files are layers, in byte order of their names.
    DropIns,
    /// A folder whose files are values, each named by its key.
    Keys,
    /// The same, where values and the folder may be empty.
    EmptyKeys,
    /// Files that the configuration names.
    Named,
}

impl WatchedSource {
    fn new(kind: Kind, path: &Path) -> Self {
        WatchedSource {
            path: path.into(),
            kind,
            may_be_missing: false,
            language: None,
            nested: None,
        }
    }
}

impl WatchedSource {
    /// Files that the configuration names, of which none is known yet.
    pub(super) fn named() -> Self {
        WatchedSource::new(Kind::Named, Path::new(""))
    }
}

/// Returns a layer that is a document: its language is that of its name, if none is given.
pub(super) fn document(
    origin: Arc<str>,
    bytes: impl Into<Arc<[u8]>>,
    language: Option<Language>,
    may_be_missing: bool,
) -> Layer {
    let layer = Layer::new(origin, bytes);
    let layer = match language {
        Some(language) => layer.language(language),
        None => layer,
    };
    match may_be_missing {
        true => layer.optional(),
        false => layer,
    }
}

impl Source {
    /// A file. It has to be there and to hold a value. Links in its path are followed
    /// anew at every poll.
    pub fn file(path: impl AsRef<Path>) -> FileSource {
        FileSource(WatchedSource::new(Kind::File, path.as_ref()))
    }

    /// The files of a folder, each over the one before it, in byte order of their names:
    /// `10-pool.yaml`, then `20-site.yaml`. It is what systemd calls drop-ins. The folder
    /// has to be there, and may be empty; a file of it has to hold a value. What counts
    /// are names that end in `.yaml`, `.yml` or `.json` (with the feature `toml`, also
    /// `.toml`), but none that begins with a dot; so backups of editors and package
    /// managers do not. Folders in it are errors if they are named so. More than 1000
    /// files are an error.
    pub fn dir(path: impl AsRef<Path>) -> DirSource {
        DirSource(WatchedSource::new(Kind::DropIns, path.as_ref()))
    }

    /// A folder in which each file is one value: its name is the key, its content the
    /// value, without a line feed at its end. It is how Docker and Kubernetes hand out
    /// secrets (`/run/secrets`). A value is a string, or a number where the type wants
    /// one. None of the values is ever shown.
    ///
    /// The folder has to be there and to hold a key, and no key may be empty: a mount
    /// that vanished, or a file that was truncated, must not take secrets away. Names that
    /// begin with a dot or end in `~`, and folders, do not count. More than 1000 files are
    /// an error.
    pub fn key_per_file(path: impl AsRef<Path>) -> KeySource {
        KeySource(WatchedSource::new(Kind::Keys, path.as_ref()))
    }

    /// The variables of the environment that begin with `prefix` and `_`:
    /// `APP_DB__MAX=30` sets `db.max` for the prefix `APP`. See [`EnvSource`].
    #[cfg(feature = "reading")]
    pub fn env(prefix: impl Into<String>) -> EnvSource {
        EnvSource {
            prefix: prefix.into(),
            separator: "_".into(),
            nested: "__".into(),
            list: None,
        }
    }

    /// A document behind a URL, such as `https://config.internal/app.yaml`; see
    /// [`HttpSource`].
    #[cfg(feature = "http")]
    pub fn http(url: impl Into<String>) -> HttpSource {
        HttpSource::new(url.into())
    }

    /// Documents in etcd v3, from these members of a cluster:
    /// `Source::etcd(["https://etcd-1:2379", "https://etcd-2:2379"]).prefix("/app/")`; see
    /// [`EtcdSource`](crate::source::EtcdSource).
    #[cfg(feature = "etcd")]
    pub fn etcd(endpoints: impl IntoIterator<Item = impl Into<String>>) -> Etcd {
        Etcd::new(endpoints.into_iter().map(Into::into).collect())
    }

    /// A document in the program itself, called `name` in messages.
    pub fn text(name: impl Into<String>, text: impl Into<String>) -> Source {
        let name: String = name.into();
        let layer = Layer::new(name, text.into().into_bytes());
        Source::fixed(vec![layer])
    }

    fn fixed(layers: Vec<Layer>) -> Source {
        // What belongs to this process is in no digest, and on no disk.
        let layers = layers.into_iter().map(Layer::overriding);
        Source(Of::Fixed(layers.collect()))
    }
}

/// A file: [`Source::file`].
#[derive(Debug)]
#[must_use]
pub struct FileSource(WatchedSource);

impl FileSource {
    /// Lets it be missing, blank, or hold comments alone; then it says nothing.
    pub fn optional(mut self) -> Self {
        self.0.may_be_missing = true;
        self
    }

    /// Reads it as this language, whatever its name ends in.
    pub fn language(mut self, language: Language) -> Self {
        self.0.language = Some(language);
        self
    }
}

/// A folder of files that are layers: [`Source::dir`].
#[derive(Debug)]
#[must_use]
pub struct DirSource(WatchedSource);

impl DirSource {
    /// Lets the folder be missing; then it says nothing.
    pub fn optional(mut self) -> Self {
        self.0.may_be_missing = true;
        self
    }
}

/// A folder with a value in each file: [`Source::key_per_file`].
#[derive(Debug)]
#[must_use]
pub struct KeySource(WatchedSource);

impl KeySource {
    /// Splits the names of files at this separator: with `__`, `db__password` is
    /// `db.password`.
    pub fn nested(mut self, separator: impl Into<String>) -> Self {
        self.0.nested = Some(separator.into()).filter(|separator| !separator.is_empty());
        self
    }

    /// Lets the folder be empty, and keys in it.
    pub fn allow_empty(mut self) -> Self {
        self.0.kind = Kind::EmptyKeys;
        self
    }
}

/// Variables of the environment: [`Source::env`].
///
/// They are read once, when the source is added. A value that is, all of it, a number,
/// `true`, `false`, `null` or a text in quotes is what YAML makes of it, and any other is a
/// string; where the type wants a string, `30` is one.
///
/// Names are matched with the fields of the type without regard to case, `_` and `-`, so
/// that `APP_LOG_LEVEL` sets `logLevel`; a name that matches none is an unknown key, with a
/// guess. Everywhere else (the keys of a map, the variants of an enum, and what `serde`
/// reads as a whole: flattened parts, enums tagged inside) names are small and match as
/// they are. A name that is not UTF-8 is passed over.
///
/// `APP_PEERS__0` and `APP_PEERS__1` are the items of a list, from 0 without a gap. It
/// replaces the list of a file below it; the items of two such sources are merged.
#[cfg(feature = "reading")]
#[derive(Clone, Debug)]
#[must_use]
pub struct EnvSource {
    prefix: String,
    separator: String,
    nested: String,
    list: Option<char>,
}

#[cfg(feature = "reading")]
impl EnvSource {
    /// What stands between the prefix and the rest of a name. Default `_`. Without one,
    /// every variable that begins with the prefix counts.
    pub fn separator(mut self, separator: impl Into<String>) -> Self {
        self.separator = separator.into();
        self
    }

    /// What stands between the keys of a path. Default `__`.
    pub fn nested(mut self, separator: impl Into<String>) -> Self {
        self.nested = separator.into();
        self
    }

    /// Splits a value at this separator where the type wants a list:
    /// `APP_PEERS=a,b`. Spaces around the parts do not count.
    pub fn lists(mut self, separator: char) -> Self {
        self.list = Some(separator);
        self
    }
}

impl From<FileSource> for Source {
    fn from(source: FileSource) -> Self {
        Source(Of::Watched(source.0))
    }
}

impl From<DirSource> for Source {
    fn from(source: DirSource) -> Self {
        Source(Of::Watched(source.0))
    }
}

impl From<KeySource> for Source {
    fn from(source: KeySource) -> Self {
        Source(Of::Watched(source.0))
    }
}

#[cfg(feature = "reading")]
impl From<EnvSource> for Source {
    fn from(source: EnvSource) -> Self {
        Source::fixed(env::read(&source))
    }
}
