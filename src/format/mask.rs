//! What must not be shown: secrets by their type, their source, their name and their
//! shape. What the application adds is in the engine's `masks.rs`.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

use super::tree::{Id, Kind, Tag, Tree};

pub(super) const REDACTED: &str = "[redacted]";

/// What reading a type told of its tree.
#[derive(Debug, Default)]
pub(super) struct Hidden {
    /// Nodes whose types say that they are secrets, and the keys in them.
    nodes: BTreeSet<Id>,
    /// Keys that no field takes: each may be a misspelt secret.
    unknown_keys: BTreeSet<Id>,
    /// The fields that loosely named keys mean.
    fields: BTreeMap<Id, &'static str>,
}

impl Hidden {
    /// What is here may be a secret; what is inside says so itself.
    pub(super) fn add(&mut self, id: Id) {
        self.nodes.insert(id);
    }

    /// What is here is a secret, with every key in it.
    pub(super) fn add_whole(&mut self, tree: &Tree, id: Id) {
        self.nodes.insert(id);
        match tree.node(id).kind {
            Kind::Scalar(..) => {}
            Kind::List(items) => {
                let items = tree.children(items);
                items.iter().for_each(|item| self.add_whole(tree, *item));
            }
            Kind::Map(entries) => {
                for (key, value) in tree.entries(entries) {
                    self.nodes.insert(key);
                    self.add_whole(tree, value);
                }
            }
        }
    }

    pub(super) fn add_field(&mut self, key: Id, field: &'static str) {
        self.fields.insert(key, field);
    }

    /// Takes out the fields that loosely named keys mean.
    pub(super) fn take_fields(&mut self) -> BTreeMap<Id, &'static str> {
        core::mem::take(&mut self.fields)
    }

    pub(super) fn add_unknown_key(&mut self, key: Id) {
        self.unknown_keys.insert(key);
    }

    /// Returns whether a node must not be shown, whatever leads to it.
    pub(super) fn has(&self, tree: &Tree, id: Id) -> bool {
        let node = tree.node(id);
        // A mapping stands in the last of its layers, and its entries in theirs.
        let of_a_secret_layer = !matches!(node.kind, Kind::Map(_)) && tree.facts(id).is_secret;
        of_a_secret_layer
            || self.nodes.contains(&id)
            // A tag may be text that somebody forgot to put in quotes.
            || matches!(node.tag, Tag::Own(_)) && tree.scalar(id).is_some()
            || tree.scalar(id).is_some_and(has_user_information)
    }

    /// Returns whether a key hides what it leads to.
    pub(super) fn has_under(&self, tree: &Tree, key: Id) -> bool {
        let name = self.fields.get(&key).copied().or_else(|| tree.scalar(key));
        self.unknown_keys.contains(&key) || name.is_none_or(is_secret_name)
    }

    /// Returns how a key is written in a path.
    pub(super) fn segment(&self, tree: &Tree, key: Id) -> String {
        match tree.scalar(key) {
            _ if self.nodes.contains(&key) => REDACTED.into(),
            None => "…".into(),
            Some(text) if has_user_information(text) => REDACTED.into(),
            Some(text) if self.unknown_keys.contains(&key) => super::words::cut_key(text),
            Some(text) => text.into(),
        }
    }
}

/// A name with one of these words in it is the name of a secret.
const SECRET_WORDS: &[&str] = &[
    "accesskey",
    "apikey",
    "authorization",
    "bearer",
    "connectionstring",
    "connstr",
    "cookie",
    "cookies",
    "credential",
    "credentials",
    "dsn",
    "jwt",
    "key",
    "keys",
    "passcode",
    "passwords",
    "privatekey",
    "pwd",
    "secretkey",
    "secrets",
];

/// These words are only in sequence.
const SECRET_PHRASES: &[[&str; 2]] = &[
    ["access", "tokens"],
    ["api", "tokens"],
    ["auth", "tokens"],
    ["connection", "string"],
    ["connection", "url"],
    ["database", "url"],
    ["db", "url"],
];

/// A word that ends so names a secret, too: `PGPASSWORD`.
const SECRET_ENDS: &[&str] = &["passphrase", "passwd", "password", "secret", "token"];

/// Returns whether a field of this name holds a secret: `openai_api_key`,
/// `slackToken`, `PKCS12-Password`, `api_key2`. `max_tokens` is none.
fn is_secret_name(name: &str) -> bool {
    let words = words(name);
    let is_one = |word: &String| {
        let word = word.trim_end_matches(|c: char| c.is_ascii_digit());
        SECRET_WORDS.contains(&word) || SECRET_ENDS.iter().any(|end| word.ends_with(end))
    };
    let are_two = |pair: &[String]| {
        let is = |phrase: &&[&str; 2]| phrase.iter().eq(pair.iter());
        SECRET_PHRASES.iter().any(|phrase| is(&phrase))
    };
    words.iter().any(is_one) || words.windows(2).any(are_two)
}

/// Splits a name into words: at signs, and at the capitals of `camelCase`.
fn words(name: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut chars = name.chars().peekable();
    let mut before = ' ';
    while let Some(c) = chars.next() {
        let next_is_small = chars.peek().is_some_and(|next| next.is_lowercase());
        let begins =
            c.is_uppercase() && (before.is_lowercase() || before.is_ascii_digit() || next_is_small);
        if (begins || !c.is_alphanumeric()) && !word.is_empty() {
            words.push(core::mem::take(&mut word));
        }
        if c.is_alphanumeric() {
            word.extend(c.to_lowercase());
        }
        before = c;
    }
    words.extend((!word.is_empty()).then_some(word));
    words
}

const MAX_USER: usize = 256;

/// Returns whether a text holds a URL with a user in it: `https://user:word@host`.
fn has_user_information(text: &str) -> bool {
    text.match_indices("://").any(|(at, _)| {
        let rest = &text[at + 3..];
        let end = rest.find(['/', '?', '#', ' ', '"']).unwrap_or(rest.len());
        // A word with a slash in it is written raw by many, and read so by many. No user
        // is longer than this, and a text may hold many signs of a URL.
        let near = rest.bytes().take(MAX_USER).position(|byte| byte == b'@');
        rest[..end].contains('@') || near.is_some_and(|at| rest[..at].contains(':'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn g06_names_of_secrets_are_known_by_their_words() {
        for name in [
            "api_key",
            "openai_api_key",
            "apiKey",
            "APIKey",
            "x-api-key",
            "apikey",
            "pkcs12_password",
            "slack_token",
            "slackToken",
            "SLACK_TOKEN",
            "dsn",
            "sentry_dsn",
            "database_url",
            "databaseUrl",
            "connection_string",
            "credentials",
            "Authorization",
            "session-cookie",
            "aws.secret",
            "db_pwd",
            "api_key1",
            "PGPASSWORD",
            "accesstoken",
            "client_secret",
        ] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in [
            "",
            "max_tokens",
            "tokens",
            "tokenizer",
            "monkey",
            "keyboard",
            "url",
            "secretary",
            "passenger",
            "host",
            "api_url",
            "cookiejar",
        ] {
            assert!(!is_secret_name(name), "{name}");
        }
    }

    #[test]
    fn g06_a_url_with_a_user_in_it_is_a_secret() {
        for text in [
            "postgres://app:word@db/x",
            "https://token@host",
            "see amqp://a:b@c for more",
            "redis://:wo/rd@host",
        ] {
            assert!(has_user_information(text), "{text}");
        }
        for text in ["https://host/a@b", "me@host", "://", "http://host:80/", ""] {
            assert!(!has_user_information(text), "{text}");
        }
    }
}
