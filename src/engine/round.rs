//! How another snapshot becomes active: every listener prepares and may veto, the
//! snapshot is published, every listener commits. A rollback is a round like any other.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::panic::Location;

use super::active::{Accepted, Active, Bytes, Standing};
use super::admission::Admission;
use super::catch::{Catch, guarded};
use super::change::Change;
use super::document::Document;
use super::engine::Engine;
use super::error::{ListenerError, Rejection, RollbackError, Stage};
use super::event::Event;
use super::history::Worth;
use super::listener::OnCommitError;
use super::listeners::commit_one;
use super::notes::Notes;
use super::observer::{Joining, Membership, Observer, Section, Step, during};
use super::outcome::Outcome;
use super::receipt::Phase;
use super::report::Problem;
use super::snapshot::Snapshot;
use super::source::{Before, Quarantined, Verdict};
use super::version::Version;

/// What a round offers.
struct Candidate<T> {
    accepted: Accepted<T>,
    standing: Standing,
    cause: Cause,
    /// The fields of it that take effect only at a start.
    restart: Arc<[Arc<str>]>,
    /// What is reported once it is active.
    event: Event,
}

/// Why there is a round.
enum Cause {
    /// The source shows this.
    Source,
    /// Going back, which may undo the rollback that left `undone`.
    Rollback { undone: Option<Version> },
}

/// What becomes of the verdict on what the source shows.
enum Fate<T> {
    Stays,
    /// It is still to be judged; what was quarantined before is not so any more.
    Forgives,
    Current(Option<Bytes>),
    Quarantined(Quarantined<T>),
}

