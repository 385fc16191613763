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

use super::catch::{Catch, PANICKED, Panicked, guarded, plain_call};
use super::change::Change;
use super::detector::{Detector, Sighting};
use super::document::Document;
use super::error::{DetectError, DetectErrorKind, Rejection, RollbackError, Stage};
use super::format::Format;
use super::history::{Held, History, Refused, Retry};
use super::limits::Limits;
use super::listener::{BoxError, Listener, OnChangeOf, OnCommitError};
#[cfg(feature = "std")]
use super::listeners;
use super::listeners::{ListenerId, Listeners};
use super::report::{Place, Report, Violation};
use super::snapshot::Snapshot;
use super::status::{Event, Failure, LastError, ListenerError, Outcome, Status};
use super::version::Version;

/// How often the engine wants to look, if nothing else is said.
pub(crate) const DEFAULT_INTERVAL: Duration = Duration::from_secs(1);

/// No next look is sooner than this, so that a detector that asks for the
/// present moment again and again cannot make a loop spin.
const SHORTEST_PAUSE: Duration = Duration::from_millis(1);

/// A vetoed candidate is offered again after one interval, then after twice as
/// long each time, up to this: what it waits for may take its time.
const LONGEST_VETO_PAUSE: Duration = Duration::from_secs(60);

/// Content that has not held still for this long is worth a line in the log.
const STILL_CHANGING: Duration = Duration::from_secs(10);

/// Finding a place may mean to parse again, so only the first few get one.
const MAX_LOCATED: usize = 16;

type Validator<T> = Box<dyn Fn(&T, &mut Report) + Send>;
type Equal<T> = fn(&T, &T) -> bool;
type ChangeValidator<T> = Box<dyn Fn(&T, &T, &mut Report) + Send>;

