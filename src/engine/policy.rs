//! Every option of the engine, said once: the values, and the setters that an engine and
//! a host's builder share.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::time::Duration;

use super::active::Standing;
use super::admission::Admission;
use super::built::{Built, OfConfig};
use super::catch::{Catch, plain_call};
use super::document::Document;
use super::format::Format;
use super::history::DEFAULT_KEEP;
use super::jitter::Jitter;
use super::limits::Limits;
use super::listener::{BoxError, OnCommitError};
use super::listeners::Listeners;
use super::masks::Masks;
use super::notes::UnknownKeys;
use super::retry::{LONGEST_PAUSE, Retry};
use super::stagger::Stagger;
use super::trial::Trial;

/// How often the engine wants to poll, if nothing else is said.
const DEFAULT_INTERVAL: Duration = Duration::from_secs(1);

/// No poll is due sooner than this after the last one, so that a detector that asks for
/// the present moment again and again cannot make a loop spin.
pub(crate) const SHORTEST_PAUSE: Duration = Duration::from_millis(1);

/// What the application wants.
pub(crate) struct Policy<T> {
    pub(crate) admission: Admission<T>,
    pub(crate) listeners: Listeners<T>,
    pub(crate) on_commit_error: OnCommitError,
    pub(crate) probation: Option<Trial<T>>,
    /// How many snapshots to remember besides the active one.
    pub(crate) history: usize,
    pub(crate) interval: Duration,
    pub(crate) stagger: Option<Stagger>,
    pub(crate) jitter: Option<Jitter>,
    pub(crate) limits: Limits,
    pub(crate) unknown_keys: UnknownKeys,
    pub(crate) masks: Arc<Masks>,
    pub(crate) catch: Catch,
}

impl<T: 'static> Policy<T> {
    pub(crate) fn new(format: impl Format<T> + Send + 'static) -> Self {
        Policy {
            admission: Admission::new(format),
            listeners: Listeners::new(),
            on_commit_error: OnCommitError::default(),
            probation: None,
            history: DEFAULT_KEEP,
            interval: DEFAULT_INTERVAL,
            stagger: None,
            jitter: None,
            limits: Limits::default(),
            unknown_keys: UnknownKeys::default(),
            masks: Arc::default(),
            catch: plain_call,
        }
    }

    /// The same for what is built from every value that passes.
    pub(crate) fn build_from<S: 'static, E: Into<BoxError>>(
        self,
        build: impl FnMut(&T, Option<&S>, &Document) -> Result<S, E> + Send + 'static,
    ) -> Policy<Built<T, S>> {
        Policy {
            admission: self.admission.build_from(build),
            listeners: self.listeners.map(|one| Box::new(OfConfig(one)) as _),
            on_commit_error: self.on_commit_error,
            probation: self.probation.map(Trial::of_config),
            history: self.history,
            interval: self.interval,
            stagger: self.stagger,
            jitter: self.jitter,
            limits: self.limits,
            unknown_keys: self.unknown_keys,
            masks: self.masks,
            catch: self.catch,
        }
    }

    /// Returns how something new from the source stands.
    pub(crate) fn probation_begins(&self, now: Duration) -> Standing {
        let trial = self.probation.as_ref();
        trial.map_or(Standing::Proven, |trial| trial.begins(now))
    }

    /// Returns the first retry, or the one after `last`.
    pub(crate) fn retry_later(&mut self, last: Option<Retry>, now: Duration) -> Retry {
        let longest = LONGEST_PAUSE.max(self.interval);
        let first = self.interval.max(SHORTEST_PAUSE);
        self.retry_after(
            Retry::next_pause(last.map(|last| last.pause), first, longest),
            now,
        )
    }

    pub(crate) fn retry_after(&mut self, pause: Duration, now: Duration) -> Retry {
        let jitter = self.jitter.as_mut();
        let shorter = jitter.map_or(Duration::ZERO, |j| j.up_to(pause / 4));
        let at = now.saturating_add(pause.saturating_sub(shorter));
        Retry { at, pause }
    }
}

