//! Long random sequences of what can happen to an engine, against what is true
//! of it after each step whatever came before.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::common::{Number, Random, Script, doc, engine, gone, ms};
use steadyconf::engine::{BoxError, Engine, OnCommitError, Sighting};
use steadyconf::report::{Failure, RollbackError};
use steadyconf::{Change, Listener, Outcome};

/// Vetoes, or fails to commit, while it is told to.
struct Moody {
    vetoes: Arc<AtomicBool>,
    fails: Arc<AtomicBool>,
}

impl Listener<u32> for Moody {
    fn prepare(&mut self, change: &Change<u32>) -> Result<(), BoxError> {
        assert!(change.new.version() > change.old.version());
        if self.vetoes.load(Ordering::Relaxed) {
            return Err("not now".into());
        }
        Ok(())
    }

    fn commit(&mut self, _: &Change<u32>) -> Result<(), BoxError> {
        if self.fails.load(Ordering::Relaxed) {
            return Err("not so".into());
        }
        Ok(())
    }
}

/// Few contents, so that the same ones come again and again.
const CONTENTS: [&str; 7] = ["1", "2", "3", " 2", "bad", "101", ""];

fn is_valid(text: &str) -> bool {
    text.trim().parse::<u32>().is_ok_and(|n| n <= 100)
}

struct World {
    engine: Engine<u32>,
    script: Script,
    skips_equal: bool,
    /// What the source shows.
    shown: &'static str,
    now: u64,
    trace: Vec<String>,
}

impl World {
    /// Looks, and checks everything that has to be so then.
    fn look(&mut self, readable: bool, settling: bool) {
        self.now += 1;
        let before = self.engine.active().cloned();
        let result = self.engine.poll(&mut self.script, ms(self.now));
        self.trace.push(format!("  {result:?}"));
        let trace = || self.trace.join("\n");
        let status = self.engine.status();
        let active = self.engine.active();
        assert_eq!(status.version, active.map(|a| a.version()), "{}", trace());
        assert_eq!(result.is_err(), !readable, "{}", trace());
        assert!(self.engine.next_poll() > ms(self.now), "{}", trace());
        if let (Some(before), Some(active)) = (&before, active) {
            assert!(active.version() >= before.version(), "{}", trace());
            let same = active.version() == before.version();
            assert_eq!(same, Arc::ptr_eq(active, before), "{}", trace());
        }
        let is_shown = active.is_some_and(|active| {
            let equal = self.shown.trim() == active.value().to_string() && is_valid(self.shown);
            // Bytes that are held back are held back, whatever they stand for.
            let adopts = self.skips_equal && result != Ok(Outcome::Quarantined);
            *active.document() == doc(self.shown) || adopts && equal
        });
        match &result {
            Err(_) => {
                let error = status.last_error.as_ref().map(|e| &e.failure);
                assert!(matches!(error, Some(Failure::Source(_))), "{}", trace());
                assert!(!status.is_healthy(), "{}", trace());
                return;
            }
            Ok(Outcome::Settling { .. }) => {
                assert!(settling, "{}", trace());
                return;
            }
            Ok(Outcome::Unchanged) => assert!(is_shown, "{}", trace()),
            Ok(Outcome::Applied(version)) => {
                assert!(is_shown, "{}", trace());
                assert_eq!(status.version, Some(*version), "{}", trace());
            }
            Ok(Outcome::Rejected(_)) => assert!(!is_valid(self.shown), "{}", trace()),
            Ok(Outcome::Vetoed { retry_at, .. }) => {
                assert!(is_valid(self.shown) && !is_shown, "{}", trace());
                assert!(*retry_at > ms(self.now), "{}", trace());
            }
            Ok(Outcome::Quarantined) => {
                assert!(!is_shown, "{}", trace());
                assert!(status.quarantined.is_some(), "{}", trace());
            }
            Ok(Outcome::RolledBack(version)) => {
                assert!(!is_shown, "{}", trace());
                assert_eq!(status.version, Some(*version), "{}", trace());
                assert!(status.quarantined.is_some(), "{}", trace());
            }
            other => panic!("{other:?}\n{}", trace()),
        }
        // What the status says is what is so.
        assert_eq!(status.source_differs, !is_shown, "{}", trace());
        let refused = matches!(result, Ok(Outcome::Rejected(_) | Outcome::Vetoed { .. }));
        assert_eq!(status.last_error.is_some(), refused, "{}", trace());
        let fine = is_shown && status.listener_errors.is_empty();
        assert_eq!(status.is_healthy(), fine, "{}", trace());
        assert!(status.quarantined.is_none() || !is_shown, "{}", trace());
        assert_eq!(status.consecutive_failures > 0, refused, "{}", trace());
    }

