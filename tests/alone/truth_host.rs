//! What a running reloader says is true, and what its callbacks may count on.
#![cfg(feature = "std")]

#[path = "../common/mod.rs"]
mod common;

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use common::{Number, ms};
use steadyconf::engine::*;
use steadyconf::*;

fn v(n: u64) -> Version {
    Version::new(n)
}

fn shared(text: &str) -> Arc<Mutex<ManualDetector>> {
    let d = Arc::new(Mutex::new(ManualDetector::new("test")));
    set(&d, text);
    d
}
fn set(d: &Arc<Mutex<ManualDetector>>, text: &str) {
    d.lock().unwrap().set(text.as_bytes().to_vec());
}

/// a listener that joins late and fails is in no status
#[test]
fn g20_a_late_subscriber_that_fails_is_in_the_status() {
    let source = shared("1");
    let hold = Arc::new(Mutex::new(Vec::new()));
    let cell: Arc<Mutex<Option<std::sync::Weak<Reloader<u32>>>>> = Arc::default();
    let (keep, inside) = (hold.clone(), cell.clone());
    struct Sub(Box<dyn FnMut() + Send>);
    impl Listener<u32> for Sub {
        fn prepare(&mut self, _: &Change<u32>) -> Result<(), BoxError> {
            (self.0)();
            Ok(())
        }
        fn commit(&mut self, _: &Change<u32>) -> Result<(), BoxError> {
            Ok(())
        }
    }
    let mut once = true;
    let reloader = Reloader::with_detector(source.clone(), Number::default())
        .listener(
            "sub",
            Sub(Box::new(move || {
                if std::mem::take(&mut once) {
                    let r = inside.lock().unwrap().as_ref().unwrap().upgrade().unwrap();
                    keep.lock()
                        .unwrap()
                        .push(r.subscribe("late", |_: &Change<u32>| {
                            Err("cannot take it into use".into())
                        }));
                }
            })),
        )
        .load()
        .unwrap();
    let reloader = Arc::new(reloader);
    *cell.lock().unwrap() = Some(Arc::downgrade(&reloader));
    set(&source, "2");
    assert_eq!(reloader.poll_once(), Ok(Outcome::Applied(v(2))));
    assert_eq!(reloader.poll_once(), Ok(Outcome::Unchanged)); // told here, and fails
    let status = reloader.status();
    assert_eq!(
        status.listener_errors.len(),
        1,
        "which listeners failed to take the active snapshot into use"
    );
    assert!(!status.is_healthy());
}

/// Panics from the second document on.
#[derive(Clone, Default)]
struct Panics(Arc<AtomicU32>);

impl Format<u32> for Panics {
    fn parse(&self, d: &Document, _: &Limits, _: &mut Notes) -> Result<u32, Report> {
        let asked = self.0.fetch_add(1, Ordering::Relaxed);
        assert!(asked < 1, "secret-in-a-panic");
        let text = String::from_utf8_lossy(d.layers()[0].bytes()).into_owned();
        text.trim().parse().map_err(|_| Report::new())
    }
}

/// All of a format's code runs in one call, so nothing of it can panic elsewhere.
#[test]
fn g03_a_panic_in_a_format_is_one_rejection_and_no_loop() {
    let source = shared("1");
    let format = Panics::default();
    let asked = format.0.clone();
    let reloader = Reloader::with_detector(source.clone(), format)
        .load()
        .unwrap();
    set(&source, "2");
    for _ in 0..100 {
        let outcome = reloader.poll_once().unwrap();
        let Outcome::Rejected(rejection) = outcome else {
            panic!("{outcome:?}");
        };
        assert!(!rejection.to_string().contains("secret-in"), "{rejection}");
    }
    assert_eq!(asked.load(Ordering::Relaxed), 2, "parsed once each");
    assert!(!reloader.status().is_healthy());
}

