//! Errors of the kernel at every system call of a poll of files, and of a write of the
//! last known good; and the end of the process at each of them. strace injects them into
//! the one thread of a child that polls, while another thread of it edits the files and
//! checks what it sees.
#![cfg(all(feature = "std", target_os = "linux"))]

#[path = "../common/mod.rs"]
mod common;

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use common::{Number, Script, Text, gone, ms, save, skip};
use steadyconf::source::FileDetector;
use steadyconf::{Outcome, Reloader, Source};

const ERRORS: [&str; 6] = ["EIO", "EINTR", "EAGAIN", "ESTALE", "ENOMEM", "EMFILE"];

/// Calls that no part of a poll waits for: memory, and the threads' own.
const OTHERS: &str = "futex,brk,mmap,munmap,mremap,mprotect,madvise,sched_yield,getrandom,\
                      rt_sigprocmask,sigaltstack,exit,clone3,set_robust_list,rseq,gettid";

/// A thread that does what it is told, and nothing else, so that its system calls are
/// those of what it was told.
struct Worker {
    tell: Sender<Box<dyn FnOnce() + Send>>,
}

impl Worker {
    fn start() -> Self {
        let (tell, told): (_, Receiver<Box<dyn FnOnce() + Send>>) = channel();
        thread::spawn(move || told.iter().for_each(|job| job()));
        Worker { tell }
    }

    fn run<R: Send + 'static>(&self, job: impl FnOnce() -> R + Send + 'static) -> R {
        let (answer, answered) = channel();
        let job = move || {
            let result = catch_unwind(AssertUnwindSafe(job));
            let _ = answer.send(result.map_err(|_| ()));
        };
        self.tell.send(Box::new(job)).unwrap();
        answered.recv().unwrap().expect("no panic in a poll")
    }

    /// Lets strace come, and returns when it is there.
    fn wait_for_strace(&self) {
        // SAFETY: it only permits a process of this user to trace this one.
        unsafe { libc::prctl(libc::PR_SET_PTRACER, libc::PR_SET_PTRACER_ANY, 0, 0, 0) };
        let thread = self.run(|| fs::read_link("/proc/thread-self").unwrap());
        let id = thread.file_name().unwrap().to_str().unwrap();
        println!("\nCHILD {id}");
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).unwrap();
    }
}

const CHILD: &str = "STEADYCONF_FAULTS_CHILD";

/// What a child is told to do, in this folder.
fn told(what: &str) -> Option<std::path::PathBuf> {
    let told = std::env::var(CHILD).ok()?;
    let (first, folder) = told.split_once(' ')?;
    (first == what).then(|| folder.into())
}

/// Polls a file and a folder, at rest and after both were saved, until all is well.
#[test]
fn g07_child_that_polls_files() {
    let Some(folder) = told("poll") else {
        return;
    };
    let (file, drop_ins) = (folder.join("config.yaml"), folder.join("conf.d"));
    fs::create_dir(&drop_ins).unwrap();
    let write = |text: &str| {
        save(&file, &format!("a: {text}\n"));
        save(&drop_ins.join("10-b.yaml"), &format!("b: {text}\n"));
        format!("a: {text}\nb: {text}\n")
    };
    let first = write("first");
    let detector = FileDetector::new(&file)
        .source(Source::dir(&drop_ins))
        .settle(ms(100));
    let reloader = Reloader::with_detector(detector, Text).load_at(ms(0), |until| until);
    let reloader = std::sync::Arc::new(reloader.unwrap());
    let worker = Worker::start();
    worker.wait_for_strace();

    let mut newest = first.clone();
    let mut poll = |now| {
        let polling = reloader.clone();
        let result = worker.run(move || polling.poll_at(ms(now)));
        if now == 1500 {
            newest = write("second");
        }
        let active = reloader.handle().load().to_string();
        let is_newest = active == newest;
        assert!(is_newest || active == first, "{now}: {active:?}");
        let status = reloader.status();
        match &result {
            Ok(Outcome::Unchanged) => assert!(is_newest || now == 1500, "{now}: nothing is told"),
            Ok(Outcome::Settling { .. }) => {}
            Ok(Outcome::Applied(_)) => assert!(is_newest, "{now}"),
            Ok(other) => panic!("{now}: {other:?}"),
            Err(error) => {
                assert!(!status.is_healthy(), "{now}");
                let told = status.last_error.as_ref().unwrap().failure.to_string();
                assert!(told.contains(&error.to_string()), "{now}: {told}");
            }
        }
        is_newest && status.is_healthy() && now > 1500
    };
    let last = (1..=100).map(|n| n * 500).find(|now| poll(*now));
    println!("\nCHILD was well at {} ms", last.expect("never well again"));
}

