//! A document that an HTTP server hands out: a source like a file, fetched on a thread of
//! its own, so that a poll never waits for the network. What is kept is the last content
//! that was there; how it is laid over the others is the detector's.

use core::fmt;
use core::time::Duration;

use ureq::Agent;
use ureq::http::header::{self, HeaderMap, HeaderName, HeaderValue};

use super::CATCH;
use super::logging;
use super::std::format;
use super::std::hash::{BuildHasher, Hasher, RandomState};
use super::std::io;
use super::std::mem;
use super::std::prelude::rust_2024::*;
use super::std::process;
use super::std::sync::Arc;
use super::std::thread;
use super::std::time::{Instant, SystemTime};
use super::sync::{Condvar, Mutex};
use crate::engine::{DetectError, DetectErrorKind, Jitter, Language, Layer, is_blank};
use crate::format::Secret;

/// How often a server is asked, if nothing else is said.
const INTERVAL: Duration = Duration::from_secs(15);

/// How long an answer may take, if nothing else is said.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The longest pause after failures, and the longest that a server may ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
const LONGEST_RETRY: Duration = Duration::from_secs(3600);

const SHORTEST_INTERVAL: Duration = Duration::from_millis(10);

const MOST_REDIRECTS: u32 = 5;

/// So often in a row, a server is asked only whether its document has changed.
const MOST_CONDITIONAL: u32 = 19;

/// A time of a change proves nothing until it is this old: HTTP tells seconds.
const YOUNG: Duration = Duration::from_secs(2);

/// A document behind a URL: [`Source::http`](crate::Source::http).
///
/// It is asked for on a thread of its own, until the reloader is dropped: with `If-None-Match` and `If-Modified-Since` if
/// the server gave an `ETag` or a `Last-Modified`, so that a document that has not changed
/// is not sent; a time that is younger than 2 s proves nothing and is not used, and every
/// 20th time the whole document is asked for. What decides is the content: the same bytes
/// again are no change. The first load waits for the first answer, and a reload waits for an
/// answer to a question of its own; polls take what the thread has fetched, and never wait.
///
/// An answer has to say how long it is: one that does not (as in HTTP/1.0) may be half of
/// one, and is refused. An answer that is whole counts as whole; what the server's own
/// author was in the middle of cannot be told.
///
/// While the server cannot be reached, or answers with an error, its last content stays in
/// force, other sources go on to be read, and
/// [`Status::stale`](crate::Status::stale) says so. It is asked again after growing pauses, up
/// to a quarter shorter by chance, and not before the time that a `Retry-After` says (at
/// most an hour). Where there is no content yet, this is an error like that of a missing
/// file.
///
/// Certificates are checked against the roots of Mozilla. At most five redirects are
/// followed, from `https` to `https` only; where a header was given, none is, for it would
/// be sent to whoever that is. A proxy is taken from `HTTPS_PROXY`, `HTTP_PROXY` or
/// `ALL_PROXY`. A forked child does not ask, and says so in `stale`.
#[must_use]
pub struct HttpSource {
    pub(super) url: String,
    pub(super) may_be_missing: bool,
    language: Option<Language>,
    headers: Vec<(String, Secret<String>)>,
    interval: Duration,
    timeout: Duration,
}

impl HttpSource {
    pub(super) fn new(url: String) -> Self {
        HttpSource {
            url,
            may_be_missing: false,
            language: None,
            headers: Vec::new(),
            interval: INTERVAL,
            timeout: TIMEOUT,
        }
    }

    /// Lets it be missing (404 or 410), blank, or out of reach at the start; then it says
    /// nothing.
    pub fn optional(mut self) -> Self {
        self.may_be_missing = true;
        self
    }

    /// Reads it as this language, whatever the path of the URL ends in.
    pub fn language(mut self, language: Language) -> Self {
        self.language = Some(language);
        self
    }

    /// Sends `Authorization: Bearer` with this token. White space around it, such as the
    /// line feed of a file, is left out.
    pub fn bearer(self, token: Secret<String>) -> Self {
        let value = format!("Bearer {}", token.expose().trim());
        self.header("Authorization", Secret::new(value))
    }

    /// Sends this header. Its value is shown nowhere.
    pub fn header(mut self, name: impl Into<String>, value: Secret<String>) -> Self {
        self.headers.push((name.into(), value));
        self
    }

    /// How often to ask. Default 15 s, up to a tenth shorter by chance, so that many
    /// programs do not ask all at once. At least 10 ms.
    pub fn every(mut self, interval: Duration) -> Self {
        self.interval = interval.max(SHORTEST_INTERVAL);
        self
    }

