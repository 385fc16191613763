//! The snapshots that were active before, to go back to.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::active::Accepted;
use super::document::Document;
use super::snapshot::Snapshot;
use super::version::Version;

/// How many snapshots are kept besides the active one, if nothing is said.
pub(crate) const DEFAULT_KEEP: usize = 8;

/// The snapshots that were active before, the newest last.
pub(crate) struct History<T> {
    kept: VecDeque<Kept<T>>,
}

pub(crate) struct Kept<T> {
    pub(crate) accepted: Accepted<T>,
    pub(crate) worth: Worth,
    /// It was rolled back from, so that the next rollback goes further back.
    avoid: bool,
}

/// How a snapshot did while it was active.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Worth {
    Good,
    /// It was superseded before its probation was over.
    Unproven,
    /// A listener could not take it into use, or it failed its probation, and that
    /// is a reason to roll back.
    Bad,
}

impl<T> Kept<T> {
    fn version(&self) -> Version {
        self.accepted.snapshot.version()
    }

    /// Returns whether it is worth more than the others when one has to go: it has
    /// proved itself.
    fn is_way_back(&self) -> bool {
        self.worth == Worth::Good && !self.avoid
    }
}

impl<T> History<T> {
    pub(crate) const fn new() -> Self {
        History {
            kept: VecDeque::new(),
        }
    }

    /// Returns which did not do well, and are the same content as one that did.
    pub(crate) fn redeemed_by(
        &self,
        good: &Snapshot<T>,
        mut same: impl FnMut(&Snapshot<T>, &Snapshot<T>) -> bool,
    ) -> Vec<Version> {
        let doubtful = self.kept.iter().filter(|kept| kept.worth != Worth::Good);
        doubtful
            .filter(|kept| same(&kept.accepted.snapshot, good))
            .map(Kept::version)
            .collect()
    }

    /// Takes in what was active until now. What failed before and is `redeemed` did well
    /// in the end.
    pub(crate) fn push(&mut self, accepted: Accepted<T>, worth: Worth, redeemed: &[Version]) {
        for kept in &mut self.kept {
            if redeemed.contains(&kept.version()) {
                kept.worth = Worth::Good;
            }
        }
        self.kept.push_back(Kept {
            accepted,
            worth,
            avoid: false,
        });
    }

    /// Takes out one that is more than `keep`: the oldest, but the newest that has proved
    /// itself last of all.
    #[must_use]
    pub(crate) fn surplus(&mut self, keep: usize) -> Option<Kept<T>> {
        if self.kept.len() <= keep {
            return None;
        }
        let way_back = self.kept.iter().rposition(Kept::is_way_back);
        let oldest = usize::from(way_back == Some(0) && self.kept.len() > 1);
        self.kept.remove(oldest)
    }

    /// Returns whether this was active, and was neither bad nor rolled back from.
    pub(crate) fn has_well(&self, document: &Document) -> bool {
        let mut well = self
            .kept
            .iter()
            .filter(|kept| kept.worth != Worth::Bad && !kept.avoid);
        well.any(|kept| kept.accepted.has(document))
    }

    pub(crate) fn get(&self, version: Version) -> Option<&Kept<T>> {
        self.kept.iter().find(|kept| kept.version() == version)
    }

    /// Returns which were read from disk, and which the source has not shown since.
    pub(crate) fn known_from_disk(&self) -> impl Iterator<Item = &Arc<Snapshot<T>>> {
        let known_from_disk = self.kept.iter().filter(|kept| kept.accepted.from_last_good);
        known_from_disk.map(|kept| &kept.accepted.snapshot)
    }

    /// The source has shown the content of these.
    pub(crate) fn shown(&mut self, versions: &[Version]) {
        for kept in &mut self.kept {
            if versions.contains(&kept.version()) {
                kept.accepted.from_last_good = false;
            }
        }
    }

    /// Returns the first rollback that going to `target` undoes: one that left the very
    /// content that becomes active again.
    pub(crate) fn undone_by(
        &self,
        target: &Snapshot<T>,
        mut same: impl FnMut(&Snapshot<T>, &Snapshot<T>) -> bool,
    ) -> Option<Version> {
        let mut avoided = self.kept.iter().filter(|kept| kept.avoid);
        let undone = avoided.find(|kept| same(&kept.accepted.snapshot, target));
        undone.map(Kept::version)
    }

    /// `left` was rolled back from; or the rollback that left `undone` is undone, and
    /// with it all that came after it.
    pub(crate) fn left(&mut self, left: Version, undone: Option<Version>) {
        for kept in &mut self.kept {
            kept.avoid = match undone {
                Some(undone) => kept.avoid && kept.version() < undone,
                None => kept.avoid || kept.version() == left,
            };
        }
    }

    /// Something new came from the source: what was rolled back from before is
    /// history like any other.
    pub(crate) fn forgive(&mut self) {
        self.kept.iter_mut().for_each(|kept| kept.avoid = false);
    }

    /// Returns the newest that is not the same as the active snapshot, nor as anything that
    /// was rolled back from, or was bad. `proven`: nor unproven.
    pub(crate) fn newest_but(
        &self,
        active: &Snapshot<T>,
        proven: bool,
        mut same: impl FnMut(&Snapshot<T>, &Snapshot<T>) -> bool,
    ) -> Option<Version> {
        let bad = |kept: &&Kept<T>| kept.avoid || kept.worth == Worth::Bad;
        let avoided: Vec<&Arc<Snapshot<T>>> = self
            .kept
            .iter()
            .filter(bad)
            .map(|kept| &kept.accepted.snapshot)
            .collect();
        let fit = |one: &&Kept<T>| {
            let snapshot = &one.accepted.snapshot;
            (!proven || one.worth == Worth::Good)
                && !same(snapshot, active)
                && !avoided.iter().any(|avoided| same(snapshot, avoided))
        };
        self.kept.iter().rev().find(fit).map(Kept::version)
    }
}
