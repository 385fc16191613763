//! The contract of a [`Detector`], as a suite that any detector can be run
//! against. Behind the feature `testing`; needs no `std`.
//!
#![cfg_attr(feature = "std", doc = "```")]
#![cfg_attr(not(feature = "std"), doc = "```ignore")]
//! use std::sync::{Arc, Mutex};
//! use steadyconf::engine::ManualDetector;
//! use steadyconf::testing;
//!
//! testing::detector_contract(|| {
//!     let source = Arc::new(Mutex::new(ManualDetector::new("test")));
//!     let (writes, removes) = (source.clone(), source.clone());
//!     testing::Subject::new(source)
//!         .write(move |bytes| writes.lock().unwrap().set(bytes))
//!         .remove(move || {
//!             let kind = steadyconf::report::DetectErrorKind::NotFound;
//!             let gone = steadyconf::report::DetectError::new(kind, "test", "gone");
//!             removes.lock().unwrap().fail(gone);
//!         })
//! });
//! ```

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use crate::engine::{Detector, Sighting};
use crate::report::DetectError;

/// How long the suite lets a detector settle, in virtual time.
const PATIENCE: Duration = Duration::from_secs(600);

/// How far apart its polls are if the detector does not say otherwise.
const INTERVAL: Duration = Duration::from_secs(1);

type Write = Box<dyn FnMut(&[u8])>;
type Remove = Box<dyn FnMut()>;

/// A detector with what the suite needs to move its source.
pub struct Subject {
    detector: Box<dyn Detector>,
    write: Write,
    remove: Option<Remove>,
    now: Duration,
}

impl Subject {
    /// A detector on a source of its own, which is empty or missing at first.
    ///
    /// # Panics
    ///
    /// When the suite writes, if no way to [`write`](Subject::write) was given.
    pub fn new(detector: impl Detector + 'static) -> Self {
        Subject {
            detector: Box::new(detector),
            write: Box::new(|_| panic!("the subject was given no way to write")),
            remove: None,
            now: Duration::ZERO,
        }
    }

    /// How to make the source hold these bytes, whole, from now on. Needed.
    #[must_use]
    pub fn write(mut self, write: impl FnMut(&[u8]) + 'static) -> Self {
        self.write = Box::new(write);
        self
    }

    /// How to make the source unreadable until the next write. Leave it out for
    /// a source that cannot be.
    #[must_use]
    pub fn remove(mut self, remove: impl FnMut() + 'static) -> Self {
        self.remove = Some(Box::new(remove));
        self
    }

    /// Polls until the detector has made up its mind. Follows its deadlines, as
    /// the engine does.
    #[track_caller]
    fn poll(&mut self) -> Result<Option<Vec<u8>>, DetectError> {
        let give_up = self.now + PATIENCE;
        loop {
            let now = self.now;
            match self.detector.poll(now)? {
                Sighting::Settling { until } => {
                    assert!(until > now, "`until` lies ahead, or a loop would spin");
                    assert!(now < give_up, "content that holds still has to settle");
                    self.now = until.min(now + INTERVAL);
                }
                Sighting::Unchanged => {
                    self.now += INTERVAL;
                    return Ok(None);
                }
                Sighting::Changed(document) => {
                    self.now += INTERVAL;
                    let layers = document.layers().iter();
                    return Ok(Some(layers.flat_map(|l| l.bytes().to_vec()).collect()));
                }
            }
        }
    }

    #[track_caller]
    fn expect_offer(&mut self, bytes: &[u8], rule: &str) {
        match self.poll() {
            Ok(Some(offered)) => assert!(offered == bytes, "{rule}: other bytes were offered"),
            Ok(None) => panic!("{rule}: it said Unchanged"),
            Err(error) => panic!("{rule}: {error}"),
        }
    }

