//! A detector that bytes are handed to.

use alloc::sync::Arc;

use core::time::Duration;

use super::detector::{Detector, Sighting};
use super::document::Document;
use super::error::{DetectError, DetectErrorKind};

/// A [`Detector`] that bytes are handed to: for tests, and for programs that get
/// their configuration by a way of their own.
///
/// ```
/// use core::time::Duration;
/// use steadyconf::engine::{Detector, ManualDetector, Sighting};
///
/// let mut flash = ManualDetector::new("flash");
/// assert!(flash.poll(Duration::ZERO).is_err(), "nothing was handed in yet");
/// flash.set(*b"a: 1");
/// assert!(matches!(flash.poll(Duration::ZERO), Ok(Sighting::Changed(_))));
/// assert_eq!(flash.poll(Duration::ZERO), Ok(Sighting::Unchanged));
/// ```
///
/// A `Reloader` takes its detector with it. To go on handing bytes in, share
/// it: `Arc<std::sync::Mutex<D>>` is a detector wherever `D` is one.
///
/// What is handed in is taken as it is, at the next poll: it is not held back
/// to settle, for whoever calls [`set`](Self::set) has it whole.
#[derive(Clone, Debug)]
pub struct ManualDetector {
    origin: Arc<str>,
    present: Result<Document, DetectError>,
    offered: Option<Document>,
}

impl ManualDetector {
    /// A detector whose bytes are known as `origin` in messages. Until some are
    /// handed in, there is nothing there.
    pub fn new(origin: impl Into<Arc<str>>) -> Self {
        let origin = origin.into();
        let nothing = "nothing was handed in yet";
        ManualDetector {
            present: Err(DetectError::new(
                DetectErrorKind::NotFound,
                origin.clone(),
                nothing,
            )),
            origin,
            offered: None,
        }
    }

    /// From now on this is what is there.
    pub fn set(&mut self, bytes: impl Into<Arc<[u8]>>) {
        self.set_document(Document::single(self.origin.clone(), bytes));
    }

    /// The same for several layers at once.
    pub fn set_document(&mut self, document: Document) {
        self.present = Ok(document);
    }

    /// From now on there is nothing to be read, for this reason.
    pub fn fail(&mut self, error: DetectError) {
        self.present = Err(error);
    }
}

impl Detector for ManualDetector {
    fn poll(&mut self, _now: Duration) -> Result<Sighting, DetectError> {
        let present = self.present.as_ref().map_err(DetectError::clone)?;
        if self.offered.as_ref() == Some(present) {
            return Ok(Sighting::Unchanged);
        }
        self.offered = Some(present.clone());
        Ok(Sighting::Changed(present.clone()))
    }
}
