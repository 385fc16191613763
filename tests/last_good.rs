//! Starting from the last known good, and keeping it.
#![cfg(feature = "std")]

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::common::{DEADLINE, Number, Script, Text, gone, ms, save, skip};
use steadyconf::engine::{OnCommitError, Sighting};
use steadyconf::report::{Failure, RollbackError};
use steadyconf::{Builder, LoadError, Outcome, Reloader, Version};
use tempfile::TempDir;

fn v(number: u64) -> Version {
    Version::new(number)
}

/// A number from a script, with a last known good in a folder.
struct World {
    folder: TempDir,
    script: Script,
}

impl World {
    fn new() -> Self {
        World {
            folder: tempfile::tempdir().unwrap(),
            script: Script::default(),
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("last.good")
    }

    fn builder(&self) -> Builder<u32, steadyconf::source::Own> {
        Reloader::with_detector(self.script.clone(), Number::default())
            .validate(|value, report| {
                if *value > 100 {
                    report.add("", "must be at most 100");
                }
            })
            .last_known_good(self.path())
    }

    fn load(&self) -> Result<Reloader<u32>, LoadError> {
        self.builder().load_at(ms(0), |until| until)
    }

    /// A run before, that ended with this.
    fn ran_with(&self, text: &str) {
        self.script.shows(text);
        self.load().unwrap();
    }

    /// What a start without a source would give.
    fn kept(&self) -> Option<u32> {
        let script = Script::default();
        script.says(Err(gone()));
        let reloader = Reloader::with_detector(script, Number::default())
            .last_known_good(self.path())
            .load_at(ms(0), |until| until);
        reloader.ok().map(|reloader| *reloader.handle().load())
    }
}

#[test]
fn g18_a_start_from_the_last_known_good_is_reported() {
    // The source is back with the very same, with something else, and with
    // something else that is bad at first.
    for (shows, version) in [("7", 1), ("8", 2), ("bad", 1)] {
        let world = World::new();
        world.ran_with("7");
        world.script.says(Err(gone()));
        let reloader = world.load().unwrap();
        assert_eq!(*reloader.handle().load(), 7);
        let status = reloader.status();
        assert!(status.from_last_good && status.source_differs && !status.is_healthy());
        let failure = status.last_error.unwrap().failure;
        assert!(matches!(failure, Failure::Source(_)), "{failure}");

        world.script.says(Err(gone()));
        assert!(reloader.poll_at(ms(1000)).is_err());
        assert!(reloader.status().from_last_good);

        world.script.shows(shows);
        reloader.poll_at(ms(2000)).unwrap();
        assert_eq!(reloader.handle().load().version(), v(version));
        let bad = shows == "bad";
        assert_eq!(reloader.status().from_last_good, bad);
        assert_eq!(reloader.status().is_healthy(), !bad);
        if bad {
            world.script.shows("7");
            assert_eq!(reloader.poll_at(ms(3000)), Ok(Outcome::Unchanged));
            assert!(reloader.status().is_healthy());
        }
    }
}

#[test]
fn g18_a_rejected_source_starts_from_it_too_and_stays_refused() {
    let world = World::new();
    world.ran_with("7");
    world.script.shows("101");
    let reloader = world.load().unwrap();
    assert_eq!(*reloader.handle().load(), 7);
    let status = reloader.status();
    assert!(matches!(
        status.last_error.unwrap().failure,
        Failure::Rejected(_)
    ));
    let outcome = reloader.poll_at(ms(1000));
    assert!(matches!(outcome, Ok(Outcome::Rejected(_))));
    assert!(matches!(
        reloader.rollback(),
        Err(RollbackError::NothingToGoBackTo)
    ));
    world.script.shows("9");
    assert_eq!(reloader.poll_at(ms(2000)), Ok(Outcome::Applied(v(2))));
    assert!(reloader.status().is_healthy());
    assert_eq!(world.kept(), Some(9));
}

#[test]
fn g18_a_start_from_it_if_the_source_never_holds_still() {
    let world = World::new();
    world.ran_with("7");
    for second in 0..20 {
        let until = ms(second * 1000 + 1000);
        world.script.says(Ok(Sighting::Settling { until }));
    }
    let reloader = world.load().unwrap();
    assert!(reloader.status().from_last_good);
    drop(reloader);

    let reloader = World::load(&World {
        script: Script::default(),
        ..world
    });
    let reloader = reloader.unwrap();
    assert_eq!(reloader.poll_at(ms(1000)), Ok(Outcome::Unchanged));
    let status = reloader.status();
    assert!(
        status.from_last_good && status.source_differs,
        "nothing was seen"
    );
    assert_eq!(status.last_success, None);
}

#[test]
fn g18_a_good_source_is_what_counts_whatever_is_kept() {
    let world = World::new();
    world.ran_with("7");
    world.script.shows("8");
    let reloader = world.load().unwrap();
    assert_eq!(*reloader.handle().load(), 8);
    assert!(reloader.status().is_healthy());
    drop(reloader);
    let mut bytes = fs::read(world.path()).unwrap();
    bytes.truncate(bytes.len() - 9);
    fs::write(world.path(), bytes).unwrap();
    world.ran_with("9");
    assert_eq!(world.kept(), Some(9), "and a damaged one is made good");
}

#[test]
fn g16_g18_what_needs_a_restart_after_such_a_start() {
    let world = World::new();
    world.ran_with("7");
    world.script.says(Err(gone()));
    let change = |old: &u32, new: &u32, report: &mut steadyconf::Report| {
        if old != new {
            report.add("server.port", "needs a restart");
        }
    };
    let reloader = world
        .builder()
        .validate_change(change)
        .load_at(ms(0), |until| until)
        .unwrap();
    world.script.shows("8");
    let Ok(Outcome::Rejected(rejection)) = reloader.poll_at(ms(1000)) else {
        panic!("not rejected");
    };
    assert_eq!(rejection.problems()[0].path(), "server.port");
    assert!(reloader.status().from_last_good);
}

#[test]
fn g18_a_program_that_cannot_start_says_both_reasons() {
    let world = World::new();
    let path = world.path();
    let name = path.display();
    let refused = |world: &World| {
        world.script.says(Err(gone()));
        world.load().unwrap_err().to_string()
    };
    assert_eq!(
        refused(&world),
        format!(
            "cannot load the configuration: test: no such file\n\
             nor the last known good: {name}: no such file"
        )
    );
    world.ran_with("7");
    let good = fs::read(&path).unwrap();
    fs::write(&path, &good[..good.len() - 2]).unwrap();
    assert_eq!(
        refused(&world),
        format!(
            "cannot load the configuration: test: no such file\n\
             nor the last known good: {name}: damaged: its checksum does not match its content"
        )
    );
    // The program has become stricter since.
    fs::write(&path, &good).unwrap();
    world.script.says(Err(gone()));
    let error = world
        .builder()
        .validate(|_, report| report.add("", "never"))
        .load_at(ms(0), |until| until)
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "cannot load the configuration: test: no such file\n\
             nor the last known good, {name}: sha256:7902699be42c fails validation, 1 problem:\n  \
             test: never"
        )
    );
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(refused(&world).contains("expected a file, found a folder"));
}

