//! The active snapshot, once for each of a few threads: so that readers on different
//! threads write to no memory that they share. What is put in, and when, is `cell.rs`'s.

use core::ops::Deref;

use super::std::mem;
use super::std::prelude::rust_2024::*;
use super::std::sync::{Arc, OnceLock};
use super::sync::{Mutex, RwLock, slot};
use crate::Snapshot;

/// There are no more shards than this. Threads beyond that share them.
const MOST: usize = 16;

/// Counts that different threads change stand this far apart: two cache lines, for some
/// processors fetch them in pairs.
#[repr(align(128))]
struct Apart<X>(X);

/// A pointer to a snapshot whose count is not the snapshot's, but its shard's.
pub(super) struct Copied<T>(Apart<Arc<Snapshot<T>>>);

impl<T> Copied<T> {
    pub(super) fn new(snapshot: Arc<Snapshot<T>>) -> Arc<Self> {
        Arc::new(Copied(Apart(snapshot)))
    }

    pub(super) fn snapshot(&self) -> &Arc<Snapshot<T>> {
        &self.0.0
    }
}

impl<T> Deref for Copied<T> {
    type Target = Snapshot<T>;

    fn deref(&self) -> &Snapshot<T> {
        self.snapshot()
    }
}

type Shard<T> = Apart<RwLock<Arc<Copied<T>>>>;

/// The shards. The first is there from the start, the others come with the threads that
/// read: a program that has few of them pays for few.
pub(super) struct Shards<T> {
    shards: [OnceLock<Box<Shard<T>>>; MOST],
    /// Held while a shard is added and while all are changed, so that none is missed.
    adding: Mutex<()>,
}

impl<T> Shards<T> {
    pub(super) fn new(first: Arc<Snapshot<T>>) -> Self {
        let shards = Shards {
            shards: [const { OnceLock::new() }; MOST],
            adding: Mutex::new(()),
        };
        shards.shards[0].get_or_init(|| Box::new(shard(first)));
        shards
    }

    /// Returns the snapshot, by way of this thread's shard.
    pub(super) fn load(&self) -> Arc<Copied<T>> {
        let index = slot() % MOST;
        match self.shards[index].get() {
            Some(shard) => shard.0.read().clone(),
            None => self.add(index),
        }
    }

    #[cold]
    fn add(&self, index: usize) -> Arc<Copied<T>> {
        let _adding = self.adding.lock();
        let first = self.shards[0].get().map(|first| first.0.read().clone());
        let snapshot = first.unwrap_or_else(|| unreachable!("the first is there"));
        let added = self.shards[index].get_or_init(|| Box::new(shard(snapshot.snapshot().clone())));
        added.0.read().clone()
    }

    /// Puts a snapshot into all shards at one moment: once a reader has seen it, no other
    /// sees an older one. `then` is called at that moment. Returns what was there before,
    /// to be dropped outside of all locks.
    #[must_use]
    pub(super) fn replace(
        &self,
        new: &Arc<Snapshot<T>>,
        then: impl FnOnce(),
    ) -> Vec<Arc<Copied<T>>> {
        let adding = self.adding.lock();
        let shards = || self.shards.iter().filter_map(OnceLock::get);
        // Whatever takes its time comes before the locks.
        let mut copies: Vec<_> = shards().map(|_| Copied::new(new.clone())).collect();
        let mut guards = Vec::with_capacity(copies.len());
        guards.extend(shards().map(|shard| shard.0.write()));
        then();
        for (guard, copy) in guards.iter_mut().zip(&mut copies) {
            mem::swap(&mut **guard, copy);
        }
        drop(guards);
        drop(adding);
        copies
    }
}

fn shard<T>(snapshot: Arc<Snapshot<T>>) -> Shard<T> {
    Apart(RwLock::new(Copied::new(snapshot)))
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::super::std::thread;
    use super::*;
    use crate::engine::Document;

    #[test]
    fn a_program_pays_for_as_many_shards_as_threads_read() {
        let snapshot = |value: u32| Arc::new(Snapshot::fixed(value, Document::single("", [])));
        let shards = Shards::new(snapshot(1));
        let there = || shards.shards.iter().filter_map(OnceLock::get).count();
        assert_eq!(there(), 1);
        for _ in 0..3 {
            let _ = shards.load();
        }
        assert!(there() <= 2);
        let before = there();
        thread::scope(|scope| {
            let reading = scope.spawn(|| (0..10).map(|_| *shards.load().value()).sum::<u32>());
            assert_eq!(reading.join().unwrap(), 10);
        });
        assert!(there() <= before + 1);
        let first = Arc::downgrade(shards.load().snapshot());
        drop(shards.replace(&snapshot(2), || {}));
        assert!(first.upgrade().is_none(), "a shard keeps the old one");
        for _ in 0..100 {
            thread::scope(|scope| {
                scope.spawn(|| assert_eq!(*shards.load().value(), 2));
            });
        }
        assert_eq!(there(), MOST);
    }
}
