//! Handles to a part of the configuration.
#![cfg(feature = "values")]

use std::fs;
use std::panic::{AssertUnwindSafe, RefUnwindSafe, UnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::common::{DEADLINE, file, ms, tick};
use steadyconf::handle::{LoadedPart, Part, WaitedPart};
use steadyconf::{Handle, Reloader, Version};
use tempfile::TempDir;

#[derive(serde::Deserialize)]
struct Config {
    db: Db,
    log: String,
}

#[derive(PartialEq, serde::Deserialize)]
struct Db {
    url: String,
    pool_size: u32,
}

/// A reloader on virtual time, and how to bring a configuration into it.
fn program() -> (TempDir, Reloader<Config>, impl FnMut(&str, &str) -> u64) {
    let text = |url: &str, log: &str| format!("db: {{url: {url}, pool_size: 4}}\nlog: {log}\n");
    let (folder, path) = file(&text("a", "info"));
    let reloader = Reloader::<Config>::from_file(&path)
        .settle(Duration::ZERO)
        .load_at(ms(0), |until| until)
        .unwrap();
    let mut seconds = 0;
    let write = move |url: &str, log: &str| {
        tick(path.parent().unwrap());
        fs::write(&path, text(url, log)).unwrap();
        seconds += 1;
        seconds * 1000
    };
    (folder, reloader, write)
}

#[test]
fn g01_a_part_is_of_one_snapshot_and_keeps_it_alive() {
    let (_folder, reloader, mut write) = program();
    let handle = reloader.handle();
    let part: Part<Db> = handle.part(|config| &config.db);
    let (whole, first) = (handle.load(), part.load());
    assert!(
        std::ptr::eq(&raw const whole.db, &raw const *first),
        "no copy"
    );
    assert_eq!(
        (first.version(), part.version()),
        (Version::new(1), Version::new(1))
    );
    let at = write("b", "info");
    reloader.poll_at(ms(at)).unwrap();
    assert_eq!(
        (&*part.load().url, part.load().version()),
        ("b", Version::new(2))
    );
    drop((whole, handle, reloader));
    assert_eq!(
        (&*first.url, first.pool_size, first.version()),
        ("a", 4, Version::new(1))
    );
    assert_eq!(part.clone().load().url, "b", "after the reloader, too");
}

#[test]
fn a_part_changes_only_if_it_differs() {
    let (_folder, reloader, mut write) = program();
    let part = reloader.handle().part(|config| &config.db);
    let log = reloader.handle().part(|config| config.log.as_str());
    let (mut db, mut level) = (part.load(), log.load());
    let mut both = || {
        let wait = |waited| waited == WaitedPart::Changed;
        (
            wait(part.wait_changed(&mut db, Duration::ZERO)),
            wait(log.wait_changed(&mut level, Duration::ZERO)),
        )
    };
    assert_eq!(both(), (false, false));
    for (url, log, expected) in [
        ("a", "debug", (false, true)),
        ("b", "debug", (true, false)),
        ("c", "warn", (true, true)),
    ] {
        let at = write(url, log);
        reloader.poll_at(ms(at)).unwrap();
        assert_eq!(both(), expected, "{url} {log}");
        assert_eq!(both(), (false, false));
    }
    // There and back before anybody asks.
    for url in ["d", "c"] {
        let at = write(url, "warn");
        reloader.poll_at(ms(at)).unwrap();
    }
    assert_eq!(both(), (false, false));
    reloader.rollback().unwrap();
    assert_eq!(both(), (true, false), "a rollback is a change");
    assert_eq!(
        (db.version(), level.version()),
        (part.version(), part.version())
    );
    assert_eq!((&*db.url, &*level), ("d", "warn"));
}

#[test]
fn a_wait_goes_on_until_the_part_differs() {
    let (_folder, reloader, mut write) = program();
    let part = reloader.handle().part(|config| &config.db);
    let mut seen = part.load();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let waited = part.wait_changed(&mut seen, Duration::MAX);
            (waited, seen.url.clone())
        });
        for (url, log) in [("a", "debug"), ("a", "warn"), ("b", "warn")] {
            let at = write(url, log);
            reloader.poll_at(ms(at)).unwrap();
        }
        assert_eq!(waiting.join().unwrap(), (WaitedPart::Changed, "b".into()));
    });
    assert_eq!(part.wait_changed(&mut seen, ms(2)), WaitedPart::TimedOut);
}

#[test]
fn g19_who_waits_for_a_part_is_reported_of_the_end() {
    let (_folder, reloader, _) = program();
    let part = reloader.handle().part(|config| &config.db);
    let mut seen = part.load();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| part.wait_changed(&mut seen, DEADLINE));
        drop(reloader);
        assert_eq!(waiting.join().unwrap(), WaitedPart::Stopped);
    });
}

/// What was seen of another part does not keep an old configuration alive.
#[test]
fn a_wait_lets_go_of_the_snapshot_that_was_seen() {
    static ALIVE: AtomicUsize = AtomicUsize::new(0);
    #[derive(serde::Deserialize)]
    #[serde(from = "u64")]
    struct Counted(u64);
    impl From<u64> for Counted {
        fn from(n: u64) -> Self {
            ALIVE.fetch_add(1, Ordering::SeqCst);
            Counted(n / 10)
        }
    }
    impl Drop for Counted {
        fn drop(&mut self) {
            ALIVE.fetch_sub(1, Ordering::SeqCst);
        }
    }
    let (_folder, path) = file("10");
    let reloader = Reloader::<Counted>::from_file(&path)
        .settle(Duration::ZERO)
        .history(0)
        .load_at(ms(0), |until| until)
        .unwrap();
    let tens = reloader.handle().part(|counted| &counted.0);
    let mut seen = tens.load();
    tick(path.parent().unwrap());
    fs::write(&path, "11").unwrap();
    reloader.poll_at(ms(1000)).unwrap();
    assert_eq!(ALIVE.load(Ordering::SeqCst), 2);
    let waited = tens.wait_changed(&mut seen, Duration::ZERO);
    assert_eq!(
        (waited, seen.version()),
        (WaitedPart::TimedOut, Version::new(2))
    );
    assert_eq!(ALIVE.load(Ordering::SeqCst), 1);
}

#[test]
fn g03_a_selector_that_panics_breaks_nothing() {
    let handle = Handle::fixed(7_u32);
    let part = handle.part(|value| {
        assert_ne!(*value, 7, "no");
        value
    });
    let loaded = part.load();
    assert!(catch_unwind(AssertUnwindSafe(|| *loaded)).is_err());
    assert_eq!((*handle.load(), part.version()), (7, Version::new(1)));
}

#[test]
fn g06_debug_of_a_part_leaves_the_value_out() {
    let part = Handle::fixed(String::from("sk-canary")).part(|value| value.as_str());
    let (part, loaded) = (format!("{part:?}"), format!("{:?}", part.load()));
    assert_eq!(part, "Part { version: v1, .. }");
    assert_eq!(loaded, "LoadedPart { version: v1, .. }");
}

#[test]
fn a_part_may_cross_threads_and_caught_panics() {
    fn shared<S: Clone + Send + Sync + UnwindSafe + RefUnwindSafe + 'static>() {}
    shared::<Part<String>>();
    shared::<LoadedPart<String>>();
}
