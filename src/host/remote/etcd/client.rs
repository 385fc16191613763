//! Asks the members of a cluster in turn, and watches its keys.

use core::time::Duration;

use serde_json::{Value, json};
use ureq::{Agent, Timeout};

use super::super::super::source::document;
use super::super::super::std::format;
use super::super::super::std::io::{self, Read};
use super::super::super::std::prelude::rust_2024::*;
use super::super::super::std::sync::Arc;
use super::super::watch::Watch;
use super::super::web::name_of;
use super::super::{Answer, Client, NoAnswer};
use super::gateway::{Member, Moment, Range, Refused, moment, number, range_of};
use super::{EtcdSource, Keys};
use crate::Secret;
use crate::engine::{Language, Layer, is_blank};
use crate::report::DetectErrorKind;

/// So often in a row, etcd is asked only whether a key has changed.
const MOST_CONDITIONAL: u32 = 19;

/// How long who watches may not notice that it is to stop.
const NOTICE: Duration = Duration::from_secs(1);

/// The line of a watch that is longer than this tells of keys that have changed.
const LONGEST_LINE: usize = 1 << 16;

pub(super) struct EtcdClient {
    agents: Result<Agents, NoAnswer>,
    endpoints: Vec<Arc<str>>,
    /// Which of them answered last.
    at: usize,
    keys: Keys,
    range: Value,
    user: Option<(String, Secret<String>)>,
    token: Option<Secret<String>>,
    known: Option<Known>,
    may_be_missing: bool,
    language: Option<Language>,
}

struct Agents {
    asks: Agent,
    watches: Option<Agent>,
}

/// What was read last.
struct Known {
    moment: Moment,
    count: usize,
    /// How often only changes were asked for since.
    used: u32,
}

impl EtcdClient {
    pub(super) fn new(source: &EtcdSource) -> Self {
        let urls = source.endpoints.iter();
        EtcdClient {
            agents: Agents::new(source),
            endpoints: urls.map(|url| url.trim_end_matches('/').into()).collect(),
            at: 0,
            keys: source.keys.clone(),
            range: range_of(&source.keys),
            user: source.user.clone(),
            token: None,
            known: None,
            may_be_missing: source.options.may_be_missing,
            language: source.options.language,
        }
    }

    fn member(&self, at: usize) -> Result<Member, NoAnswer> {
        let agents = self.agents.as_ref().map_err(Clone::clone)?;
        Ok(Member {
            agent: agents.asks.clone(),
            url: self.endpoints[at].clone(),
            token: self.token.clone(),
        })
    }

    /// Asks one member. Logs in first, where that is needed.
    fn ask_at(&mut self, at: usize, all: bool, max: usize) -> Result<Answer, Refused> {
        let was_logged_in = self.token.is_some();
        let mut member = self.member(at)?;
        self.log_in(&mut member)?;
        match self.ask_member(&member, all, max) {
            Err(Refused::Token) if was_logged_in => {
                self.token = None;
                self.log_in(&mut member)?;
                self.ask_member(&member, all, max)
            }
            answer => answer,
        }
    }

    fn log_in(&mut self, member: &mut Member) -> Result<(), Refused> {
        if let (None, Some((name, password))) = (&self.token, &self.user) {
            member.token = None;
            match member.log_in(name, password) {
                Ok(token) => self.token = Some(token),
                Err(Refused::NoUsers) => {}
                Err(refused) => return Err(refused),
            }
        }
        member.token.clone_from(&self.token);
        Ok(())
    }

    fn ask_member(&mut self, member: &Member, all: bool, max: usize) -> Result<Answer, Refused> {
        if let Some(known) = &mut self.known
            && !all
            && known.used < MOST_CONDITIONAL
        {
            known.used += 1;
            if known.is_still(&member.since(&self.range, known.moment.revision)?) {
                return Ok(Answer::Unchanged);
            }
        }
        let range = member.range(&self.range, max)?;
        if range.entries.is_empty() && !self.may_be_missing {
            let message = match self.keys {
                Keys::One(_) => "there is no such key",
                Keys::Prefix(_) => "there is no key that begins so",
            };
            let none = NoAnswer::of(DetectErrorKind::NotFound, message);
            return Err(Refused::Everywhere(none));
        }
        self.known = Some(Known {
            moment: range.moment,
            count: range.count,
            used: 0,
        });
        Ok(Answer::Is(self.layers(range)))
    }

    fn layers(&self, range: Range) -> Vec<Layer> {
        let is_one = matches!(self.keys, Keys::One(_));
        let optional = is_one && self.may_be_missing;
        let entries = range.entries.into_iter();
        let entries = entries.filter(|(_, value)| !optional || !is_blank(value));
        let layer = |(key, value): (Vec<u8>, Vec<u8>)| {
            let name = format!("etcd:{}", String::from_utf8_lossy(&key));
            document(name.into(), value, self.language, optional)
        };
        entries.map(layer).collect()
    }
}

impl Known {
    /// Whether an answer to "what has changed since" says "nothing". In a store that was
    /// restored, revisions begin anew, and with another term of its leader.
    fn is_still(&self, range: &Range) -> bool {
        let (now, then) = (range.moment, self.moment);
        range.entries.is_empty()
            && range.count == self.count
            && now.revision >= then.revision
            && (now.cluster, now.term) == (then.cluster, then.term)
    }
}