impl<T: 'static> Engine<T> {
    /// Takes in who joined, and lets go who left. One who joins is notified of what
    /// changed since it subscribed. Returns whether any of them failed.
    pub(super) fn attend(&mut self, watch: &mut dyn Observer<T>) -> bool {
        let members = watch.members();
        if members.is_empty() {
            return false;
        }
        let mut errors = Vec::new();
        for member in members {
            match member {
                Membership::Joins(joining) => errors.extend(self.joins(joining, watch)),
                Membership::Leaves(id) => {
                    let removed = self.policy.listeners.remove(id);
                    self.discard(removed);
                }
            }
        }
        self.listeners_failed(&errors, watch);
        !errors.is_empty()
    }

    fn joins(&mut self, joining: Joining<T>, watch: &mut dyn Observer<T>) -> Option<ListenerError> {
        let Joining {
            id,
            name,
            mut listener,
            since: old,
        } = joining;
        let new = self.active().filter(|new| new.version() > old.version());
        let error = match new.cloned() {
            Some(new) => {
                let change = Change { old, new };
                let (catch, commit) = (self.policy.catch, Section::Phase(Phase::Commit));
                let error = during(&mut |step| watch.step(step), commit, |on_step| {
                    commit_one(catch, &name, &mut *listener, &change, on_step)
                });
                self.discard(change);
                error
            }
            None => {
                self.discard(old);
                None
            }
        };
        self.policy.listeners.add(id, name, listener);
        error
    }

    fn listeners_failed(&mut self, errors: &[ListenerError], watch: &mut dyn Observer<T>) {
        let (Some(version), Some(active)) = (self.version(), &mut self.active) else {
            return;
        };
        active.listeners_failed(errors);
        for error in errors.iter().cloned() {
            self.raise(Event::ListenerFailed { version, error }, watch);
        }
    }

    /// A valid value: a round, or the first snapshot.
    pub(super) fn accept(
        &mut self,
        value: T,
        document: Document,
        mut notes: Notes,
        watch: &mut dyn Observer<T>,
    ) -> Outcome {
        let new = self.snapshot_of(value, document, &mut notes);
        let (version, digest) = (new.version(), new.digest());
        let old = self.active().cloned();
        let change = old.map(|old| Change {
            old,
            new: new.clone(),
        });
        let restart = self.restart_fields(&new);
        let event = applied(self.policy.catch, change.as_ref(), &new, &restart);
        let accepted = Accepted::of_the_source(new, notes.unknown_keys.into());
        let standing = self.policy.probation_begins(self.now);
        let Some(change) = change else {
            self.activate_first(accepted, standing, event, watch);
            return Outcome::Applied(version);
        };
        let candidate = Candidate {
            accepted,
            standing,
            cause: Cause::Source,
            restart,
            event,
        };
        let done = self.round(&change, candidate, watch);
        // This may be the last hold on a value; a destructor is the user's code, too.
        self.discard(change);
        if let Err(veto) = done {
            let retry = self.back_off();
            let report = Problem::new("", veto.to_string()).into();
            let rejection = Rejection::new(Stage::Prepare, digest, report);
            return self.reject(Arc::new(rejection), Some(retry), Arc::default(), watch);
        }
        let failed = self
            .active
            .as_ref()
            .is_some_and(|a| !a.listener_errors.is_empty());
        let back = if failed {
            self.after_commit_errors(watch)
        } else {
            None
        };
        back.map_or(Outcome::Applied(version), Outcome::RolledBack)
    }

    /// Returns the fields that differ from those that the program started with, and take
    /// effect only at a start.
    fn restart_fields(&self, new: &Snapshot<T>) -> Arc<[Arc<str>]> {
        let Some(first) = &self.first else {
            return Arc::default();
        };
        let (catch, admission) = (self.policy.catch, &self.policy.admission);
        admission.restart_fields(catch, first, new).into()
    }

    /// The first snapshot: there is no change to notify anybody of.
    pub(super) fn activate_first(
        &mut self,
        accepted: Accepted<T>,
        standing: Standing,
        event: Event,
        watch: &mut dyn Observer<T>,
    ) {
        if !accepted.from_last_good {
            self.counts.reloads = self.counts.reloads.saturating_add(1);
            let gone = self.source.judged(Verdict::Current);
            self.discard(gone);
        }
        let (snapshot, warnings) = (accepted.snapshot.clone(), accepted.warnings.clone());
        if self.policy.admission.has_restart_fields() {
            self.first = Some(snapshot.clone());
        }
        self.active = Some(Active::new(accepted, self.now, standing));
        watch.publish(&snapshot);
        self.raise(event, watch);
        self.warn(warnings, watch);
    }

    /// One round. On a veto nothing is visible, and the prepared ones have aborted.
    fn round(
        &mut self,
        change: &Change<T>,
        candidate: Candidate<T>,
        watch: &mut dyn Observer<T>,
    ) -> Result<(), ListenerError> {
        self.attend(watch);
        let catch = self.policy.catch;
        let prepare = Section::Phase(Phase::Prepare);
        during(&mut |step| watch.step(step), prepare, |on_step| {
            self.policy.listeners.prepare(catch, change, on_step)
        })?;
        self.publish(candidate, watch);
        let commit = Section::Phase(Phase::Commit);
        let errors = during(&mut |step| watch.step(step), commit, |on_step| {
            self.policy.listeners.commit(catch, change, on_step)
        });
        self.listeners_failed(&errors, watch);
        Ok(())
    }

    /// The candidate becomes active, and readers see it: the one place where that
    /// happens. What calls the user's code comes before the first change of state, or
    /// after the last.
    fn publish(&mut self, candidate: Candidate<T>, watch: &mut dyn Observer<T>) {
        let Some(old) = &self.active else {
            return;
        };
        let left = old.accepted.snapshot.version();
        let worth = old.worth(self.policy.on_commit_error);
        let redeemed = match worth {
            Worth::Good => self.redeemed_by(&old.accepted.snapshot),
            _ => Vec::new(),
        };
        let fate = self.fate(&candidate);
        let mut accepted = candidate.accepted;
        let forgiven = match fate {
            Fate::Forgives => self.source.forgive(),
            _ => None,
        };
        let verdict = match fate {
            Fate::Stays | Fate::Forgives => None,
            Fate::Current(equal) => {
                accepted.is_shown_as(equal);
                Some(Verdict::Current)
            }
            Fate::Quarantined(quarantined) => Some(Verdict::Quarantined(quarantined)),
        };
        let (snapshot, warnings) = (accepted.snapshot.clone(), accepted.warnings().clone());
        let mut new = Active::new(accepted, self.now, candidate.standing);
        new.restart = candidate.restart;
        if let Some(old) = self.active.replace(new) {
            self.history.push(old.accepted, worth, &redeemed);
        }
        let gone = verdict.and_then(|verdict| self.source.judged(verdict));
        match candidate.cause {
            Cause::Source => {
                self.history.forgive();
                self.counts.reloads = self.counts.reloads.saturating_add(1);
            }
            Cause::Rollback { undone } => {
                self.history.left(left, undone);
                self.counts.rollbacks = self.counts.rollbacks.saturating_add(1);
                // What is rejected was judged by what was active then.
                self.ask_again |= self.source.rejected().is_some();
            }
        }
        watch.publish(&snapshot);
        let is_new = matches!(candidate.event, Event::Applied { .. });
        self.raise(candidate.event, watch);
        if is_new {
            self.warn(warnings, watch);
        }
        self.shown_before();
        self.trim_history();
        self.discard((gone, forgiven, snapshot));
    }

    /// Returns what becomes of the verdict on what the source shows, once the candidate
    /// is active.
    fn fate(&self, candidate: &Candidate<T>) -> Fate<T> {
        let (Some(seen), Some(old)) = (&self.source.seen, &self.active) else {
            return Fate::Stays;
        };
        let new = &candidate.accepted;
        if new.has(&seen.document) {
            let equal = new.equal.clone();
            return Fate::Current(equal.filter(|equal| equal.document == seen.document));
        }
        match &seen.verdict {
            Verdict::Current => Fate::Quarantined(Quarantined {
                snapshot: old.accepted.snapshot.clone(),
                bytes: old.accepted.bytes(),
            }),
            Verdict::Quarantined(q) if self.is_same(&q.snapshot, &new.snapshot) => {
                Fate::Current(Some(q.bytes.clone()))
            }
            Verdict::New {
                before: Before::Quarantined(q),
                ..
            } if self.is_same(&q.snapshot, &new.snapshot) => Fate::Forgives,
            _ => Fate::Stays,
        }
    }

    /// A listener failed to take the active snapshot into use: it stays, or a round of
    /// its own, which never leads to another, goes back. Returns the version then.
    pub(super) fn after_commit_errors(&mut self, watch: &mut dyn Observer<T>) -> Option<Version> {
        if self.policy.on_commit_error == OnCommitError::Continue {
            return None;
        }
        let back = self.newest_before(false);
        match back.and_then(|target| self.roll_back_to(target, watch)) {
            Ok(version) => Some(version),
            Err(error) => {
                let keeping = self.version()?;
                self.raise(Event::RollbackFailed { keeping, error }, watch);
                None
            }
        }
    }

    /// Returns a remembered version that it makes sense to go to.
    pub(super) fn remembered(&self, version: Version) -> Result<Version, RollbackError> {
        let active = self.active();
        if active.is_some_and(|active| active.version() == version) {
            return Err(RollbackError::IsActive(version));
        }
        let Some(kept) = self.history.get(version) else {
            return Err(RollbackError::NotRemembered(version));
        };
        match active {
            Some(active) if self.is_same(active, &kept.accepted.snapshot) => {
                Err(RollbackError::IsActive(version))
            }
            _ => Ok(version),
        }
    }

    /// Returns the newest snapshot with another content than is active, and than was
    /// rolled back from since the last change that came from the source. `proven`: which
    /// is known to have done well.
    pub(super) fn newest_before(&self, proven: bool) -> Result<Version, RollbackError> {
        let nothing = RollbackError::NothingToGoBackTo;
        let active = self.active().ok_or(nothing.clone())?;
        let same = |a: &Snapshot<T>, b: &Snapshot<T>| self.is_same(a, b);
        self.history.newest_but(active, proven, same).ok_or(nothing)
    }

    /// Returns whether both are of the same bytes or, where that was asked for, of equal
    /// values.
    fn is_same(&self, a: &Snapshot<T>, b: &Snapshot<T>) -> bool {
        is_same(self.policy.catch, &self.policy.admission, a, b)
    }

    fn redeemed_by(&self, good: &Snapshot<T>) -> Vec<Version> {
        self.history.redeemed_by(good, |a, b| self.is_same(a, b))
    }

    /// The source shows the active content: that is also so of the same content in the past.
    pub(super) fn shown_before(&mut self) {
        let Some(active) = self.active().filter(|_| self.source.is_current()) else {
            return;
        };
        let mut from_disk = self.history.known_from_disk().peekable();
        if from_disk.peek().is_none() {
            return;
        }
        let shown = from_disk.filter(|kept| self.is_same(kept, active));
        let shown: Vec<_> = shown.map(|kept| kept.version()).collect();
        self.history.shown(&shown);
    }

    pub(super) fn roll_back_to(
        &mut self,
        target: Version,
        watch: &mut dyn Observer<T>,
    ) -> Result<Version, RollbackError> {
        let version = self.next_version();
        let (Some(old), Some(kept)) = (self.active().cloned(), self.history.get(target)) else {
            return Err(RollbackError::NothingToGoBackTo);
        };
        let standing = match kept.worth {
            Worth::Good => Standing::Proven,
            _ => self.policy.probation_begins(self.now),
        };
        let new = Arc::new(kept.accepted.snapshot.again(version));
        let accepted = Accepted {
            snapshot: new.clone(),
            ..kept.accepted.clone()
        };
        let digest = new.digest();
        let undone = self.history.undone_by(&new, |a, b| self.is_same(a, b));
        let event = Event::RolledBack {
            from: old.version(),
            to: version,
            content_of: target,
            digest,
        };
        let candidate = Candidate {
            accepted,
            standing,
            cause: Cause::Rollback { undone },
            restart: self.restart_fields(&new),
            event,
        };
        let change = Change { old, new };
        watch.step(Step::Begins(Section::Rollback));
        let done = self.round(&change, candidate, watch);
        watch.step(Step::Ends(Section::Rollback));
        self.discard(change);
        done.map(|()| version).map_err(|veto| {
            let report = Problem::new("", veto.to_string()).into();
            RollbackError::Vetoed(Arc::new(Rejection::new(Stage::Prepare, digest, report)))
        })
    }
}

fn is_same<T: 'static>(
    catch: Catch,
    admission: &Admission<T>,
    a: &Snapshot<T>,
    b: &Snapshot<T>,
) -> bool {
    a.document() == b.document()
        || a.document().files() == b.document().files() && admission.are_equal(catch, a, b)
}

fn applied<T>(
    catch: Catch,
    change: Option<&Change<T>>,
    new: &Arc<Snapshot<T>>,
    restart: &Arc<[Arc<str>]>,
) -> Event {
    // A format's way to look into a document is the user's code.
    let diff = change.and_then(|change| guarded(catch, || change.diff()).ok());
    Event::Applied {
        from: change.map(|change| change.old.version()),
        to: new.version(),
        digest: new.digest(),
        origins: new.origins().clone(),
        diff,
        files: match change.map(Change::changed_files) {
            Some(files) if !files.is_empty() => files.into(),
            _ => Arc::default(),
        },
        pending_restart: restart.clone(),
    }
}

/// Returns the name of a listener that was given none.
pub(crate) fn place_name(place: &Location<'_>) -> String {
    format!("{}:{}", place.file(), place.line())
}
