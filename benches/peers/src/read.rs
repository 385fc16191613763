//! Reading the active configuration: on one thread, on two, and while it changes all the
//! time.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier, LazyLock, Mutex, RwLock};
use std::thread;
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, Cache};
use dynamic_config::ConfigCell;
use hotswap_config::prelude::HotswapConfig;
use steadyconf::engine::{Document, Format, Limits, ManualDetector, Notes};
use steadyconf::{Handle, Reloader, Report};

use super::{Case, contest};

const READS: u32 = 20_000;
const ROUNDS: usize = 101;

/// Any number, which costs next to nothing to read.
struct Number;

impl Format<u64> for Number {
    fn parse(&self, document: &Document, _: &Limits, _: &mut Notes) -> Result<u64, Report> {
        let bytes = document.layers()[0].bytes();
        Ok(bytes
            .iter()
            .fold(0, |sum, byte| sum * 10 + u64::from(byte - b'0')))
    }
}

static STATIC: u64 = 7;
static DETECTOR: LazyLock<Arc<Mutex<ManualDetector>>> = LazyLock::new(|| {
    let mut detector = ManualDetector::new("bench");
    detector.set(*b"1");
    Arc::new(Mutex::new(detector))
});
static RELOADER: LazyLock<Reloader<u64>> = LazyLock::new(|| {
    let builder = Reloader::with_detector(DETECTOR.clone(), Number).history(1);
    builder
        .load_at(Duration::ZERO, |until| until)
        .expect("a number")
});
static HANDLE: LazyLock<Handle<u64>> = LazyLock::new(|| RELOADER.handle());
static SWAP: LazyLock<Arc<ArcSwap<u64>>> = LazyLock::new(|| Arc::new(ArcSwap::from_pointee(7)));
static LOCK: LazyLock<RwLock<Arc<u64>>> = LazyLock::new(|| RwLock::new(Arc::new(7)));
static DYNAMIC: ConfigCell<u64> = ConfigCell::new();
static HOTSWAP: LazyLock<HotswapConfig<u64>> = LazyLock::new(|| HotswapConfig::new(7));

/// Returns a way to time `READS` reads on the thread that calls it.
type Reads = fn() -> f64;

/// A function for each, so that the compiler sees each alone.
macro_rules! reads {
    ($setup:expr, |$reader:ident| $read:expr) => {{
        fn reads() -> f64 {
            #[allow(unused_mut, clippy::let_unit_value)]
            let mut $reader = $setup;
            let mut sum = 0_u64;
            let start = Instant::now();
            for _ in 0..READS {
                sum = sum.wrapping_add($read);
            }
            let took = start.elapsed().as_secs_f64();
            black_box(sum);
            took / f64::from(READS)
        }
        reads as Reads
    }};
}

fn contestants() -> Vec<(&'static str, Reads)> {
    vec![
        (
            "a static reference",
            reads!((), |_nothing| *black_box(&STATIC)),
        ),
        (
            "steadyconf `Reader::get`",
            reads!(HANDLE.reader(), |reader| **black_box(&mut reader).get()),
        ),
        (
            "arc_swap `Cache::load`",
            reads!(Cache::new(SWAP.clone()), |cache| **black_box(&mut cache)
                .load()),
        ),
        (
            "arc_swap `load`",
            reads!(&**SWAP, |swap| **black_box(swap).load()),
        ),
        (
            "steadyconf `Handle::load`",
            reads!(&*HANDLE, |handle| *black_box(handle).load()),
        ),
        (
            "arc_swap `load_full`",
            reads!(&**SWAP, |swap| *black_box(swap).load_full()),
        ),
        (
            "dynamic-config `load`",
            reads!(&DYNAMIC, |cell| *black_box(cell).load().expect("it is set")),
        ),
        (
            "hotswap-config `get`",
            reads!(&*HOTSWAP, |config| *black_box(config).get()),
        ),
        (
            "`std::sync::RwLock<Arc<T>>`",
            reads!(&*LOCK, |lock| *black_box(lock)
                .read()
                .expect("no panic")
                .clone()),
        ),
    ]
}

/// The mean over threads that begin at one moment.
fn on_threads(threads: usize, reads: Reads) -> f64 {
    let barrier = Barrier::new(threads);
    let sum: f64 = thread::scope(|scope| {
        let begin = || {
            barrier.wait();
            reads()
        };
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(begin)).collect();
        running
            .into_iter()
            .map(|thread| thread.join().expect("no panic"))
            .sum()
    });
    sum / threads as f64
}

