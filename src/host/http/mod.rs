//! A document that an HTTP server hands out: a source like a file, fetched on a thread of
//! its own, so that no poll after the first waits for the network. It keeps the last
//! content that was there; how layers are merged is not known here.

mod ask;
mod source;

use core::fmt;
use core::time::Duration;

use ask::{Answer, Client, NoAnswer, Validators};
pub use source::HttpSource;
use source::name_of;

use super::CATCH;
use super::builder::chance;
use super::logging;
use super::source::document;
use super::std::mem;
use super::std::prelude::rust_2024::*;
use super::std::process;
use super::std::sync::Arc;
use super::std::thread;
use super::std::time::Instant;
use super::sync::{Condvar, Mutex};
use crate::engine::{DetectError, DetectErrorKind, Jitter, Layer, Retry, is_blank};

/// The longest pause after failures, and the longest that a server may ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
const LONGEST_RETRY: Duration = Duration::from_secs(3600);

/// A source, with what was fetched last.
pub(super) struct Remote {
    name: Arc<str>,
    source: HttpSource,
    client: Client,
    /// One asks at a time, so that no older answer follows a newer one.
    asking: Mutex<()>,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    max_bytes: usize,
    content: Content,
    /// Since when it fails, and why.
    failing: Option<Failing>,
    /// Grows whenever the content, or that there is none, changes.
    revision: u64,
    /// When it is to be asked again.
    due: Option<Instant>,
    /// It is to be asked now, and for all of it.
    anew: bool,
    /// How many questions have begun, and which of them was answered last.
    begun: u64,
    answered: u64,
    /// The process that the thread belongs to: a forked child has none.
    thread: Option<u32>,
    ended: bool,
    wake: Option<Box<dyn Fn() + Send>>,
    jitter: Jitter,
}

enum Content {
    /// It was never asked.
    Unknown,
    /// It was never had, or is not there any more.
    Nothing,
    Document {
        bytes: Arc<[u8]>,
        validators: Validators,
    },
}

struct Failing {
    /// The log was told.
    told: bool,
    error: DetectError,
    since: Instant,
    pause: Duration,
}

/// What a source shows at one moment.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) revision: u64,
    pub(super) layer: Result<Option<Layer>, DetectError>,
}

