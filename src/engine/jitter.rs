//! Chance for pauses: which instance asks first must not be the same for all.

use core::time::Duration;

/// `SplitMix64` (Steele, Lea, Flood 2014): small, and good enough to spread pauses.
pub(crate) struct Jitter(pub(crate) u64);

impl Jitter {
    /// Anything from zero to less than `most`.
    pub(crate) fn up_to(&mut self, most: Duration) -> Duration {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        // The upper half of the product: a share of `most`, without a division.
        let share = u128::from(z).wrapping_mul(most.as_nanos()) >> 64;
        Duration::from_nanos(u64::try_from(share).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_spreads_over_the_whole_range_and_stays_inside() {
        let most = Duration::from_millis(250);
        let mut jitter = Jitter(7);
        let mut quarters = [0; 4];
        for _ in 0..1000 {
            let share = jitter.up_to(most);
            assert!(share < most);
            quarters[(share.as_micros() / 62_500) as usize] += 1;
        }
        assert!(
            quarters.iter().all(|n| (200..300).contains(n)),
            "{quarters:?}"
        );
        assert_eq!(jitter.up_to(Duration::ZERO), Duration::ZERO);
    }
}
