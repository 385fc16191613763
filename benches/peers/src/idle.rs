//! A poll that finds nothing new.

use std::fs::{self, File};
use std::hint::black_box;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use cpu_time::ProcessTime;
use notify::{Config as Watching, PollWatcher, RecursiveMode, Watcher};
use steadyconf::{Outcome, Reloader};

use super::llm_config::{Config, of_size};
use super::{Case, contest};

/// So many polls are timed at once, where notify takes part.
const BATCH: u32 = 2000;

/// Returns a watcher that polls when it is told to.
fn poll_watcher(path: &Path, contents: bool) -> PollWatcher {
    let config = Watching::default()
        .with_manual_polling()
        .with_compare_contents(contents);
    let mut watcher = PollWatcher::new(|_| {}, config).expect("a watcher");
    let mode = RecursiveMode::NonRecursive;
    watcher.watch(path, mode).expect("it is there");
    watcher
}

/// Times what a batch takes of the processor: notify polls on a thread of its own, and does
/// not say when it has.
fn on_the_processor<'a>(name: &str, mut once: impl FnMut() + 'a) -> Case<'a> {
    Case::measured(name, move || {
        let start = ProcessTime::now();
        (0..BATCH).for_each(|_| once());
        let mut took = start.elapsed();
        loop {
            thread::sleep(Duration::from_millis(5));
            let now = start.elapsed();
            // A sleep itself takes some of it.
            if now.saturating_sub(took) < Duration::from_micros(500) {
                return took.as_secs_f64() / f64::from(BATCH);
            }
            took = now;
        }
    })
}

pub fn all() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("config.yaml");
    fs::write(&path, of_size(10_000)).expect("it can be written");
    aged(&path);
    touched(&path);
}

fn load(path: &Path) -> Reloader<Config> {
    let builder = Reloader::<Config>::from_file(path);
    builder
        .load_at(Duration::ZERO, |until| until)
        .expect("it is valid")
}

fn aged(path: &Path) {
    let reloader = load(path);
    let mut now = Duration::ZERO;
    let mut poll = move || {
        now += Duration::from_secs(1);
        assert_eq!(reloader.poll_at(now), Ok(Outcome::Unchanged));
    };
    // Until its stamp is old enough to be trusted.
    (0..10).for_each(|_| poll());
    let (metadata, ours) = ("`std::fs::metadata`", "steadyconf `poll`");
    let cases = vec![
        Case::timed(metadata, 1, || drop(black_box(fs::metadata(path)))),
        // One at a time: the full read of one poll in 30 is beside the median.
        Case::timed(ours, 1, poll),
    ];
    let title = "A poll of one aged file of 10 KB that finds nothing";
    contest(title, 20_001, cases, &[(ours, metadata, 1.2)]);

    let [plain, contents] = ["plain.yaml", "contents.yaml"].map(|name| path.with_file_name(name));
    for path in [&plain, &contents] {
        fs::write(path, of_size(10_000)).expect("it can be written");
    }
    let plain = poll_watcher(&plain, false);
    let contents = poll_watcher(&contents, true);
    let reloader = load(path);
    let mut now = Duration::ZERO;
    let (mtime, bytes) = (
        "notify `PollWatcher`",
        "notify `PollWatcher`, with contents",
    );
    let ours = "steadyconf `poll`, with its full reads";
    let cases = vec![
        on_the_processor(ours, move || {
            now += Duration::from_secs(1);
            assert_eq!(reloader.poll_at(now), Ok(Outcome::Unchanged));
        }),
        on_the_processor(mtime, || plain.poll().expect("it runs")),
        on_the_processor(bytes, || contents.poll().expect("it runs")),
    ];
    let limits = [(ours, mtime, 0.5), (ours, bytes, 0.1)];
    contest(
        "The same on the processor, beside notify",
        11,
        cases,
        &limits,
    );
}

fn touched(path: &Path) {
    let touch = || {
        let file = File::options().write(true).open(path).expect("it is there");
        file.set_modified(SystemTime::now())
            .expect("it can be touched");
    };
    let reloader = load(path);
    let mut now = Duration::ZERO;
    let (metadata, ours) = ("`std::fs::metadata`", "steadyconf `poll`");
    let cases = vec![
        Case::measured(metadata, || {
            touch();
            let start = Instant::now();
            let _ = black_box(fs::metadata(path));
            start.elapsed().as_secs_f64()
        }),
        Case::measured(ours, || {
            touch();
            now += Duration::from_secs(1);
            let start = Instant::now();
            let outcome = black_box(reloader.poll_at(now));
            let took = start.elapsed().as_secs_f64();
            assert_eq!(outcome, Ok(Outcome::Unchanged));
            took
        }),
    ];
    let title = "A poll of 10 KB that were touched, and are equal";
    contest(title, 2001, cases, &[(ours, metadata, 5.0)]);
}
