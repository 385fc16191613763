//! What every source on the network has in common: its options, TLS, a request with
//! headers, and what is said where there is no answer.

use core::time::Duration;

use ureq::config::ConfigBuilder;
use ureq::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use ureq::http::request::Builder as Request;
use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, parse_pem};
use ureq::typestate::AgentScope;
use ureq::{Agent, Body};

use super::super::std::format;
use super::super::std::io;
use super::super::std::prelude::rust_2024::*;
use super::super::std::time::SystemTime;
use super::NoAnswer;
use crate::Secret;
use crate::engine::Language;
use crate::report::DetectErrorKind;

/// How often a server is asked, if nothing else is said.
const INTERVAL: Duration = Duration::from_secs(15);

/// How long an answer may take, if nothing else is said.
const TIMEOUT: Duration = Duration::from_secs(5);

pub(super) const TOO_LATE: &str = "it did not answer in time";

const SHORTEST_INTERVAL: Duration = Duration::from_millis(10);

const LONGEST_TIMEOUT: Duration = Duration::from_secs(3600);

/// What is said of every source on the network.
pub(super) struct Options {
    pub(super) may_be_missing: bool,
    pub(super) language: Option<Language>,
    pub(super) interval: Duration,
    pub(super) timeout: Duration,
    ca: Option<Vec<u8>>,
    client: Option<(Vec<u8>, Secret<Vec<u8>>)>,
}

impl Options {
    pub(super) fn new() -> Self {
        Options {
            may_be_missing: false,
            language: None,
            interval: INTERVAL,
            timeout: TIMEOUT,
            ca: None,
            client: None,
        }
    }

    pub(super) fn every(&mut self, interval: Duration) {
        self.interval = interval.max(SHORTEST_INTERVAL);
    }

    pub(super) fn timeout(&mut self, timeout: Duration) {
        self.timeout = timeout.min(LONGEST_TIMEOUT);
    }

    pub(super) fn ca(&mut self, pem: Vec<u8>) {
        self.ca = Some(pem);
    }

    pub(super) fn client(&mut self, chain: Vec<u8>, key: Secret<Vec<u8>>) {
        self.client = Some((chain, key));
    }

    /// Returns what asks, configured further by `more`.
    pub(super) fn agent(
        &self,
        more: impl FnOnce(ConfigBuilder<AgentScope>) -> ConfigBuilder<AgentScope>,
    ) -> Result<Agent, NoAnswer> {
        let config = Agent::config_builder()
            .tls_config(self.tls()?)
            .http_status_as_error(false)
            .user_agent("steadyconf");
        Ok(more(config).build().into())
    }

    fn tls(&self) -> Result<TlsConfig, NoAnswer> {
        let mut tls = TlsConfig::builder();
        if let Some(pem) = &self.ca {
            tls = tls.root_certs(RootCerts::from(certificates("CA certificate", pem)?));
        }
        if let Some((chain, key)) = &self.client {
            let chain = certificates("client certificate", chain)?;
            let key = PrivateKey::from_pem(key.expose());
            let key = key.map_err(|_| no_pem("key of the client certificate"))?;
            tls = tls.client_cert(Some(ClientCert::new_with_certs(&chain, key)));
        }
        Ok(tls.build())
    }
}

/// Returns the certificates of a file, of which there has to be one.
fn certificates(what: &str, pem: &[u8]) -> Result<Vec<Certificate<'static>>, NoAnswer> {
    let mut found = Vec::new();
    for item in parse_pem(pem) {
        match item {
            Ok(PemItem::Certificate(certificate)) => found.push(certificate),
            Ok(_) => {}
            Err(_) => return Err(no_pem(what)),
        }
    }
    match found.is_empty() {
        true => Err(no_pem(what)),
        false => Ok(found),
    }
}

fn no_pem(what: &str) -> NoAnswer {
    NoAnswer::other(format!("the {what} is no PEM"))
}

/// Adds a header whose value may be a secret.
pub(super) fn with_header(
    request: Request,
    name: &str,
    value: &Secret<String>,
) -> Result<Request, NoAnswer> {
    let name_of = HeaderName::from_bytes(name.as_bytes());
    let value = HeaderValue::from_str(value.expose());
    match (name_of, value) {
        (Ok(name), Ok(value)) => Ok(request.header(name, value)),
        _ => {
            let message = format!("the header {name:?} has a character that none may have");
            Err(NoAnswer::other(message))
        }
    }
}

/// Returns a whole body of at most `most` bytes, of a document of at most `max`.
pub(super) fn read(
    headers: &HeaderMap,
    mut body: Body,
    most: usize,
    max: usize,
) -> Result<Vec<u8>, NoAnswer> {
    let says = |name| headers.contains_key(name);
    if !says(header::CONTENT_LENGTH) && !says(header::TRANSFER_ENCODING) {
        let message = "the answer does not say how long it is, so it may be half of one";
        return Err(NoAnswer::other(message));
    }
    let bytes = body.with_config().limit(most as u64).read_to_vec();
    bytes.map_err(|error| match error {
        ureq::Error::BodyExceedsLimit(_) => too_large(max),
        error => in_words(&error),
    })
}

pub(super) fn too_large(max: usize) -> NoAnswer {
    let message = format!("larger than the limit of {max} bytes");
    NoAnswer::of(DetectErrorKind::TooLarge, message)
}

pub(super) fn refused(status: u16, headers: &HeaderMap) -> NoAnswer {
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
pub(super) fn in_words(error: &ureq::Error) -> NoAnswer {
    let message = match error {
        ureq::Error::Timeout(_) => TOO_LATE.into(),
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
    NoAnswer::other(message)
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
        // A user or a password may hold what ends an authority.
        None if after.contains('@') => return format!("{scheme}://…"),
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
            ("http://host/@/x", "http://…"),
            ("https://c4na/ry@host", "https://…"),
            ("http:///me:c4nary@host", "http://…"),
            ("https://me:p#w@host/a", "https://…"),
            ("https://me:12/w@host/a", "https://…"),
            ("me:pw@host/a", "a URL without `http://`"),
        ] {
            assert_eq!(name_of(url), name);
        }
    }
}