    fn roll_back(&mut self) {
        let before = self.engine.active().cloned();
        let done = self.engine.rollback(ms(self.now));
        self.trace.push(format!("  {done:?}"));
        let trace = || self.trace.join("\n");
        let after = self.engine.active().cloned();
        // Also without a poll, the status tells what is so.
        if done.is_ok() {
            let status = self.engine.status();
            let shows = after
                .as_ref()
                .is_some_and(|a| *a.document() == doc(self.shown));
            // Content that moves, or moved when it could be read last, is not known to be
            // the active snapshot. Other bytes of an equal value are, if they were judged
            // before; the next poll judges them.
            let error = status.last_error.as_ref().map(|error| &error.failure);
            let moves =
                status.settling_since.is_some() || matches!(error, Some(Failure::Source(_)));
            let equal = after
                .as_ref()
                .is_some_and(|a| self.skips_equal && self.shown.trim() == a.value().to_string());
            assert!(!status.source_differs || !shows || moves, "{}", trace());
            assert!(status.source_differs || shows || equal, "{}", trace());
            assert!(status.quarantined.is_none() || !shows, "{}", trace());
        }
        match (done, before, after) {
            (Ok(version), Some(before), Some(after)) => {
                assert_eq!(after.version(), version, "{}", trace());
                assert!(version > before.version(), "{}", trace());
                assert!(after.document() != before.document(), "{}", trace());
                assert!(is_valid(&after.value().to_string()), "{}", trace());
            }
            (Err(error), before, after) => {
                let same = before.map(|b| b.version()) == after.map(|a| a.version());
                assert!(same, "{}", trace());
                let known = matches!(
                    error,
                    RollbackError::NothingToGoBackTo | RollbackError::Vetoed(_)
                );
                assert!(known, "{}", trace());
            }
            other => panic!("{other:?}\n{}", trace()),
        }
    }
}

#[test]
fn g20_the_status_is_true_after_any_sequence() {
    for seed in 1..=3000 {
        let mut random = Random(seed);
        let (vetoes, fails) = (Arc::default(), Arc::default());
        let moody = Moody {
            vetoes: Arc::clone(&vetoes),
            fails: Arc::clone(&fails),
        };
        let skips_equal = seed % 2 == 0;
        let mut engine = engine(&Number::default())
            .history(1 + seed as usize % 4)
            .listener("moody", moody);
        if skips_equal {
            engine = engine.skip_equal();
        }
        if seed % 3 == 0 {
            engine = engine.on_commit_error(OnCommitError::RollBack);
        }
        let mut world = World {
            engine,
            script: Script::default(),
            skips_equal,
            shown: "1",
            now: 0,
            trace: vec![format!("seed {seed}")],
        };
        world.script.shows("1");
        world.look(true, false);
        for _ in 0..30 {
            let what = random.below(16);
            world
                .trace
                .push(format!("step {what}, shown {:?}", world.shown));
            match what {
                0..=5 => {
                    world.shown = CONTENTS[random.below(CONTENTS.len() as u64) as usize];
                    world.trace.push(format!("  shows {:?}", world.shown));
                    world.script.shows(world.shown);
                    world.look(true, false);
                }
                6 | 7 => world.look(true, false),
                8 => {
                    world.script.says(Err(gone()));
                    world.look(false, false);
                }
                9 => {
                    let until = ms(world.now + 50);
                    world.script.says(Ok(Sighting::Settling { until }));
                    world.look(true, true);
                }
                10 => {
                    world.engine.ask_again();
                    world.look(true, false);
                }
                11 => {
                    world.now += 100_000;
                    world.look(true, false);
                }
                12 | 13 => {
                    world.roll_back();
                    world.look(true, false);
                }
                14 => drop(vetoes.fetch_xor(true, Ordering::Relaxed)),
                _ => drop(fails.fetch_xor(true, Ordering::Relaxed)),
            }
        }
    }
}
