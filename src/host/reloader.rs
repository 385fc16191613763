//! What the program holds. What is behind it is in `core.rs`, and the thread in
//! `thread.rs`.

use core::fmt;
use core::panic::{RefUnwindSafe, UnwindSafe};
use core::time::Duration;

use super::builder::Builder;
use super::cell::Handle;
use super::core::Shared;
use super::file::FileDetector;
use super::source::Source;
use super::std::io;
use super::std::path::Path;
use super::std::prelude::rust_2024::*;
use super::std::sync::Arc;
use super::subscriptions::Subscription;
use super::target::{Files, Own};
use crate::engine::{Detector, Format};
use crate::report::{Cause, DetectError, RollbackError};
use crate::{Listener, Outcome, Receipt, Status, Version};

/// Keeps one configuration current.
///
/// Make one with `Reloader::from_file` or [`Reloader::builder`]. Then either
/// [`start`](Self::start) its thread, or call [`poll_once`](Self::poll_once)
/// from a loop that you have. Readers get a [`Handle`].
///
/// All methods take `&self` and may be called from any thread, and from inside
/// callbacks. Dropping it stops the thread; handles stay valid. A drop waits, as
/// [`stop`](Self::stop) does, for the poll under way, and for the action of a SIGHUP: in
/// async code, drop it in `spawn_blocking`.
pub struct Reloader<T: Send + Sync + 'static> {
    shared: Arc<Shared<T>>,
    role: Role,
}

/// Whose a reloader is.
#[derive(Clone, Copy)]
enum Role {
    /// The program's: it stops when this is dropped.
    Owner,
    /// Lent to a callback, while this is what calls it.
    #[cfg(all(unix, feature = "signal"))]
    Lent(Cause),
}

