//! What needs real time: the thread, waking, stopping, and several at once.
//! Everything here waits for a state, with a deadline far away.
#![cfg(feature = "values")]

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use crate::common::{DEADLINE, file, ms, save, wait_until};
use crate::llm_config::{Config, SAMPLE, check};
use serde::Deserialize;
use steadyconf::report::Stage;
use steadyconf::{Builder, Outcome, Reloader};

const HOUR: Duration = Duration::from_secs(3600);

/// A whole configuration whose parts must agree with each other.
#[derive(Debug, Deserialize)]
struct Pair {
    a: u64,
    b: u64,
}

fn pair(n: u64) -> String {
    format!("a: {n}\nb: {n}\n")
}

fn fast(path: &Path) -> Builder<Pair> {
    Reloader::from_file(path).interval(ms(5)).settle(ms(5))
}

/// The original's own test: write a configuration, load it, change the model,
/// see it.
#[test]
fn a_changed_model_is_seen_by_the_thread() {
    let (_folder, path) = file(SAMPLE);
    let reloader = Reloader::<Config>::from_file(&path)
        .validate(check)
        .load()
        .unwrap();
    reloader.start().unwrap();
    let config = reloader.handle();
    assert_eq!(config.load().llm_providers[0].model_name, "gpt-3.5-turbo");
    fs::write(&path, SAMPLE.replace("gpt-3.5-turbo", "gpt-4")).unwrap();
    wait_until("gpt-4", || {
        config.load().llm_providers[0].model_name == "gpt-4"
    });
    reloader.stop();
}

#[test]
fn g08_the_first_poll_sees_a_change_from_before_it() {
    let (_folder, path) = file(&pair(1));
    let reloader = Reloader::<Pair>::from_file(&path)
        .interval(HOUR)
        .load()
        .unwrap();
    save(&path, &pair(2));
    reloader.start().unwrap();
    wait_until("the change", || reloader.handle().load().a == 2);
}

#[test]
fn g07_a_wake_costs_no_interval() {
    let (_folder, path) = file(&pair(1));
    let reloader = Reloader::<Pair>::from_file(&path)
        .interval(HOUR)
        .load()
        .unwrap();
    reloader.start().unwrap();
    wait_until("the first poll", || {
        let status = reloader.status();
        status.last_poll > status.applied_at
    });
    save(&path, &pair(2));
    reloader.wake();
    wait_until("the change", || reloader.handle().load().a == 2);
}

#[test]
fn g19_stop_is_idempotent_and_needs_no_thread() {
    let (_folder, path) = file(&pair(1));
    let reloader = fast(&path).load().unwrap();
    reloader.stop();
    reloader.start().unwrap();
    reloader.start().unwrap();
    assert!(reloader.status().thread_alive);
    reloader.stop();
    assert!(!reloader.status().thread_alive);
    reloader.stop();
    // And it can start again.
    reloader.start().unwrap();
    save(&path, &pair(2));
    wait_until("the change", || reloader.handle().load().a == 2);
    drop(reloader);
}

#[test]
fn g19_stop_does_not_wait_for_the_interval() {
    let (_folder, path) = file(&pair(1));
    let reloader = fast(&path).interval(HOUR).load().unwrap();
    reloader.start().unwrap();
    let begun = Instant::now();
    reloader.stop();
    // No measurement: an hour is either waited or not.
    assert!(begun.elapsed() < DEADLINE);
}

#[test]
fn g19_stop_waits_for_the_call_under_way_and_none_follows() {
    let (_folder, path) = file(&pair(1));
    let (entered, has_entered) = mpsc::channel();
    let (let_go, may_go) = mpsc::channel::<()>();
    let running = Arc::new(AtomicBool::new(false));
    let inside = running.clone();
    let calls = Arc::new(AtomicUsize::new(0));
    let count = calls.clone();
    let reloader = fast(&path)
        .on_commit(move |_| {
            inside.store(true, Ordering::SeqCst);
            count.fetch_add(1, Ordering::SeqCst);
            entered.send(()).unwrap();
            let _ = may_go.recv_timeout(DEADLINE);
            inside.store(false, Ordering::SeqCst);
            Ok(())
        })
        .load()
        .unwrap();
    reloader.start().unwrap();
    save(&path, &pair(2));
    has_entered.recv_timeout(DEADLINE).unwrap();
    assert!(reloader.status().in_poll_since.is_some());

    let stopped = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            reloader.stop();
            stopped.store(true, Ordering::SeqCst);
            assert!(!running.load(Ordering::SeqCst));
        });
        thread::sleep(ms(20));
        assert!(!stopped.load(Ordering::SeqCst), "a call is under way");
        let_go.send(()).unwrap();
    });
    save(&path, &pair(3));
    thread::sleep(ms(50));
    assert_eq!(calls.load(Ordering::SeqCst), 1, "none after stop");
    assert_eq!(reloader.handle().load().a, 2);
}

