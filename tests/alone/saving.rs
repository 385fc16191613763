//! Every way of saving a file that we could think of, on real files and virtual
//! time: the active snapshot is what is at the path, within an interval and a settle
//! time, and nothing in between was ever served.
//!
//! The format here takes any text, so nothing that is torn is kept out by a
//! parser; only detection stands between a half-written file and the readers.
#![cfg(all(feature = "std", target_os = "linux"))]

#[path = "../common/mod.rs"]
mod common;

use std::fs::{self, File, FileTimes, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use common::{Journal, Text, ms, skip, tick};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use steadyconf::report::DetectErrorKind;
use steadyconf::source::FileDetector;
use steadyconf::{LoadError, Outcome, Reloader, Source};
use tempfile::TempDir;

const INTERVAL: Duration = Duration::from_secs(1);
const SETTLE: Duration = Duration::from_millis(100);

/// What is there at first, and what is saved. Of one length, so that no size
/// gives a change away; long enough to be written in many pieces.
const OLD: &str = "name: alpha\nlimit: 1111\nwords: [one, two, three]\nlast: line-of-alpha\n";
const NEW: &str = "name: omega\nlimit: 2222\nwords: [six, ten, seven]\nlast: line-of-omega\n";

/// A folder with a file in it, and who watches it.
struct World {
    folder: TempDir,
    path: PathBuf,
    reloader: Reloader<String>,
    applied: Journal,
    now: Duration,
}

impl World {
    /// A plain file, `config.yaml`.
    fn new() -> Self {
        World::laid_out(|folder| {
            let path = folder.join("config.yaml");
            fs::write(&path, OLD).unwrap();
            path
        })
    }

    /// `lay_out` puts the old content somewhere in the folder and says what path
    /// is watched.
    fn laid_out(lay_out: impl FnOnce(&Path) -> PathBuf) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = lay_out(folder.path());
        let applied = Journal::default();
        let note = applied.clone();
        let reloader = Reloader::with_detector(FileDetector::new(&path).settle(SETTLE), Text)
            .interval(INTERVAL)
            .on_commit(move |change| {
                note.note(change.new.value().clone());
                Ok(())
            })
            .load_at(ms(0), |until| until)
            .unwrap();
        let now = reloader.status().last_poll.unwrap();
        World {
            folder,
            path,
            reloader,
            applied,
            now,
        }
    }

    fn beside(&self, name: &str) -> PathBuf {
        self.path.with_file_name(name)
    }

    /// One look, at the time at which the reloader wants it.
    fn look(&mut self) -> Result<Outcome, steadyconf::report::DetectError> {
        self.now = self.reloader.next_poll();
        self.reloader.poll_at(self.now)
    }

    /// One look, so much later.
    fn look_after(&mut self, pause: Duration) -> Result<Outcome, steadyconf::report::DetectError> {
        self.now += pause;
        self.reloader.poll_at(self.now)
    }

    /// Lets time pass until the stamp is trusted, at a moment that is not just
    /// before a full read.
    fn age(&mut self) {
        for _ in 0..40 {
            assert_eq!(self.look(), Ok(Outcome::Unchanged));
        }
        tick(self.folder.path());
    }

    fn active(&self) -> String {
        self.reloader.handle().load().value().clone()
    }

    /// The content becomes active within this time of the last look, and
    /// nothing else does before.
    #[track_caller]
    fn expect(&mut self, what: &str, content: &str, within: Duration) {
        let saved = self.now;
        loop {
            let outcome = self.look();
            if let Ok(Outcome::Applied(_)) = outcome {
                break;
            }
            let late = self.now > saved + within;
            assert!(!late, "{what}: not within {within:?}, but {outcome:?}");
        }
        assert!(
            self.now <= saved + within,
            "{what}: only at {:?}",
            self.now - saved
        );
        assert_eq!(self.applied.take(), [content], "{what}");
        for _ in 0..3 {
            assert_eq!(self.look(), Ok(Outcome::Unchanged), "{what}");
        }
    }

    /// The same, with no looks after it.
    #[track_caller]
    fn expect_applied_at_once(&mut self, content: &str) {
        while !matches!(self.look(), Ok(Outcome::Applied(_))) {}
        assert_eq!(self.applied.take(), [content]);
    }

    /// Nothing happens, for long enough for a full read.
    #[track_caller]
    fn expect_nothing(&mut self, what: &str) {
        let before = self.reloader.handle().load().version();
        for _ in 0..70 {
            let outcome = self.look();
            assert_eq!(outcome, Ok(Outcome::Unchanged), "{what}");
        }
        assert_eq!(self.reloader.handle().load().version(), before, "{what}");
        assert!(self.applied.take().is_empty(), "{what}");
    }
}

/// A change that is seen at the next poll and settles.
const PROMPT: Duration = INTERVAL.saturating_add(SETTLE);

