//! Asks the members of a cluster in turn, and watches its keys.

use core::time::Duration;

use serde_json::{Value, json};
use ureq::{Agent, Timeout};

use super::super::super::source::document;
use super::super::super::std::format;
use super::super::super::std::io::{self, Read};
use super::super::super::std::prelude::rust_2024::*;
use super::super::super::std::sync::Arc;
use super::super::super::std::time::Instant;
use super::super::watch::Watch;
use super::super::web::name_of;
use super::super::{Answer, Client, NoAnswer, Question};
use super::gateway::{Member, Moment, Range, Refused, Stamp, WatchAnswer, range_of};
use super::{EtcdSource, Keys};
use crate::Secret;
use crate::engine::{Language, Layer, is_blank};
use crate::report::DetectErrorKind;

/// How long who watches may not notice that it is to stop.
const NOTICE: Duration = Duration::from_secs(2);

/// The line of a watch that is longer than this tells of keys that have changed.
const LONGEST_LINE: usize = 1 << 16;

/// How long one connection is watched. One that is dead may look alive.
const LONGEST_WATCH: Duration = Duration::from_secs(60);

pub(super) struct EtcdClient {
    agents: Result<Agents, NoAnswer>,
    timeout: Duration,
    endpoints: Vec<Arc<str>>,
    /// Which of them answered last.
    at: usize,
    keys: Keys,
    range: Value,
    user: Option<(String, Secret<String>)>,
    login: Login,
    known: Option<Known>,
    may_be_missing: bool,
    language: Option<Language>,
}

struct Agents {
    asks: Agent,
    watches: Option<Agent>,
}

/// Whether etcd knows who asks.
enum Login {
    Needed,
    /// It does without users.
    NotNeeded,
    Token(Secret<String>),
}

/// What was read last.
struct Known {
    moment: Moment,
    stamps: Vec<Stamp>,
}

impl EtcdClient {
    pub(super) fn new(source: &EtcdSource) -> Self {
        let urls = source.endpoints.iter();
        EtcdClient {
            agents: Agents::new(source),
            timeout: source.options.timeout,
            endpoints: urls.map(|url| url.trim_end_matches('/').into()).collect(),
            at: 0,
            keys: source.keys.clone(),
            range: range_of(&source.keys),
            login: match source.user {
                Some(_) => Login::Needed,
                None => Login::NotNeeded,
            },
            user: source.user.clone(),
            known: None,
            may_be_missing: source.options.may_be_missing,
            language: source.options.language,
        }
    }

    fn token(&self) -> Option<Secret<String>> {
        match &self.login {
            Login::Token(token) => Some(token.clone()),
            _ => None,
        }
    }

    /// Asks one member. Logs in first, where that is needed.
    fn ask_at(&mut self, at: usize, question: &Question<'_>) -> Result<Answer, Refused> {
        let agents = self.agents.as_ref().map_err(Clone::clone)?;
        let mut member = Member {
            agent: agents.asks.clone(),
            url: self.endpoints[at].clone(),
            token: None,
            deadline: Instant::now().checked_add(self.timeout),
        };
        let is_first = matches!(self.login, Login::Needed);
        self.log_in(&mut member)?;
        match self.ask_member(&member, question) {
            Err(Refused::Token) if !is_first && self.user.is_some() => {
                self.login = Login::Needed;
                self.log_in(&mut member)?;
                self.ask_member(&member, question)
            }
            answer => answer,
        }
    }

    fn log_in(&mut self, member: &mut Member) -> Result<(), Refused> {
        if let (Login::Needed, Some((name, password))) = (&self.login, &self.user) {
            member.token = None;
            self.login = match member.log_in(name, password) {
                Ok(token) => Login::Token(token),
                Err(Refused::NoUsers) => Login::NotNeeded,
                Err(refused) => return Err(refused),
            };
        }
        member.token = self.token();
        Ok(())
    }

