//! What each attempt did is written down: its number, who asked, how long each part took,
//! and the outcome.
#![cfg(feature = "std")]

#[path = "../common/mod.rs"]
mod common;

use std::cell::RefCell;
use std::fs;
use std::sync::mpsc;
use std::sync::{Arc, Mutex, Once};
use std::thread;
use std::time::Duration;

use common::{DEADLINE, Text, file, ms, save, wait_until};
use log::kv::{Key, VisitSource};
use log::{LevelFilter, Log, Metadata, Record};
use steadyconf::report::{Cause, Phase, Stage};
use steadyconf::{Outcome, Receipt, Reloader, Version};

thread_local!(static LINES: RefCell<Vec<(String, Option<u64>)>> = const { RefCell::new(Vec::new()) });

/// Keeps the lines of each thread, with the number of the attempt.
struct ByThread;

impl Log for ByThread {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        struct Attempt(Option<u64>);
        impl<'kvs> VisitSource<'kvs> for Attempt {
            fn visit_pair(
                &mut self,
                key: Key<'kvs>,
                value: log::kv::Value<'kvs>,
            ) -> Result<(), log::kv::Error> {
                if key.as_str() == "attempt" {
                    self.0 = value.to_u64();
                }
                Ok(())
            }
        }
        let mut attempt = Attempt(None);
        record.key_values().visit(&mut attempt).unwrap();
        let line = (record.args().to_string(), attempt.0);
        LINES.with(|lines| lines.borrow_mut().push(line));
    }

    fn flush(&self) {}
}

fn lines() -> Vec<(String, Option<u64>)> {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        log::set_logger(&ByThread).unwrap();
        log::set_max_level(LevelFilter::Trace);
    });
    LINES.with(|lines| std::mem::take(&mut *lines.borrow_mut()))
}

fn builder(path: &std::path::Path) -> steadyconf::Builder<String> {
    lines();
    Reloader::from_file_as(path, Text)
        .settle(Duration::ZERO)
        .validate(|text, report| {
            if text == "bad" {
                report.add("here", "must not be bad");
                report.add("there", "must be good");
            }
        })
        .listener("pool", |_: &steadyconf::Change<String>| Ok(()))
}

fn last(reloader: &Reloader<String>) -> Arc<Receipt> {
    reloader.status().receipts.last().unwrap().clone()
}

/// Phases and listeners, in the order in which they ended.
fn parts(receipt: &Receipt) -> String {
    let part = |timing: &steadyconf::report::Timing| match &timing.listener {
        Some(name) => format!("{name} in {}", timing.phase),
        None => timing.phase.to_string(),
    };
    let parts: Vec<_> = receipt.timings.iter().map(part).collect();
    parts.join(", ")
}

