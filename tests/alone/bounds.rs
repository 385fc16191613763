//! What a hostile document may cost: memory, counted, and depth of the stack. (What time
//! it takes is printed here and measured in `benches/`: a clock proves nothing on a
//! machine that is shared.)
//!
//! A file of its own, for there is one allocator in a process. It counts for each thread
//! by itself, so that tests may run side by side.
#![cfg(feature = "values")]

#[path = "../common/mod.rs"]
mod common;
#[path = "../../examples/hostile/mod.rs"]
mod hostile;
#[path = "../../examples/llm_config/mod.rs"]
mod llm_config;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::Instant;

use common::ms;
use hostile::Piece;
use llm_config::{Config, check};
use serde::de::IgnoredAny;
use steadyconf::Outcome;
use steadyconf::engine::{Document, Engine, Layer, UnknownKeys};
use steadyconf::format::Yaml;

const MIB: usize = 1024 * 1024;

/// What the library promises, in bytes.
const MOST: usize = 64 * MIB;

/// A document in one line of the log is short, whatever is in it.
const MOST_LOGGED: usize = 100_000;

/// What a thread has on small systems. Without optimisation, each call keeps all that it
/// ever had on the stack, which says nothing of what a user has: there it may be more.
const STACK: usize = match cfg!(debug_assertions) {
    true => 8 * MIB,
    false => MIB / 2,
};

/// The largest leaves room for a few words beside it. Smaller ones, too: what is rejected at a glance when it is large may pass. Without
/// optimisation, all of them would take minutes.
const SIZES: &[usize] = match cfg!(debug_assertions) {
    true => &[MIB / 16],
    false => &[MIB - 64, MIB / 5, MIB / 6],
};

/// The same for what is read and then compared, which is several times the work.
const SIZES_OF_DIFFS: &[usize] = match cfg!(debug_assertions) {
    true => &[MIB / 64],
    false => SIZES,
};

/// The most that a thread held at once.
struct Peak;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn took(bytes: isize) {
    // A thread that ends has no counters any more.
    let _ = HELD.try_with(|held| {
        held.set(held.get() + bytes);
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(held.get())));
    });
}

// SAFETY: every call is the system allocator's; the counters are beside it.
unsafe impl GlobalAlloc for Peak {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        took(layout.size() as isize);
        // SAFETY: as the caller promised to us.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        took(-(layout.size() as isize));
        // SAFETY: as the caller promised to us.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Peak = Peak;

/// What a call returned, and the most that it held at once.
fn counted<R>(call: impl FnOnce() -> R) -> (R, usize) {
    let before = HELD.get();
    PEAK.set(before);
    let result = call();
    (result, (PEAK.get() - before) as usize)
}

/// What was measured, a line each, and what was too much.
#[derive(Default)]
struct Table {
    lines: Vec<(usize, String)>,
    faults: Vec<String>,
    applied: usize,
}

impl Table {
    /// Measures one apply, with what the log says of it.
    fn measure<T: 'static>(&mut self, what: &str, engine: &mut Engine<T>, document: Document) {
        let start = Instant::now();
        let (said, peak) = counted(|| {
            let apply = || {
                let outcome = engine.apply(document, ms(0));
                let events = engine.events();
                let lines: usize = events.iter().map(|event| event.to_string().len()).sum();
                (outcome, lines)
            };
            catch_unwind(AssertUnwindSafe(apply))
        });
        let took = start.elapsed();
        let said = match said {
            Err(_) => self.fault(what, "a panic"),
            Ok((_, lines)) if lines > MOST_LOGGED => {
                self.fault(what, &format!("{lines} bytes of log lines"))
            }
            Ok((Outcome::Rejected(rejection), _)) => {
                let first = rejection.problems()[0].to_string();
                first.chars().take(90).collect()
            }
            Ok((Outcome::Applied(_), _)) => {
                self.applied += 1;
                String::from("applied")
            }
            Ok((other, _)) => self.fault(what, &format!("{other:?}")),
        };
        let mib = peak as f64 / MIB as f64;
        let line = format!("{mib:6.1} MiB {took:8.0?}  {what}: {said}");
        if peak > MOST {
            self.faults.push(line.clone());
        }
        // At once, so that a document that aborts the process is the next one.
        println!("{line}");
        self.lines.push((peak, line));
    }