/// unsubscribed in the first round of a poll, called in the second
#[test]
fn g14_who_unsubscribed_is_not_called_in_a_later_round() {
    let source = shared("1");
    let reloader = Reloader::with_detector(source.clone(), Number::default())
        .on_commit_error(OnCommitError::RollBack)
        .on_commit(|c| match **c.new {
            2 => Err("no".into()),
            _ => Ok(()),
        })
        .load()
        .unwrap();
    let calls = Arc::new(Mutex::new(Vec::new()));
    let slot: Arc<Mutex<Option<Subscription>>> = Arc::default();
    let (note, own) = (calls.clone(), slot.clone());
    let subscription = reloader.subscribe("once", move |c: &Change<u32>| {
        note.lock().unwrap().push(c.new.version());
        drop(own.lock().unwrap().take());
        Ok(())
    });
    *slot.lock().unwrap() = Some(subscription);
    set(&source, "2");
    assert_eq!(reloader.poll_once(), Ok(Outcome::RolledBack(v(3))));
    assert_eq!(
        *calls.lock().unwrap(),
        [v(2)],
        "the next round does without it"
    );
}

#[cfg(all(unix, feature = "signal"))]
#[test]
fn g19_a_dropped_sighup_subscription_keeps_no_descriptor() {
    let d = Arc::new(Mutex::new(ManualDetector::new("test")));
    d.lock().unwrap().set(*b"1");
    let r = Reloader::with_detector(d, Number::default())
        .load()
        .unwrap();
    let fds = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let before = fds();
    for _ in 0..50 {
        let s = r.reload_on_sighup().unwrap();
        drop(s);
    }
    std::thread::sleep(ms(500));
    assert!(fds() < before + 10, "{} -> {}", before, fds());
}

/// Real file: the same.
#[cfg(feature = "yaml")]
#[test]
fn g20_missing_then_bad_on_a_real_file() {
    let (_folder, path) = common::file("1");
    let r = Reloader::<u32>::from_file(&path)
        .load_at(ms(0), |u| u)
        .unwrap();
    std::fs::remove_file(&path).unwrap();
    let mut now = ms(1000);
    let mut log = Vec::new();
    for i in 0..6 {
        if i == 2 {
            std::fs::write(&path, "bad: [").unwrap();
        }
        let o = r.poll_at(now);
        log.push(format!(
            "{now:?} healthy={} fails={} {o:?}",
            r.status().is_healthy(),
            r.status().consecutive_failures
        ));
        now = r.next_poll();
    }
    println!("{}", log.join("\n"));
    assert!(!log.iter().any(|l| l.contains("healthy=true")), "{log:#?}");
}

/// Subscribes another listener while 2 is prepared, which cannot take 2 into use.
struct Subscribes {
    itself: Arc<Mutex<Option<std::sync::Weak<Reloader<u32>>>>>,
    hold: Vec<Subscription>,
}

impl Listener<u32> for Subscribes {
    fn prepare(&mut self, change: &Change<u32>) -> Result<(), BoxError> {
        if **change.new == 2 {
            let itself = self.itself.lock().unwrap();
            let reloader = itself.as_ref().unwrap().upgrade().unwrap();
            let late = |change: &Change<u32>| match **change.new {
                2 => Err("cannot take it into use".into()),
                _ => Ok(()),
            };
            self.hold.push(reloader.subscribe("late", late));
        }
        Ok(())
    }

    fn commit(&mut self, _: &Change<u32>) -> Result<(), BoxError> {
        Ok(())
    }
}

/// A listener that joins late and fails is a reason to roll back like any other.
#[test]
fn g17_a_late_subscriber_that_fails_rolls_back() {
    let source = shared("1");
    let itself = Arc::default();
    let subscribes = Subscribes {
        itself: Arc::clone(&itself),
        hold: Vec::new(),
    };
    let reloader = Reloader::with_detector(source.clone(), Number::default())
        .on_commit_error(OnCommitError::RollBack)
        .listener("subscribes", subscribes)
        .load()
        .unwrap();
    let reloader = Arc::new(reloader);
    *itself.lock().unwrap() = Some(Arc::downgrade(&reloader));
    set(&source, "2");
    assert_eq!(reloader.poll_once(), Ok(Outcome::Applied(v(2))));
    assert_eq!(reloader.poll_once(), Ok(Outcome::RolledBack(v(3))));
    assert_eq!(*reloader.handle().load(), 1);
    assert_eq!(reloader.poll_once(), Ok(Outcome::Quarantined));
}

