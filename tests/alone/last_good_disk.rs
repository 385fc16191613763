//! The last known good on disks that say no, at paths that lead elsewhere, and after
//! damage.
#![cfg(all(feature = "std", target_os = "linux"))]

#[path = "../common/mod.rs"]
mod common;

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, lchown, symlink};
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;

use common::{Number, Script, gone, ms, skip};
use log::{LevelFilter, Log, Metadata, Record};
use steadyconf::{LoadError, Outcome, Reloader};

/// Loads a number from a script, and keeps it at `path`.
fn load(script: &Script, path: &Path) -> Result<Reloader<u32>, LoadError> {
    Reloader::with_detector(script.clone(), Number::default())
        .last_known_good(path)
        .load_at(ms(0), |until| until)
}

/// Returns what a start without a source gives.
fn kept(path: &Path) -> Result<u32, LoadError> {
    let script = Script::default();
    script.says(Err(gone()));
    load(&script, path).map(|reloader| *reloader.handle().load())
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

/// Loads, with this as the newest of the source; returns why it could not be kept.
fn keep(text: &str, path: &Path) -> Option<String> {
    let script = Script::default();
    script.shows(text);
    let status = load(&script, path).unwrap().status();
    status.last_good_error.map(|error| error.to_string())
}

#[test]
fn g18_a_link_is_followed_and_stays() {
    let folder = tempfile::tempdir().unwrap();
    let other_disk = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
    let elsewhere = other_disk.unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("deep")).unwrap();
    symlink("deep", at("folder")).unwrap();
    symlink("real.good", at("beside")).unwrap();
    symlink("beside", at("twice")).unwrap();
    symlink("folder/../deep/real.good", at("dotted")).unwrap();
    symlink(elsewhere.path().join("real.good"), at("elsewhere")).unwrap();
    let links = [
        ("beside", at("real.good")),
        ("twice", at("real.good")),
        ("dotted", at("deep/real.good")),
        ("elsewhere", elsewhere.path().join("real.good")),
    ];
    for (number, (name, target)) in links.iter().enumerate() {
        let path = at(name);
        let leads_to = fs::read_link(&path).unwrap();
        // It dangles at first, or leads to what an earlier link led to.
        for n in [number * 2 + 10, number * 2 + 11] {
            assert_eq!(keep(&n.to_string(), &path), None, "{name}");
            assert_eq!(fs::read_link(&path).unwrap(), leads_to, "{name}");
            assert_eq!(kept(&path).unwrap() as usize, n, "{name}");
            let metadata = fs::symlink_metadata(target).unwrap();
            assert!(metadata.is_file(), "{name}");
            assert_eq!(metadata.permissions().mode() & 0o777, 0o600, "{name}");
        }
        let beside = fs::read_dir(target.parent().unwrap()).unwrap().flatten();
        let mut names = beside.map(|entry| entry.file_name());
        let is_temporary = |name: std::ffi::OsString| name.to_string_lossy().ends_with(".tmp");
        assert!(!names.any(is_temporary), "{name}: leftovers");
    }
}

#[test]
fn g18_leftovers_beside_the_target_of_a_link_are_removed() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("deep")).unwrap();
    symlink("deep/real.good", at("last.good")).unwrap();
    let leftover = at("deep/.real.good.0123456789abcdef.tmp");
    fs::write(&leftover, "secrets").unwrap();
    assert_eq!(keep("7", &at("last.good")), None);
    assert!(!leftover.exists());
    fs::write(&leftover, "secrets").unwrap();
    assert_eq!(kept(&at("last.good")).unwrap(), 7);
    assert!(!leftover.exists());
}

