//! One question to a server, and its answer: what is asked, what counts as an answer, and
//! what is said where there is none.

use core::time::Duration;

use ureq::Agent;
use ureq::http::header::{self, HeaderMap, HeaderName, HeaderValue};

use super::super::std::format;
use super::super::std::io;
use super::super::std::prelude::rust_2024::*;
use super::super::std::time::SystemTime;
use super::HttpSource;
use crate::engine::DetectErrorKind;
use crate::format::Secret;

const MOST_REDIRECTS: u32 = 5;

/// So often in a row, a server is asked only whether its document has changed.
const MOST_CONDITIONAL: u32 = 19;

/// A time of a change proves nothing until it is this old: HTTP tells seconds.
const YOUNG: Duration = Duration::from_secs(2);

/// Who is asked, and with what.
pub(super) struct Client {
    agent: Agent,
    url: String,
    headers: Vec<(String, Secret<String>)>,
    may_be_missing: bool,
}

/// What an answer is.
pub(super) enum Answer {
    Unchanged,
    Gone,
    New {
        bytes: Vec<u8>,
        validators: Validators,
    },
}

/// Why there is none, and when to ask again at the soonest.
pub(super) struct NoAnswer {
    pub(super) kind: DetectErrorKind,
    pub(super) message: String,
    pub(super) retry_after: Option<Duration>,
}

impl NoAnswer {
    pub(super) fn of(kind: DetectErrorKind, message: impl Into<String>) -> Self {
        NoAnswer {
            kind,
            message: message.into(),
            retry_after: None,
        }
    }
}

/// What a server can be asked with whether its document has changed.
#[derive(Default)]
pub(super) struct Validators {
    etag: Option<String>,
    modified: Option<String>,
    /// How often that was done since the whole document was sent.
    used: u32,
}

/// Headers that ask for a document only if it has changed.
pub(super) type Conditions = Vec<(&'static str, String)>;

impl Validators {
    /// Returns the headers for the next question. Now and then there are none, so that all
    /// of the document is sent.
    pub(super) fn conditions(&mut self) -> Conditions {
        let mut headers = Vec::new();
        if self.used < MOST_CONDITIONAL {
            self.used += 1;
            headers.extend(self.etag.clone().map(|etag| ("If-None-Match", etag)));
            let modified = self.modified.clone();
            headers.extend(modified.map(|time| ("If-Modified-Since", time)));
        }
        headers
    }
}

impl Client {
    pub(super) fn new(source: &HttpSource) -> Self {
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
        Client {
            agent: config.into(),
            url: source.url.clone(),
            headers: source.headers.clone(),
            may_be_missing: source.may_be_missing,
        }
    }

    /// Asks once, for a document of at most `max` bytes.
    pub(super) fn ask(&self, conditions: &Conditions, max: usize) -> Result<Answer, NoAnswer> {
        let is_conditional = !conditions.is_empty();
        let mut request = self.agent.get(&self.url);
        for (name, value) in &self.headers {
            let may_be = HeaderName::from_bytes(name.as_bytes()).is_ok()
                && HeaderValue::from_str(value.expose()).is_ok();
            if !may_be {
                let message = format!("the header {name:?} has a character that none may have");
                return Err(NoAnswer::of(DetectErrorKind::Other, message));
            }
            request = request.header(name, value.expose());
        }
        for (name, value) in conditions {
            request = request.header(*name, value);
        }
        let response = request.call().map_err(|error| in_words(&error))?;
        let (parts, mut body) = response.into_parts();
        match parts.status.as_u16() {
            200 => {}
            304 if is_conditional => return Ok(Answer::Unchanged),
            404 | 410 if self.may_be_missing => return Ok(Answer::Gone),
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
