//! What reading costs, against `serde_yaml::from_slice` of the same text in the same
//! run, with a logger that takes every line. It prints ratios of medians and their
//! limits; `cargo bench --bench reading`.

#[path = "../../examples/llm_config/mod.rs"]
mod llm_config;

use std::hint::black_box;
use std::time::{Duration, Instant};

use llm_config::{Config, check, of_size};
use log::{LevelFilter, Log, Metadata, Record};
use steadyconf::engine::{Detector, Document, Engine, Format, Layer, Limits, Notes, Sighting};
use steadyconf::format::Yaml;
use steadyconf::report::DetectError;
use steadyconf::{Outcome, Reloader};

/// Takes every line, as a program's logger does.
struct Sink;

impl Log for Sink {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        black_box(record.args().to_string());
    }

    fn flush(&self) {}
}

/// Offers two documents in turn.
struct Turns([Document; 2]);

impl Detector for Turns {
    fn poll(&mut self, _: Duration) -> Result<Sighting, DetectError> {
        self.0.swap(0, 1);
        Ok(Sighting::Changed(self.0[0].clone()))
    }
}

/// One thing to measure: its name, its limit, and what it does.
type Case<'a> = (&'static str, f64, Box<dyn FnMut() + 'a>);

fn document(text: &str) -> Document {
    Document::single("bench.yaml", text.as_bytes())
}

fn parse(document: &Document) -> Config {
    let parsed = Yaml::new().parse(document, &Limits::default(), &mut Notes::new());
    parsed.unwrap_or_else(|report| panic!("{report}"))
}

/// Applies two documents in turn, through a reloader that logs each change.
fn apply(documents: [Document; 2]) -> impl FnMut() {
    let builder = Reloader::with_detector(Turns(documents), Yaml::new()).validate(check);
    let reloader = builder
        .load_at(Duration::ZERO, |until| until)
        .expect("it is valid");
    let mut now = Duration::ZERO;
    move || {
        now += Duration::from_secs(1);
        let outcome = reloader.poll_at(now).expect("it can be read");
        assert!(matches!(outcome, Outcome::Applied(_)), "{outcome}");
    }
}

fn reject(documents: [Document; 2]) -> impl FnMut() {
    let mut engine = Engine::<Config>::new(Yaml::new()).validate(check);
    let mut turn = 0;
    move || {
        turn = 1 - turn;
        let outcome = engine.apply(documents[turn].clone(), Duration::ZERO);
        assert!(matches!(outcome, Outcome::Rejected(_)), "{outcome}");
    }
}

fn cases(text: &str) -> Vec<Case<'_>> {
    let one = document(text);
    let changed = text.replacen("max_tokens: 1024", "max_tokens: 1025", 1);
    let (head, tail) = text.split_at(text.find("agents:").expect("two sections"));
    let halves = [("a.yaml", head), ("b.yaml", tail)];
    let two = Document::new(halves.map(|(name, text)| Layer::new(name, text.as_bytes())));
    let options = "options: {temperature: 0.7, max_tokens: 1024}";
    let merging = text
        .replacen(
            options,
            "options: &o {temperature: 0.7, max_tokens: 1024}",
            1,
        )
        .replacen(options, "options: {<<: *o}", 1);
    let merging = document(&merging);
    // At the end, and twice, so that the second is no content that is known already.
    let last = text.rfind("max_iterations: 5").expect("an agent");
    let wrong = ["x", "y"].map(|word| {
        let (head, tail) = text.split_at(last);
        document(&format!("{head}{}", tail.replacen('5', word, 1)))
    });
    vec![
        (
            "serde_yaml::from_slice",
            1.0,
            Box::new(|| drop(black_box(serde_yaml::from_slice::<Config>(text.as_bytes())))),
        ),
        (
            "parse",
            1.15,
            Box::new(move || drop(black_box(parse(&one)))),
        ),
        (
            "apply, with its log line",
            1.6,
            Box::new(apply([document(&changed), document(text)])),
        ),
        ("type error at the end", 1.4, Box::new(reject(wrong))),
        (
            "two layers",
            1.3,
            Box::new(move || drop(black_box(parse(&two)))),
        ),
        (
            "one `<<`",
            1.3,
            Box::new(move || drop(black_box(parse(&merging)))),
        ),
    ]
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn main() {
    log::set_logger(&Sink).expect("the first logger");
    log::set_max_level(LevelFilter::Trace);
    // Once, if it is only to be seen whether it runs.
    let is_test = std::env::args().any(|arg| arg == "--test");
    for (size, rounds, batch) in [(1_000, 300, 20), (100_000, 60, 1), (1_000_000, 15, 1)] {
        let text = of_size(size);
        let mut cases = cases(&text);
        let (rounds, batch) = if is_test { (1, 1) } else { (rounds, batch) };
        let mut times = vec![Vec::new(); cases.len()];
        for _ in 0..rounds {
            for (case, times) in cases.iter_mut().zip(&mut times) {
                let start = Instant::now();
                (0..batch).for_each(|_| case.2());
                times.push(start.elapsed().as_secs_f64() / f64::from(batch));
            }
        }
        let medians: Vec<_> = times.into_iter().map(median).collect();
        println!("{} bytes", text.len());
        for ((name, limit, _), median) in cases.iter().zip(&medians) {
            let ratio = median / medians[0];
            println!(
                "  {name:26} {:9.1} µs  {ratio:5.2} × (limit {limit})",
                median * 1e6
            );
        }
    }
}