#[test]
fn g18_a_link_that_leads_nowhere_good_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    symlink("there", at("here")).unwrap();
    symlink("here", at("there")).unwrap();
    let said = keep("1", &at("here")).unwrap();
    assert_eq!(said, "its link leads in a circle, or too far");

    symlink("missing/real.good", at("lost")).unwrap();
    let said = keep("1", &at("lost")).unwrap();
    let target = at("missing/real.good");
    let where_to = format!("{}, where its link leads", target.display());
    assert_eq!(said, format!("{where_to}: its folder does not exist"));
    fs::create_dir(at("missing")).unwrap();
    assert_eq!(keep("2", &at("lost")), None);
    assert_eq!(kept(&target).unwrap(), 2);

    // What is no last known good is left alone behind a link, too.
    fs::write(at("config.yaml"), "hello: world\n").unwrap();
    symlink("config.yaml", at("wrong")).unwrap();
    let said = keep("1", &at("wrong")).unwrap();
    assert!(said.contains("is left alone"), "{said}");
    assert_eq!(
        fs::read_to_string(at("config.yaml")).unwrap(),
        "hello: world\n"
    );
    symlink(".", at("folder")).unwrap();
    let said = keep("1", &at("folder")).unwrap();
    assert!(said.contains("not a file"), "{said}");
    assert!(fs::symlink_metadata(at("folder")).unwrap().is_symlink());
}

/// Whoever made a link chooses what is written to.
#[test]
fn g18_a_link_of_another_user_is_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    symlink("real.good", at("last.good")).unwrap();
    if lchown(at("last.good"), Some(12345), None).is_err() {
        skip("a link of another user: not root");
        return;
    }
    let said = keep("1", &at("last.good")).unwrap();
    assert!(said.contains("belongs to another user"), "{said}");
    assert!(!at("real.good").exists());
    lchown(at("last.good"), Some(0), None).unwrap();
    assert_eq!(keep("1", &at("last.good")), None);
}

/// A link is read through, and what counts is the file behind it: a link may be read by
/// all, whatever its target is.
#[test]
fn g18_the_target_of_a_link_is_what_is_trusted_or_not() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    symlink("real.good", at("last.good")).unwrap();
    assert_eq!(keep("1", &at("last.good")), None);
    assert_eq!(kept(&at("last.good")).unwrap(), 1);
    let mode = |mode| {
        fs::set_permissions(at("real.good"), fs::Permissions::from_mode(mode)).unwrap();
    };
    for open in [0o620, 0o602] {
        mode(open);
        let said = kept(&at("last.good")).unwrap_err().to_string();
        assert!(said.contains("others may write to it"), "{open:o}: {said}");
    }
    mode(0o600);
    if chown(at("real.good"), Some(12345), None).is_err() {
        skip("a target of another user: not root");
        return;
    }
    let said = kept(&at("last.good")).unwrap_err().to_string();
    assert!(said.contains("belongs to another user"), "{said}");
}

/// Whose files are trusted by a process that is not root's: its own, and root's.
#[test]
fn g18_what_root_wrote_is_trusted_by_everybody() {
    const CHILD: &str = "STEADYCONF_OTHER_USER_CHILD";
    const OWN: u32 = 12345;
    let Some(folder) = std::env::var_os(CHILD) else {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("last.good");
        assert_eq!(keep("1", &path), None);
        if chown(&path, Some(OWN), None).is_err() {
            skip("files of several users: not root");
            return;
        }
        for (name, owner) in [("own", OWN), ("other", 12346), ("root", 0), ("open", 0)] {
            let copy = folder.path().join(name);
            fs::copy(&path, &copy).unwrap();
            fs::set_permissions(&copy, fs::Permissions::from_mode(0o644)).unwrap();
            chown(&copy, Some(owner), None).unwrap();
            if name == "open" {
                fs::set_permissions(&copy, fs::Permissions::from_mode(0o646)).unwrap();
            }
        }
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
        let test = "g18_what_root_wrote_is_trusted_by_everybody";
        run_again(test, CHILD, folder.path());
        return;
    };
    // SAFETY: it changes nothing but the user of this process, which has this one test.
    assert_eq!(unsafe { libc::setresuid(OWN, OWN, OWN) }, 0);
    let at = |name: &str| Path::new(&folder).join(name);
    assert_eq!(kept(&at("own")).unwrap(), 1);
    assert_eq!(kept(&at("root")).unwrap(), 1);
    let said = kept(&at("other")).unwrap_err().to_string();
    assert!(said.contains("belongs to another user"), "{said}");
    let said = kept(&at("open")).unwrap_err().to_string();
    assert!(said.contains("others may write to it"), "{said}");
}
