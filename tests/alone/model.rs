//! The engine against a model that is too simple to be wrong: it knows what the source
//! shows, what was rolled back from, and nothing of how the engine is built. Every
//! sequence of operations up to a length is tried, for every combination of options, and
//! then longer ones by chance, with panics in every callback.
//!
//! Short by default. The whole of it: `STEADYCONF_MODEL=whole cargo test --release --test
//! model -- --nocapture`.

#[path = "../common/mod.rs"]
mod common;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use common::{Number, Random, Script, doc, gone, ms};
use steadyconf::engine::{BoxError, Built, Engine, OnCommitError, Sighting};
use steadyconf::report::{Event, Failure};
use steadyconf::{Change, Listener, Outcome, Snapshot, Status, Version};

/// What the callbacks do at present.
#[derive(Default)]
struct Moods {
    vetoes: AtomicBool,
    fails: AtomicBool,
    sick: AtomicBool,
    cannot_build: AtomicBool,
    panics: AtomicBool,
    /// The last version that the listener committed.
    committed: AtomicU64,
    prepared: AtomicBool,
}

impl Moods {
    fn says(&self, mood: &AtomicBool) -> Result<(), BoxError> {
        if !mood.load(Ordering::Relaxed) {
            return Ok(());
        }
        assert!(!self.panics.load(Ordering::Relaxed), "secret-in-a-panic");
        Err("not now".into())
    }
}

struct Listens(Arc<Moods>);

impl<T> Listener<T> for Listens {
    fn prepare(&mut self, change: &Change<T>) -> Result<(), BoxError> {
        assert!(change.new.version() > change.old.version());
        assert!(!self.0.prepared.load(Ordering::Relaxed), "each round ends");
        self.0.says(&self.0.vetoes)?;
        self.0.prepared.store(true, Ordering::Relaxed);
        Ok(())
    }

    fn commit(&mut self, change: &Change<T>) -> Result<(), BoxError> {
        let new = change.new.version().get();
        let before = self.0.committed.swap(new, Ordering::Relaxed);
        assert!(new > before, "versions grow for each listener");
        assert!(self.0.prepared.swap(false, Ordering::Relaxed));
        self.0.says(&self.0.fails)
    }

    fn abort(&mut self, _: &Change<T>) {
        self.0.prepared.store(false, Ordering::Relaxed);
    }
}

#[derive(Clone, Copy, Debug)]
struct Options {
    skip_equal: bool,
    rolls_back: bool,
    probation: bool,
    builds: bool,
}

const WINDOW: u64 = 20_000;

/// An engine of either kind.
trait Subject {
    fn poll(
        &mut self,
        script: &mut Script,
        now: u64,
    ) -> Result<Outcome, steadyconf::report::DetectError>;
    fn rollback(&mut self, to: Option<Version>, now: u64) -> bool;
    fn ask_again(&mut self);
    fn status(&self) -> Status;
    fn events(&self) -> &[Event];
    fn active(&self) -> Option<(u32, Version)>;
}

struct Of<T>(Engine<T>, fn(&T) -> u32);

impl<T: 'static> Subject for Of<T> {
    fn poll(
        &mut self,
        script: &mut Script,
        now: u64,
    ) -> Result<Outcome, steadyconf::report::DetectError> {
        self.0.poll(script, ms(now))
    }

    fn rollback(&mut self, to: Option<Version>, now: u64) -> bool {
        match to {
            Some(version) => self.0.rollback_to(version, ms(now)).is_ok(),
            None => self.0.rollback(ms(now)).is_ok(),
        }
    }

    fn ask_again(&mut self) {
        self.0.ask_again();
    }

    fn status(&self) -> Status {
        self.0.status()
    }

    fn events(&self) -> &[Event] {
        self.0.events()
    }

    fn active(&self) -> Option<(u32, Version)> {
        let active = self.0.active()?;
        Some((self.1(active.value()), active.version()))
    }
}

fn with<T: 'static>(mut engine: Engine<T>, options: Options, moods: &Arc<Moods>) -> Engine<T> {
    engine = engine.listener("moody", Listens(moods.clone()));
    if options.rolls_back {
        engine = engine.on_commit_error(OnCommitError::RollBack);
    }
    if options.probation {
        let moods = moods.clone();
        engine = engine.probation(ms(WINDOW), move |_: &Snapshot<T>| moods.says(&moods.sick));
    }
    engine
}

