//! The options and the sources of a reloader. What becomes of them is in `load.rs`.

use core::fmt;
use core::time::Duration;

use super::CATCH;
use super::check::Checked;
use super::clock::Clock;
use super::core::Core;
use super::file::FileDetector;
use super::last_good::LastGood;
use super::load::{First, LoadError};
use super::logging::Log;
use super::named::NamedFiles;
use super::reloader::Reloader;
use super::source::Source;
use super::std::hash::{BuildHasher, Hasher, RandomState};
use super::std::path::Path;
use super::std::prelude::rust_2024::*;
use super::target::{Files, Plan, Watched};
use crate::engine::{BoxError, Built, Document, Engine, Format, Jitter, Policy, options};

/// A first load that finds the file moving waits this long for it to come to
/// rest.
const DEFAULT_LOAD_TIMEOUT: Duration = Duration::from_secs(10);

/// Puts a [`Reloader`] together. Nothing is read before [`load`](Self::load).
///
/// ```
/// # use std::sync::atomic::{AtomicU32, Ordering};
/// # use std::time::Duration;
/// # static ERRORS: AtomicU32 = AtomicU32::new(0);
/// # #[derive(serde::Deserialize)]
/// # struct Config { pool_size: u32 }
/// let builder = steadyconf::Reloader::<Config>::from_file("config.yaml")
///     .on_change_of(|config| &config.pool_size, |old, new| {
///         println!("the pool grows from {old} to {new}");
///         Ok(())
///     })
///     .on_commit(|_| { ERRORS.store(0, Ordering::Relaxed); Ok(()) })
///     .probation(Duration::from_secs(60), |_| match ERRORS.load(Ordering::Relaxed) {
///         0..10 => Ok(()),
///         errors => Err(format!("{errors} requests failed")),
///     });
/// ```
#[must_use]
pub struct Builder<T: Send + Sync + 'static, W: Watched = Files> {
    watched: W,
    policy: Policy<T>,
    load_timeout: Duration,
    /// Whether the first load waits for files that are not there yet.
    waits: bool,
    last_good: Option<LastGood>,
    log: Log,
}

/// Sources.
impl<T: Send + Sync + 'static> Builder<T, Files> {
    /// Adds a source that takes precedence over those that were added before it. Mappings
    /// are merged key by key; anything else replaces; an explicit `null` removes. All of
    /// it is read, judged and applied together, as one configuration. See [`Source`].
    pub fn source(self, source: impl Into<Source>) -> Self {
        self.file(|file| file.source(source))
    }

    /// How long the files must hold still before their content counts; see
    /// [`FileDetector::settle`]. Default 100 ms.
    pub fn settle(self, time: Duration) -> Self {
        self.file(|file| file.settle(time))
    }

    /// Also watches the files that the configuration names, such as a certificate and its
    /// key: `names` is called with each valid configuration, and adds their paths.
    ///
    /// They are part of what is watched: the configuration and its files are read as one
    /// generation and settle together, so that a pair is never half new; a new
    /// certificate is a new version, and may be rolled back from. Their bytes are in
    /// [`Snapshot::file`](crate::Snapshot::file), and in
    /// [`build_with_files`](Self::build_with_files). The list may change with every
    /// configuration; then it is parsed once more, with its new files.
    ///
    /// A file that is missing or cannot be read, or more than 1000 of them, reject the
    /// configuration. Together with all other files they are within
    /// [`Limits::bytes`](crate::engine::Limits::bytes). A relative path is taken from the folder
    /// that is current when it is first read. The last known good holds them, too; one that
    /// was written before a program named files cannot be started from. Call it before
    /// [`build`](Self::build), for what is built from files needs them.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("config.yaml");
    /// # let cert = folder.path().join("cert.pem");
    /// # std::fs::write(&path, format!("cert: {}", cert.display()))?;
    /// # std::fs::write(&cert, "-----BEGIN CERTIFICATE-----")?;
    /// # #[derive(serde::Deserialize)]
    /// # struct Config { cert: String }
    /// let reloader = steadyconf::Reloader::<Config>::from_file(&path)
    ///     .also_watch(|config, files| files.add(&config.cert))
    ///     .load()?;
    /// let config = reloader.handle().load();
    /// assert!(config.file(&config.cert).is_some());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn also_watch(mut self, names: impl Fn(&T, &mut NamedFiles) + Send + 'static) -> Self {
        self.policy.admission.names(Box::new(move |config| {
            let mut files = NamedFiles::default();
            names(config, &mut files);
            files.names.into_iter().collect()
        }));
        self
    }

    /// Lets [`load`](Self::load) wait, up to [`load_timeout`](Self::load_timeout), for a
    /// file that is not there yet, if its folder is: another process may be about to
    /// write it. Without this, and where the folder is missing, too, a missing file is an
    /// error at once; so is an empty folder of keys, and a missing file that the
    /// configuration names. The last known good is started from only after the wait.
    pub fn wait_for_files(mut self) -> Self {
        self.waits = true;
        self
    }

    fn file(mut self, change: impl FnOnce(FileDetector) -> FileDetector) -> Self {
        self.watched = Files(change(self.watched.0));
        self
    }
}

