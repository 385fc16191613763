//! What an idle poll of an aged file costs: one stat and nothing else, and no
//! allocation. Counted, not timed.
#![cfg(all(feature = "std", target_os = "linux"))]

#[path = "../common/mod.rs"]
mod common;
#[cfg(feature = "values")]
#[path = "../../examples/llm_config/mod.rs"]
mod llm_config;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use common::{Text, ms, skip};
use steadyconf::source::FileDetector;
use steadyconf::{Outcome, Reloader, Source};

/// Counts the allocations of each thread.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: it hands everything on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's contract is the system's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller's contract is the system's.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

const SECOND: Duration = Duration::from_secs(1);

/// Polls until the stamps are trusted, has them read in full once more, and
/// calls `idle` before and after thirty looks.
fn thirty_idle_polls(detector: FileDetector, mut mark: impl FnMut(&str)) {
    let reloader = Reloader::with_detector(detector, Text)
        .load_at(ms(0), |until| until)
        .unwrap();
    let mut now = reloader.next_poll();
    let mut look = || {
        now += SECOND;
        assert_eq!(reloader.poll_at(now), Ok(Outcome::Unchanged));
    };
    (0..40).for_each(|_| look());
    assert_eq!(
        reloader.reload(Duration::ZERO).outcome,
        Ok(Outcome::Unchanged)
    );
    mark("begin");
    (0..30).for_each(|_| look());
    mark("end");
}

fn files() -> (tempfile::TempDir, PathBuf, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let [one, two] = ["one.yaml", "two.yaml"].map(|name| folder.path().join(name));
    fs::write(&one, "a: 1\n").unwrap();
    fs::write(&two, "b: 2\n").unwrap();
    (folder, one, two)
}

#[test]
fn an_idle_poll_allocates_nothing() {
    let (_folder, one, two) = files();
    for detector in [
        FileDetector::new(&one),
        FileDetector::new(&one).source(Source::file(&two)),
    ] {
        let mut counts = Vec::with_capacity(2);
        thirty_idle_polls(detector, |_| counts.push(ALLOCATIONS.with(Cell::get)));
        assert_eq!(counts[1] - counts[0], 0);
    }
    // The counting itself works.
    let before = ALLOCATIONS.with(Cell::get);
    drop(std::hint::black_box(Box::new(1)));
    assert_eq!(ALLOCATIONS.with(Cell::get), before + 1);
}

#[test]
fn an_idle_poll_is_one_stat_for_each_file_and_nothing_else() {
    const CHILD: &str = "STEADYCONF_IDLE_CHILD";
    if let Some(folder) = std::env::var_os(CHILD) {
        let [one, two] = ["one.yaml", "two.yaml"].map(|name| Path::new(&folder).join(name));
        // A file that does not exist is a mark that strace sees.
        let mark = |name: &str| assert!(!Path::new("/steadyconf-mark").join(name).exists());
        thirty_idle_polls(FileDetector::new(&one), mark);
        thirty_idle_polls(FileDetector::new(&one).source(Source::file(&two)), mark);
        return;
    }
    if Command::new("strace").arg("-V").output().is_err() {
        skip("strace is not installed");
        return;
    }
    let (folder, ..) = files();
    let log = folder.path().join("strace.log");
    let traced = Command::new("strace")
        .args(["-f", "-o"])
        .arg(&log)
        .arg(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "an_idle_poll_is_one_stat_for_each_file_and_nothing_else",
        ])
        .env(CHILD, folder.path())
        .output()
        .unwrap();
    if !traced.status.success() {
        let why = String::from_utf8_lossy(&traced.stderr);
        assert!(why.contains("ptrace"), "{why}");
        skip("strace may not trace here");
        return;
    }
    let log = fs::read_to_string(log).unwrap();
    let calls = calls_between_the_marks(&log);
    assert_eq!(calls.len(), 2);
    for (calls, files) in calls.iter().zip([1, 2]) {
        assert_eq!(calls.len(), 30 * files, "{calls:#?}");
        for call in calls {
            assert!(call.contains("stat") && call.contains(".yaml"), "{call}");
        }
    }
}

/// The system calls of the marking thread, for each pair of marks.
fn calls_between_the_marks(log: &str) -> Vec<Vec<&str>> {
    let mut all = Vec::new();
    let mut open: Option<(&str, Vec<&str>)> = None;
    for line in log.lines() {
        let (thread, call) = line.split_once(' ').unwrap();
        if call.contains("/steadyconf-mark/begin") {
            open = Some((thread, Vec::new()));
        } else if call.contains("/steadyconf-mark/end") {
            all.extend(open.take().map(|(_, calls)| calls));
        } else if let Some((marking, calls)) = &mut open {
            if *marking == thread {
                calls.push(call);
            }
        }
    }
    all
}

/// Readers allocate nothing; what a change of the real schema takes is counted, so that it
/// does not grow unseen.
#[cfg(feature = "values")]
#[test]
fn reads_allocate_nothing_and_a_change_so_much() {
    use llm_config::{Config, check, of_size};
    use steadyconf::Handle;
    use steadyconf::engine::{Document, Engine};
    use steadyconf::format::Yaml;

    let count = |work: &mut dyn FnMut()| {
        let before = ALLOCATIONS.get();
        work();
        ALLOCATIONS.get() - before
    };
    let handle = Handle::fixed(7);
    let mut reader = handle.reader();
    let _first = handle.load();
    let reads = count(&mut || {
        for _ in 0..1000 {
            assert_eq!((*handle.load(), **reader.get()), (7, 7));
        }
    });
    assert_eq!(reads, 0);

    let text = of_size(1000);
    let changed = text.replacen("max_tokens: 1024", "max_tokens: 1025", 1);
    let mut engine = Engine::<Config>::new(Yaml::new()).validate(check);
    let mut apply = |text: &str| {
        let document = Document::single("config.yaml", text.as_bytes());
        count(&mut || {
            let outcome = engine.apply(document.clone(), Duration::ZERO);
            assert!(matches!(outcome, Outcome::Applied(_)), "{outcome}");
        })
    };
    (0..20).for_each(|_| {
        apply(&text);
        apply(&changed);
    });
    let allocations = apply(&text);
    println!("{allocations} allocations");
    assert!(
        allocations <= MOST,
        "{allocations} allocations, at most {MOST}"
    );
}

/// For `reads_allocate_nothing_and_a_change_so_much`.
#[cfg(feature = "values")]
const MOST: usize = 65;
