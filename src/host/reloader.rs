//! The whole: a detector, the engine and a clock behind one mutex, and the
//! builder that puts them together. The order of a change is the engine's; the
//! thread is `poller.rs`'s; how readers get in is `cell.rs`'s.

use core::fmt;
use core::panic::{RefUnwindSafe, UnwindSafe};
use core::time::Duration;

use super::cell::{Cell, Handle, Loaded, Publisher};
use super::clock::Clock;
use super::file::FileDetector;
use super::last_good::LastGood;
#[cfg(feature = "yaml")]
use super::overlay;
use super::overlay::Overlay;
use super::poller::{Look, Poller, Signal};
use super::std::error::Error;
use super::std::hash::{BuildHasher, Hasher, RandomState};
use super::std::io;
use super::std::path::Path;
use super::std::prelude::rust_2024::*;
use super::std::sync::Arc;
use super::std::thread::{self, ThreadId};
use super::subscriptions::{Queue, Subscription};
use super::sync::{AtomicBool, Mutex, MutexGuard, Ordering};
#[cfg(feature = "otel")]
use super::telemetry;
use super::{CATCH, logging};
use crate::engine::{
    BoxError, Built, Change, DetectError, DetectErrorKind, Detector, Engine, Format, Layer, Limits,
    Listener, OnCommitError, OneLine, Outcome, Rejection, Report, RollbackError, Snapshot, Status,
    UnknownKeys, Version,
};

/// A first load that finds the file moving waits this long for it to come to
/// rest.
const DEFAULT_LOAD_TIMEOUT: Duration = Duration::from_secs(10);

/// When to look again after a look that panicked in code of our own: a bug, but
/// one that must not make the thread spin.
const AFTER_A_PANIC: Duration = Duration::from_secs(1);

/// Keeps one configuration current.
///
/// Make one with `Reloader::from_file` or [`Reloader::builder`]. Then either
/// [`start`](Self::start) its thread, or call [`poll_once`](Self::poll_once)
/// from a loop that you have. Readers get a [`Handle`].
///
/// All methods take `&self` and may be called from any thread, and from inside
/// callbacks. Dropping it stops the thread; handles stay valid.
pub struct Reloader<T: Send + Sync + 'static> {
    shared: Arc<Shared<T>>,
    poller: Poller,
    #[cfg(all(unix, feature = "signal"))]
    hangups: Mutex<Vec<super::signals::Hangup>>,
}

/// What the thread shares with its owner.
struct Shared<T> {
    core: Mutex<Core<T>>,
    cell: Arc<Cell<T>>,
    signal: Arc<Signal>,
    clock: Clock,
    thread_alive: AtomicBool,
    subscriptions: Queue<T>,
    // Its own lock, so that the status can be asked for while a look is under
    // way, also by the callback that it waits for.
    view: Mutex<View>,
}

struct Core<T> {
    engine: Engine<T>,
    detector: Box<dyn Detector + Send>,
    last_good: Option<LastGood>,
    /// What belongs to this process, and is laid over the last known good, too.
    overlay: Arc<[Layer]>,
    #[cfg(feature = "otel")]
    telemetry: Option<telemetry::Telemetry>,
}

impl<T: 'static> Core<T> {
    /// Tells whoever measures what came of a look.
    #[cfg_attr(
        not(feature = "otel"),
        allow(clippy::unused_self, clippy::needless_pass_by_ref_mut)
    )]
    fn measure(&mut self, result: &Result<Outcome, DetectError>) {
        #[cfg(feature = "otel")]
        if let Some(telemetry) = &mut self.telemetry {
            let (events, status) = (self.engine.events(), self.engine.status());
            // A provider is not ours.
            let _ = CATCH(&mut || telemetry.conclude(result, events, status));
        }
        let _ = result;
    }

    /// What is active and has proved itself is what to start from the next time. Says
    /// whether there was something to do.
    fn keep_last_good(&mut self, now: Duration) -> bool {
        match (&mut self.last_good, self.engine.proven()) {
            (Some(last_good), Some(good)) => last_good.keep(good, now),
            _ => false,
        }
    }

    fn status(&self) -> Status {
        let mut status = self.engine.status().clone();
        if let Some(last_good) = &self.last_good {
            status.last_good_error = last_good.failure();
            let retry = last_good.retry_at().unwrap_or(status.next_poll);
            status.next_poll = status.next_poll.min(retry);
        }
        status
    }
}

/// What is known of the core while it is locked.
struct View {
    status: Status,
    looking: Option<(ThreadId, Duration)>,
}