    fn fault(&mut self, what: &str, fault: &str) -> String {
        self.faults.push(format!("{what}: {fault}"));
        fault.into()
    }

    /// Prints the most, and fails with all that was too much. Of what is rejected at once
    /// little is learnt, so enough has to be applied.
    fn judge(mut self, enough: usize) {
        self.lines.sort();
        println!("The most:");
        for (_, line) in self.lines.iter().rev().take(10) {
            println!("{line}");
        }
        let count = self.lines.len();
        println!("{} of {count} were applied", self.applied);
        assert!(
            self.faults.is_empty(),
            "{} of {count}:\n{}",
            self.faults.len(),
            self.faults.join("\n")
        );
        assert!(
            self.applied >= enough,
            "only {} of {count} were applied",
            self.applied
        );
    }
}

/// Runs on a stack of the size that the library promises to fit.
fn on_a_small_stack(test: impl FnOnce() + Send + 'static) {
    let thread = thread::Builder::new().stack_size(STACK).spawn(test);
    if let Err(panic) = thread.unwrap().join() {
        std::panic::resume_unwind(panic);
    }
}

/// An engine with the schema of the examples and something that all else differs from.
fn example() -> Engine<Config> {
    let mut engine = Engine::<Config>::new(Yaml::new()).validate(check);
    engine.apply(Document::single("config.yaml", *b"tools: []"), ms(0));
    engine
}

fn document(texts: &[&str]) -> Document {
    let layer = |text: &&str| Layer::new("config.yaml", text.as_bytes());
    Document::new(texts.iter().map(layer).collect::<Vec<_>>())
}