type Way = (&'static str, fn(&World, &str));

/// Saves in each of these ways, once while the stamp is young and once when it
/// is old, there and back.
#[track_caller]
fn all_are_seen(ways: &[Way], within: Duration) {
    for (what, save) in ways {
        for aged in [false, true] {
            let mut world = World::new();
            for content in [NEW, OLD, NEW] {
                if aged {
                    world.age();
                } else {
                    tick(world.folder.path());
                }
                save(&world, content);
                let now = fs::read_to_string(&world.path).unwrap();
                assert_eq!(now, content, "{what}: the way itself");
                world.expect(&format!("{what}, aged: {aged}"), content, within);
            }
        }
    }
}

fn open(path: &Path) -> File {
    OpenOptions::new().write(true).open(path).unwrap()
}

#[track_caller]
fn shell(world: &World, content: &str, script: &str) {
    let status = Command::new("sh")
        .args(["-ec", script])
        .current_dir(world.path.parent().unwrap())
        .env("CONTENT", content)
        .status()
        .unwrap();
    assert!(status.success(), "{script}");
}

fn has(program: &str) -> bool {
    let found = Command::new("sh")
        .args(["-c", &format!("command -v {program} >/dev/null")])
        .status();
    let found = found.is_ok_and(|status| status.success());
    if !found {
        skip(&format!("{program} is not installed"));
    }
    found
}

#[test]
fn g07_saved_in_place() {
    let ways: &[Way] = &[
        ("truncate and write", |w, c| fs::write(&w.path, c).unwrap()),
        ("overwrite without truncating", |w, c| {
            open(&w.path).write_all(c.as_bytes()).unwrap();
        }),
        ("in blocks", |w, c| {
            let mut file = File::create(&w.path).unwrap();
            for block in c.as_bytes().chunks(7) {
                file.write_all(block).unwrap();
            }
        }),
        ("byte by byte, backwards", |w, c| {
            let file = open(&w.path);
            for (at, byte) in c.bytes().enumerate().rev() {
                file.write_all_at(&[byte], at as u64).unwrap();
            }
        }),
        ("pwrite of what differs", |w, c| {
            let before = fs::read(&w.path).unwrap();
            let file = open(&w.path);
            for (at, byte) in c.bytes().enumerate() {
                if before[at] != byte {
                    file.write_all_at(&[byte], at as u64).unwrap();
                }
            }
        }),
        ("with fsync", |w, c| {
            let mut file = File::create(&w.path).unwrap();
            file.write_all(c.as_bytes()).unwrap();
            file.sync_all().unwrap();
        }),
        ("through a hole", |w, c| {
            let mut file = File::create(&w.path).unwrap();
            file.seek(SeekFrom::Start(10)).unwrap();
            file.write_all(&c.as_bytes()[10..]).unwrap();
            file.rewind().unwrap();
            file.write_all(&c.as_bytes()[..10]).unwrap();
        }),
        ("longer, then cut", |w, c| {
            let mut file = open(&w.path);
            write!(file, "{c}garbage").unwrap();
            file.set_len(c.len() as u64).unwrap();
        }),
        ("shrunk, then grown", |w, c| {
            let mut file = open(&w.path);
            file.set_len(3).unwrap();
            file.write_all(c.as_bytes()).unwrap();
        }),
        ("appended to nothing", |w, c| {
            File::create(&w.path).unwrap();
            let mut file = OpenOptions::new().append(true).open(&w.path).unwrap();
            file.write_all(c.as_bytes()).unwrap();
        }),
        ("through another hard link", |w, c| {
            let other = w.beside("other-name");
            fs::hard_link(&w.path, &other).unwrap();
            fs::write(&other, c).unwrap();
            fs::remove_file(&other).unwrap();
        }),
        ("preallocated", |w, c| {
            let mut file = File::create(&w.path).unwrap();
            file.set_len(4096).unwrap();
            file.write_all(c.as_bytes()).unwrap();
            file.set_len(c.len() as u64).unwrap();
        }),
    ];
    all_are_seen(ways, PROMPT);
}

#[test]
fn g07_appended_line_by_line() {
    for aged in [false, true] {
        let mut world = World::new();
        let mut content = OLD.to_string();
        for n in 0..5 {
            if aged {
                world.age();
            }
            let line = format!("line: {n}\n");
            let mut file = OpenOptions::new().append(true).open(&world.path).unwrap();
            file.write_all(line.as_bytes()).unwrap();
            content += &line;
            world.expect(&format!("line {n}, aged: {aged}"), &content, PROMPT);
        }
    }
}

#[test]
fn g07_saved_by_putting_another_file_in_its_place() {
    let ways: &[Way] = &[
        ("rename", |w, c| {
            fs::write(w.beside("new"), c).unwrap();
            fs::rename(w.beside("new"), &w.path).unwrap();
        }),
        ("rename, fsync of file and folder", |w, c| {
            let mut file = File::create(w.beside("new")).unwrap();
            file.write_all(c.as_bytes()).unwrap();
            file.sync_all().unwrap();
            fs::rename(w.beside("new"), &w.path).unwrap();
            File::open(w.folder.path()).unwrap().sync_all().unwrap();
        }),
        ("rename from another folder", |w, c| {
            fs::create_dir_all(w.beside("elsewhere")).unwrap();
            fs::write(w.beside("elsewhere/new"), c).unwrap();
            fs::rename(w.beside("elsewhere/new"), &w.path).unwrap();
        }),
        ("rename exchange", |w, c| {
            fs::write(w.beside("new"), c).unwrap();
            let flags = RenameFlags::EXCHANGE;
            renameat_with(CWD, w.beside("new"), CWD, &w.path, flags).unwrap();
        }),
        ("the old one is kept as a backup", |w, c| {
            let backup = w.beside("config.yaml~");
            let _ = fs::remove_file(&backup);
            fs::hard_link(&w.path, &backup).unwrap();
            fs::write(w.beside("new"), c).unwrap();
            fs::rename(w.beside("new"), &w.path).unwrap();
        }),
        ("moved away, and a new one is written", |w, c| {
            fs::rename(&w.path, w.beside("config.yaml~")).unwrap();
            fs::write(&w.path, c).unwrap();
        }),
        ("delete and recreate", |w, c| {
            fs::remove_file(&w.path).unwrap();
            fs::write(&w.path, c).unwrap();
        }),
        ("delete and hard link", |w, c| {
            let _ = fs::remove_file(w.beside("source"));
            fs::write(w.beside("source"), c).unwrap();
            fs::remove_file(&w.path).unwrap();
            fs::hard_link(w.beside("source"), &w.path).unwrap();
        }),
        ("a link in place of the file", |w, c| {
            let name = if c == NEW { "target-new" } else { "target-old" };
            fs::write(w.beside(name), c).unwrap();
            let _ = fs::remove_file(w.beside("link"));
            symlink(name, w.beside("link")).unwrap();
            fs::rename(w.beside("link"), &w.path).unwrap();
        }),
        ("a file in place of a link", |w, c| {
            fs::rename(&w.path, w.beside("moved")).unwrap();
            symlink("moved", &w.path).unwrap();
            fs::remove_file(&w.path).unwrap();
            fs::write(&w.path, c).unwrap();
        }),
    ];
    all_are_seen(ways, PROMPT);
}

#[test]
fn g07_saved_by_the_tools_people_use() {
    let mut ways: Vec<Way> = vec![
        ("cat >", |w, c| {
            shell(w, c, "printf %s \"$CONTENT\" > config.yaml");
        }),
        ("tee", |w, c| {
            shell(w, c, "printf %s \"$CONTENT\" | tee config.yaml >/dev/null");
        }),
        ("cp", |w, c| {
            shell(w, c, "printf %s \"$CONTENT\" > new; cp new config.yaml");
        }),
        ("cp -p, the copy as old as its source", |w, c| {
            shell(
                w,
                c,
                "printf %s \"$CONTENT\" > new; touch -d 2001-01-01 new; cp -p new config.yaml",
            );
        }),
        ("cp --remove-destination", |w, c| {
            let script = "printf %s \"$CONTENT\" > new; cp --remove-destination new config.yaml";
            shell(w, c, script);
        }),
        ("mv", |w, c| {
            shell(w, c, "printf %s \"$CONTENT\" > new; mv -f new config.yaml");
        }),
        ("install", |w, c| {
            shell(
                w,
                c,
                "printf %s \"$CONTENT\" > new; install -m 600 new config.yaml",
            );
        }),
        ("dd conv=notrunc", |w, c| {
            let script = "printf %s \"$CONTENT\" | dd of=config.yaml conv=notrunc bs=5 status=none";
            shell(w, c, script);
        }),
        ("ln -sf", |w, c| {
            let script = "f=target-$$; printf %s \"$CONTENT\" > $f; ln -sfn $f config.yaml";
            shell(w, c, script);
        }),
        ("sed -i", |w, c| {
            let script = r#"
                case "$CONTENT" in
                *omega*) sed -i 's/alpha/omega/g; s/1111/2222/; s/one, two, three/six, ten, seven/' config.yaml ;;
                *) sed -i 's/omega/alpha/g; s/2222/1111/; s/six, ten, seven/one, two, three/' config.yaml ;;
                esac"#;
            shell(w, c, script);
        }),
    ];
    if has("perl") {
        ways.push(("perl -i", |w, c| {
            let script = r#"
                case "$CONTENT" in
                *omega*) perl -pi -e 's/alpha/omega/g; s/1111/2222/; s/one, two, three/six, ten, seven/' config.yaml ;;
                *) perl -pi -e 's/omega/alpha/g; s/2222/1111/; s/six, ten, seven/one, two, three/' config.yaml ;;
                esac"#;
            shell(w, c, script);
        }));
    }
    if has("vim") {
        // In both of vim's ways: a new file by rename, and in place.
        ways.push(("vim, backupcopy=no", |w, c| vim(w, c, "no")));
        ways.push(("vim, backupcopy=yes", |w, c| vim(w, c, "yes")));
    }
    if has("rsync") {
        ways.push(("rsync", |w, c| {
            shell(
                w,
                c,
                "printf %s \"$CONTENT\" > new; rsync -I new config.yaml",
            );
        }));
        ways.push(("rsync --inplace -t", |w, c| {
            let script = "printf %s \"$CONTENT\" > new; rsync -I --inplace -t new config.yaml";
            shell(w, c, script);
        }));
    }
    all_are_seen(&ways, PROMPT);
}

