//! Every way in which a round of up to three listeners can go: who vetoes, fails,
//! panics or calls back, and where. The space is small, so it is enumerated, and
//! compared with a model that is too simple to be wrong.

use crate::common::{Journal, Number, doc, engine, ms};
use steadyconf::engine::{BoxError, OnCommitError};
use steadyconf::{Change, Listener, Outcome, Version};

/// What a listener does when 2 is offered. To everything else it agrees.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Does {
    Agree,
    Veto,
    PanicInPrepare,
    FailInCommit,
    PanicInCommit,
}

const ALL: [Does; 5] = [
    Does::Agree,
    Does::Veto,
    Does::PanicInPrepare,
    Does::FailInCommit,
    Does::PanicInCommit,
];

impl Does {
    fn vetoes(self) -> bool {
        matches!(self, Does::Veto | Does::PanicInPrepare)
    }

    fn fails(self) -> bool {
        matches!(self, Does::FailInCommit | Does::PanicInCommit)
    }
}

struct One {
    index: usize,
    does: Does,
    journal: Journal,
}

impl One {
    fn note(&self, phase: &str, change: &Change<u32>) -> bool {
        let (old, new) = (change.old.version(), change.new.version());
        self.journal
            .note(format!("{} {phase} {old}->{new}", self.index));
        *change.new.value() == 2
    }
}

impl Listener<u32> for One {
    fn prepare(&mut self, change: &Change<u32>) -> Result<(), BoxError> {
        match self.does {
            Does::Veto if self.note("prepare", change) => Err("no".into()),
            Does::PanicInPrepare if self.note("prepare", change) => panic!("secret-in-a-panic"),
            Does::Veto | Does::PanicInPrepare => Ok(()),
            _ => {
                self.note("prepare", change);
                Ok(())
            }
        }
    }

    fn commit(&mut self, change: &Change<u32>) -> Result<(), BoxError> {
        let misbehaves = self.note("commit", change);
        match self.does {
            Does::FailInCommit if misbehaves => Err("no".into()),
            Does::PanicInCommit if misbehaves => panic!("secret-in-a-panic"),
            _ => Ok(()),
        }
    }

    fn abort(&mut self, change: &Change<u32>) {
        self.note("abort", change);
    }
}

/// What is to happen: the calls, and the active snapshot in the end.
struct Expected {
    calls: Vec<String>,
    outcome: &'static str,
    value: u32,
    version: u64,
    errors: usize,
}

/// The model. From 1 under v1, 2 is offered as v2.
fn expected(round: &[Does], policy: OnCommitError) -> Expected {
    let mut calls = Vec::new();
    let mut all = |phase: &str, step: &str, of: &mut dyn Iterator<Item = usize>| {
        of.for_each(|n| calls.push(format!("{n} {phase} {step}")));
    };
    let vetoed = round.iter().position(|does| does.vetoes());
    if let Some(by) = vetoed {
        all("prepare", "v1->v2", &mut (0..=by));
        all("abort", "v1->v2", &mut (0..by).rev());
        return Expected {
            calls,
            outcome: "Vetoed",
            value: 1,
            version: 1,
            errors: 0,
        };
    }
    all("prepare", "v1->v2", &mut (0..round.len()));
    all("commit", "v1->v2", &mut (0..round.len()));
    let errors = round.iter().filter(|does| does.fails()).count();
    if errors > 0 && policy == OnCommitError::RollBack {
        all("prepare", "v2->v3", &mut (0..round.len()));
        all("commit", "v2->v3", &mut (0..round.len()));
        return Expected {
            calls,
            outcome: "RolledBack",
            value: 1,
            version: 3,
            errors: 0,
        };
    }
    Expected {
        calls,
        outcome: "Applied",
        value: 2,
        version: 2,
        errors,
    }
}

/// All rounds of so many listeners.
fn rounds(of: usize) -> Vec<Vec<Does>> {
    let mut all = vec![vec![]];
    for _ in 0..of {
        let longer = |round: &Vec<Does>| {
            let round = round.clone();
            ALL.map(move |does| [round.clone(), vec![does]].concat())
        };
        all = all.iter().flat_map(longer).collect();
    }
    all
}

#[test]
fn g14_every_round_of_up_to_three_listeners() {
    let mut count = 0;
    for round in (0..=3).flat_map(rounds) {
        for policy in [OnCommitError::Continue, OnCommitError::RollBack] {
            let journal = Journal::default();
            let mut engine = engine(&Number::default()).on_commit_error(policy);
            for (index, does) in round.iter().copied().enumerate() {
                let journal = journal.clone();
                let one = One {
                    index,
                    does,
                    journal,
                };
                engine = engine.listener(format!("listener {index}"), one);
            }
            engine.apply(doc("1"), ms(0));
            let outcome = engine.apply(doc("2"), ms(1));
            let what = format!("{round:?} {policy:?}");
            let wanted = expected(&round, policy);
            // Those that veto say nothing of rounds that they agree to, and in
            // such a round there is none of them.
            assert_eq!(journal.take(), wanted.calls, "{what}");
            let name = format!("{outcome:?}");
            assert!(name.starts_with(wanted.outcome), "{what}: {name}");
            assert!(!name.contains("secret-in"), "{what}: {name}");
            let active = engine.active().unwrap();
            assert_eq!(*active.value(), wanted.value, "{what}");
            assert_eq!(active.version(), Version::new(wanted.version), "{what}");
            let status = engine.status();
            assert_eq!(status.listener_errors.len(), wanted.errors, "{what}");
            assert_eq!(status.version, Some(active.version()), "{what}");
            let healthy = wanted.outcome == "Applied" && wanted.errors == 0;
            assert_eq!(status.is_healthy(), healthy, "{what}");
            // And the engine is as usable as ever.
            let outcome = engine.apply(doc("3"), ms(2));
            assert!(
                matches!(outcome, Outcome::Applied(_)),
                "{what}: {outcome:?}"
            );
            assert!(engine.status().is_healthy(), "{what}");
            count += 1;
        }
    }
    assert_eq!(count, 2 * (1 + 5 + 25 + 125));
}