#[test]
fn g18_it_is_written_after_commit_and_probation() {
    let world = World::new();
    let sick = |value: &u32| if *value == 3 { Err("three") } else { Ok(()) };
    world.script.shows("1");
    let reloader = world
        .builder()
        .probation(ms(10_000), move |snapshot| sick(snapshot))
        .load_at(ms(0), |until| until)
        .unwrap();
    assert_eq!(world.kept(), None, "it has to prove itself");
    reloader.poll_at(ms(10_000)).unwrap();
    assert_eq!(world.kept(), Some(1));
    for (second, text, kept) in [(11, "2", 1), (12, "bad", 1), (22, "2", 2), (23, "3", 2)] {
        world.script.shows(text);
        let _ = reloader.poll_at(ms(second * 1000));
        assert_eq!(world.kept(), Some(kept), "at {second} s");
    }
    assert_eq!(reloader.poll_at(ms(24_000)), Ok(Outcome::RolledBack(v(4))));
    assert_eq!(world.kept(), Some(2));
    reloader.rollback().unwrap();
    assert_eq!(world.kept(), Some(1));
}

/// Neither what is still on probation, nor what a listener could not take into use.
#[test]
fn g18_what_is_unproven_is_not_written() {
    let world = World::new();
    world.script.shows("1");
    let reloader = world
        .builder()
        .probation(
            ms(10_000),
            |value| if **value == 2 { Err("two") } else { Ok(()) },
        )
        .load_at(ms(0), |until| until)
        .unwrap();
    world.script.shows("2");
    reloader.poll_at(ms(1000)).unwrap();
    let outcome = reloader.poll_at(ms(2000));
    assert!(matches!(outcome, Ok(Outcome::RolledBack(_))));
    assert_eq!(world.kept(), None, "1 was on probation for 1 s of 10");
    world.script.shows("4");
    reloader.poll_at(ms(12_000)).unwrap();
    assert_eq!(
        world.kept(),
        Some(1),
        "it passed in the poll that took the next one"
    );

    let world = World::new();
    world.script.shows("1");
    let reloader = world
        .builder()
        .history(0)
        .on_commit_error(OnCommitError::RollBack)
        .on_commit(|change| match **change.new {
            2 => Err("cannot bind".into()),
            _ => Ok(()),
        })
        .load_at(ms(0), |until| until)
        .unwrap();
    world.script.shows("2");
    reloader.poll_at(ms(1000)).unwrap();
    assert!(!reloader.status().is_healthy());
    assert_eq!(world.kept(), Some(1));
}

