//! Waiting for a change without blocking a thread: no runtime is needed, no change is
//! missed, and what is dropped leaves nothing behind.
#![cfg(feature = "std")]

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use crate::common::{DEADLINE, Text, file, save};
use steadyconf::handle::Stopped;
use steadyconf::{Handle, Reloader, Version};

/// Counts how often it is woken.
#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Count {
    fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// A task that calls a function of its own when it is woken.
struct Calls<F>(F);

impl<F: Fn() + Send + Sync> Wake for Calls<F> {
    fn wake(self: Arc<Self>) {
        (self.0)();
    }
}

fn poll<F: Future + Unpin>(future: &mut F, waker: &Waker) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(waker))
}

/// Runs a future to its end on this thread, as the smallest of executors does.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

fn world(text: &str) -> (tempfile::TempDir, std::path::PathBuf, Reloader<String>) {
    let (folder, path) = file(text);
    let reloader = Reloader::from_file_as(&path, Text).load().unwrap();
    (folder, path, reloader)
}

fn change(reloader: &Reloader<String>, path: &std::path::Path, text: &str) {
    save(path, text);
    reloader.reload(DEADLINE).outcome.unwrap();
    assert_eq!(*reloader.handle().load(), text);
}

#[test]
fn g07_a_change_wakes_the_task_that_awaits_it() {
    let (_folder, path, reloader) = world("one");
    let handle = reloader.handle();
    let (count, other) = (Arc::new(Count::default()), Arc::new(Count::default()));
    let (waker, second) = (Waker::from(count.clone()), Waker::from(other.clone()));

    let first = handle.changed(Version::NONE);
    assert_eq!(*block_on(first).unwrap(), "one", "there is one already");
    let mut changed = handle.changed(handle.load().version());
    assert!(poll(&mut changed, &waker).is_pending());
    reloader.reload(DEADLINE).outcome.unwrap();
    assert_eq!(count.get(), 0, "nothing changed");
    // The task moved: its last waker counts, and the one before is let go.
    assert!(poll(&mut changed, &second).is_pending());
    drop(waker);
    assert_eq!(Arc::strong_count(&count), 1);

    change(&reloader, &path, "two");
    assert_eq!((count.get(), other.get()), (0, 1));
    let Poll::Ready(Ok(newer)) = poll(&mut changed, &second) else {
        panic!("it was woken for nothing");
    };
    assert_eq!((newer.as_str(), newer.version().get()), ("two", 2));
    // Nobody waits any more.
    drop(second);
    change(&reloader, &path, "three");
    assert_eq!((other.get(), Arc::strong_count(&other)), (1, 1));
}

#[test]
fn g07_a_dropped_future_leaves_nothing_and_loses_nothing() {
    let (_folder, path, reloader) = world("one");
    let handle = reloader.handle();
    let seen = handle.load().version();
    let count = Arc::new(Count::default());
    let waker = Waker::from(count.clone());
    for _ in 0..1000 {
        let mut changed = handle.changed(seen);
        assert!(poll(&mut changed, &waker).is_pending());
    }
    drop(waker);
    assert_eq!(Arc::strong_count(&count), 1);
    change(&reloader, &path, "two");
    assert_eq!(count.get(), 0);
    assert_eq!(*block_on(handle.changed(seen)).unwrap(), "two");
}

#[test]
fn g19_stop_and_drop_end_the_wait() {
    let (_folder, _path, reloader) = world("one");
    let handle = reloader.handle();
    let seen = handle.load().version();
    let count = Arc::new(Count::default());
    let waker = Waker::from(count.clone());
    let mut changed = handle.changed(seen);
    assert!(poll(&mut changed, &waker).is_pending());
    reloader.stop();
    assert_eq!(count.get(), 1);
    assert!(matches!(
        poll(&mut changed, &waker),
        Poll::Ready(Err(Stopped))
    ));

    reloader.start().unwrap();
    let mut changed = handle.changed(seen);
    assert!(poll(&mut changed, &waker).is_pending());
    drop(reloader);
    assert_eq!(count.get(), 2);
    assert!(matches!(
        poll(&mut changed, &waker),
        Poll::Ready(Err(Stopped))
    ));
    assert_eq!(Stopped.to_string(), "the reloader was stopped or dropped");

    let fixed = Handle::fixed(7);
    assert_eq!(*block_on(fixed.changed(Version::NONE)).unwrap(), 7);
    assert!(block_on(fixed.changed(fixed.load().version())).is_err());
}

#[test]
fn g03_a_waker_that_panics_costs_its_own_task() {
    let (_folder, path, reloader) = world("one");
    let handle = reloader.handle();
    let seen = handle.load().version();
    let panics = Waker::from(Arc::new(Calls(|| panic!("on purpose"))));
    let count = Arc::new(Count::default());
    let waker = Waker::from(count.clone());
    let (mut bad, mut good) = (handle.changed(seen), handle.changed(seen));
    assert!(poll(&mut bad, &panics).is_pending());
    assert!(poll(&mut good, &waker).is_pending());
    change(&reloader, &path, "two");
    assert_eq!(count.get(), 1);
    assert!(poll(&mut good, &waker).is_ready());
    assert_eq!(reloader.status().version, Some(Version::new(2)));
}

/// Some executors run a task where it is woken.
#[test]
fn g01_a_task_may_run_inside_its_waker() {
    let (_folder, path, reloader) = world("one");
    let handle = reloader.handle();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (inside, found) = (handle.clone(), seen.clone());
    let waker = Waker::from(Arc::new(Calls(move || {
        let mut next = inside.changed(Version::new(1));
        let newer = poll(&mut next, Waker::noop());
        found.lock().unwrap().push(newer.is_ready());
        assert!(poll(&mut inside.changed(Version::new(2)), Waker::noop()).is_pending());
    })));
    let mut changed = handle.changed(Version::new(1));
    assert!(poll(&mut changed, &waker).is_pending());
    change(&reloader, &path, "two");
    assert_eq!(*seen.lock().unwrap(), [true]);
}

