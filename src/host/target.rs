//! What a builder watches: files, or a detector of the user's own. A type tells which, so
//! that an option that cannot apply does not compile.

use core::fmt;

use super::file::FileDetector;
use super::std::prelude::rust_2024::*;
use crate::engine::{Detector, Limits};

/// What a [`Builder`](crate::Builder) watches: [`Files`] or a detector of your [`Own`].
pub trait Watched: sealed::Watched {}

impl Watched for Files {}
impl Watched for Own {}

/// Marks a [`Builder`](crate::Builder) that watches files, so that more of them can be added.
#[derive(Debug)]
pub struct Files(pub(super) FileDetector);

/// Marks a [`Builder`](crate::Builder) that watches a detector of your own. What is said of files does
/// not compile there.
///
/// ```compile_fail
/// # use steadyconf::{ManualDetector, Reloader, Yaml};
/// let builder = Reloader::<u32>::builder(ManualDetector::new("wire"), Yaml::new());
/// builder.then_file("more.yaml");
/// ```
///
/// ```compile_fail
/// # use steadyconf::{ManualDetector, Reloader, Yaml};
/// let builder = Reloader::<u32>::builder(ManualDetector::new("wire"), Yaml::new());
/// builder.settle(std::time::Duration::ZERO);
/// ```
pub struct Own(pub(super) Box<dyn Detector + Send>);

impl fmt::Debug for Own {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Own")
    }
}

mod sealed {
    use super::super::std::prelude::rust_2024::*;
    use super::super::std::sync::Arc;
    use super::{Detector, Files, Limits, Own};

    /// What is watched, and its name in messages.
    pub trait Watched {
        fn detector(self, limits: Limits) -> (Arc<str>, Box<dyn Detector + Send>);
    }

    impl Watched for Files {
        fn detector(self, limits: Limits) -> (Arc<str>, Box<dyn Detector + Send>) {
            let file = self.0.max_bytes(limits.bytes());
            (file.name(), Box::new(file))
        }
    }

    impl Watched for Own {
        fn detector(self, _: Limits) -> (Arc<str>, Box<dyn Detector + Send>) {
            ("the source".into(), self.0)
        }
    }
}
