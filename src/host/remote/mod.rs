//! What a server hands out: a source like a file, fetched on a thread of its own, so that
//! no poll after the first waits for the network. It keeps the last content that was
//! there. How a server is asked is a [`Client`]'s to know; how layers are merged is not
//! known here.

#[cfg(feature = "etcd")]
mod etcd;
#[cfg(test)]
mod fleet;
#[cfg(feature = "http")]
mod http;
mod watch;
mod web;

use core::fmt;
use core::time::Duration;

#[cfg(feature = "etcd")]
pub use etcd::{Etcd, EtcdSource};
#[cfg(feature = "http")]
pub use http::HttpSource;

use super::CATCH;
use super::builder::chance;
use super::logging;
use super::std::mem;
use super::std::prelude::rust_2024::*;
use super::std::process;
use super::std::sync::Arc;
use super::std::thread;
use super::std::time::Instant;
use super::sync::{Condvar, Mutex, MutexGuard};
use crate::engine::{Layer, Pace};
use crate::report::{DetectError, DetectErrorKind};
use watch::{Hints, Watch};
use web::Options;

/// So often in a row, a server is asked only whether anything has changed.
const MOST_UNCHANGED: u32 = 19;

const NO_THREAD: &str = "there is no thread that asks; a forked child has none";

/// How one kind of server is asked.
trait Client: Send {
    /// Asks once.
    fn ask(&mut self, question: &Question<'_>) -> Result<Answer, NoAnswer>;

    /// Returns what waits for a change of the last answer, if the server can tell of one.
    fn watch(&self) -> Option<Watch>;
}

/// What a server is asked.
struct Question<'a> {
    /// All of it is asked for. Otherwise the server may say that nothing has changed since
    /// the last answer.
    all: bool,
    /// The most bytes that an answer may have.
    max: usize,
    /// Whether anybody still wants to know.
    #[cfg_attr(
        not(feature = "etcd"),
        allow(dead_code, reason = "one request is not broken off")
    )]
    is_wanted: &'a dyn Fn() -> bool,
}

/// What an answer is.
enum Answer {
    Unchanged,
    /// All that is there, and whether the server says that it was written since the last
    /// answer: the same bytes can be.
    Is {
        layers: Vec<Layer>,
        was_written: bool,
    },
}

/// Why there is no answer, and when to ask again at the soonest.
#[derive(Clone, Debug)]
struct NoAnswer {
    kind: DetectErrorKind,
    message: String,
    retry_after: Option<Duration>,
}

impl NoAnswer {
    fn of(kind: DetectErrorKind, message: impl Into<String>) -> Self {
        NoAnswer {
            kind,
            message: message.into(),
            retry_after: None,
        }
    }

    fn other(message: impl Into<String>) -> Self {
        NoAnswer::of(DetectErrorKind::Other, message)
    }
}

/// A source, with what was fetched last.
pub(super) struct Remote {
    name: Arc<str>,
    /// The name of the thread that asks.
    thread: &'static str,
    may_be_missing: bool,
    interval: Duration,
    /// One asks at a time, so that no older answer follows a newer one.
    client: Mutex<Box<dyn Client>>,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    max_bytes: usize,
    /// Until when the first load waits for the first answer.
    patience: Option<Instant>,
    /// What it held last. `None` until it was had for the first time.
    content: Option<Vec<Layer>>,
    /// Since when it fails, and why.
    failing: Option<Failing>,
    /// Grows whenever the content changes.
    revision: u64,
    /// When it is to be asked again.
    due: Option<Instant>,
    /// It is to be asked now, and for all of it.
    anew: bool,
    /// So often in a row, it said that nothing has changed.
    unchanged: u32,
    /// How many questions have begun, and which of them was answered last.
    begun: u64,
    answered: u64,
    hints: Hints,
    /// The process that the thread belongs to: a forked child has none.
    thread: Option<u32>,
    ended: bool,
    wake: Option<Box<dyn Fn() + Send>>,
    pace: Pace,
}

struct Failing {
    /// It was logged.
    told: bool,
    error: DetectError,
    since: Instant,
}

/// What a source shows at one moment.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) revision: u64,
    pub(super) layers: Result<Vec<Layer>, DetectError>,
}

/// What is to be logged of an answer, once.
enum News {
    Nothing,
    Fails(DetectError),
    Again,
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Remote").field(&self.name).finish()
    }
}

