//! A document behind a URL, as a program says it.

use core::fmt;
use core::time::Duration;

use super::super::std::format;
use super::super::std::prelude::rust_2024::*;
use crate::engine::Language;
use crate::format::Secret;

/// How often a server is asked, if nothing else is said.
const INTERVAL: Duration = Duration::from_secs(15);

/// How long an answer may take, if nothing else is said.
const TIMEOUT: Duration = Duration::from_secs(5);

const SHORTEST_INTERVAL: Duration = Duration::from_millis(10);

const LONGEST_TIMEOUT: Duration = Duration::from_secs(3600);

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
/// be sent to another server. A proxy is taken from `HTTPS_PROXY`, `HTTP_PROXY` or
/// `ALL_PROXY`. A forked child does not ask, and says so in `stale`.
#[must_use]
pub struct HttpSource {
    pub(super) url: String,
    pub(super) may_be_missing: bool,
    pub(super) language: Option<Language>,
    pub(super) headers: Vec<(String, Secret<String>)>,
    pub(super) interval: Duration,
    pub(super) timeout: Duration,
}

impl HttpSource {
    pub(in super::super) fn new(url: String) -> Self {
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
        self.timeout = timeout.min(LONGEST_TIMEOUT);
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
pub(super) fn name_of(url: &str) -> String {
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
