//! The first load: from the source, or else from the last known good; and why a program
//! cannot start.

use core::fmt;
use core::time::Duration;

#[cfg(feature = "otel")]
use super::CATCH;
use super::cell::Cell;
use super::check::Checked;
use super::core::{Core, Shared};
use super::logging::Log;
use super::receipts::{Receipts, Recorder};
use super::reloader::Reloader;
use super::std::error::Error;
use super::std::path::Path;
use super::std::prelude::rust_2024::*;
use super::std::sync::Arc;
#[cfg(feature = "otel")]
use super::telemetry::Telemetry;
use super::thread::Signal;
use super::watch::Watch;
use crate::engine::{Document, OneLine};
use crate::report::{Cause, DetectError, DetectErrorKind, Rejection};
use crate::{Outcome, Snapshot};

/// How soon to poll again for a file that is waited for.
const AGAIN: Duration = Duration::from_millis(100);

/// Returns whether a file is missing whose folder is there.
fn may_come(error: &DetectError) -> bool {
    let folder = Path::new(error.origin()).parent();
    let folder = folder.map(|folder| match folder.as_os_str().is_empty() {
        true => Path::new("."),
        false => folder,
    });
    error.kind() == DetectErrorKind::NotFound && folder.is_some_and(Path::is_dir)
}

/// Returns a last known good with each layer at the position that its source has now: the
/// program that wrote it may have had others. A layer whose source is gone stays with the
/// one before it.
fn placed(good: &Document, watched: &[(Arc<str>, u16)]) -> Document {
    let mut last = watched.first().map_or(0, |(_, position)| *position);
    let layers = good.layers().iter().map(|layer| {
        let origin = &**layer.origin();
        let folder = Path::new(origin).parent().and_then(Path::to_str);
        let is_its = |name: &str| name == origin || folder == Some(name.trim_end_matches('/'));
        if let Some((_, position)) = watched.iter().find(|(name, _)| is_its(name)) {
            last = *position;
        }
        layer.clone().at_position(last)
    });
    Document::new(layers.collect::<Vec<_>>()).with_files(good.files().to_vec())
}

/// A first load.
pub(super) struct First<T> {
    pub(super) core: Core<T>,
    /// What is watched, for messages.
    pub(super) name: Arc<str>,
    pub(super) now: Duration,
    pub(super) deadline: Duration,
    /// Whether files that are not there yet are waited for.
    pub(super) waits: bool,
    pub(super) log: Log,
    #[cfg(feature = "remote")]
    pub(super) remotes: Vec<Arc<super::remote::Remote>>,
    /// The sources that are watched, each with its position.
    pub(super) watched: Vec<(Arc<str>, u16)>,
}

