//! What callers and the thread share: the engine, the detector and the clock behind one
//! mutex, and what may be asked while a poll is under way. The order of a change is the
//! engine's; the thread is `thread.rs`'s; how readers get in is `cell.rs`'s.

use core::time::Duration;

use super::CATCH;
use super::cell::Cell;
use super::clock::Clock;
use super::last_good::LastGood;
use super::logging::{self, Log};
use super::receipts::{Receipts, Recorder};
use super::std::prelude::rust_2024::*;
use super::std::sync::Arc;
use super::subscriptions::Queue;
use super::sync::{AtomicBool, Mutex, MutexGuard, Ordering};
#[cfg(feature = "otel")]
use super::telemetry::Telemetry;
use super::thread::{Poller, Signal};
use super::turn::{Turn, Wait};
use super::watch::Watch;
use crate::engine::{Detector, Engine, Layer};
use crate::report::{Cause, DetectError, RollbackError};
use crate::{Outcome, Receipt, Status, Version};

/// When to poll again after a poll that panicked in code of our own: a bug, but
/// one that must not make the thread spin.
const AFTER_A_PANIC: Duration = Duration::from_secs(1);

/// What only one thread at a time may touch.
pub(super) struct Core<T> {
    pub(super) engine: Engine<T>,
    pub(super) detector: Box<dyn Detector + Send>,
    pub(super) last_good: Option<LastGood>,
    /// The layers of this process, merged into the last known good, too.
    pub(super) fixed: Arc<[Layer]>,
    #[cfg(feature = "otel")]
    pub(super) telemetry: Option<Telemetry>,
}

impl<T: Send + Sync + 'static> Core<T> {
    /// Passes the outcome of a poll to the metrics.
    #[cfg_attr(
        not(feature = "otel"),
        allow(clippy::unused_self, clippy::needless_pass_by_ref_mut)
    )]
    pub(super) fn measure(
        &mut self,
        watch: &mut Watch<'_, '_, T>,
        result: &Result<Outcome, DetectError>,
    ) {
        #[cfg(feature = "otel")]
        if let Some(telemetry) = &mut self.telemetry {
            let status = self.engine.status();
            let attempt = watch.recorder.known_attempt().unwrap_or_default();
            // A provider is not ours.
            let _ = CATCH(&mut || telemetry.conclude(&mut watch.spans, result, &status, attempt));
        }
        let _ = (watch, result);
    }

    /// An active snapshot that has proved itself is what to start from the next time. Returns
    /// whether there was something to do.
    pub(super) fn keep_last_good(&mut self, now: Duration) -> bool {
        match (&mut self.last_good, self.engine.proven()) {
            (Some(last_good), Some(good)) => last_good.keep(good, now),
            _ => false,
        }
    }

    fn write_status(&self, status: &mut Status) {
        self.engine.write_status(status);
        if let Some(last_good) = &self.last_good {
            status.last_good_error = last_good.failure();
            let retry = last_good.retry_at().unwrap_or(status.next_poll);
            status.next_poll = status.next_poll.min(retry);
        }
    }
}

/// What the thread shares with its owner.
pub(super) struct Shared<T> {
    pub(super) core: Mutex<Core<T>>,
    pub(super) cell: Arc<Cell<T>>,
    pub(super) signal: Arc<Signal>,
    pub(super) clock: Clock,
    pub(super) thread_alive: AtomicBool,
    pub(super) subscriptions: Queue<T>,
    pub(super) turn: Arc<Turn>,
    // Its own lock, so that the status can be asked for while a poll is under
    // way, also by the callback that it waits for.
    pub(super) status: Mutex<Status>,
    pub(super) receipts: Arc<Receipts>,
    pub(super) log: Log,
    /// The sources that are not files.
    #[cfg(feature = "remote")]
    pub(super) remotes: Vec<Arc<super::remote::Remote>>,
    /// The paths of the sources that are files or folders.
    #[cfg(feature = "notify")]
    pub(super) watched: Vec<Arc<str>>,
    #[cfg(feature = "notify")]
    pub(super) events: super::events::Listening,
    pub(super) poller: Poller,
    #[cfg(all(unix, feature = "signal"))]
    pub(super) hangups: super::signals::Hangups,
    #[cfg(all(target_os = "linux", feature = "systemd"))]
    pub(super) systemd: super::systemd::Systemd,
}