fn vim(world: &World, content: &str, backupcopy: &str) {
    fs::write(world.beside("wanted"), content).unwrap();
    let script = format!("set backupcopy={backupcopy}\n%!cat wanted\nwq\n");
    fs::write(world.beside("script"), script).unwrap();
    let status = Command::new("vim")
        .args(["-es", "-u", "NONE", "-i", "NONE", "-S", "script"])
        .arg("config.yaml")
        .stdin(Stdio::null())
        .current_dir(world.folder.path())
        .status()
        .unwrap();
    assert!(status.success(), "vim");
}

/// What Emacs does, by its system calls: it is too large to install for a test.
#[test]
fn g07_saved_as_emacs_does() {
    let ways: &[Way] = &[
        ("backup by renaming", |w, c| {
            let backup = w.beside("config.yaml~");
            let _ = fs::remove_file(&backup);
            fs::rename(&w.path, &backup).unwrap();
            let mut file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .open(&w.path)
                .unwrap();
            file.write_all(c.as_bytes()).unwrap();
            file.sync_all().unwrap();
        }),
        ("backup by copying", |w, c| {
            fs::copy(&w.path, w.beside("config.yaml~")).unwrap();
            symlink("user@host.1:2", w.beside(".#config.yaml")).unwrap();
            let mut file = open(&w.path);
            file.write_all(c.as_bytes()).unwrap();
            file.set_len(c.len() as u64).unwrap();
            fs::remove_file(w.beside(".#config.yaml")).unwrap();
        }),
        ("file-precious-flag", |w, c| {
            fs::write(w.beside("tmp.123"), c).unwrap();
            fs::rename(w.beside("tmp.123"), &w.path).unwrap();
        }),
    ];
    all_are_seen(ways, PROMPT);
}

fn set_times(path: &Path, time: SystemTime) {
    let times = FileTimes::new().set_modified(time).set_accessed(time);
    open(path).set_times(times).unwrap();
}

/// The time, cut to so many seconds, as a coarse file system would keep it.
fn cut(time: SystemTime, seconds: u64) -> SystemTime {
    let since = time
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    SystemTime::UNIX_EPOCH + Duration::from_secs(since - since % seconds)
}

#[test]
fn g07_whatever_its_times_say() {
    let ways: &[Way] = &[
        ("the old time is put back", |w, c| {
            let before = fs::metadata(&w.path).unwrap().modified().unwrap();
            fs::write(&w.path, c).unwrap();
            set_times(&w.path, before);
        }),
        ("the old time is put back, on a renamed file", |w, c| {
            let before = fs::metadata(&w.path).unwrap().modified().unwrap();
            fs::write(w.beside("new"), c).unwrap();
            set_times(&w.beside("new"), before);
            fs::rename(w.beside("new"), &w.path).unwrap();
        }),
        ("an hour back", |w, c| {
            fs::write(&w.path, c).unwrap();
            set_times(&w.path, SystemTime::now() - Duration::from_secs(3600));
        }),
        ("a year ahead", |w, c| {
            fs::write(&w.path, c).unwrap();
            set_times(
                &w.path,
                SystemTime::now() + Duration::from_secs(365 * 86_400),
            );
        }),
        ("zero", |w, c| {
            fs::write(&w.path, c).unwrap();
            set_times(&w.path, SystemTime::UNIX_EPOCH);
        }),
        ("before 1970", |w, c| {
            fs::write(&w.path, c).unwrap();
            set_times(
                &w.path,
                SystemTime::UNIX_EPOCH - Duration::from_secs(86_400),
            );
        }),
        ("coarse, 1 s", |w, c| {
            fs::write(&w.path, c).unwrap();
            set_times(&w.path, cut(SystemTime::now(), 1));
        }),
        ("coarse, 2 s", |w, c| {
            fs::write(&w.path, c).unwrap();
            set_times(&w.path, cut(SystemTime::now(), 2));
        }),
        ("no time in it ever moves", |w, c| {
            fs::write(&w.path, c).unwrap();
            set_times(
                &w.path,
                SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000),
            );
        }),
    ];
    all_are_seen(ways, PROMPT);
}