impl<T: Send + Sync + 'static, W: Watched> Builder<T, W> {
    pub(super) fn new(watched: W, format: impl Format<T> + Send + 'static) -> Self {
        let mut policy = Policy::new(format);
        policy.catch = CATCH;
        policy.jitter = Some(Jitter(chance()));
        Builder {
            watched,
            policy,
            load_timeout: DEFAULT_LOAD_TIMEOUT,
            waits: false,
            last_good: None,
            log: Log::default(),
        }
    }
}

/// Judging a configuration: normalize it, validate it, name what needs a restart.
impl<T: Send + Sync + 'static, W: Watched> Builder<T, W> {
    options!(judging);
}

/// Notifying the program of a change.
impl<T: Send + Sync + 'static, W: Watched> Builder<T, W> {
    options!(notifying);
}

/// What counts as a change, what is remembered, and when to go back.
impl<T: Send + Sync + 'static, W: Watched> Builder<T, W> {
    options!(keeping);
}

/// How often to poll, and how to read.
impl<T: Send + Sync + 'static, W: Watched> Builder<T, W> {
    options!(reading);
}

/// Building state from a configuration.
impl<T: Send + Sync + 'static, W: Watched> Builder<T, W> {
    /// Builds something from every configuration that is valid, before any
    /// listener is asked: clients, pools, compiled rules. What readers get is
    /// [`Built`]: both together, so that nobody mixes a configuration and a client
    /// of different versions; a rollback brings the very same state back.
    ///
    /// An error rejects the document, as a validator does, and is tried again at
    /// growing intervals: see [`Engine::build`]. What was said to the builder before
    /// this call is about the configuration, what is said after it about what is
    /// built.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("config.yaml");
    /// # std::fs::write(&path, "[10.0.0.1, 10.0.0.2]")?;
    /// use std::net::IpAddr;
    /// use steadyconf::Reloader;
    ///
    /// let reloader = Reloader::<Vec<String>>::from_file(&path)
    ///     .build(|config| config.iter().map(|a| a.parse()).collect::<Result<Vec<IpAddr>, _>>())
    ///     .load()?;
    /// let built = reloader.handle().load();
    /// assert_eq!(built.config[0], "10.0.0.1");
    /// assert!(built.state[0].is_ipv4());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn build<S, E>(
        self,
        mut build: impl FnMut(&T) -> Result<S, E> + Send + 'static,
    ) -> Builder<Built<T, S>, W>
    where
        S: Send + Sync + 'static,
        E: Into<BoxError>,
    {
        self.build_from(move |config, _| build(config))
    }

    /// The same, where `build` also gets the state that was built for the active
    /// snapshot; see [`Engine::build_from`].
    pub fn build_from<S, E>(
        self,
        mut build: impl FnMut(&T, Option<&S>) -> Result<S, E> + Send + 'static,
    ) -> Builder<Built<T, S>, W>
    where
        S: Send + Sync + 'static,
        E: Into<BoxError>,
    {
        self.build_with_files(move |config, previous, _| build(config, previous))
    }

    /// The same, where `build` also gets the document that the configuration was read
    /// from, with the files that it names: [`Document::file`]. See
    /// [`also_watch`](Self::also_watch).
    pub fn build_with_files<S, E>(
        self,
        build: impl FnMut(&T, Option<&S>, &Document) -> Result<S, E> + Send + 'static,
    ) -> Builder<Built<T, S>, W>
    where
        S: Send + Sync + 'static,
        E: Into<BoxError>,
    {
        Builder {
            watched: self.watched,
            policy: self.policy.build_from(build),
            load_timeout: self.load_timeout,
            waits: self.waits,
            last_good: self.last_good,
            log: self.log,
        }
    }
}

