//! The engine: from what a detector saw to a snapshot that listeners agreed to.
//!
//! It owns the order of things: equality, limits, parse, validate, prepare,
//! swap, commit. It leaves looking at the source to the detector, and threads,
//! clocks, locks, publication to readers and log lines to the host. Its state is
//! consistent before each call of code that is not its own, so that a panic
//! there costs the one document or the one listener and nothing else.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::panic::Location;
use core::time::Duration;

use super::admission::{Admission, Admitted, Refusal, Rules};
use super::built::{Built, OfConfig};
use super::catch::{Catch, PANICKED, Panicked, guarded, plain_call};
use super::change::Change;
use super::detector::{Detector, Sighting};
use super::document::Document;
use super::error::{DetectError, DetectErrorKind, Rejection, RollbackError, Stage};
use super::format::Format;
use super::history::{Held, History, LONGEST_PAUSE, Refused, Retry, Worth};
use super::jitter::Jitter;
use super::lens::{Lens, Masks};
use super::limits::Limits;
use super::listener::{BoxError, Listener, OnChangeOf, OnCommitError};
#[cfg(feature = "std")]
use super::listeners;
use super::listeners::{ListenerId, Listeners};
use super::notes::{Notes, UnknownKeys};
use super::report::{Place, Report, Violation};
use super::snapshot::Snapshot;
use super::status::{Event, Failure, LastError, ListenerError, Outcome, Status};
use super::step::{OnStep, Phase, during, nobody};
use super::trial::{Asked, Trial};
use super::version::Version;

/// How often the engine wants to look, if nothing else is said.
pub(crate) const DEFAULT_INTERVAL: Duration = Duration::from_secs(1);

/// No next look is sooner than this, so that a detector that asks for the
/// present moment again and again cannot make a loop spin.
const SHORTEST_PAUSE: Duration = Duration::from_millis(1);

/// Content that has not held still for this long is worth a line in the log.
const STILL_CHANGING: Duration = Duration::from_secs(10);

/// The pure core: give it a detector and the time, and it says what came of it.
///
/// It does no I/O, has no clock, no thread and no lock, and needs `alloc` only.
/// With `std`, `Reloader` wraps it; without, this is the whole program:
///
/// ```
/// use core::time::Duration;
/// use steadyconf::{
///     DetectError, Detector, Document, Engine, Format, Limits, Notes, Outcome, Report, Sighting,
///     Version,
/// };
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
pub struct Engine<T> {
    admission: Admission<T>,
    on_commit_error: OnCommitError,
    listeners: Listeners<T>,
    limits: Limits,
    unknown_keys: UnknownKeys,
    masks: Arc<Masks>,
    interval: Duration,
    jitter: Option<Jitter>,
    catch: Catch,
    on_step: OnStep,

    now: Duration,
    active: Option<Arc<Snapshot<T>>>,
    last_version: Version,
    /// Other bytes that stand for the very value that is active.
    adopted: Option<Document>,
    history: History<T>,
    trial: Option<Trial<T>>,
    /// The newest that was active and has proved itself.
    proven: Option<Document>,
    /// What the detector offered last.
    observed: Option<Document>,
    /// What the source shows, if that was rolled back from: not applied again
    /// until the source shows something else.
    held: Option<Held>,
    refused: Option<Refused>,
    source_error: Option<(DetectError, Duration)>,
    settling_since: Option<Duration>,
    still_changing: bool,
    ask_again: bool,
    /// Of listeners that were told late; for the events of the next look.
    #[cfg(feature = "std")]
    late_errors: Vec<(Version, ListenerError)>,
    status: Status,
    events: Vec<Event>,
}