impl Remote {
    fn new(
        name: Arc<str>,
        thread: &'static str,
        options: &Options,
        client: impl Client + 'static,
    ) -> Arc<Self> {
        Arc::new(Remote {
            name,
            thread,
            may_be_missing: options.may_be_missing,
            interval: options.interval,
            client: Mutex::new(Box::new(client)),
            state: Mutex::new(State {
                max_bytes: usize::MAX,
                patience: None,
                content: None,
                failing: None,
                revision: 0,
                due: None,
                anew: false,
                unchanged: 0,
                begun: 0,
                answered: 0,
                hints: Hints::default(),
                thread: None,
                ended: false,
                wake: None,
                pace: Pace::new(options.interval, chance()),
            }),
            changed: Condvar::new(),
        })
    }

    pub(super) fn name(&self) -> &Arc<str> {
        &self.name
    }

    pub(super) fn max_bytes(&self, bytes: usize) {
        self.state.lock().max_bytes = bytes;
    }

    /// The first load waits at most so long for the first answer.
    pub(super) fn patience(&self, patience: Duration) {
        self.state.lock().patience = Instant::now().checked_add(patience);
    }

    /// Calls this whenever there is something new.
    pub(super) fn on_change(&self, wake: impl Fn() + Send + 'static) {
        self.state.lock().wake = Some(Box::new(wake));
    }

    /// Nobody asks any more.
    pub(super) fn end(&self) {
        let mut state = self.state.lock();
        state.ended = true;
        state.wake = None;
        drop(state);
        self.changed.notify_all();
    }

    /// Waits for the first answer.
    pub(super) fn first(self: &Arc<Self>) {
        self.start();
        let mut state = self.state.lock();
        if state.thread.is_none() && state.begun == 0 {
            // There is no thread to be had.
            drop(state);
            return self.fetch();
        }
        let patience = state.patience;
        self.wait_in(&mut state, 1, patience);
    }

    /// Returns what it shows now.
    pub(super) fn shows(self: &Arc<Self>) -> Shown {
        self.start();
        let state = self.state.lock();
        let layers = match (&state.content, &state.failing) {
            (Some(layers), _) => Ok(layers.clone()),
            (None, _) if self.may_be_missing => Ok(Vec::new()),
            (None, Some(failing)) => Err(failing.error.clone()),
            (None, None) => Err(self.error(web::TOO_LATE)),
        };
        Shown {
            revision: state.revision,
            layers,
        }
    }

    /// Has its thread ask for all of it, now. Returns what to wait for.
    pub(super) fn ask_anew(self: &Arc<Self>) -> u64 {
        self.start();
        let mut state = self.state.lock();
        state.anew = true;
        // A question that is under way was put before.
        let ticket = state.begun + 1;
        drop(state);
        self.changed.notify_all();
        ticket
    }

    /// Waits for the answer, at most for so long. Returns why it cannot be had.
    pub(super) fn wait(&self, ticket: u64, most: Duration) -> Option<DetectError> {
        let mut state = self.state.lock();
        self.wait_in(&mut state, ticket, Instant::now().checked_add(most));
        if let Some(failing) = &state.failing {
            return Some(failing.error.clone());
        }
        match state.answered < ticket && !state.ended {
            true if state.thread == Some(process::id()) => Some(self.error(web::TOO_LATE)),
            true => Some(self.error(NO_THREAD)),
            false => None,
        }
    }

    fn wait_in(&self, state: &mut MutexGuard<'_, State>, ticket: u64, deadline: Option<Instant>) {
        while state.answered < ticket && state.thread == Some(process::id()) && !state.ended {
            let left = deadline.map_or(Duration::MAX, |at| {
                at.saturating_duration_since(Instant::now())
            });
            if left.is_zero() {
                break;
            }
            self.changed.wait_for(state, left);
        }
    }

    fn error(&self, message: &str) -> DetectError {
        DetectError::new(DetectErrorKind::Other, self.name.clone(), message)
    }

    /// Returns since when its content is not current, and why.
    pub(super) fn stale(&self) -> Option<(Instant, DetectError)> {
        let state = self.state.lock();
        if let Some(failing) = &state.failing {
            return Some((failing.since, failing.error.clone()));
        }
        // Nobody asks any more: a forked child, or there was no thread to be had.
        let due = state.due.filter(|due| *due < Instant::now())?;
        let asks = state.thread == Some(process::id()) || state.ended;
        (!asks).then(|| (due, self.error(NO_THREAD)))
    }

    /// Starts the thread that asks, once.
    pub(super) fn start(self: &Arc<Self>) {
        let mut state = self.state.lock();
        // In a forked child, the locks and the connections are the parent's.
        if state.thread.is_some() || state.ended {
            return;
        }
        let theirs = self.clone();
        let named = thread::Builder::new().name(self.thread.into());
        // Without a thread it is tried again at the next poll.
        let started = named.spawn(move || run(&theirs));
        state.thread = started.ok().map(|_| process::id());
    }

