//! What every public type promises by its traits: programs put them into statics, threads
//! and their own `Debug`.

use std::fmt::Debug;

use steadyconf::engine::{Digest, Document, Engine, Layer, Limits, ManualDetector};
use steadyconf::report::{DetectError, Diff, Event, Problem, Rejection, RollbackError};
use steadyconf::{Change, Outcome, Receipt, Report, Snapshot, Status, Version};

fn is_shared<T: Send + Sync + Debug>() {}
fn is_sent<T: Send + Debug>() {}
fn is_value<T: Clone + PartialEq + Send + Sync + Debug>() {}
fn is_error<T: std::error::Error + Send + Sync + 'static>() {}

#[test]
fn types_can_be_shared_sent_and_shown() {
    is_shared::<Snapshot<u32>>();
    is_shared::<Status>();
    is_shared::<Receipt>();
    is_shared::<Change<u32>>();
    is_shared::<Diff>();
    is_shared::<Event>();
    is_shared::<Rejection>();
    is_sent::<Engine<u32>>();
    is_sent::<ManualDetector>();
    is_value::<Outcome>();
    is_value::<Version>();
    is_value::<Digest>();
    is_value::<Document>();
    is_value::<Layer>();
    is_value::<Limits>();
    is_value::<Problem>();
    is_value::<Report>();
    is_error::<DetectError>();
    is_error::<RollbackError>();
}

#[cfg(feature = "std")]
#[test]
fn types_of_the_host_can_be_shared_sent_and_shown() {
    use steadyconf::handle::{Loaded, Part, Waited};
    use steadyconf::source::{FileDetector, Files};
    use steadyconf::{Builder, Handle, LoadError, Reader, Reloader, Source, Subscription};

    fn is_cloned<T: Clone + Send + Sync + Debug>() {}
    is_shared::<Reloader<u32>>();
    is_cloned::<Handle<u32>>();
    is_cloned::<Part<u32>>();
    is_shared::<Loaded<u32>>();
    is_sent::<Reader<u32>>();
    is_sent::<Waited<u32>>();
    is_sent::<Builder<u32, Files>>();
    is_sent::<Source>();
    is_sent::<FileDetector>();
    is_sent::<Subscription>();
    is_error::<LoadError>();
}