/// Applies a change, and polls until the last known good is of it.
#[test]
fn g18_child_that_keeps_the_last_known_good() {
    let Some(folder) = told("keep") else {
        return;
    };
    let path = folder.join("last.good");
    let script = Script::default();
    let load = |path: &Path| {
        Reloader::with_detector(script.clone(), Number::default())
            .last_known_good(path)
            .load_at(ms(0), |until| until)
            .unwrap()
    };
    let new = {
        let elsewhere = tempfile::tempdir().unwrap();
        script.shows("2");
        load(&elsewhere.path().join("last.good"));
        fs::read(elsewhere.path().join("last.good")).unwrap()
    };
    script.shows("1");
    let reloader = std::sync::Arc::new(load(&path));
    let old = fs::read(&path).unwrap();
    script.shows("2");
    let worker = Worker::start();
    worker.wait_for_strace();

    let poll = |now| {
        let polling = reloader.clone();
        let result = worker.run(move || polling.poll_at(ms(now)));
        assert!(result.is_ok(), "{now}: {result:?}");
        assert_eq!(*reloader.handle().load(), 2, "{now}");
        let status = reloader.status();
        assert!(status.is_healthy(), "{now}");
        let found = fs::read(&path).unwrap();
        assert!(found == new || found == old, "{now}: torn");
        let error = status.last_good_error;
        assert!(error.is_some() || found == new, "{now}: nothing is told");
        found == new && error.is_none()
    };
    // The pauses before new tries grow, up to a minute.
    let last = (1..=1000).map(|n| n * 500).find(|now| poll(*now));
    let last = last.expect("never kept");
    assert!(poll(last + 61_000), "it is looked for");
    let names: Vec<_> = fs::read_dir(&folder).unwrap().flatten().collect();
    assert_eq!(names.len(), 1, "leftovers: {names:?}");
    println!("\nCHILD was well at {last} ms");
}

/// What came of one life of a child.
struct Life {
    status: std::process::ExitStatus,
    said: String,
    log: String,
}

/// Runs a child, with strace at its polling thread. `None` if strace may not do that
/// here.
fn live(what: &str, folder: &Path, strace: &[&str]) -> Option<Life> {
    let test = match what {
        "poll" => "g07_child_that_polls_files",
        _ => "g18_child_that_keeps_the_last_known_good",
    };
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(CHILD, format!("{what} {}", folder.display()))
        .env("RUST_BACKTRACE", "0")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let id = loop {
        let mut line = String::new();
        assert!(output.read_line(&mut line).unwrap() > 0, "{what}");
        if let Some(id) = line.strip_prefix("CHILD ") {
            break id.trim().to_string();
        }
    };
    let log = tempfile::NamedTempFile::new().unwrap();
    let mut strace = Command::new("strace")
        .args(["-p", &id, "-o"])
        .arg(log.path())
        .args(strace)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut attached = String::new();
    let mut errors = BufReader::new(strace.stderr.take().unwrap());
    errors.read_line(&mut attached).unwrap();
    let is_attached = attached.contains("attached");
    if !is_attached {
        child.kill().unwrap();
    }
    // A child that was killed reads nothing.
    let _ = child.stdin.take().unwrap().write_all(b"go\n");
    let mut said = String::new();
    output.read_to_string(&mut said).unwrap();
    let mut stderr = child.stderr.take().unwrap();
    stderr.read_to_string(&mut said).unwrap();
    let status = child.wait().unwrap();
    strace.wait().unwrap();
    if !is_attached {
        skip(&format!("strace may not trace here: {attached}"));
        return None;
    }
    let log = fs::read_to_string(log.path()).unwrap();
    Some(Life { status, said, log })
}

