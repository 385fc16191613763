//! What becomes of what the source shows: it is compared, judged where it needs to be,
//! and gets a verdict.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::active::Bytes;
use super::admission::{Admitted, Known, Peer, Rules, Unfit};
use super::document::Document;
use super::engine::Engine;
use super::error::{Rejection, Stage};
use super::event::Event;
use super::notes::Notes;
use super::observer::{Observer, Section, Step};
use super::outcome::Outcome;
use super::report::{Place, Problem, Report};
use super::retry::Retry;
use super::snapshot::Snapshot;
use super::source::{Before, Rejected, Seen, Turn, Verdict};

/// So often in a row, content may name other files than were read with it.
const MOST_WANTED: u8 = 8;

impl<T: 'static> Engine<T> {
    /// The source shows this. Whatever else it showed before, and the outcome of
    /// that, is over.
    pub(super) fn offer(&mut self, document: Document, watch: &mut dyn Observer<T>) -> Outcome {
        if self
            .source
            .seen
            .as_ref()
            .is_some_and(|seen| seen.document == document)
        {
            return self.weigh(watch);
        }
        let active = self.active.as_ref();
        let is_current = active.is_some_and(|active| active.accepted.has(&document));
        let seen = self.source.seen.take();
        let goes_on = |seen: &Seen<T>| seen.document.layers() == document.layers();
        if self.wanted > 0 && !seen.as_ref().is_some_and(goes_on) {
            self.wanted = 0;
        }
        let turn = match is_current {
            true => None,
            false => self.turn(&document, seen.as_ref(), watch),
        };
        self.tell_if_taken_back(is_current, seen.as_ref(), watch);
        let before = seen.map(|seen| seen.verdict);
        let (verdict, gone) = match is_current {
            true => (Verdict::Current, before),
            false => {
                let (before, gone) = Before::of(before);
                (Verdict::New { before, turn }, gone)
            }
        };
        self.source.seen = Some(Seen { document, verdict });
        self.is_shown();
        self.discard(gone);
        self.weigh(watch)
    }

    /// Returns when it is the turn of new content, if it has to wait. What takes a change
    /// back, or mends what is wrong, does not.
    fn turn(
        &mut self,
        document: &Document,
        seen: Option<&Seen<T>>,
        watch: &mut dyn Observer<T>,
    ) -> Option<Turn> {
        let (Some(stagger), Some(active)) = (&self.policy.stagger, &self.active) else {
            return None;
        };
        let waited = seen.and_then(Seen::turn);
        // The files that content names are read after it, when it has waited already.
        let is_over = |seen: &Seen<T>| {
            let is_new = matches!(seen.verdict, Verdict::New { .. });
            let is_due = waited.is_none_or(|turn| turn.due <= self.now);
            is_new && is_due && seen.document.layers() == document.layers()
        };
        if self.ask_again
            || active.accepted.from_last_good
            || self.history.has_well(document)
            || seen.is_some_and(is_over)
        {
            return None;
        }
        let since = waited.map_or(self.now, |turn| turn.since);
        let digest = document.digest();
        let due = self.now.saturating_add(stagger.wait_for(digest));
        // All have it after the window, however often it changes meanwhile.
        let due = due.min(since.saturating_add(stagger.window()));
        let wait = due.saturating_sub(self.now);
        if wait.is_zero() {
            return None;
        }
        self.raise(Event::Staggered { digest, wait }, watch);
        Some(Turn { due, since })
    }

    /// The source shows the active snapshot again, in place of what waited.
    fn tell_if_taken_back(
        &mut self,
        is_current: bool,
        seen: Option<&Seen<T>>,
        watch: &mut dyn Observer<T>,
    ) {
        if let Some(seen) = seen.filter(|seen| is_current && seen.turn().is_some()) {
            let digest = seen.document.digest();
            self.raise(Event::TakenBack { digest }, watch);
        }
    }

    /// If the source shows the active content, remembers with which bytes.
    fn is_shown(&mut self) {
        let (Some(seen), Some(active)) = (&mut self.source.seen, &mut self.active) else {
            return;
        };
        if !matches!(seen.verdict, Verdict::Current) {
            return;
        }
        let equal = active.accepted.equal.take();
        let equal = equal.filter(|equal| equal.document == seen.document);
        // One copy of the bytes is enough.
        let own = active.accepted.snapshot.document();
        let known = equal.as_ref().map_or(own, |equal| &equal.document);
        seen.document = known.clone();
        active.accepted.is_shown_as(equal);
        self.shown_before();
    }

    /// What the source shows has its verdict, and is judged where it needs one.
    pub(super) fn weigh(&mut self, watch: &mut dyn Observer<T>) -> Outcome {
        let Some(seen) = &self.source.seen else {
            return Outcome::Unchanged;
        };
        match &seen.verdict {
            Verdict::Current => Outcome::Unchanged,
            Verdict::Quarantined(_) => Outcome::Quarantined,
            Verdict::Rejected(rejected) if !self.ask_again && !rejected.is_due(self.now) => {
                rejected.outcome()
            }
            Verdict::New {
                turn: Some(turn), ..
            } if !self.ask_again && turn.due > self.now => Outcome::Staggered { until: turn.due },
            Verdict::New { .. } | Verdict::Rejected(_) => {
                let document = seen.document.clone();
                watch.step(Step::Begins(Section::Attempt));
                let outcome = self.judge(document, watch);
                watch.step(Step::Ends(Section::Attempt));
                outcome
            }
        }
    }

    fn judge(&mut self, document: Document, watch: &mut dyn Observer<T>) -> Outcome {
        let mut notes = Notes::masked_by(&self.policy.masks);
        let admitted = self.admit(&document, &mut notes, watch);
        if !matches!(admitted, Ok(Admitted::Names(_))) {
            self.wanted = 0;
        }
        match admitted {
            Ok(Admitted::New(value)) => self.accept(value, document, notes, watch),
            Ok(Admitted::Equal) => self.adopt(document, notes, watch),
            Ok(Admitted::Quarantined) => self.stays_quarantined(document, notes),
            Ok(Admitted::Names(names)) => self.wants(names, &document, watch),
            Err(unfit) => {
                let retry = unfit.may_pass_later.then(|| self.back_off());
                let restart = shared(&unfit.restart);
                self.reject(rejected(unfit, &document), retry, restart, watch)
            }
        }
    }

    /// The content names files that were not read with it.
    fn wants(
        &mut self,
        names: Vec<Arc<str>>,
        document: &Document,
        watch: &mut dyn Observer<T>,
    ) -> Outcome {
        self.wanted = self.wanted.saturating_add(1);
        if self.wanted <= MOST_WANTED {
            self.names = Some(names);
            return Outcome::Settling { until: self.now };
        }
        let message = "the files that it names are others each time that it is read";
        let unfit = Unfit::of(Stage::Validate, Problem::new("", message).into());
        self.reject(rejected(unfit, document), None, Arc::default(), watch)
    }

    /// Returns the value of a document, or every reason against it.
    pub(super) fn admit(
        &mut self,
        document: &Document,
        notes: &mut Notes,
        watch: &mut dyn Observer<T>,
    ) -> Result<Admitted<T>, Unfit> {
        let quarantined = match self.source.seen.as_ref().map(|seen| &seen.verdict) {
            Some(Verdict::New {
                before: Before::Quarantined(quarantined),
                ..
            }) => Some(quarantined),
            _ => None,
        };
        let active = self.active.as_ref();
        let known = Known {
            active: active.map(|active| Peer::of(&active.accepted.snapshot)),
            quarantined: quarantined.map(|quarantined| Peer::of(&quarantined.snapshot)),
        };
        let mut rules = Rules {
            catch: self.policy.catch,
            limits: self.policy.limits,
            unknown_keys: self.policy.unknown_keys,
            on_step: &mut |step| watch.step(step),
        };
        self.policy
            .admission
            .admit(&mut rules, document, &known, notes)
    }

    pub(super) fn snapshot_of(
        &mut self,
        value: T,
        document: Document,
        notes: &mut Notes,
    ) -> Arc<Snapshot<T>> {
        let version = self.next_version();
        let lens = notes.lens();
        Arc::new(Snapshot::new(value, version, document, lens))
    }

    /// Other bytes for the active value: no change, and nothing is wrong any more.
    fn adopt(&mut self, document: Document, notes: Notes, watch: &mut dyn Observer<T>) -> Outcome {
        let gone = self.source.judged(Verdict::Current);
        let bytes = bytes_of(document, notes);
        let warnings = bytes.warnings.clone();
        if let Some(active) = &mut self.active {
            active.accepted.is_shown_as(Some(bytes));
        }
        self.shown_before();
        self.warn(warnings, watch);
        self.discard(gone);
        Outcome::Unchanged
    }

    /// Other bytes for the value that was rolled back from.
    fn stays_quarantined(&mut self, document: Document, notes: Notes) -> Outcome {
        if let Some(Seen { verdict, .. }) = &mut self.source.seen {
            if let Verdict::New { before, .. } = verdict {
                let before = core::mem::replace(before, Before::Nothing);
                if let Before::Quarantined(mut quarantined) = before {
                    quarantined.bytes = bytes_of(document, notes);
                    *verdict = Verdict::Quarantined(quarantined);
                }
            }
        }
        Outcome::Quarantined
    }

    /// The active bytes have keys that nothing takes; that is reported once.
    pub(super) fn warn(&mut self, warnings: Arc<[Problem]>, watch: &mut dyn Observer<T>) {
        if let (false, Some(version)) = (warnings.is_empty(), self.version()) {
            self.raise(Event::UnknownKeys { version, warnings }, watch);
        }
    }

    /// Returns when to try what the source shows again.
    pub(super) fn back_off(&mut self) -> Retry {
        let last = self.source.rejected().and_then(|rejected| rejected.retry);
        match last {
            // Somebody asked before it was time: that is no reason to wait longer.
            Some(Retry { pause, .. }) if self.ask_again => self.policy.retry_after(pause, self.now),
            last => self.policy.retry_later(last, self.now),
        }
    }

    /// What the source shows is rejected. The same verdict on the same content is no
    /// news: it keeps its beginning and is not reported again.
    pub(super) fn reject(
        &mut self,
        rejection: Arc<Rejection>,
        retry: Option<Retry>,
        restart: Arc<[Arc<str>]>,
        watch: &mut dyn Observer<T>,
    ) -> Outcome {
        let known = self.source.rejected();
        let known = known.map(|known| (known.rejection.clone(), known.since));
        let (rejection, since, is_news) = match known {
            Some((known, since)) if *known == *rejection => (known, since, false),
            // Another reason at the same stage is news, but no new beginning.
            Some((known, since)) if known.stage() == rejection.stage() => (rejection, since, true),
            Some(_) => (rejection, self.now, true),
            None => {
                self.counts.rejected(rejection.stage());
                (rejection, self.now, true)
            }
        };
        let rejected = Rejected {
            rejection: rejection.clone(),
            since,
            retry,
            restart,
        };
        let outcome = rejected.outcome();
        let gone = self.source.judged(Verdict::Rejected(rejected));
        if is_news {
            let keeping = self.version();
            self.raise(Event::Rejected { keeping, rejection }, watch);
        }
        self.discard(gone);
        outcome
    }
}

/// Shares a list; an empty one takes no memory.
fn shared(list: &[Arc<str>]) -> Arc<[Arc<str>]> {
    match list.is_empty() {
        true => Arc::default(),
        false => list.into(),
    }
}

fn bytes_of(document: Document, notes: Notes) -> Bytes {
    Bytes {
        digest: document.digest(),
        document,
        warnings: notes.unknown_keys.into(),
    }
}

pub(super) fn rejected(unfit: Unfit, document: &Document) -> Arc<Rejection> {
    let mut report = unfit.report;
    name_the_source(&mut report, document);
    Arc::new(Rejection::new(unfit.stage, document.digest(), report))
}

/// Where there is one source only, a problem without a place is in it.
fn name_the_source(report: &mut Report, document: &Document) {
    let [only] = document.layers() else {
        return;
    };
    for problem in report.problems_mut() {
        if problem.place().is_none() {
            let place = Place::in_origin(only.origin().clone());
            *problem = problem.clone().at(place);
        }
    }
}