    fn ask_member(&mut self, member: &Member, question: &Question<'_>) -> Result<Answer, Refused> {
        if let Some(known) = self.known.as_ref().filter(|_| !question.all) {
            let is_still = known.is_still(&member.stamps(&self.range, &self.keys)?);
            if is_still && (!known.stamps.is_empty() || self.may_be_missing) {
                return Ok(Answer::Unchanged);
            }
        }
        let range = member.range(&self.range, &self.keys, question.max)?;
        let before = self.known.as_ref().map(|known| &known.stamps);
        let was_written = before != Some(&range.stamps);
        let entries = range.entries;
        self.known = Some(Known {
            moment: range.moment,
            stamps: range.stamps,
        });
        if entries.is_empty() && !self.may_be_missing {
            let message = match self.keys {
                Keys::One(_) => "there is no such key",
                Keys::Prefix(_) => "there is no key that begins so",
            };
            let none = NoAnswer::of(DetectErrorKind::NotFound, message);
            return Err(Refused::Everywhere(none));
        }
        Ok(Answer::Is {
            layers: self.layers(entries),
            was_written,
        })
    }

    fn layers(&self, entries: Vec<(Vec<u8>, Vec<u8>)>) -> Vec<Layer> {
        let is_one = matches!(self.keys, Keys::One(_));
        let optional = is_one && self.may_be_missing;
        let entries = entries.into_iter();
        let entries = entries.filter(|(_, value)| !optional || !is_blank(value));
        let layer = |(key, value): (Vec<u8>, Vec<u8>)| {
            let name = format!("etcd:{}", String::from_utf8_lossy(&key));
            document(name.into(), value, self.language, optional)
        };
        entries.map(layer).collect()
    }

    /// What a server says may repeat what it was asked with.
    fn without_secrets(&self, mut none: NoAnswer) -> NoAnswer {
        let password = self.user.as_ref().map(|(_, password)| password.clone());
        for secret in [password, self.token()].into_iter().flatten() {
            if !secret.expose().is_empty() && none.message.contains(secret.expose().as_str()) {
                none.message = none.message.replace(secret.expose(), "[redacted]");
            }
        }
        none
    }
}

impl Known {
    /// Whether all keys are the same, and none was written. A store that was restored may
    /// come to the same revision again, but its keys were written at others.
    fn is_still(&self, range: &Range) -> bool {
        let (now, then) = (range.moment, self.moment);
        range.stamps == self.stamps
            && now.revision >= then.revision
            && (now.cluster, now.term) == (then.cluster, then.term)
    }
}

impl Client for EtcdClient {
    fn ask(&mut self, question: &Question<'_>) -> Result<Answer, NoAnswer> {
        let mut failed: Vec<(Arc<str>, NoAnswer)> = Vec::new();
        for turn in 0..self.endpoints.len() {
            let at = (self.at + turn) % self.endpoints.len();
            let none = match self.ask_at(at, question) {
                Ok(answer) => {
                    self.at = at;
                    return Ok(answer);
                }
                Err(Refused::Here(none)) => none,
                Err(Refused::Everywhere(none)) => {
                    self.at = at;
                    if none.kind == DetectErrorKind::PermissionDenied && self.user.is_some() {
                        self.login = Login::Needed;
                    }
                    return Err(self.without_secrets(none));
                }
                Err(Refused::Token) if self.user.is_none() => {
                    let kind = DetectErrorKind::PermissionDenied;
                    return Err(NoAnswer::of(kind, "etcd wants a user and a password"));
                }
                Err(Refused::Token | Refused::NoUsers) => {
                    NoAnswer::other("etcd does not take the token that it gave")
                }
            };
            let none = self.without_secrets(none);
            // Whatever answers next may be another store.
            self.known = None;
            if self.user.is_some() {
                self.login = Login::Needed;
            }
            failed.push((self.endpoints[at].clone(), none));
            if !(question.is_wanted)() {
                break;
            }
        }
        Err(no_answer(&failed))
    }

    fn watch(&self) -> Option<Watch> {
        let agents = self.agents.as_ref().ok()?;
        let member = Member {
            agent: agents.watches.clone()?,
            url: self.endpoints[self.at].clone(),
            token: self.token(),
            deadline: None,
        };
        let known = self.known.as_ref()?.moment.revision;
        let mut range = self.range.clone();
        range["start_revision"] = json!(known.saturating_add(1).to_string());
        Some(Box::new(move |is_wanted| {
            loop {
                match watch_once(&member, &range, known, is_wanted) {
                    Told::Over if is_wanted() => {}
                    told => return told == Told::Change,
                }
            }
        }))
    }
}