impl<T: Send + Sync + 'static> Reloader<T> {
    pub(super) fn of(shared: Shared<T>) -> Self {
        Reloader {
            shared: Arc::new(shared),
            role: Role::Owner,
        }
    }

    /// Returns one for a callback, which ends nothing when it is dropped.
    #[cfg(all(unix, feature = "signal"))]
    pub(super) fn lent(shared: Arc<Shared<T>>, cause: Cause) -> Self {
        let role = Role::Lent(cause);
        Reloader { shared, role }
    }

    /// Watches one file: the short way for
    /// `Reloader::builder().source(Source::file(path))`.
    ///
    /// A relative path is taken from the folder that is current now.
    #[cfg(feature = "reading")]
    pub fn from_file(path: impl AsRef<Path>) -> Builder<T>
    where
        T: serde::de::DeserializeOwned,
    {
        Reloader::builder().source(Source::file(path))
    }

    /// Watches sources that are still to be added, in the order of their precedence; see
    /// [`Builder::source`].
    #[cfg(feature = "reading")]
    pub fn builder() -> Builder<T>
    where
        T: serde::de::DeserializeOwned,
    {
        Reloader::builder_as(crate::format::Yaml::new())
    }

    /// Watches one file in a format of your own.
    pub fn from_file_as(
        path: impl AsRef<Path>,
        format: impl Format<T> + Send + 'static,
    ) -> Builder<T> {
        Reloader::builder_as(format).source(Source::file(path))
    }

    /// Watches sources that are still to be added, in a format of your own.
    pub fn builder_as(format: impl Format<T> + Send + 'static) -> Builder<T> {
        Builder::new(Files(FileDetector::empty()), format)
    }

    /// Watches whatever `detector` polls, parsed by `format`.
    pub fn with_detector(
        detector: impl Detector + Send + 'static,
        format: impl Format<T> + Send + 'static,
    ) -> Builder<T, Own> {
        Builder::new(Own(Box::new(detector)), format)
    }

    /// A way in for readers.
    #[must_use]
    pub fn handle(&self) -> Handle<T> {
        Handle::new(self.shared.cell.clone())
    }

    /// Polls once, on the caller's thread, and returns the outcome.
    ///
    /// It never waits for another poll: if one is under way, or if this is
    /// called from inside a callback, it returns [`Outcome::Busy`] and
    /// another poll becomes due.
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
        self.shared.try_poll(now)
    }

    /// "Reload now", as an operator means it: reads the content itself
    /// whatever its stamp says, judges anew what is remembered to be rejected,
    /// waits out settling and other polls for at most `timeout`, and returns the
    /// receipt: the outcome, and how long each phase and listener took. The receipt is
    /// also in the [`status`](Self::status).
    ///
    /// The outcome is an error if the source cannot be read at present; then the active
    /// snapshot stays. It is also an error if nothing is new and a server did not answer;
    /// then the last content of that server stays. [`Outcome::Settling`] and
    /// [`Outcome::Busy`] mean that the time was up, that somebody called [`stop`](Self::stop) meanwhile, or that this was called
    /// from inside a callback, where there is no waiting. If another thread's poll
    /// applied the change meanwhile, that counts.
    ///
    /// It blocks until servers have answered and the content has settled, and as long as
    /// validators, builds and listeners take, also beyond `timeout`. From async code, call
    /// it in `spawn_blocking`.
    #[must_use]
    pub fn reload(&self, timeout: Duration) -> Receipt {
        let cause = match self.role {
            Role::Owner => Cause::Reload,
            #[cfg(all(unix, feature = "signal"))]
            Role::Lent(cause) => cause,
        };
        Receipt::clone(&self.shared.reload(timeout, cause))
    }

    /// Reloads at every SIGHUP, as [`reload`](Self::reload) does with 10 s, on a thread
    /// of its own, and logs the outcome, also if nothing did: `kill -HUP` is an
    /// operator who reads the log. The same as
    /// `on_sighup(|reloader| reloader.reload(Duration::from_secs(10)))`.
    ///
    /// # Errors
    ///
    /// As for [`on_sighup`](Self::on_sighup).
    #[cfg(all(unix, feature = "signal"))]
    pub fn reload_on_sighup(&self) -> io::Result<Subscription> {
        self.on_sighup(|reloader: &Reloader<T>| reloader.reload(super::signals::PATIENCE))
    }

    /// Calls `action` at every SIGHUP, on a thread of its own, and logs the outcome, if
    /// it returns a receipt: to reload with another time-out, or to do something else at the
    /// signal, too, such as opening log files anew. Signals that come while it runs are
    /// answered by one more call. It is called until what is returned is dropped, or the
    /// reloader is. Then the signal does nothing; it does not end the process again. If
    /// this is called twice, the second action takes the place of the first.
    ///
    /// A drop of the reloader waits for the action under way, and after it none runs, unless
    /// it is dropped from inside a callback: then a call that is under way completes.
    ///
    /// ```no_run
    /// # use steadyconf::Reloader;
    /// # fn reopen_log_files() {}
    /// # let reloader = Reloader::<u32>::from_file("config.yaml").load().unwrap();
    /// let subscription = reloader.on_sighup(|reloader: &Reloader<u32>| {
    ///     reopen_log_files();
    ///     reloader.reload(std::time::Duration::from_secs(60))
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// The system gives no thread, or no handler for the signal; or, as far as that can
    /// be told (on Linux), every thread of the program blocks the signal, so that it
    /// would never come.
    #[cfg(all(unix, feature = "signal"))]
    pub fn on_sighup<R: Into<Option<Receipt>>>(
        &self,
        action: impl FnMut(&Reloader<T>) -> R + Send + 'static,
    ) -> io::Result<Subscription> {
        self.begin_hangups(action, false)
    }

    #[cfg(all(unix, feature = "signal"))]
    fn begin_hangups<R: Into<Option<Receipt>>>(
        &self,
        mut action: impl FnMut(&Reloader<T>) -> R + Send + 'static,
        is_default: bool,
    ) -> io::Result<Subscription> {
        let action = move |reloader: &Reloader<T>| action(reloader).into();
        let id = super::signals::begin(&self.shared, action, is_default)?;
        // Weak, so that a signal that never comes keeps nothing alive.
        let shared = Arc::downgrade(&self.shared);
        Ok(Subscription::new(move || {
            if let Some(shared) = shared.upgrade() {
                shared.hangups.end(id);
            }
        }))
    }

    /// Does what systemd expects of a service with `Type=notify-reload` (or `notify`):
    /// says `READY=1` now, so call it once the program serves; `RELOADING=1` at every
    /// SIGHUP, and `READY=1` after it; and `WATCHDOG=1` while polls end, where the unit has
    /// `WatchdogSec=`. The `STATUS=` says how things stand, reasons of a rejection included,
    /// and follows every change. Until what is returned is dropped, or the reloader is. If
    /// it is called twice, the second call takes the place of the first.
    ///
    /// If nothing was said by [`on_sighup`](Self::on_sighup) before, SIGHUP reloads with
    /// `patience`. If a reload is not over after `patience` (a listener hangs, say), it
    /// goes on, but `READY=1` is said then, with the name of what it waits for in the
    /// status. `patience` is to be shorter than the unit's `TimeoutStartSec=`.
    ///
    /// The watchdog is fed while no poll lasts longer than half of `WatchdogSec=`, and
    /// none is overdue by as much: if a listener takes its time, `WatchdogSec=` has to
    /// allow for it, and a program that neither started the thread nor polls in time is
    /// not fed.
    ///
    /// All of it is sent by a thread of its own, so that a dead socket delays nothing.
    /// Without `NOTIFY_SOCKET` in the environment, nothing is sent, and SIGHUP reloads all
    /// the same. One reloader of a process is to call it.
    ///
    /// # Errors
    ///
    /// As for [`on_sighup`](Self::on_sighup); or there is a `NOTIFY_SOCKET`, and `READY=1`
    /// cannot be sent to it.
    #[cfg(all(target_os = "linux", feature = "systemd"))]
    pub fn notify_systemd(&self, patience: Duration) -> io::Result<Subscription> {
        let action = move |reloader: &Reloader<T>| reloader.reload(patience);
        let hangups = match self.shared.hangups.are_taken() {
            false => Some(self.begin_hangups(action, true)?),
            true => None,
        };
        let service = super::systemd::begin(&self.shared, patience)?;
        let shared = Arc::downgrade(&self.shared);
        Ok(Subscription::new(move || {
            drop(hangups);
            if let (Some(shared), Some(service)) = (shared.upgrade(), service) {
                shared.systemd.end(&service);
            }
        }))
    }

    /// Wakes the thread at events of the file system, so that a change is seen at once and
    /// not only at the next poll; the settle time is still waited out. Until what is
    /// returned is dropped, or the reloader is.
    ///
    /// Events are a hint and nothing more. Polling goes on, so a longer
    /// [`interval`](crate::Builder::interval) is enough as a safety net; where events are
    /// missing (network and some container file systems send none), a change is seen after
    /// the interval, as without this. If watching fails later, the log says so once, and
    /// once when it works again.
    ///
    /// Watched are the folders that hold the files, the files that the configuration
    /// names, and every link on the way to them.
    ///
    /// # Errors
    ///
    /// The system gives no watch (on Linux, `fs.inotify.max_user_watches` or
    /// `max_user_instances` may be used up) or no thread; or no files are watched. Polling
    /// goes on all the same.
    #[cfg(feature = "notify")]
    pub fn wake_on_file_events(&self) -> io::Result<Subscription> {
        super::events::begin(&self.shared).map(Subscription::new)
    }

    /// Goes back to the newest content before, under a new version: a change like
    /// any other, with every listener. What was active is not applied again until
    /// the source shows something else; until then a poll returns
    /// [`Outcome::Quarantined`].
    ///
    /// It blocks: it waits for a poll that is under way, and as long as listeners take.
    ///
    /// # Errors
    ///
    /// There is nothing to go back to, or a listener vetoed it, or this was
    /// called from inside a callback, or somebody called [`stop`](Self::stop)
    /// while it waited. What was active stays.
    pub fn rollback(&self) -> Result<Version, RollbackError> {
        self.shared.roll_back(None)
    }

    /// The same to the content of a certain version, if it is still remembered.
    ///
    /// # Errors
    ///
    /// It is not, or it is the active one; or as for [`rollback`](Self::rollback).
    pub fn rollback_to(&self, version: Version) -> Result<Version, RollbackError> {
        self.shared.roll_back(Some(version))
    }

    /// When the next poll is due, on the same timeline as [`now`](Self::now):
    /// a loop may sleep until then. Polling earlier does no harm.
    #[must_use]
    pub fn next_poll(&self) -> Duration {
        self.shared.next_poll()
    }

    /// The present time: monotonic, since the load.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.shared.clock.now()
    }

    /// The present state. It can be asked for at any time, also while a poll
    /// is under way, and from inside a callback. Then the version and the digest
    /// are what readers get at that moment, and the rest is as the poll before
    /// left it.
    #[must_use]
    pub fn status(&self) -> Status {
        self.shared.status()
    }

    /// Adds a listener while it runs, known as `name`, after all that are there.
    /// It takes part in every change from the next round on, until what is
    /// returned is dropped. Both work from any thread and from inside a callback.
    ///
    /// Nothing is missed: load after this call, and it is notified of every later change. Of a
    /// change that was under way at that moment it is notified afterwards, as a `commit`
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
        let since = self.shared.cell.load().into();
        let subscriptions = &self.shared.subscriptions;
        let id = subscriptions.add(name.into(), Box::new(listener), since);
        // The next poll notifies it of a change that is under way.
        self.shared.signal.wake();
        // Weak, so that a subscription that outlives the rest keeps nothing alive.
        let shared = Arc::downgrade(&self.shared);
        Subscription::new(move || {
            if let Some(shared) = shared.upgrade() {
                shared.subscriptions.remove(id);
            }
        })
    }

    /// Starts a thread that polls by itself, at first at once. Does nothing if
    /// it runs already; after a stop it starts again.
    ///
    /// # Errors
    ///
    /// The system gives no thread; or this was called from inside a callback
    /// while another thread waits in `stop`.
    pub fn start(&self) -> io::Result<()> {
        self.shared.poller.start(&self.shared)
    }

    /// Asks the thread to poll now, or makes the next poll due at once where
    /// there is none. A hint, cheap, and safe to give at any time: what is at
    /// the source decides.
    pub fn wake(&self) {
        self.shared.signal.wake();
    }

    /// Stops the thread. Doing so twice, or without a thread, is fine.
    ///
    /// It waits for the poll under way, if there is one, and for nothing else:
    /// after it has returned, no callback is running, and none runs unless
    /// somebody asks anew for a poll, a rollback or a start. From inside a callback
    /// it only asks, and the change under way completes. So it does from inside a
    /// callback of another reloader, if the poll under way waits for that one: two
    /// reloaders whose callbacks stop each other do not wait for ever. In a forked
    /// child the thread does not exist, and is not waited for.
    pub fn stop(&self) {
        self.shared.poller.stop(&self.shared);
    }
}

// The engine's state is consistent before each call of code that may panic.
impl<T: RefUnwindSafe + Send + Sync + 'static> UnwindSafe for Reloader<T> {}
impl<T: RefUnwindSafe + Send + Sync + 'static> RefUnwindSafe for Reloader<T> {}

impl<T: Send + Sync + 'static> Drop for Reloader<T> {
    fn drop(&mut self) {
        #[cfg(all(unix, feature = "signal"))]
        if let Role::Lent(_) = self.role {
            return;
        }
        // Whoever asked for a poll and has not begun it does not begin any more.
        self.shared.signal.close();
        self.stop();
        #[cfg(feature = "notify")]
        self.shared.events.end();
        #[cfg(all(unix, feature = "signal"))]
        super::signals::end_all(&self.shared);
        #[cfg(all(target_os = "linux", feature = "systemd"))]
        self.shared.systemd.end_all();
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