fn subject(options: Options, moods: &Arc<Moods>) -> Box<dyn Subject> {
    let mut engine = common::engine(&Number::default());
    if options.skip_equal {
        engine = engine.skip_equal();
    }
    if !options.builds {
        return Box::new(Of(with(engine, options, moods), |value| *value));
    }
    let builder = moods.clone();
    let engine = engine.build(move |config: &u32| {
        builder.says(&builder.cannot_build)?;
        Ok::<u32, BoxError>(*config)
    });
    Box::new(Of(
        with(engine, options, moods),
        |built: &Built<u32, u32>| {
            assert_eq!(*built.config, built.state, "made for each other");
            *built.config
        },
    ))
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Op {
    Shows(&'static str),
    Same,
    Settles,
    IsGone,
    Later,
    Asks,
    RollsBack,
    GoesTo(u64),
    Vetoes,
    Fails,
    IsSick,
    CannotBuild,
    Panics,
}

const OPS: [Op; 16] = [
    Op::Shows("1"),
    Op::Shows("2"),
    Op::Shows("2 "),
    Op::Shows("3"),
    Op::Shows("bad"),
    Op::Same,
    Op::Settles,
    Op::IsGone,
    Op::Later,
    Op::Asks,
    Op::RollsBack,
    Op::GoesTo(2),
    Op::Vetoes,
    Op::Fails,
    Op::IsSick,
    Op::CannotBuild,
];

fn value_of(text: &str) -> Option<u32> {
    text.trim().parse().ok().filter(|value| *value <= 100)
}

struct World {
    options: Options,
    moods: Arc<Moods>,
    subject: Box<dyn Subject>,
    script: Script,
    now: u64,
    shown: &'static str,
    /// The last poll found it at rest.
    at_rest: bool,
    /// What was rolled back from, while the source shows it.
    quarantined: bool,
    /// What the source shows was rejected when it was judged.
    rejected: bool,
    /// Bytes that were rejected may also have stood for what was gone back to, once; the
    /// model has not kept that, and asks the engine at the next poll.
    unsure: bool,
    /// The content of each version.
    texts: BTreeMap<Version, (&'static str, u32)>,
    trace: Vec<Op>,
}

impl World {
    fn new(options: Options) -> Self {
        let moods = Arc::new(Moods::default());
        let subject = subject(options, &moods);
        let mut world = World {
            options,
            moods,
            subject,
            script: Script::default(),
            now: 0,
            shown: "1",
            at_rest: true,
            quarantined: false,
            rejected: false,
            unsure: false,
            texts: BTreeMap::new(),
            trace: Vec::new(),
        };
        world.step(Op::Shows("1"));
        world
    }

    /// Whether the source shows what this version stands for.
    fn shows(&self, version: Version) -> bool {
        let (text, value) = self.texts[&version];
        text == self.shown || self.options.skip_equal && value_of(self.shown) == Some(value)
    }

    fn step(&mut self, op: Op) {
        self.trace.push(op);
        let before = self.subject.status();
        let flip = |mood: &AtomicBool| {
            mood.fetch_xor(true, Ordering::Relaxed);
        };
        match op {
            Op::Vetoes => return flip(&self.moods.vetoes),
            Op::Fails => return flip(&self.moods.fails),
            Op::IsSick => return flip(&self.moods.sick),
            Op::CannotBuild => return flip(&self.moods.cannot_build),
            Op::Panics => return flip(&self.moods.panics),
            Op::RollsBack | Op::GoesTo(_) => {
                let to = match op {
                    Op::GoesTo(version) => Some(Version::new(version)),
                    _ => None,
                };
                let done = self.subject.rollback(to, self.now);
                self.learn(self.shown, false);
                let after = self.subject.status();
                self.judge_again(&after);
                assert_eq!(done, before.version != after.version, "{:?}", self.trace);
                return self.is_true(&before, &after);
            }
            _ => {}
        }
        self.now += if op == Op::Later { 70_000 } else { 1000 };
        let shown_before = self.shown;
        match op {
            Op::Shows(text) => {
                self.shown = text;
                self.script.shows(text);
            }
            Op::Settles => {
                let until = ms(self.now + 100);
                self.script.says(Ok(Sighting::Settling { until }));
            }
            Op::IsGone => self.script.says(Err(gone())),
            Op::Asks => self.subject.ask_again(),
            _ => {}
        }
        self.at_rest = !matches!(op, Op::Settles | Op::IsGone);
        let result = self.subject.poll(&mut self.script, self.now);
        self.learn(shown_before, true);
        let after = self.subject.status();
        if !self.at_rest {
            self.judge_again(&after);
        }
        if self.at_rest && std::mem::take(&mut self.unsure) {
            self.quarantined = after.quarantined.is_some();
        }
        self.is_what_came_of_it(&result, &before, &after);
        self.is_true(&before, &after);
        if self.at_rest {
            let error = after.last_error.map(|error| error.failure);
            self.rejected = matches!(error, Some(Failure::Rejected(_)));
        }
    }

    /// After a rollback: what was rejected may be the active snapshot now.
    fn judge_again(&mut self, after: &Status) {
        let active = after.version.and_then(|version| self.texts.get(&version));
        let same_value = active.is_some_and(|(_, value)| value_of(self.shown) == Some(*value));
        let error = after.last_error.as_ref().map(|error| &error.failure);
        if self.rejected && same_value {
            self.unsure = self.options.skip_equal && !self.at_rest;
            self.rejected = matches!(error, Some(Failure::Rejected(_)));
        }
    }

    /// Follows what the events say of versions; says nothing of whether it is right.
    fn learn(&mut self, shown_before: &'static str, polled: bool) {
        let same_value =
            value_of(self.shown).is_some() && value_of(self.shown) == value_of(shown_before);
        let changed = self.shown != shown_before && !(self.options.skip_equal && same_value);
        let mut was_rejected = self.rejected;
        // What the source showed before a change was judged before it was seen to change.
        let mut is_new = changed && polled;
        for event in self.subject.events().to_vec() {
            match event {
                Event::Applied { to, .. } => {
                    let value = value_of(self.shown).expect("only what is valid is applied");
                    self.texts.insert(to, (self.shown, value));
                    (self.quarantined, is_new, was_rejected) = (false, false, false);
                }
                Event::RolledBack {
                    from,
                    to,
                    content_of,
                    ..
                } => {
                    let seen = if is_new { shown_before } else { self.shown };
                    // Whether rejected bytes stand for a value is not known.
                    let knows = self.options.skip_equal && !was_rejected;
                    let stands = |text: &str, of: (&str, u32)| {
                        text == of.0 || knows && value_of(text) == Some(of.1)
                    };
                    let (left, back) = (self.texts[&from], self.texts[&content_of]);
                    self.texts.insert(to, back);
                    self.quarantined =
                        (self.quarantined || stands(seen, left)) && !stands(seen, back);
                }
                _ => {}
            }
        }
        if is_new {
            self.quarantined = false;
        }
        let active = self.subject.active();
        if active.is_some_and(|(_, version)| self.shows(version)) && self.at_rest {
            self.quarantined = false;
        }
    }

    fn is_what_came_of_it(
        &self,
        result: &Result<Outcome, steadyconf::report::DetectError>,
        before: &Status,
        after: &Status,
    ) {
        let trace = &self.trace;
        assert_eq!(
            result.is_err(),
            trace.last() == Some(&Op::IsGone),
            "{trace:?}"
        );
        let is_shown = after.version.is_some_and(|version| self.shows(version));
        let version_grew = after.version > before.version;
        match result {
            Err(_) => {}
            Ok(Outcome::Unchanged) => assert!(is_shown && !version_grew, "{trace:?}"),
            Ok(Outcome::Settling { .. }) => assert!(!self.at_rest && !version_grew, "{trace:?}"),
            Ok(Outcome::Applied(version) | Outcome::RolledBack(version)) => {
                assert!(version_grew && after.version == Some(*version), "{trace:?}");
            }
            Ok(Outcome::Rejected(_) | Outcome::Vetoed { .. }) => {
                assert!(!is_shown && !version_grew && !self.quarantined, "{trace:?}");
            }
            Ok(Outcome::Quarantined) => {
                assert!(self.quarantined && !is_shown && !version_grew, "{trace:?}");
            }
            Ok(other) => panic!("{other:?}: {trace:?}"),
        }
        let invalid = value_of(self.shown).is_none();
        if let (true, Ok(outcome)) = (self.at_rest && invalid && !version_grew, result) {
            assert!(matches!(outcome, Outcome::Rejected(_)), "{trace:?}");
        }
    }

    /// What has to be so after each step, whatever came before.
    fn is_true(&self, before: &Status, after: &Status) {
        let trace = &self.trace;
        let active = self.subject.active();
        assert_eq!(
            after.version,
            active.map(|(_, version)| version),
            "{trace:?}"
        );
        let Some((value, version)) = active else {
            return;
        };
        assert_eq!(
            self.texts[&version].1, value,
            "one version is one value: {trace:?}"
        );
        let is_shown = self.shows(version);
        let error = after.last_error.as_ref().map(|error| &error.failure);
        let rejected = matches!(error, Some(Failure::Rejected(_)));
        if self.at_rest && !(rejected && is_shown) {
            assert_eq!(after.source_differs, !is_shown, "{trace:?}");
            assert_eq!(after.quarantined.is_some(), self.quarantined, "{trace:?}");
            assert_eq!(rejected, !is_shown && !self.quarantined, "{trace:?}");
        }
        if is_shown && self.at_rest && !rejected {
            assert_eq!(after.digest, Some(doc(self.shown).digest()), "{trace:?}");
        }
        let is_wrong = error.is_some()
            || after.quarantined.is_some()
            || !after.listener_errors.is_empty()
            || after
                .probation
                .as_ref()
                .is_some_and(|p| p.failure.is_some());
        assert_eq!(after.is_healthy(), !is_wrong, "{trace:?}");
        assert!(
            after.consecutive_failures == 0 || error.is_some(),
            "{trace:?}"
        );
        assert!(
            after.probation.is_none() || self.options.probation,
            "{trace:?}"
        );
        let regular = after.last_poll.unwrap() + ms(1000);
        assert!(after.next_poll <= regular, "{trace:?}");
        // Every change of health is told, and no secret with it.
        let events = self.subject.events();
        let flips = before.is_healthy() != after.is_healthy();
        // A check that fails again after a pass is told once.
        let shaken = |status: &Status| {
            status
                .probation
                .as_ref()
                .is_some_and(|p| p.failure.is_some())
        };
        if flips && before.version.is_some() && shaken(before) == shaken(after) {
            assert!(!events.is_empty(), "{trace:?}");
        }
        for event in events {
            assert!(!event.to_string().contains("secret-in"), "{trace:?}");
        }
    }
}

fn all_options() -> impl Iterator<Item = Options> {
    (0..16).map(|bits: u32| Options {
        skip_equal: bits & 1 != 0,
        rolls_back: bits & 2 != 0,
        probation: bits & 4 != 0,
        builds: bits & 8 != 0,
    })
}

fn is_whole() -> bool {
    std::env::var("STEADYCONF_MODEL").is_ok_and(|what| what == "whole")
}

#[test]
fn g20_every_short_sequence_is_as_documented() {
    let longest = if is_whole() { 5 } else { 3 };
    let mut count = 0_u64;
    for options in all_options() {
        for length in 1..=longest {
            for number in 0..OPS.len().pow(length) {
                let mut world = World::new(options);
                let mut rest = number;
                for _ in 0..length {
                    world.step(OPS[rest % OPS.len()]);
                    rest /= OPS.len();
                }
                count += 1;
            }
        }
    }
    println!(
        "{count} sequences up to length {longest} over {} operations",
        OPS.len()
    );
}

#[test]
fn g03_long_sequences_with_panics_are_as_documented() {
    let sequences = if is_whole() { 1_000_000 } else { 2_000 };
    std::panic::set_hook(Box::new(|panic| {
        if !panic.to_string().contains("secret-in-a-panic") {
            eprintln!("{panic}");
        }
    }));
    let options: Vec<_> = all_options().collect();
    let mut steps = 0_u64;
    for seed in 1..=sequences {
        let mut random = Random(seed);
        let mut world = World::new(*random.one_of(&options));
        for _ in 0..20 {
            match random.below(17) {
                16 => world.step(Op::Panics),
                _ => world.step(*random.one_of(&OPS)),
            }
            steps += 1;
        }
    }
    println!("{sequences} sequences of 20, {steps} steps, with panics in every callback");
}