/// Two edits of one size so close together that the file system's clock does
/// not tell them apart, with a poll in between: the classic race of mtime.
#[test]
fn g07_two_edits_in_one_tick_with_a_poll_in_between() {
    let mut same = 0;
    for round in 0..200 {
        let mut world = World::new();
        let between = format!("{:04}{}", round, &NEW[4..]);
        fs::write(&world.path, &between).unwrap();
        let stamp = |path: &Path| {
            let m = fs::metadata(path).unwrap();
            (m.ino(), m.size(), m.mtime_nsec(), m.ctime_nsec(), m.ctime())
        };
        let first = stamp(&world.path);
        world.look().unwrap();
        fs::write(&world.path, NEW).unwrap();
        same += usize::from(first == stamp(&world.path));
        let saved = world.now;
        while world.active() != NEW {
            world.look().unwrap();
            assert!(world.now <= saved + PROMPT + SETTLE, "round {round}");
        }
        assert_eq!(world.applied.take(), [NEW], "round {round}");
    }
    eprintln!("{same} of 200 rounds had one stamp for both edits");
}

/// Whether the system tells a mapped write by its times is its own affair; it is
/// promised within the period of full reads.
#[test]
fn g07_mapped_writes_within_the_period_of_full_reads() {
    let mapped: Way = ("mapped write", |w, c| {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(&w.path)
            .unwrap();
        // SAFETY: nobody cuts the file while it is mapped.
        let mut map = unsafe { memmap2::MmapMut::map_mut(&file).unwrap() };
        map.copy_from_slice(c.as_bytes());
    });
    let flushed: Way = ("mapped write and msync", |w, c| {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(&w.path)
            .unwrap();
        // SAFETY: nobody cuts the file while it is mapped.
        let mut map = unsafe { memmap2::MmapMut::map_mut(&file).unwrap() };
        map.copy_from_slice(c.as_bytes());
        map.flush().unwrap();
    });
    let then_old_time: Way = ("mapped write, and the old time is put back", |w, c| {
        let before = fs::metadata(&w.path).unwrap().modified().unwrap();
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(&w.path)
            .unwrap();
        // SAFETY: nobody cuts the file while it is mapped.
        let mut map = unsafe { memmap2::MmapMut::map_mut(&file).unwrap() };
        map.copy_from_slice(c.as_bytes());
        map.flush().unwrap();
        set_times(&w.path, before);
    });
    all_are_seen(&[mapped, flushed, then_old_time], INTERVAL * 31 + SETTLE);
}

/// A writer that has the file mapped all the time, and a stamp that stays as it
/// is: the full read finds it. (The stamp is kept by never letting the kernel
/// see a first write: the page stays dirty.)
#[test]
fn g07_a_mapping_that_stays_open() {
    let mut world = World::new();
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(&world.path)
        .unwrap();
    // SAFETY: nobody cuts the file while it is mapped.
    let mut map = unsafe { memmap2::MmapMut::map_mut(&file).unwrap() };
    for (round, content) in [NEW, OLD, NEW, OLD].into_iter().enumerate() {
        map.copy_from_slice(content.as_bytes());
        let what = format!("round {round}");
        world.expect(&what, content, INTERVAL * 31 + SETTLE);
        for _ in 0..40 {
            world.look().unwrap();
        }
    }
}

/// Two edits under one and the same stamp: the second goes through a page that is
/// dirty already, so no time moves. A stamp that is young must not be trusted.
#[test]
fn g07_two_edits_under_one_stamp_while_it_is_young() {
    let mut world = World::new();
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(&world.path)
        .unwrap();
    // SAFETY: nobody cuts the file while it is mapped.
    let mut map = unsafe { memmap2::MmapMut::map_mut(&file).unwrap() };
    let path = world.path.clone();
    let stamp = || {
        let m = fs::metadata(&path).unwrap();
        (
            m.ino(),
            m.size(),
            m.mtime(),
            m.mtime_nsec(),
            m.ctime(),
            m.ctime_nsec(),
        )
    };
    let between = OLD.replace("alpha", "gamma");
    map.copy_from_slice(between.as_bytes());
    let first = stamp();
    // It is applied, and the next polls are its stamp's first two seconds.
    world.expect_applied_at_once(&between);
    map.copy_from_slice(NEW.as_bytes());
    if first != stamp() {
        skip("this system moves the times at each mapped write");
    }
    world.expect("the second edit", NEW, PROMPT);
}

/// The same with looks that are far apart: when the stamp is old enough, the file
/// was not yet read under it.
#[test]
fn g07_a_stamp_is_not_trusted_before_it_was_read_while_old() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.yaml");
    fs::write(&path, OLD).unwrap();
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(&path)
        .unwrap();
    // SAFETY: nobody cuts the file while it is mapped.
    let mut map = unsafe { memmap2::MmapMut::map_mut(&file).unwrap() };
    // The page is dirty from here on, so no time moves.
    map.copy_from_slice(OLD.as_bytes());
    let detector = FileDetector::new(&path).settle(Duration::ZERO);
    let reloader = Reloader::with_detector(detector, Text)
        .load_at(ms(0), |until| until)
        .unwrap();
    map.copy_from_slice(NEW.as_bytes());
    let outcome = reloader.poll_at(ms(5000));
    assert!(matches!(outcome, Ok(Outcome::Applied(_))), "{outcome:?}");
}

