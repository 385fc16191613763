//! One question to an HTTP server, and its answer.

use core::time::Duration;

use ureq::http::header::{self, HeaderMap};
use ureq::http::{Request, Response};
use ureq::{Agent, Body};

use super::super::super::source::document;
use super::super::super::std::format;
use super::super::super::std::prelude::rust_2024::*;
use super::super::super::std::sync::Arc;
use super::super::super::std::time::{Instant, SystemTime};
use super::super::super::std::vec;
use super::super::watch::Watch;
use super::super::web::{in_words, read, refused, with_header};
use super::super::{Answer, Client, NoAnswer, Question};
use super::HttpSource;
use crate::Secret;
use crate::engine::{Language, is_blank};

const MOST_REDIRECTS: u32 = 5;

/// A time of a change proves nothing until it is this old: HTTP tells seconds.
const YOUNG: Duration = Duration::from_secs(2);

pub(super) struct HttpClient {
    name: Arc<str>,
    asker: Result<Asker, NoAnswer>,
    waiter: Option<(Asker, Duration)>,
    may_be_missing: bool,
    language: Option<Language>,
    validators: Validators,
}

/// Who is asked, and with what.
#[derive(Clone)]
struct Asker {
    agent: Agent,
    url: Arc<str>,
    headers: Arc<[(String, Secret<String>)]>,
}

/// What a server can be asked with whether its document has changed.
#[derive(Default)]
struct Validators {
    etag: Option<String>,
    modified: Option<String>,
    /// The document may change again under these: they prove nothing, and are for hints.
    is_young: bool,
}

/// Headers that ask for a document only if it has changed.
type Conditions = Vec<(&'static str, String)>;

impl HttpClient {
    pub(super) fn new(source: &HttpSource, name: &Arc<str>) -> Self {
        let asker = |timeout| Asker::new(source, timeout);
        let waiter = source.long_poll.and_then(|wait| {
            let timeout = wait.saturating_add(source.options.timeout);
            Some((asker(timeout).ok()?, wait))
        });
        HttpClient {
            name: name.clone(),
            asker: asker(source.options.timeout),
            waiter,
            may_be_missing: source.options.may_be_missing,
            language: source.options.language,
            validators: Validators::default(),
        }
    }
}

impl Client for HttpClient {
    fn ask(&mut self, question: &Question<'_>) -> Result<Answer, NoAnswer> {
        let asker = self.asker.as_ref().map_err(Clone::clone)?;
        let conditions = match question.all || self.validators.is_young {
            true => Vec::new(),
            false => self.validators.conditions(),
        };
        let (parts, body) = asker.ask(&conditions)?.into_parts();
        match parts.status.as_u16() {
            200 => {}
            304 if !conditions.is_empty() => return Ok(Answer::Unchanged),
            404 | 410 if self.may_be_missing => {
                self.validators = Validators::default();
                return Ok(Answer::Is {
                    layers: Vec::new(),
                    was_written: false,
                });
            }
            status => return Err(refused(status, &parts.headers)),
        }
        let bytes = read(&parts.headers, body, question.max, question.max)?;
        let validators = Validators::of(&parts.headers);
        let was_written = !validators.are_those_of(&self.validators);
        self.validators = validators;
        let says_something = !self.may_be_missing || !is_blank(&bytes);
        let layer = || document(self.name.clone(), bytes, self.language, self.may_be_missing);
        let layers = match says_something {
            true => vec![layer()],
            false => Vec::new(),
        };
        Ok(Answer::Is {
            layers,
            was_written,
        })
    }

    fn watch(&self) -> Option<Watch> {
        let (waiter, wait) = self.waiter.clone()?;
        let mut conditions = self.validators.conditions();
        if conditions.is_empty() {
            return None;
        }
        conditions.push(("Prefer", format!("wait={}", wait.as_secs())));
        Some(Box::new(move |is_wanted| {
            waiter.waits(&conditions, wait, is_wanted)
        }))
    }
}

impl Asker {
    fn new(source: &HttpSource, timeout: Duration) -> Result<Self, NoAnswer> {
        let agent = source.options.agent(|config| {
            let redirects = match source.headers.is_empty() {
                true => MOST_REDIRECTS,
                false => 0,
            };
            config
                .timeout_global(Some(timeout))
                .max_redirects(redirects)
                .https_only(source.url.starts_with("https://"))
        })?;
        Ok(Asker {
            agent,
            url: source.url.as_str().into(),
            headers: source.headers.clone().into(),
        })
    }

    fn ask(&self, conditions: &Conditions) -> Result<Response<Body>, NoAnswer> {
        let mut request = Request::get(&*self.url);
        for (name, value) in &*self.headers {
            request = with_header(request, name, value)?;
        }
        for (name, value) in conditions {
            request = request.header(*name, value);
        }
        let request = request.body(()).map_err(|error| in_words(&error.into()))?;
        self.agent.run(request).map_err(|error| in_words(&error))
    }

    /// Asks for a change and waits, again and again, for a server that does wait.
    fn waits(&self, conditions: &Conditions, wait: Duration, is_wanted: &dyn Fn() -> bool) -> bool {
        loop {
            let begun = Instant::now();
            let Ok(answer) = self.ask(conditions) else {
                return false;
            };
            match answer.status().as_u16() {
                304 if begun.elapsed() >= wait / 2 && is_wanted() => {}
                status => return matches!(status, 200 | 404 | 410),
            }
        }
    }
}

impl Validators {
    /// Returns the validators of an answer. A document that was changed within the last
    /// seconds may change again under the same time.
    fn of(headers: &HeaderMap) -> Validators {
        let text = |name| headers.get(name)?.to_str().ok().map(String::from);
        let time = |name| httpdate::parse_http_date(headers.get(name)?.to_str().ok()?).ok();
        let age = |modified: SystemTime| {
            let sent = time(header::DATE).unwrap_or_else(SystemTime::now);
            sent.duration_since(modified).unwrap_or_default()
        };
        Validators {
            etag: text(header::ETAG),
            modified: text(header::LAST_MODIFIED),
            is_young: time(header::LAST_MODIFIED).is_some_and(|time| age(time) < YOUNG),
        }
    }

    fn are_those_of(&self, other: &Validators) -> bool {
        (&self.etag, &self.modified) == (&other.etag, &other.modified)
    }

    fn conditions(&self) -> Conditions {
        let etag = self.etag.clone().map(|etag| ("If-None-Match", etag));
        let modified = self.modified.clone();
        let modified = modified.map(|time| ("If-Modified-Since", time));
        etag.into_iter().chain(modified).collect()
    }
}
