//! Writing down what each attempt did: its number, its times, its outcome, and, while it
//! lasts, which phase or listener it is in. It has a lock of its own, so that the
//! status can be asked for while a listener hangs.

use core::time::Duration;

use super::cell::{Cell, Loaded};
use super::std::collections::VecDeque;
use super::std::prelude::rust_2024::*;
use super::std::sync::Arc;
use super::std::time::Instant;
use super::sync::Mutex;
use crate::engine::Digest;
use crate::engine::observer::{Section, Step};
use crate::report::{Cause, DetectError, Doing, Event, ListenerError, Phase, Timing};
use crate::{Outcome, Receipt, Snapshot, Status, Version};

/// So many receipts are kept.
const KEEP: usize = 32;

/// The receipts of one reloader.
#[derive(Default)]
pub(super) struct Receipts(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    last: u64,
    receipts: VecDeque<Arc<Receipt>>,
    /// What the poll under way does, from the outermost.
    open: Vec<Open>,
}

/// A phase, or a call of a listener in it.
struct Open {
    phase: Phase,
    listener: Option<Arc<str>>,
    since: Instant,
}

impl Receipts {
    /// Forgets what a poll was in that ended in a panic.
    pub(super) fn poll_panicked(&self) {
        self.0.lock().open.clear();
    }

    fn next(&self) -> u64 {
        let mut kept = self.0.lock();
        kept.last += 1;
        kept.last
    }

    /// Keeps it in the order of numbers: a reload may end after what began later.
    fn keep(&self, receipt: Arc<Receipt>) {
        let mut kept = self.0.lock();
        let earlier = |one: &Arc<Receipt>| one.attempt < receipt.attempt;
        let at = kept.receipts.partition_point(earlier);
        kept.receipts.insert(at, receipt);
        let surplus = (kept.receipts.len() > KEEP).then(|| kept.receipts.pop_front());
        drop(kept);
        drop(surplus);
    }

    fn begins(&self, section: Section<'_>) {
        let (since, mut kept) = (Instant::now(), self.0.lock());
        let outer = kept.open.last().map(|open| open.phase);
        let (phase, listener) = match section {
            Section::Phase(phase) => (phase, None),
            // A listener is called in a phase.
            Section::Listener(name) => (outer.unwrap_or(Phase::Commit), Some(name.clone())),
            Section::Attempt | Section::Rollback | Section::LastGood => return,
        };
        kept.open.push(Open {
            phase,
            listener,
            since,
        });
    }

    /// Returns how long it took.
    fn ends(&self, section: Section<'_>) -> Option<Timing> {
        let (Section::Phase(_) | Section::Listener(_)) = section else {
            return None;
        };
        let ended = self.0.lock().open.pop()?;
        Some(Timing {
            phase: ended.phase,
            listener: ended.listener,
            took: ended.since.elapsed(),
        })
    }

    /// Writes into a status what is known here. `now`: on its timeline.
    pub(super) fn write(&self, status: &mut Status, now: Duration) {
        let kept = self.0.lock();
        status.receipts = kept.receipts.iter().cloned().collect();
        // A poll that panicked may have left something.
        let in_poll = status.in_poll_since.is_some();
        status.doing = kept.open.last().filter(|_| in_poll).map(|open| Doing {
            phase: open.phase,
            listener: open.listener.clone(),
            since: now.saturating_sub(open.since.elapsed()),
        });
    }
}

/// Writes down one attempt. It has no number, and leaves no receipt, before there is
/// something to write down.
pub(super) struct Recorder<'a> {
    receipts: &'a Receipts,
    cause: Cause,
    /// On the timeline of `now`.
    began: Duration,
    numbered: Option<(u64, Instant)>,
    timings: Vec<Timing>,
    listener_errors: Vec<ListenerError>,
    /// The snapshot that became active last.
    published: Option<(Version, Digest)>,
}

impl<'a> Recorder<'a> {
    pub(super) fn new(receipts: &'a Receipts, cause: Cause, now: Duration) -> Self {
        Recorder {
            receipts,
            cause,
            began: now,
            numbered: None,
            timings: Vec::new(),
            listener_errors: Vec::new(),
            published: None,
        }
    }

    /// Of what leaves a receipt whatever it finds.
    pub(super) fn numbered(mut self) -> Self {
        self.attempt();
        self
    }

    /// Why a poll was due, if not by the time. It is why the thread polls; anybody else
    /// has a reason of their own.
    pub(super) fn is_due(&mut self, why: Option<Cause>) {
        if let (Cause::Timer, Some(why)) = (self.cause, why) {
            self.cause = why;
        }
    }

    /// Returns the number of the attempt.
    pub(super) fn attempt(&mut self) -> u64 {
        self.number().0
    }

    /// Returns the number of the attempt, if it has one by now.
    #[cfg(feature = "otel")]
    pub(super) fn known_attempt(&self) -> Option<u64> {
        self.numbered.map(|(attempt, _)| attempt)
    }

    fn number(&mut self) -> (u64, Instant) {
        let receipts = self.receipts;
        let numbered = || (receipts.next(), Instant::now());
        *self.numbered.get_or_insert_with(numbered)
    }

    pub(super) fn step(&mut self, step: Step<'_>) {
        match step {
            Step::Begins(section) => {
                if let Section::Attempt | Section::Rollback | Section::LastGood = section {
                    self.attempt();
                }
                self.receipts.begins(section);
            }
            Step::Ends(section) => self.timings.extend(self.receipts.ends(section)),
        }
    }

    pub(super) fn event(&mut self, event: &Event) {
        match event {
            Event::ListenerFailed { error, .. } => self.listener_errors.push(error.clone()),
            // What failed before that is not active any more.
            Event::RolledBack { .. } => self.listener_errors.clear(),
            _ => {}
        }
    }

    pub(super) fn published<T>(&mut self, snapshot: &Snapshot<T>) {
        self.published = Some((snapshot.version(), snapshot.digest()));
    }

    /// The attempt is over, if it was one.
    pub(super) fn conclude<T>(
        self,
        outcome: &Result<Outcome, DetectError>,
        status: &Mutex<Status>,
        cell: &Cell<T>,
    ) {
        if self.numbered.is_some() {
            self.receipt(outcome, status, cell);
        }
    }

    /// Returns the active snapshot's version and digest after the attempt. The status may be of the poll before, and
    /// knows other bytes that stand for what readers get.
    fn active<T>(&self, status: &Status, active: &Loaded<T>) -> (Version, Digest) {
        match (self.published, status.version, status.digest) {
            (Some(published), ..) => published,
            (None, Some(version), Some(digest)) if version == active.version() => (version, digest),
            _ => (active.version(), active.digest()),
        }
    }

    /// The attempt is over. Returns its receipt.
    pub(super) fn receipt<T>(
        mut self,
        outcome: &Result<Outcome, DetectError>,
        status: &Mutex<Status>,
        cell: &Cell<T>,
    ) -> Arc<Receipt> {
        let (attempt, since) = self.number();
        let (version, digest) = self.active(&status.lock(), &cell.load());
        let mut receipt = Receipt {
            attempt,
            cause: self.cause,
            began: self.began,
            took: since.elapsed(),
            timings: self.timings,
            digest,
            version,
            listener_errors: self.listener_errors,
            outcome: outcome.clone(),
        };
        if let Some(rejection) = receipt.rejection() {
            receipt.digest = rejection.digest();
        }
        let receipt = Arc::new(receipt);
        self.receipts.keep(receipt.clone());
        receipt
    }
}
