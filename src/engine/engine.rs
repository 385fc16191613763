//! The engine: from what a detector saw to a snapshot that every listener agreed to.
//!
//! It owns the order of things: equality, limits, parse, validate, prepare,
//! publish, commit. It leaves looking at the source to the detector, and threads,
//! clocks, locks, readers and log lines to the host. Its state is consistent before
//! each call of code that is not its own, so that a panic there costs the one document
//! or the one listener and nothing else. A poll is in `poll.rs`; rounds and rollbacks are
//! in `round.rs`.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use super::active::{Accepted, Active, Standing};
use super::admission::{Admitted, Unfit};
use super::built::Built;
use super::catch::{Catch, guarded};
use super::detector::{Detector, Sighting};
use super::document::Document;
use super::error::{DetectError, Rejection, RollbackError, Stage};
use super::event::Event;
use super::format::Format;
use super::history::History;
use super::jitter::Jitter;
use super::judge::rejected;
use super::listener::BoxError;
use super::notes::Notes;
use super::observer::{Nobody, Observer, Section, Step};
use super::outcome::Outcome;
use super::policy::{Policy, SHORTEST_PAUSE, options};
use super::report::Problem;
use super::snapshot::Snapshot;
use super::source::{Health, Source};
use super::status::{Failure, Status};
use super::version::Version;

/// The pure core: give it a detector and the time, and it returns the outcome.
///
/// It does no I/O, has no clock, no thread and no lock, and needs `alloc` only.
/// With `std`, `Reloader` wraps it; without, this is the whole program:
///
/// ```
/// use core::time::Duration;
/// use steadyconf::engine::{Detector, Document, Engine, Format, Limits, Notes, Sighting};
/// use steadyconf::report::DetectError;
/// use steadyconf::{Outcome, Report, Version};
///
/// struct Number;
/// impl Format<u32> for Number {
///     fn parse(&self, document: &Document, _: &Limits, _: &mut Notes) -> Result<u32, Report> {
///         let text = core::str::from_utf8(document.layers()[0].bytes()).unwrap_or("");
///         text.trim().parse().map_err(|_| {
///             let mut report = Report::new();
///             report.add("", "expected a whole number");
///             report
///         })
///     }
/// }
///
/// struct Flash(Option<Document>);
/// impl Detector for Flash {
///     fn poll(&mut self, _now: Duration) -> Result<Sighting, DetectError> {
///         Ok(self.0.take().map_or(Sighting::Unchanged, Sighting::Changed))
///     }
/// }
///
/// let mut engine = Engine::new(Number).validate(|value, report| {
///     if *value == 0 {
///         report.add("", "must be at least 1");
///     }
/// });
/// let mut flash = Flash(Some(Document::single("flash", *b"7")));
///
/// let outcome = engine.poll(&mut flash, Duration::ZERO);
/// assert_eq!(outcome, Ok(Outcome::Applied(Version::new(1))));
/// assert_eq!(*engine.active().unwrap().value(), 7);
/// ```
#[must_use]
pub struct Engine<T> {
    pub(super) policy: Policy<T>,
    /// The latest time that it was told.
    pub(super) now: Duration,
    pub(super) polled: Option<Duration>,
    pub(super) succeeded: Option<Duration>,
    /// How many polls in a row failed.
    pub(super) failures: u64,
    pub(super) counts: Counts,
    last_version: Version,
    pub(super) source: Source<T>,
    pub(super) active: Option<Active<T>>,
    /// What the program started with, if a field takes effect only then.
    pub(super) first: Option<Arc<Snapshot<T>>>,
    pub(super) history: History<T>,
    /// The newest that was active and has proved itself.
    pub(super) proven: Option<Document>,
    /// Somebody wants what is rejected to be judged anew.
    pub(super) ask_again: bool,
    /// The files that content names which was not read with them: the detector is to
    /// read these.
    pub(super) names: Option<Vec<Arc<str>>>,
    /// How often that was so in a row.
    pub(super) wanted: u8,
    pub(super) events: Vec<Event>,
}