#[test]
fn g19_stop_also_waits_for_a_poll_of_another_thread() {
    let (_folder, path) = file(&pair(1));
    let (entered, has_entered) = mpsc::channel();
    let (let_go, may_go) = mpsc::channel::<()>();
    let reloader = fast(&path)
        .on_commit(move |_| {
            entered.send(()).unwrap();
            let _ = may_go.recv_timeout(DEADLINE);
            Ok(())
        })
        .load()
        .unwrap();
    save(&path, &pair(2));
    let stopped = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| reloader.reload(DEADLINE).outcome.unwrap());
        has_entered.recv_timeout(DEADLINE).unwrap();
        scope.spawn(|| {
            reloader.stop();
            stopped.store(true, Ordering::SeqCst);
        });
        thread::sleep(ms(20));
        assert!(!stopped.load(Ordering::SeqCst), "a call is under way");
        let_go.send(()).unwrap();
    });
    assert!(stopped.load(Ordering::SeqCst));
}

/// A reloader that its own callback can reach.
type Itself = Arc<OnceLock<Mutex<Option<Arc<Reloader<Pair>>>>>>;

#[test]
fn g19_stop_from_inside_a_callback_lets_it_complete() {
    let (_folder, path) = file(&pair(1));
    let itself: Itself = Arc::default();
    let inside = itself.clone();
    let order = crate::common::Journal::default();
    let (first, second) = (order.clone(), order.clone());
    let reloader = fast(&path)
        .on_commit(move |_| {
            let held = inside.get().unwrap().lock().unwrap();
            held.as_ref().unwrap().stop();
            held.as_ref().unwrap().stop();
            first.note("stopped");
            Ok(())
        })
        .on_commit(move |_| {
            second.note("called after it");
            Ok(())
        })
        .load()
        .unwrap();
    let reloader = Arc::new(reloader);
    itself.set(Mutex::new(Some(reloader.clone()))).unwrap();
    reloader.start().unwrap();
    save(&path, &pair(2));
    wait_until("the thread ends", || !reloader.status().thread_alive);
    assert_eq!(order.take(), ["stopped", "called after it"]);
    assert_eq!(reloader.handle().load().a, 2);
    reloader.stop();
    itself.get().unwrap().lock().unwrap().take();
}

#[test]
fn g19_a_stop_from_inside_can_be_taken_back_from_inside() {
    let (_folder, path) = file(&pair(1));
    let itself: Itself = Arc::default();
    let inside = itself.clone();
    let reloader = fast(&path)
        .on_commit(move |_| {
            let held = inside.get().unwrap().lock().unwrap();
            held.as_ref().unwrap().stop();
            held.as_ref().unwrap().start()?;
            Ok(())
        })
        .load()
        .unwrap();
    let reloader = Arc::new(reloader);
    itself.set(Mutex::new(Some(reloader.clone()))).unwrap();
    reloader.start().unwrap();
    for n in 2..5 {
        save(&path, &pair(n));
        wait_until("it goes on", || reloader.handle().load().a == n);
        assert!(reloader.status().thread_alive);
    }
    reloader.stop();
    itself.get().unwrap().lock().unwrap().take();
}

#[test]
fn g19_the_last_owner_may_let_go_inside_a_callback() {
    let (_folder, path) = file(&pair(1));
    let itself: Itself = Arc::default();
    let inside = itself.clone();
    let reloader = fast(&path)
        .on_commit(move |_| {
            drop(inside.get().unwrap().lock().unwrap().take());
            Ok(())
        })
        .load()
        .unwrap();
    let handle = reloader.handle();
    let reloader = Arc::new(reloader);
    reloader.start().unwrap();
    itself.set(Mutex::new(Some(reloader))).unwrap();
    save(&path, &pair(2));
    wait_until("the change", || handle.load().a == 2);
    // The thread ends, and with it the last hold on the callback.
    wait_until("the thread ends", || Arc::strong_count(&itself) == 1);
    assert_eq!(handle.load().a, 2);
}

#[test]
fn g19_two_may_stop_at_once_while_others_start() {
    let (_folder, path) = file(&pair(1));
    let reloader = fast(&path).load().unwrap();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..50 {
                    reloader.start().unwrap();
                    reloader.stop();
                }
            });
        }
    });
    assert!(!reloader.status().thread_alive);
}