/// Two reloaders, each with a callback that stops the other: both return.
#[test]
fn g19_two_reloaders_that_stop_each_other_do_not_hang() {
    use std::sync::Barrier;
    type Slot = Arc<Mutex<Option<Arc<Reloader<u32>>>>>;
    let both = Arc::new(Barrier::new(2));
    let slots: [Slot; 2] = [Slot::default(), Slot::default()];
    let sources = [shared("1"), shared("1")];
    for (index, source) in sources.iter().enumerate() {
        let (both, other) = (both.clone(), slots[1 - index].clone());
        let reloader = Reloader::with_detector(source.clone(), Number::default())
            .on_commit(move |_| {
                both.wait();
                let other = other.lock().unwrap().clone().unwrap();
                other.stop();
                Ok(())
            })
            .load()
            .unwrap();
        *slots[index].lock().unwrap() = Some(Arc::new(reloader));
        set(source, "2");
    }
    let threads = slots.clone().map(|slot| {
        let reloader = slot.lock().unwrap().clone().unwrap();
        std::thread::spawn(move || reloader.poll_once())
    });
    common::wait_until("both return", || {
        threads.iter().all(std::thread::JoinHandle::is_finished)
    });
    for thread in threads {
        assert_eq!(thread.join().unwrap(), Ok(Outcome::Applied(v(2))));
    }
    slots
        .iter()
        .for_each(|slot| drop(slot.lock().unwrap().take()));
}

/// A callback that asks for a poll in every poll does not make the thread spin.
#[test]
fn g19_a_callback_that_always_wakes_does_not_spin() {
    let source = shared("1");
    let itself: Arc<Mutex<Option<std::sync::Weak<Reloader<u32>>>>> = Arc::default();
    let (inside, asked) = (itself.clone(), Arc::new(AtomicU32::new(0)));
    let count = asked.clone();
    let reloader = Reloader::with_detector(source, Number::default())
        .probation(ms(600_000), move |_| {
            count.fetch_add(1, Ordering::Relaxed);
            if let Some(reloader) = inside
                .lock()
                .unwrap()
                .as_ref()
                .and_then(std::sync::Weak::upgrade)
            {
                reloader.wake();
            }
            Ok::<(), String>(())
        })
        .load()
        .unwrap();
    let reloader = Arc::new(reloader);
    *itself.lock().unwrap() = Some(Arc::downgrade(&reloader));
    reloader.start().unwrap();
    std::thread::sleep(ms(500));
    reloader.stop();
    let asked = asked.load(Ordering::Relaxed);
    assert!((2..=520).contains(&asked), "{asked} polls in 500 ms");
}

/// Times for people are those of the clock on the wall.
#[test]
fn g20_a_status_is_printed_with_the_time_of_day() {
    let source = shared("1");
    let reloader = Reloader::with_detector(source.clone(), Number::default())
        .load()
        .unwrap();
    set(&source, "bad");
    reloader.poll_once().unwrap();
    let status = reloader.status();
    let printed = status.to_string();
    let since = printed.lines().find(|line| line.starts_with("since "));
    let since = since.unwrap_or_else(|| panic!("{printed}"));
    assert!(
        since.contains(" UTC, ") && since.contains(" s ago: "),
        "{since}"
    );
    let applied = status.since_epoch(status.applied_at.unwrap()).unwrap();
    let now = std::time::SystemTime::now();
    let now = now.duration_since(std::time::UNIX_EPOCH).unwrap();
    assert!(now - applied < common::DEADLINE, "{applied:?} {now:?}");
}
