//! What a builder watches: files, or a detector of the user's own. A type tells which, so
//! that an option that cannot apply does not compile.

use core::fmt;

use super::file::FileDetector;
#[cfg(feature = "remote")]
use super::remote::Remote;
use super::std::prelude::rust_2024::*;
use super::std::sync::Arc;
use crate::engine::{Detector, Layer, Limits};

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
/// # use steadyconf::engine::ManualDetector;
/// # use steadyconf::format::Yaml;
/// # use steadyconf::Reloader;
/// let builder = Reloader::<u32>::with_detector(ManualDetector::new("wire"), Yaml::new());
/// builder.source(steadyconf::Source::file("more.yaml"));
/// ```
///
/// ```compile_fail
/// # use steadyconf::engine::ManualDetector;
/// # use steadyconf::format::Yaml;
/// # use steadyconf::Reloader;
/// let builder = Reloader::<u32>::with_detector(ManualDetector::new("wire"), Yaml::new());
/// builder.settle(std::time::Duration::ZERO);
/// ```
pub struct Own(pub(super) Box<dyn Detector + Send>);

impl fmt::Debug for Own {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Own")
    }
}

/// What becomes of it at the load.
pub(super) struct Plan {
    /// What is watched, for messages.
    pub(super) name: Arc<str>,
    pub(super) detector: Box<dyn Detector + Send>,
    /// What belongs to this process, and to the last known good, too.
    pub(super) fixed: Vec<Layer>,
    /// The sources that are watched, each with its position.
    pub(super) watched: Vec<(Arc<str>, u16)>,
    /// Those of them that are not files.
    #[cfg(feature = "remote")]
    pub(super) remotes: Vec<Arc<Remote>>,
}

mod sealed {
    use super::{Files, Limits, Own, Plan};
    use crate::host::std::prelude::rust_2024::*;

    pub trait Watched {
        #[allow(private_interfaces, reason = "nobody else can call it")]
        fn plan(self, limits: Limits) -> Plan;
    }

    impl Watched for Files {
        #[allow(private_interfaces, reason = "nobody else can call it")]
        fn plan(self, limits: Limits) -> Plan {
            #[cfg_attr(not(feature = "remote"), allow(unused_mut))]
            let mut file = self.0.max_bytes(limits.bytes());
            Plan {
                name: file.name(),
                fixed: file.fixed(),
                watched: file.watched(),
                #[cfg(feature = "remote")]
                remotes: file.shared_remotes(),
                detector: Box::new(file),
            }
        }
    }

    impl Watched for Own {
        #[allow(private_interfaces, reason = "nobody else can call it")]
        fn plan(self, _: Limits) -> Plan {
            Plan {
                name: "the source".into(),
                fixed: Vec::new(),
                watched: Vec::new(),
                #[cfg(feature = "remote")]
                remotes: Vec::new(),
                detector: self.0,
            }
        }
    }
}