/// The pure core: give it a detector and the time, and it says what came of it.
///
/// It does no I/O, has no clock, no thread and no lock, and needs `alloc` only.
/// With `std`, `Reloader` wraps it; without, this is the whole program:
///
/// ```
/// use core::time::Duration;
/// use steadyconf::{
///     DetectError, Detector, Document, Engine, Format, Limits, Outcome, Report, Sighting, Version,
/// };
///
/// struct Number;
/// impl Format<u32> for Number {
///     fn parse(&self, document: &Document, _: &Limits) -> Result<u32, Report> {
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
    format: Box<dyn Format<T> + Send>,
    validators: Vec<Validator<T>>,
    change_validators: Vec<ChangeValidator<T>>,
    on_commit_error: OnCommitError,
    equal: Option<Equal<T>>,
    listeners: Listeners<T>,
    limits: Limits,
    interval: Duration,
    catch: Catch,

    now: Duration,
    active: Option<Arc<Snapshot<T>>>,
    last_version: Version,
    /// Other bytes that stand for the very value that is active.
    adopted: Option<Document>,
    history: History<T>,
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
        Engine {
            format: Box::new(format),
            validators: Vec::new(),
            change_validators: Vec::new(),
            on_commit_error: OnCommitError::default(),
            equal: None,
            listeners: Listeners::new(),
            limits: Limits::default(),
            interval: DEFAULT_INTERVAL,
            catch: plain_call,
            now: Duration::ZERO,
            active: None,
            last_version: Version::NONE,
            adopted: None,
            history: History::new(),
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
        self.validators.push(Box::new(check));
        self
    }

    /// Adds a validator of the step from what is active to what is new: the old
    /// value, the new one, and the report. It is asked after the others have
    /// found nothing, on every change, and so not for the first load. It is the
    /// place to refuse, by name, what needs a restart: `report.add("server.port",
    /// "needs a restart")`. A rollback does not ask it: that step was made before.
    #[must_use]
    pub fn validate_change(mut self, check: impl Fn(&T, &T, &mut Report) + Send + 'static) -> Self {
        self.change_validators.push(Box::new(check));
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
        self.equal = Some(T::eq);
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

    /// The bounds; see [`Limits`].
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// How to call code that is not the engine's own; see [`Catch`].
    #[must_use]
    pub fn catch(mut self, catch: Catch) -> Self {
        self.catch = catch;
        self
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
        let now = self.now;
        let sighting = guarded(self.catch, || detector.poll(now)).unwrap_or_else(|Panicked| {
            let kind = DetectErrorKind::Panicked;
            Err(DetectError::new(kind, "the source", PANICKED))
        });
        let result = match sighting {
            Ok(sighting) => Ok(self.sighted(sighting)),
            Err(error) => Err(self.source_failed(error)),
        };
        self.finish(&result);
        result
    }

    /// Takes in a document without a detector, as if one had just seen it.
    pub fn apply(&mut self, document: Document, now: Duration) -> Outcome {
        self.begin(now);
        let outcome = self.sighted(Sighting::Changed(document));
        self.finish(&Ok(outcome.clone()));
        outcome
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
    /// [`Outcome::Held`].
    ///
    /// # Errors
    ///
    /// There is nothing to go back to, or a listener vetoed it.
    pub fn rollback(&mut self, now: Duration) -> Result<Version, RollbackError> {
        self.begin_change(now);
        let target = self.newest_before()?;
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

    /// What is active, once something is.
    #[must_use]
    pub fn active(&self) -> Option<&Arc<Snapshot<T>>> {
        self.active.as_ref()
    }

    /// When the engine wants to be called again, on the timeline of `now`.
    /// Looking earlier does no harm.
    #[must_use]
    pub fn next_look(&self) -> Duration {
        self.status.next_look
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
        self.status.last_look = Some(self.now);
    }

    fn begin_change(&mut self, now: Duration) {
        self.now = self.now.max(now);
        self.events.clear();
        #[cfg(feature = "std")]
        for (version, error) in self.late_errors.drain(..) {
            self.events.push(Event::ListenerFailed { version, error });
        }
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
            return Outcome::Held;
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
        match self.admit(&document) {
            Ok(value) if self.equals_active(&value) => self.adopt(value, document),
            Ok(value) => self.accept(value, document),
            Err((stage, mut report)) => {
                name_the_source(&mut report, &document);
                let rejection = self.refuse(document, stage, report, None);
                Outcome::Rejected(rejection)
            }
        }
    }

    fn equals_active(&self, value: &T) -> bool {
        let (Some(equal), Some(active)) = (self.equal, &self.active) else {
            return false;
        };
        guarded(self.catch, || equal(active, value)).unwrap_or(false)
    }

    /// Other bytes for what is active: no change, and nothing is wrong any more.
    fn adopt(&mut self, value: T, document: Document) -> Outcome {
        let _ = guarded(self.catch, move || drop(value));
        self.refusal_ends();
        self.status.digest = Some(document.digest());
        self.adopted = Some(document);
        Outcome::Unchanged
    }

    /// From bytes to a value that every validator is content with.
    fn admit(&self, document: &Document) -> Result<T, (Stage, Report)> {
        self.within_limits(document)
            .map_err(|violation| (Stage::Limits, violation.into()))?;
        let value = self
            .parse(document)
            .map_err(|report| (Stage::Parse, report))?;
        let report = self.violations(&value, document);
        if report.is_empty() {
            return Ok(value);
        }
        // A destructor is the user's code, too.
        let _ = guarded(self.catch, move || drop(value));
        Err((Stage::Validate, report))
    }

    fn within_limits(&self, document: &Document) -> Result<(), Violation> {
        let max = self.limits.bytes();
        if document.len() > max {
            let message = format!("larger than the limit of {max} bytes");
            return Err(Violation::new("", message));
        }
        let blank = document.layers().iter().find(|l| is_blank(l.bytes()));
        if let Some(layer) = blank {
            let place = Place::in_origin(layer.origin().clone());
            return Err(Violation::new("", "is empty").at(place));
        }
        if document.layers().is_empty() {
            return Err(Violation::new("", "there is no source at all"));
        }
        Ok(())
    }

    fn parse(&self, document: &Document) -> Result<T, Report> {
        let mut report = Report::with_limit(self.limits.problems());
        match guarded(self.catch, || self.format.parse(document, &self.limits)) {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(found)) => report.absorb(found),
            Err(Panicked) => report.add("", format!("the parser {PANICKED}")),
        }
        if report.is_empty() {
            report.add("", "refused by the parser, without a reason");
        }
        Err(report)
    }

    fn violations(&self, value: &T, document: &Document) -> Report {
        let mut report = Report::with_limit(self.limits.problems());
        for validator in &self.validators {
            self.ask(&mut report, |report| validator(value, report));
        }
        if let (true, Some(active)) = (report.is_empty(), &self.active) {
            for validator in &self.change_validators {
                self.ask(&mut report, |report| validator(active, value, report));
            }
        }
        for violation in report.violations_mut().iter_mut().take(MAX_LOCATED) {
            if violation.place().is_some() || violation.path().is_empty() {
                continue;
            }
            let found = guarded(self.catch, || {
                self.format.locate(document, violation.path())
            });
            if let Ok(Some(place)) = found {
                *violation = violation.clone().at(place);
            }
        }
        report
    }

    /// Asks one validator; a panic of it is a violation, too.
    fn ask(&self, report: &mut Report, validator: impl FnOnce(&mut Report)) {
        if guarded(self.catch, || validator(report)) == Err(Panicked) {
            report.add("", format!("a validator {PANICKED}"));
        }
    }

    /// A valid value: ask the listeners, swap, tell them.
    fn accept(&mut self, value: T, document: Document) -> Outcome {
        let version = self.last_version.next();
        self.last_version = version;
        let new = Arc::new(Snapshot::new(value, version, document));
        let Some(old) = self.active.clone() else {
            self.events.push(applied(&new, None));
            self.activate(new, Arc::default());
            return Outcome::Applied(version);
        };
        let event = applied(&new, Some(old.version()));
        let change = Change { old, new };
        let outcome = match self.round(&change, event) {
            Ok(()) => {
                self.history.forgive();
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
        self.listeners.prepare(self.catch, change)?;
        // Listener 0 publishes: from its commit on, readers and all later
        // listeners see the new snapshot.
        self.active = Some(change.new.clone());
        self.refused = None;
        let errors = self.listeners.commit(self.catch, change);
        self.events.push(event);
        let version = change.new.version();
        let failed = errors.iter().cloned();
        self.events
            .extend(failed.map(|error| Event::ListenerFailed { version, error }));
        let failed = self.on_commit_error == OnCommitError::RollBack
            && !self.status.listener_errors.is_empty();
        let forgotten = self.history.push(change.old.clone(), failed);
        let _ = guarded(self.catch, move || drop(forgotten));
        self.activate(change.new.clone(), errors.into());
        Ok(())
    }

    fn activate(&mut self, new: Arc<Snapshot<T>>, errors: Arc<[ListenerError]>) {
        self.refused = None;
        self.adopted = None;
        self.status.version = Some(new.version());
        self.status.digest = Some(new.digest());
        self.status.applied_at = Some(self.now);
        self.status.listener_errors = errors;
        self.active = Some(new);
    }

    /// The round is over; what it led to stays, or is taken back by another.
    fn after_commit_errors(&mut self, outcome: Outcome) -> Outcome {
        if self.on_commit_error == OnCommitError::Continue {
            return outcome;
        }
        let back = self
            .newest_before()
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
    fn newest_before(&self) -> Result<Arc<Snapshot<T>>, RollbackError> {
        let Some(active) = &self.active else {
            return Err(RollbackError::NothingToGoBackTo);
        };
        let same = |a: &Snapshot<T>, b: &Snapshot<T>| self.is_same(a, b);
        let newest = self.history.newest_but(active, same).cloned();
        newest.ok_or(RollbackError::NothingToGoBackTo)
    }

    /// Of the same bytes, or, where that was asked for, of an equal value.
    fn is_same(&self, a: &Snapshot<T>, b: &Snapshot<T>) -> bool {
        if a.document() == b.document() {
            return true;
        }
        let equal = |equal: Equal<T>| guarded(self.catch, || equal(a, b)).unwrap_or(false);
        self.equal.is_some_and(equal)
    }

    fn roll_back_to(&mut self, target: &Arc<Snapshot<T>>) -> Result<Version, RollbackError> {
        let Some(old) = self.active.clone() else {
            return Err(RollbackError::NothingToGoBackTo);
        };
        let version = self.last_version.next();
        self.last_version = version;
        // Whether the source shows what is left now, or other bytes for it.
        let observed = self.observed.clone();
        let shown = observed.filter(|observed| self.is_active(observed));
        let (change_from, content_of) = (old.version(), target.version());
        let digest = target.digest();
        let new = Arc::new(target.again(version));
        let change = Change { old, new };
        // What is remembered to be refused was judged by what was active then.
        self.ask_again |= self.refused.is_some();
        let refused = self.refused.take();
        let event = Event::RolledBack {
            from: change_from,
            to: version,
            content_of,
            digest,
        };
        let done = self.round(&change, event);
        self.refused = refused;
        let _ = guarded(self.catch, move || drop(change));
        if let Err(veto) = done {
            let report = Violation::new("", veto.to_string()).into();
            let rejection = Arc::new(Rejection::new(Stage::Prepare, digest, report));
            return Err(RollbackError::Vetoed(rejection));
        }
        self.history.avoid(change_from);
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
        self.show_held();
    }

    fn show_held(&mut self) {
        self.status.held = self.held.as_ref().map(|held| held.digest);
    }

    fn vetoed(&mut self, change: &Change<T>, veto: ListenerError) -> Outcome {
        let document = change.new.document().clone();
        let last = self.refused.as_ref().filter(|r| r.document == document);
        let pause = match last.and_then(|refused| refused.retry) {
            // Somebody asked before it was time: that is no reason to wait longer.
            Some(Retry { pause, .. }) if self.ask_again => pause,
            Some(Retry { pause, .. }) => {
                let longest = LONGEST_VETO_PAUSE.max(self.interval);
                pause.saturating_mul(2).min(longest)
            }
            None => self.interval.max(SHORTEST_PAUSE),
        };
        let retry_at = self.now.saturating_add(pause);
        let retry = Retry {
            at: retry_at,
            pause,
        };
        let report = Violation::new("", veto.to_string()).into();
        let rejection = self.refuse(document, Stage::Prepare, report, Some(retry));
        Outcome::Vetoed {
            rejection,
            retry_at,
        }
    }

    /// Remembers what was refused. The same verdict on the same content is no
    /// news: it keeps its beginning and is not reported again.
    fn refuse(
        &mut self,
        document: Document,
        stage: Stage,
        report: Report,
        retry: Option<Retry>,
    ) -> Arc<Rejection> {
        let rejection = Arc::new(Rejection::new(stage, document.digest(), report));
        if let Some(refused) = &mut self.refused {
            if refused.document == document && *refused.rejection == *rejection {
                refused.retry = retry;
                return refused.rejection.clone();
            }
        }
        self.events.push(Event::Rejected {
            keeping: self.version(),
            rejection: rejection.clone(),
        });
        self.refused = Some(Refused {
            document,
            rejection: rejection.clone(),
            since: self.now,
            retry,
        });
        rejection
    }

    /// Draws the conclusions of a look: the status, and when to look again.
    fn finish(&mut self, result: &Result<Outcome, DetectError>) {
        let regular = self.now.saturating_add(self.interval);
        let wanted = match result {
            Ok(Outcome::Settling { until }) => *until,
            Ok(Outcome::Vetoed { retry_at, .. }) => *retry_at,
            _ => regular,
        };
        let soonest = self.now.saturating_add(SHORTEST_PAUSE);
        self.status.next_look = wanted.min(regular).max(soonest);
        self.status.settling_since = self.settling_since;
        self.status.last_error = self.last_error();
        self.show_held();
        match result {
            Ok(Outcome::Settling { .. }) => {
                self.status.source_differs = true;
                if self.still_changing {
                    self.count_failure();
                }
            }
            Ok(Outcome::Unchanged | Outcome::Applied(_)) => {
                self.ask_again = false;
                self.status.source_differs = false;
                self.status.consecutive_failures = 0;
                self.status.last_success = Some(self.now);
            }
            Ok(Outcome::Held | Outcome::RolledBack(_)) => {
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

fn applied<T>(new: &Snapshot<T>, from: Option<Version>) -> Event {
    Event::Applied {
        from,
        to: new.version(),
        digest: new.digest(),
        origins: new.origins().clone(),
    }
}

fn place_name(place: &Location<'_>) -> String {
    format!("{}:{}", place.file(), place.line())
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

/// Nothing but white space, or a byte order mark: the first half of "missing,
/// empty, comment-only and truncated are never all defaults". Comments are the
/// format's to know.
fn is_blank(bytes: &[u8]) -> bool {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    bytes.iter().all(|b| b.is_ascii_whitespace() || *b == 0)
}
