//! When this instance applies new content, of many that see it at the same time: so that
//! what is bad about it shows on a few of them first.

use alloc::vec::Vec;
use core::time::Duration;

use super::digest::Digest;
use super::jitter::Jitter;

/// The window in which all instances apply new content, and which instance this is.
pub(crate) struct Stagger {
    window: Duration,
    instance: Vec<u8>,
}

impl Stagger {
    pub(crate) fn new(window: Duration, instance: &[u8]) -> Self {
        let instance = instance.to_vec();
        Stagger { window, instance }
    }

    pub(crate) const fn window(&self) -> Duration {
        self.window
    }

    /// Returns how long this instance waits before it applies this content: the same
    /// each time, another for each content, and spread evenly over instances.
    pub(crate) fn wait_for(&self, digest: Digest) -> Duration {
        let hash = hmac_sha256::HMAC::mac(digest.as_bytes(), &self.instance);
        let (seed, _) = hash.split_at(8);
        let seed = seed
            .iter()
            .fold(0, |seed, byte| seed << 8 | u64::from(*byte));
        Jitter(seed).up_to(self.window)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn instances_are_spread_evenly_and_anew_for_each_content() {
        let window = Duration::from_secs(100);
        let wait = |instance: u32, content: &[u8]| {
            let stagger = Stagger::new(window, format!("host-{instance}").as_bytes());
            stagger.wait_for(Digest::of(content))
        };
        let mut tenths = [0; 10];
        for instance in 0..1000 {
            tenths[(wait(instance, b"one").as_secs() / 10) as usize] += 1;
        }
        assert!(tenths.iter().all(|n| (70..130).contains(n)), "{tenths:?}");
        assert_eq!(wait(7, b"one"), wait(7, b"one"));
        // Not the same instance is first each time.
        let first = |content| (0..1000).min_by_key(|one| wait(*one, content));
        assert_ne!(first(b"one"), first(b"two"));
    }
}