/// Publishes everywhere but in what is not measured, every 10 µs.
fn publish_until(over: &AtomicBool, publish: fn(u64)) {
    let mut number = 10;
    while !over.load(Ordering::Relaxed) {
        let next = Instant::now() + Duration::from_micros(10);
        number = 10 + (number + 1) % 80;
        publish(number);
        while Instant::now() < next {
            std::hint::spin_loop();
        }
    }
}

fn publisher_of(name: &str) -> fn(u64) {
    match name {
        name if name.starts_with("steadyconf") => |number| {
            DETECTOR
                .lock()
                .expect("no panic")
                .set(number.to_string().into_bytes());
            RELOADER.poll_once().expect("a number");
        },
        name if name.starts_with("arc_swap") => |number| SWAP.store(Arc::new(number)),
        name if name.starts_with("dynamic") => |number| DYNAMIC.store(number),
        name if name.starts_with("hotswap") => |number| {
            let runtime = tokio::runtime::Builder::new_current_thread().build();
            let runtime = runtime.expect("a runtime");
            runtime.block_on(HOTSWAP.update(number)).expect("a number");
        },
        name if name.contains("RwLock") => |number| {
            *LOCK.write().expect("no panic") = Arc::new(number);
        },
        _ => |_| {},
    }
}

/// Times a change, from bytes to a snapshot that all readers see, where so many threads
/// have read before.
fn publication(threads: usize) -> Case<'static> {
    let mut detector = ManualDetector::new("bench");
    detector.set(*b"1");
    let detector = Arc::new(Mutex::new(detector));
    let builder = Reloader::with_detector(detector.clone(), Number).history(1);
    let reloader = builder.load_at(Duration::ZERO, |until| until);
    let reloader = reloader.expect("a number");
    let handle = reloader.handle();
    for _ in 0..threads {
        thread::scope(|scope| {
            scope.spawn(|| handle.load());
        });
    }
    let mut number = 10_u64;
    let name = format!("{threads} threads have read");
    Case::timed(&name, 20, move || {
        number = 10 + (number + 1) % 80;
        let mut detector = detector.lock().expect("no panic");
        detector.set(number.to_string().into_bytes());
        drop(detector);
        reloader.poll_once().expect("a number");
    })
}

pub fn all() {
    DYNAMIC.store(7);
    let get = "steadyconf `Reader::get`";
    let load = "steadyconf `Handle::load`";
    let one_thread = [
        (get, "a static reference", 1.6),
        (get, "arc_swap `Cache::load`", 1.1),
        (load, "arc_swap `load_full`", 1.1),
        (load, "dynamic-config `load`", 1.1),
        (load, "hotswap-config `get`", 1.1),
    ];
    let two_threads = [
        (get, "a static reference", 1.6),
        (load, "arc_swap `load_full`", 0.25),
        (load, "dynamic-config `load`", 0.25),
        (load, "hotswap-config `get`", 0.25),
    ];
    for (threads, limits) in [(1, &one_thread[..]), (2, &two_threads[..])] {
        let cases = contestants()
            .into_iter()
            .map(|(name, reads)| Case::measured(name, move || on_threads(threads, reads)));
        let title = format!(
            "A read, {threads} thread{}",
            if threads == 1 { "" } else { "s" }
        );
        contest(&title, ROUNDS, cases.collect(), limits);
    }
    let cases = contestants().into_iter().map(|(name, reads)| {
        let publish = publisher_of(name);
        Case::measured(name, move || {
            let over = AtomicBool::new(false);
            thread::scope(|scope| {
                scope.spawn(|| publish_until(&over, publish));
                let took = on_threads(1, reads);
                over.store(true, Ordering::Relaxed);
                took
            })
        })
    });
    let cases_of_threads = [0, 1, 2, 4, 16].map(publication);
    let title = "A change of a number, to all shards";
    contest(title, ROUNDS, cases_of_threads.into(), &[]);
    let limits = [(get, "arc_swap `load`", 0.25)];
    let title = "A read, 1 thread, while another publishes every 10 µs";
    contest(title, ROUNDS, cases.collect(), &limits);
}
