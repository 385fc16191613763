//! What counts as whole: writers that repeat themselves, that play with times, and that
//! never hold still. Files are real, time is virtual, and every poll falls where the
//! writer wants it.
#![cfg(all(unix, feature = "std"))]

use std::fs::{self, File, FileTimes, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::common::{ms, tick};
use steadyconf::engine::{Detector, Document, Format, Limits, Notes, Sighting};
use steadyconf::source::FileDetector;
use steadyconf::{Outcome, Reloader, Report, Source};
use tempfile::TempDir;

const OLD: &str = "a: old\n";
const NEW: &str = "a: new, and longer than before\n";
const HALF: usize = 10;

struct World {
    folder: TempDir,
    detector: FileDetector,
    now: Duration,
    offered: Vec<String>,
}

impl World {
    fn new(detector: impl FnOnce(&Path) -> FileDetector) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("c.yaml"), OLD).unwrap();
        let detector = detector(folder.path());
        World {
            folder,
            detector,
            now: ms(0),
            offered: Vec::new(),
        }
    }

    /// One file, whose old content was offered.
    fn of_one() -> Self {
        let mut world = World::new(|folder| FileDetector::new(folder.join("c.yaml")));
        world.rest();
        assert_eq!(world.take(), [OLD]);
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Looks after so much time, and notes what is offered.
    fn look_after(&mut self, time: Duration) -> Sighting {
        self.now += time;
        let sighting = self.detector.poll(self.now).unwrap();
        if let Sighting::Changed(document) = &sighting {
            let layers = document.layers().iter();
            let texts = layers.map(|layer| String::from_utf8(layer.bytes().to_vec()).unwrap());
            self.offered.push(texts.collect());
        }
        sighting
    }

    /// Polls until it has come to rest.
    fn rest(&mut self) {
        tick(self.folder.path());
        for _ in 0..4 {
            self.look_after(ms(1000));
        }
    }

    fn take(&mut self) -> Vec<String> {
        std::mem::take(&mut self.offered)
    }

    /// Renames a file with this content into place.
    fn put(&self, name: &str, text: &str) {
        let beside = self.path("beside");
        fs::write(&beside, text).unwrap();
        // So that the file system's clock tells the rename from the write.
        set_time(&beside, SystemTime::now() - Duration::from_secs(1));
        fs::rename(&beside, self.path(name)).unwrap();
    }
}

fn set_time(path: &Path, time: SystemTime) {
    let times = FileTimes::new().set_modified(time);
    File::options()
        .write(true)
        .open(path)
        .unwrap()
        .set_times(times)
        .unwrap();
}

