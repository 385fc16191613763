//! What several test files share.

#![allow(dead_code, reason = "each test file uses its part of this")]
#![allow(unreachable_pub, reason = "each test file is a crate root of its own")]

use std::collections::VecDeque;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use steadyconf::Report;
use steadyconf::engine::{Detector, Document, Engine, Format, Panicked, Sighting};
use steadyconf::report::{DetectError, DetectErrorKind};
use tempfile::TempDir;

/// Far more than anything here takes, for machines that are busy.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// Waits until something is so. For what needs real time only: threads.
#[track_caller]
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !is_so() {
        assert!(Instant::now() < deadline, "not within {DEADLINE:?}: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// A folder with a file in it, which is there for as long as the folder is held.
pub fn file(text: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.yaml");
    fs::write(&path, text).unwrap();
    (folder, path)
}

/// Saves by rename, so that nobody sees half of it.
pub fn save(path: &Path, text: &str) {
    let beside = path.with_extension("new");
    fs::write(&beside, text).unwrap();
    fs::rename(&beside, path).unwrap();
}

/// Returns the name by which a child runs one test of a module: `module_path!()` and its name.
pub fn exact(module: &str, test: &str) -> String {
    match module.split_once("::") {
        Some((_, inner)) => format!("{inner}::{test}"),
        None => test.into(),
    }
}

pub fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

pub fn doc(text: &str) -> Document {
    Document::single("test", text.as_bytes())
}

pub fn gone() -> DetectError {
    DetectError::new(DetectErrorKind::NotFound, "test", "no such file")
}

/// What calls were made, in order, by whoever has a clone.
#[derive(Clone, Default)]
pub struct Journal(Arc<Mutex<Vec<String>>>);

impl Journal {
    pub fn note(&self, line: impl Into<String>) {
        self.0.lock().unwrap().push(line.into());
    }

    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// Parses whole numbers; counts how often it was asked; panics at `panic`.
#[derive(Clone, Default)]
pub struct Number {
    pub asked: Journal,
}

impl Format<u32> for Number {
    fn parse(
        &self,
        document: &Document,
        _: &steadyconf::engine::Limits,
        _: &mut steadyconf::engine::Notes,
    ) -> Result<u32, Report> {
        let text = String::from_utf8_lossy(document.layers()[0].bytes()).into_owned();
        self.asked.note(text.clone());
        assert_ne!(text, "panic", "secret-in-a-panic");
        text.trim().parse().map_err(|_| {
            let mut report = Report::new();
            report.add("", "expected a whole number");
            report
        })
    }
}

/// A detector that says what it was told to, and `Unchanged` after that.
#[derive(Clone, Default)]
pub struct Script(Arc<Mutex<VecDeque<Line>>>);

pub enum Line {
    Says(Result<Sighting, DetectError>),
    Panics,
}

impl Script {
    pub fn says(&self, sighting: Result<Sighting, DetectError>) {
        self.0.lock().unwrap().push_back(Line::Says(sighting));
    }

    pub fn shows(&self, text: &str) {
        self.says(Ok(Sighting::Changed(doc(text))));
    }

    pub fn panics(&self) {
        self.0.lock().unwrap().push_back(Line::Panics);
    }
}

impl Detector for Script {
    fn poll(&mut self, _now: Duration) -> Result<Sighting, DetectError> {
        let line = self.0.lock().unwrap().pop_front();
        match line {
            None => Ok(Sighting::Unchanged),
            Some(Line::Says(result)) => result,
            Some(Line::Panics) => panic!("secret-in-a-panic"),
        }
    }
}

/// An engine as the host sets it up: it catches panics, and numbers above 100
/// fail validation.
pub fn engine(number: &Number) -> Engine<u32> {
    Engine::new(number.clone())
        .catch(catch)
        .validate(|value, report| {
            assert_ne!(*value, 99, "secret-in-a-panic");
            if *value > 100 {
                report.add("", "must be at most 100");
            }
        })
}

pub fn catch(call: &mut dyn FnMut()) -> Result<(), Panicked> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|_| Panicked)
}

/// Takes whatever it is given, so that no parser keeps torn content out.
pub struct Text;

impl Format<String> for Text {
    fn parse(
        &self,
        document: &Document,
        _: &steadyconf::engine::Limits,
        _: &mut steadyconf::engine::Notes,
    ) -> Result<String, Report> {
        let text = document
            .layers()
            .iter()
            .map(steadyconf::engine::Layer::bytes);
        Ok(String::from_utf8_lossy(&text.collect::<Vec<_>>().concat()).into_owned())
    }
}

/// Says loudly that a part of a test did not run.
pub fn skip(why: &str) {
    eprintln!("SKIPPED: {why}");
}

/// Waits until the clock of the file system has moved on.
///
/// A test on virtual time writes twice within one real tick and lets hours pass
/// in between, which no program can: then a time that did not move proves
/// nothing, and it is the test that is wrong.
pub fn tick(folder: &Path) {
    let probe = folder.join(".tick");
    let time = || {
        fs::write(&probe, "x").unwrap();
        let metadata = fs::metadata(&probe).unwrap();
        metadata.modified().unwrap()
    };
    let before = time();
    wait_until("the file system's clock moves", || time() != before);
    fs::remove_file(&probe).unwrap();
}

/// A small generator, so that a failure is the same each time: xorshift64*.
pub struct Random(pub u64);

impl Random {
    /// One of these.
    pub fn one_of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len() as u64) as usize]
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % n
    }
}