impl<T: Send + Sync + 'static> Reloader<T> {
    /// Watches one YAML file.
    ///
    /// A relative path is taken from the folder that is current now.
    #[cfg(feature = "yaml")]
    pub fn from_file(path: impl AsRef<Path>) -> Builder<T>
    where
        T: serde::de::DeserializeOwned,
    {
        Reloader::from_file_as(path, super::format::Yaml::new())
    }

    /// Watches one file in a format of your own.
    pub fn from_file_as(
        path: impl AsRef<Path>,
        format: impl Format<T> + Send + 'static,
    ) -> Builder<T> {
        let file = Box::new(FileDetector::new(path));
        Builder::new(Source::File(file), Engine::new(format))
    }

    /// Watches whatever `detector` looks at, parsed by `format`.
    pub fn builder(
        detector: impl Detector + Send + 'static,
        format: impl Format<T> + Send + 'static,
    ) -> Builder<T> {
        Builder::new(Source::Other(Box::new(detector)), Engine::new(format))
    }

    /// A way in for readers.
    #[must_use]
    pub fn handle(&self) -> Handle<T> {
        Handle::new(self.shared.cell.clone())
    }

    /// Looks once, on the caller's thread, and says what came of it.
    ///
    /// It never waits for another look: if one is under way, or if this is
    /// called from inside a callback, the answer is [`Outcome::Busy`] and
    /// another look becomes due.
    ///
    /// # Errors
    ///
    /// The source cannot be read at present. What was active stays.
    pub fn poll_once(&self) -> Result<Outcome, DetectError> {
        self.poll_at(self.now())
    }

    /// The same, at a time of the caller's choosing: for tests and simulations
    /// on virtual time. The timeline begins at the load, with what was given
    /// to [`Builder::load_at`] or with zero. A time before the last one counts
    /// as the last one; so do not mix this with what uses the real clock:
    /// `poll_once`, `reload`, `start`.
    ///
    /// # Errors
    ///
    /// As for [`poll_once`](Self::poll_once).
    pub fn poll_at(&self, now: Duration) -> Result<Outcome, DetectError> {
        match self.shared.core.try_lock() {
            Some(core) => self.shared.look(core, now, false),
            None => Ok(self.shared.busy()),
        }
    }

    /// "Reload now", as an operator means it: looks at the content itself
    /// whatever its stamp says, judges anew what is remembered to be refused,
    /// waits out settling and other looks for at most `timeout`, and returns
    /// the final outcome.
    ///
    /// [`Outcome::Settling`] and [`Outcome::Busy`] mean that the time was up, that
    /// somebody called [`stop`](Self::stop) meanwhile, or that this was called
    /// from inside a callback, where there is no waiting. If another thread's look
    /// applied the change meanwhile, that counts.
    ///
    /// # Errors
    ///
    /// The source cannot be read at present. What was active stays.
    pub fn reload(&self, timeout: Duration) -> Result<Outcome, DetectError> {
        self.shared.reload(timeout)
    }

    /// Reloads at every SIGHUP, as [`reload`](Self::reload) does with 10 s, on a thread
    /// of its own, and logs what came of it, also if nothing did: `kill -HUP` is an
    /// operator who reads the log. Until what is returned is dropped, or the reloader
    /// is. Then the signal does nothing; it does not end the process again.
    ///
    /// # Errors
    ///
    /// The system gives no thread, or no handler for the signal.
    #[cfg(all(unix, feature = "signal"))]
    pub fn reload_on_sighup(&self) -> io::Result<Subscription> {
        // Weak, so that a signal that never comes keeps nothing alive.
        let shared = Arc::downgrade(&self.shared);
        let hangup = super::signals::on_hangup(move || {
            let shared = shared.upgrade()?;
            Some(shared.reload(super::signals::PATIENCE))
        })?;
        let subscription = hangup.subscription();
        self.hangups.lock().push(hangup);
        Ok(subscription)
    }

    /// Goes back to the newest content before, under a new version: a change like
    /// any other, with every listener. What was active is not applied again until
    /// the source shows something else; until then a look says
    /// [`Outcome::Quarantined`].
    ///
    /// It waits for a look that is under way.
    ///
    /// # Errors
    ///
    /// There is nothing to go back to, or a listener vetoed it, or this was
    /// called from inside a callback, or somebody called [`stop`](Self::stop)
    /// while it waited. What was active stays.
    pub fn rollback(&self) -> Result<Version, RollbackError> {
        self.shared.roll_back(Engine::rollback)
    }

    /// The same to the content of a certain version, if it is still remembered.
    ///
    /// # Errors
    ///
    /// It is not, or it is what is active; or as for [`rollback`](Self::rollback).
    pub fn rollback_to(&self, version: Version) -> Result<Version, RollbackError> {
        self.shared
            .roll_back(|engine, now| engine.rollback_to(version, now))
    }

    /// When the next look is due, on the same timeline as [`now`](Self::now):
    /// a loop may sleep until then. Looking earlier does no harm.
    #[must_use]
    pub fn next_poll(&self) -> Duration {
        self.shared.next_poll()
    }

    /// The present time: monotonic, since the load.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.shared.clock.now()
    }

    /// The present state. It can be asked for at any time, also while a look
    /// is under way, and from inside a callback. Then the version and the digest
    /// are what readers get at that moment, and the rest is as the look before
    /// left it.
    #[must_use]
    pub fn status(&self) -> Status {
        let mut status = {
            let view = self.shared.view.lock();
            let mut status = view.status.clone();
            status.in_poll_since = view.looking.map(|(_, since)| since);
            status
        };
        // What readers get is the truth, also half-way through a look.
        let active = self.shared.cell.load();
        if status.version != Some(active.version()) {
            status.version = Some(active.version());
            status.digest = Some(active.digest());
        }
        status.next_poll = self.next_poll();
        status.thread_alive = self.shared.thread_alive.load(Ordering::Acquire);
        status
    }

    /// Adds a listener while it runs, known as `name`, after all that are there.
    /// It takes part in every change from the next look on, until what is
    /// returned is dropped. Both work from any thread and from inside a callback.
    ///
    /// Nothing is missed: load after this call, and every later change is told. A
    /// change that was under way at that moment is told afterwards, as a `commit`
    /// without a `prepare`, from what was active when this was called.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("config.yaml");
    /// # std::fs::write(&path, "1")?;
    /// use steadyconf::{Change, Reloader};
    ///
    /// let reloader = Reloader::<u32>::from_file(&path).load()?;
    /// let subscription = reloader.subscribe("pool", |change: &Change<u32>| {
    ///     println!("resize to {}", change.new.value());
    ///     Ok(())
    /// });
    /// drop(subscription);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn subscribe(
        &self,
        name: impl Into<Arc<str>>,
        listener: impl Listener<T> + 'static,
    ) -> Subscription {
        let since = self.shared.cell.load();
        let subscriptions = &self.shared.subscriptions;
        let id = subscriptions.add(name.into(), Box::new(listener), since);
        // A change that is under way is told by the next look.
        self.shared.signal.wake();
        // Weak, so that a subscription that outlives the rest keeps nothing alive.
        let shared = Arc::downgrade(&self.shared);
        Subscription::new(move || {
            if let Some(shared) = shared.upgrade() {
                shared.subscriptions.remove(id);
            }
        })
    }

    /// Starts a thread that looks by itself, at first at once. Does nothing if
    /// it runs already; after a stop it starts again.
    ///
    /// # Errors
    ///
    /// The system gives no thread; or this was called from inside a callback
    /// while another thread waits in `stop`.
    pub fn start(&self) -> io::Result<()> {
        self.poller.start(&self.shared, self.shared.is_inside())
    }

    /// Says "look now" to the thread, or makes the next look due at once where
    /// there is none. A hint, cheap, and safe to give at any time: what is at
    /// the source decides.
    pub fn wake(&self) {
        self.shared.signal.wake();
    }

    /// Stops the thread. Doing so twice, or without a thread, is fine.
    ///
    /// It waits for the look under way, if there is one, and for nothing else:
    /// after it has returned, no callback is running, and none runs unless
    /// somebody asks anew for a look, a rollback or a start. From inside a callback
    /// it only asks, and the change under way completes.
    pub fn stop(&self) {
        let inside = self.shared.is_inside();
        self.poller.stop(&*self.shared, inside);
        if !inside {
            // The look under way may be somebody else's.
            drop(self.shared.core.lock());
        }
    }
}

