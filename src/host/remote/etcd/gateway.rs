//! etcd's JSON gateway: one request to one member, and what its answer says. Numbers are
//! texts there, bytes are base64, and what is zero or empty is left out.

use base64::Engine;
use base64::prelude::BASE64_STANDARD as BASE64;
use serde::de::{DeserializeOwned, Error as _, IgnoredAny};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};
use ureq::http::Request;
use ureq::{Agent, Body};

use super::super::super::std::format;
use super::super::super::std::prelude::rust_2024::*;
use super::super::super::std::sync::Arc;
use super::super::super::std::time::Instant;
use super::super::NoAnswer;
use super::super::web::{self, in_words, read, too_large, with_header};
use super::Keys;
use crate::Secret;
use crate::report::DetectErrorKind;

/// More keys than this are an error.
const MOST_KEYS: usize = 1000;

/// What an answer may hold besides values: keys, revisions, punctuation.
const OVERHEAD: usize = 1 << 20;

/// Where an answer stands in the history of a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Moment {
    #[serde(rename = "cluster_id", deserialize_with = "number")]
    pub(super) cluster: u64,
    #[serde(rename = "raft_term", deserialize_with = "number")]
    pub(super) term: u64,
    #[serde(deserialize_with = "number")]
    pub(super) revision: u64,
}

/// When a key was written.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    key: Vec<u8>,
    created: u64,
    modified: u64,
    version: u64,
}

/// Keys at one moment, in byte order.
#[derive(Debug)]
pub(super) struct Range {
    pub(super) moment: Moment,
    pub(super) stamps: Vec<Stamp>,
    pub(super) entries: Vec<(Vec<u8>, Vec<u8>)>,
}

/// The answer to a question for keys.
#[derive(Default, Deserialize)]
#[serde(default)]
struct RangeAnswer {
    header: Moment,
    kvs: Vec<KeyValue>,
    more: bool,
    #[serde(deserialize_with = "number")]
    count: u64,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct KeyValue {
    key: String,
    #[serde(deserialize_with = "number")]
    create_revision: u64,
    #[serde(deserialize_with = "number")]
    mod_revision: u64,
    #[serde(deserialize_with = "number")]
    version: u64,
    value: String,
}

#[derive(Deserialize)]
struct LoginAnswer {
    token: String,
}

/// A line of the answer to a watch.
#[derive(Deserialize)]
pub(super) struct WatchAnswer {
    pub(super) result: WatchResult,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct WatchResult {
    pub(super) header: Moment,
    pub(super) canceled: bool,
    #[serde(deserialize_with = "number")]
    pub(super) compact_revision: u64,
    pub(super) events: Vec<IgnoredAny>,
}

/// An error of etcd's. Its codes are gRPC's.
#[derive(Deserialize)]
struct ErrorAnswer {
    message: String,
    #[serde(default)]
    code: u64,
}

/// Reads a number, which is a text, or a number.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Text(String),
        Number(u64),
    }
    match Written::deserialize(deserializer)? {
        Written::Text(text) => text.parse().map_err(D::Error::custom),
        Written::Number(number) => Ok(number),
    }
}

/// Why a member gave no answer.
pub(super) enum Refused {
    /// The token is not valid any more.
    Token,
    /// Users are not known here.
    NoUsers,
    /// Every other member would say the same.
    Everywhere(NoAnswer),
    Here(NoAnswer),
}

impl From<NoAnswer> for Refused {
    fn from(none: NoAnswer) -> Self {
        Refused::Here(none)
    }
}

/// What is asked for: a key, or a range of keys.
pub(super) fn range_of(keys: &Keys) -> Value {
    match keys {
        Keys::One(key) => json!({ "key": BASE64.encode(key) }),
        // etcd's own words for "from the first key" and "to the last one" are a zero byte.
        Keys::Prefix(prefix) => {
            let from: &[u8] = match prefix.is_empty() {
                true => b"\0",
                false => prefix.as_bytes(),
            };
            json!({ "key": BASE64.encode(from), "range_end": BASE64.encode(end_of(prefix)) })
        }
    }
}