/// What has happened so far, each thing counted once.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) reloads: u64,
    /// By stage.
    pub(super) rejections: [u64; Stage::ALL.len()],
    pub(super) rollbacks: u64,
    pub(super) source_errors: u64,
}

impl Counts {
    pub(super) fn rejected(&mut self, stage: Stage) {
        if let Some(count) = self.rejections.get_mut(stage as usize) {
            *count = count.saturating_add(1);
        }
    }
}

/// What it is made of.
impl<T: 'static> Engine<T> {
    /// Returns an engine that parses with `format` and has nothing active yet.
    pub fn new(format: impl Format<T> + Send + 'static) -> Self {
        Engine::with(Policy::new(format))
    }

    pub(crate) fn with(policy: Policy<T>) -> Self {
        Engine {
            policy,
            now: Duration::ZERO,
            polled: None,
            succeeded: None,
            failures: 0,
            counts: Counts::default(),
            last_version: Version::NONE,
            source: Source::new(),
            active: None,
            first: None,
            history: History::new(),
            proven: None,
            ask_again: false,
            names: None,
            wanted: 0,
            events: Vec::new(),
        }
    }

    /// Builds something from every configuration that is valid, before any
    /// listener is called: clients, pools, compiled rules. What readers get is
    /// both together, so that nobody mixes a configuration and a client of
    /// different versions; a rollback brings the very same state back.
    ///
    /// An error rejects the document, as a validator does. Since it may come from
    /// the world and not from the file, the document is tried again at the same
    /// growing intervals as after a veto, unless the error is [`Final`](crate::engine::Final).
    ///
    /// What was said to the engine before this call is about the configuration,
    /// what is said after it about what is built: validators, listeners,
    /// [`skip_equal`](Self::skip_equal). A validator of what is built is called again
    /// at the same intervals, for it may judge the world, too. With `skip_equal`
    /// before this, an edit that changes no value builds nothing.
    ///
    /// # Panics
    ///
    /// If the engine has polled already.
    pub fn build<S: 'static, E: Into<BoxError>>(
        self,
        mut build: impl FnMut(&T) -> Result<S, E> + Send + 'static,
    ) -> Engine<Built<T, S>> {
        self.build_from(move |config, _| build(config))
    }

    /// The same, where `build` also gets the state that was built for the active
    /// snapshot (`None` at the first load), so that it can keep what did not change: a
    /// new log level need not reset a connection pool.
    ///
    /// # Panics
    ///
    /// If the engine has polled already.
    pub fn build_from<S: 'static, E: Into<BoxError>>(
        self,
        mut build: impl FnMut(&T, Option<&S>) -> Result<S, E> + Send + 'static,
    ) -> Engine<Built<T, S>> {
        let unused = self.active.is_none() && self.polled.is_none();
        assert!(unused, "build() belongs before the first poll");
        let build = move |config: &T, previous: Option<&S>, _: &Document| build(config, previous);
        Engine::with(self.policy.build_from(build))
    }

    /// Makes the pause before each new try of what was vetoed, or could not be
    /// built, up to a quarter shorter, by chance, so that many instances that wait
    /// for one thing do not all ask it at once. `seed` is what makes this instance
    /// different from the others; the engine has no source of chance. Without a
    /// seed there is no jitter. The host gives one.
    pub fn jitter(mut self, seed: u64) -> Self {
        self.policy.jitter = Some(Jitter(seed));
        self
    }

    /// How to call code that is not the engine's own; see [`Catch`].
    pub fn catch(mut self, catch: Catch) -> Self {
        self.policy.catch = catch;
        self
    }
}

/// Judging a configuration: normalize it, validate it, name what needs a restart.
impl<T: 'static> Engine<T> {
    options!(judging);
}

/// Notifying the program of a change.
impl<T: 'static> Engine<T> {
    options!(notifying);
}

/// What counts as a change, what is remembered, and when to go back.
impl<T: 'static> Engine<T> {
    options!(keeping);
}

/// How often to poll, and how to read.
impl<T: 'static> Engine<T> {
    options!(reading);
}