/// Watches over one connection, until there is something to say of it.
fn watch_once(member: &Member, range: &Value, known: u64, is_wanted: &dyn Fn() -> bool) -> Told {
    let request = json!({ "create_request": range });
    match member.post("/v3/watch", &request) {
        Ok(answer) if answer.status() == 200 => {
            let mut reader = answer.into_body().into_reader();
            tells_of_change(&mut reader, known, is_wanted)
        }
        Ok(_) => Told::Nothing,
        // It may be gone, so it is asked at once.
        Err(_) => Told::Change,
    }
}

/// Returns one error for all members that failed.
fn no_answer(failed: &[(Arc<str>, NoAnswer)]) -> NoAnswer {
    match failed {
        [] => NoAnswer::other("no endpoint is given"),
        [(_, first), ..] => {
            let each = failed
                .iter()
                .map(|(url, none)| format!("{}: {}", name_of(url), none.message));
            let pauses = failed.iter().map(|(_, none)| none.retry_after);
            NoAnswer {
                kind: first.kind,
                message: each.collect::<Vec<_>>().join("; "),
                // As soon as one of them may be asked again.
                retry_after: pauses.map(Option::unwrap_or_default).min(),
            }
        }
    }
}

impl Agents {
    fn new(source: &EtcdSource) -> Result<Self, NoAnswer> {
        let timeout = source.options.timeout;
        let asks = source.options.agent(|config| config.max_redirects(0))?;
        let watches = source.watches.then(|| {
            source.options.agent(|config| {
                config
                    .timeout_resolve(Some(timeout))
                    .timeout_connect(Some(timeout))
                    .timeout_recv_response(Some(timeout))
                    .timeout_per_read(Some(NOTICE.min(timeout)))
                    .max_redirects(0)
            })
        });
        let watches = watches.transpose()?;
        Ok(Agents { asks, watches })
    }
}

/// What a watch told.
#[derive(Debug, PartialEq, Eq)]
enum Told {
    /// There is a change, or there may be one.
    Change,
    /// It has lasted long enough.
    Over,
    /// It cannot tell.
    Nothing,
}

/// Reads what a watch tells, line by line, until one of them tells of a change. A watch that
/// had begun and was cut off may have missed one.
fn tells_of_change(reader: &mut dyn Read, known: u64, is_wanted: &dyn Fn() -> bool) -> Told {
    let begun = Instant::now();
    let mut line = Vec::new();
    let mut buffer = [0; 4096];
    let mut cut_off = Told::Nothing;
    while is_wanted() {
        if begun.elapsed() > LONGEST_WATCH {
            return Told::Over;
        }
        let read = match reader.read(&mut buffer) {
            Ok(0) => return cut_off,
            Ok(read) => &buffer[..read],
            Err(error) if is_pause(&error) => continue,
            Err(_) => return cut_off,
        };
        for byte in read {
            match byte {
                b'\n' => match tells(&line, known) {
                    Tells::Nothing => {
                        line.clear();
                        cut_off = Told::Change;
                    }
                    Tells::Change => return Told::Change,
                    Tells::End => return Told::Nothing,
                },
                _ => line.push(*byte),
            }
        }
        if line.len() > LONGEST_LINE {
            return Told::Change;
        }
    }
    Told::Nothing
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
    let Ok(WatchAnswer { result }) = serde_json::from_slice(line) else {
        return Tells::End;
    };
    let is_compacted = result.compact_revision > 0;
    // A store that was restored would be silent until it comes to the revision that is known.
    let is_restored = (1..known).contains(&result.header.revision);
    match () {
        () if is_compacted || is_restored || !result.events.is_empty() => Tells::Change,
        () if result.canceled => Tells::End,
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
        let told = |mut text: &[u8]| tells_of_change(&mut text, 7, &wanted);
        assert_eq!(
            tells_of_change(&mut io::repeat(b'x'), 7, &wanted),
            Told::Change
        );
        assert_eq!(told(b""), Told::Nothing);
        assert_eq!(
            told(b"{\"result\":{}}\n{\"result\":{\"events\":[{}]}}\n"),
            Told::Change
        );
        // It had begun, and was cut off.
        assert_eq!(told(b"{\"result\":{}}\n"), Told::Change);
        assert_eq!(
            tells_of_change(&mut io::repeat(b'\n'), 7, &|| false),
            Told::Nothing
        );
    }
}
