//! The ways to read: handles, readers, waiting, and checking without starting.
#![cfg(feature = "values")]

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::common::{DEADLINE, file, ms, tick, wait_until};
use steadyconf::handle::{Loaded, Waited};
use steadyconf::{Handle, LoadError, Reloader, Snapshot, Version};
use tempfile::TempDir;

/// A reloader on virtual time, and how to bring a number into it.
fn numbers() -> (TempDir, Reloader<u64>, impl FnMut(u64)) {
    let (folder, path) = file("1");
    let reloader = Reloader::<u64>::from_file(&path)
        .settle(Duration::ZERO)
        .load_at(ms(0), |until| until)
        .unwrap();
    (folder, reloader, move |n| {
        tick(path.parent().unwrap());
        fs::write(&path, n.to_string()).unwrap();
    })
}

#[test]
fn g01_a_reader_gets_what_a_handle_loads_and_pins_what_it_got() {
    let (_folder, reloader, mut write) = numbers();
    let mut reader = reloader.handle().reader();
    let mut idle = reader.clone();
    assert_eq!(**reader.get(), 1);
    let first: *const _ = reader.get();
    assert!(std::ptr::eq(first, reader.get()), "nothing changed");
    for n in 2..20 {
        write(n);
        reloader.poll_at(ms(n * 1000)).unwrap();
        assert_eq!(**reader.get(), n);
        assert_eq!(reader.get().version(), Version::new(n));
        assert_eq!(reader.get().version(), reloader.handle().load().version());
    }
    assert_eq!(**idle.get(), 19);
}

#[test]
fn g01_loaded_and_change_convert_into_each_other() {
    #[derive(serde::Deserialize)]
    struct Config {
        port: u16,
        /// A field of that name hides none of the methods, nor they it.
        version: String,
    }
    fn double(config: &Config) -> u16 {
        config.port * 2
    }
    let (_folder, path) = file("port: 80\nversion: a");
    let (sender, seen) = std::sync::mpsc::channel();
    let reloader = Reloader::<Config>::from_file(&path)
        .settle(Duration::ZERO)
        .on_commit(move |change| {
            sender.send(Loaded::from(change.new.clone())).unwrap();
            Ok(())
        })
        .load_at(ms(0), |until| until)
        .unwrap();
    tick(path.parent().unwrap());
    fs::write(&path, "port: 81\nversion: b").unwrap();
    reloader.poll_at(ms(1000)).unwrap();

    let loaded = reloader.handle().load();
    let config: &Config = &loaded;
    assert_eq!((config.port, double(&loaded), loaded.port), (81, 162, 81));
    assert_eq!((&*loaded.version, loaded.version()), ("b", Version::new(2)));
    let snapshot: Arc<Snapshot<Config>> = seen.try_recv().unwrap().into();
    assert!(Arc::ptr_eq(&snapshot, loaded.snapshot()));
    assert!(std::ptr::eq(snapshot.value(), loaded.value()));
    assert_eq!(snapshot.digest(), loaded.digest());
    assert_eq!(snapshot.origins(), loaded.origins());
    assert_eq!(snapshot.document(), loaded.document());
    assert_eq!(loaded.file("none"), None);
    let place = loaded.origin("version").unwrap();
    assert_eq!(snapshot.origin("version"), Some(place.clone()));
    assert_eq!((place.line(), place.column()), (Some(2), Some(10)));
}