#[test]
fn g20_a_failure_to_write_ends_with_the_old_one_too() {
    let world = World::new();
    let (folder, away) = (world.folder.path().join("a"), world.folder.path().join("b"));
    fs::create_dir(&folder).unwrap();
    world.script.shows("1");
    let reloader = world
        .builder()
        .last_known_good(folder.join("last.good"))
        .load_at(ms(0), |until| until)
        .unwrap();
    fs::rename(&folder, &away).unwrap();
    world.script.shows("2");
    reloader.poll_at(ms(1000)).unwrap();
    assert!(reloader.status().last_good_error.is_some());
    fs::rename(&away, &folder).unwrap();
    world.script.shows("1");
    reloader.poll_at(ms(2000)).unwrap();
    assert_eq!(reloader.status().last_good_error, None);
}

#[test]
fn g18_the_source_itself_is_never_overwritten() {
    let (_folder, path) = crate::common::file("hello\n");
    let reloader = Reloader::from_file_as(&path, Text).last_known_good(&path);
    let reloader = reloader.load().unwrap();
    assert!(reloader.status().last_good_error.is_some());
    assert_eq!(fs::read_to_string(&path).unwrap(), "hello\n");
}

#[test]
fn g18_what_cannot_be_written_changes_nothing_else() {
    let world = World::new();
    let missing = world.folder.path().join("missing");
    world.script.shows("1");
    let reloader = world
        .builder()
        .last_known_good(missing.join("last.good"))
        .load_at(ms(0), |until| until)
        .unwrap();
    let status = reloader.status();
    assert!(status.last_good_error.is_some() && status.is_healthy());
    world.script.shows("2");
    assert_eq!(reloader.poll_at(ms(1000)), Ok(Outcome::Applied(v(2))));
    assert!(reloader.status().is_healthy());
    fs::create_dir(&missing).unwrap();
    for second in 2..62 {
        reloader.poll_at(ms(second * 1000)).unwrap();
    }
    assert_eq!(reloader.status().last_good_error, None);
    assert!(missing.join("last.good").exists());
}