/// What it does.
impl<T: 'static> Engine<T> {
    /// Polls once and returns the outcome. It never waits.
    ///
    /// `now` is monotonic time since some start; a smaller one than before
    /// counts as the one before. The first content that is accepted becomes
    /// active without a call of the listeners, for there is no change to notify them
    /// of.
    ///
    /// # Errors
    ///
    /// The source cannot be read. The active snapshot stays.
    pub fn poll(
        &mut self,
        detector: &mut dyn Detector,
        now: Duration,
    ) -> Result<Outcome, DetectError> {
        self.poll_watched(detector, now, &mut Nobody)
    }

    /// Takes in a document without a detector, as if one had just seen it.
    pub fn apply(&mut self, document: Document, now: Duration) -> Outcome {
        struct Shows(Option<Document>);
        impl Detector for Shows {
            fn poll(&mut self, _: Duration) -> Result<Sighting, DetectError> {
                Ok(self.0.take().map_or(Sighting::Unchanged, Sighting::Changed))
            }
        }
        let outcome = self.poll(&mut Shows(Some(document)), now);
        outcome.unwrap_or_else(|_| unreachable!("it can be read"))
    }

    /// Makes `document`, which was good in an earlier run, active as the first
    /// snapshot, because the source is missing or rejected. It is judged like any
    /// other. The status goes on to show what is wrong with the source, and that
    /// the active snapshot is not current; that ends once the source shows something
    /// that is accepted, or this very content. Whatever comes from the source then
    /// is a change, also for [`validate_change`](Self::validate_change).
    ///
    /// `from` says where it was kept, for people. Does nothing if something is active
    /// already.
    ///
    /// # Errors
    ///
    /// The document is rejected. Nothing is active, as before.
    pub fn start_from_last_good(
        &mut self,
        document: Document,
        from: impl Into<Arc<str>>,
        now: Duration,
    ) -> Result<Version, Arc<Rejection>> {
        self.start_from_last_good_watched(document, from.into(), now, &mut Nobody)
    }

    pub(crate) fn start_from_last_good_watched(
        &mut self,
        document: Document,
        from: Arc<str>,
        now: Duration,
        watch: &mut dyn Observer<T>,
    ) -> Result<Version, Arc<Rejection>> {
        self.begin(now, watch);
        if let Some(version) = self.version() {
            return Ok(version);
        }
        let mut notes = Notes::masked_by(&self.policy.masks);
        watch.step(Step::Begins(Section::LastGood));
        let admitted = self.admit(&document, &mut notes, watch);
        watch.step(Step::Ends(Section::LastGood));
        let value = match admitted {
            Ok(Admitted::New(value)) => value,
            Ok(Admitted::Names(_)) => {
                let report = Problem::new("", "was kept without the files that it names").into();
                let unfit = Unfit::of(Stage::Validate, report);
                return Err(rejected(unfit, &document));
            }
            Ok(_) => unreachable!("nothing is known that it could be equal to"),
            Err(unfit) => return Err(rejected(unfit, &document)),
        };
        let moves = self
            .source
            .health
            .restless()
            .map(|_| Failure::StillChanging);
        let failure = self.last_error().map(|error| error.failure).or(moves);
        let new = self.snapshot_of(value, document, &mut notes);
        let (version, digest) = (new.version(), new.digest());
        let accepted = Accepted {
            from_last_good: true,
            ..Accepted::of_the_source(new, notes.unknown_keys.into())
        };
        let event = Event::StartedFromLastGood {
            version,
            digest,
            from,
            failure,
        };
        self.activate_first(accepted, Standing::Proven, event, watch);
        self.note_proven();
        Ok(version)
    }

    /// Asks that the next [`poll`](Self::poll) judges anew what is rejected or vetoed,
    /// for something else than the content may have changed since.
    pub fn ask_again(&mut self) {
        self.ask_again = true;
    }

    /// Goes back to the newest content before, under a new version: a change like
    /// any other, with every listener. What was active is quarantined: it is not applied
    /// again until the source shows something else; until then a poll returns
    /// [`Outcome::Quarantined`].
    ///
    /// # Errors
    ///
    /// There is nothing to go back to, or a listener vetoed it.
    pub fn rollback(&mut self, now: Duration) -> Result<Version, RollbackError> {
        self.rollback_watched(None, now, &mut Nobody)
    }

    /// The same to the content of a certain version, if it is still remembered. To go
    /// to content that was itself rolled back from undoes that rollback.
    ///
    /// # Errors
    ///
    /// It is not, or it is active, or a listener vetoed it.
    pub fn rollback_to(
        &mut self,
        version: Version,
        now: Duration,
    ) -> Result<Version, RollbackError> {
        self.rollback_watched(Some(version), now, &mut Nobody)
    }

    pub(crate) fn rollback_watched(
        &mut self,
        to: Option<Version>,
        now: Duration,
        watch: &mut dyn Observer<T>,
    ) -> Result<Version, RollbackError> {
        self.begin(now, watch);
        let target = match to {
            Some(version) => self.remembered(version)?,
            None => self.newest_before(false)?,
        };
        let rolled_back = self.roll_back_to(target, watch);
        self.note_proven();
        rolled_back
    }

    /// Returns the newest content that was active and has proved itself.
    #[cfg_attr(not(feature = "std"), allow(dead_code, reason = "it is for the host"))]
    pub(crate) fn proven(&self) -> Option<&Document> {
        self.proven.as_ref()
    }

    /// Returns the active snapshot, once there is one.
    #[must_use]
    pub fn active(&self) -> Option<&Arc<Snapshot<T>>> {
        self.active.as_ref().map(|active| &active.accepted.snapshot)
    }

    /// Returns when the engine wants to be called again, on the timeline of `now`.
    /// Polling earlier does no harm.
    #[must_use]
    pub fn next_poll(&self) -> Duration {
        let Some(polled) = self.polled else {
            return Duration::ZERO;
        };
        let regular = polled.saturating_add(self.policy.interval);
        let settled = match &self.source.health {
            Health::Settling { until, .. } => *until,
            _ => regular,
        };
        // What is over and goes on all the same, because the source cannot be read
        // or a probation fails, has the regular polls.
        let coming = |at: Option<Duration>| at.filter(|at| *at > polled).unwrap_or(regular);
        let retry = self.source.rejected().and_then(|rejected| rejected.retry);
        let retried = coming(retry.map(|retry| retry.at));
        let proved = coming(
            self.active
                .as_ref()
                .and_then(|active| active.standing.until()),
        );
        let staggered = coming(self.source.turn().map(|turn| turn.due));
        let wanted = settled.min(staggered).min(retried).min(proved).min(regular);
        wanted.max(polled.saturating_add(SHORTEST_PAUSE))
    }

    /// Returns the present state.
    #[must_use]
    pub fn status(&self) -> Status {
        let mut status = Status::default();
        self.write_status(&mut status);
        status
    }

    /// Returns what an operator wants to read of the last call of `poll`, `apply` or a
    /// rollback; usually nothing.
    #[must_use]
    pub fn events(&self) -> &[Event] {
        &self.events
    }
}

/// What every change of state goes through.
impl<T: 'static> Engine<T> {
    /// Raises an event: the state has just changed.
    pub(super) fn raise(&mut self, event: Event, watch: &mut dyn Observer<T>) {
        watch.event(&event);
        self.events.push(event);
    }

    /// Drops what may hold a value: its destructor is the user's code.
    pub(super) fn discard<X>(&self, what: X) {
        let _ = guarded(self.policy.catch, move || drop(what));
    }

    pub(super) fn trim_history(&mut self) {
        while let Some(gone) = self.history.surplus(self.policy.history) {
            self.discard(gone);
        }
    }

    /// Returns a version that is never given again, whatever becomes of it.
    pub(super) fn next_version(&mut self) -> Version {
        self.last_version = self.last_version.next();
        self.last_version
    }

    pub(super) fn version(&self) -> Option<Version> {
        self.active().map(|active| active.version())
    }
}

impl<T> fmt::Debug for Engine<T>
where
    T: 'static,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("active", &self.active())
            .field("status", &self.status())
            .finish_non_exhaustive()
    }
}