#[test]
fn g20_each_attempt_leaves_one_receipt() {
    let (_folder, path) = file("one");
    let reloader = builder(&path).load_at(ms(0), |until| until).unwrap();
    let loaded = last(&reloader);
    assert_eq!((loaded.attempt, loaded.cause), (1, Cause::Load));
    assert_eq!(loaded.outcome, Ok(Outcome::Applied(Version::new(1))));
    assert_eq!(parts(&loaded), "parse, validate");
    assert_eq!(loaded.digest, reloader.handle().load().digest());
    assert_eq!(lines()[0].1, Some(1));

    // A poll that finds nothing leaves none.
    for second in 1..50 {
        reloader.poll_at(ms(second * 1000)).unwrap();
    }
    assert_eq!(reloader.status().receipts.len(), 1);

    save(&path, "two");
    reloader.poll_at(ms(50_000)).unwrap();
    let applied = last(&reloader);
    assert_eq!((applied.attempt, applied.cause), (2, Cause::Poll));
    assert_eq!(applied.began, ms(50_000));
    assert_eq!(
        parts(&applied),
        "parse, validate, pool in prepare, prepare, pool in commit, commit"
    );
    assert_eq!(applied.version, Version::new(2));
    assert!(applied.is_good() && applied.stage().is_none());
    assert_eq!(applied.to_string(), "attempt 2 (poll): applied v2");
    assert_eq!(lines()[0].1, Some(2));

    // What lasts is written down once.
    save(&path, "bad");
    for second in 51..60 {
        reloader.poll_at(ms(second * 1000)).unwrap();
    }
    let rejected = last(&reloader);
    assert_eq!(rejected.attempt, 3);
    assert_eq!(rejected.stage(), Some(Stage::Validate));
    assert_eq!(rejected.digest, rejected.rejection().unwrap().digest());
    assert_eq!(rejected.version, Version::new(2));
    fs::remove_file(&path).unwrap();
    for second in 60..70 {
        reloader.poll_at(ms(second * 1000)).unwrap_err();
    }
    let gone = last(&reloader);
    assert_eq!(gone.attempt, 4);
    assert!(gone.outcome.is_err() && !gone.is_good());
    assert!(
        gone.to_string()
            .starts_with("attempt 4 (poll): cannot read ")
    );
    assert_eq!(
        lines().iter().map(|line| line.1).collect::<Vec<_>>(),
        [Some(3), Some(4)]
    );

    save(&path, "two");
    assert_eq!(reloader.poll_at(ms(70_000)), Ok(Outcome::Unchanged));
    assert_eq!(last(&reloader).attempt, 5);
    assert_eq!(reloader.rollback().unwrap(), Version::new(3));
    let back = last(&reloader);
    assert_eq!((back.attempt, back.cause), (6, Cause::Rollback));
    assert_eq!(back.outcome, Ok(Outcome::RolledBack(Version::new(3))));
    assert_eq!(
        parts(&back),
        "pool in prepare, prepare, pool in commit, commit"
    );
}

#[test]
fn g20_a_reload_returns_its_receipt_whatever_it_finds() {
    let (_folder, path) = file("one");
    let reloader = builder(&path).settle(ms(20)).load().unwrap();
    let nothing = reloader.reload(DEADLINE);
    assert_eq!((nothing.attempt, nothing.cause), (2, Cause::Reload));
    assert_eq!(
        (&nothing.outcome, parts(&nothing).as_str()),
        (&Ok(Outcome::Unchanged), "")
    );
    assert_eq!(*last(&reloader), nothing);

    // It covers all polls that it takes for the content to settle.
    save(&path, "two");
    let applied = reloader.reload(DEADLINE);
    assert_eq!(applied.attempt, 3);
    assert_eq!(applied.outcome, Ok(Outcome::Applied(Version::new(2))));
    assert!(parts(&applied).starts_with("parse, validate"));
    assert!(applied.took >= applied.timings.iter().map(|one| one.took).max().unwrap());
    // Also the second time it is asked.
    save(&path, "bad");
    for attempt in [4, 5] {
        let rejected = reloader.reload(DEADLINE);
        assert_eq!(rejected.attempt, attempt);
        assert_eq!(rejected.rejection().unwrap().problems().len(), 2);
    }
}

#[test]
fn g20_the_last_32_receipts_are_kept() {
    let (_folder, path) = file("0");
    let reloader = builder(&path).load_at(ms(0), |until| until).unwrap();
    for second in 1..=40 {
        save(&path, &second.to_string());
        reloader.poll_at(ms(second * 1000)).unwrap();
    }
    let numbers: Vec<_> = reloader
        .status()
        .receipts
        .iter()
        .map(|one| one.attempt)
        .collect();
    assert_eq!(numbers, (10..=41).collect::<Vec<_>>());
}

#[test]
fn g20_a_listener_that_hangs_shows_by_its_name_while_it_hangs() {
    let (_folder, path) = file("one");
    let (release, released) = mpsc::channel::<()>();
    let reloader = builder(&path)
        .listener("database", move |_: &steadyconf::Change<String>| {
            released.recv()?;
            Ok(())
        })
        .load()
        .unwrap();
    save(&path, "two");
    reloader.start().unwrap();
    wait_until("the listener hangs", || {
        let doing = reloader.status().doing;
        doing.is_some_and(|doing| doing.listener.as_deref() == Some("database"))
    });
    let status = reloader.status();
    let doing = status.doing.as_ref().unwrap();
    assert_eq!(
        (doing.phase, doing.to_string().as_str()),
        (Phase::Commit, "listener database in commit")
    );
    assert!(doing.since >= status.in_poll_since.unwrap());
    let printed = status.to_string();
    assert!(
        printed.contains(", in listener database in commit since "),
        "{printed}"
    );
    release.send(()).unwrap();
    wait_until("it is over", || reloader.status().in_poll_since.is_none());
    assert!(reloader.status().doing.is_none());
    let timings = last(&reloader).timings.clone();
    let names = timings.iter().filter_map(|one| one.listener.as_deref());
    assert!(names.eq(["pool", "database", "pool", "database"]));
}