/// However a start and a stop meet, either there is a thread and something can
/// come, or there is none and nothing can.
#[test]
fn g19_a_start_and_a_stop_at_once_end_in_one_or_the_other() {
    let (_folder, path) = file(&pair(1));
    let reloader = fast(&path).load().unwrap();
    let handle = reloader.handle();
    for _ in 0..2000 {
        thread::scope(|scope| {
            scope.spawn(|| reloader.start().unwrap());
            scope.spawn(|| reloader.stop());
        });
        let alive = reloader.status().thread_alive;
        let waited = handle.wait_newer(steadyconf::Version::new(1), Duration::ZERO);
        let stopped = matches!(waited, steadyconf::handle::Waited::Stopped);
        assert_ne!(alive, stopped);
    }
}

#[test]
fn g19_a_reload_that_waits_ends_with_stop() {
    let (_folder, path) = file(&pair(1));
    let called = Arc::new(AtomicBool::new(false));
    let calls = called.clone();
    let reloader = Reloader::<Pair>::from_file(&path)
        .settle(ms(300))
        .on_commit(move |_| {
            calls.store(true, Ordering::SeqCst);
            Ok(())
        })
        .load()
        .unwrap();
    save(&path, &pair(2));
    thread::scope(|scope| {
        let reload = scope.spawn(|| reloader.reload(DEADLINE).outcome);
        wait_until("it settles", || reloader.status().settling_since.is_some());
        reloader.stop();
        let before = called.load(Ordering::SeqCst);
        let outcome = reload.join().unwrap().unwrap();
        // Unless this thread was held up for all of the settle time.
        if !before {
            assert!(matches!(outcome, Outcome::Settling { .. }), "{outcome:?}");
            assert!(!called.load(Ordering::SeqCst), "a callback after stop");
        }
    });
    // The next one is somebody's own wish.
    let outcome = reloader.reload(DEADLINE).outcome.unwrap();
    assert!(matches!(outcome, Outcome::Applied(_) | Outcome::Unchanged));
    assert!(called.load(Ordering::SeqCst));
}

/// The thread waits for somebody else's look; once it is stopped it does not
/// begin one of its own.
#[test]
fn g19_a_thread_that_waited_polls_no_more_after_stop() {
    let (_folder, path) = file(&pair(1));
    let (entered, has_entered) = mpsc::channel();
    let (let_go, may_go) = mpsc::channel::<()>();
    let reloader = fast(&path)
        .settle(Duration::ZERO)
        .on_commit(move |change| {
            entered.send(change.new.a).unwrap();
            let _ = may_go.recv_timeout(DEADLINE);
            Ok(())
        })
        .load()
        .unwrap();
    save(&path, &pair(2));
    thread::scope(|scope| {
        scope.spawn(|| reloader.poll_once().unwrap());
        assert_eq!(has_entered.recv_timeout(DEADLINE), Ok(2));
        // It has nothing to do but to wait for that look.
        reloader.start().unwrap();
        thread::sleep(ms(20));
        save(&path, &pair(3));
        let stopping = scope.spawn(|| reloader.stop());
        thread::sleep(ms(20));
        let_go.send(()).unwrap();
        stopping.join().unwrap();
    });
    assert!(has_entered.try_recv().is_err(), "a callback after stop");
    assert_eq!(reloader.handle().load().a, 2);
}

#[test]
fn g07_a_poll_that_finds_it_settling_wakes_the_thread() {
    let (_folder, path) = file(&pair(1));
    let reloader = fast(&path).interval(HOUR).load().unwrap();
    reloader.start().unwrap();
    wait_until("the first poll", || {
        let status = reloader.status();
        status.last_poll > status.applied_at && status.in_poll_since.is_none()
    });
    save(&path, &pair(2));
    let outcome = reloader.poll_once().unwrap();
    assert!(matches!(outcome, Outcome::Settling { .. } | Outcome::Busy));
    wait_until("the change", || reloader.handle().load().a == 2);
}

#[test]
fn g03_g09_callbacks_that_always_panic_do_not_end_the_thread() {
    let (_folder, path) = file(&pair(1));
    let reloader = fast(&path)
        .validate(|config, _| assert_ne!(config.a, 3, "a test's panic"))
        .on_commit(|_| panic!("a test's panic"))
        .load()
        .unwrap();
    reloader.start().unwrap();
    for n in [2, 3, 4, 3, 5] {
        save(&path, &pair(n));
        if n == 3 {
            wait_until("refused", || reloader.status().last_error.is_some());
        } else {
            wait_until("applied", || reloader.handle().load().a == n);
        }
    }
    wait_until("the errors of the last change", || {
        reloader.status().listener_errors.len() == 1
    });
    assert!(reloader.status().thread_alive);
}

