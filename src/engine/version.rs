//! The number that a snapshot carries. What gives the numbers is `engine.rs`.

use core::fmt;

/// The number of a snapshot: 1 for the first, and only ever growing.
///
/// A number is given when a candidate is offered to the listeners and is never
/// used again, so a vetoed candidate leaves a gap. Two snapshots with the same
/// version, from the same engine, are the same snapshot.
///
/// ```
/// use steadyconf::Version;
///
/// assert!(Version::new(2) > Version::new(1));
/// assert_eq!(Version::new(2).to_string(), "v2");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(u64);

impl Version {
    /// Below every version that is ever given: what a program that has seen
    /// nothing yet compares with.
    pub const NONE: Version = Version(0);

    /// The version with this number, for instance one that an operator typed.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Version(number)
    }

    /// The plain number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The one after this. Saturates: at one change a nanosecond the numbers
    /// last 584 years.
    pub(crate) const fn next(self) -> Self {
        Version(self.0.saturating_add(1))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}", self.0)
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