// The engine's state is consistent before each call of code that may panic.
impl<T: RefUnwindSafe + Send + Sync + 'static> UnwindSafe for Reloader<T> {}
impl<T: RefUnwindSafe + Send + Sync + 'static> RefUnwindSafe for Reloader<T> {}

impl<T: Send + Sync + 'static> Drop for Reloader<T> {
    fn drop(&mut self) {
        self.stop();
        #[cfg(all(unix, feature = "signal"))]
        self.hangups
            .lock()
            .iter()
            .for_each(super::signals::Hangup::close);
    }
}

impl<T: Send + Sync + 'static> fmt::Debug for Reloader<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reloader")
            .field("active", &self.shared.cell.load())
            .field("status", &self.status())
            .finish_non_exhaustive()
    }
}

impl<T: Send + Sync + 'static> Shared<T> {
    /// One look, by whoever holds the core. `asked`: somebody wants it judged
    /// anew.
    fn look(
        &self,
        mut core: MutexGuard<'_, Core<T>>,
        now: Duration,
        asked: bool,
    ) -> Result<Outcome, DetectError> {
        let _inside = Inside::enter(&self.view, now);
        #[cfg(feature = "otel")]
        let _look = telemetry::Look::begin();
        self.signal.take_wake();
        let Core {
            engine, detector, ..
        } = &mut *core;
        self.subscriptions.drain(engine);
        if asked {
            engine.ask_again();
            // If it panics, the look itself goes on with what it has.
            let _ = CATCH(&mut || detector.refresh());
        }
        let result = engine.poll(&mut **detector, now);
        self.conclude(&mut core, &result, now);
        result
    }

    /// Tells what came of a look or a rollback, and keeps what is good.
    fn conclude(&self, core: &mut Core<T>, result: &Result<Outcome, DetectError>, now: Duration) {
        self.show(core.status());
        // Under the lock, so that the lines stand in the order of the changes.
        tell(&core.engine);
        core.measure(result);
        // Last, for it may take its time.
        if core.keep_last_good(now) {
            self.show(core.status());
        }
    }

    /// Makes the status of a look public, and wakes the thread if it has to look
    /// sooner than it thought.
    fn show(&self, status: Status) {
        let mut view = self.view.lock();
        let sooner = status.next_poll < view.status.next_poll;
        view.status = status;
        drop(view);
        if sooner {
            self.signal.time_changed();
        }
    }

    /// See [`Reloader::reload`].
    fn reload(&self, timeout: Duration) -> Result<Outcome, DetectError> {
        if self.is_inside() {
            return Ok(self.busy());
        }
        let stops = self.signal.stops();
        let deadline = self.clock.now().saturating_add(timeout);
        let before = self.cell.load().version();
        let mut asked = false;
        loop {
            let left = deadline.saturating_sub(self.clock.now());
            let Some(core) = self.core.try_lock_for(left) else {
                return Ok(self.busy());
            };
            if self.signal.stops() != stops {
                return Ok(Outcome::Busy);
            }
            let outcome = self.look(core, self.clock.now(), !asked)?;
            asked = true;
            if !matches!(outcome, Outcome::Settling { .. }) {
                let active = self.cell.load().version();
                let applied_meanwhile = outcome == Outcome::Unchanged && active > before;
                return Ok(if applied_meanwhile {
                    Outcome::Applied(active)
                } else {
                    outcome
                });
            }
            let until = self.view.lock().status.next_poll.min(deadline);
            let pause = || until.saturating_sub(self.clock.now());
            if self.clock.now() >= deadline || !self.signal.wait_unless_stopped(stops, pause) {
                return Ok(outcome);
            }
        }
    }

    fn roll_back(
        &self,
        roll_back: impl FnOnce(&mut Engine<T>, Duration) -> Result<Version, RollbackError>,
    ) -> Result<Version, RollbackError> {
        if self.is_inside() {
            return Err(RollbackError::InsideCallback);
        }
        let stops = self.signal.stops();
        let mut core = self.core.lock();
        if self.signal.stops() != stops {
            return Err(RollbackError::Stopped);
        }
        let now = self.clock.now();
        let _inside = Inside::enter(&self.view, now);
        #[cfg(feature = "otel")]
        let _look = telemetry::Look::begin();
        self.subscriptions.drain(&mut core.engine);
        let rolled_back = roll_back(&mut core.engine, now);
        let result = match &rolled_back {
            Ok(version) => Ok(Outcome::RolledBack(*version)),
            Err(RollbackError::Vetoed(rejection)) => Ok(Outcome::Rejected(rejection.clone())),
            Err(_) => Ok(Outcome::Unchanged),
        };
        self.conclude(&mut core, &result, now);
        rolled_back
    }

    fn busy(&self) -> Outcome {
        self.signal.wake();
        Outcome::Busy
    }

    /// Whether the caller is inside a look, which means inside a callback.
    fn is_inside(&self) -> bool {
        let looking = self.view.lock().looking;
        looking.is_some_and(|(thread, _)| thread == thread::current().id())
    }

    fn next_poll(&self) -> Duration {
        if self.signal.is_woken() {
            return Duration::ZERO;
        }
        self.view.lock().status.next_poll
    }
}