#[test]
fn g11_reload_waits_out_settling_and_tells_the_truth_each_time() {
    let (_folder, path) = file(&pair(1));
    let fit = Arc::new(AtomicBool::new(false));
    let is_fit = fit.clone();
    let reloader = Reloader::<Pair>::from_file(&path)
        .validate(move |config, report| {
            if config.a == 3 && !is_fit.load(Ordering::SeqCst) {
                report.add("a", "must not be 3 at present");
            }
        })
        .load()
        .unwrap();
    assert_eq!(reloader.reload(DEADLINE).outcome, Ok(Outcome::Unchanged));
    save(&path, &pair(2));
    let applied = reloader.reload(DEADLINE).outcome.unwrap();
    assert!(matches!(applied, Outcome::Applied(v) if v.get() == 2));
    save(&path, &pair(3));
    for _ in 0..3 {
        let outcome = reloader.reload(DEADLINE).outcome.unwrap();
        let Outcome::Rejected(rejection) = outcome else {
            panic!("{outcome:?}");
        };
        assert_eq!(rejection.stage(), Stage::Validate);
        let text = rejection.to_string();
        assert!(text.contains("config.yaml:1:4: a: must not be 3"), "{text}");
    }
    // The file is as it was, but the world has changed.
    fit.store(true, Ordering::SeqCst);
    let applied = reloader.reload(DEADLINE).outcome.unwrap();
    assert!(matches!(applied, Outcome::Applied(_)), "{applied:?}");

    save(&path, &pair(4));
    let outcome = reloader.reload(Duration::ZERO).outcome.unwrap();
    assert!(matches!(outcome, Outcome::Settling { .. }), "{outcome:?}");
    fs::remove_file(&path).unwrap();
    assert!(reloader.reload(DEADLINE).outcome.is_err());
}

#[test]
fn g15_many_who_poll_at_once_never_bring_back_an_older_value() {
    const LAST: u64 = 150;
    let (_folder, path) = file(&pair(1));
    let committed = Arc::new(Mutex::new(Vec::new()));
    let commits = committed.clone();
    let reloader = Reloader::<Pair>::from_file(&path)
        .interval(ms(1))
        .settle(Duration::ZERO)
        .on_commit(move |change| {
            assert!(change.new.version() > change.old.version());
            commits.lock().unwrap().push(change.new.a);
            Ok(())
        })
        .load()
        .unwrap();
    reloader.start().unwrap();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let handle = reloader.handle();
                let (mut version, mut value) = (0, 0);
                while !done.load(Ordering::Relaxed) {
                    let config = handle.load();
                    assert_eq!(config.a, config.b, "one snapshot is one file");
                    assert!(config.version().get() >= version && config.a >= value);
                    (version, value) = (config.version().get(), config.a);
                    thread::yield_now();
                }
            });
        }
        for n in 0..3 {
            let reloader = &reloader;
            let done = &done;
            scope.spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    if n == 0 {
                        reloader.reload(ms(10)).outcome.unwrap();
                    } else {
                        reloader.poll_once().unwrap();
                    }
                    thread::yield_now();
                }
            });
        }
        for n in 2..=LAST {
            save(&path, &pair(n));
            thread::sleep(ms(1));
        }
        let handle = reloader.handle();
        let seen = catch(|| wait_until("the last", || handle.load().a == LAST));
        done.store(true, Ordering::Relaxed);
        seen.unwrap();
    });
    reloader.stop();
    let committed = committed.lock().unwrap();
    assert!(committed.is_sorted_by(|a, b| a < b), "{committed:?}");
    assert!(reloader.status().listener_errors.is_empty());
}

/// So that the other threads of a scope are told to end before a panic goes on.
fn catch(f: impl FnOnce()) -> thread::Result<()> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(f))
}

#[test]
fn handles_outlive_the_reloader() {
    let (_folder, path) = file(&pair(1));
    let handle = fast(&path).load().unwrap().handle();
    assert_eq!((handle.load().a, handle.clone().load().b), (1, 1));
}

/// Writes down who was told of what.
fn noting(
    journal: &crate::common::Journal,
    name: &'static str,
) -> impl steadyconf::Listener<Pair> + use<> {
    let journal = journal.clone();
    move |change: &steadyconf::Change<Pair>| {
        journal.note(format!("{name} {}", change.new.a));
        Ok(())
    }
}

