//! A detector that somebody else has a hold on, too.

use core::time::Duration;

use super::std::sync::{Arc, Mutex, PoisonError};
use crate::engine::{Detector, Sighting};
use crate::report::DetectError;

/// A detector that is shared, so that a program can go on telling it things
/// after a [`Reloader`](crate::Reloader) took it. A lock that was poisoned by a
/// panic is taken all the same: what was left is looked at anew.
///
/// ```
/// use std::sync::{Arc, Mutex};
/// use steadyconf::engine::ManualDetector;
/// use steadyconf::format::Yaml;
/// use steadyconf::Reloader;
///
/// let source = Arc::new(Mutex::new(ManualDetector::new("over the wire")));
/// source.lock().unwrap().set(*b"1");
/// let reloader = Reloader::<u32>::with_detector(source.clone(), Yaml::new()).load()?;
/// source.lock().unwrap().set(*b"2");
/// reloader.poll_once()?;
/// assert_eq!(*reloader.handle().load(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
impl<D: Detector> Detector for Arc<Mutex<D>> {
    fn poll(&mut self, now: Duration) -> Result<Sighting, DetectError> {
        let mut detector = self.lock().unwrap_or_else(PoisonError::into_inner);
        detector.poll(now)
    }

    fn refresh(&mut self) {
        let mut detector = self.lock().unwrap_or_else(PoisonError::into_inner);
        detector.refresh();
    }

    fn also_read(&mut self, names: &[Arc<str>]) {
        let mut detector = self.lock().unwrap_or_else(PoisonError::into_inner);
        detector.also_read(names);
    }
}
