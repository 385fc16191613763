//! Real time and real pressure: writers that do not wait, a process that is
//! stopped, a start in the middle of it all. Everything waits for a state.
#![cfg(all(feature = "std", target_os = "linux"))]

#[path = "../common/mod.rs"]
mod common;

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use common::{DEADLINE, Journal, Text, file, ms, save, wait_until};
use steadyconf::engine::Limits;
use steadyconf::source::{FileDetector, Own};
use steadyconf::{Builder, Reloader};

/// All contents have one length, and say their number at both ends.
fn content(n: usize) -> String {
    let number = format!("{n:06}");
    format!("first: {number}\n{}\nlast: {number}\n", "-".repeat(3000))
}

/// The number, if the content is whole.
#[track_caller]
fn number(text: &str) -> usize {
    let first = text
        .lines()
        .next()
        .unwrap_or("")
        .rsplit(' ')
        .next()
        .unwrap();
    let n = first.parse().unwrap_or(usize::MAX);
    assert!(
        text == content(n),
        "torn: {} bytes, first {first}",
        text.len()
    );
    n
}

fn watch(path: &Path) -> Builder<String, Own> {
    Reloader::with_detector(FileDetector::new(path), Text).interval(ms(20))
}

fn overwrite(path: &Path, text: &str) {
    let file = OpenOptions::new().write(true).open(path).unwrap();
    file.write_all_at(text.as_bytes(), 0).unwrap();
}

/// Tells what was applied, in order.
fn journal(builder: Builder<String, Own>) -> (Builder<String, Own>, Journal) {
    let journal = Journal::default();
    let note = journal.clone();
    let builder = builder.on_commit(move |change| {
        note.note(change.new.value().clone());
        Ok(())
    });
    (builder, journal)
}

#[test]
fn g07_of_hundreds_of_quick_changes_the_last_wins() {
    let (_folder, path) = file(&content(0));
    let (builder, applied) = journal(watch(&path));
    let reloader = builder.load().unwrap();
    reloader.start().unwrap();
    for n in 1..=900 {
        if n % 3 == 0 {
            overwrite(&path, &content(n));
        } else {
            save(&path, &content(n));
        }
        if n % 7 == 0 {
            reloader.wake();
        }
    }
    let handle = reloader.handle();
    wait_until("the last", || *handle.load().value() == content(900));
    reloader.stop();
    let applied: Vec<_> = applied.take().iter().map(|text| number(text)).collect();
    assert!(applied.is_sorted_by(|a, b| a < b), "{applied:?}");
    assert_eq!(applied.last(), Some(&900));
}

#[test]
fn g07_a_neighbour_that_never_stops_writing_holds_nothing_up() {
    let (folder, path) = file(&content(0));
    let reloader = watch(&path).load().unwrap();
    reloader.start().unwrap();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let neighbour = folder.path().join("config.yaml.log");
            let mut n = 0;
            while !done.load(Ordering::Relaxed) {
                n += 1;
                fs::write(&neighbour, content(n)).unwrap();
                save(&folder.path().join("other"), &content(n));
                thread::yield_now();
            }
        });
        let handle = reloader.handle();
        let seen = std::panic::catch_unwind(|| {
            for n in 1..=3 {
                save(&path, &content(n));
                wait_until("the change", || *handle.load().value() == content(n));
            }
        });
        done.store(true, Ordering::Relaxed);
        seen.unwrap();
    });
}

#[test]
fn g02_a_start_while_the_file_is_replaced_all_the_time() {
    let (_folder, path) = file(&content(0));
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut n = 0;
            while !done.load(Ordering::Relaxed) {
                n += 1;
                let beside = path.with_extension("new");
                fs::write(&beside, content(n)).unwrap();
                // Where a careful writer calls fsync.
                thread::sleep(ms(3));
                fs::rename(&beside, &path).unwrap();
            }
            n
        });
        // It may have to give up on a file that never holds still; whatever it
        // starts with is whole.
        let builder = || {
            Reloader::with_detector(FileDetector::new(&path).settle(ms(20)), Text)
                .interval(ms(20))
                .load_timeout(Duration::from_secs(5))
                .load()
        };
        let mut loaded = builder();
        while loaded.is_err() && !writer.is_finished() {
            loaded = builder();
            done.store(true, Ordering::Relaxed);
        }
        done.store(true, Ordering::Relaxed);
        let last = writer.join().unwrap();
        let reloader = loaded.unwrap();
        number(reloader.handle().load().value());
        reloader.start().unwrap();
        let handle = reloader.handle();
        wait_until("the last", || *handle.load().value() == content(last));
    });
}

#[test]
fn g02_three_megabytes_superseded_while_written() {
    const SIZE: usize = 3 << 20;
    let (_folder, path) = file(&content(0));
    let detector = FileDetector::new(&path).max_bytes(4 << 20);
    let builder = Reloader::with_detector(detector, Text).interval(ms(20));
    let (builder, applied) = journal(builder);
    let reloader = builder
        .limits(Limits::default().max_bytes(4 << 20))
        .load()
        .unwrap();
    reloader.start().unwrap();
    let big = "x".repeat(SIZE);
    let mut out = fs::File::create(&path).unwrap();
    for block in big.as_bytes().chunks(64 << 10) {
        out.write_all(block).unwrap();
        thread::sleep(ms(2));
    }
    save(&path, &content(1));
    let handle = reloader.handle();
    wait_until("the small one", || *handle.load().value() == content(1));
    // The large one may have made it in whole, if the machine was slow.
    for text in applied.take() {
        assert!(
            text.len() == SIZE || text == content(1),
            "{} bytes",
            text.len()
        );
    }
    // And it does make it in if nothing comes after it.
    fs::write(&path, &big).unwrap();
    wait_until("the large one", || handle.load().len() == SIZE);
}

/// A process that is stopped misses everything, and knows it all again as soon
/// as it goes on.
#[test]
fn g07_a_process_that_was_stopped() {
    const CHILD: &str = "STEADYCONF_STOPPED_CHILD";
    if let Some(path) = std::env::var_os(CHILD) {
        let (builder, applied) = journal(watch(Path::new(&path)));
        let reloader = builder.load().unwrap();
        reloader.start().unwrap();
        println!("\nCHILD ready");
        // Until the parent has seen enough, and kills it.
        loop {
            for text in applied.take() {
                println!("\nCHILD {}", number(&text));
            }
            thread::sleep(ms(1));
        }
    }
    let (_folder, path) = file(&content(0));
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "g07_a_process_that_was_stopped", "--nocapture"])
        .env(CHILD, &path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            if let Some(line) = line.strip_prefix("CHILD ") {
                let _ = tell.send(line.to_string());
            }
        }
    });
    let signal = |name: &str| {
        let id = child.id().to_string();
        let sent = Command::new("kill").args([name, &id]).status().unwrap();
        assert!(sent.success());
    };
    let result = std::panic::catch_unwind(|| {
        assert_eq!(told.recv_timeout(DEADLINE).unwrap(), "ready");
        for round in 0..3 {
            signal("-STOP");
            for n in 1..=20 {
                save(&path, &content(round * 100 + n));
            }
            signal("-CONT");
            let last = (round * 100 + 20).to_string();
            while told.recv_timeout(DEADLINE).unwrap() != last {}
        }
    });
    child.kill().unwrap();
    child.wait().unwrap();
    result.unwrap();
}
