//! What happens in the middle of a poll, and what a poll costs. Ways of saving a
//! file between polls are in `tests/`.

use core::cell::RefCell;
use core::fmt;

use super::super::std::fs;
use super::super::std::path::Path;
use super::*;
use crate::engine::Layer;
use crate::report::DetectErrorKind;

/// Something that happens in the middle of a poll.
#[derive(Default)]
pub(super) struct Meanwhile(RefCell<Option<Act>>);

type Act = Box<dyn FnMut(Step) + Send>;

impl Meanwhile {
    fn of(act: impl FnMut(Step) + Send + 'static) -> Self {
        Meanwhile(RefCell::new(Some(Box::new(act))))
    }

    pub(super) fn call(&self, step: Step) {
        if let Some(act) = &mut *self.0.borrow_mut() {
            act(step);
        }
    }
}

impl fmt::Debug for Meanwhile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Meanwhile")
    }
}

const BASE: Duration = Duration::from_secs(10);

/// Two files of one generation behind a link, as Kubernetes lays them out.
struct Set {
    folder: tempfile::TempDir,
    detector: FileDetector,
}

fn text(generation: u32, name: &str) -> String {
    format!("{name} of generation {generation}\n")
}

impl Set {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = |name: &str| folder.path().join("..data").join(name);
        let detector = FileDetector::new(data("base")).source(Source::file(data("over")));
        let set = Set { folder, detector };
        Set::flip(set.folder.path(), 0);
        set
    }

    /// Makes a whole new generation and flips the link to it.
    fn flip(folder: &Path, generation: u32) {
        let fresh = folder.join(format!("..{generation}"));
        fs::create_dir_all(&fresh).unwrap();
        for name in ["base", "over"] {
            fs::write(fresh.join(name), text(generation, name)).unwrap();
        }
        Set::lead_to(folder, generation);
    }

    /// Flips the link to a generation that is there.
    fn lead_to(folder: &Path, generation: u32) {
        let link = folder.join("..tmp");
        let target = folder.join(format!("..{generation}"));
        super::super::std::os::unix::fs::symlink(target, &link).unwrap();
        fs::rename(&link, folder.join("..data")).unwrap();
    }

    /// Lets this happen at that moment of the next polls, `times` times.
    fn meanwhile(&mut self, at: Step, mut times: u32, act: impl Fn(&Path, u32) + Send + 'static) {
        let folder = self.folder.path().to_path_buf();
        let mut count = 0;
        self.detector.meanwhile = Meanwhile::of(move |step| {
            if step == at && times > 0 {
                times -= 1;
                count += 1;
                act(&folder, count);
            }
        });
    }

    /// Polls until something is offered; says of which generation, having
    /// checked that it is of one.
    fn offered(&mut self, mut now: Duration) -> (u32, Duration) {
        for _ in 0..1000 {
            match self.detector.poll(now).unwrap() {
                Sighting::Changed(document) => {
                    let parts: Vec<_> = document.layers().iter().map(Layer::bytes).collect();
                    let text = String::from_utf8(parts.concat()).unwrap();
                    let mut generations = text.lines().map(|l| l.rsplit(' ').next().unwrap());
                    let (first, second) = (generations.next(), generations.next());
                    assert_eq!(first, second, "a mix");
                    return (first.unwrap().parse().unwrap(), now);
                }
                Sighting::Settling { until } => now = until,
                Sighting::Unchanged => now += Duration::from_secs(1),
            }
        }
        core::panic!("nothing was offered");
    }
}

const MOMENTS: [Step; 4] = [
    Step::Stamped(0),
    Step::Read(0),
    Step::Stamped(1),
    Step::Read(1),
];

#[test]
fn g12_a_flip_in_the_middle_of_a_poll_never_gives_a_mix() {
    for moment in MOMENTS {
        for times in [1, 2, 5] {
            let mut set = Set::new();
            let (first, now) = set.offered(BASE);
            assert_eq!(first, 0);
            Set::flip(set.folder.path(), 100);
            set.meanwhile(moment, times, Set::flip);
            let (last, _) = set.offered(now);
            assert_eq!(last, times, "{moment:?}, {times} times");
        }
    }
}

/// Also with no settle time at all: then only the stamps stand in between.
#[test]
fn g12_not_even_without_a_settle_time() {
    for moment in MOMENTS {
        let mut set = Set::new();
        set.detector.settle = Settle::new(Duration::ZERO);
        set.meanwhile(moment, 3, Set::flip);
        let (last, _) = set.offered(BASE);
        assert_eq!(last, 3, "{moment:?}");
    }
}

/// A flip there and back leaves every stamp as it was before; only the file that
/// was opened tells.
#[test]
fn g12_a_flip_there_and_back_in_the_middle_of_a_poll() {
    for member in [0, 1] {
        let mut set = Set::new();
        set.detector.settle = Settle::new(Duration::ZERO);
        let folder = set.folder.path().to_path_buf();
        Set::flip(&folder, 1);
        Set::lead_to(&folder, 0);
        let mut done = false;
        set.detector.meanwhile = Meanwhile::of(move |step| {
            if step == Step::Stamped(member) && !done {
                Set::lead_to(&folder, 1);
            }
            if step == Step::Read(member) && !done {
                Set::lead_to(&folder, 0);
                done = true;
            }
        });
        // A mix is found out where the offer is taken in.
        let (last, _) = set.offered(BASE);
        assert!(last <= 1);
    }
}

