//! A program's own action at SIGHUP. One test, for every handler in a process gets the
//! signal.
#![cfg(all(target_os = "linux", feature = "signal"))]

#[path = "../common/mod.rs"]
mod common;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use common::{DEADLINE, Text, file, ms, save, wait_until};
use rustix::process::{Signal, getpid, kill_process};
use steadyconf::report::Cause;
use steadyconf::{Outcome, Reloader, Version};

fn hang_up() {
    kill_process(getpid(), Signal::HUP).unwrap();
}

#[test]
fn g19_a_hangup_calls_one_action_and_none_after_a_drop() {
    let (_folder, path) = file("one");
    let load = || {
        let builder = Reloader::from_file_as(&path, Text).settle(Duration::ZERO);
        builder.interval(Duration::from_secs(3600)).load().unwrap()
    };
    let reloader = load();
    let receipts = || reloader.status().receipts;
    let first = reloader.reload_on_sighup().unwrap();
    // The second takes the place of the first: one signal is one reload.
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let second = reloader
        .on_sighup(move |reloader: &Reloader<String>| {
            counted.fetch_add(1, Ordering::SeqCst);
            reloader.reload(DEADLINE)
        })
        .unwrap();
    save(&path, "two");
    hang_up();
    wait_until("a receipt", || receipts().len() == 2);
    let receipt = receipts()[1].clone();
    assert_eq!(receipt.cause, Cause::Sighup);
    assert_eq!(receipt.outcome, Ok(Outcome::Applied(Version::new(2))));
    // The end of what is over ends nothing.
    drop(first);
    hang_up();
    wait_until("another call", || calls.load(Ordering::SeqCst) == 2);

    // A panic costs one signal.
    let again = calls.clone();
    let third = reloader
        .on_sighup(move |reloader: &Reloader<String>| {
            assert!(again.fetch_add(1, Ordering::SeqCst) > 2, "on purpose");
            reloader.reload(DEADLINE)
        })
        .unwrap();
    drop(second);
    hang_up();
    wait_until("a third call", || calls.load(Ordering::SeqCst) == 3);
    hang_up();
    wait_until("a fourth call", || receipts().len() == 4);
    // What is lent ends nothing when the action returns it.
    assert_eq!(reloader.handle().load().version(), Version::new(2));
    assert!(reloader.poll_once().is_ok());
    drop(third);

    // A drop waits for the action under way, and none begins after it.
    let running = load();
    let (begun, begins) = mpsc::channel();
    let ended = Arc::new(AtomicBool::new(false));
    let ends = ended.clone();
    let _last = running
        .on_sighup(move |reloader: &Reloader<String>| {
            begun.send(()).unwrap();
            thread::sleep(ms(50));
            let receipt = reloader.reload(DEADLINE);
            assert_eq!(receipt.outcome, Ok(Outcome::Busy), "the owner is gone");
            ends.store(true, Ordering::SeqCst);
            receipt
        })
        .unwrap();
    hang_up();
    begins.recv_timeout(DEADLINE).unwrap();
    drop(running);
    assert!(ended.load(Ordering::SeqCst), "it still runs after the drop");
    // While one subscription lives, the signal does not end the process.
    hang_up();
    assert!(begins.recv_timeout(ms(20)).is_err());
}