/// What is to be told of an answer, once.
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
    pub(super) fn new(source: HttpSource) -> Arc<Self> {
        Arc::new(Remote {
            name: name_of(&source.url).into(),
            client: Client::new(&source),
            asking: Mutex::new(()),
            state: Mutex::new(State {
                max_bytes: usize::MAX,
                content: Content::Unknown,
                failing: None,
                revision: 0,
                due: None,
                anew: false,
                begun: 0,
                answered: 0,
                thread: None,
                ended: false,
                wake: None,
                jitter: Jitter(chance()),
            }),
            changed: Condvar::new(),
            source,
        })
    }

    pub(super) fn name(&self) -> &Arc<str> {
        &self.name
    }

    pub(super) fn max_bytes(&self, bytes: usize) {
        self.state.lock().max_bytes = bytes;
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

    /// Asks, and waits for the answer, if it was never asked.
    pub(super) fn first(&self) {
        if matches!(self.state.lock().content, Content::Unknown) {
            self.fetch();
        }
    }

    /// Returns what it shows now.
    pub(super) fn look(self: &Arc<Self>) -> Shown {
        self.start();
        let state = self.state.lock();
        Shown {
            revision: state.revision,
            layer: self.layer(&state),
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
        let deadline = Instant::now().checked_add(most);
        let mut state = self.state.lock();
        while state.answered < ticket && state.thread == Some(process::id()) && !state.ended {
            let left = deadline.map_or(Duration::MAX, |at| {
                at.saturating_duration_since(Instant::now())
            });
            if left.is_zero() {
                break;
            }
            self.changed.wait_for(&mut state, left);
        }
        drop(state);
        self.stale().map(|(_, error)| error)
    }

    fn layer(&self, state: &State) -> Result<Option<Layer>, DetectError> {
        match (&state.content, &state.failing) {
            (Content::Document { bytes, .. }, _) => {
                let (name, source) = (self.name.clone(), &self.source);
                let says_something = !source.may_be_missing || !is_blank(bytes);
                let layer =
                    || document(name, bytes.clone(), source.language, source.may_be_missing);
                Ok(says_something.then(layer))
            }
            (_, Some(failing)) if !self.source.may_be_missing => Err(failing.error.clone()),
            _ => Ok(None),
        }
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
        let error = || {
            let message = "there is no thread that asks; a forked child has none";
            DetectError::new(DetectErrorKind::Other, self.name.clone(), message)
        };
        (!asks).then(|| (due, error()))
    }

    /// Starts the thread that asks, once.
    fn start(self: &Arc<Self>) {
        let mut state = self.state.lock();
        // In a forked child, the locks and the connections are the parent's.
        if state.thread.is_some() || state.ended {
            return;
        }
        let theirs = self.clone();
        let named = thread::Builder::new().name("steadyconf-http".into());
        // Without a thread it is tried again at the next poll.
        let started = named.spawn(move || run(&theirs));
        state.thread = started.ok().map(|_| process::id());
    }

    /// Asks once, and takes in the answer.
    fn fetch(&self) {
        let asking = self.asking.lock();
        let mut state = self.state.lock();
        let anew = mem::take(&mut state.anew);
        let is_due = state.due.is_none_or(|due| due <= Instant::now());
        if state.ended || !(anew || is_due) {
            // Somebody has asked meanwhile.
            return;
        }
        state.begun += 1;
        let ticket = state.begun;
        let conditions = match &mut state.content {
            Content::Document { validators, .. } if !anew => validators.conditions(),
            _ => Vec::new(),
        };
        let max = state.max_bytes;
        drop(state);
        let mut answer = Err(NoAnswer::of(DetectErrorKind::Other, "the client panicked"));
        // The client starts threads of its own, and panics where there are none.
        let _ = CATCH(&mut || answer = self.client.ask(&conditions, max));
        let mut state = self.state.lock();
        state.answered = ticket;
        if state.ended {
            return;
        }
        let (news, retry_after) = match answer {
            Ok(answer) => (self.take(&mut state, answer), None),
            Err(none) => {
                let retry_after = none.retry_after;
                (self.fails(&mut state, none), retry_after)
            }
        };
        let pause = self.pause(&mut state);
        let pause = pause.max(retry_after.unwrap_or_default().min(LONGEST_RETRY));
        state.due = Instant::now().checked_add(pause);
        drop(state);
        drop(asking);
        self.changed.notify_all();
        // A logger is not ours: it may ask for the status, or for a reload.
        match news {
            News::Nothing => {}
            News::Fails(error) => logging::remote_fails(&error),
            News::Again => logging::remote_again(&self.name),
        }
    }

    fn take(&self, state: &mut State, answer: Answer) -> News {
        let is_new = match (&state.content, &answer) {
            (_, Answer::Unchanged) => false,
            (Content::Document { bytes, .. }, Answer::New { bytes: new, .. }) => **bytes != **new,
            (Content::Nothing, Answer::Gone) => false,
            _ => true,
        };
        match answer {
            Answer::Unchanged => {}
            Answer::Gone => state.content = Content::Nothing,
            Answer::New { bytes, validators } => {
                let bytes = match &state.content {
                    // One copy of the bytes is enough.
                    Content::Document { bytes, .. } if !is_new => bytes.clone(),
                    _ => bytes.into(),
                };
                state.content = Content::Document { bytes, validators };
            }
        }
        if is_new {
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
        let pause = before.as_ref().map(|failing| failing.pause);
        let first = self.source.interval.max(Duration::from_secs(1));
        if let Content::Unknown = state.content {
            state.content = Content::Nothing;
            state.revision += 1;
        }
        // Where there is nothing to keep, the engine tells of it.
        let goes_on =
            matches!(state.content, Content::Document { .. }) || self.source.may_be_missing;
        let news = match goes_on && !told {
            true => News::Fails(error.clone()),
            false => News::Nothing,
        };
        state.failing = Some(Failing {
            told: goes_on,
            error,
            since: before.map_or_else(Instant::now, |failing| failing.since),
            pause: Retry::next_pause(pause, first, LONGEST_PAUSE.max(first)),
        });
        news
    }

    /// Returns how long to wait before it is asked again.
    fn pause(&self, state: &mut State) -> Duration {
        let (pause, part) = match &state.failing {
            Some(failing) => (failing.pause, 4),
            None => (self.source.interval, 10),
        };
        pause.saturating_sub(state.jitter.up_to(pause / part))
    }
}

/// The thread that asks.
fn run(remote: &Remote) {
    let mut state = remote.state.lock();
    while !state.ended {
        let left = state.due.map_or(Duration::MAX, |due| {
            due.saturating_duration_since(Instant::now())
        });
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
