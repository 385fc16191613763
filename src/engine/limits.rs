//! The bounds that keep a hostile or broken source from hurting the program.

/// How much is taken from a source and how much is said about it.
///
/// ```
/// use steadyconf::engine::Limits;
///
/// let limits = Limits::default().max_bytes(64 * 1024);
/// assert_eq!(limits.bytes(), 65_536);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    bytes: usize,
    values: usize,
    problems: usize,
}

impl Limits {
    /// Rejects a document of more bytes than this, all layers together.
    /// Default 1 MiB, the size that etcd and Kubernetes allow for one object.
    #[must_use]
    pub const fn max_bytes(mut self, bytes: usize) -> Self {
        self.bytes = bytes;
        self
    }

    /// Rejects a document of more values than this, keys included, all layers together
    /// and all that aliases stand for included. Default 84,000: a file of 1 MB in the
    /// form of the examples has fewer. What a value takes in memory is a hundred times
    /// the one or two bytes that can make one.
    #[must_use]
    pub const fn max_values(mut self, values: usize) -> Self {
        self.values = values;
        self
    }

    /// Keeps at most this many problems of one rejection and counts the rest.
    /// Default 32: what a person reads before mending the first.
    #[must_use]
    pub const fn max_problems(mut self, problems: usize) -> Self {
        self.problems = problems;
        self
    }

    /// The most bytes that a document may have.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// The most values and keys that a document may have.
    #[must_use]
    pub const fn values(&self) -> usize {
        self.values
    }

    /// The most problems that one rejection keeps.
    #[must_use]
    pub const fn problems(&self) -> usize {
        self.problems
    }
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            bytes: 1024 * 1024,
            values: 84_000,
            problems: 32,
        }
    }
}
