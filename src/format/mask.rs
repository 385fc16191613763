//! What must not be shown: secrets by their names and by their shape. What the
//! application adds is in the engine's `masks.rs`.

use alloc::string::String;
use alloc::vec::Vec;

pub(super) const REDACTED: &str = "[redacted]";

/// A name with one of these words in it is the name of a secret.
const SECRET_WORDS: &[&str] = &[
    "accesskey",
    "apikey",
    "authorization",
    "authtoken",
    "bearer",
    "clientsecret",
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
    "passphrase",
    "passwd",
    "password",
    "passwords",
    "privatekey",
    "pwd",
    "secret",
    "secretkey",
    "secrets",
    "token",
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

/// Returns whether a field of this name holds a secret: `openai_api_key`,
/// `slackToken`, `PKCS12-Password`. `max_tokens` is none.
pub(super) fn is_secret_name(name: &str) -> bool {
    let words = words(name);
    let is_one = |word: &String| SECRET_WORDS.contains(&word.as_str());
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
pub(super) fn has_user_information(text: &str) -> bool {
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