#[test]
fn g14_listeners_come_and_go_while_it_runs() {
    let (_folder, path) = file(&pair(1));
    let journal = crate::common::Journal::default();
    let reloader = fast(&path)
        .settle(Duration::ZERO)
        .listener("first", noting(&journal, "first"))
        .load()
        .unwrap();
    let change = |n| {
        save(&path, &pair(n));
        let outcome = reloader.poll_once().unwrap();
        assert!(matches!(outcome, Outcome::Applied(_)), "{outcome:?}");
        journal.take()
    };
    let a = reloader.subscribe("a", noting(&journal, "a"));
    let b = reloader.subscribe("b", noting(&journal, "b"));
    assert_eq!(change(2), ["first 2", "a 2", "b 2"]);
    drop(a);
    assert_eq!(change(3), ["first 3", "b 3"]);
    // One that comes and goes between two rounds is never called.
    drop(reloader.subscribe("c", noting(&journal, "c")));
    reloader.subscribe("d", noting(&journal, "d")).forever();
    assert_eq!(change(4), ["first 4", "b 4", "d 4"]);
    reloader.rollback().unwrap();
    assert_eq!(journal.take(), ["first 3", "b 3", "d 3"]);
    // It may outlive what it was subscribed to.
    drop(reloader);
    drop(b);
}

#[test]
fn g14_a_callback_may_subscribe_and_unsubscribe_also_itself() {
    let (_folder, path) = file(&pair(1));
    let journal = crate::common::Journal::default();
    let itself: Itself = Arc::default();
    let held: Arc<Mutex<Vec<steadyconf::Subscription>>> = Arc::default();
    let (inside, slot, note) = (itself.clone(), held.clone(), journal.clone());
    let reloader = fast(&path).settle(Duration::ZERO).load().unwrap();
    let reloader = Arc::new(reloader);
    itself.set(Mutex::new(Some(reloader.clone()))).unwrap();
    // At 2 it brings in another; at 3 it ends itself and the other.
    let first = reloader.subscribe("first", move |change: &steadyconf::Change<Pair>| {
        let reloader = inside.get().unwrap().lock().unwrap();
        let mut held = slot.lock().unwrap();
        note.note(format!("first {}", change.new.a));
        match change.new.a {
            2 => held.push(
                reloader
                    .as_ref()
                    .unwrap()
                    .subscribe("other", noting(&note, "other")),
            ),
            3 => held.clear(),
            _ => {}
        }
        Ok(())
    });
    held.lock().unwrap().push(first);
    for n in 2..=4 {
        save(&path, &pair(n));
        reloader.poll_once().unwrap();
    }
    // The round in which it ended went on with the other.
    assert_eq!(journal.take(), ["first 2", "first 3", "other 3"]);
    assert!(reloader.status().listener_errors.is_empty());
    itself.get().unwrap().lock().unwrap().take();
}

/// Who subscribes while a poll is under way, and loads after that, sees the new
/// value, or is told of it.
#[test]
fn g14_a_subscriber_misses_nothing_that_is_under_way() {
    let (_folder, path) = file(&pair(1));
    let (entered, has_entered) = mpsc::channel();
    let (let_go, may_go) = mpsc::channel::<()>();
    let reloader = fast(&path)
        .settle(Duration::ZERO)
        .validate(move |config, _| {
            if config.a == 2 {
                entered.send(()).unwrap();
                let _ = may_go.recv_timeout(DEADLINE);
            }
        })
        .load()
        .unwrap();
    let journal = crate::common::Journal::default();
    save(&path, &pair(2));
    let (subscription, loaded) = thread::scope(|scope| {
        let look = scope.spawn(|| reloader.poll_once().unwrap());
        has_entered.recv_timeout(DEADLINE).unwrap();
        let subscription = reloader.subscribe("late", noting(&journal, "late"));
        let loaded = reloader.handle().load().a;
        let_go.send(()).unwrap();
        assert!(matches!(look.join().unwrap(), Outcome::Applied(_)));
        (subscription, loaded)
    });
    assert_eq!(loaded, 1);
    // Another look is due, and tells it.
    assert_eq!(reloader.next_poll(), Duration::ZERO);
    assert_eq!(reloader.poll_once(), Ok(Outcome::Unchanged));
    assert_eq!(journal.take(), ["late 2"]);
    save(&path, &pair(3));
    reloader.poll_once().unwrap();
    assert_eq!(journal.take(), ["late 3"]);
    drop(subscription);
}