#[test]
fn g01_g07_tasks_on_many_threads_miss_no_end() {
    let (_folder, path, reloader) = world("0");
    let handle = reloader.handle();
    thread::scope(|scope| {
        let tasks: Vec<_> = (0..4)
            .map(|_| {
                let handle = handle.clone();
                scope.spawn(move || {
                    let mut config = handle.load();
                    while *config != "end" {
                        let newer = block_on(handle.changed(config.version())).unwrap();
                        assert!(newer.version() > config.version());
                        config = newer;
                    }
                })
            })
            .collect();
        for number in 1..10 {
            change(&reloader, &path, &number.to_string());
        }
        change(&reloader, &path, "end");
        tasks.into_iter().for_each(|task| task.join().unwrap());
    });
}

#[test]
fn g07_a_part_is_awaited_alone() {
    let (_folder, path, reloader) = world("10");
    let tens = reloader.handle().part(|text: &String| text.split_at(1).0);
    let mut seen = tens.load();
    let waker = Waker::noop();
    {
        let mut changed = pin!(tens.changed(&mut seen));
        let mut context = Context::from_waker(waker);
        assert!(changed.as_mut().poll(&mut context).is_pending());
        change(&reloader, &path, "11");
        assert!(changed.as_mut().poll(&mut context).is_pending());
        change(&reloader, &path, "21");
        assert_eq!(changed.as_mut().poll(&mut context), Poll::Ready(Ok(())));
    }
    assert_eq!((&*seen, seen.version().get()), ("2", 3));
    reloader.stop();
    assert_eq!(block_on(tens.changed(&mut seen)), Err(Stopped));
}

/// A future is moved to whatever thread its executor likes, and outlives what made it.
#[test]
fn futures_are_send_and_own_what_they_need() {
    fn is_free<F: Future + Send + 'static>(_: F) {}
    let handle = Handle::fixed(7);
    is_free(handle.changed(Version::NONE));
    let part = handle.part(|number| number);
    is_free(async move {
        let mut seen = part.load();
        part.changed(&mut seen).await
    });
}

/// A task may be entered at any moment of a stop, and stop by itself when it is woken.
#[test]
fn g19_a_waker_that_stops_while_somebody_stops_does_not_hang() {
    let (_folder, path) = file("one");
    let slot = Arc::new(Mutex::new(None::<Arc<Reloader<String>>>));
    let (inside, is_inside) = mpsc::channel();
    let (go, goes) = mpsc::channel::<()>();
    let (woken, is_woken) = mpsc::channel();
    let (theirs, waits) = (slot.clone(), Arc::new(Mutex::new(Vec::new())));
    let kept = waits.clone();
    let reloader = Reloader::from_file_as(&path, Text)
        .listener("restarts", move |_: &steadyconf::Change<String>| {
            inside.send(())?;
            goes.recv()?;
            let reloader = theirs.lock().unwrap().clone().unwrap();
            // The stop is taken back, so that the task has something to wait for.
            reloader.start()?;
            let mut changed = reloader.handle().changed(Version::new(100));
            let (stops, tell) = (reloader.clone(), woken.clone());
            let waker = Waker::from(Arc::new(Calls(move || {
                stops.stop();
                let _ = tell.send(());
            })));
            assert!(poll(&mut changed, &waker).is_pending());
            kept.lock().unwrap().push(changed);
            Ok(())
        })
        .load()
        .unwrap();
    let reloader = Arc::new(reloader);
    *slot.lock().unwrap() = Some(reloader.clone());
    save(&path, "two");
    reloader.start().unwrap();
    is_inside.recv_timeout(DEADLINE).unwrap();
    let stops = reloader.clone();
    let stopping = thread::spawn(move || stops.stop());
    // Until it waits for the listener.
    crate::common::wait_until("it stops", || {
        let handle = reloader.handle();
        matches!(
            handle.wait_newer(Version::new(100), std::time::Duration::ZERO),
            steadyconf::handle::Waited::Stopped
        )
    });
    go.send(()).unwrap();
    is_woken.recv_timeout(DEADLINE).expect("the waker hangs");
    stopping.join().unwrap();
    *slot.lock().unwrap() = None;
    waits.lock().unwrap().clear();
}

#[cfg(feature = "stream")]
#[test]
fn g07_a_stream_has_each_change_and_ends() {
    use futures_core::Stream;
    let (_folder, path, reloader) = world("one");
    let mut changes = reloader.handle().changes(Version::NONE);
    let count = Arc::new(Count::default());
    let waker = Waker::from(count.clone());
    let next = |changes: &mut steadyconf::handle::Changes<String>| {
        pin!(changes).poll_next(&mut Context::from_waker(&waker))
    };
    let text = |polled: Poll<Option<steadyconf::handle::Loaded<String>>>| match polled {
        Poll::Ready(next) => next.map(|loaded| loaded.to_string()),
        Poll::Pending => Some("pending".into()),
    };
    assert_eq!(text(next(&mut changes)).unwrap(), "one");
    assert_eq!(text(next(&mut changes)).unwrap(), "pending");
    change(&reloader, &path, "two");
    assert_eq!(count.get(), 1);
    assert_eq!(text(next(&mut changes)).unwrap(), "two");
    // Those that come faster than they are taken are skipped.
    change(&reloader, &path, "three");
    change(&reloader, &path, "four");
    assert_eq!(text(next(&mut changes)).unwrap(), "four");
    drop(reloader);
    assert_eq!(text(next(&mut changes)), None);
}