impl<T: Send + Sync + 'static> Shared<T> {
    pub(super) fn new(
        core: Core<T>,
        cell: Arc<Cell<T>>,
        signal: Arc<Signal>,
        receipts: Arc<Receipts>,
        log: Log,
        now: Duration,
    ) -> Self {
        let mut status = Status::default();
        core.write_status(&mut status);
        Shared {
            status: Mutex::new(status),
            core: Mutex::new(core),
            cell,
            signal,
            clock: Clock::starting_at(now),
            thread_alive: AtomicBool::new(false),
            subscriptions: Queue::new(),
            turn: Arc::default(),
            receipts,
            log,
            #[cfg(feature = "remote")]
            remotes: Vec::new(),
            #[cfg(feature = "notify")]
            watched: Vec::new(),
            #[cfg(feature = "notify")]
            events: super::events::Listening::default(),
            poller: Poller::default(),
            #[cfg(all(unix, feature = "signal"))]
            hangups: super::signals::Hangups::default(),
            #[cfg(all(target_os = "linux", feature = "systemd"))]
            systemd: super::systemd::Systemd::default(),
        }
    }

    /// Polls if nobody else does.
    pub(super) fn try_poll(&self, now: Duration) -> Result<Outcome, DetectError> {
        match self.core.try_lock() {
            Some(mut core) => self.poll_and_record(&mut core, now, Cause::Poll),
            None => Ok(self.busy()),
        }
    }

    fn poll_and_record(
        &self,
        core: &mut Core<T>,
        now: Duration,
        cause: Cause,
    ) -> Result<Outcome, DetectError> {
        let mut recorder = Recorder::new(&self.receipts, cause, now);
        let result = self.poll(core, now, false, &mut recorder);
        self.recorded(recorder, &result);
        result
    }

    /// An attempt is over, if it was one.
    fn recorded(&self, recorder: Recorder<'_>, result: &Result<Outcome, DetectError>) {
        recorder.conclude(result, &self.status, &self.cell);
        #[cfg(all(target_os = "linux", feature = "systemd"))]
        self.systemd.changed();
    }

    /// One poll, by whoever holds the core. `asked`: somebody wants it judged
    /// anew.
    fn poll(
        &self,
        core: &mut Core<T>,
        now: Duration,
        asked: bool,
        recorder: &mut Recorder<'_>,
    ) -> Result<Outcome, DetectError> {
        // The owner is gone, and was told that nothing is called any more.
        let Ok(due) = self.signal.begin_poll() else {
            return Ok(Outcome::Busy);
        };
        recorder.is_due(due);
        let _inside = self.turn.enter(now);
        let mut watch = Watch::running(&self.cell, &self.subscriptions, self.log, recorder);
        let Core {
            engine, detector, ..
        } = &mut *core;
        if asked {
            engine.ask_again();
            // If it panics, the poll itself goes on with what it has.
            let _ = CATCH(&mut || detector.refresh());
        }
        let result = engine.poll_watched(&mut **detector, now, &mut watch);
        self.conclude(core, &mut watch, &result, now);
        result
    }

    /// Shows the outcome of a poll or a rollback, and keeps what is good.
    fn conclude(
        &self,
        core: &mut Core<T>,
        watch: &mut Watch<'_, '_, T>,
        result: &Result<Outcome, DetectError>,
        now: Duration,
    ) {
        self.show(core);
        core.measure(watch, result);
        // Last, for it may take its time.
        if core.keep_last_good(now) {
            self.show(core);
        }
    }

    /// Makes the status of a poll public, and wakes the thread if it has to poll
    /// sooner than it thought.
    fn show(&self, core: &Core<T>) {
        let mut status = self.status.lock();
        let before = status.next_poll;
        core.write_status(&mut status);
        let sooner = status.next_poll < before;
        drop(status);
        if sooner {
            self.signal.time_changed();
        }
    }

    /// See [`Reloader::reload`](crate::Reloader::reload).
    pub(super) fn reload(&self, timeout: Duration, cause: Cause) -> Arc<Receipt> {
        let now = self.clock.now();
        let mut recorder = Recorder::new(&self.receipts, cause, now).numbered();
        let deadline = now.saturating_add(timeout);
        #[cfg(feature = "remote")]
        let unreachable = self.ask_remotes(deadline);
        let result = self.reload_until(deadline, &mut recorder);
        #[cfg(feature = "remote")]
        let result = match (result, unreachable) {
            // Nothing is new, as far as that can be told.
            (Ok(Outcome::Unchanged), Some(error)) => Err(error),
            (result, _) => result,
        };
        let receipt = recorder.receipt(&result, &self.status, &self.cell);
        #[cfg(all(target_os = "linux", feature = "systemd"))]
        self.systemd.changed();
        receipt
    }

    /// Has the sources that are not files asked anew, before anything is locked. Returns
    /// why one of them cannot be had.
    #[cfg(feature = "remote")]
    fn ask_remotes(&self, deadline: Duration) -> Option<DetectError> {
        if self.turn.is_mine() {
            return None;
        }
        let tickets: Vec<_> = self
            .remotes
            .iter()
            .map(super::remote::Remote::ask_anew)
            .collect();
        // They answer side by side, and are waited for together.
        let mut first = None;
        for (remote, ticket) in self.remotes.iter().zip(tickets) {
            let left = deadline.saturating_sub(self.clock.now());
            let error = remote.wait(ticket, left);
            first = first.or(error);
        }
        first
    }

    fn reload_until(
        &self,
        deadline: Duration,
        recorder: &mut Recorder<'_>,
    ) -> Result<Outcome, DetectError> {
        if self.turn.is_mine() {
            return Ok(self.busy());
        }
        let stops = self.signal.stops();
        let before = self.cell.load().version();
        let mut asked = false;
        let mut rolled_back = None;
        loop {
            let left = deadline.saturating_sub(self.clock.now());
            let Some(mut core) = self.core.try_lock_for(left) else {
                return Ok(self.busy());
            };
            if self.signal.stops() != stops {
                return Ok(Outcome::Busy);
            }
            let outcome = self.poll(&mut core, self.clock.now(), !asked, recorder)?;
            drop(core);
            asked = true;
            if matches!(outcome, Outcome::RolledBack(_)) {
                rolled_back = Some(outcome.clone());
            }
            let (settles, next_poll) = {
                let status = self.status.lock();
                (status.settling_since.is_some(), status.next_poll)
            };
            if !settles {
                return Ok(self.final_outcome(outcome, rolled_back, before));
            }
            let until = next_poll.min(deadline);
            let pause = || until.saturating_sub(self.clock.now());
            if self.clock.now() >= deadline || !self.signal.wait_unless_stopped(stops, pause) {
                return Ok(outcome);
            }
        }
    }

    /// Nothing new at the end may follow from what this or another poll did meanwhile.
    fn final_outcome(
        &self,
        last: Outcome,
        rolled_back: Option<Outcome>,
        before: Version,
    ) -> Outcome {
        let active = self.cell.load().version();
        match (last, rolled_back) {
            (Outcome::Unchanged | Outcome::Quarantined, Some(rolled_back)) => rolled_back,
            (Outcome::Unchanged, None) if active > before => Outcome::Applied(active),
            (last, _) => last,
        }
    }

    pub(super) fn roll_back(&self, to: Option<Version>) -> Result<Version, RollbackError> {
        if self.turn.is_mine() {
            return Err(RollbackError::InsideCallback);
        }
        let stops = self.signal.stops();
        let mut core = self.wait_for_turn().ok_or(RollbackError::InsideCallback)?;
        if self.signal.stops() != stops {
            return Err(RollbackError::Stopped);
        }
        let now = self.clock.now();
        let _inside = self.turn.enter(now);
        let mut recorder = Recorder::new(&self.receipts, Cause::Rollback, now);
        let mut watch = Watch::running(&self.cell, &self.subscriptions, self.log, &mut recorder);
        let rolled_back = core.engine.rollback_watched(to, now, &mut watch);
        let result = match &rolled_back {
            Ok(version) => Ok(Outcome::RolledBack(*version)),
            Err(RollbackError::Vetoed(rejection)) => Ok(Outcome::Rejected(rejection.clone())),
            Err(_) => Ok(Outcome::Unchanged),
        };
        self.conclude(&mut core, &mut watch, &result, now);
        self.recorded(recorder, &result);
        rolled_back
    }

    /// Waits until nobody polls. `None` if that would never end, because whoever polls
    /// waits for the caller.
    pub(super) fn wait_for_turn(&self) -> Option<MutexGuard<'_, Core<T>>> {
        let _wait = Wait::begin(&self.turn)?;
        Some(self.core.lock())
    }

    fn busy(&self) -> Outcome {
        self.signal.wake();
        Outcome::Busy
    }

    pub(super) fn next_poll(&self) -> Duration {
        if self.signal.is_woken() {
            return Duration::ZERO;
        }
        self.status.lock().next_poll
    }

    /// See [`Reloader::status`](crate::Reloader::status).
    pub(super) fn status(&self) -> Status {
        let mut status = self.status.lock().clone();
        // What readers get is the truth, also half-way through a poll.
        let active = self.cell.load();
        if status.version != Some(active.version()) {
            status.version = Some(active.version());
            status.digest = Some(active.digest());
        }
        status.in_poll_since = self.turn.since();
        self.receipts.write(&mut status, self.clock.now());
        #[cfg(feature = "remote")]
        {
            let now = self.clock.now();
            let stale = self.remotes.iter().filter_map(|remote| {
                let (since, error) = remote.stale()?;
                let since = now.saturating_sub(since.elapsed());
                Some(crate::report::Stale { error, since })
            });
            status.stale = stale.collect();
        }
        status.clock = self.clock.on_the_wall();
        status.next_poll = self.next_poll();
        status.thread_alive = self.thread_alive.load(Ordering::Acquire);
        status
    }

    /// Stops the signal, and calls everyone whom that concerns.
    pub(super) fn stop(&self) {
        self.signal.stop();
        self.cell.call_waiters();
    }

    /// The poll of the thread: waits for its turn.
    pub(super) fn poll_on_thread(&self) {
        let polled = CATCH(&mut || {
            let mut core = self.core.lock();
            // It may have waited for another poll, and been stopped.
            if !self.signal.is_stopping() {
                // The outcome is in the status and in the log.
                let _ = self.poll_and_record(&mut core, self.clock.now(), Cause::Timer);
            }
        });
        if polled.is_err() {
            let again = self.clock.now().saturating_add(AFTER_A_PANIC);
            self.status.lock().next_poll = again;
            self.receipts.poll_panicked();
            logging::poll_panicked();
        }
    }

    /// Returns how long until the next poll is due.
    pub(super) fn pause(&self) -> Duration {
        let next = self.status.lock().next_poll;
        next.saturating_sub(self.clock.now())
    }
}
