//! A child that was forked has none of its parent's threads. A file of its own, so that
//! nothing else runs in the process that forks.
#![cfg(all(target_os = "linux", feature = "std"))]

#[path = "../common/mod.rs"]
mod common;

use std::sync::{Arc, Mutex};

use common::{DEADLINE, Number, ms};
use steadyconf::Reloader;
use steadyconf::engine::ManualDetector;

#[test]
fn g19_stop_in_a_forked_child_waits_for_no_thread() {
    let source = Arc::new(Mutex::new(ManualDetector::new("test")));
    source.lock().unwrap().set(*b"1");
    let reloader = Reloader::with_detector(source, Number::default())
        .interval(ms(60_000))
        .load()
        .unwrap();
    reloader.start().unwrap();
    // The thread is asleep when the process forks.
    common::wait_until("the first poll", || {
        let status = reloader.status();
        status.last_poll > status.applied_at && status.in_poll_since.is_none()
    });
    std::thread::sleep(ms(50));
    // SAFETY: the child calls the reloader and leaves; it shares nothing with the parent.
    let child = unsafe { libc::fork() };
    assert!(child >= 0);
    if child == 0 {
        reloader.stop();
        // SAFETY: it ends the child without running the parent's destructors.
        unsafe { libc::_exit(0) };
    }
    let deadline = std::time::Instant::now() + DEADLINE / 3;
    let mut status = -1;
    // SAFETY: `child` is a child of this process, and `status` outlives the call.
    while unsafe { libc::waitpid(child, &raw mut status, libc::WNOHANG) } == 0 {
        if std::time::Instant::now() > deadline {
            // SAFETY: as above; it has not been waited for.
            unsafe { libc::kill(child, libc::SIGKILL) };
            panic!("stop() in the child never returned");
        }
        std::thread::sleep(ms(5));
    }
    assert_eq!(status, 0);
    reloader.stop();
}