impl<T: Send + Sync + 'static> Look for Shared<T> {
    fn signal(&self) -> &Signal {
        &self.signal
    }

    fn stop(&self) {
        self.signal.stop();
        self.cell.call_waiters();
    }

    fn look(&self) {
        let looked = CATCH(&mut || {
            let core = self.core.lock();
            // It may have waited for somebody else's look, and been stopped.
            if !self.signal.is_stopping() {
                // What came of it is in the status and in the log.
                let _ = Shared::look(self, core, self.clock.now(), false);
            }
        });
        if looked.is_err() {
            let again = self.clock.now().saturating_add(AFTER_A_PANIC);
            self.view.lock().status.next_poll = again;
            logging::look_panicked();
        }
    }

    fn pause(&self) -> Duration {
        let next = self.view.lock().status.next_poll;
        next.saturating_sub(self.clock.now())
    }

    fn alive(&self, alive: bool) {
        self.thread_alive.store(alive, Ordering::Release);
    }
}

/// Marks which thread is inside a look, and since when; takes the mark back
/// also if the look ends in a panic.
struct Inside<'a>(&'a Mutex<View>);

impl<'a> Inside<'a> {
    fn enter(view: &'a Mutex<View>, now: Duration) -> Self {
        view.lock().looking = Some((thread::current().id(), now));
        Inside(view)
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.lock().looking = None;
    }
}