#[cfg(feature = "values")]
mod calling_back {
    use std::fs;
    use std::sync::{Arc, OnceLock, Weak};
    use std::time::Duration;

    use steadyconf::Reloader;
    use steadyconf::report::RollbackError;

    use super::*;

    type Itself = Arc<OnceLock<Weak<Reloader<u32>>>>;

    type Call = fn(&Reloader<u32>);

    /// What a callback may call, and what it gets there.
    const CALLS: [(&str, Call); 11] = [
        ("nothing", |_| {}),
        ("load", |r| drop(r.handle().load())),
        ("reader", |r| assert!(**r.handle().reader().get() > 0)),
        ("status", |r| assert!(r.status().in_poll_since.is_some())),
        ("wake", |r| r.wake()),
        ("poll_once", |r| {
            assert_eq!(r.poll_once(), Ok(Outcome::Busy));
        }),
        ("reload", |r| {
            assert_eq!(r.reload(Duration::from_secs(60)).outcome, Ok(Outcome::Busy));
        }),
        ("rollback", |r| {
            assert_eq!(r.rollback(), Err(RollbackError::InsideCallback));
            let to = r.rollback_to(Version::new(1));
            assert_eq!(to, Err(RollbackError::InsideCallback));
        }),
        ("subscribe and unsubscribe", |r| {
            let calls: fn(&Change<u32>) -> Result<(), BoxError> = |_| panic!("never called");
            drop(r.subscribe("brief", calls));
        }),
        ("stop", |r| r.stop()),
        ("start and stop", |r| {
            r.start().unwrap();
            r.stop();
        }),
    ];

    struct CallsBack {
        one: One,
        phase: &'static str,
        call: Call,
        itself: Itself,
    }

    impl CallsBack {
        fn maybe(&self, phase: &str) {
            if self.phase == phase {
                (self.call)(&self.itself.get().unwrap().upgrade().unwrap());
            }
        }
    }

    impl Listener<u32> for CallsBack {
        fn prepare(&mut self, change: &Change<u32>) -> Result<(), BoxError> {
            self.maybe("prepare");
            self.one.prepare(change)
        }

        fn commit(&mut self, change: &Change<u32>) -> Result<(), BoxError> {
            self.maybe("commit");
            self.one.commit(change)
        }

        fn abort(&mut self, change: &Change<u32>) {
            self.maybe("abort");
            self.one.abort(change);
        }
    }

    /// Two listeners that call back in each phase, and one after them that
    /// agrees, vetoes or fails: the order of calls is what it would be.
    #[test]
    fn g14_calls_from_inside_callbacks_change_no_order() {
        for (name, call) in CALLS {
            for phase in ["prepare", "commit", "abort"] {
                for last in [Does::Agree, Does::Veto, Does::FailInCommit] {
                    let what = format!("{name} in {phase}, then {last:?}");
                    let folder = tempfile::tempdir().unwrap();
                    let path = folder.path().join("config.yaml");
                    fs::write(&path, "1").unwrap();
                    let journal = Journal::default();
                    let itself: Itself = Arc::default();
                    let round = [Does::Agree, Does::Agree, last];
                    let mut builder = Reloader::<u32>::from_file(&path).settle(Duration::ZERO);
                    for (index, does) in round.into_iter().enumerate() {
                        let one = One {
                            index,
                            does,
                            journal: journal.clone(),
                        };
                        builder = builder.listener(
                            format!("{index}"),
                            CallsBack {
                                one,
                                phase: if index < 2 { phase } else { "" },
                                call,
                                itself: itself.clone(),
                            },
                        );
                    }
                    let reloader = Arc::new(builder.load_at(ms(0), |until| until).unwrap());
                    itself.set(Arc::downgrade(&reloader)).unwrap();
                    fs::write(&path, "2").unwrap();
                    reloader.poll_at(ms(1000)).unwrap();
                    let wanted = expected(&round, OnCommitError::Continue);
                    assert_eq!(journal.take(), wanted.calls, "{what}");
                    let active = reloader.handle().load();
                    assert_eq!(*active.value(), wanted.value, "{what}");
                    let errors = reloader.status().listener_errors.len();
                    assert_eq!(errors, wanted.errors, "{what}");
                    reloader.stop();
                }
            }
        }
    }
}
