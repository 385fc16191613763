//! Keys of etcd, as a program says them.

mod client;
mod gateway;

use core::fmt;
use core::time::Duration;

use super::super::source::{Of, Source};
use super::super::std::format;
use super::super::std::prelude::rust_2024::*;
use super::Remote;
use super::web::{Options, name_of};
use crate::Secret;
use crate::engine::Language;
use client::EtcdClient;

/// The members of an etcd cluster: [`Source::etcd`]. Say which keys are to be read.
#[must_use]
pub struct Etcd {
    endpoints: Vec<String>,
}

impl Etcd {
    pub(in super::super) fn new(endpoints: Vec<String>) -> Self {
        Etcd { endpoints }
    }

    /// Reads the document under this key. It has to be there and to hold a value.
    pub fn key(self, key: impl Into<String>) -> EtcdSource {
        EtcdSource::new(self.endpoints, Keys::One(key.into()))
    }

    /// Reads the documents under all keys that begin with `prefix`, each over the one before
    /// it, in byte order of the keys: `/app/10-pool.yaml`, then `/app/20-site.yaml`. There
    /// has to be one, and each has to hold a value: a store that was wiped must not look like
    /// "all defaults". More than 1000 keys are an error. `/app` also begins `/application`;
    /// `/app/` does not.
    pub fn prefix(self, prefix: impl Into<String>) -> EtcdSource {
        EtcdSource::new(self.endpoints, Keys::Prefix(prefix.into()))
    }
}

/// `Debug` leaves out what may hold secrets.
impl fmt::Debug for Etcd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Etcd")
            .field("endpoints", &names_of(&self.endpoints))
            .finish()
    }
}

fn names_of(endpoints: &[String]) -> Vec<String> {
    endpoints.iter().map(|url| name_of(url)).collect()
}

/// Which keys are read.
#[derive(Clone, Debug)]
enum Keys {
    One(String),
    Prefix(String),
}

impl Keys {
    /// Whether a key is one of them.
    fn has(&self, key: &[u8]) -> bool {
        match self {
            Keys::One(one) => key == one.as_bytes(),
            Keys::Prefix(prefix) => key.starts_with(prefix.as_bytes()),
        }
    }

    /// Returns what they are called in messages.
    fn name(&self) -> String {
        match self {
            Keys::One(key) => format!("etcd:{key}"),
            Keys::Prefix(prefix) => format!("etcd:{prefix}*"),
        }
    }
}

/// Keys of etcd, each a document: [`Source::etcd`].
///
/// They are read over etcd's JSON gateway (`/v3`, since etcd 3.4), all in one request and so
/// at one revision: of a transaction, all is seen or nothing. The language of a document is
/// that of the end of its key (`.json`, `.toml`; YAML if it ends in nothing that is known).
///
/// A thread of its own asks, until the reloader is dropped: at which revisions the keys were
/// written, and if anything about that is new, for all of them. A lower revision, another
/// cluster or another term of its leader (the store was restored), an error before, and
/// every 20th time: all are read again. What decides is the content: the same bytes again
/// are no change. A second thread watches the keys, as a hint to ask at once, and so does
/// the end of its connection; without it, a change is seen within the interval. It ends
/// within 2 s after the reloader is dropped. The first load waits for the first answer, and a reload waits for an answer
/// to a question of its own; polls take what the thread has read, and never wait.
///
/// Reads are linearizable: a member that is cut off from the majority does not answer. The
/// endpoints are tried in turn, beginning with the one that answered last, each for the
/// [`timeout`](EtcdSource::timeout). While none answers, the last content stays in force,
/// other sources go on to be read, and [`Status::stale`](crate::Status::stale) says so; they
/// are asked again after a second, then after pauses that grow from the interval (at most
/// 15 s) to 5 min, up to a quarter shorter by chance, and not before one of them allows it by
/// its `Retry-After` (at most an hour). That there is no key is an answer: it is asked again
/// after the interval.
/// Where there is no content yet, this is an error like that of a missing file.
///
/// Certificates are checked against the roots of Mozilla, or those of
/// [`ca_certificate`](EtcdSource::ca_certificate). A proxy is taken from `HTTPS_PROXY`,
/// `HTTP_PROXY` or `ALL_PROXY`. A forked child does not ask, and says so in `stale`.
///
/// At the log level `TRACE`, `ureq` shows all that goes over the wire, with tokens: keep its
/// targets `ureq` and `ureq_proto` off there.
#[must_use]
pub struct EtcdSource {
    endpoints: Vec<String>,
    keys: Keys,
    user: Option<(String, Secret<String>)>,
    watches: bool,
    options: Options,
}

impl EtcdSource {
    fn new(endpoints: Vec<String>, keys: Keys) -> Self {
        EtcdSource {
            endpoints,
            keys,
            user: None,
            watches: true,
            options: Options::new(),
        }
    }

    /// Lets there be no key, or a single one be blank, or etcd be out of reach at the start;
    /// then it says nothing.
    pub fn optional(mut self) -> Self {
        self.options.may_be_missing = true;
        self
    }

    /// Reads all of them as this language, whatever the keys end in.
    pub fn language(mut self, language: Language) -> Self {
        self.options.language = Some(language);
        self
    }

    /// Reads as this user. A line feed at the end of the password is left out. Where etcd
    /// does without users, they are not needed and not checked.
    pub fn user(mut self, name: impl Into<String>, password: Secret<String>) -> Self {
        let password = password.expose().trim_end_matches(['\r', '\n']).into();
        self.user = Some((name.into(), Secret::new(password)));
        self
    }

    /// Does not watch: a change is seen within the interval. With thousands of instances this
    /// spreads what they ask after a change over the interval.
    pub fn without_watch(mut self) -> Self {
        self.watches = false;
        self
    }

    /// How often to ask. Default 15 s, at least 10 ms. It is up to a tenth shorter by chance,
    /// and the first time up to nine tenths, so that many programs do not ask at once.
    pub fn every(mut self, interval: Duration) -> Self {
        self.options.every(interval);
        self
    }

    /// How long the answer of one endpoint may take, all of it. Default 5 s, at most an hour.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.options.timeout(timeout);
        self
    }

    /// Trusts the certificates of this PEM text, and no others.
    pub fn ca_certificate(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.options.ca(pem.into());
        self
    }

    /// Shows this certificate to etcd: its chain and its key, as PEM texts.
    pub fn client_certificate(mut self, chain: impl Into<Vec<u8>>, key: Secret<Vec<u8>>) -> Self {
        self.options.client(chain.into(), key);
        self
    }
}

impl From<EtcdSource> for Source {
    fn from(source: EtcdSource) -> Self {
        let name = source.keys.name().into();
        let client = EtcdClient::new(&source);
        let remote = Remote::new(name, "steadyconf-etcd", &source.options, client);
        Source(Of::Remote(remote))
    }
}

/// `Debug` leaves out what may hold secrets.
impl fmt::Debug for EtcdSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EtcdSource")
            .field("endpoints", &names_of(&self.endpoints))
            .field("keys", &self.keys)
            .finish_non_exhaustive()
    }
}