/// The setters of every type that has a `policy`, by topic.
macro_rules! options {
    (judging) => {
        /// Adds a normalizer, which may change the value after it was parsed and before it
        /// is validated: fill in what an agent inherits, make paths absolute, sort a list.
        ///
        /// Several run in order of registration. What one of them reports rejects the
        /// document, as what a validator reports does; then neither the normalizers after
        /// it nor the validators are called, for the value is not finished.
        ///
        /// The normalized value is the value: validators, [`skip_equal`](Self::skip_equal),
        /// `build`, listeners and readers see no other. What `origin` and `diff` say is of
        /// the document, as its sources have it. A start from the last known good
        /// normalizes, too, for that document is parsed anew. A rollback does not: it
        /// brings back a value that was normalized when it was new.
        ///
        /// It should depend on the value alone: a document that it rejects is not tried
        /// again until the source changes. A panic in it is a rejection where panics are
        /// caught. Said after `build`, it normalizes what was built.
        ///
        #[cfg_attr(feature = "reading", doc = "```")]
        #[cfg_attr(not(feature = "reading"), doc = "```ignore")]
        /// use core::time::Duration;
        /// use steadyconf::engine::{Document, Engine};
        /// use steadyconf::format::Yaml;
        ///
        /// #[derive(serde::Deserialize)]
        /// struct Config {
        ///     timeout_s: u32,
        ///     agent_timeout_s: Option<u32>,
        /// }
        ///
        /// let mut engine = Engine::new(Yaml::new()).normalize(|config: &mut Config, _| {
        ///     config.agent_timeout_s.get_or_insert(config.timeout_s);
        /// });
        /// engine.apply(Document::single("test", *b"timeout_s: 30"), Duration::ZERO);
        /// assert_eq!(engine.active().unwrap().agent_timeout_s, Some(30));
        /// ```
        pub fn normalize(
            mut self,
            change: impl Fn(&mut T, &mut $crate::Report) + Send + 'static,
        ) -> Self {
            self.policy.admission.checks.normalize(change);
            self
        }

        /// Adds a validator. All of them are called, at the first load and at every
        /// change, so that a rejection names every problem at once; whatever any of
        /// them reports rejects the document.
        pub fn validate(
            mut self,
            check: impl Fn(&T, &mut $crate::Report) + Send + 'static,
        ) -> Self {
            self.policy.admission.checks.validate(check);
            self
        }

        /// Adds a validator of the step from the active value to a new one: the old
        /// value, the new one, and the report. It is called after the others have
        /// found nothing, on every change, and so not for the first load. It is the
        /// place to reject, by name, what needs a restart: `report.add("server.port",
        /// "needs a restart")`. A rollback does not call it: that step was made before.
        pub fn validate_change(
            mut self,
            check: impl Fn(&T, &T, &mut $crate::Report) + Send + 'static,
        ) -> Self {
            self.policy.admission.checks.validate_change(check);
            self
        }

        /// Declares a field that takes effect only when the program starts, such as the
        /// address that it listens at: `select` returns it, and `path` names it. A change
        /// of it is rejected with this path, or applied, as `policy` says. The status
        /// says for which fields a restart is pending, and whether a start would succeed
        /// with what is at the source.
        ///
        /// A change that is rejected compares the field with that of the active snapshot;
        /// for what is applied, that of the first snapshot counts.
        ///
        /// ```
        /// # use steadyconf::engine::{Document, Engine, Format, Limits, Notes, OnRestart};
        /// # use steadyconf::Report;
        /// # struct Number;
        /// # impl Format<u32> for Number {
        /// #     fn parse(&self, d: &Document, _: &Limits, _: &mut Notes) -> Result<u32, Report> {
        /// #         Ok(d.layers()[0].bytes()[0].into())
        /// #     }
        /// # }
        /// # let now = core::time::Duration::ZERO;
        /// let mut engine = Engine::new(Number).restart_only("port", OnRestart::Reject, |port| port);
        /// engine.apply(Document::single("flash", *b"7"), now);
        /// engine.apply(Document::single("flash", *b"8"), now);
        /// assert_eq!(&*engine.status().pending_restart.unwrap().fields[0], "port");
        /// ```
        pub fn restart_only<P: PartialEq + 'static>(
            mut self,
            path: impl Into<alloc::sync::Arc<str>>,
            policy: $crate::engine::OnRestart,
            select: impl Fn(&T) -> &P + Send + 'static,
        ) -> Self {
            let differs = move |old: &T, new: &T| select(old) != select(new);
            let restart_only = &mut self.policy.admission.checks.restart_only;
            restart_only.add(path.into(), policy, differs);
            self
        }
    };
    (notifying) => {
        /// Adds a closure that is notified of every change, after readers see it. An
        /// error that it returns is reported; the change stays, and the others are
        /// notified, too. It is not called for the first load. It is known by the place
        /// of this call.
        #[track_caller]
        pub fn on_commit(
            self,
            f: impl FnMut(&$crate::Change<T>) -> Result<(), $crate::engine::BoxError> + Send + 'static,
        ) -> Self {
            let name = $crate::engine::place_name(core::panic::Location::caller());
            self.listener(name, f)
        }

        /// Adds a closure that is notified of a change, after readers see it, if the
        /// part that `select` returns differs: of the old part and the new one.
        #[track_caller]
        pub fn on_change_of<P: PartialEq + 'static>(
            self,
            select: impl Fn(&T) -> &P + Send + 'static,
            f: impl FnMut(&P, &P) -> Result<(), $crate::engine::BoxError> + Send + 'static,
        ) -> Self {
            let name = $crate::engine::place_name(core::panic::Location::caller());
            self.listener(name, $crate::engine::OnChangeOf { select, f })
        }

        /// Adds a closure that is notified of a change, after readers see it, once for each
        /// entry that was added to the map that `select` returns, removed from it, or
        /// changed in it, in the order of the keys: the services, tenants or pools that a
        /// program starts and stops one by one. An entry that is equal is passed over. A
        /// rollback is a change like any other, so it notifies of the reverse.
        ///
        /// It is not called for the first load: start those from the first snapshot. An
        /// error is reported, with those of the other entries, and these are notified
        /// all the same; after a panic they are not. Any collection will do that gives
        /// pairs of a key and a value when it is borrowed, such as `BTreeMap` and `HashMap`;
        /// if a key is in it twice, the last one counts.
        ///
        #[cfg_attr(feature = "reading", doc = "```")]
        #[cfg_attr(not(feature = "reading"), doc = "```ignore")]
        /// use std::collections::HashMap;
        /// use steadyconf::engine::Engine;
        /// use steadyconf::format::Yaml;
        /// use steadyconf::report::EntryChange;
        ///
        /// #[derive(serde::Deserialize)]
        /// struct Config {
        ///     services: HashMap<String, Service>,
        /// }
        ///
        /// #[derive(PartialEq, serde::Deserialize)]
        /// struct Service {
        ///     bind_addr: String,
        /// }
        ///
        /// let engine = Engine::<Config>::new(Yaml::new()).on_change_of_each(
        ///     |config| &config.services,
        ///     |name, change| {
        ///         match change {
        ///             EntryChange::Added(new) => println!("open {name} at {}", new.bind_addr),
        ///             EntryChange::Removed(_) => println!("close {name}"),
        ///             EntryChange::Changed { new, .. } => {
        ///                 println!("move {name} to {}", new.bind_addr);
        ///             }
        ///         }
        ///         Ok(())
        ///     },
        /// );
        /// ```
        #[track_caller]
        pub fn on_change_of_each<M, K, V>(
            self,
            select: impl Fn(&T) -> &M + Send + 'static,
            mut f: impl FnMut(&K, $crate::report::EntryChange<'_, V>) -> Result<(), $crate::engine::BoxError>
            + Send
            + 'static,
        ) -> Self
        where
            M: 'static,
            K: Ord + 'static,
            V: PartialEq + 'static,
            for<'a> &'a M: IntoIterator<Item = (&'a K, &'a V)>,
        {
            let name = $crate::engine::place_name(core::panic::Location::caller());
            self.listener(name, move |change: &$crate::Change<T>| {
                let (old, new) = (select(&change.old), select(&change.new));
                $crate::engine::notify_of_each(old, new, &mut f)
            })
        }

        /// Adds a listener, known as `name` in rejections, the status and the log; see
        /// [`Listener`](crate::Listener) for when it is called.
        pub fn listener(
            mut self,
            name: impl Into<alloc::sync::Arc<str>>,
            listener: impl $crate::Listener<T> + 'static,
        ) -> Self {
            let listener = alloc::boxed::Box::new(listener);
            self.policy.listeners.register(name.into(), listener);
            self
        }

        /// What to do if a listener fails to take an active snapshot into use.
        /// Default: report it and go on.
        pub fn on_commit_error(mut self, policy: $crate::engine::OnCommitError) -> Self {
            self.policy.on_commit_error = policy;
            self
        }
    };
    (keeping) => {
        /// Takes an edit that changes bytes but not the value (comments, order, white
        /// space) for no change: the status shows its digest, there is no new
        /// version, and no listener is called. Snapshots keep the digest of the bytes
        /// that they were made from. What was rolled back from stays quarantined, too,
        /// and what did well stays good.
        pub fn skip_equal(mut self) -> Self
        where
            T: PartialEq,
        {
            self.policy.admission.compare_by(T::eq);
            self
        }

        /// How many snapshots to remember besides the active one, to roll back to.
        /// Default 8. Each costs the memory of its value and of the bytes that it
        /// was read from, so at most that many times the size limit for the bytes. If
        /// one has to go, the newest that has proved itself goes last.
        pub fn history(mut self, keep: usize) -> Self {
            self.policy.history = keep;
            self
        }

        /// Puts everything that comes from the source on probation: for this long,
        /// `check` is called at every poll, and once more at the first poll after it.
        /// An error or a panic rolls back, to what has proved itself if there is such
        /// a snapshot, and quarantines what failed until the source changes. Off by
        /// default.
        ///
        /// Where there is nothing to go back to, as after the first load, or where a
        /// listener vetoes going back, what failed stays active and on probation,
        /// which the status shows.
        pub fn probation<E: Into<$crate::engine::BoxError>>(
            mut self,
            window: core::time::Duration,
            check: impl FnMut(&$crate::Snapshot<T>) -> Result<(), E> + Send + 'static,
        ) -> Self {
            self.policy.probation = Some($crate::engine::Trial::new(window, check));
            self
        }
    };
    (reading) => {
        /// How long to wait between polls if nothing is under way. Default 1 s.
        pub fn interval(mut self, interval: core::time::Duration) -> Self {
            self.policy.interval = interval;
            self
        }

        /// Applies new content not at once, but somewhere within `window`: when, depends on
        /// the content and on `instance`, which is another for each of many programs that
        /// watch the same content (a host or pod name). So of a whole fleet a few come
        /// first, and others each time; a bad change shows on these, and can be taken back
        /// before the rest has it. It needs no server. All have it after `window`, which
        /// begins when the source first shows something new.
        ///
        /// Until then a poll returns [`Outcome::Staggered`](crate::Outcome::Staggered), the
        /// status says so, and the content is not judged yet. Content that goes away
        /// meanwhile is never applied. The first load, a rollback, and what a reload or
        /// [`ask_again`](crate::engine::Engine::ask_again) asks for do not wait. Nor does content
        /// that the history remembers as good, so that a change can be taken back, and
        /// nothing waits while the last known good is active. Off by default.
        pub fn stagger(mut self, window: core::time::Duration, instance: impl AsRef<[u8]>) -> Self {
            let stagger = $crate::engine::Stagger::new(window, instance.as_ref());
            self.policy.stagger = Some(stagger);
            self
        }

        /// The bounds of a document; see [`Limits`](crate::engine::Limits).
        pub fn limits(mut self, limits: $crate::engine::Limits) -> Self {
            self.policy.limits = limits;
            self
        }

        /// What to do with keys that no field takes, where the format can tell.
        /// Default: warn, in the log and in the status.
        pub fn unknown_keys(mut self, policy: $crate::engine::UnknownKeys) -> Self {
            self.policy.unknown_keys = policy;
            self
        }

        /// Masks the fields at these paths, and all below them, wherever values are
        /// shown: in a [`Diff`](crate::report::Diff) and in errors. The syntax is that of the
        /// paths in errors: `providers[0].dsn`, `providers[*].dsn`, `["a.b"].pin`. `*`
        /// stands for one segment, `**` for any number; a name matches a whole segment,
        /// however it is capitalised and hyphenated.
        ///
        /// Masked without a pattern:
        /// - fields whose type is `Secret` or one of the `secrecy` crate;
        /// - all values of a source of secrets, such as a folder with a key per file;
        /// - fields whose name has a word such as key, token, secret, password, passwd,
        ///   pwd, dsn, credential, cookie or authorization: `openai_api_key`,
        ///   `slackToken`;
        /// - URLs with a user in them;
        /// - keys that no field takes: they may be misspelt secrets;
        /// - parts that `serde` reads as a whole before it looks into them (flattened
        ///   structs, enums that are untagged or tagged inside): their types do not say
        ///   what is secret;
        /// - any text of at least four characters that equals a masked one.
        ///
        /// # Panics
        ///
        /// If `pattern` can match nothing: it is empty, has an empty segment, an open
        /// bracket, or a `*` within a name.
        #[track_caller]
        pub fn mask(mut self, pattern: &str) -> Self {
            let masks = alloc::sync::Arc::make_mut(&mut self.policy.masks);
            let added = masks.add(pattern);
            assert!(
                added.is_some(),
                "mask(): `{pattern}` is no pattern of a path"
            );
            self
        }
    };
}

pub(crate) use options;