    #[track_caller]
    fn expect_quiet(&mut self, polls: usize, rule: &str) {
        for _ in 0..polls {
            match self.poll() {
                Ok(None) => {}
                Ok(Some(_)) => panic!("{rule}: it offered something"),
                Err(error) => panic!("{rule}: {error}"),
            }
        }
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subject")
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
}

/// Runs the contract against the detectors that `subject` makes, each on a fresh
/// source of its own.
///
/// The rules: new content is offered once, whole, and only once; the same
/// content again is not; going back to older content is new content; an error
/// ends when its cause does; and `refresh` asks for a poll, not for an offer.
///
/// # Panics
///
/// With the rule that the detector broke.
pub fn detector_contract(mut subject: impl FnMut() -> Subject) {
    offers_once(subject());
    offers_exactly_what_is_there(subject());
    goes_back(subject());
    same_bytes_are_no_news(subject());
    refresh_is_no_news(subject());
    empty_is_not_unchanged(subject());
    errors_end(subject());
}

fn offers_once(mut subject: Subject) {
    (subject.write)(b"a: 1");
    subject.expect_offer(b"a: 1", "the first content is offered");
    subject.expect_quiet(200, "what was offered is not offered again");
    (subject.write)(b"a: 2");
    subject.expect_offer(
        b"a: 2",
        "a change of the same size is offered, however long nothing happened",
    );
    subject.expect_quiet(3, "what was offered is not offered again");
}

fn offers_exactly_what_is_there(mut subject: Subject) {
    let contents = [
        vec![b'x'; 100_000],
        b"\x00\xff\xfe not text \r\n".to_vec(),
        b"x".to_vec(),
    ];
    for content in contents {
        (subject.write)(&content);
        subject.expect_offer(&content, "content is offered byte by byte as it is");
    }
}

fn goes_back(mut subject: Subject) {
    for content in [b"a: 1", b"a: 2", b"a: 1", b"a: 2"] {
        (subject.write)(content);
        subject.expect_offer(content, "going back to older content is a change");
    }
}

fn same_bytes_are_no_news(mut subject: Subject) {
    (subject.write)(b"a: 1");
    subject.expect_offer(b"a: 1", "the first content is offered");
    for _ in 0..5 {
        (subject.write)(b"a: 1");
        subject.expect_quiet(3, "the same bytes written again are no change");
    }
}

fn refresh_is_no_news(mut subject: Subject) {
    (subject.write)(b"a: 1");
    subject.expect_offer(b"a: 1", "the first content is offered");
    for _ in 0..5 {
        subject.detector.refresh();
        subject.expect_quiet(1, "refresh asks for a poll, not for an offer");
    }
    (subject.write)(b"a: 2");
    subject.detector.refresh();
    subject.expect_offer(b"a: 2", "a change is offered after refresh, too");
}

/// Whether an empty source is an error is the engine's to say, or the
/// detector's; but it must not look as if nothing happened.
fn empty_is_not_unchanged(mut subject: Subject) {
    (subject.write)(b"a: 1");
    subject.expect_offer(b"a: 1", "the first content is offered");
    (subject.write)(b"");
    if let Ok(offered) = subject.poll() {
        let rule = "an emptied source is offered as empty, or an error";
        assert!(offered.as_deref() == Some(b""), "{rule}");
    }
    (subject.write)(b"a: 3");
    subject.expect_offer(b"a: 3", "content after emptiness is offered");
}

fn errors_end(mut subject: Subject) {
    let Some(mut remove) = subject.remove.take() else {
        return;
    };
    (subject.write)(b"a: 1");
    subject.expect_offer(b"a: 1", "the first content is offered");
    remove();
    let first = subject
        .poll()
        .expect_err("a source that is gone is an error");
    for _ in 0..5 {
        let again = subject.poll().expect_err("and stays one");
        assert!(first == again, "an error that lasts is equal to itself");
    }
    (subject.write)(b"a: 1");
    let back = subject.poll().expect("a source that is back is no error");
    let rule = "what is back is what it was: Unchanged, or offered again";
    assert!(back.is_none() || back.as_deref() == Some(b"a: 1"), "{rule}");
    remove();
    subject
        .poll()
        .expect_err("a source that is gone again is an error");
    (subject.write)(b"a: 2");
    subject.expect_offer(b"a: 2", "new content after an error is offered");
}