    /// How long an answer may take, all of it. Default 5 s, at most an hour.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout.min(LONGEST_RETRY);
        self
    }
}

/// `Debug` leaves out what may hold secrets.
impl fmt::Debug for HttpSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpSource")
            .field("url", &name_of(&self.url))
            .finish_non_exhaustive()
    }
}

/// Returns what a URL is called in messages: without user information, query and fragment,
/// which may be secrets. One that can be taken apart in two ways is not shown.
fn name_of(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return "a URL without `http://`".into();
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, after) = rest.split_at(end);
    let host = match authority.rsplit_once('@') {
        Some((_, host)) => host,
        // A password may hold what ends an authority.
        None if after.contains('@') && authority.contains(':') => return format!("{scheme}://…"),
        None => authority,
    };
    let path = &after[..after.find(['?', '#']).unwrap_or(after.len())];
    format!("{scheme}://{host}{path}")
}

/// A source, with what was fetched last.
pub(super) struct Remote {
    name: Arc<str>,
    source: HttpSource,
    agent: Agent,
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

/// What a server can be asked with whether its document has changed.
#[derive(Default)]
struct Validators {
    etag: Option<String>,
    modified: Option<String>,
    /// How often that was done since the whole document was sent.
    used: u32,
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

/// What an answer is.
enum Answer {
    Unchanged,
    Gone,
    New {
        bytes: Vec<u8>,
        validators: Validators,
    },
}

/// What is to be told of an answer, once.
enum News {
    Nothing,
    Fails(DetectError),
    Again,
}

/// Why there is none, and when to ask again at the soonest.
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
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Remote").field(&self.name).finish()
    }
}