fn append(path: &Path, text: &str) {
    let mut file = OpenOptions::new().append(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

/// A writer that writes the same again and again, and every poll sees the same half.
#[test]
fn g02_equal_halves_of_two_writes_are_no_content() {
    let mut world = World::of_one();
    let path = world.path("c.yaml");
    for _ in 0..60 {
        tick(world.folder.path());
        fs::write(&path, &NEW[..HALF]).unwrap();
        let sighting = world.look_after(ms(100));
        assert!(
            matches!(sighting, Sighting::Settling { .. }),
            "{sighting:?}"
        );
        append(&path, &NEW[HALF..]);
    }
    assert!(world.take().is_empty());
    world.rest();
    assert_eq!(world.take(), [NEW]);
}

/// A way to make a file that is being written look as if it was renamed into place.
type Forgery = fn(&Path);

#[test]
fn g02_a_forged_rename_is_no_rename() {
    let forgeries: [(&str, Forgery); 3] = [
        ("an old time", |path| {
            set_time(path, SystemTime::now() - Duration::from_secs(3600));
        }),
        ("other rights", |path| {
            tick(path.parent().unwrap());
            let rights = std::os::unix::fs::PermissionsExt::from_mode(0o600);
            fs::set_permissions(path, rights).unwrap();
        }),
        ("a second name", |path| {
            tick(path.parent().unwrap());
            let _ = fs::remove_file(path.with_extension("link"));
            fs::hard_link(path, path.with_extension("link")).unwrap();
        }),
    ];
    for (what, forge) in forgeries {
        let mut world = World::of_one();
        let path = world.path("c.yaml");
        for _ in 0..60 {
            fs::remove_file(&path).unwrap();
            fs::write(&path, &NEW[..HALF]).unwrap();
            forge(&path);
            let sighting = world.look_after(ms(100));
            assert!(
                matches!(sighting, Sighting::Settling { .. }),
                "{what}: {sighting:?}"
            );
            append(&path, &NEW[HALF..]);
        }
        assert!(world.take().is_empty(), "{what}");
        world.rest();
        assert_eq!(world.take(), [NEW], "{what}");
    }
}

/// The same, and the time is put back after every write, so that only the bytes tell.
#[test]
fn g02_not_even_a_time_that_stands_still_is_believed() {
    let mut world = World::of_one();
    let path = world.path("c.yaml");
    let old = SystemTime::now() - Duration::from_secs(3600);
    let other = NEW.replace("new", "NEW");
    assert_eq!(other.len(), NEW.len());
    for _ in 0..60 {
        fs::remove_file(&path).unwrap();
        fs::write(&path, NEW).unwrap();
        set_time(&path, old);
        world.look_after(ms(100));
        fs::write(&path, &other).unwrap();
        set_time(&path, old);
    }
    assert!(world.take().is_empty());
    world.rest();
    assert_eq!(world.take(), [other]);
}

#[test]
fn g07_one_restless_file_does_not_hold_back_the_others() {
    type Beside = (&'static str, fn(FileDetector, &Path) -> FileDetector);
    let besides: [Beside; 3] = [
        ("a static file", |detector, folder| {
            fs::write(folder.join("static.yaml"), "b: 1\n").unwrap();
            detector.source(Source::file(folder.join("static.yaml")))
        }),
        ("a missing file", |detector, folder| {
            detector.source(Source::file(folder.join("none.yaml")).optional())
        }),
        ("a folder", |detector, folder| {
            fs::create_dir(folder.join("conf.d")).unwrap();
            fs::write(folder.join("conf.d/10.yaml"), "b: 1\n").unwrap();
            detector.source(Source::dir(folder.join("conf.d")))
        }),
    ];
    for (what, beside) in besides {
        let mut world =
            World::new(|folder| beside(FileDetector::new(folder.join("c.yaml")), folder));
        for round in 0..120 {
            world.put("c.yaml", &format!("{NEW}# {round}\n"));
            world.look_after(ms(30));
        }
        let offered = world.take();
        assert!(!offered.is_empty(), "{what}: nothing was offered");
        for text in offered {
            assert!(text.starts_with(NEW), "{what}: {text}");
        }
    }
}

#[test]
fn g07_an_edit_beside_a_restless_file_is_served() {
    let mut world = World::new(|folder| {
        fs::write(folder.join("static.yaml"), "b: 1\n").unwrap();
        FileDetector::new(folder.join("c.yaml")).source(Source::file(folder.join("static.yaml")))
    });
    world.rest();
    world.take();
    fs::write(world.path("static.yaml"), "b: 2\n").unwrap();
    for round in 0..120 {
        world.put("c.yaml", &format!("{NEW}# {round}\n"));
        world.look_after(ms(30));
    }
    let offered = world.take();
    assert!(
        offered.iter().any(|text| text.ends_with("b: 2\n")),
        "{offered:?}"
    );
}

/// A restless file that is written in place beside it is not served half.
#[test]
fn g02_a_restless_writer_beside_others_is_not_believed() {
    let mut world = World::new(|folder| {
        fs::write(folder.join("static.yaml"), "b: 1\n").unwrap();
        FileDetector::new(folder.join("c.yaml")).source(Source::file(folder.join("static.yaml")))
    });
    world.rest();
    world.take();
    let path = world.path("c.yaml");
    for _ in 0..60 {
        tick(world.folder.path());
        fs::write(&path, &NEW[..HALF]).unwrap();
        world.look_after(ms(100));
        append(&path, &NEW[HALF..]);
    }
    assert!(world.take().is_empty());
}

/// A lease makes a file busy for a moment; that is no error.
#[cfg(target_os = "linux")]
#[test]
fn g02_a_file_under_a_lease_is_read_later() {
    use std::os::fd::AsRawFd;
    const F_SETLEASE: i32 = 1024;
    let mut world = World::of_one();
    let path = world.path("c.yaml");
    fs::write(&path, NEW).unwrap();
    let file = OpenOptions::new()
        .write(true)
        .read(true)
        .open(&path)
        .unwrap();
    // The signal that asks for it back would end the process.
    // SAFETY: plain calls with constants and an open descriptor.
    let taken = unsafe {
        libc::signal(libc::SIGIO, libc::SIG_IGN);
        libc::fcntl(file.as_raw_fd(), F_SETLEASE, libc::F_WRLCK)
    };
    if taken != 0 {
        crate::common::skip("this file system gives no leases");
        return;
    }
    let sighting = world.look_after(ms(1000));
    assert!(
        matches!(sighting, Sighting::Settling { .. }),
        "{sighting:?}"
    );
    drop(file);
    world.rest();
    assert_eq!(world.take(), [NEW]);
}

#[test]
fn g05_an_emptied_folder_of_keys_is_an_error() {
    let mut world = World::new(|folder| {
        fs::create_dir(folder.join("keys")).unwrap();
        fs::write(folder.join("keys/api_key"), "sk-1\n").unwrap();
        FileDetector::new(folder.join("c.yaml")).source(Source::key_per_file(folder.join("keys")))
    });
    world.rest();
    assert_eq!(world.take(), ["a: old\nsk-1"]);
    fs::remove_file(world.path("keys/api_key")).unwrap();
    world.now += ms(1000);
    let error = world.detector.poll(world.now).unwrap_err();
    let expected = "keys: holds no key; is it mounted?";
    assert!(error.to_string().ends_with(expected), "{error}");
    fs::write(world.path("keys/api_key"), "sk-2\n").unwrap();
    world.rest();
    assert_eq!(world.take(), ["a: old\nsk-2"]);

    // It may be empty where the program says so.
    fs::remove_file(world.path("keys/api_key")).unwrap();
    let folder = world.folder.path();
    world.detector = FileDetector::new(folder.join("c.yaml"))
        .source(Source::key_per_file(folder.join("keys")).allow_empty());
    world.rest();
    assert_eq!(world.take(), [OLD]);
}

#[test]
fn g05_an_emptied_key_is_rejected() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("api_key");
    fs::write(&key, "sk-1\n").unwrap();
    fs::write(folder.path().join(".c"), "one\n").unwrap();
    let first = || FileDetector::new(folder.path().join(".c"));
    let detector = || first().source(Source::key_per_file(folder.path()));
    let load = |detector| {
        let builder = Reloader::with_detector(detector, Joined);
        builder.load_at(ms(0), |until| until)
    };
    let reloader = load(detector()).unwrap();
    let mut now = ms(0);
    for empty in ["", "\n", "\r\n", "\u{feff}"] {
        fs::write(&key, empty).unwrap();
        tick(folder.path());
        now += ms(10_000);
        let outcome = loop {
            match reloader.poll_at(now).unwrap() {
                Outcome::Settling { until } => now = until,
                outcome => break outcome,
            }
        };
        let Outcome::Rejected(rejection) = outcome else {
            panic!("{empty:?}: {outcome:?}");
        };
        let said = rejection.problems()[0].to_string();
        assert!(said.ends_with("api_key: is empty"), "{said}");
        assert_eq!(*reloader.handle().load(), "one\nsk-1");
    }
    assert!(load(detector()).is_err());
    let reloader = load(first().source(Source::key_per_file(folder.path()).allow_empty())).unwrap();
    assert_eq!(
        reloader.handle().load().trim_end_matches('\u{feff}'),
        "one\n"
    );
}

/// All layers, one after the other.
struct Joined;

impl Format<String> for Joined {
    fn parse(&self, document: &Document, _: &Limits, _: &mut Notes) -> Result<String, Report> {
        let layers = document.layers().iter();
        let texts = layers.map(|layer| String::from_utf8_lossy(layer.bytes()));
        Ok(texts.collect())
    }
}

#[test]
fn g04_the_limit_of_all_files_together_is_called_so() {
    let mut world = World::new(|folder| {
        fs::write(folder.join("more.yaml"), "b: 1\n".repeat(20)).unwrap();
        FileDetector::new(folder.join("c.yaml"))
            .source(Source::file(folder.join("more.yaml")))
            .max_bytes(64)
    });
    let error = world.detector.poll(ms(0)).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("more.yaml: all files together are larger than the limit of 64 bytes"),
        "{error}"
    );
    world.detector = FileDetector::new(world.path("more.yaml")).max_bytes(64);
    let error = world.detector.poll(ms(0)).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("more.yaml: larger than the limit of 64 bytes"),
        "{error}"
    );
}