#[test]
fn g18_check_reads_and_writes_none() {
    let world = World::new();
    world.script.shows("7");
    world.builder().check().unwrap();
    assert!(!world.path().exists());
    world.ran_with("7");
    world.script.says(Err(gone()));
    assert!(world.builder().check().is_err());
}

#[cfg(target_os = "linux")]
#[test]
fn g18_a_disk_that_is_full_or_read_only() {
    use rustix::mount::{MountFlags, UnmountFlags, mount, mount_remount, unmount};
    struct Mounted(PathBuf);
    impl Drop for Mounted {
        fn drop(&mut self) {
            let _ = unmount(&self.0, UnmountFlags::DETACH);
        }
    }

    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let size = c"size=64k";
    if mount("tmpfs", at, "tmpfs", MountFlags::empty(), size).is_err() {
        skip("a full disk: not root, or not allowed to mount");
        return;
    }
    let _mounted = Mounted(at.to_path_buf());
    let (path, last_good) = (folder.path().join("none"), at.join("last.good"));
    let world = World::new();
    let source = world.folder.path().join("config.yaml");
    let small = "a\n".repeat(10);
    fs::write(&source, &small).unwrap();
    let reloader = Reloader::from_file_as(&source, Text)
        .settle(Duration::ZERO)
        .last_known_good(&last_good)
        .load()
        .unwrap();
    let applied = |text: &str| {
        save(&source, text);
        let outcome = reloader.reload(DEADLINE).outcome;
        assert!(matches!(outcome, Ok(Outcome::Applied(_))), "{outcome:?}");
        assert!(reloader.status().is_healthy());
        reloader.status().last_good_error
    };
    assert!(applied(&"b\n".repeat(100_000)).is_some(), "no space");
    let kept = || {
        let reloader = Reloader::from_file_as(&path, Text).last_known_good(&last_good);
        reloader
            .load()
            .map(|reloader| reloader.handle().load().to_string())
    };
    assert_eq!(kept().unwrap(), small);
    assert_eq!(fs::read_dir(at).unwrap().count(), 1, "nothing is left over");
    mount_remount(at, MountFlags::RDONLY, size).unwrap();
    let error = applied("c\n").unwrap_or_default();
    // It may still be the first one: it is tried again after a pause.
    assert!(!error.is_empty());
    assert_eq!(kept().unwrap(), small);
}

/// Set for the process that is to be killed.
const FOLDER: &str = "STEADYCONF_TEST_KILL";

/// So much that it does not get to the disk in one go.
fn whole(n: u64) -> String {
    format!("{n:08}\n").repeat(20_000)
}

/// Not a test by itself: the process that is killed. It saves one number after the
/// other and says each, once it has been applied and kept.
#[test]
fn g18_child_of_the_test_below() {
    let Ok(folder) = std::env::var(FOLDER) else {
        return;
    };
    let folder = Path::new(&folder);
    let source = folder.join("config.yaml");
    let reloader = Reloader::from_file_as(&source, Text)
        .settle(Duration::ZERO)
        .last_known_good(folder.join("last.good"))
        .load()
        .unwrap();
    let first: u64 = reloader.handle().load()[..8].parse().unwrap();
    println!("\nkept {first}");
    for n in first + 1.. {
        save(&source, &whole(n));
        assert!(matches!(
            reloader.reload(DEADLINE).outcome,
            Ok(Outcome::Applied(_))
        ));
        println!("kept {n}");
    }
}