/// Returns the first key after all that begin with `prefix`.
fn end_of(prefix: &str) -> Vec<u8> {
    let mut end = prefix.as_bytes().to_vec();
    while let Some(last) = end.pop() {
        if let Some(next) = last.checked_add(1) {
            end.push(next);
            return end;
        }
    }
    b"\0".to_vec()
}

/// One member, asked as one user.
pub(super) struct Member {
    pub(super) agent: Agent,
    pub(super) url: Arc<str>,
    pub(super) token: Option<Secret<String>>,
    /// When all of its answers have to be there.
    pub(super) deadline: Option<Instant>,
}

impl Member {
    /// Reads keys with their values, of at most `max` bytes together.
    pub(super) fn range(&self, range: &Value, keys: &Keys, max: usize) -> Result<Range, Refused> {
        let most = max.saturating_add(max / 2).saturating_add(OVERHEAD);
        let range = self.keys(range.clone(), keys, most, max)?;
        let bytes = range.entries.iter().map(|(_, value)| value.len());
        if bytes.sum::<usize>() > max {
            return Err(Refused::Everywhere(too_large(max)));
        }
        Ok(range)
    }

    /// Reads when the keys were written, without their values.
    pub(super) fn stamps(&self, range: &Value, keys: &Keys) -> Result<Range, Refused> {
        let mut request = range.clone();
        request["keys_only"] = json!(true);
        self.keys(request, keys, OVERHEAD, OVERHEAD)
    }

    fn keys(
        &self,
        mut request: Value,
        keys: &Keys,
        most: usize,
        max: usize,
    ) -> Result<Range, Refused> {
        request["limit"] = json!(MOST_KEYS + 1);
        let answer: RangeAnswer = self.ask("/v3/kv/range", &request, most, max)?;
        if answer.more || answer.kvs.len() > MOST_KEYS {
            let message = format!("more than {MOST_KEYS} keys");
            let none = NoAnswer::of(DetectErrorKind::TooLarge, message);
            return Err(Refused::Everywhere(none));
        }
        range_in(answer, keys).ok_or_else(not_etcd)
    }

    /// Returns a token for a user.
    pub(super) fn log_in(
        &self,
        name: &str,
        password: &Secret<String>,
    ) -> Result<Secret<String>, Refused> {
        let request = json!({ "name": name, "password": password.expose() });
        let path = "/v3/auth/authenticate";
        let answer: LoginAnswer = self.ask(path, &request, OVERHEAD, OVERHEAD)?;
        Ok(Secret::new(answer.token))
    }

    fn ask<A: DeserializeOwned>(
        &self,
        path: &str,
        request: &Value,
        most: usize,
        max: usize,
    ) -> Result<A, Refused> {
        let (parts, body) = self.post(path, request)?.into_parts();
        let status = parts.status.as_u16();
        let bytes = read(&parts.headers, body, most, max)?;
        if status == 200 {
            return serde_json::from_slice(&bytes).map_err(|_| not_etcd());
        }
        match serde_json::from_slice::<ErrorAnswer>(&bytes) {
            Ok(error) => Err(refused(&error, status)),
            Err(_) => {
                let mut none = web::refused(status, &parts.headers);
                none.message += "; is this etcd, 3.4 or later?";
                Err(none.into())
            }
        }
    }

    /// Sends a request. Its answer may have no end.
    pub(super) fn post(
        &self,
        path: &str,
        request: &Value,
    ) -> Result<ureq::http::Response<Body>, NoAnswer> {
        let mut head = Request::post(format!("{}{path}", self.url));
        head = head.header("Content-Type", "application/json");
        if let Some(token) = &self.token {
            head = with_header(head, "Authorization", token)?;
        }
        let request = head.body(request.to_string());
        let mut request = request.map_err(|error| in_words(&error.into()))?;
        if let Some(deadline) = self.deadline {
            let left = deadline.saturating_duration_since(Instant::now());
            let config = self.agent.configure_request(request);
            request = config.timeout_global(Some(left)).build();
        }
        self.agent.run(request).map_err(|error| in_words(&error))
    }
}

fn not_etcd() -> Refused {
    NoAnswer::other("the answer is not etcd's").into()
}