#[test]
fn an_old_snapshot_lives_as_long_as_it_is_held() {
    /// Counts how many of it there are.
    #[derive(serde::Deserialize)]
    #[serde(from = "u64")]
    struct Counted(u64);
    static ALIVE: AtomicUsize = AtomicUsize::new(0);
    impl From<u64> for Counted {
        fn from(n: u64) -> Self {
            ALIVE.fetch_add(1, Ordering::SeqCst);
            Counted(n)
        }
    }
    impl Drop for Counted {
        fn drop(&mut self) {
            ALIVE.fetch_sub(1, Ordering::SeqCst);
        }
    }
    let (_folder, path) = file("1");
    let reloader = Reloader::<Counted>::from_file(&path)
        .settle(Duration::ZERO)
        .history(0)
        .load_at(ms(0), |until| until)
        .unwrap();
    let mut reader = reloader.handle().reader();
    let loaded = reloader.handle().load();
    for n in 2..10 {
        tick(path.parent().unwrap());
        fs::write(&path, n.to_string()).unwrap();
        reloader.poll_at(ms(n * 1000)).unwrap();
    }
    assert_eq!(ALIVE.load(Ordering::SeqCst), 2, "the first and the last");
    assert_eq!(loaded.0, 1);
    drop(loaded);
    assert_eq!(ALIVE.load(Ordering::SeqCst), 2, "the reader pins it");
    assert_eq!(reader.get().0, 9);
    assert_eq!(ALIVE.load(Ordering::SeqCst), 1);
    drop((reloader, reader));
    assert_eq!(ALIVE.load(Ordering::SeqCst), 0);
}

#[test]
fn g01_readers_never_see_a_mix_and_never_go_back() {
    const LAST: u64 = 300;
    let (_folder, reloader, mut write) = numbers();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for n in 0..4 {
            let (handle, done) = (reloader.handle(), &done);
            scope.spawn(move || {
                let mut reader = handle.reader();
                let mut last = 0;
                while !done.load(Ordering::Relaxed) {
                    let (value, version) = if n % 2 == 0 {
                        let got = reader.get();
                        (**got, got.version().get())
                    } else {
                        let loaded = handle.load();
                        (*loaded, loaded.version().get())
                    };
                    assert_eq!(value, version);
                    assert!(version >= last);
                    last = version;
                }
            });
        }
        for n in 2..=LAST {
            write(n);
            let outcome = reloader.poll_at(ms(n * 1000));
            if outcome.is_err() || *reloader.handle().load() != n {
                done.store(true, Ordering::Relaxed);
            }
            assert_eq!(*reloader.handle().load(), n);
        }
        done.store(true, Ordering::Relaxed);
    });
}