#[test]
fn g12_a_member_that_moves_in_place_makes_the_set_be_read_again() {
    for moment in MOMENTS {
        for member in ["base", "over"] {
            let mut set = Set::new();
            set.detector.settle = Settle::new(Duration::ZERO);
            set.meanwhile(moment, 1, move |folder, _| {
                // One generation, but written in two steps, of equal size.
                for name in ["base", "over"] {
                    let path = folder.join("..data").join(name);
                    if name == member {
                        fs::write(path, text(7, name)).unwrap();
                    } else {
                        let beside = folder.join("beside");
                        fs::write(&beside, text(7, name)).unwrap();
                        fs::rename(&beside, path).unwrap();
                    }
                }
            });
            let (last, _) = set.offered(BASE);
            assert_eq!(last, 7, "{moment:?} {member}");
        }
    }
}

#[test]
fn g12_flips_as_fast_as_possible_from_another_thread() {
    use super::super::std::sync::atomic::{AtomicBool, Ordering};
    use super::super::std::thread;
    let mut set = Set::new();
    set.detector.settle = Settle::new(Duration::ZERO);
    let folder = set.folder.path().to_path_buf();
    let done = AtomicBool::new(false);
    let seen = thread::scope(|scope| {
        scope.spawn(|| {
            for generation in 1..=400 {
                Set::flip(&folder, generation);
            }
            done.store(true, Ordering::Release);
        });
        let mut seen = vec![];
        let mut now = BASE;
        loop {
            let end = done.load(Ordering::Acquire);
            now += Duration::from_millis(1);
            match set.detector.poll(now).unwrap() {
                Sighting::Changed(document) => {
                    let parts: Vec<_> = document.layers().iter().map(Layer::bytes).collect();
                    let text = String::from_utf8(parts.concat()).unwrap();
                    let generations: Vec<u32> = text
                        .lines()
                        .map(|line| line.rsplit(' ').next().unwrap().parse().unwrap())
                        .collect();
                    assert_eq!(generations[0], generations[1], "a mix");
                    seen.push(generations[0]);
                }
                Sighting::Unchanged if end => return seen,
                _ => {}
            }
        }
    });
    assert!(seen.is_sorted_by(|a, b| a < b), "{seen:?}");
    assert_eq!(seen.last(), Some(&400));
}

/// A file that grows while it is read is cut off at the limit and one byte.
#[test]
fn g04_a_file_that_grows_under_the_reader_ends_in_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.yaml");
    fs::write(&path, "x").unwrap();
    let mut detector = FileDetector::new(&path).max_bytes(10);
    // It was small when its stamp was taken, and is replaced before it is read.
    detector.meanwhile = Meanwhile::of(move |step| {
        if step == Step::Stamped(0) {
            fs::write(&path, [b'x'; 5000]).unwrap();
        }
    });
    let error = detector.poll(BASE).unwrap_err();
    assert_eq!(error.kind(), DetectErrorKind::TooLarge);
}

/// What is a file when it is looked at may be a pipe when it is opened.
#[test]
fn g04_a_pipe_in_place_of_the_file_during_a_poll() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.yaml");
    fs::write(&path, "x").unwrap();
    let mut detector = FileDetector::new(&path);
    detector.meanwhile = Meanwhile::of(move |step| {
        if step == Step::Stamped(0) {
            fs::remove_file(&path).unwrap();
            let mut mkfifo = super::super::std::process::Command::new("mkfifo");
            assert!(mkfifo.arg(&path).status().unwrap().success());
        }
    });
    let error = detector.poll(BASE).unwrap_err();
    assert_eq!(error.kind(), DetectErrorKind::NotAFile);
}

/// An error in the middle of reading leaves the stamp as it was; it must not be
/// trusted then, or the error would come and go.
#[test]
fn g11_a_file_that_cannot_be_read_is_read_again_at_every_poll() {
    let mut set = Set::new();
    let (_, mut now) = set.offered(BASE);
    for _ in 0..40 {
        now += Duration::from_secs(1);
        assert_eq!(set.detector.poll(now), Ok(Sighting::Unchanged));
    }
    // The link leads nowhere between the stamp and the opening.
    let folder = set.folder.path().to_path_buf();
    set.detector.meanwhile = Meanwhile::of(move |step| {
        if step == Step::Stamped(0) {
            Set::lead_to(&folder, 99);
        }
    });
    set.detector.refresh();
    for _ in 0..5 {
        now += Duration::from_secs(1);
        let error = set.detector.poll(now).unwrap_err();
        assert_eq!(error.kind(), DetectErrorKind::NotFound);
        Set::lead_to(set.folder.path(), 0);
    }
    set.detector.meanwhile = Meanwhile::default();
    assert_eq!(set.detector.poll(now), Ok(Sighting::Unchanged));
}

/// What was seen before an error does not count towards holding still.
#[test]
fn g02_an_error_in_between_starts_the_settling_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.yaml");
    let mut detector = FileDetector::new(&path);
    fs::write(&path, "half").unwrap();
    let waits = |sighting| matches!(sighting, Ok(Sighting::Settling { .. }));
    let ms = Duration::from_millis;
    assert!(waits(detector.poll(BASE)));
    fs::remove_file(&path).unwrap();
    detector.poll(BASE + ms(50)).unwrap_err();
    fs::write(&path, "half").unwrap();
    assert!(waits(detector.poll(BASE + ms(120))));
    assert!(waits(detector.poll(BASE + ms(219))));
    let sighting = detector.poll(BASE + ms(220)).unwrap();
    assert!(matches!(sighting, Sighting::Changed(_)), "{sighting:?}");
}