/// Links. Each gets a layout, and a way to make it lead elsewhere.
type Links = (&'static str, fn(&Path) -> PathBuf, fn(&Path, &str));

/// Puts content into a fresh folder `name` and returns nothing else.
fn generation(folder: &Path, name: &str, content: &str) {
    fs::create_dir_all(folder.join(name)).unwrap();
    fs::write(folder.join(name).join("config.yaml"), content).unwrap();
}

fn fresh(folder: &Path) -> String {
    let count = fs::read_dir(folder).unwrap().count();
    format!("generation-{count}")
}

/// Makes `link` lead to `target`, atomically.
fn flip(link: &Path, target: &str) {
    let beside = link.with_file_name("..tmp");
    symlink(target, &beside).unwrap();
    fs::rename(&beside, link).unwrap();
}

#[test]
fn g07_links_at_any_depth_of_the_path() {
    let cases: &[Links] = &[
        (
            "Kubernetes: ..data is flipped",
            |f| {
                generation(f, "..old", OLD);
                symlink("..old", f.join("..data")).unwrap();
                symlink("..data/config.yaml", f.join("config.yaml")).unwrap();
                f.join("config.yaml")
            },
            |f, c| {
                let name = format!("..{}", fresh(f));
                generation(f, &name, c);
                flip(&f.join("..data"), &name);
            },
        ),
        (
            "Kubernetes: and the old generation is deleted",
            |f| {
                generation(f, "..old", OLD);
                symlink("..old", f.join("..data")).unwrap();
                symlink("..data/config.yaml", f.join("config.yaml")).unwrap();
                f.join("config.yaml")
            },
            |f, c| {
                let old = fs::read_link(f.join("..data")).unwrap();
                let name = format!("..{}-{}", fresh(f), &c[6..11]);
                generation(f, &name, c);
                flip(&f.join("..data"), &name);
                fs::remove_dir_all(f.join(old)).unwrap();
            },
        ),
        (
            "the link itself is retargeted",
            |f| {
                fs::write(f.join("old"), OLD).unwrap();
                symlink("old", f.join("config.yaml")).unwrap();
                f.join("config.yaml")
            },
            |f, c| {
                let name = fresh(f);
                fs::write(f.join(&name), c).unwrap();
                flip(&f.join("config.yaml"), &name);
            },
        ),
        (
            "the link is deleted and made anew",
            |f| {
                fs::write(f.join("old"), OLD).unwrap();
                symlink("old", f.join("config.yaml")).unwrap();
                f.join("config.yaml")
            },
            |f, c| {
                let name = fresh(f);
                fs::write(f.join(&name), c).unwrap();
                fs::remove_file(f.join("config.yaml")).unwrap();
                symlink(&name, f.join("config.yaml")).unwrap();
            },
        ),
        (
            "the target is replaced by rename",
            |f| {
                fs::create_dir(f.join("real")).unwrap();
                fs::write(f.join("real/file"), OLD).unwrap();
                symlink("real/file", f.join("config.yaml")).unwrap();
                f.join("config.yaml")
            },
            |f, c| {
                fs::write(f.join("real/new"), c).unwrap();
                fs::rename(f.join("real/new"), f.join("real/file")).unwrap();
            },
        ),
        (
            "the target is written in place",
            |f| {
                fs::write(f.join("real"), OLD).unwrap();
                symlink(f.join("real"), f.join("config.yaml")).unwrap();
                f.join("config.yaml")
            },
            |f, c| fs::write(f.join("real"), c).unwrap(),
        ),
        (
            "the middle of a chain is flipped",
            |f| {
                fs::write(f.join("old"), OLD).unwrap();
                symlink("old", f.join("third")).unwrap();
                symlink("third", f.join("second")).unwrap();
                symlink(f.join("second"), f.join("first")).unwrap();
                symlink("first", f.join("config.yaml")).unwrap();
                f.join("config.yaml")
            },
            |f, c| {
                let name = fresh(f);
                fs::write(f.join(&name), c).unwrap();
                flip(&f.join("second"), &name);
            },
        ),
        (
            "a folder in the path is a link",
            |f| {
                generation(f, "old", OLD);
                symlink("old", f.join("current")).unwrap();
                f.join("current/config.yaml")
            },
            |f, c| {
                let name = fresh(f);
                generation(f, &name, c);
                flip(&f.join("current"), &name);
            },
        ),
        (
            "a folder further up is a link",
            |f| {
                generation(f, "old/a/b", OLD);
                symlink("old", f.join("current")).unwrap();
                f.join("current/a/b/config.yaml")
            },
            |f, c| {
                let name = fresh(f);
                generation(f, &format!("{name}/a/b"), c);
                flip(&f.join("current"), &name);
            },
        ),
        (
            "the folder is moved away, and another takes its place",
            |f| {
                generation(f, "conf", OLD);
                f.join("conf/config.yaml")
            },
            |f, c| {
                let name = fresh(f);
                generation(f, "next", c);
                fs::rename(f.join("conf"), f.join(name)).unwrap();
                fs::rename(f.join("next"), f.join("conf")).unwrap();
            },
        ),
        (
            "folders are exchanged",
            |f| {
                generation(f, "conf", OLD);
                f.join("conf/config.yaml")
            },
            |f, c| {
                generation(f, "next", c);
                let flags = RenameFlags::EXCHANGE;
                renameat_with(CWD, f.join("next"), CWD, f.join("conf"), flags).unwrap();
            },
        ),
        (
            "a folder further up is deleted and made anew",
            |f| {
                generation(f, "conf/a/b", OLD);
                f.join("conf/a/b/config.yaml")
            },
            |f, c| {
                fs::remove_dir_all(f.join("conf")).unwrap();
                generation(f, "conf/a/b", c);
            },
        ),
        (
            "a folder becomes a link to another",
            |f| {
                generation(f, "conf", OLD);
                f.join("conf/config.yaml")
            },
            |f, c| {
                let name = fresh(f);
                generation(f, &name, c);
                fs::rename(f.join("conf"), f.join(format!("{name}-away"))).unwrap();
                symlink(&name, f.join("conf")).unwrap();
            },
        ),
        (
            "a path with dots in it",
            |f| {
                generation(f, "conf", OLD);
                generation(f, "other", OLD);
                f.join("other/../conf/./config.yaml")
            },
            |f, c| fs::write(f.join("conf/config.yaml"), c).unwrap(),
        ),
    ];
    for (what, lay_out, change) in cases {
        for aged in [false, true] {
            let mut world = World::laid_out(lay_out);
            for content in [NEW, OLD, NEW] {
                if aged {
                    world.age();
                } else {
                    tick(world.folder.path());
                }
                change(world.folder.path(), content);
                world.expect(&format!("{what}, aged: {aged}"), content, PROMPT);
            }
        }
    }
}

/// Mounts, which need root: bind, tmpfs, overlay.
mod mounts {
    use super::*;
    use rustix::mount::{MountFlags, UnmountFlags, mount, mount_bind, unmount};

    /// Takes its mounts back, also if the test fails.
    struct Mounted(Vec<PathBuf>);

    impl Mounted {
        fn bind(&mut self, from: &Path, to: &Path) {
            mount_bind(from, to).unwrap();
            self.0.push(to.to_path_buf());
        }

        fn filesystem(&mut self, kind: &str, at: &Path, options: &str) {
            let options = std::ffi::CString::new(options).unwrap();
            mount(kind, at, kind, MountFlags::empty(), options.as_c_str()).unwrap();
            self.0.push(at.to_path_buf());
        }

        fn undo(&mut self) {
            for at in self.0.drain(..).rev() {
                let _ = unmount(&at, UnmountFlags::DETACH);
            }
        }
    }

    impl Drop for Mounted {
        fn drop(&mut self) {
            self.undo();
        }
    }

    fn may_mount() -> bool {
        let folder = tempfile::tempdir().unwrap();
        let may = mount_bind(folder.path(), folder.path()).is_ok();
        if may {
            unmount(folder.path(), UnmountFlags::DETACH).unwrap();
        } else {
            skip("mounts: not root, or not allowed to");
        }
        may
    }

    #[test]
    fn g07_a_mount_over_the_file_or_over_its_folder_and_its_end() {
        if !may_mount() {
            return;
        }
        let mut mounted = Mounted(Vec::new());
        let mut world = World::laid_out(|folder| {
            generation(folder, "conf", OLD);
            generation(folder, "other", NEW);
            folder.join("conf/config.yaml")
        });
        let folder = world.folder.path().to_path_buf();
        world.age();
        mounted.bind(&folder.join("other/config.yaml"), &world.path);
        world.expect("bind mount over the file", NEW, PROMPT);
        world.age();
        mounted.undo();
        world.expect("unmounted from the file", OLD, PROMPT);
        world.age();
        mounted.bind(&folder.join("other"), &folder.join("conf"));
        world.expect("bind mount over the folder", NEW, PROMPT);
        world.age();
        fs::write(folder.join("other/config.yaml"), OLD).unwrap();
        world.expect("written at the other end", OLD, PROMPT);
    }

    #[test]
    fn g07_on_tmpfs() {
        if !may_mount() {
            return;
        }
        let mut mounted = Mounted(Vec::new());
        let mut world = World::laid_out(|folder| {
            generation(folder, "conf", OLD);
            folder.join("conf/config.yaml")
        });
        let conf = world.folder.path().join("conf");
        world.age();
        mounted.filesystem("tmpfs", &conf, "size=1m");
        let error = world.look().unwrap_err();
        assert_eq!(error.kind(), DetectErrorKind::NotFound);
        fs::write(&world.path, NEW).unwrap();
        world.expect("tmpfs over the folder", NEW, PROMPT);
        for content in [OLD, NEW] {
            world.age();
            fs::write(&world.path, content).unwrap();
            world.expect("in place on tmpfs", content, PROMPT);
        }
        tick(world.folder.path());
        fs::write(conf.join("new"), OLD).unwrap();
        fs::rename(conf.join("new"), &world.path).unwrap();
        world.expect("renamed on tmpfs", OLD, PROMPT);
    }

    #[test]
    fn g07_on_overlayfs_where_a_write_copies_up() {
        if !may_mount() {
            return;
        }
        let mut mounted = Mounted(Vec::new());
        // An overlay needs an upper layer that is none itself.
        let base = tempfile::tempdir().unwrap();
        mounted.filesystem("tmpfs", base.path(), "size=4m");
        for name in ["lower", "upper", "work", "merged"] {
            fs::create_dir(base.path().join(name)).unwrap();
        }
        fs::write(base.path().join("lower/config.yaml"), OLD).unwrap();
        let at = |name: &str| base.path().join(name).display().to_string();
        let options = format!(
            "lowerdir={},upperdir={},workdir={}",
            at("lower"),
            at("upper"),
            at("work")
        );
        mounted.filesystem("overlay", &base.path().join("merged"), &options);
        let path = base.path().join("merged/config.yaml");
        let mut world = World::laid_out(|_| path.clone());
        world.age();
        // The first write makes a copy in the upper layer, which is another
        // file; so does a mere change of its mode.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        world.expect_nothing("copied up by chmod");
        tick(world.folder.path());
        fs::write(&path, NEW).unwrap();
        world.expect("written after copy-up", NEW, PROMPT);
        world.age();
        fs::write(base.path().join("merged/new"), OLD).unwrap();
        fs::rename(base.path().join("merged/new"), &path).unwrap();
        world.expect("renamed on the overlay", OLD, PROMPT);
        drop(world);
    }
}

#[test]
fn g10_nothing_that_leaves_the_bytes_alone_makes_a_version() {
    let ways: &[Way] = &[
        ("touch", |w, _| set_times(&w.path, SystemTime::now())),
        ("touch, back", |w, _| {
            set_times(&w.path, SystemTime::UNIX_EPOCH);
        }),
        ("the same, in place", |w, c| fs::write(&w.path, c).unwrap()),
        ("the same, without truncating", |w, c| {
            open(&w.path).write_all(c.as_bytes()).unwrap();
        }),
        ("the same, by rename", |w, c| {
            fs::write(w.beside("new"), c).unwrap();
            fs::rename(w.beside("new"), &w.path).unwrap();
        }),
        ("the same, deleted and recreated", |w, c| {
            fs::remove_file(&w.path).unwrap();
            fs::write(&w.path, c).unwrap();
        }),
        ("chmod", |w, _| {
            fs::set_permissions(&w.path, fs::Permissions::from_mode(0o600)).unwrap();
        }),
        ("another hard link", |w, _| {
            fs::hard_link(&w.path, w.beside("another")).unwrap();
        }),
        ("it becomes a link to itself elsewhere", |w, _| {
            fs::rename(&w.path, w.beside("real")).unwrap();
            symlink("real", &w.path).unwrap();
        }),
        ("a neighbour is written", |w, _| {
            fs::write(w.beside("config.yml"), NEW).unwrap();
        }),
        ("a neighbour comes and goes", |w, _| {
            fs::write(w.beside(".config.yaml.swp"), NEW).unwrap();
            fs::remove_file(w.beside(".config.yaml.swp")).unwrap();
        }),
        ("it is read", |w, _| drop(fs::read(&w.path).unwrap())),
        ("its folder is moved away and back", |w, _| {
            let away = w.folder.path().with_extension("away");
            fs::rename(w.folder.path(), &away).unwrap();
            fs::rename(&away, w.folder.path()).unwrap();
        }),
        ("grown and shrunk back", |w, c| {
            let file = open(&w.path);
            file.set_len(9000).unwrap();
            file.set_len(c.len() as u64).unwrap();
        }),
    ];
    for (what, way) in ways {
        for aged in [false, true] {
            let mut world = World::new();
            if aged {
                world.age();
            }
            way(&world, OLD);
            world.expect_nothing(what);
        }
    }
}

/// A writer that pauses for less than the settle time. Each step is followed by
/// looks; none of what is there in between may ever be served.
fn slow(what: &str, steps: &[fn(&World)], pause: Duration) {
    for aged in [false, true] {
        let mut world = World::new();
        if aged {
            world.age();
        }
        for step in steps {
            tick(world.folder.path());
            step(&world);
            for _ in 0..3 {
                let _ = world.look_after(pause / 3);
                assert!(
                    world.applied.take().is_empty(),
                    "{what}: torn content was served"
                );
            }
        }
        let content = fs::read_to_string(&world.path).unwrap();
        assert_eq!(content, NEW, "{what}: the way itself");
        world.expect(what, NEW, PROMPT);
    }
}

fn piece(world: &World, from: usize, to: usize) {
    let file = open(&world.path);
    file.write_all_at(&NEW.as_bytes()[from..to], from as u64)
        .unwrap();
}

fn piece_with_the_old_time(world: &World, from: usize, to: usize) {
    let before = fs::metadata(&world.path).unwrap().modified().unwrap();
    piece(world, from, to);
    set_times(&world.path, before);
}

#[test]
fn g02_a_writer_that_pauses_is_waited_for() {
    let pause = ms(60);
    slow(
        "in place, in pieces",
        &[
            |w| drop(File::create(&w.path).unwrap()),
            |w| piece(w, 0, 12),
            |w| piece(w, 12, 24),
            |w| piece(w, 24, 50),
            |w| piece(w, 50, NEW.len()),
        ],
        pause,
    );
    slow(
        "over the old one, in pieces of equal size",
        &[
            |w| piece(w, 0, 12),
            |w| piece(w, 12, 24),
            |w| piece(w, 24, 50),
            |w| piece(w, 50, NEW.len()),
        ],
        pause,
    );
    slow(
        "in pieces, with the old time put back each time",
        &[
            |w| piece_with_the_old_time(w, 0, 12),
            |w| piece_with_the_old_time(w, 12, 24),
            |w| piece_with_the_old_time(w, 24, 50),
            |w| piece_with_the_old_time(w, 50, NEW.len()),
        ],
        pause,
    );
    slow(
        "deleted, recreated, and filled",
        &[
            |w| fs::remove_file(&w.path).unwrap(),
            |w| fs::write(&w.path, &NEW[..12]).unwrap(),
            |w| piece(w, 12, 24),
            |w| piece(w, 24, NEW.len()),
        ],
        pause,
    );
    slow(
        "longer, overwritten, then cut",
        &[
            |w| fs::write(&w.path, format!("{OLD}more: things\n")).unwrap(),
            |w| open(&w.path).write_all(NEW.as_bytes()).unwrap(),
            |w| open(&w.path).set_len(NEW.len() as u64).unwrap(),
        ],
        pause,
    );
    slow(
        "moved away, and recreated in pieces",
        &[
            |w| fs::rename(&w.path, w.beside("config.yaml~")).unwrap(),
            |w| fs::write(&w.path, &NEW[..24]).unwrap(),
            |w| piece(w, 24, NEW.len()),
        ],
        pause,
    );
}

#[test]
fn g02_a_file_written_all_the_time_is_not_served() {
    let mut world = World::new();
    let mut writes = 0_u32;
    for _ in 0..600 {
        writes += 1;
        fs::write(&world.path, format!("{NEW}# {writes}\n")).unwrap();
        let outcome = world.look_after(ms(50));
        assert!(
            matches!(outcome, Ok(Outcome::Settling { .. })),
            "{outcome:?}"
        );
    }
    assert!(world.applied.take().is_empty());
    assert_eq!(world.active(), OLD);
    let status = world.reloader.status();
    assert!(!status.is_healthy(), "{status:?}");
    assert!(status.settling_since.is_some() && status.source_differs);
    fs::write(&world.path, NEW).unwrap();
    world.expect("and comes to rest", NEW, PROMPT);
    assert!(world.reloader.status().is_healthy());
}

#[test]
fn g07_a_file_renamed_all_the_time_passes_now_and_then() {
    let mut world = World::new();
    let mut last = String::new();
    for round in 0..600 {
        last = format!("{NEW}# {round}\n");
        let beside = world.beside("new");
        fs::write(&beside, &last).unwrap();
        // So that the file system's clock tells the rename from the write.
        set_times(&beside, SystemTime::now() - Duration::from_secs(1));
        fs::rename(&beside, &world.path).unwrap();
        world.look_after(ms(50)).unwrap();
    }
    // 30 s of it, and 20 settle times of patience for each.
    let applied = world.applied.take();
    assert!((10..=15).contains(&applied.len()), "{}", applied.len());
    for text in applied {
        assert!(text.starts_with(NEW) && text.ends_with('\n'), "{text}");
    }
    world.expect("and comes to rest", &last, PROMPT);
}

#[test]
fn g07_recreated_all_the_time_is_not_mistaken_for_renamed() {
    let mut world = World::new();
    for round in 0..200 {
        // A new inode each time, and half of the content.
        fs::remove_file(&world.path).unwrap();
        let half = &NEW[..20 + round % 30];
        fs::write(&world.path, half).unwrap();
        let _ = world.look_after(ms(50));
    }
    assert!(world.applied.take().is_empty());
    fs::write(&world.path, NEW).unwrap();
    world.expect("and is whole at last", NEW, PROMPT);
}

/// The same with looks that are closer together than the settle time, so that
/// some of them see one file twice.
#[test]
fn g02_close_polls_mistake_nothing_for_a_rename() {
    let mut world = World::new();
    for round in 0..400 {
        if round % 3 == 0 {
            fs::remove_file(&world.path).unwrap();
            fs::write(&world.path, &NEW[..20 + round % 30]).unwrap();
        }
        let _ = world.look_after(ms(20));
        assert!(world.applied.take().is_empty(), "round {round}");
    }
    fs::write(&world.path, NEW).unwrap();
    world.expect("and is whole at last", NEW, PROMPT);
}

#[test]
fn g04_g05_whatever_is_put_there_keeps_the_old_value() {
    type Bad = (&'static str, DetectErrorKind, fn(&Path));
    let cases: &[Bad] = &[
        ("missing", DetectErrorKind::NotFound, |_| {}),
        ("a dangling link", DetectErrorKind::NotFound, |path| {
            symlink("nowhere", path).unwrap();
        }),
        ("a link to itself", DetectErrorKind::Other, |path| {
            symlink("config.yaml", path).unwrap();
        }),
        ("a folder", DetectErrorKind::NotAFile, |path| {
            fs::create_dir(path).unwrap();
        }),
        ("a pipe", DetectErrorKind::NotAFile, |path| {
            let made = Command::new("mkfifo").arg(path).status().unwrap();
            assert!(made.success());
        }),
        ("a device", DetectErrorKind::NotAFile, |path| {
            symlink("/dev/zero", path).unwrap();
        }),
        ("a terminal", DetectErrorKind::NotAFile, |path| {
            symlink("/dev/ptmx", path).unwrap();
        }),
        (
            "something that grows without end",
            DetectErrorKind::TooLarge,
            |path| {
                let file = File::create(path).unwrap();
                // A hole: it takes no room, and would take minutes to read.
                file.set_len(1 << 40).unwrap();
            },
        ),
        (
            "a file of the kernel's without a size",
            DetectErrorKind::TooLarge,
            |path| {
                symlink("/proc/kallsyms", path).unwrap();
            },
        ),
        ("one byte too many", DetectErrorKind::TooLarge, |path| {
            fs::write(path, vec![b'x'; (1 << 20) + 1]).unwrap();
        }),
    ];
    for (what, kind, put) in cases {
        let mut world = World::new();
        fs::remove_file(&world.path).unwrap();
        put(&world.path);
        if *what == "a file of the kernel's without a size" && fs::read(&world.path).is_err() {
            skip(what);
            continue;
        }
        for look in 0..5 {
            let error = world.look().expect_err(what);
            assert_eq!(error.kind(), *kind, "{what}: {error}");
            assert_eq!(world.reloader.status().consecutive_failures, look + 1);
        }
        assert_eq!(world.active(), OLD, "{what}");
        if world.path.is_dir() && !world.path.is_symlink() {
            fs::remove_dir(&world.path).unwrap();
        } else {
            let _ = fs::remove_file(&world.path);
        }
        fs::write(&world.path, OLD).unwrap();
        assert_eq!(world.look(), Ok(Outcome::Unchanged), "{what}");
        assert!(world.reloader.status().is_healthy(), "{what}");
        fs::write(&world.path, NEW).unwrap();
        world.expect(what, NEW, PROMPT);
    }
}

#[test]
fn g05_truncated_to_nothing_is_rejected() {
    let mut world = World::new();
    File::create(&world.path).unwrap();
    let settling = world.look();
    assert!(matches!(settling, Ok(Outcome::Settling { .. })));
    for _ in 0..40 {
        let outcome = world.look();
        assert!(matches!(outcome, Ok(Outcome::Rejected(_))), "{outcome:?}");
    }
    assert_eq!(world.active(), OLD);
    fs::write(&world.path, NEW).unwrap();
    world.expect("a repair", NEW, PROMPT);
}

#[test]
fn g11_a_file_that_may_not_be_read_is_asked_again() {
    let mut world = World::new();
    fs::set_permissions(&world.path, fs::Permissions::from_mode(0o000)).unwrap();
    if fs::read(&world.path).is_ok() {
        skip("permissions: root may read everything");
        return;
    }
    for _ in 0..5 {
        let error = world.look().unwrap_err();
        assert_eq!(error.kind(), DetectErrorKind::PermissionDenied);
    }
    fs::set_permissions(&world.path, fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(world.look(), Ok(Outcome::Unchanged));
}

#[test]
fn g08_whatever_happens_between_the_load_and_the_first_poll() {
    let ways: &[Way] = &[
        ("in place", |w, c| fs::write(&w.path, c).unwrap()),
        ("with the old time", |w, c| {
            let before = fs::metadata(&w.path).unwrap().modified().unwrap();
            fs::write(&w.path, c).unwrap();
            set_times(&w.path, before);
        }),
        ("by rename", |w, c| {
            fs::write(w.beside("new"), c).unwrap();
            fs::rename(w.beside("new"), &w.path).unwrap();
        }),
    ];
    for (what, way) in ways {
        let mut world = World::new();
        way(&world, NEW);
        world.expect(what, NEW, PROMPT);
    }
}

#[test]
fn g02_a_start_while_the_file_changes_waits_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.yaml");
    let mut pieces = NEW.as_bytes().chunks(9);
    let mut text = pieces.next().unwrap().to_vec();
    fs::write(&path, &text).unwrap();
    let reloader = Reloader::with_detector(FileDetector::new(&path).settle(SETTLE), Text)
        .load_at(ms(0), |until| {
            if let Some(piece) = pieces.next() {
                text.extend(piece);
                fs::write(&path, &text).unwrap();
            }
            until
        })
        .unwrap();
    assert_eq!(*reloader.handle().load().value(), NEW);
}

#[test]
fn a_relative_path_is_taken_from_the_folder_of_the_start() {
    // The folder of the process is everybody's, so a child changes it.
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("config.yaml"), OLD).unwrap();
    if std::env::var_os("STEADYCONF_CHILD").is_none() {
        let status = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "a_relative_path_is_taken_from_the_folder_of_the_start",
            ])
            .env("STEADYCONF_CHILD", "1")
            .current_dir(folder.path())
            .status();
        assert!(status.unwrap().success());
        return;
    }
    let here = std::env::current_dir().unwrap();
    let reloader = Reloader::with_detector(FileDetector::new("config.yaml").settle(SETTLE), Text)
        .load_at(ms(0), |until| until)
        .unwrap();
    assert_eq!(&*reloader.handle().load().origins()[0], "config.yaml");
    std::env::set_current_dir("/").unwrap();
    fs::write(here.join("config.yaml"), NEW).unwrap();
    reloader.poll_at(ms(1000)).unwrap();
    reloader.poll_at(ms(1100)).unwrap();
    assert_eq!(*reloader.handle().load().value(), NEW);
}

#[test]
fn a_set_needs_all_of_its_files() {
    let folder = tempfile::tempdir().unwrap();
    let [base, over] = ["base", "over"].map(|name| folder.path().join(name));
    fs::write(&base, OLD).unwrap();
    let detector = || {
        FileDetector::new(&base)
            .source(Source::file(&over))
            .settle(SETTLE)
    };
    let loaded = Reloader::with_detector(detector(), Text).load_at(ms(0), |until| until);
    let Err(LoadError::Source(error)) = loaded else {
        panic!("{loaded:?}");
    };
    assert!(error.to_string().ends_with("over: no such file"), "{error}");
    fs::write(&over, NEW).unwrap();
    let reloader = Reloader::with_detector(detector(), Text)
        .load_at(ms(0), |until| until)
        .unwrap();
    assert_eq!(*reloader.handle().load().value(), format!("{OLD}{NEW}"));
    fs::remove_file(&over).unwrap();
    let error = reloader.poll_at(ms(1000)).unwrap_err();
    assert!(error.to_string().ends_with("over: no such file"), "{error}");
    assert_eq!(*reloader.handle().load().value(), format!("{OLD}{NEW}"));
}
