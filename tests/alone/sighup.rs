//! SIGHUP as "reload now". A file of its own: there is one handler for a signal in a
//! process, and one logger.
#![cfg(all(unix, feature = "signal"))]

#[path = "../common/mod.rs"]
mod common;

use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use common::{Text, file, save, wait_until};
use log::{Level, LevelFilter, Log, Metadata, Record};
use steadyconf::Reloader;

struct Lines(Mutex<Vec<(Level, String)>>);

static LINES: Lines = Lines(Mutex::new(Vec::new()));

impl Log for Lines {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let line = record.args().to_string();
        if line.starts_with("SIGHUP") {
            self.0.lock().unwrap().push((record.level(), line));
        }
    }

    fn flush(&self) {}
}

/// Sends the signal, and waits for what the log says of it.
fn hang_up() -> (Level, String) {
    let pid = std::process::id().to_string();
    let kill = Command::new("kill").args(["-HUP", &pid]).status().unwrap();
    assert!(kill.success());
    wait_until("a line in the log", || !LINES.0.lock().unwrap().is_empty());
    LINES.0.lock().unwrap().remove(0)
}

#[test]
fn g07_a_hangup_reloads_now_and_the_log_says_what_came_of_it() {
    log::set_logger(&LINES).unwrap();
    log::set_max_level(LevelFilter::Trace);
    let (_folder, path) = file("one");
    let reloader = Reloader::from_file_as(&path, Text)
        .validate(|text, report| {
            if text == "bad" {
                report.add("", "must not be bad");
            }
        })
        .interval(Duration::from_secs(3600))
        .load()
        .unwrap();
    let subscription = reloader.reload_on_sighup().unwrap();
    // There is no thread that looks, nor is it time to.
    let said = |line: &str| (Level::Info, format!("SIGHUP: {line}"));
    assert_eq!(hang_up(), said("nothing has changed"));
    save(&path, "two");
    assert_eq!(hang_up(), said("applied v2"));
    assert_eq!(*reloader.handle().load(), "two");
    save(&path, "bad");
    // Also the second time it is asked.
    for _ in 0..2 {
        let (level, line) = hang_up();
        assert_eq!(level, Level::Warn);
        assert!(line.starts_with("SIGHUP: rejected: sha256:"), "{line}");
        assert!(line.ends_with("must not be bad"), "{line}");
    }
    std::fs::remove_file(&path).unwrap();
    let (level, line) = hang_up();
    assert_eq!(level, Level::Warn);
    assert!(line.starts_with("SIGHUP: cannot read"), "{line}");
    save(&path, "two");
    assert_eq!(hang_up(), said("nothing has changed"));

    // A signal is taken by whoever is there, also one after the other.
    drop(subscription);
    save(&path, "three");
    let _again = reloader.reload_on_sighup().unwrap();
    assert_eq!(hang_up(), said("applied v3"));
}
