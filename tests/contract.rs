//! The contract of a detector, run against the ones that are built in, and
//! against broken ones, which it has to find out.
#![cfg(feature = "std")]

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::common::{gone, tick};
use steadyconf::engine::{Detector, Document, ManualDetector, Settle, Settled, Sighting};
use steadyconf::report::DetectError;
use steadyconf::source::FileDetector;
use steadyconf::testing::{Subject, detector_contract};

#[test]
fn the_file_detector_keeps_the_contract() {
    for by_rename in [false, true] {
        for settle in [Duration::ZERO, Duration::from_millis(100)] {
            let folder = tempfile::tempdir().unwrap();
            let mut count = 0;
            detector_contract(|| {
                count += 1;
                let path = folder.path().join(format!("{count}.yaml"));
                let (beside, writes) = (path.with_extension("new"), path.clone());
                let clock = folder.path().to_path_buf();
                let removes = path.clone();
                Subject::new(FileDetector::new(path).settle(settle))
                    .write(move |bytes| {
                        tick(&clock);
                        if by_rename {
                            fs::write(&beside, bytes).unwrap();
                            fs::rename(&beside, &writes).unwrap();
                        } else {
                            fs::write(&writes, bytes).unwrap();
                        }
                    })
                    .remove(move || fs::remove_file(&removes).unwrap())
            });
        }
    }
}

#[test]
fn the_manual_detector_keeps_the_contract() {
    detector_contract(|| {
        let source = Arc::new(Mutex::new(ManualDetector::new("test")));
        let (writes, removes) = (source.clone(), source.clone());
        Subject::new(source)
            .write(move |bytes| writes.lock().unwrap().set(bytes))
            .remove(move || removes.lock().unwrap().fail(gone()))
    });
}

type Source = Arc<Mutex<Option<Vec<u8>>>>;

/// Ways to get it wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Flaw {
    None,
    OffersAgain,
    CutsShort,
    NeverGoesBack,
    TakesEveryWriteForAChange,
    OffersOnRefresh,
    IgnoresEmptiness,
    StaysBroken,
    NeverFails,
    NeverSettles,
    Spins,
    ComparesLengths,
}

struct Flawed {
    flaw: Flaw,
    source: Source,
    settle: Settle<Vec<u8>>,
    seen: Vec<Vec<u8>>,
    refreshed: bool,
    failed: bool,
}

impl Detector for Flawed {
    fn poll(&mut self, now: Duration) -> Result<Sighting, DetectError> {
        let refreshed = std::mem::take(&mut self.refreshed);
        let mut bytes = match self.source.lock().unwrap().clone() {
            Some(bytes) => bytes,
            None if self.flaw == Flaw::NeverFails => return Ok(Sighting::Unchanged),
            None => {
                self.failed = true;
                return Err(gone());
            }
        };
        match self.flaw {
            Flaw::StaysBroken if self.failed => return Err(gone()),
            Flaw::NeverSettles => {
                let until = now + Duration::from_millis(1);
                return Ok(Sighting::Settling { until });
            }
            Flaw::Spins => return Ok(Sighting::Settling { until: now }),
            Flaw::IgnoresEmptiness if bytes.is_empty() => return Ok(Sighting::Unchanged),
            Flaw::NeverGoesBack if self.seen.contains(&bytes) => return Ok(Sighting::Unchanged),
            Flaw::CutsShort => bytes.truncate(4096),
            Flaw::ComparesLengths => {
                let last = self.seen.last().map(Vec::len);
                if last == Some(bytes.len()) {
                    return Ok(Sighting::Unchanged);
                }
            }
            _ => {}
        }
        let settled = self.settle.see(bytes.clone(), now);
        let again = self.flaw == Flaw::OffersAgain && now.as_secs() > 100
            || self.flaw == Flaw::OffersOnRefresh && refreshed
            || self.flaw == Flaw::TakesEveryWriteForAChange;
        if settled == Settled::Ready || again {
            self.seen.push(bytes.clone());
            return Ok(Sighting::Changed(Document::single("test", bytes)));
        }
        Ok(Sighting::Unchanged)
    }

    fn refresh(&mut self) {
        self.refreshed = true;
    }
}

fn contract_holds(flaw: Flaw) -> bool {
    let run = || {
        detector_contract(|| {
            let source: Source = Arc::default();
            let (writes, removes) = (source.clone(), source.clone());
            let flawed = Flawed {
                flaw,
                source,
                settle: Settle::new(Duration::ZERO),
                seen: Vec::new(),
                refreshed: false,
                failed: false,
            };
            Subject::new(flawed)
                .write(move |bytes| *writes.lock().unwrap() = Some(bytes.to_vec()))
                .remove(move || *removes.lock().unwrap() = None)
        });
    };
    catch_unwind(AssertUnwindSafe(run)).is_ok()
}

#[test]
fn the_contract_finds_out_every_flaw() {
    assert!(contract_holds(Flaw::None));
    for flaw in [
        Flaw::OffersAgain,
        Flaw::CutsShort,
        Flaw::NeverGoesBack,
        Flaw::TakesEveryWriteForAChange,
        Flaw::OffersOnRefresh,
        Flaw::IgnoresEmptiness,
        Flaw::StaysBroken,
        Flaw::NeverFails,
        Flaw::NeverSettles,
        Flaw::Spins,
        Flaw::ComparesLengths,
    ] {
        assert!(!contract_holds(flaw), "{flaw:?} went unnoticed");
    }
}