/// Writes what an operator wants to read of the last look.
fn tell<T: 'static>(engine: &Engine<T>) {
    engine.events().iter().for_each(logging::write);
}

/// What is watched.
enum Source {
    File(Box<FileDetector>),
    Other(Box<dyn Detector + Send>),
}

/// Puts a [`Reloader`] together. Nothing is read before [`load`](Self::load).
#[must_use]
pub struct Builder<T: Send + Sync + 'static> {
    source: Source,
    engine: Engine<T>,
    limits: Limits,
    load_timeout: Duration,
    last_good: Option<LastGood>,
    /// Set in code, in this order.
    values: Vec<Layer>,
    /// Prefixes and separators of environment variables.
    #[cfg(feature = "yaml")]
    environment: Vec<(String, String)>,
}

impl<T: Send + Sync + 'static> Builder<T> {
    fn new(source: Source, engine: Engine<T>) -> Self {
        Builder {
            source,
            engine: engine.catch(CATCH).jitter(chance()),
            limits: Limits::default(),
            load_timeout: DEFAULT_LOAD_TIMEOUT,
            last_good: None,
            values: Vec::new(),
            #[cfg(feature = "yaml")]
            environment: Vec::new(),
        }
    }

    /// Adds a validator. All of them are asked, at the first load and at every
    /// change, and whatever any of them reports refuses the document.
    pub fn validate(mut self, check: impl Fn(&T, &mut Report) + Send + 'static) -> Self {
        self.engine = self.engine.validate(check);
        self
    }

    /// Adds a closure that is told of every change, after readers see it. An
    /// error that it returns is reported; the change stays, and the others are
    /// told, too. It is not called for the first load.
    #[track_caller]
    pub fn on_commit(
        mut self,
        f: impl FnMut(&Change<T>) -> Result<(), BoxError> + Send + 'static,
    ) -> Self {
        self.engine = self.engine.on_commit(f);
        self
    }

    /// Puts everything that comes from the source on probation: for this long,
    /// `check` is asked at every look, and an error or a panic rolls back and
    /// holds what failed until the source changes; see [`Engine::probation`]. Off
    /// by default.
    ///
    /// ```
    /// # use std::sync::atomic::{AtomicU32, Ordering};
    /// # use std::time::Duration;
    /// # static ERRORS: AtomicU32 = AtomicU32::new(0);
    /// let builder = steadyconf::Reloader::<u32>::from_file("config.yaml")
    ///     .on_commit(|_| { ERRORS.store(0, Ordering::Relaxed); Ok(()) })
    ///     .probation(Duration::from_secs(60), |_| match ERRORS.load(Ordering::Relaxed) {
    ///         0..10 => Ok(()),
    ///         errors => Err(format!("{errors} requests failed")),
    ///     });
    /// ```
    pub fn probation<E: Into<BoxError>>(
        mut self,
        window: Duration,
        check: impl FnMut(&Snapshot<T>) -> Result<(), E> + Send + 'static,
    ) -> Self {
        self.engine = self.engine.probation(window, check);
        self
    }

    /// Builds something from every configuration that is valid, before any
    /// listener is asked: clients, pools, compiled rules. What readers get is
    /// [`Built`]: both together, so that nobody mixes a configuration and a client
    /// of different versions; a rollback brings the very same state back.
    ///
    /// An error refuses the document, as a validator does, and is tried again at
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
        build: impl FnMut(&T) -> Result<S, E> + Send + 'static,
    ) -> Builder<Built<T, S>>
    where
        S: Send + Sync + 'static,
        E: Into<BoxError>,
    {
        Builder {
            source: self.source,
            engine: self.engine.build(build),
            limits: self.limits,
            load_timeout: self.load_timeout,
            last_good: self.last_good,
            values: self.values,
            #[cfg(feature = "yaml")]
            environment: self.environment,
        }
    }

    /// Adds a validator of the step from what is active to what is new; see
    /// [`Engine::validate_change`]. The place to refuse, by name, what needs a
    /// restart.
    pub fn validate_change(mut self, check: impl Fn(&T, &T, &mut Report) + Send + 'static) -> Self {
        self.engine = self.engine.validate_change(check);
        self
    }

    /// Adds a closure that is told of a change, after readers see it, if the
    /// part that `select` gives differs: the old part and the new one.
    ///
    /// ```
    /// # #[derive(serde::Deserialize)]
    /// # struct Config { pool_size: u32 }
    /// # let path = "config.yaml";
    /// let builder = steadyconf::Reloader::<Config>::from_file(path)
    ///     .on_change_of(|config| &config.pool_size, |old, new| {
    ///         println!("the pool grows from {old} to {new}");
    ///         Ok(())
    ///     });
    /// ```
    #[track_caller]
    pub fn on_change_of<P: PartialEq + 'static>(
        mut self,
        select: impl Fn(&T) -> &P + Send + 'static,
        f: impl FnMut(&P, &P) -> Result<(), BoxError> + Send + 'static,
    ) -> Self {
        self.engine = self.engine.on_change_of(select, f);
        self
    }

    /// What to do if a listener fails to take an active snapshot into use.
    /// Default: report it and go on.
    pub fn on_commit_error(mut self, policy: OnCommitError) -> Self {
        self.engine = self.engine.on_commit_error(policy);
        self
    }

    /// Takes an edit that changes bytes but not the value for no change; see
    /// [`Engine::skip_equal`].
    pub fn skip_equal(mut self) -> Self
    where
        T: PartialEq,
    {
        self.engine = self.engine.skip_equal();
        self
    }

    /// How many snapshots to remember besides the active one; see
    /// [`Engine::history`]. Default 8.
    pub fn history(mut self, keep: usize) -> Self {
        self.engine = self.engine.history(keep);
        self
    }

    /// Adds a listener, known as `name` in rejections, the status and the log;
    /// see [`Listener`] for when it is called.
    pub fn listener(
        mut self,
        name: impl Into<Arc<str>>,
        listener: impl Listener<T> + 'static,
    ) -> Self {
        self.engine = self.engine.listener(name, listener);
        self
    }

    /// How long to wait between looks if nothing is under way. Default 1 s.
    pub fn interval(mut self, interval: Duration) -> Self {
        self.engine = self.engine.interval(interval);
        self
    }

    /// Adds a file that takes precedence over what was named before it. Maps are
    /// merged key by key; anything else replaces; an explicit `null` removes. All of
    /// it is read, judged and applied together, as one configuration; each file has
    /// to be there and to hold a value.
    ///
    /// Whatever the order of the calls, files come first, then values that are set in
    /// code, then the environment.
    ///
    /// # Panics
    ///
    /// If the builder was not made from a file, which a program finds out when
    /// it is run for the first time.
    pub fn then_file(self, path: impl AsRef<Path>) -> Self {
        self.then("then_file", |file| file.then_file(path))
    }

    /// The same for a file that may be missing, blank, or hold comments alone; then
    /// it adds nothing.
    ///
    /// # Panics
    ///
    /// As [`then_file`](Self::then_file) does.
    pub fn then_optional_file(self, path: impl AsRef<Path>) -> Self {
        self.then("then_optional_file", |file| file.then_optional_file(path))
    }

    /// Adds the files of a folder, each over the one before it, in byte order of
    /// their names, as systemd's drop-ins; see [`FileDetector::then_dir`] for which
    /// names count. The folder has to be there, and may be empty.
    ///
    /// # Panics
    ///
    /// As [`then_file`](Self::then_file) does.
    pub fn then_dir(self, path: impl AsRef<Path>) -> Self {
        self.then("then_dir", |file| file.then_dir(path))
    }

    /// Adds a folder in which each file is one value, as Docker and Kubernetes hand
    /// out secrets: the name is the key, at the top of the document, the content a
    /// string; see [`FileDetector::then_key_per_file`].
    ///
    /// # Panics
    ///
    /// As [`then_file`](Self::then_file) does.
    pub fn then_key_per_file(self, path: impl AsRef<Path>) -> Self {
        self.then("then_key_per_file", |file| file.then_key_per_file(path))
    }

    fn then(mut self, name: &str, then: impl FnOnce(FileDetector) -> FileDetector) -> Self {
        let Source::File(file) = self.source else {
            core::panic!("{name}() adds to files; this builder has a detector of its own");
        };
        self.source = Source::File(Box::new(then(*file)));
        self
    }

    /// Sets the field at `path`, as in `server.port`, over all files: what the command
    /// line said, for one. It is part of no digest, and never written to disk. An
    /// empty path means the whole document.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("config.yaml");
    /// # std::fs::write(&path, "server: {port: 80, host: a}")?;
    /// # type Config = std::collections::BTreeMap<String, serde_yaml::Value>;
    /// let reloader = steadyconf::Reloader::<Config>::from_file(&path)
    ///     .then_value("server.port", 8080)
    ///     .load()?;
    /// let config = reloader.handle().load();
    /// assert_eq!(config["server"]["port"], 8080);
    /// assert_eq!(config["server"]["host"], "a");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Panics
    ///
    /// If the value cannot be written as YAML: a type's own code refuses that.
    #[cfg(feature = "yaml")]
    pub fn then_value(mut self, path: &str, value: impl serde::Serialize) -> Self {
        let text = super::format::write(&value);
        let text = text.expect("then_value() was given a value that cannot be written as YAML");
        let layer = match path {
            "" => Layer::new("set in code", text.into_bytes()),
            path => Layer::field("set in code", path, text.into_bytes()),
        };
        self.values.push(layer.overriding());
        self
    }

    /// Takes fields from the environment, over everything else:
    /// `APP__LLM__TIMEOUT=30` sets `llm.timeout` for the prefix `APP`. Names are made
    /// small. A value is what YAML makes of it if that is a scalar (`30`, `true`,
    /// `"30"`, `null`), and a string otherwise. It is read once, at the load; it is
    /// part of no digest, and never written to disk.
    #[cfg(feature = "yaml")]
    pub fn then_env(self, prefix: &str) -> Self {
        self.then_env_separated(prefix, "__")
    }

    /// The same with another separator than `__`, which stands after the prefix and
    /// between keys.
    #[cfg(feature = "yaml")]
    pub fn then_env_separated(mut self, prefix: &str, separator: &str) -> Self {
        self.environment.push((prefix.into(), separator.into()));
        self
    }

    /// What to do with keys that no field takes. Default: warn, in the log and in the
    /// status.
    pub fn unknown_keys(mut self, policy: UnknownKeys) -> Self {
        self.engine = self.engine.unknown_keys(policy);
        self
    }

    /// Masks the fields at these paths wherever values are shown; see
    /// [`Engine::mask`].
    pub fn mask(mut self, pattern: &str) -> Self {
        self.engine = self.engine.mask(pattern);
        self
    }

    /// How long the file must hold still before its content counts; see
    /// [`FileDetector::settle`]. Default 100 ms. A detector of your own settles
    /// as it likes; this says nothing to it.
    pub fn settle(mut self, time: Duration) -> Self {
        if let Source::File(file) = self.source {
            self.source = Source::File(Box::new(file.settle(time)));
        }
        self
    }

    /// The bounds; see [`Limits`]. A detector of your own has bounds of its own,
    /// too: see [`FileDetector::max_bytes`] for one.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// How long [`load`](Self::load) waits for a source that keeps changing.
    /// Default 10 s.
    pub fn load_timeout(mut self, timeout: Duration) -> Self {
        self.load_timeout = timeout;
        self
    }

    /// Keeps the last known good configuration in a file at `path`, to start from
    /// when the source is missing or refused. Off by default.
    ///
    /// It is written, on the thread that looks, after every change (after its
    /// probation, where there is one), in whole or not at all: whoever looks at any
    /// moment, also after a crash or a power cut, finds the old one or the new one.
    /// It holds the very bytes of the source, **with their secrets**, and nobody
    /// but the user who writes it may read it (mode 0600 on Unix). If it cannot be
    /// written, the log and the status say so, it is tried again, and nothing else
    /// changes.
    ///
    /// It is read by [`load`](Self::load) only, and only if the source is not good
    /// enough to start from. It is parsed and validated anew. The log and
    /// [`Status::from_last_good`] tell that what is active is not current, until the
    /// source is good again.
    ///
    /// Give each program a path of its own, in a folder that is there and that it
    /// may write to: temporary files stand in the same folder for a moment. What is
    /// at the path is replaced only if it is empty or a last known good. A relative
    /// path is taken from the folder that is current now.
    ///
    /// That something was rolled back from is not remembered across a restart: a
    /// source that loads is what counts.
    pub fn last_known_good(mut self, path: impl AsRef<Path>) -> Self {
        self.last_good = Some(LastGood::new(path.as_ref()));
        self
    }

    /// Reads, parses and validates; refuses to start on anything bad.
    ///
    /// It waits for the settle time, and longer while the file is still moving.
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
    /// have been loaded, as version 1; the log is left alone.
    ///
    /// ```
    /// # use steadyconf::Reloader;
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("config.yaml");
    /// # std::fs::write(&path, "1")?;
    /// match Reloader::<u32>::from_file(&path).check() {
    ///     Ok(config) => println!("{} is good", config.digest()),
    ///     Err(error) => {
    ///         eprintln!("{error}");
    ///         std::process::exit(1);
    ///     }
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// What [`load`](Self::load) would have refused to start on.
    pub fn check(self) -> Result<Loaded<T>, LoadError> {
        let clock = Clock::starting_at(Duration::ZERO);
        let mut first = self.first(clock.now());
        let snapshot = first.load(|until| clock.sleep_until(until))?;
        Ok(Loaded::new(snapshot))
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
        let mut first = self.first(now);
        #[cfg(feature = "otel")]
        let _look = {
            let (core, name) = (&mut first.core, first.name.clone());
            core.engine.on_step(telemetry::on_step);
            let _ = CATCH(&mut || {
                core.telemetry = Some(telemetry::Telemetry::new(name.clone()));
            });
            telemetry::Look::begin()
        };
        let loaded = first.load(wait);
        let result = outcome_of(&loaded);
        let loaded = loaded.or_else(|error| first.start_from_last_good(error));
        first.core.measure(&result);
        let snapshot = loaded?;
        let now = first.now;
        let mut core = first.core;
        tell(&core.engine);
        core.keep_last_good(now);
        let signal = Arc::new(Signal::default());
        let cell = Arc::new(Cell::new(snapshot, signal.clone()));
        core.engine.listener_zero(Publisher(cell.clone()));
        let status = core.status();
        let shared = Shared {
            core: Mutex::new(core),
            cell,
            signal,
            clock: Clock::starting_at(now),
            thread_alive: AtomicBool::new(false),
            subscriptions: Queue::new(),
            view: Mutex::new(View {
                status,
                looking: None,
            }),
        };
        Ok(Reloader {
            shared: Arc::new(shared),
            poller: Poller::default(),
            #[cfg(all(unix, feature = "signal"))]
            hangups: Mutex::default(),
        })
    }

    fn first(self, now: Duration) -> First<T> {
        let (name, detector): (Arc<str>, Box<dyn Detector + Send>) = match self.source {
            Source::File(file) => {
                let file = file.max_bytes(self.limits.bytes());
                (file.name(), Box::new(file))
            }
            Source::Other(detector) => ("the source".into(), detector),
        };
        #[allow(unused_mut, reason = "without a format there is no environment")]
        let mut layers = self.values;
        #[cfg(feature = "yaml")]
        for (prefix, separator) in &self.environment {
            layers.extend(overlay::environment(prefix, separator));
        }
        let overlay: Arc<[Layer]> = layers.into();
        let detector = match overlay.is_empty() {
            true => detector,
            false => Box::new(Overlay {
                detector,
                layers: overlay.clone(),
            }),
        };
        let mut last_good = self.last_good;
        if let Some(last_good) = &mut last_good {
            last_good.max_bytes(self.limits.bytes());
        }
        First {
            core: Core {
                engine: self.engine.limits(self.limits),
                detector,
                last_good,
                overlay,
                #[cfg(feature = "otel")]
                telemetry: None,
            },
            name,
            now,
            deadline: now.saturating_add(self.load_timeout),
        }
    }
}