/// Returns what an answer holds, if it can be an answer to what was asked.
fn range_in(answer: RangeAnswer, keys: &Keys) -> Option<Range> {
    let count = answer.kvs.len() as u64;
    let mut range = Range {
        moment: answer.header,
        stamps: Vec::new(),
        entries: Vec::new(),
    };
    for one in answer.kvs {
        let key = BASE64.decode(one.key).ok()?;
        let value = BASE64.decode(one.value).ok()?;
        range.stamps.push(Stamp {
            key: key.clone(),
            created: one.create_revision,
            modified: one.mod_revision,
            version: one.version,
        });
        range.entries.push((key, value));
    }
    let are_asked_for = range.entries.iter().all(|(key, _)| keys.has(key));
    let mut pairs = range.entries.windows(2);
    let are_in_order = pairs.all(|pair| matches!(pair, [(a, _), (b, _)] if a < b));
    // A store begins with revision 1.
    let is_whole = count == answer.count && range.moment.revision > 0;
    (is_whole && are_asked_for && are_in_order).then_some(range)
}

/// What an error of etcd's means.
fn refused(error: &ErrorAnswer, status: u16) -> Refused {
    let message = &error.message;
    let says = |words| message.contains(words);
    let denied = |message| {
        let none = NoAnswer::of(DetectErrorKind::PermissionDenied, message);
        Refused::Everywhere(none)
    };
    match error.code {
        _ if says("authentication is not enabled") => Refused::NoUsers,
        _ if says("authentication failed") => denied("etcd rejects the user or the password"),
        _ if says("user name is empty") => Refused::Token,
        _ if says("invalid auth token") || says("revision of auth store is old") => Refused::Token,
        16 => Refused::Token,
        7 => denied("the user may not read these keys"),
        // Who else answers may repeat what it was asked with.
        _ if message.starts_with("etcdserver: ") => {
            let short: String = message.chars().take(200).collect();
            NoAnswer::other(format!("etcd says: {short}")).into()
        }
        code => NoAnswer::other(format!("etcd answered {status}, code {code}")).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_before_what_does_not_begin_with_it() {
        assert_eq!(end_of("/app/"), b"/app0");
        assert_eq!(end_of("a\u{7f}"), b"a\x80");
        assert_eq!(end_of(""), b"\0");
        // U+10FFFF is f4 8f bf bf.
        assert_eq!(end_of("\u{10ffff}"), b"\xf4\x8f\xbf\xc0");
    }

    fn read(answer: &Value) -> Option<Range> {
        let answer = serde_json::from_value(answer.clone()).ok()?;
        range_in(answer, &Keys::Prefix("a".into()))
    }

    #[test]
    fn g04_an_answer_that_is_not_etcds_is_none() {
        let header = json!({ "revision": "7", "raft_term": "2", "cluster_id": "1" });
        let (a, ab) = (
            json!({ "key": "YQ==", "value": "Yg==" }),
            json!({ "key": "YWI=" }),
        );
        let answer =
            |kvs: Value, count: &str| json!({ "header": header, "count": count, "kvs": kvs });
        let range = read(&answer(json!([a, ab]), "2")).unwrap();
        let entries = [(b"a".to_vec(), b"b".to_vec()), (b"ab".to_vec(), Vec::new())];
        assert_eq!(range.entries, entries);
        assert_eq!(range.moment.revision, 7);
        assert!(read(&json!({ "header": header })).is_some());
        for bad in [
            json!(null),
            json!({}),
            json!({ "header": {} }),
            json!({ "header": { "revision": "-1" } }),
            answer(json!({}), "0"),
            answer(json!([1]), "1"),
            answer(json!([{ "key": "?" }]), "1"),
            answer(json!([{ "key": "YQ==", "value": 1 }]), "1"),
            // Half of it, the same twice, in no order, or not asked for.
            answer(json!([a]), "2"),
            answer(json!([a, a]), "2"),
            answer(json!([ab, a]), "2"),
            answer(json!([{ "key": "Yg==" }]), "1"),
        ] {
            assert!(read(&bad).is_none(), "{bad}");
        }
    }
}
