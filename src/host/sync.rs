//! The one place that names where locks and atomics come from: `parking_lot` and
//! `std`, or, to try every interleaving, the model checker loom (`--cfg loom`).

#[cfg(not(loom))]
mod real {
    pub(crate) use super::super::std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use core::cell::Cell;

    use super::super::std::thread_local;
    pub(crate) use parking_lot::{Condvar, Mutex, MutexGuard, RwLock};

    /// Returns a number of the calling thread: the first that asks has 0, the next 1.
    #[inline]
    pub(crate) fn slot() -> usize {
        const NONE: usize = usize::MAX;
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        thread_local!(static MINE: Cell<usize> = const { Cell::new(NONE) });
        MINE.with(|mine| {
            if mine.get() == NONE {
                mine.set(NEXT.fetch_add(1, Ordering::Relaxed) % NONE);
            }
            mine.get()
        })
    }
}

#[cfg(not(loom))]
pub(crate) use real::*;

/// loom's locks under parking_lot's calls, as far as they are used here.
#[cfg(loom)]
mod modelled {
    use core::ops::{Deref, DerefMut};
    use core::time::Duration;

    use super::super::std::format;
    use super::super::std::prelude::rust_2024::*;
    pub(crate) use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    /// The same in each run of a model.
    pub(crate) fn slot() -> usize {
        let id = format!("{:?}", loom::thread::current().id());
        let digits: String = id.chars().filter(char::is_ascii_digit).collect();
        digits.parse().unwrap()
    }

    #[derive(Default)]
    pub(crate) struct Mutex<T>(loom::sync::Mutex<T>);

    /// The inner guard is away only while a condition is waited for.
    pub(crate) struct MutexGuard<'a, T>(Option<loom::sync::MutexGuard<'a, T>>);

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Self {
            Mutex(loom::sync::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
            MutexGuard(Some(self.0.lock().unwrap()))
        }

        pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
            self.0.try_lock().ok().map(|guard| MutexGuard(Some(guard)))
        }

        pub(crate) fn try_lock_for(&self, _: Duration) -> Option<MutexGuard<'_, T>> {
            Some(self.lock())
        }
    }

    impl<T> Deref for MutexGuard<'_, T> {
        type Target = T;

        fn deref(&self) -> &T {
            self.0.as_ref().unwrap()
        }
    }

    impl<T> DerefMut for MutexGuard<'_, T> {
        fn deref_mut(&mut self) -> &mut T {
            self.0.as_mut().unwrap()
        }
    }

    #[derive(Default)]
    pub(crate) struct Condvar(loom::sync::Condvar);

    impl Condvar {
        pub(crate) fn new() -> Self {
            Condvar(loom::sync::Condvar::new())
        }

        pub(crate) fn notify_all(&self) {
            self.0.notify_all();
        }

        /// Time does not pass in a model, so this waits until it is called.
        pub(crate) fn wait_for<T>(&self, guard: &mut MutexGuard<'_, T>, _: Duration) {
            let inner = guard.0.take().unwrap();
            guard.0 = Some(self.0.wait(inner).unwrap());
        }
    }

    pub(crate) struct RwLock<T>(loom::sync::RwLock<T>);

    impl<T> RwLock<T> {
        pub(crate) fn new(value: T) -> Self {
            RwLock(loom::sync::RwLock::new(value))
        }

        pub(crate) fn read(&self) -> loom::sync::RwLockReadGuard<'_, T> {
            self.0.read().unwrap()
        }

        pub(crate) fn write(&self) -> loom::sync::RwLockWriteGuard<'_, T> {
            self.0.write().unwrap()
        }
    }
}

#[cfg(loom)]
pub(crate) use modelled::*;