#[test]
fn g20_the_thread_says_why_it_polls() {
    let (_folder, path) = file("one");
    let hour = Duration::from_secs(3600);
    let reloader = builder(&path).interval(hour).load().unwrap();
    let cause_of = |version: u64| {
        wait_until("it is applied", || {
            let receipts = reloader.status().receipts;
            receipts
                .iter()
                .any(|one| one.outcome == Ok(Outcome::Applied(Version::new(version))))
        });
        last(&reloader).cause
    };
    save(&path, "two");
    reloader.start().unwrap();
    assert_eq!(cause_of(2), Cause::Start);
    save(&path, "three");
    reloader.wake();
    assert_eq!(cause_of(3), Cause::Wake);

    let (_folder, path) = file("one");
    let reloader = builder(&path).interval(ms(5)).load().unwrap();
    reloader.start().unwrap();
    thread::sleep(ms(20));
    save(&path, "two");
    wait_until("it is applied", || reloader.status().receipts.len() > 1);
    assert_eq!(last(&reloader).cause, Cause::Timer);
}

#[test]
fn a_message_is_one_line_if_that_is_asked_for() {
    let (_folder, path) = file("one");
    let reloader = builder(&path)
        .log_on_one_line()
        .load_at(ms(0), |until| until)
        .unwrap();
    lines();
    save(&path, "bad");
    reloader.poll_at(ms(1000)).unwrap();
    let said = lines();
    assert_eq!(said.len(), 1);
    let line = &said[0].0;
    assert!(!line.contains('\n'), "{line}");
    assert!(
        line.contains(" fails validation, 2 problems: ") && line.contains("must not be bad; "),
        "{line}"
    );
    assert!(line.ends_with("there: must be good"), "{line}");
}

/// Asked from inside a callback, where the new snapshot is active already.
#[test]
fn g20_a_receipt_tells_what_readers_get() {
    let (_folder, path) = file("one");
    let slot = Arc::new(Mutex::new(None::<Arc<Reloader<String>>>));
    let theirs = slot.clone();
    let reloader = builder(&path)
        .listener("asks", move |change: &steadyconf::Change<String>| {
            let reloader = theirs.lock().unwrap().clone().unwrap();
            let busy = reloader.reload(ms(10));
            assert_eq!(busy.outcome, Ok(Outcome::Busy));
            let new = &change.new;
            assert_eq!((busy.version, busy.digest), (new.version(), new.digest()));
            Err("not today".into())
        })
        .load()
        .unwrap();
    let reloader = Arc::new(reloader);
    *slot.lock().unwrap() = Some(reloader.clone());
    save(&path, "two");
    let applied = reloader.reload(DEADLINE);
    *slot.lock().unwrap() = None;
    assert_eq!(applied.outcome, Ok(Outcome::Applied(Version::new(2))));
    // Kept in the order of numbers, though this one ended last; and it is not all well.
    let attempts: Vec<_> = reloader
        .status()
        .receipts
        .iter()
        .map(|one| one.attempt)
        .collect();
    assert_eq!(attempts, [1, 2, 3]);
    assert_eq!(applied.attempt, 2);
    assert!(!applied.is_good());
    let said = applied.to_string();
    assert!(
        said.ends_with("applied v2\n  but listener asks: not today"),
        "{said}"
    );
}

#[test]
fn g20_a_rollback_that_is_rejected_leaves_no_receipt() {
    let (_folder, path) = file("one");
    let reloader = builder(&path).load().unwrap();
    save(&path, "bad");
    assert!(reloader.reload(DEADLINE).rejection().is_some());
    reloader.rollback().unwrap_err();
    assert!(last(&reloader).rejection().is_some());
    assert_eq!(reloader.status().receipts.len(), 2);
}
