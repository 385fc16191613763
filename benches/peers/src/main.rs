//! Prints one table: what reading, polling and reloading cost, in steadyconf and in the
//! crates that people use for it. All are measured in turn within each round, so that a
//! machine whose speed varies is as fair to one as to the other; medians over the rounds.

#[path = "../../../examples/llm_config/mod.rs"]
mod llm_config;

mod idle;
mod read;
mod reload;
mod visible;

use std::time::Instant;

/// One contestant: its name, and what it does once.
pub struct Case<'a> {
    name: String,
    run: Box<dyn FnMut() -> f64 + 'a>,
}

impl<'a> Case<'a> {
    /// `once` is timed over `batch` calls.
    fn timed(name: &str, batch: u32, mut once: impl FnMut() + 'a) -> Self {
        Case::measured(name, move || {
            let start = Instant::now();
            (0..batch).for_each(|_| once());
            start.elapsed().as_secs_f64() / f64::from(batch)
        })
    }

    /// `run` returns the seconds that one operation took.
    fn measured(name: &str, run: impl FnMut() -> f64 + 'a) -> Self {
        Case {
            name: name.into(),
            run: Box::new(run),
        }
    }
}

/// Prints the median of each case, and its ratio to the first. `limits`: what a case must
/// not exceed, as a ratio to another case.
fn contest(title: &str, rounds: usize, mut cases: Vec<Case<'_>>, limits: &[(&str, &str, f64)]) {
    let mut times = vec![Vec::new(); cases.len()];
    for _ in 0..rounds {
        for (case, times) in cases.iter_mut().zip(&mut times) {
            // Once for nothing: what the one before left of memory and caches is not to be
            // paid for by this one.
            (case.run)();
            times.push((case.run)());
        }
    }
    let medians: Vec<_> = times.into_iter().map(median).collect();
    let of = |name: &str| {
        let at = cases.iter().position(|case| case.name == name);
        medians[at.unwrap_or_else(|| panic!("no case {name}"))]
    };
    println!("\n**{title}**\n\n| | median | ratio | target |\n|---|---|---|---|");
    for (case, median) in cases.iter().zip(&medians) {
        let of_it = limits.iter().filter(|(name, ..)| *name == case.name);
        let verdicts: Vec<_> = of_it
            .map(|(_, other, limit)| {
                let ratio = median / of(other);
                let met = if ratio <= *limit { "met" } else { "missed" };
                format!("{ratio:.2} × {other}, at most {limit:.2}: {met}")
            })
            .collect();
        let ratio = median / medians[0];
        let (time, targets) = (time(*median), verdicts.join("; "));
        println!("| {} | {time} | {ratio:.2} | {targets} |", case.name);
    }
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn time(seconds: f64) -> String {
    match seconds {
        s if s < 1e-6 => format!("{:.2} ns", s * 1e9),
        s if s < 1e-3 => format!("{:.2} µs", s * 1e6),
        s => format!("{:.2} ms", s * 1e3),
    }
}

/// Takes every line, as a program's logger does.
struct Sink;

impl log::Log for Sink {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.level() <= log::Level::Info
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            std::hint::black_box(record.args().to_string());
        }
    }

    fn flush(&self) {}
}

fn main() {
    log::set_logger(&Sink).expect("the first logger");
    log::set_max_level(log::LevelFilter::Info);
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    println!("{cores} cores; medians; the log is on.");
    let wanted: Vec<_> = std::env::args().skip(1).collect();
    let wants = |name: &str| wanted.is_empty() || wanted.iter().any(|wanted| wanted == name);
    if wants("read") {
        read::all();
    }
    if wants("idle") {
        idle::all();
    }
    if wants("visible") {
        visible::all();
    }
    if wants("reload") {
        reload::all();
    }
}