impl Remote {
    pub(super) fn new(source: HttpSource) -> Arc<Self> {
        let config = Agent::config_builder()
            .timeout_global(Some(source.timeout))
            .max_redirects(match source.headers.is_empty() {
                true => MOST_REDIRECTS,
                false => 0,
            })
            .http_status_as_error(false)
            .https_only(source.url.starts_with("https://"))
            .user_agent("steadyconf")
            .build();
        Arc::new(Remote {
            name: name_of(&source.url).into(),
            agent: config.into(),
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
                jitter: Jitter(RandomState::new().build_hasher().finish()),
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
                if self.source.may_be_missing && is_blank(bytes) {
                    return Ok(None);
                }
                let layer = Layer::new(self.name.clone(), bytes.clone());
                let layer = match self.source.language {
                    Some(language) => layer.language(language),
                    None => layer,
                };
                Ok(Some(match self.source.may_be_missing {
                    true => layer.optional(),
                    false => layer,
                }))
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

    /// Asks once, and takes in what came of it.
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
        let headers = conditions(&mut state.content, anew);
        let max = state.max_bytes;
        drop(state);
        let mut answer = Err(NoAnswer::of(DetectErrorKind::Other, "the client panicked"));
        // The client starts threads of its own, and panics where there are none.
        let _ = CATCH(&mut || answer = self.ask(headers.clone(), max));
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
        let since = state.failing.as_ref().map(|failing| failing.since);
        let told = state.failing.as_ref().is_some_and(|failing| failing.told);
        let pause = state.failing.as_ref().map(|failing| failing.pause);
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
            since: since.unwrap_or_else(Instant::now),
            pause: pause.map_or(first, |pause| {
                pause.saturating_mul(2).min(LONGEST_PAUSE.max(first))
            }),
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

    fn ask(&self, headers: Vec<(&'static str, String)>, max: usize) -> Result<Answer, NoAnswer> {
        let is_conditional = !headers.is_empty();
        let mut request = self.agent.get(&self.source.url);
        for (name, value) in &self.source.headers {
            let may_be = HeaderName::from_bytes(name.as_bytes()).is_ok()
                && HeaderValue::from_str(value.expose()).is_ok();
            if !may_be {
                let message = format!("the header {name:?} has a character that none may have");
                return Err(NoAnswer::of(DetectErrorKind::Other, message));
            }
            request = request.header(name, value.expose());
        }
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let response = request.call().map_err(|error| in_words(&error))?;
        let (parts, mut body) = response.into_parts();
        match parts.status.as_u16() {
            200 => {}
            304 if is_conditional => return Ok(Answer::Unchanged),
            404 | 410 if self.source.may_be_missing => return Ok(Answer::Gone),
            status => return Err(refused(status, &parts.headers)),
        }
        let says = |name| parts.headers.contains_key(name);
        if !says(header::CONTENT_LENGTH) && !says(header::TRANSFER_ENCODING) {
            let message = "the answer does not say how long it is, so it may be half of one";
            return Err(NoAnswer::of(DetectErrorKind::Other, message));
        }
        let limit = (max as u64).saturating_add(1);
        let bytes = body.with_config().limit(limit).read_to_vec();
        let bytes = bytes.map_err(|error| match error {
            ureq::Error::BodyExceedsLimit(_) => too_large(max),
            error => in_words(&error),
        })?;
        if bytes.len() > max {
            return Err(too_large(max));
        }
        let validators = validators(&parts.headers);
        Ok(Answer::New { bytes, validators })
    }
}

/// Returns what can be asked with the next time. A document that was changed within the
/// last seconds may change again under the same time.
fn validators(headers: &HeaderMap) -> Validators {
    let text = |name| headers.get(name)?.to_str().ok().map(String::from);
    let time = |name| httpdate::parse_http_date(headers.get(name)?.to_str().ok()?).ok();
    let age = |modified: SystemTime| {
        let sent = time(header::DATE).unwrap_or_else(SystemTime::now);
        sent.duration_since(modified).unwrap_or_default()
    };
    match time(header::LAST_MODIFIED) {
        Some(modified) if age(modified) < YOUNG => Validators::default(),
        _ => Validators {
            etag: text(header::ETAG),
            modified: text(header::LAST_MODIFIED),
            used: 0,
        },
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

/// Returns the headers that ask for a document only if it has changed.
fn conditions(content: &mut Content, anew: bool) -> Vec<(&'static str, String)> {
    let mut headers = Vec::new();
    if let Content::Document { validators, .. } = content {
        if !anew && validators.used < MOST_CONDITIONAL {
            validators.used += 1;
            headers.extend(validators.etag.clone().map(|etag| ("If-None-Match", etag)));
            let modified = validators.modified.clone();
            headers.extend(modified.map(|time| ("If-Modified-Since", time)));
        }
    }
    headers
}

fn too_large(max: usize) -> NoAnswer {
    let message = format!("larger than the limit of {max} bytes");
    NoAnswer::of(DetectErrorKind::TooLarge, message)
}

fn refused(status: u16, headers: &HeaderMap) -> NoAnswer {
    let kind = match status {
        404 | 410 => DetectErrorKind::NotFound,
        401 | 403 => DetectErrorKind::PermissionDenied,
        _ => DetectErrorKind::Other,
    };
    NoAnswer {
        retry_after: retry_after(headers),
        ..NoAnswer::of(kind, format!("the server answered {status}"))
    }
}

/// `Retry-After` is a number of seconds or a date.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    match value.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => {
            let date = httpdate::parse_http_date(value).ok()?;
            date.duration_since(SystemTime::now()).ok()
        }
    }
}

/// What is said of an error. It may name the URL, so not all of them are said as they are.
fn in_words(error: &ureq::Error) -> NoAnswer {
    let message = match error {
        ureq::Error::Timeout(_) => "it did not answer in time".into(),
        ureq::Error::HostNotFound => "the host is not found".into(),
        ureq::Error::TooManyRedirects => "it redirects too often".into(),
        ureq::Error::BadUri(_) | ureq::Error::Http(_) => "that is no URL".into(),
        ureq::Error::Io(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            "the connection is refused".into()
        }
        ureq::Error::Io(error) => format!("the connection failed: {error}"),
        ureq::Error::ConnectionFailed => "the connection failed".into(),
        ureq::Error::Rustls(error) => format!("TLS: {error}"),
        ureq::Error::Tls(message) => format!("TLS: {message}"),
        ureq::Error::RequireHttpsOnly(_) => "it redirects from https to http".into(),
        ureq::Error::RedirectFailed => "it redirects to what is no URL".into(),
        ureq::Error::LargeResponseHeader(..) => "its headers are too large".into(),
        ureq::Error::InvalidProxyUrl | ureq::Error::ConnectProxyFailed(_) => {
            "the proxy cannot be used".into()
        }
        _ => "the answer is no HTTP".into(),
    };
    NoAnswer::of(DetectErrorKind::Other, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn g06_what_may_be_secret_in_a_url_is_not_its_name() {
        for (url, name) in [
            ("https://host/app.yaml", "https://host/app.yaml"),
            (
                "https://me:pw@host/app.yaml?token=1#x",
                "https://host/app.yaml",
            ),
            ("http://a@b@host:80", "http://host:80"),
            ("http://host/@/x", "http://host/@/x"),
            ("https://me:p#w@host/a", "https://…"),
            ("https://me:12/w@host/a", "https://…"),
            ("me:pw@host/a", "a URL without `http://`"),
        ] {
            assert_eq!(name_of(url), name);
        }
    }
}