    /// Asks once, and takes in the answer.
    fn fetch(&self) {
        let mut client = self.client.lock();
        let mut state = self.state.lock();
        let anew = mem::take(&mut state.anew);
        let is_due = state.due.is_none_or(|due| due <= Instant::now());
        if state.ended || !(anew || is_due) {
            // Somebody has asked meanwhile.
            return;
        }
        let hinted = state.hints.take_hint();
        state.begun += 1;
        let ticket = state.begun;
        let question = Question {
            all: anew || hinted || state.unchanged >= MOST_UNCHANGED,
            max: state.max_bytes,
            is_wanted: &|| !self.state.lock().ended,
        };
        drop(state);
        let mut answer = Err(NoAnswer::other("the client panicked"));
        // The client starts threads of its own, and panics where there are none.
        let _ = CATCH(&mut || answer = client.ask(&question));
        let mut state = self.state.lock();
        state.answered = ticket;
        if state.ended {
            return;
        }
        let news_for_hints = match &answer {
            // That there is nothing is an answer, too.
            Err(none) if none.kind == DetectErrorKind::NotFound => Some(false),
            Err(_) => None,
            Ok(Answer::Unchanged) => Some(false),
            Ok(Answer::Is { was_written, .. }) => Some(*was_written),
        };
        state.unchanged = match answer {
            Ok(Answer::Unchanged) => state.unchanged.saturating_add(1),
            _ => 0,
        };
        let retry_after = answer.as_ref().err().and_then(|none| none.retry_after);
        let before = state.revision;
        let news = match answer {
            Ok(answer) => self.take(&mut state, answer),
            Err(none) => self.fails(&mut state, none),
        };
        let is_new = state.revision != before;
        let pause = match news_for_hints {
            None => {
                state.hints.stop();
                state.pace.failed(retry_after)
            }
            Some(was_written) => {
                let hints = &mut state.hints;
                let is_new = is_new || was_written;
                hints.answered(hinted, is_new, self.interval, || client.watch());
                state.pace.answered()
            }
        };
        state.due = Instant::now().checked_add(pause);
        drop(state);
        drop(client);
        self.changed.notify_all();
        // A logger is not ours: it may ask for the status, or for a reload.
        match news {
            News::Nothing => {}
            News::Fails(error) => logging::remote_fails(&error),
            News::Again => logging::remote_again(&self.name),
        }
    }

    fn take(&self, state: &mut State, answer: Answer) -> News {
        // Where the bytes are the same, one copy of them is enough.
        let new = match answer {
            Answer::Is { layers, .. } => Some(layers),
            Answer::Unchanged => None,
        };
        if let Some(layers) = new.filter(|layers| state.content.as_ref() != Some(layers)) {
            state.content = Some(layers);
            state.revision += 1;
            if let Some(wake) = &state.wake {
                wake();
            }
        }
        match state.failing.take() {
            Some(Failing { told: true, .. }) => News::Again,
            _ => News::Nothing,
        }
    }

    fn fails(&self, state: &mut State, none: NoAnswer) -> News {
        let error = DetectError::new(none.kind, self.name.clone(), none.message);
        let before = state.failing.take();
        let told = before.as_ref().is_some_and(|failing| failing.told);
        // Where there is nothing to keep, the engine reports it.
        let goes_on = state.content.is_some() || self.may_be_missing;
        let news = match goes_on && !told {
            true => News::Fails(error.clone()),
            false => News::Nothing,
        };
        state.failing = Some(Failing {
            told: goes_on,
            error,
            since: before.map_or_else(Instant::now, |failing| failing.since),
        });
        news
    }
}

/// The thread that asks.
fn run(remote: &Arc<Remote>) {
    let mut watches = false;
    let mut state = remote.state.lock();
    while !state.ended {
        if state.hints.has_watch() && !watches {
            // Without a thread it is tried again after the next answer.
            watches = watch::start(remote);
        }
        let left = match state.due {
            Some(due) => due.saturating_duration_since(Instant::now()),
            None if state.begun == 0 => Duration::ZERO,
            None => Duration::MAX,
        };
        if !left.is_zero() && !state.anew {
            remote.changed.wait_for(&mut state, left);
            continue;
        }
        drop(state);
        // A panic of our own is a bug, and must not leave old content that looks current.
        if CATCH(&mut || remote.fetch()).is_err() {
            thread::sleep(Duration::from_secs(1));
        }
        state = remote.state.lock();
    }
}