impl Client for EtcdClient {
    fn ask(&mut self, all: bool, max: usize) -> Result<Answer, NoAnswer> {
        let mut failed: Vec<(&str, NoAnswer)> = Vec::new();
        let endpoints = self.endpoints.clone();
        for turn in 0..endpoints.len() {
            let at = (self.at + turn) % endpoints.len();
            let none = match self.ask_at(at, all, max) {
                Ok(answer) => {
                    self.at = at;
                    return Ok(answer);
                }
                Err(Refused::Here(none)) => none,
                Err(Refused::Everywhere(none)) => {
                    self.known = None;
                    return Err(none);
                }
                Err(Refused::Token | Refused::NoUsers) => {
                    NoAnswer::other("etcd does not take the token that it gave")
                }
            };
            // Whatever answers next may be another store.
            self.known = None;
            self.token = None;
            failed.push((&endpoints[at], none));
        }
        Err(no_answer(&failed))
    }

    fn watch(&self) -> Option<Watch> {
        let watches = self.agents.as_ref().ok()?.watches.as_ref()?;
        let member = Member {
            agent: watches.clone(),
            ..self.member(self.at).ok()?
        };
        let known = self.known.as_ref()?.moment.revision;
        let mut range = self.range.clone();
        range["start_revision"] = json!(known.saturating_add(1).to_string());
        Some(Box::new(move |is_wanted| {
            let request = json!({ "create_request": range });
            match member.post("/v3/watch", &request) {
                Ok(answer) if answer.status() == 200 => {
                    let mut reader = answer.into_body().into_reader();
                    tells_of_change(&mut reader, known, is_wanted)
                }
                _ => false,
            }
        }))
    }
}

/// Returns what is said where no member answers.
fn no_answer(failed: &[(&str, NoAnswer)]) -> NoAnswer {
    match failed {
        [] => NoAnswer::other("no endpoint is given"),
        [(_, first), ..] => {
            let each = failed
                .iter()
                .map(|(url, none)| format!("{}: {}", name_of(url), none.message));
            NoAnswer {
                message: each.collect::<Vec<_>>().join("; "),
                ..first.clone()
            }
        }
    }
}

impl Agents {
    fn new(source: &EtcdSource) -> Result<Self, NoAnswer> {
        let timeout = source.options.timeout;
        let asks = source
            .options
            .agent(|config| config.timeout_global(Some(timeout)).max_redirects(0))?;
        let watches = source.watches.then(|| {
            source.options.agent(|config| {
                config
                    .timeout_connect(Some(timeout))
                    .timeout_recv_response(Some(timeout))
                    .timeout_per_read(Some(NOTICE))
                    .max_redirects(0)
            })
        });
        let watches = watches.transpose()?;
        Ok(Agents { asks, watches })
    }
}

/// Reads what a watch tells, line by line, until one of them tells of a change.
fn tells_of_change(reader: &mut dyn Read, known: u64, is_wanted: &dyn Fn() -> bool) -> bool {
    let mut line = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let read = match reader.read(&mut buffer) {
            Ok(0) => return false,
            Ok(read) => &buffer[..read],
            Err(error) if is_pause(&error) && is_wanted() => continue,
            Err(_) => return false,
        };
        for byte in read {
            match byte {
                b'\n' => match tells(&line, known) {
                    Tells::Nothing => line.clear(),
                    Tells::Change => return true,
                    Tells::End => return false,
                },
                _ => line.push(*byte),
            }
        }
        if line.len() > LONGEST_LINE {
            return true;
        }
    }
}

fn is_pause(error: &io::Error) -> bool {
    let inner = error.get_ref().and_then(|error| error.downcast_ref());
    matches!(inner, Some(ureq::Error::Timeout(Timeout::PerRead)))
}

#[derive(Debug, PartialEq, Eq)]
enum Tells {
    Nothing,
    Change,
    End,
}

/// Returns what one line tells.
fn tells(line: &[u8], known: u64) -> Tells {
    let Ok(line) = serde_json::from_slice::<Value>(line) else {
        return Tells::End;
    };
    let result = &line["result"];
    let is_compacted = number(&result["compact_revision"]) > Some(0);
    // A store that was restored would be silent until it comes to the revision that is known.
    let is_restored = moment(&result["header"]).is_some_and(|now| now.revision < known);
    match () {
        () if is_compacted || is_restored || result["events"].is_array() => Tells::Change,
        () if result["canceled"] == true || !result.is_object() => Tells::End,
        () => Tells::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_a_watch_tells_of_a_change_or_its_end() {
        let header = r#""header":{"revision":"7"}"#;
        for (rest, tells_what) in [
            (r#","created":true"#, Tells::Nothing),
            (r#","events":[{}]"#, Tells::Change),
            (r#","canceled":true,"compact_revision":"9""#, Tells::Change),
            (r#","canceled":true,"cancel_reason":"no""#, Tells::End),
        ] {
            let line = format!("{{\"result\":{{{header}{rest}}}}}");
            assert_eq!(tells(line.as_bytes(), 7), tells_what, "{line}");
        }
        let restored = format!("{{\"result\":{{{header}}}}}");
        assert_eq!(tells(restored.as_bytes(), 8), Tells::Change);
        for line in [&b"{\"error\":{}}"[..], b"", b"\xff", b"[]"] {
            assert_eq!(tells(line, 7), Tells::End);
        }
    }

    #[test]
    fn g04_a_line_without_an_end_is_bounded() {
        let wanted = || true;
        assert!(tells_of_change(&mut io::repeat(b'x'), 7, &wanted));
        assert!(!tells_of_change(&mut io::empty(), 7, &wanted));
        let mut lines = &b"{\"result\":{}}\n{\"result\":{\"events\":[]}}\n"[..];
        assert!(tells_of_change(&mut lines, 7, &wanted));
    }
}
