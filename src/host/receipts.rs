//! Writing down what each attempt did: its number, its times, what came of it, and, while
//! it lasts, which phase or listener it is in. It has a lock of its own, so that the
//! status can be asked for while a listener hangs.

use core::time::Duration;

use super::std::collections::VecDeque;
use super::std::prelude::rust_2024::*;
use super::std::sync::Arc;
use super::std::time::Instant;
use super::sync::Mutex;
use crate::engine::observer::{Section, Step};
use crate::engine::{Cause, DetectError, Digest, Doing, Outcome, Phase, Receipt, Status, Timing};

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

    fn keep(&self, receipt: Arc<Receipt>) {
        let mut kept = self.0.lock();
        let surplus = (kept.receipts.len() >= KEEP).then(|| kept.receipts.pop_front());
        kept.receipts.push_back(receipt);
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
}

impl<'a> Recorder<'a> {
    pub(super) fn new(receipts: &'a Receipts, cause: Cause, now: Duration) -> Self {
        Recorder {
            receipts,
            cause,
            began: now,
            numbered: None,
            timings: Vec::new(),
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

    /// The attempt is over. Returns its receipt, if it leaves one. `status`: the one after
    /// it.
    pub(super) fn conclude(
        self,
        outcome: &Result<Outcome, DetectError>,
        status: &Mutex<Status>,
    ) -> Option<Arc<Receipt>> {
        let is_one = self.numbered.is_some();
        is_one.then(|| self.receipt(outcome, status))
    }

    /// The attempt is over. Returns its receipt.
    pub(super) fn receipt(
        mut self,
        outcome: &Result<Outcome, DetectError>,
        status: &Mutex<Status>,
    ) -> Arc<Receipt> {
        let status = status.lock();
        let (attempt, since) = self.number();
        let receipt = Arc::new(Receipt {
            attempt,
            cause: self.cause,
            began: self.began,
            took: since.elapsed(),
            timings: self.timings,
            digest: digest_of(outcome, &status),
            version: status.version,
            outcome: outcome.clone(),
        });
        drop(status);
        self.receipts.keep(receipt.clone());
        receipt
    }
}

/// Returns the digest of what an attempt was about.
fn digest_of(outcome: &Result<Outcome, DetectError>, status: &Status) -> Option<Digest> {
    match outcome {
        Ok(Outcome::Rejected(rejection) | Outcome::Vetoed { rejection, .. }) => {
            Some(rejection.digest())
        }
        Ok(Outcome::Quarantined) => status.quarantined,
        _ => status.digest,
    }
}
