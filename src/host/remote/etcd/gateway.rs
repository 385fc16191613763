//! etcd's JSON gateway: one request to one member, and what its answer says. Numbers are
//! texts there, bytes are base64, and what is zero or empty is left out.

use base64::Engine;
use base64::prelude::BASE64_STANDARD as BASE64;
use serde_json::{Value, json};
use ureq::http::Request;
use ureq::{Agent, Body};

use super::super::super::std::format;
use super::super::super::std::prelude::rust_2024::*;
use super::super::super::std::sync::Arc;
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) cluster: u64,
    pub(super) term: u64,
    pub(super) revision: u64,
}

/// Keys at one moment.
pub(super) struct Range {
    pub(super) moment: Moment,
    /// How many there are, of which not all need be in `entries`.
    pub(super) count: usize,
    /// In byte order of the keys.
    pub(super) entries: Vec<(Vec<u8>, Vec<u8>)>,
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
#[derive(Clone)]
pub(super) struct Member {
    pub(super) agent: Agent,
    pub(super) url: Arc<str>,
    pub(super) token: Option<Secret<String>>,
}

impl Member {
    /// Reads whole keys, of at most `max` bytes together.
    pub(super) fn range(&self, keys: &Value, max: usize) -> Result<Range, Refused> {
        let mut request = keys.clone();
        request["limit"] = json!(MOST_KEYS + 1);
        let most = max.saturating_add(max / 2).saturating_add(OVERHEAD);
        let range = range_in(&self.ask("/v3/kv/range", &request, most, max)?)?;
        if range.count > MOST_KEYS {
            let message = format!("more than {MOST_KEYS} keys");
            return Err(NoAnswer::of(DetectErrorKind::TooLarge, message).into());
        }
        let bytes = range.entries.iter().map(|(_, value)| value.len());
        if bytes.sum::<usize>() > max {
            return Err(too_large(max).into());
        }
        Ok(range)
    }

    /// Asks how many keys there are, and for the name of one that has changed after a
    /// revision.
    pub(super) fn since(&self, keys: &Value, revision: u64) -> Result<Range, Refused> {
        let mut request = keys.clone();
        request["min_mod_revision"] = json!(revision.saturating_add(1).to_string());
        request["keys_only"] = json!(true);
        request["limit"] = json!(1);
        range_in(&self.ask("/v3/kv/range", &request, OVERHEAD, OVERHEAD)?)
    }

    /// Returns a token for a user.
    pub(super) fn log_in(
        &self,
        name: &str,
        password: &Secret<String>,
    ) -> Result<Secret<String>, Refused> {
        let request = json!({ "name": name, "password": password.expose() });
        let answer = self.ask("/v3/auth/authenticate", &request, OVERHEAD, OVERHEAD)?;
        match answer["token"].as_str() {
            Some(token) => Ok(Secret::new(token.into())),
            None => Err(not_etcd()),
        }
    }

    fn ask(&self, path: &str, request: &Value, most: usize, max: usize) -> Result<Value, Refused> {
        let (parts, body) = self.post(path, request)?.into_parts();
        let status = parts.status.as_u16();
        let bytes = read(&parts.headers, body, most, max)?;
        match (status, serde_json::from_slice(&bytes)) {
            (200, Ok(answer)) => Ok(answer),
            (200, Err(_)) => Err(not_etcd()),
            (_, Ok(error)) if error["message"].is_string() => Err(refused(&error)),
            _ => {
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
        let request = request.map_err(|error| in_words(&error.into()))?;
        self.agent.run(request).map_err(|error| in_words(&error))
    }
}

fn not_etcd() -> Refused {
    NoAnswer::other("the answer is not etcd's").into()
}

/// Returns a number of an answer. One that is zero is left out there.
pub(super) fn number(value: &Value) -> Option<u64> {
    match value {
        Value::Null => Some(0),
        Value::String(text) => text.parse().ok(),
        value => value.as_u64(),
    }
}

pub(super) fn moment(header: &Value) -> Option<Moment> {
    let moment = Moment {
        cluster: number(&header["cluster_id"])?,
        term: number(&header["raft_term"])?,
        revision: number(&header["revision"])?,
    };
    // A store begins with revision 1.
    (moment.revision > 0).then_some(moment)
}

fn range_in(answer: &Value) -> Result<Range, Refused> {
    let none = Vec::new();
    let keys = match &answer["kvs"] {
        Value::Null => &none,
        Value::Array(keys) => keys,
        _ => return Err(not_etcd()),
    };
    let entries: Option<Vec<_>> = keys.iter().map(entry_in).collect();
    let (moment, count) = (moment(&answer["header"]), number(&answer["count"]));
    let (Some(moment), Some(count), Some(mut entries)) = (moment, count, entries) else {
        return Err(not_etcd());
    };
    entries.sort();
    Ok(Range {
        moment,
        count: usize::try_from(count).unwrap_or(usize::MAX),
        entries,
    })
}

fn entry_in(entry: &Value) -> Option<(Vec<u8>, Vec<u8>)> {
    let bytes = |value: &Value| match value {
        Value::Null => Some(Vec::new()),
        value => BASE64.decode(value.as_str()?).ok(),
    };
    Some((bytes(&entry["key"])?, bytes(&entry["value"])?))
}

/// What an error of etcd's means. Its codes are gRPC's.
fn refused(error: &Value) -> Refused {
    let message = error["message"].as_str().unwrap_or_default();
    let says = |words| message.contains(words);
    let denied = |message| {
        let none = NoAnswer::of(DetectErrorKind::PermissionDenied, message);
        Refused::Everywhere(none)
    };
    match error["code"].as_u64() {
        _ if says("authentication is not enabled") => Refused::NoUsers,
        _ if says("authentication failed") => denied("etcd rejects the user or the password"),
        _ if says("user name is empty") => denied("etcd wants a user and a password"),
        _ if says("invalid auth token") || says("revision of auth store is old") => Refused::Token,
        Some(16) => Refused::Token,
        Some(7) => denied("the user may not read these keys"),
        _ => {
            let short: String = message.chars().take(200).collect();
            NoAnswer::other(format!("etcd says: {short}")).into()
        }
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

    #[test]
    fn g04_an_answer_that_is_not_etcds_is_none() {
        let header = json!({ "revision": "7", "raft_term": "2", "cluster_id": "1" });
        let good = json!({ "header": header, "count": "1",
            "kvs": [{ "key": "YQ==", "value": "Yg==" }] });
        let range = range_in(&good).ok().unwrap();
        assert_eq!(range.entries, [(b"a".to_vec(), b"b".to_vec())]);
        assert_eq!((range.count, range.moment.revision), (1, 7));
        for bad in [
            json!(null),
            json!([]),
            json!({}),
            json!({ "header": {} }),
            json!({ "header": { "revision": "-1" } }),
            json!({ "header": header, "kvs": {} }),
            json!({ "header": header, "kvs": [1] , "count": "x" }),
            json!({ "header": header, "kvs": [{ "key": "?" }] }),
            json!({ "header": header, "kvs": [{ "key": "YQ==", "value": 1 }] }),
        ] {
            assert!(range_in(&bad).is_err(), "{bad}");
        }
    }
}