/// All of one kind in all sizes, each with a name for people.
fn in_all<T>(
    sizes: &[usize],
    make: impl Fn(usize) -> Vec<(&'static str, T)>,
) -> Vec<(String, usize, T)> {
    let sizes = sizes.iter().flat_map(|size| {
        let named = move |(what, made)| (format!("{what}, {} KiB", size / 1024), *size, made);
        make(*size).into_iter().map(named)
    });
    sizes.collect()
}

fn documents(sizes: &[usize]) -> Vec<(String, String)> {
    let all = in_all(sizes, hostile::documents).into_iter();
    let fits = |(what, size, text): (String, usize, String)| {
        assert!(text.len() <= size, "{what}: {}", text.len());
        (what, text)
    };
    all.map(fits).collect()
}

/// In several files there is no more room than in one.
#[test]
fn g04_values_are_counted_over_all_layers() {
    let list = |n: usize| format!("tools:\n{}", "- {name: a}\n".repeat(n));
    let judge = |texts: &[String]| {
        let layer = |text: &String| Layer::new("config.yaml", text.as_bytes());
        let layers: Vec<_> = texts.iter().map(layer).collect();
        let mut engine = Engine::<Config>::new(Yaml::new()).unknown_keys(UnknownKeys::Allow);
        engine.apply(Document::new(layers), ms(0))
    };
    let fits = judge(&[list(10_000), list(10_000)]);
    assert!(matches!(fits, Outcome::Applied(_)), "{fits:?}");
    let Outcome::Rejected(rejection) = judge(&[list(30_000), list(30_000)]) else {
        panic!("not rejected");
    };
    let said = rejection.problems()[0].to_string();
    assert!(
        said.contains("more than the limit of 84000 values"),
        "{said}"
    );
}

#[test]
fn g04_whatever_is_in_a_file_costs_no_more_than_64_mib() {
    on_a_small_stack(|| {
        let mut table = Table::default();
        for (what, text) in documents(SIZES) {
            table.measure(&what, &mut example(), document(&[&text]));
        }
        table.judge(3);
    });
}

#[test]
fn g04_whatever_is_in_a_later_file_costs_no_more_than_64_mib() {
    on_a_small_stack(|| {
        let mut table = Table::default();
        for (what, text) in documents(SIZES) {
            let both = document(&["tools: [{name: a}]", &text]);
            table.measure(&what, &mut example(), both);
        }
        table.judge(3);
    });
}

/// A program that takes anything compares it with what was before, and what comes after
/// with that.
#[test]
fn g04_a_diff_costs_no_more_than_64_mib_on_either_side() {
    on_a_small_stack(|| {
        let mut table = Table::default();
        for (what, text) in documents(SIZES_OF_DIFFS) {
            compare(&mut table, &what, &document(&[&text]));
        }
        table.judge(100 * SIZES.len());
    });
}

/// As the new side, as both, and as the old one.
fn compare(table: &mut Table, what: &str, hostile: &Document) {
    let mut engine = Engine::<IgnoredAny>::new(Yaml::new()).on_commit(|change| {
        let diff = change.diff();
        std::hint::black_box(diff.to_string());
        Ok(())
    });
    let plain = document(&["{a: 1, tools: []}"]);
    engine.apply(plain.clone(), ms(0));
    let _ = engine.events();
    table.measure(&format!("new side: {what}"), &mut engine, hostile.clone());
    if engine
        .active()
        .is_none_or(|active| *active.document() == plain)
    {
        return;
    }
    let other = hostile.with(&[Layer::new("more.yaml", *b"{a: 2}")]);
    table.measure(&format!("both sides: {what}"), &mut engine, other);
    table.measure(&format!("old side: {what}"), &mut engine, plain);
}

#[test]
fn g04_whatever_layers_there_are_cost_no_more_than_64_mib() {
    on_a_small_stack(|| {
        let mut table = Table::default();
        for (what, _, pieces) in in_all(SIZES_OF_DIFFS, hostile::layers) {
            let layers = (1..).zip(pieces).map(|(n, piece)| layer(n, piece));
            let document = Document::new(layers.collect::<Vec<_>>());
            table.measure(&what, &mut example(), document.clone());
            compare(&mut table, &what, &document);
        }
        table.judge(20 * SIZES.len());
    });
}

fn layer(n: usize, piece: Piece) -> Layer {
    match piece {
        Piece::Document(text) => Layer::new(format!("{n}.yaml"), text.into_bytes()),
        Piece::Text { path, text } => Layer::text(format!("variable {n}"), path, text.into_bytes()),
        Piece::Field { path, text } => Layer::field("set in code", path, text.into_bytes()),
    }
}

/// The other languages: alone, as a later layer, and on both sides of a diff.
#[cfg(any(feature = "toml", feature = "json"))]
fn judge_files(name: &str, make: fn(usize) -> Vec<(&'static str, String)>) {
    let mut table = Table::default();
    for (what, size, text) in in_all(SIZES_OF_DIFFS, make) {
        assert!(text.len() <= size, "{what}: {}", text.len());
        let alone = Document::single(name, text.into_bytes());
        let base = Document::single("base.yaml", *b"tools: [{name: a}]");
        let over = base.with(alone.layers());
        table.measure(&what, &mut example(), alone.clone());
        table.measure(&format!("over another: {what}"), &mut example(), over);
        compare(&mut table, &what, &alone);
    }
    table.judge(10 * SIZES.len());
}

#[cfg(feature = "toml")]
#[test]
fn g04_whatever_is_in_a_toml_file_costs_no_more_than_64_mib() {
    on_a_small_stack(|| judge_files("config.toml", hostile::toml));
}

#[cfg(feature = "json")]
#[test]
fn g04_whatever_is_in_a_json_file_costs_no_more_than_64_mib() {
    on_a_small_stack(|| judge_files("config.json", hostile::json));
}