#[test]
fn g18_a_process_killed_anywhere_leaves_old_or_new() {
    const ROUNDS: u64 = 300;
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("config.yaml");
    let missing = folder.path().join("missing.yaml");
    let last_good = folder.path().join("last.good");
    let mut newest = 1;
    let mut in_between = 0;
    fs::write(&source, whole(newest)).unwrap();
    for round in 0..ROUNDS {
        let said = one_life(folder.path(), Duration::from_micros(round * 7919 % 20_000));
        let reloader = Reloader::from_file_as(&missing, Text)
            .last_known_good(&last_good)
            .load()
            .unwrap_or_else(|error| panic!("round {round}: {error}"));
        let found = reloader.handle().load().to_string();
        let n: u64 = found[..8].parse().unwrap();
        assert!(found == whole(n), "round {round}: torn");
        // What was said to be kept is; at most one more was under way.
        assert!((said..=said + 1).contains(&n), "round {round}: {said}, {n}");
        assert!(n >= newest, "round {round}: it went back");
        newest = n;
        in_between += u64::from(n > said);
        let count = fs::read_dir(folder.path()).unwrap().count();
        assert!(count <= 4, "leftovers pile up: {count}");
    }
    assert!(newest > ROUNDS / 10, "they got somewhere: {newest}");
    println!("{newest} writes in {ROUNDS} lives; {in_between} ended after the rename");
}

/// Runs the child and kills it some time after its first word. Gives the last
/// number that it said.
fn one_life(folder: &Path, after: Duration) -> u64 {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            &crate::common::exact(module_path!(), "g18_child_of_the_test_below"),
            "--nocapture",
        ])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap());
    let mut text = String::new();
    while !text.contains("kept ") {
        let read = said.read_line(&mut text).unwrap();
        assert!(read > 0, "the child ended by itself: {text}");
    }
    thread::sleep(after);
    child.kill().unwrap();
    child.wait().unwrap();
    said.read_to_string(&mut text).unwrap();
    let whole_lines = text.rsplit_once('\n').unwrap().0;
    let last = whole_lines
        .lines()
        .rev()
        .find_map(|line| line.strip_prefix("kept "));
    last.unwrap().parse().unwrap()
}

#[test]
fn g18_if_it_disappears_or_is_spoilt_it_is_written_again() {
    let world = World::new();
    world.script.shows("1");
    let reloader = world.builder().load_at(ms(0), |until| until).unwrap();
    assert_eq!(world.kept(), Some(1));
    let mut now = ms(0);
    let spoils: [fn(&Path); 6] = [
        |path| fs::remove_file(path).unwrap(),
        |path| fs::write(path, "").unwrap(),
        |path| fs::write(path, [0; 50]).unwrap(),
        |path| fs::write(path, fs::read(path).unwrap().repeat(2)).unwrap(),
        |path| fs::write(path, &fs::read(path).unwrap()[..60]).unwrap(),
        |path| {
            let mut bytes = fs::read(path).unwrap();
            bytes[..4].copy_from_slice(b"oops");
            fs::write(path, bytes).unwrap();
        },
    ];
    for spoil in spoils {
        spoil(&world.path());
        now += ms(30_000);
        reloader.poll_at(now).unwrap();
        now += ms(31_000);
        reloader.poll_at(now).unwrap();
        assert_eq!(world.kept(), Some(1));
    }
}

/// Whoever may write it may choose what the program starts with.
#[cfg(unix)]
#[test]
fn g18_one_that_others_may_write_is_not_trusted() {
    use std::os::unix::fs::{PermissionsExt, chown};
    let world = World::new();
    world.script.shows("1");
    drop(world.builder().load_at(ms(0), |until| until).unwrap());
    world.script.shows("bad");
    let load = || world.builder().load_at(ms(0), |until| until);
    assert_eq!(*load().unwrap().handle().load(), 1);
    let mode = |mode| fs::set_permissions(world.path(), fs::Permissions::from_mode(mode)).unwrap();
    for open in [0o620, 0o602, 0o666] {
        mode(open);
        let said = load().unwrap_err().to_string();
        assert!(said.contains("others may write to it"), "{open:o}: {said}");
    }
    mode(0o644);
    assert!(load().is_ok());
    if chown(world.path(), Some(12345), None).is_err() {
        crate::common::skip("another owner: not root");
        return;
    }
    let said = load().unwrap_err().to_string();
    assert!(said.contains("belongs to another user"), "{said}");
}
