//! A file that is a mount of its own is warned of. A file of its own, for there is one
//! logger in a process.
#![cfg(all(target_os = "linux", feature = "values"))]

#[path = "../common/mod.rs"]
mod common;

use std::fs;
use std::sync::Mutex;

use common::{ms, skip};
use log::{LevelFilter, Log, Metadata, Record};
use rustix::mount::{UnmountFlags, mount_bind, unmount};
use steadyconf::Reloader;

struct Lines(Mutex<Vec<String>>);

static LINES: Lines = Lines(Mutex::new(Vec::new()));

impl Log for Lines {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let line = format!("{} {}", record.level(), record.args());
        self.0.lock().unwrap().push(line);
    }

    fn flush(&self) {}
}

#[test]
fn g07_a_file_that_is_a_mount_of_its_own_is_warned_of() {
    log::set_logger(&LINES).unwrap();
    log::set_max_level(LevelFilter::Trace);
    let folder = tempfile::tempdir().unwrap();
    let [outside, path] = ["outside", "config.yaml"].map(|name| folder.path().join(name));
    for file in [&outside, &path] {
        fs::write(file, "a: 1\n").unwrap();
    }
    let warnings = || {
        let load = Reloader::<serde_yaml::Value>::from_file(&path).load_at(ms(0), |until| until);
        let reloader = load.unwrap();
        reloader.poll_at(ms(10_000)).unwrap();
        let lines = std::mem::take(&mut *LINES.0.lock().unwrap());
        let warnings = lines.into_iter().filter(|line| line.starts_with("WARN"));
        warnings.collect::<Vec<_>>()
    };
    assert!(warnings().is_empty());
    if mount_bind(&outside, &path).is_err() {
        skip("mounts: not root, or not allowed to");
        return;
    }
    let found = std::panic::catch_unwind(warnings);
    unmount(&path, UnmountFlags::DETACH).unwrap();
    let expected = format!(
        "WARN {} is a mount of its own: a replaced file will not arrive; mount its folder",
        path.display()
    );
    assert_eq!(found.unwrap(), [expected]);
}