impl<T: Send + Sync + 'static> First<T> {
    /// Loads once, and starts nothing.
    pub(super) fn check(
        mut self,
        wait: impl FnMut(Duration) -> Duration,
    ) -> Result<Checked<T>, LoadError> {
        let receipts = Receipts::default();
        let mut recorder = Recorder::new(&receipts, Cause::Load, self.now);
        let loaded = self.load(wait, &mut Watch::loading(None, &mut recorder))?;
        let warnings = self.core.engine.status().warnings;
        Ok(Checked::new(loaded.into(), warnings))
    }

    /// Loads, from the source or from the last known good.
    pub(super) fn start(
        mut self,
        wait: impl FnMut(Duration) -> Duration,
    ) -> Result<Reloader<T>, LoadError> {
        #[cfg(feature = "otel")]
        {
            let (core, name) = (&mut self.core, &self.name);
            // A provider is not ours.
            let _ = CATCH(&mut || core.telemetry = Some(Telemetry::new(name.clone())));
        }
        let receipts = Arc::new(Receipts::default());
        let mut recorder = Recorder::new(&receipts, Cause::Load, self.now).numbered();
        let log = self.log;
        let mut watch = Watch::loading(Some(log), &mut recorder);
        let loaded = self.load(wait, &mut watch);
        let result = outcome_of(&loaded);
        let loaded = loaded.or_else(|error| self.start_from_last_good(error, &mut watch));
        self.core.measure(&mut watch, &result);
        let signal = Arc::new(Signal::default());
        let cell = Arc::new(Cell::new(loaded?, signal.clone()));
        self.core.keep_last_good(self.now);
        let theirs = receipts.clone();
        #[cfg_attr(not(any(feature = "notify", feature = "remote")), allow(unused_mut))]
        let mut shared = Shared::new(self.core, cell, signal, theirs, log, self.now);
        #[cfg(feature = "notify")]
        {
            let files = self.watched.iter().map(|(name, _)| name);
            #[cfg(feature = "remote")]
            let files = files.filter(|name| !self.remotes.iter().any(|it| it.name() == *name));
            shared.watched = files.cloned().collect();
        }
        #[cfg(feature = "remote")]
        {
            for remote in &self.remotes {
                let signal = shared.signal.clone();
                remote.on_change(move || signal.wake());
            }
            shared.remotes = self.remotes;
        }
        recorder.conclude(&result, &shared.status, &shared.cell);
        Ok(Reloader::of(shared))
    }

    /// Polls until something is active or wrong.
    fn load(
        &mut self,
        mut wait: impl FnMut(Duration) -> Duration,
        watch: &mut Watch<'_, '_, T>,
    ) -> Result<Arc<Snapshot<T>>, LoadError> {
        let Core {
            engine, detector, ..
        } = &mut self.core;
        loop {
            let outcome = match engine.poll_watched(&mut **detector, self.now, watch) {
                Err(error) if self.waits && may_come(&error) && self.now < self.deadline => {
                    let until = self.now.saturating_add(AGAIN).min(self.deadline);
                    self.now = wait(until).max(self.now);
                    continue;
                }
                outcome => outcome?,
            };
            if let Some(snapshot) = engine.active() {
                return Ok(snapshot.clone());
            }
            match outcome {
                Outcome::Settling { .. } => {}
                Outcome::Rejected(rejection) => return Err(LoadError::Rejected(rejection)),
                _ => {
                    let kind = DetectErrorKind::NotFound;
                    let name = self.name.clone();
                    return Err(DetectError::new(kind, name, "nothing is there").into());
                }
            }
            if self.now >= self.deadline {
                let kind = DetectErrorKind::StillChanging;
                let message = "still changing: it did not hold still for the settle time";
                return Err(DetectError::new(kind, self.name.clone(), message).into());
            }
            let until = engine.next_poll().min(self.deadline);
            self.now = wait(until).max(self.now);
        }
    }

    /// The source is not good enough to start from, for this reason.
    fn start_from_last_good(
        &mut self,
        source: LoadError,
        watch: &mut Watch<'_, '_, T>,
    ) -> Result<Arc<Snapshot<T>>, LoadError> {
        let Some(last_good) = &mut self.core.last_good else {
            return Err(source);
        };
        let engine = &mut self.core.engine;
        let started = last_good
            .read()
            .map_err(LoadError::Source)
            .and_then(|good| {
                let good = placed(&good, &self.watched).with(&self.core.fixed);
                let from = last_good.name().clone();
                let started = engine.start_from_last_good_watched(good, from, self.now, watch);
                started.map_err(LoadError::Rejected)
            });
        match (started, engine.active()) {
            (Ok(_), Some(snapshot)) => Ok(snapshot.clone()),
            (Err(problem), _) => Err(LoadError::NorLastGood {
                source: Box::new(source),
                last_good: Box::new(problem),
                path: last_good.name().clone(),
            }),
            (Ok(_), None) => Err(source),
        }
    }
}

/// What a first load came to, as a poll would return it.
fn outcome_of<T>(loaded: &Result<Arc<Snapshot<T>>, LoadError>) -> Result<Outcome, DetectError> {
    match loaded {
        Ok(snapshot) => Ok(Outcome::Applied(snapshot.version())),
        Err(LoadError::Source(error)) => Err(error.clone()),
        Err(LoadError::Rejected(rejection)) => Ok(Outcome::Rejected(rejection.clone())),
        Err(LoadError::NorLastGood { .. }) => Ok(Outcome::Unchanged),
    }
}

/// Why a program cannot start with what is at the source. `Debug` prints the
/// same as `Display`, for that is what `fn main() -> Result<…>` shows.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LoadError {
    /// The source cannot be read.
    Source(DetectError),
    /// What it holds is rejected, for these reasons.
    Rejected(Arc<Rejection>),
    /// Neither the source nor the last known good can be started from.
    #[non_exhaustive]
    NorLastGood {
        /// What is wrong with the source.
        source: Box<LoadError>,
        /// What is wrong with the last known good.
        last_good: Box<LoadError>,
        /// Where it is.
        path: Arc<str>,
    },
}

impl From<DetectError> for LoadError {
    fn from(error: DetectError) -> Self {
        LoadError::Source(error)
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot load the configuration: {}", Reason(self))
    }
}

/// The same without its beginning.
struct Reason<'a>(&'a LoadError);

impl fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            LoadError::Source(error) => write!(f, "{error}"),
            LoadError::Rejected(rejection) => write!(f, "{rejection}"),
            LoadError::NorLastGood {
                source,
                last_good,
                path,
            } => {
                let (source, last_good) = (Reason(source), Reason(last_good));
                write!(f, "{source}\nnor the last known good")?;
                // What cannot be read says where it is by itself.
                if matches!(last_good.0, LoadError::Rejected(_)) {
                    write!(f, ", {}", OneLine(path))?;
                }
                write!(f, ": {last_good}")
            }
        }
    }
}

impl fmt::Debug for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for LoadError {}