#[test]
fn g05_a_name_that_is_no_text_in_a_folder_is_an_error() {
    use std::os::unix::ffi::OsStrExt;
    let mut world = World::new(|folder| {
        fs::create_dir(folder.join("conf.d")).unwrap();
        FileDetector::new(folder.join("c.yaml")).source(Source::dir(folder.join("conf.d")))
    });
    let name = std::ffi::OsStr::from_bytes(b"10-\xff.yaml");
    fs::write(world.path("conf.d").join(name), "b: 1\n").unwrap();
    let error = world.detector.poll(ms(0)).unwrap_err();
    let said = error.to_string();
    assert!(
        said.contains("conf.d: the name of a file in it is not UTF-8: 10-"),
        "{said}"
    );
    // One that would not count is nobody's concern.
    fs::rename(
        world.path("conf.d").join(name),
        world
            .path("conf.d")
            .join(std::ffi::OsStr::from_bytes(b"\xff~")),
    )
    .unwrap();
    world.rest();
    assert_eq!(world.take(), [OLD]);
}

#[test]
fn g10_an_optional_file_that_is_blank_makes_no_version() {
    let mut world = World::new(|folder| {
        FileDetector::new(folder.join("c.yaml"))
            .source(Source::file(folder.join("more.yaml")).optional())
    });
    world.rest();
    assert_eq!(world.take(), [OLD]);
    for blank in ["", "\n", " \n\t\n", "\u{feff}"] {
        fs::write(world.path("more.yaml"), blank).unwrap();
        world.rest();
        assert!(world.take().is_empty(), "{blank:?}");
    }
}

#[test]
fn g20_a_file_that_flaps_is_reported_once_and_is_a_failure() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.yaml");
    fs::write(&path, OLD).unwrap();
    let mut detector = FileDetector::new(&path);
    let mut engine = steadyconf::engine::Engine::new(Joined);
    for now in [0, 100] {
        engine.poll(&mut detector, ms(now)).unwrap();
    }
    let mut told = Vec::new();
    for turn in 0..400 {
        match turn % 2 {
            0 => fs::write(&path, format!("a: {turn}\n")).unwrap(),
            _ => fs::remove_file(&path).unwrap(),
        }
        let _ = engine.poll(&mut detector, ms(5000 + 70 * turn));
        told.extend(engine.events().iter().map(ToString::to_string));
    }
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].contains("no such file"), "{told:?}");
    assert!(told[1].contains("has been changing"), "{told:?}");
    assert!(!engine.status().is_healthy());
    assert_eq!(**engine.active().unwrap().value(), *OLD);
}