/// What it is made of.
impl<T: 'static> Engine<T> {
    /// An engine that parses with `format` and has nothing active yet.
    pub fn new(format: impl Format<T> + Send + 'static) -> Self {
        Engine::admitting(Admission::new(format))
    }

    fn admitting(admission: Admission<T>) -> Self {
        Engine {
            admission,
            on_commit_error: OnCommitError::default(),
            listeners: Listeners::new(),
            limits: Limits::default(),
            unknown_keys: UnknownKeys::default(),
            masks: Arc::default(),
            interval: DEFAULT_INTERVAL,
            jitter: None,
            catch: plain_call,
            on_step: nobody,
            now: Duration::ZERO,
            active: None,
            last_version: Version::NONE,
            adopted: None,
            history: History::new(),
            trial: None,
            proven: None,
            observed: None,
            held: None,
            refused: None,
            source_error: None,
            settling_since: None,
            still_changing: false,
            ask_again: false,
            #[cfg(feature = "std")]
            late_errors: Vec::new(),
            status: Status::default(),
            events: Vec::new(),
        }
    }

    /// Adds a validator. All of them are asked, so that a rejection names every
    /// violation at once; what any of them reports refuses the document.
    #[must_use]
    pub fn validate(mut self, check: impl Fn(&T, &mut Report) + Send + 'static) -> Self {
        self.admission.validate(check);
        self
    }

    /// Adds a validator of the step from what is active to what is new: the old
    /// value, the new one, and the report. It is asked after the others have
    /// found nothing, on every change, and so not for the first load. It is the
    /// place to refuse, by name, what needs a restart: `report.add("server.port",
    /// "needs a restart")`. A rollback does not ask it: that step was made before.
    #[must_use]
    pub fn validate_change(mut self, check: impl Fn(&T, &T, &mut Report) + Send + 'static) -> Self {
        self.admission.validate_change(check);
        self
    }

    /// Adds a closure that is told of a change, once it is active, if the part
    /// that `select` gives differs: the old part and the new one.
    #[must_use]
    #[track_caller]
    pub fn on_change_of<P: PartialEq + 'static>(
        self,
        select: impl Fn(&T) -> &P + Send + 'static,
        f: impl FnMut(&P, &P) -> Result<(), BoxError> + Send + 'static,
    ) -> Self {
        let name = place_name(Location::caller());
        self.listener(name, OnChangeOf { select, f })
    }

    /// What to do if a listener fails to take an active snapshot into use.
    /// Default: report it and go on.
    #[must_use]
    pub fn on_commit_error(mut self, policy: OnCommitError) -> Self {
        self.on_commit_error = policy;
        self
    }

    /// Takes an edit that changes bytes but not the value (comments, order, white
    /// space) for no change: its digest is adopted in the status, there is no new
    /// version, and nobody is called. Snapshots keep the digest of the bytes that
    /// they were made from.
    #[must_use]
    pub fn skip_equal(mut self) -> Self
    where
        T: PartialEq,
    {
        self.admission.compare_by(T::eq);
        self
    }

    /// How many snapshots to remember besides the active one, to roll back to.
    /// Default 8. Each costs the memory of its value and of the bytes that it
    /// was read from, so at most that many times the size limit for the bytes.
    #[must_use]
    pub fn history(mut self, keep: usize) -> Self {
        self.history.keep(keep);
        self
    }

    /// Puts everything that comes from the source on probation: for this long,
    /// `check` is asked at every look, and once more at the first look after it.
    /// An error or a panic rolls back, to what has proved itself if there is such
    /// a snapshot, and holds what failed until the source changes. Off by default.
    ///
    /// Where there is nothing to go back to, as after the first load, or where a
    /// listener vetoes going back, what failed stays active and on probation,
    /// which the status tells.
    #[must_use]
    pub fn probation<E: Into<BoxError>>(
        mut self,
        window: Duration,
        check: impl FnMut(&Snapshot<T>) -> Result<(), E> + Send + 'static,
    ) -> Self {
        self.trial = Some(Trial::new(window, check));
        self
    }

    /// Builds something from every configuration that is valid, before any
    /// listener is asked: clients, pools, compiled rules. What readers get is
    /// both together, so that nobody mixes a configuration and a client of
    /// different versions; a rollback brings the very same state back.
    ///
    /// An error refuses the document, as a validator does. Since it may come from
    /// the world and not from the file, the document is tried again at the same
    /// growing intervals as after a veto.
    ///
    /// What was said to the engine before this call is about the configuration,
    /// what is said after it about what is built: validators, listeners,
    /// [`skip_equal`](Self::skip_equal). A validator of what is built is asked again
    /// at the same intervals, for it may judge the world, too. With `skip_equal`
    /// before this, an edit that changes no value builds nothing.
    ///
    /// # Panics
    ///
    /// If it has looked already.
    #[must_use]
    pub fn build<S: 'static, E: Into<BoxError>>(
        self,
        build: impl FnMut(&T) -> Result<S, E> + Send + 'static,
    ) -> Engine<Built<T, S>> {
        let unused = self.active.is_none() && self.status.last_poll.is_none();
        assert!(unused, "build() belongs before the first look");
        let listeners = self.listeners.map(|one| Box::new(OfConfig(one)) as _);
        Engine {
            listeners,
            on_commit_error: self.on_commit_error,
            history: History::like(&self.history),
            trial: self.trial.map(Trial::of_config),
            limits: self.limits,
            unknown_keys: self.unknown_keys,
            masks: self.masks,
            interval: self.interval,
            jitter: self.jitter,
            catch: self.catch,
            on_step: self.on_step,
            ..Engine::admitting(self.admission.build(build))
        }
    }

    /// Adds a closure that is told of every change once it is active. It is
    /// known by the place of this call.
    #[must_use]
    #[track_caller]
    pub fn on_commit(
        self,
        f: impl FnMut(&Change<T>) -> Result<(), BoxError> + Send + 'static,
    ) -> Self {
        let name = place_name(Location::caller());
        self.listener(name, f)
    }

    /// Adds a listener, known as `name` in rejections, the status and the log.
    #[must_use]
    pub fn listener(
        mut self,
        name: impl Into<Arc<str>>,
        listener: impl Listener<T> + 'static,
    ) -> Self {
        let id = ListenerId::FROM_THE_START;
        self.listeners.add(id, name.into(), Box::new(listener));
        self
    }

    /// How long to wait between looks if nothing is under way. Default 1 s.
    #[must_use]
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// Makes the pause before each new try of what was vetoed, or could not be
    /// built, up to a quarter shorter, by chance, so that many instances that wait
    /// for one thing do not all ask it at once. `seed` is what makes this instance
    /// different from the others; the engine has no source of chance. Without a
    /// seed there is no jitter. The host gives one.
    #[must_use]
    pub fn jitter(mut self, seed: u64) -> Self {
        self.jitter = Some(Jitter(seed));
        self
    }

    /// The bounds; see [`Limits`].
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// What to do with keys that no field takes, where the format can tell. Default:
    /// warn.
    #[must_use]
    pub fn unknown_keys(mut self, policy: UnknownKeys) -> Self {
        self.unknown_keys = policy;
        self
    }

    /// Masks the fields at these paths, and all that is below them, wherever values
    /// are shown: in a [`Diff`](crate::Diff). `*` stands for one segment of a path,
    /// `**` for any number; a name matches whole segments only, however it is
    /// capitalised and hyphenated. Masked anyhow: `**.api_key`, `**.password`,
    /// `**.token`, `**.secret`, `**.connection_string` and a dozen other such names,
    /// every field whose type is `Secret`, and every key that no field takes, as far as
    /// `serde` tells: flattened structs and enums that are untagged or tagged inside take
    /// any key.
    #[must_use]
    pub fn mask(mut self, pattern: &str) -> Self {
        Arc::make_mut(&mut self.masks).add(pattern);
        self
    }

    /// How to call code that is not the engine's own; see [`Catch`].
    #[must_use]
    pub fn catch(mut self, catch: Catch) -> Self {
        self.catch = catch;
        self
    }

    /// Whom to tell of every phase of an attempt.
    #[cfg(feature = "otel")]
    pub(crate) fn on_step(&mut self, on_step: OnStep) {
        self.on_step = on_step;
    }

    /// Makes `listener` the first, so that every other one finds its work done:
    /// it is how the host publishes to readers.
    #[cfg(feature = "std")]
    pub(crate) fn listener_zero(&mut self, listener: impl Listener<T> + 'static) {
        let name = "publication".into();
        self.listeners
            .add_first(ListenerId::FROM_THE_START, name, Box::new(listener));
    }

    /// Adds a listener between two rounds. What changed since `since`, while it
    /// waited to be taken in, it is told at once.
    #[cfg(feature = "std")]
    pub(crate) fn subscribe(
        &mut self,
        id: ListenerId,
        name: Arc<str>,
        mut listener: Box<dyn Listener<T>>,
        since: Arc<Snapshot<T>>,
    ) {
        let newer = self.active.clone();
        if let Some(new) = newer.filter(|new| new.version() > since.version()) {
            let version = new.version();
            let change = Change { old: since, new };
            let error = listeners::commit_one(self.catch, &name, &mut *listener, &change);
            self.late_errors.extend(error.map(|error| (version, error)));
            let _ = guarded(self.catch, move || drop(change));
        }
        self.listeners.add(id, name, listener);
    }

    /// Removes it again, between two rounds. What its destructor does is its own.
    #[cfg(feature = "std")]
    pub(crate) fn unsubscribe(&mut self, id: ListenerId) {
        let removed = self.listeners.remove(id);
        let _ = guarded(self.catch, move || drop(removed));
    }
}