/// Loading, and what a start falls back to.
impl<T: Send + Sync + 'static, W: Watched> Builder<T, W> {
    /// How long [`load`](Self::load) waits for a source that keeps changing, or, with
    /// `wait_for_files`, for one that is not there yet. Default 10 s.
    pub fn load_timeout(mut self, timeout: Duration) -> Self {
        self.load_timeout = timeout;
        self
    }

    /// Writes each message to the log on one line: the problems of a rejection follow each
    /// other, with `; ` between them. Default: a line for each, which people read faster
    /// and some collectors take for messages of their own.
    pub fn log_on_one_line(mut self) -> Self {
        self.log.on_one_line = true;
        self
    }

    /// Keeps the last known good configuration in a file at `path`, to start from
    /// when the source is missing or rejected. Off by default.
    ///
    /// It is written, on the thread that polls, after every change (after its
    /// probation, where there is one), in whole or not at all: whoever looks at any
    /// moment, also after a crash or a power cut, finds the old one or the new one.
    /// It holds the very bytes of the source, **with their secrets**, and nobody
    /// but the user who writes it may read it (mode 0600 on Unix). If it cannot be
    /// written, the log and the status say so, it is tried again, and nothing else
    /// changes.
    ///
    /// It is read by [`load`](Self::load) only, and only if the source is not good
    /// enough to start from. It is parsed and validated anew. The log and
    /// [`Status::from_last_good`](crate::Status::from_last_good) tell that the active snapshot is not current, until the
    /// source is good again.
    ///
    /// Give each program a path of its own, in a folder that is there and that nobody
    /// else may write to: temporary files stand in the same folder for a moment. What is
    /// at the path is replaced only if it is empty or a last known good, whole or
    /// damaged. If it is a link, what it leads to is replaced, and the link stays. A
    /// relative path is taken from the folder that is current now. All of it is in
    /// `docs/files.md`.
    ///
    /// That something was rolled back from is not remembered across a restart: a
    /// source that loads is what counts.
    pub fn last_known_good(mut self, path: impl AsRef<Path>) -> Self {
        self.last_good = Some(LastGood::new(path.as_ref()));
        self
    }

    /// Reads, parses and validates; does not start on anything bad.
    ///
    /// It waits for the settle time, and longer while the file is still moving. It blocks
    /// the thread meanwhile: an async program calls it before its runtime starts, or in
    /// `spawn_blocking`.
    ///
    /// # Errors
    ///
    /// Nothing that may be served is there, and why: see [`LoadError`].
    pub fn load(self) -> Result<Reloader<T>, LoadError> {
        let clock = Clock::starting_at(Duration::ZERO);
        self.load_at(clock.now(), |until| clock.sleep_until(until))
    }

    /// Reads, parses, validates and builds once, and starts nothing: for a program's own
    /// `--check-config`, as `nginx -t` has it. What is returned is what would
    /// have been loaded, as version 1, with its warnings; the log is left alone. Both
    /// results have an exit code, 0 if it is good, 1 if it is rejected, 3 if there are
    /// warnings, and a form in JSON.
    ///
    /// ```
    /// use std::process::ExitCode;
    /// use steadyconf::Reloader;
    ///
    /// fn check_config(path: &str, json: bool) -> ExitCode {
    ///     let (report, code) = match Reloader::<u32>::from_file(path).check() {
    ///         Ok(config) if json => (config.to_json(), config.exit_code()),
    ///         Ok(config) => (config.to_string(), config.exit_code()),
    ///         Err(error) if json => (error.to_json(), error.exit_code()),
    ///         Err(error) => (error.to_string(), error.exit_code()),
    ///     };
    ///     println!("{report}");
    ///     code.into()
    /// }
    /// assert_eq!(check_config("missing.yaml", true), ExitCode::from(1));
    /// ```
    ///
    /// # Errors
    ///
    /// What [`load`](Self::load) would not have started on.
    pub fn check(self) -> Result<Checked<T>, LoadError> {
        let clock = Clock::starting_at(Duration::ZERO);
        let first = self.first(clock.now());
        first.check(|until| clock.sleep_until(until))
    }

    /// The same as [`load`](Self::load), on a timeline of the caller's: `now` is
    /// its beginning, and `wait` is called with the time to wait for and
    /// returns the time that it is then. For tests on virtual time,
    /// `|until| until` waits for nothing; for a program with a watchdog, it is
    /// the place to feed it.
    ///
    /// # Errors
    ///
    /// As for [`load`](Self::load).
    pub fn load_at(
        self,
        now: Duration,
        wait: impl FnMut(Duration) -> Duration,
    ) -> Result<Reloader<T>, LoadError> {
        self.first(now).start(wait)
    }

    fn first(self, now: Duration) -> First<T> {
        let limits = self.policy.limits;
        let Plan {
            name,
            detector,
            fixed,
            watched,
            #[cfg(feature = "remote")]
            remotes,
        } = self.watched.plan(limits);
        #[cfg(feature = "remote")]
        for remote in &remotes {
            remote.patience(self.load_timeout);
        }
        let mut last_good = self.last_good;
        if let Some(last_good) = &mut last_good {
            last_good.max_bytes(limits.bytes());
        }
        let core = Core {
            engine: Engine::with(self.policy),
            detector,
            last_good,
            fixed: fixed.into(),
            #[cfg(feature = "otel")]
            telemetry: None,
        };
        let deadline = now.saturating_add(self.load_timeout);
        First {
            core,
            name,
            now,
            deadline,
            waits: self.waits,
            log: self.log,
            #[cfg(feature = "remote")]
            remotes,
            watched,
        }
    }
}

/// Something that differs from process to process, from what `std` seeds its
/// hash maps with.
pub(super) fn chance() -> u64 {
    RandomState::new().build_hasher().finish()
}

impl<T: Send + Sync + 'static, W: Watched> fmt::Debug for Builder<T, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("limits", &self.policy.limits)
            .field("load_timeout", &self.load_timeout)
            .finish_non_exhaustive()
    }
}
