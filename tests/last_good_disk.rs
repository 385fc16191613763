//! The last known good on disks that say no, at paths that lead elsewhere, and after
//! damage.
#![cfg(all(feature = "std", target_os = "linux"))]

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;

use common::{Number, Script, gone, ms, skip};
use log::{LevelFilter, Log, Metadata, Record};
use steadyconf::{LoadError, Outcome, Reloader};

/// Loads a number from a script, and keeps it at `path`.
fn load(script: &Script, path: &Path) -> Result<Reloader<u32>, LoadError> {
    Reloader::builder(script.clone(), Number::default())
        .last_known_good(path)
        .load_at(ms(0), |until| until)
}

/// Returns what a start without a source gives.
fn kept(path: &Path) -> Result<u32, LoadError> {
    let script = Script::default();
    script.says(Err(gone()));
    load(&script, path).map(|reloader| **reloader.handle().load())
}

/// Runs a test of this file again, in a process of its own. It has to end well.
fn run_again(test: &str, variable: &str, value: &Path) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(variable, value)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{}\n{said}\n{errors}",
        output.status
    );
    assert!(said.contains("1 passed"), "{said}");
}

/// The warnings of a child, which has one logger and one test.
struct Warnings(Mutex<Vec<String>>);

static WARNINGS: Warnings = Warnings(Mutex::new(Vec::new()));

impl Log for Warnings {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        self.0.lock().unwrap().push(record.args().to_string());
    }

    fn flush(&self) {}
}

/// Sets how large a file this process may write.
fn limit_file_size(bytes: libc::rlim_t) {
    let limit = libc::rlimit {
        rlim_cur: bytes,
        rlim_max: libc::RLIM_INFINITY,
    };
    // SAFETY: `limit` outlives the call.
    let set = unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit) };
    assert_eq!(set, 0);
}

#[test]
fn g18_a_limit_of_file_size_does_not_end_the_process() {
    const CHILD: &str = "STEADYCONF_LIMITED_CHILD";
    let Some(folder) = std::env::var_os(CHILD) else {
        let folder = tempfile::tempdir().unwrap();
        let test = "g18_a_limit_of_file_size_does_not_end_the_process";
        run_again(test, CHILD, folder.path());
        assert_eq!(kept(&folder.path().join("last.good")).unwrap(), 2);
        return;
    };
    log::set_logger(&WARNINGS).unwrap();
    log::set_max_level(LevelFilter::Warn);
    let path = Path::new(&folder).join("last.good");
    let script = Script::default();
    script.shows("1");
    let reloader = load(&script, &path).unwrap();
    limit_file_size(4096);
    script.shows(&format!("2{}", " ".repeat(5000)));
    let outcome = reloader.poll_at(ms(1000));
    assert!(matches!(outcome, Ok(Outcome::Applied(_))), "{outcome:?}");
    let status = reloader.status();
    let error = status.last_good_error.clone().unwrap_or_default();
    assert!(
        error.contains("4096 bytes at most (RLIMIT_FSIZE)"),
        "{error:?}"
    );
    assert!(status.is_healthy());
    assert_eq!(status.next_poll, ms(2000), "it is tried again");
    let warnings = WARNINGS.0.lock().unwrap().join("\n");
    assert!(warnings.contains(&*error), "{warnings}");
    assert_eq!(kept(&path).unwrap(), 1);
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "no leftovers");
    limit_file_size(libc::RLIM_INFINITY);
    assert_eq!(reloader.poll_at(ms(2000)), Ok(Outcome::Unchanged));
    assert_eq!(reloader.status().last_good_error, None);
}

/// A folder from which nothing can be removed, until this is dropped.
struct AppendOnly<'a>(&'a Path);

impl<'a> AppendOnly<'a> {
    fn new(folder: &'a Path) -> Option<Self> {
        let set = Command::new("chattr").arg("+a").arg(folder).output();
        set.is_ok_and(|set| set.status.success())
            .then_some(AppendOnly(folder))
    }
}

impl Drop for AppendOnly<'_> {
    fn drop(&mut self) {
        let _ = Command::new("chattr").arg("-a").arg(self.0).output();
    }
}

#[test]
fn g18_an_append_only_folder_does_not_collect_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("last.good");
    let script = Script::default();
    let reloader = {
        let Some(_append_only) = AppendOnly::new(folder.path()) else {
            skip("an append-only folder: not root, or no such attribute here");
            return;
        };
        script.shows("1");
        let reloader = load(&script, &path).unwrap();
        for second in 1..100 {
            script.shows(&format!("{second}"));
            reloader.poll_at(ms(second * 1000)).unwrap();
        }
        let error = reloader.status().last_good_error.unwrap_or_default();
        assert!(error.contains("not permitted"), "{error:?}");
        let left: Vec<_> = fs::read_dir(&folder).unwrap().flatten().collect();
        assert_eq!(left.len(), 1, "{left:?}");
        assert_eq!(left[0].metadata().unwrap().len(), 0, "it holds no secret");
        reloader
    };
    reloader.poll_at(ms(200_000)).unwrap();
    assert_eq!(reloader.status().last_good_error, None);
    assert_eq!(kept(&path).unwrap(), 99);
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "no leftovers");
}