/// What it does.
impl<T: 'static> Engine<T> {
    /// Looks once and says what came of it. It never waits.
    ///
    /// `now` is monotonic time since some start; a smaller one than before
    /// counts as the one before. The first content that is accepted becomes
    /// active without a call of the listeners, for there is no change to tell.
    ///
    /// # Errors
    ///
    /// The source cannot be read. What was active stays.
    pub fn poll(
        &mut self,
        detector: &mut dyn Detector,
        now: Duration,
    ) -> Result<Outcome, DetectError> {
        self.begin(now);
        let rolled_back = self.ask_on_probation();
        let now = self.now;
        let sighting = guarded(self.catch, || detector.poll(now)).unwrap_or_else(|Panicked| {
            let kind = DetectErrorKind::Panicked;
            Err(DetectError::new(kind, "the source", PANICKED))
        });
        let result = match sighting {
            Ok(sighting) => Ok(self.sighted_after(rolled_back, sighting)),
            Err(error) => Err(self.source_failed(error)),
        };
        self.finish(&result);
        result
    }

    /// Takes in a document without a detector, as if one had just seen it.
    pub fn apply(&mut self, document: Document, now: Duration) -> Outcome {
        self.begin(now);
        let rolled_back = self.ask_on_probation();
        let outcome = self.sighted_after(rolled_back, Sighting::Changed(document));
        self.finish(&Ok(outcome.clone()));
        outcome
    }

    /// Makes `document`, which was good in an earlier run, active as the first
    /// snapshot, because the source is missing or refused. It is judged like any
    /// other. The status goes on telling what is wrong with the source, and that
    /// what is active is not current; that ends once the source shows something
    /// that is accepted, or this very content. Whatever comes from the source then
    /// is a change, also for [`validate_change`](Self::validate_change).
    ///
    /// `from` says where it was kept, for people. Does nothing if something is active
    /// already.
    ///
    /// # Errors
    ///
    /// The document is refused. Nothing is active, as before.
    pub fn start_from_last_good(
        &mut self,
        document: Document,
        from: impl Into<Arc<str>>,
        now: Duration,
    ) -> Result<Version, Arc<Rejection>> {
        self.begin_change(now);
        if let Some(version) = self.version() {
            return Ok(version);
        }
        let mut notes = Notes::new();
        let rules = self.rules();
        let admitted = during(self.on_step, Phase::LastGood, || {
            self.admission.admit(rules, &document, None, &mut notes)
        });
        let value = match admitted {
            Ok(Admitted::New(value)) => value,
            // There is nothing active that it could be equal to.
            Ok(Admitted::Equal) => unreachable!("equal to nothing"),
            Err(refusal) => return Err(rejected(refusal, &document)),
        };
        let known = self.last_error().map(|error| error.failure);
        let moves = self.settling_since.map(|_| Failure::StillChanging);
        let failure = known.or(moves);
        let version = self.next_version();
        let lens = self.lens(&mut notes);
        let new = Arc::new(Snapshot::new(value, version, document, lens));
        self.events.push(Event::StartedFromLastGood {
            version,
            digest: new.digest(),
            from: from.into(),
            failure,
        });
        let refused = self.refused.take();
        self.activate(new, Arc::default());
        self.refused = refused;
        self.note_proven();
        self.status.from_last_good = true;
        self.status.source_differs = true;
        Ok(version)
    }

    /// Asks that the next [`poll`](Self::poll) judges anew what it remembers to
    /// be refused or vetoed, for something else than the content may have
    /// changed since.
    pub fn ask_again(&mut self) {
        self.ask_again = true;
    }

    /// Goes back to the newest content before, under a new version: a change like
    /// any other, with every listener. What was active is not applied again until
    /// the source shows something else; until then a look says
    /// [`Outcome::Quarantined`].
    ///
    /// # Errors
    ///
    /// There is nothing to go back to, or a listener vetoed it.
    pub fn rollback(&mut self, now: Duration) -> Result<Version, RollbackError> {
        self.begin_change(now);
        let target = self.newest_before(false)?;
        self.roll_back_to(&target)
    }

    /// The same to the content of a certain version, if it is still remembered.
    ///
    /// # Errors
    ///
    /// It is not, or it is what is active, or a listener vetoed it.
    pub fn rollback_to(
        &mut self,
        version: Version,
        now: Duration,
    ) -> Result<Version, RollbackError> {
        self.begin_change(now);
        let active = self.active.as_ref();
        if active.is_some_and(|active| active.version() == version) {
            return Err(RollbackError::IsActive(version));
        }
        let Some(target) = self.history.get(version).cloned() else {
            return Err(RollbackError::NotRemembered(version));
        };
        if active.is_some_and(|active| active.document() == target.document()) {
            return Err(RollbackError::IsActive(version));
        }
        self.roll_back_to(&target)
    }

    /// The newest that was active and has proved itself.
    #[cfg(feature = "std")]
    pub(crate) fn proven(&self) -> Option<&Document> {
        self.proven.as_ref()
    }

    /// What is active, once something is.
    #[must_use]
    pub fn active(&self) -> Option<&Arc<Snapshot<T>>> {
        self.active.as_ref()
    }

    /// When the engine wants to be called again, on the timeline of `now`.
    /// Looking earlier does no harm.
    #[must_use]
    pub fn next_poll(&self) -> Duration {
        self.status.next_poll
    }

    /// The present state.
    #[must_use]
    pub fn status(&self) -> &Status {
        &self.status
    }

    /// What an operator wants to read of the last call of `poll` or `apply`;
    /// usually nothing.
    #[must_use]
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    fn begin(&mut self, now: Duration) {
        self.begin_change(now);
        self.status.last_poll = Some(self.now);
    }

    fn begin_change(&mut self, now: Duration) {
        self.now = self.now.max(now);
        self.events.clear();
        #[cfg(feature = "std")]
        for (version, error) in self.late_errors.drain(..) {
            self.events.push(Event::ListenerFailed { version, error });
        }
    }

    /// Never given again, whatever becomes of it.
    fn next_version(&mut self) -> Version {
        self.last_version = self.last_version.next();
        self.last_version
    }

    fn version(&self) -> Option<Version> {
        self.active.as_ref().map(|active| active.version())
    }

    fn source_failed(&mut self, error: DetectError) -> DetectError {
        self.settling_since = None;
        self.still_changing = false;
        let known = self.source_error.as_ref().is_some_and(|(e, _)| *e == error);
        if !known {
            self.events.push(Event::SourceFailed {
                keeping: self.version(),
                error: error.clone(),
            });
            self.source_error = Some((error.clone(), self.now));
        }
        error
    }

    /// What was seen after what was active had to go back, or had not: that the source
    /// shows what was left is no more than what the rollback says.
    fn sighted_after(&mut self, rolled_back: Option<Version>, sighting: Sighting) -> Outcome {
        match (self.sighted(sighting), rolled_back) {
            (Outcome::Quarantined, Some(version)) => Outcome::RolledBack(version),
            (outcome, _) => outcome,
        }
    }

    fn sighted(&mut self, sighting: Sighting) -> Outcome {
        if let Some((error, _)) = self.source_error.take() {
            self.events.push(Event::SourceReadable { error });
        }
        if let Sighting::Settling { until } = sighting {
            self.settling();
            return Outcome::Settling { until };
        }
        self.settling_since = None;
        let was_changing = core::mem::take(&mut self.still_changing);
        let events = self.events.len();
        let outcome = match sighting {
            Sighting::Changed(document) => self.offer(document),
            _ => self.standing(),
        };
        if was_changing && outcome == Outcome::Unchanged && self.events.len() == events {
            self.recovered();
        }
        outcome
    }

    /// The source moves; once that has lasted for long, it is told.
    fn settling(&mut self) {
        let since = *self.settling_since.get_or_insert(self.now);
        let lasted = self.now.saturating_sub(since);
        if lasted >= STILL_CHANGING && !self.still_changing {
            self.still_changing = true;
            self.events.push(Event::StillChanging {
                keeping: self.version(),
                lasted,
            });
        }
    }

    /// The source is what is active; if something was refused, that is over.
    fn refusal_ends(&mut self) {
        if self.refused.take().is_some() {
            self.recovered();
        }
    }

    fn recovered(&mut self) {
        if let Some(active) = &self.active {
            let (version, digest) = (active.version(), active.digest());
            self.events.push(Event::Recovered { version, digest });
        }
    }

    /// Nothing new at the source: what is there is judged by what is active now.
    /// While nothing happens, each comparison is one of pointers.
    fn standing(&mut self) -> Outcome {
        match self.observed.clone() {
            Some(observed) => self.weigh(observed),
            None => Outcome::Unchanged,
        }
    }

    /// The source shows this. Whatever else it showed before, and what came of
    /// that, is over.
    fn offer(&mut self, document: Document) -> Outcome {
        if self.observed.as_ref() != Some(&document) {
            self.held = None;
            self.observed = Some(document.clone());
        }
        self.weigh(document)
    }

    /// Only what is neither active, nor held back, nor remembered to be refused
    /// is worth parsing.
    fn weigh(&mut self, document: Document) -> Outcome {
        if self.is_active(&document) {
            self.refusal_ends();
            return Outcome::Unchanged;
        }
        if self.held.as_ref().is_some_and(|h| h.document == document) {
            self.refused = None;
            return Outcome::Quarantined;
        }
        match self.refused.as_ref().filter(|r| r.document == document) {
            Some(refused) if !self.ask_again && !refused.is_due(self.now) => refused.outcome(),
            _ => self.judge(document),
        }
    }

    /// Whether these very bytes are active, or were adopted for what is.
    fn is_active(&mut self, document: &Document) -> bool {
        let Some(active) = &self.active else {
            return false;
        };
        if active.document() == document {
            // So that the next comparison is one of pointers.
            self.observed = Some(active.document().clone());
            self.adopted = None;
            self.status.digest = Some(active.digest());
            return true;
        }
        self.adopted.as_ref() == Some(document)
    }

    fn judge(&mut self, document: Document) -> Outcome {
        let on_step = self.on_step;
        during(on_step, Phase::Attempt, || self.take_in(document))
    }

    fn take_in(&mut self, document: Document) -> Outcome {
        let mut notes = Notes::new();
        let rules = self.rules();
        let active = self.active.as_deref().map(Snapshot::value);
        let admitted = self.admission.admit(rules, &document, active, &mut notes);
        match admitted {
            Ok(Admitted::Equal) => {
                let outcome = self.adopt(document);
                self.warn(notes);
                outcome
            }
            Ok(Admitted::New(value)) => {
                let outcome = self.accept(value, document, &mut notes);
                if matches!(outcome, Outcome::Applied(_)) {
                    self.warn(notes);
                }
                outcome
            }
            Err(refusal) => {
                let retry = refusal.may_pass_later.then(|| self.back_off(&document));
                let rejection = rejected(refusal, &document);
                Outcome::Rejected(self.refuse(document, rejection, retry))
            }
        }
    }

    /// How to look into a document that this was noted of.
    fn lens(&self, notes: &mut Notes) -> Lens {
        Lens {
            inspector: self.admission.inspector(),
            masks: self.masks.clone(),
            secrets: core::mem::take(&mut notes.secrets).into(),
            blind: notes.some_secrets_have_no_path,
        }
    }

    /// What is active has keys that nothing takes; that is told once.
    fn warn(&mut self, notes: Notes) {
        let warnings: Arc<[Violation]> = notes.unknown_keys.into();
        if let (false, Some(version)) = (warnings.is_empty(), self.version()) {
            let warnings = warnings.clone();
            self.events.push(Event::UnknownKeys { version, warnings });
        }
        self.status.warnings = warnings;
    }

    fn rules(&self) -> Rules {
        Rules {
            catch: self.catch,
            limits: self.limits,
            unknown_keys: self.unknown_keys,
            on_step: self.on_step,
        }
    }

    /// Other bytes for what is active: no change, and nothing is wrong any more.
    fn adopt(&mut self, document: Document) -> Outcome {
        self.refusal_ends();
        self.status.digest = Some(document.digest());
        self.adopted = Some(document);
        Outcome::Unchanged
    }

    /// A valid value: ask the listeners, swap, tell them.
    fn accept(&mut self, value: T, document: Document, notes: &mut Notes) -> Outcome {
        let version = self.next_version();
        let lens = self.lens(notes);
        let new = Arc::new(Snapshot::new(value, version, document, lens));
        let Some(old) = self.active.clone() else {
            self.events.push(applied(None, &new));
            self.activate(new, Arc::default());
            self.count_reload();
            self.trial_begins();
            return Outcome::Applied(version);
        };
        let event = applied(Some(&old), &new);
        let change = Change { old, new };
        let outcome = match self.round(&change, event) {
            Ok(()) => {
                self.history.forgive();
                self.count_reload();
                self.trial_begins();
                Outcome::Applied(version)
            }
            Err(veto) => self.vetoed(&change, veto),
        };
        // This may be the last hold on a value; a destructor is the user's code,
        // too.
        let _ = guarded(self.catch, move || drop(change));
        let failed = !self.status.listener_errors.is_empty();
        if failed && matches!(outcome, Outcome::Applied(_)) {
            return self.after_commit_errors(outcome);
        }
        outcome
    }

    /// One round: everyone prepares, the swap, everyone commits. `event` says what
    /// it was; it is told before the errors of the second phase are.
    fn round(&mut self, change: &Change<T>, event: Event) -> Result<(), ListenerError> {
        let on_step = self.on_step;
        during(on_step, Phase::Prepare, || {
            self.listeners.prepare(self.catch, change)
        })?;
        // Listener 0 publishes: from its commit on, readers and all later
        // listeners see the new snapshot.
        self.active = Some(change.new.clone());
        self.refused = None;
        let errors = during(on_step, Phase::Commit, || {
            self.listeners.commit(self.catch, change)
        });
        self.events.push(event);
        let version = change.new.version();
        let failed = errors.iter().cloned();
        self.events
            .extend(failed.map(|error| Event::ListenerFailed { version, error }));
        let forgotten = self
            .history
            .push(change.old.clone(), self.worth_of_active());
        let _ = guarded(self.catch, move || drop(forgotten));
        self.activate(change.new.clone(), errors.into());
        Ok(())
    }

    /// How what is active until now has done.
    fn worth_of_active(&self) -> Worth {
        let failed = self.on_commit_error == OnCommitError::RollBack
            && !self.status.listener_errors.is_empty();
        match self.trial.as_ref().and_then(Trial::standing) {
            _ if failed => Worth::Bad,
            Some(standing) if standing.failure.is_some() => Worth::Bad,
            Some(_) => Worth::Unproven,
            None => Worth::Good,
        }
    }

    /// Something from the source is active.
    fn count_reload(&mut self) {
        self.status.reloads = self.status.reloads.saturating_add(1);
    }

    /// Something else is active: on probation, where there is such a thing.
    fn trial_begins(&mut self) {
        if let Some(trial) = &mut self.trial {
            trial.begin(self.now);
        }
        self.note_proven();
    }

    fn trial_ends(&mut self) {
        if let Some(trial) = &mut self.trial {
            trial.end();
        }
    }

    /// Asks how what is active does, and goes back if it does not do well.
    fn ask_on_probation(&mut self) -> Option<Version> {
        let active = self.active.clone()?;
        let trial = self.trial.as_mut()?;
        let version = active.version();
        match trial.ask(self.catch, &active, self.now) {
            Asked::Nothing => return None,
            Asked::Passed => {
                self.events.push(Event::ProbationPassed { version });
                self.note_proven();
                return None;
            }
            Asked::Failed(None) => {}
            Asked::Failed(Some(reason)) => {
                let failed = Event::ProbationFailed { version, reason };
                self.events.push(failed);
            }
        }
        let way_back = self.trial.as_ref().and_then(Trial::way_back);
        if way_back.is_some_and(|retry| retry.at > self.now) {
            return None;
        }
        let target = self
            .newest_before(true)
            .or_else(|_| self.newest_before(false));
        match target.and_then(|target| self.roll_back_to(&target)) {
            Ok(version) => Some(version),
            Err(error) => {
                self.no_way_back(version, error);
                None
            }
        }
    }

    /// What failed its probation stays, for now.
    fn no_way_back(&mut self, keeping: Version, error: RollbackError) {
        let last = self.trial.as_ref().and_then(Trial::way_back);
        let retry = self.retry_later(last);
        let Some(trial) = &mut self.trial else {
            return;
        };
        if trial.put_off(retry, &error) {
            self.events.push(Event::RollbackFailed { keeping, error });
        }
    }

    /// What is active may be worth going back to at the next start.
    fn note_proven(&mut self) {
        if self.worth_of_active() == Worth::Good {
            let active = self.active.as_ref();
            self.proven = active.map(|active| active.document().clone());
        }
    }

    fn activate(&mut self, new: Arc<Snapshot<T>>, errors: Arc<[ListenerError]>) {
        self.refused = None;
        self.adopted = None;
        self.status.version = Some(new.version());
        self.status.digest = Some(new.digest());
        self.status.origins = new.origins().clone();
        self.status.applied_at = Some(self.now);
        self.status.listener_errors = errors;
        self.status.warnings = Arc::default();
        self.active = Some(new);
    }

    /// The round is over; what it led to stays, or is taken back by another.
    fn after_commit_errors(&mut self, outcome: Outcome) -> Outcome {
        if self.on_commit_error == OnCommitError::Continue {
            return outcome;
        }
        let back = self
            .newest_before(false)
            .and_then(|target| self.roll_back_to(&target));
        match (back, self.version()) {
            (Ok(version), _) => Outcome::RolledBack(version),
            (Err(error), Some(keeping)) => {
                self.events.push(Event::RollbackFailed { keeping, error });
                outcome
            }
            (Err(_), None) => outcome,
        }
    }

    /// The newest snapshot with another content than is active, and than was
    /// rolled back from since the last change that came from the source.
    /// `proven`: which is known to have done well.
    fn newest_before(&self, proven: bool) -> Result<Arc<Snapshot<T>>, RollbackError> {
        let Some(active) = &self.active else {
            return Err(RollbackError::NothingToGoBackTo);
        };
        let same = |a: &Snapshot<T>, b: &Snapshot<T>| self.is_same(a, b);
        let newest = self.history.newest_but(active, proven, same).cloned();
        newest.ok_or(RollbackError::NothingToGoBackTo)
    }

    /// Of the same bytes, or, where that was asked for, of an equal value.
    fn is_same(&self, a: &Snapshot<T>, b: &Snapshot<T>) -> bool {
        a.document() == b.document() || self.admission.are_equal(self.catch, a, b)
    }

    fn roll_back_to(&mut self, target: &Arc<Snapshot<T>>) -> Result<Version, RollbackError> {
        let Some(old) = self.active.clone() else {
            return Err(RollbackError::NothingToGoBackTo);
        };
        let version = self.next_version();
        // Whether the source shows what is left now, or other bytes for it.
        let observed = self.observed.clone();
        let shown = observed.filter(|observed| self.is_active(observed));
        let (change_from, content_of) = (old.version(), target.version());
        let digest = target.digest();
        let worth = self.history.worth_of(content_of);
        let new = Arc::new(target.again(version));
        let change = Change { old, new };
        let refused = self.refused.take();
        let event = Event::RolledBack {
            from: change_from,
            to: version,
            content_of,
            digest,
        };
        let on_step = self.on_step;
        let done = during(on_step, Phase::Rollback, || self.round(&change, event));
        self.refused = refused;
        let _ = guarded(self.catch, move || drop(change));
        if let Err(veto) = done {
            let report = Violation::new("", veto.to_string()).into();
            let rejection = Arc::new(Rejection::new(Stage::Prepare, digest, report));
            return Err(RollbackError::Vetoed(rejection));
        }
        self.status.rollbacks = self.status.rollbacks.saturating_add(1);
        // What is remembered to be refused was judged by what was active then.
        self.ask_again |= self.refused.is_some();
        if worth == Worth::Good {
            self.trial_ends();
        } else {
            self.trial_begins();
        }
        self.history.avoid(change_from);
        self.note_proven();
        self.held = shown.map(Held::new).or(self.held.take());
        self.after_rollback();
        Ok(version)
    }

    /// Makes the status tell what is so, without a look.
    fn after_rollback(&mut self) {
        let observed = self.observed.clone();
        let shown = observed.as_ref().is_some_and(|o| self.is_active(o));
        if shown {
            self.held = None;
            self.refused = None;
        }
        self.status.source_differs = observed.is_some() && !shown;
        self.status.last_error = self.last_error();
        self.show_standing();
    }

    fn show_standing(&mut self) {
        let standing = self.trial.as_ref().and_then(Trial::standing);
        self.status.probation = standing.cloned();
        self.status.quarantined = self.held.as_ref().map(|held| held.digest);
    }

    fn vetoed(&mut self, change: &Change<T>, veto: ListenerError) -> Outcome {
        let document = change.new.document().clone();
        let retry = self.back_off(&document);
        let report = Violation::new("", veto.to_string()).into();
        let rejection = Rejection::new(Stage::Prepare, document.digest(), report);
        Outcome::Vetoed {
            rejection: self.refuse(document, Arc::new(rejection), Some(retry)),
            retry_at: retry.at,
        }
    }

    /// When to try this document again.
    fn back_off(&mut self, document: &Document) -> Retry {
        let last = self.refused.as_ref().filter(|r| r.document == *document);
        let last = last.and_then(|refused| refused.retry);
        // Somebody asked before it was time: that is no reason to wait longer.
        match last {
            Some(Retry { pause, .. }) if self.ask_again => self.retry_after(pause),
            last => self.retry_later(last),
        }
    }

    /// The first retry, or the one after `last`.
    fn retry_later(&mut self, last: Option<Retry>) -> Retry {
        let longest = LONGEST_PAUSE.max(self.interval);
        let first = self.interval.max(SHORTEST_PAUSE);
        self.retry_after(Retry::next_pause(last, first, longest))
    }

    fn retry_after(&mut self, pause: Duration) -> Retry {
        let jitter = self.jitter.as_mut();
        let shorter = jitter.map_or(Duration::ZERO, |j| j.up_to(pause / 4));
        let at = self.now.saturating_add(pause.saturating_sub(shorter));
        Retry { at, pause }
    }

    /// Remembers what was refused. The same verdict on the same content is no
    /// news: it keeps its beginning and is not reported again.
    fn refuse(
        &mut self,
        document: Document,
        rejection: Arc<Rejection>,
        retry: Option<Retry>,
    ) -> Arc<Rejection> {
        let mut since = self.now;
        if let Some(refused) = &mut self.refused {
            if refused.document == document && *refused.rejection == *rejection {
                refused.retry = retry;
                return refused.rejection.clone();
            }
            // Another reason at the same stage is news, but no new beginning.
            if refused.document == document && refused.rejection.stage() == rejection.stage() {
                since = refused.since;
            }
        }
        self.status.rejections = self.status.rejections.saturating_add(1);
        self.events.push(Event::Rejected {
            keeping: self.version(),
            rejection: rejection.clone(),
        });
        self.refused = Some(Refused {
            document,
            rejection: rejection.clone(),
            since,
            retry,
        });
        rejection
    }

    /// Draws the conclusions of a look: the status, and when to look again.
    fn finish(&mut self, result: &Result<Outcome, DetectError>) {
        let regular = self.now.saturating_add(self.interval);
        let settled = match result {
            Ok(Outcome::Settling { until }) => *until,
            _ => regular,
        };
        let retry = self.refused.as_ref().and_then(|refused| refused.retry);
        let standing = self.trial.as_ref().and_then(Trial::standing);
        // What is over and goes on all the same, because the source cannot be read
        // or a probation fails, has the regular looks.
        let coming = |at: Option<Duration>| at.filter(|at| *at > self.now).unwrap_or(regular);
        let retried = coming(retry.map(|retry| retry.at));
        let proved = coming(standing.map(|standing| standing.until));
        let soonest = self.now.saturating_add(SHORTEST_PAUSE);
        let wanted = settled.min(retried).min(proved);
        self.status.next_poll = wanted.min(regular).max(soonest);
        self.status.settling_since = self.settling_since;
        self.status.last_error = self.last_error();
        self.show_standing();
        match result {
            Ok(Outcome::Settling { .. }) => {
                self.status.source_differs = true;
                if self.still_changing {
                    self.count_failure();
                }
            }
            // What it shows, if anything, has never been seen.
            Ok(Outcome::Unchanged) if self.observed.is_none() => {}
            Ok(Outcome::Unchanged | Outcome::Applied(_)) => {
                self.is_current(result);
                self.ask_again = false;
                self.status.source_differs = false;
                self.status.consecutive_failures = 0;
                self.status.last_success = Some(self.now);
            }
            Ok(Outcome::Quarantined | Outcome::RolledBack(_)) => {
                self.ask_again = false;
                self.status.source_differs = true;
                self.status.consecutive_failures = 0;
            }
            Ok(_) => {
                self.ask_again = false;
                self.status.source_differs = true;
                self.count_failure();
            }
            Err(_) => self.count_failure(),
        }
    }

    /// What is active is what the source shows.
    fn is_current(&mut self, result: &Result<Outcome, DetectError>) {
        let was_last_good = core::mem::take(&mut self.status.from_last_good);
        let told = |event: &Event| matches!(event, Event::Recovered { .. });
        let unchanged = *result == Ok(Outcome::Unchanged);
        if was_last_good && unchanged && !self.events.iter().any(told) {
            self.recovered();
        }
    }

    fn count_failure(&mut self) {
        let failures = &mut self.status.consecutive_failures;
        *failures = failures.saturating_add(1);
    }

    fn last_error(&self) -> Option<LastError> {
        if let Some((error, since)) = &self.source_error {
            return Some(LastError {
                failure: Failure::Source(error.clone()),
                since: *since,
            });
        }
        if let (true, Some(since)) = (self.still_changing, self.settling_since) {
            let failure = Failure::StillChanging;
            return Some(LastError { failure, since });
        }
        self.refused.as_ref().map(|refused| LastError {
            failure: Failure::Rejected(refused.rejection.clone()),
            since: refused.since,
        })
    }
}

impl<T> fmt::Debug for Engine<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("active", &self.active)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

fn applied<T>(old: Option<&Arc<Snapshot<T>>>, new: &Arc<Snapshot<T>>) -> Event {
    let diff = old.map(|old| Change::new(old.clone(), new.clone()).diff());
    Event::Applied {
        from: old.map(|old| old.version()),
        to: new.version(),
        digest: new.digest(),
        origins: new.origins().clone(),
        diff,
    }
}

fn place_name(place: &Location<'_>) -> String {
    format!("{}:{}", place.file(), place.line())
}

fn rejected(refusal: Refusal, document: &Document) -> Arc<Rejection> {
    let mut report = refusal.report;
    name_the_source(&mut report, document);
    Arc::new(Rejection::new(refusal.stage, document.digest(), report))
}

/// Where there is one source only, a problem without a place is in it.
fn name_the_source(report: &mut Report, document: &Document) {
    let [only] = document.layers() else {
        return;
    };
    for violation in report.violations_mut() {
        if violation.place().is_none() {
            let place = Place::in_origin(only.origin().clone());
            *violation = violation.clone().at(place);
        }
    }
}
