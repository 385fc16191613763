//! Reloaders that are dropped while SIGHUPs come as fast as they can. A file of its own,
//! for every handler in a process gets the signal.
#![cfg(all(target_os = "linux", feature = "signal"))]

#[path = "../common/mod.rs"]
mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use common::{Text, file, save};
use rustix::process::{Signal, getpid, kill_process};
use steadyconf::Reloader;
use steadyconf::source::FileDetector;

/// The first edition called back after the drop once in 37 to 239 drops.
const DROPS: usize = 600;

#[test]
fn g19_no_callback_after_a_drop_in_a_storm_of_hangups() {
    let storm = Arc::new(AtomicBool::new(true));
    let goes_on = storm.clone();
    let (_folder, path) = file("0");
    let quiet = Reloader::from_file_as(&path, Text).load().unwrap();
    // While one subscription lives, the signal does not end the process.
    let _subscription = quiet.reload_on_sighup().unwrap();
    let raising = thread::spawn(move || {
        while goes_on.load(Ordering::Relaxed) {
            kill_process(getpid(), Signal::HUP).unwrap();
            thread::yield_now();
        }
    });
    let (calls, late) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    for round in 0..DROPS {
        drop_one(round, &calls, &late);
    }
    storm.store(false, Ordering::Relaxed);
    raising.join().unwrap();
    // Without a call, there was no storm.
    assert!(calls.load(Ordering::SeqCst) > DROPS / 20, "{calls:?}");
    assert_eq!(late.load(Ordering::SeqCst), 0, "of {calls:?} calls");
}

/// Loads, lets a hangup find a change, and drops at about that time.
fn drop_one(round: usize, calls: &Arc<AtomicUsize>, late: &Arc<AtomicUsize>) {
    let (_folder, path) = file("0");
    let detector = FileDetector::new(&path).settle(Duration::ZERO);
    let dropped = Arc::new(AtomicBool::new(false));
    let (is_over, calls, late) = (dropped.clone(), calls.clone(), late.clone());
    let reloader = Reloader::with_detector(detector, Text)
        .on_commit(move |_| {
            calls.fetch_add(1, Ordering::SeqCst);
            late.fetch_add(
                usize::from(is_over.load(Ordering::SeqCst)),
                Ordering::SeqCst,
            );
            Ok(())
        })
        .load()
        .unwrap();
    let subscription = reloader.reload_on_sighup().unwrap();
    save(&path, "1");
    for _ in 0..round % 40 {
        thread::sleep(Duration::from_micros(10));
    }
    drop(reloader);
    dropped.store(true, Ordering::SeqCst);
    thread::sleep(Duration::from_micros(200));
    drop(subscription);
}
