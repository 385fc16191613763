//! The digest that people compare by eye or with `sha256sum`. Whether two
//! documents are equal is never decided by it: see `document.rs`.

use alloc::string::String;
use core::fmt::{self, Write as _};

/// The SHA-256 of a configuration's content, printed as `sha256:…`.
///
/// It is what `sha256sum` shows, so that an operator can tell from a log line
/// which file is active:
///
/// - one file: `sha256sum config.yaml`
/// - several: `sha256sum a.yaml b.yaml | cut -c-64 | sha256sum`, in order of
///   precedence, the lowest first.
///
/// ```
/// use steadyconf::engine::Digest;
///
/// let digest = Digest::of(b"abc");
/// assert_eq!(digest.short().to_string(), "sha256:ba7816bf8f01");
/// assert!(digest.to_string().starts_with("sha256:ba7816bf8f01cfea"));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Digest(hmac_sha256::Hash::hash(bytes))
    }

    /// The digest of several parts: that of their hexadecimal digests, each
    /// followed by a line feed. One part alone is its own digest.
    pub(crate) fn of_parts<'a>(mut parts: impl Iterator<Item = &'a [u8]>) -> Self {
        let first = parts.next().map(Digest::of);
        let second = parts.next().map(Digest::of);
        if let (Some(only), None) = (first, second) {
            return only;
        }
        let mut lines = String::new();
        let digests = first.into_iter().chain(second);
        for digest in digests.chain(parts.map(Digest::of)) {
            // Writing to a String cannot fail.
            let _ = writeln!(lines, "{}", Hex(&digest.0));
        }
        Digest::of(lines.as_bytes())
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first twelve hexadecimal digits, for log lines.
    #[must_use]
    pub fn short(&self) -> impl fmt::Display + use<> {
        ShortDigest(*self)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", Hex(&self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

struct ShortDigest(Digest);

impl fmt::Display for ShortDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", Hex(&self.0.0[..6]))
    }
}

pub(super) struct Hex<'a>(pub(super) &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn several_parts_are_the_digest_of_their_digests() {
        // printf a > a; printf b > b; sha256sum a b | cut -c-64 | sha256sum
        let digest = Digest::of_parts([&b"a"[..], b"b"].into_iter());
        assert_eq!(
            digest.to_string(),
            "sha256:bf75fafab8e46555836b92f1b04106b795a9ed36bd39b351f103b28819895f33"
        );
        let one = Digest::of_parts([&b"a"[..]].into_iter());
        assert_eq!(one, Digest::of(b"a"));
    }
}
