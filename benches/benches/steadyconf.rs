//! What reading, looking and reloading cost. In each group `limit_…` is the least
//! that it could cost, measured in the same run; the ratio to it is the figure to
//! compare between machines. Allocations are counted, too.

#[path = "../../examples/hostile/mod.rs"]
mod hostile;
#[path = "../../examples/llm_config/mod.rs"]
mod llm_config;

use std::time::Duration;

use divan::{AllocProfiler, Bencher};
use llm_config::{Config, check};
use steadyconf::engine::{Document, Engine};
use steadyconf::format::Yaml;

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

/// A thousand reads of the configuration, on one thread and on two at once.
mod read_1000_times {
    use std::sync::LazyLock;

    use divan::{Bencher, black_box};
    use steadyconf::Handle;

    const THREADS: [usize; 2] = [1, 2];

    static STATIC: u64 = 7;
    static HANDLE: LazyLock<Handle<u64>> = LazyLock::new(|| Handle::fixed(7));

    #[divan::bench(threads = THREADS)]
    fn limit_static_reference() -> u64 {
        (0..1000).map(|_| *black_box(&STATIC)).sum()
    }

    #[divan::bench(threads = THREADS)]
    fn reader_get(bencher: Bencher<'_, '_>) {
        let reader = HANDLE.reader();
        bencher.with_inputs(|| reader.clone()).bench_refs(|reader| {
            let mut sum = 0;
            for _ in 0..1000 {
                sum += **black_box(&mut *reader).get();
            }
            sum
        });
    }

    #[divan::bench(threads = THREADS)]
    fn handle_load() -> u64 {
        (0..1000).map(|_| *black_box(&*HANDLE).load()).sum()
    }
}

/// A look that finds nothing new: the file is aged, so a stamp will do.
mod idle_poll {
    use std::fs;
    use std::time::Duration;

    use divan::{Bencher, black_box};
    use steadyconf::{Outcome, Reloader};

    #[divan::bench]
    fn limit_fs_metadata(bencher: Bencher<'_, '_>) {
        let (_folder, path) = super::file(super::llm_config::SAMPLE);
        bencher.bench_local(|| fs::metadata(black_box(&path)).unwrap());
    }

    #[divan::bench]
    fn poll(bencher: Bencher<'_, '_>) {
        let (_folder, path) = super::file(super::llm_config::SAMPLE);
        let reloader = Reloader::<super::llm_config::Config>::from_file(&path)
            .load_at(Duration::ZERO, |until| until)
            .unwrap();
        let mut now = Duration::ZERO;
        let mut look = || {
            now += Duration::from_secs(1);
            assert_eq!(reloader.poll_at(now), Ok(Outcome::Unchanged));
        };
        // Let the stamp grow old enough to be trusted.
        (0..10).for_each(|_| look());
        bencher.bench_local(look);
    }
}

/// One reload of the real schema: equality, limits, parse, validate, swap.
mod reload {
    use std::time::Duration;

    use super::llm_config::{Config, check, of_size};
    use divan::{Bencher, black_box};
    use steadyconf::Outcome;
    use steadyconf::engine::{Document, Engine};
    use steadyconf::format::Yaml;

    const SIZES: [usize; 3] = [1_000, 100_000, 1_000_000];

    #[divan::bench(args = SIZES)]
    fn limit_serde_yaml_from_slice(bencher: Bencher<'_, '_>, size: usize) {
        let text = of_size(size);
        bencher
            .bench_local(|| serde_yaml::from_slice::<Config>(black_box(text.as_bytes())).unwrap());
    }

    #[divan::bench(args = SIZES)]
    fn apply(bencher: Bencher<'_, '_>, size: usize) {
        let text = of_size(size);
        let other = format!("{text}#");
        let mut documents = [&text, &other].map(|t| Document::single("bench", t.as_bytes()));
        let mut engine = Engine::<Config>::new(Yaml::new()).validate(check);
        engine.apply(documents[1].clone(), Duration::ZERO);
        bencher.bench_local(|| {
            documents.swap(0, 1);
            let outcome = engine.apply(documents[1].clone(), Duration::ZERO);
            assert!(matches!(outcome, Outcome::Applied(_)));
        });
    }

    /// A refusal costs more than an apply: on failure it is parsed again to say
    /// where. It happens once for each content.
    #[divan::bench(args = SIZES)]
    fn reject_a_type_error_at_the_end(bencher: Bencher<'_, '_>, size: usize) {
        let mut flip = false;
        let broken = [1, 2].map(|n| {
            let text = of_size(size) + &"#".repeat(n) + "\ntools: nonsense\n";
            Document::single("bench", text.as_bytes())
        });
        let mut engine = Engine::<Config>::new(Yaml::new()).validate(check);
        bencher.bench_local(|| {
            flip = !flip;
            let outcome = engine.apply(broken[usize::from(flip)].clone(), Duration::ZERO);
            assert!(matches!(outcome, Outcome::Rejected(_)));
        });
    }
}

/// What a hostile document of 1 MiB takes, parsed or rejected.
#[divan::bench(args = hostile::documents(1024 * 1024).into_iter().map(|(what, _)| what))]
fn hostile_1_mib(bencher: Bencher<'_, '_>, what: &str) {
    let documents = hostile::documents(1024 * 1024);
    let (_, text) = documents
        .into_iter()
        .find(|(name, _)| *name == what)
        .unwrap();
    let document = Document::single("bench", text.as_bytes());
    let engine = || Engine::<Config>::new(Yaml::new()).validate(check);
    bencher
        .with_inputs(engine)
        .bench_local_refs(|engine| engine.apply(document.clone(), Duration::ZERO));
}

fn file(text: &str) -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.yaml");
    std::fs::write(&path, text).unwrap();
    (folder, path)
}

/// The counting itself, so that a figure of zero can be believed.
#[divan::bench]
fn one_allocation(bencher: Bencher<'_, '_>) {
    bencher.bench_local(|| Box::new(divan::black_box(1_u64)));
}