#[track_caller]
fn newer(waited: &Waited<u64>) -> u64 {
    match waited {
        Waited::Newer(loaded) => *loaded.value(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn waiting_returns_what_is_newer_at_once_or_as_soon_as_it_comes() {
    let (_folder, reloader, mut write) = numbers();
    let handle = reloader.handle();
    assert_eq!(newer(&handle.wait_newer(Version::NONE, DEADLINE)), 1);
    let none = handle.wait_newer(Version::new(1), Duration::ZERO);
    assert!(matches!(none, Waited::TimedOut), "{none:?}");
    let none = handle.wait_newer(Version::new(1), ms(2));
    assert!(matches!(none, Waited::TimedOut), "{none:?}");

    thread::scope(|scope| {
        let waiting = scope.spawn(|| handle.wait_newer(Version::new(1), Duration::MAX));
        write(2);
        reloader.poll_at(ms(1000)).unwrap();
        assert_eq!(newer(&waiting.join().unwrap()), 2);
    });
    // What came in between is skipped.
    write(3);
    reloader.poll_at(ms(2000)).unwrap();
    write(4);
    reloader.poll_at(ms(3000)).unwrap();
    assert_eq!(newer(&handle.wait_newer(Version::new(2), DEADLINE)), 4);
}

#[test]
fn g19_those_who_wait_are_reported_of_the_end() {
    let (_folder, path) = file("1");
    let load = || {
        Reloader::<u64>::from_file(&path)
            .interval(ms(5))
            .settle(ms(5))
            .load()
            .unwrap()
    };
    // By stop, and by drop.
    for by_drop in [false, true] {
        let reloader = load();
        reloader.start().unwrap();
        let handle = reloader.handle();
        thread::scope(|scope| {
            let waiting = scope.spawn(|| handle.wait_newer(Version::new(1), Duration::MAX));
            if by_drop {
                drop(reloader);
            } else {
                reloader.stop();
            }
            let waited = waiting.join().unwrap();
            assert!(matches!(waited, Waited::Stopped), "{waited:?}");
        });
    }
    // A start opens it again.
    let reloader = load();
    reloader.stop();
    reloader.start().unwrap();
    fs::write(&path, "2").unwrap();
    let waited = reloader.handle().wait_newer(Version::new(1), DEADLINE);
    assert_eq!(newer(&waited), 2);
}

#[test]
fn g20_in_a_poll_and_since_when_is_reported_while_it_lasts() {
    let (_folder, path) = file("1");
    let (entered, has_entered) = std::sync::mpsc::channel();
    let (let_go, may_go) = std::sync::mpsc::channel::<()>();
    let reloader = Reloader::<u64>::from_file(&path)
        .interval(ms(5))
        .settle(ms(5))
        .on_commit(move |_| {
            entered.send(()).unwrap();
            let _ = may_go.recv_timeout(DEADLINE);
            Ok(())
        })
        .load()
        .unwrap();
    assert!(!reloader.status().thread_alive);
    reloader.start().unwrap();
    fs::write(&path, "2").unwrap();
    has_entered.recv_timeout(DEADLINE).unwrap();
    let status = reloader.status();
    assert!(status.thread_alive);
    assert!(
        status
            .in_poll_since
            .is_some_and(|since| since <= reloader.now())
    );
    assert_eq!(status.version, Some(Version::new(2)), "what readers get");
    let_go.send(()).unwrap();
    wait_until("the poll ends", || {
        reloader.status().in_poll_since.is_none()
    });
    reloader.stop();
    assert!(!reloader.status().thread_alive);
}

#[test]
fn a_fixed_handle_reads_like_any_other() {
    let handle = Handle::fixed(7_u64);
    assert_eq!(*handle.load(), 7);
    assert_eq!(**handle.reader().get(), 7);
    assert_eq!(handle.load().version(), Version::new(1));
    assert_eq!(newer(&handle.wait_newer(Version::NONE, DEADLINE)), 7);
    let waited = handle.wait_newer(Version::new(1), DEADLINE);
    assert!(matches!(waited, Waited::Stopped), "{waited:?}");
}

#[test]
fn check_says_what_load_would_have_said_and_starts_nothing() {
    let (_folder, path) = file("7");
    let called = Arc::new(AtomicUsize::new(0));
    let count = called.clone();
    let check = || {
        let count = count.clone();
        Reloader::<u64>::from_file(&path)
            .settle(ms(1))
            .validate(|n, report| {
                if *n > 10 {
                    report.add("", "must be at most 10");
                }
            })
            .on_commit(move |_| {
                count.fetch_add(1, Ordering::SeqCst);
                Ok(())
            })
    };
    let good = check().check().unwrap();
    assert_eq!((**good, good.version()), (7, Version::new(1)));
    assert_eq!(good.exit_code(), 0);

    fs::write(&path, "11").unwrap();
    let refused = check().check().unwrap_err();
    assert_eq!(refused, check().load().unwrap_err());
    assert!(matches!(refused, LoadError::Rejected(_)));
    let text = refused.to_string();
    assert!(text.ends_with("config.yaml: must be at most 10"), "{text}");

    fs::remove_file(&path).unwrap();
    let missing = check().check().unwrap_err().to_string();
    assert!(missing.ends_with("config.yaml: no such file"), "{missing}");
    assert_eq!(called.load(Ordering::SeqCst), 0);
}

#[test]
fn what_a_program_shares_may_cross_threads_and_caught_panics() {
    fn shared<S: Send + Sync + std::panic::UnwindSafe + std::panic::RefUnwindSafe>() {}
    shared::<Handle<String>>();
    shared::<steadyconf::handle::Loaded<String>>();
    shared::<steadyconf::Reader<String>>();
    shared::<Reloader<String>>();
    fn sent<S: Send>() {}
    sent::<steadyconf::Builder<String>>();
    sent::<steadyconf::engine::Engine<String>>();
}
