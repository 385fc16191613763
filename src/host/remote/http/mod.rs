//! A document behind a URL, as a program says it.

mod client;

use core::fmt;
use core::time::Duration;

use super::super::source::{Of, Source};
use super::super::std::format;
use super::super::std::prelude::rust_2024::*;
use super::Remote;
use super::web::{Options, name_of};
use crate::Secret;
use crate::engine::Language;
use client::HttpClient;

const LONGEST_WAIT: Duration = Duration::from_secs(300);

/// A document behind a URL: [`Source::http`].
///
/// It is asked for on a thread of its own, until the reloader is dropped: with
/// `If-None-Match` and `If-Modified-Since` if the server gave an `ETag` or a
/// `Last-Modified`, so that a document that has not changed is not sent; a time that is
/// younger than 2 s proves nothing and is not used, and every 20th time the whole document
/// is asked for. What decides is the content: the same bytes again are no change. The first
/// load waits for the first answer, and a reload waits for an answer to a question of its
/// own; polls take what the thread has fetched, and never wait.
///
/// An answer has to say how long it is: one that does not (as in HTTP/1.0) may be half of
/// one, and is rejected. An answer that is whole counts as whole; what the server's own
/// author was in the middle of cannot be told.
///
/// While the server cannot be reached, or answers with an error, its last content stays in
/// force, other sources go on to be read, and
/// [`Status::stale`](crate::Status::stale) says so. It is asked again after a second, then
/// after pauses that grow from the interval (at most 15 s) to 5 min, up to a quarter shorter
/// by chance, and not before the time that a `Retry-After` says (at most an hour). "Not
/// found" is an answer, and is asked again after the interval. Where there is no content
/// yet, this is an error like that of a missing file.
///
/// Certificates are checked against the roots of Mozilla, or those of
/// [`ca_certificate`](HttpSource::ca_certificate). At most five redirects are
/// followed, from `https` to `https` only; where a header was given, none is, for it would
/// be sent to another server. A proxy is taken from `HTTPS_PROXY`, `HTTP_PROXY` or
/// `ALL_PROXY`. A forked child does not ask, and says so in `stale`.
///
/// At the log level `TRACE`, `ureq` shows all that goes over the wire, with tokens: keep its
/// targets `ureq` and `ureq_proto` off there.
#[must_use]
pub struct HttpSource {
    url: String,
    headers: Vec<(String, Secret<String>)>,
    /// How long a server that can tell of a change is to wait for one.
    long_poll: Option<Duration>,
    options: Options,
}

impl HttpSource {
    pub(in super::super) fn new(url: String) -> Self {
        HttpSource {
            url,
            headers: Vec::new(),
            long_poll: None,
            options: Options::new(),
        }
    }

    /// Lets it be missing (404 or 410), blank, or out of reach at the start; then it says
    /// nothing.
    pub fn optional(mut self) -> Self {
        self.options.may_be_missing = true;
        self
    }

    /// Reads it as this language, whatever the path of the URL ends in.
    pub fn language(mut self, language: Language) -> Self {
        self.options.language = Some(language);
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

    /// How often to ask. Default 15 s, at least 10 ms. It is up to a tenth shorter by chance,
    /// and the first time up to nine tenths, so that many programs do not ask at once.
    pub fn every(mut self, interval: Duration) -> Self {
        self.options.every(interval);
        self
    }

    /// How long an answer may take, all of it. Default 5 s, at most an hour.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.options.timeout(timeout);
        self
    }

    /// Has a second thread ask with `Prefer: wait=` and this time (RFC 7240, section 4.3),
    /// at most 5 min, so that a server which knows it answers when the document changes.
    /// That answer is only a hint to ask at once. It needs an `ETag` or a `Last-Modified`,
    /// and a server that does not wait is asked so once in an interval. The thread may
    /// outlive the reloader by this time.
    pub fn long_poll(mut self, wait: Duration) -> Self {
        self.long_poll = Some(wait.min(LONGEST_WAIT)).filter(|wait| wait.as_secs() > 0);
        self
    }

    /// Trusts the certificates of this PEM text, and no others.
    pub fn ca_certificate(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.options.ca(pem.into());
        self
    }

    /// Shows this certificate to the server: its chain and its key, as PEM texts.
    pub fn client_certificate(mut self, chain: impl Into<Vec<u8>>, key: Secret<Vec<u8>>) -> Self {
        self.options.client(chain.into(), key);
        self
    }
}

impl From<HttpSource> for Source {
    fn from(source: HttpSource) -> Self {
        let name = name_of(&source.url).into();
        let client = HttpClient::new(&source, &name);
        let remote = Remote::new(name, "steadyconf-http", &source.options, client);
        Source(Of::Remote(remote))
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