/// Returns the system calls of an undisturbed life, with how often each is made. `None`
/// if there is no strace.
fn calls(what: &str) -> Option<BTreeMap<String, usize>> {
    if Command::new("strace").arg("-V").output().is_err() {
        skip("strace is not installed");
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let life = live(what, folder.path(), &["-e", &format!("trace=!{OTHERS}")])?;
    assert!(life.status.success(), "{}", life.said);
    let mut calls = BTreeMap::new();
    for line in life.log.lines() {
        if let Some((name, _)) = line.split_once('(') {
            *calls.entry(name.to_string()).or_default() += 1;
        }
    }
    Some(calls)
}

/// Lets each call of a child end in each error, once in a life; and each and those of
/// its kind that follow, for some time. Returns how many lives there were.
fn every_error_at_every_call(what: &str, expected: &[&str], more: &[&str]) -> Option<usize> {
    let mut calls = calls(what)?;
    // To close what was only read never fails, and `std` panics if it does for a folder.
    calls.remove("close");
    for names in expected {
        let is_made = names.split('|').any(|name| calls.contains_key(name));
        assert!(is_made, "{what}: {calls:?}");
    }
    let mut faults: Vec<_> = more.iter().copied().map(String::from).collect();
    for (call, count) in &calls {
        for nth in 1..=*count {
            faults.extend(ERRORS.map(|error| format!("{call}:error={error}:when={nth}")));
            let last = nth + count / 2;
            faults.push(format!("{call}:error=EIO:when={nth}..{last}"));
        }
    }
    for fault in &faults {
        let folder = tempfile::tempdir().unwrap();
        let inject = format!("inject={fault}");
        let Life { status, said, log } = live(what, folder.path(), &["-e", &inject])?;
        assert!(status.success(), "{fault}\n{said}\n{log}");
        assert!(said.contains("was well at"), "{fault}\n{said}");
        assert!(log.contains("(INJECTED)"), "{fault}\n{log}");
    }
    println!("{what}: {} lives, {calls:?}", faults.len());
    Some(faults.len())
}

#[test]
fn g09_an_error_at_any_call_of_a_poll_is_reported_and_ends() {
    let expected = ["openat", "read", "statx|newfstatat|fstat", "getdents64"];
    let lives = every_error_at_every_call("poll", &expected, &[]);
    assert!(lives.is_none_or(|lives| lives > 100), "{lives:?}");
}

#[test]
fn g18_an_error_at_any_call_of_a_write_is_reported_and_ends() {
    let expected = ["openat", "write", "fsync", "rename|renameat|renameat2"];
    // What cannot be renamed cannot be removed, either, for a while or once.
    let more = [
        "rename,unlink:error=EPERM:when=1..3",
        "rename,unlink:error=EIO:when=1",
    ];
    let lives = every_error_at_every_call("keep", &expected, &more);
    assert!(lives.is_none_or(|lives| lives > 60), "{lives:?}");
}

#[test]
fn g18_a_kill_at_any_call_of_a_write_leaves_old_or_new() {
    let Some(calls) = calls("keep") else {
        return;
    };
    let mut found = [0, 0];
    for (call, nth) in calls
        .iter()
        .flat_map(|(call, n)| (1..=*n).map(move |n| (call, n)))
    {
        let folder = tempfile::tempdir().unwrap();
        let inject = format!("inject={call}:signal=KILL:when={nth}");
        let Some(life) = live("keep", folder.path(), &["-e", &inject]) else {
            return;
        };
        assert_eq!(
            life.status.signal(),
            Some(libc::SIGKILL),
            "{inject}\n{}",
            life.said
        );
        let script = Script::default();
        script.says(Err(gone()));
        let reloader = Reloader::with_detector(script, Number::default())
            .last_known_good(folder.path().join("last.good"))
            .load_at(ms(0), |until| until);
        let reloader = reloader.unwrap_or_else(|error| panic!("{inject}: {error}"));
        match *reloader.handle().load() {
            n @ 1..=2 => found[n as usize - 1] += 1,
            other => panic!("{inject}: {other}"),
        }
        let names: Vec<_> = fs::read_dir(&folder).unwrap().flatten().collect();
        assert_eq!(names.len(), 1, "{inject}: leftovers: {names:?}");
    }
    println!("killed {found:?} times with the old and the new, {calls:?}");
    assert!(found.iter().all(|times| *times > 0), "{found:?}");
}