/// A first load.
struct First<T> {
    core: Core<T>,
    /// What is watched, for messages.
    name: Arc<str>,
    now: Duration,
    deadline: Duration,
}

impl<T: 'static> First<T> {
    /// Looks until something is active or wrong.
    fn load(
        &mut self,
        mut wait: impl FnMut(Duration) -> Duration,
    ) -> Result<Arc<Snapshot<T>>, LoadError> {
        let Core {
            engine, detector, ..
        } = &mut self.core;
        loop {
            let outcome = engine.poll(&mut **detector, self.now)?;
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
    fn start_from_last_good(&mut self, source: LoadError) -> Result<Arc<Snapshot<T>>, LoadError> {
        let Some(last_good) = &mut self.core.last_good else {
            return Err(source);
        };
        let engine = &mut self.core.engine;
        let started = last_good
            .read()
            .map_err(LoadError::Source)
            .and_then(|good| {
                let good = good.with(&self.core.overlay);
                let from = last_good.name().clone();
                let started = engine.start_from_last_good(good, from, self.now);
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

/// What a first load came to, as a look would say it.
fn outcome_of<T>(loaded: &Result<Arc<Snapshot<T>>, LoadError>) -> Result<Outcome, DetectError> {
    match loaded {
        Ok(snapshot) => Ok(Outcome::Applied(snapshot.version())),
        Err(LoadError::Source(error)) => Err(error.clone()),
        Err(LoadError::Rejected(rejection)) => Ok(Outcome::Rejected(rejection.clone())),
        Err(LoadError::NorLastGood { .. }) => Ok(Outcome::Unchanged),
    }
}

/// Something that differs from process to process, from what `std` seeds its
/// hash maps with.
fn chance() -> u64 {
    RandomState::new().build_hasher().finish()
}

impl<T: Send + Sync + 'static> fmt::Debug for Builder<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("limits", &self.limits)
            .field("load_timeout", &self.load_timeout)
            .finish_non_exhaustive()
    }
}

/// Why a program cannot start with what is at the source. `Debug` prints the
/// same as `Display`, for that is what `fn main() -> Result<…>` shows.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LoadError {
    /// The source cannot be read.
    Source(DetectError),
    /// What it holds is refused, for these reasons.
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
