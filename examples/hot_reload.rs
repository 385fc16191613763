//! The main job, on a real file.
//!
//! `cargo run --example hot_reload` makes a file in a fresh folder, watches it,
//! edits it by itself, well and badly, and shows what readers see and what is
//! rejected. `cargo run --example hot_reload -- config.yaml` watches that file
//! until Ctrl-C and prints a line for whatever comes of your edits.

mod llm_config;

use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use llm_config::{Config, SAMPLE, check};
use steadyconf::{Handle, Reloader, Status};

fn main() -> Result<(), Box<dyn Error>> {
    log::set_logger(&PLAIN).map_err(|error| error.to_string())?;
    log::set_max_level(log::LevelFilter::Info);
    match std::env::args_os().nth(1) {
        Some(path) => watch(Path::new(&path)),
        None => tour(),
    }
}

/// Watches a file of the user's until Ctrl-C. What there is to say, the log says.
fn watch(path: &Path) -> Result<(), Box<dyn Error>> {
    let reloader = match Reloader::from_file(path).validate(check).load() {
        Ok(reloader) => reloader,
        Err(error) => {
            eprintln!("{error}");
            std::process::exit(1);
        }
    };
    reloader.start()?;
    println!("watching; edit {} and save it; Ctrl-C ends", path.display());
    loop {
        thread::park();
    }
}

/// Makes a file, edits it, and shows what becomes of each edit.
fn tour() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("config.yaml");
    fs::write(&path, SAMPLE)?;
    println!("The file is {}\n", path.display());

    println!("1. The program starts. It would not, on a bad file.");
    let reloader = Reloader::from_file(&path)
        .validate(check)
        .interval(Duration::from_millis(250))
        .on_commit(|change| {
            let (old, new) = (change.old.version(), change.new.version());
            println!("   listener    {old} -> {new}: time to rebuild what was made from {old}");
            Ok(())
        })
        .load()?;
    reloader.start()?;
    show(&reloader);

    let readers = Readers::default();
    thread::scope(|scope| {
        for _ in 0..2 {
            let handle = reloader.handle();
            scope.spawn(|| readers.read_all_the_time(handle));
        }
        // Also if an edit fails, so that the scope can end.
        let edited = edits(&path, &reloader);
        readers.done.store(true, Ordering::Relaxed);
        edited
    })?;

    reloader.stop();
    println!("\n{}", readers.sum());
    let accepted = [(1, "gpt-3.5-turbo"), (2, "gpt-4"), (3, "gpt-4")];
    for (version, model) in &*readers.seen.lock().unwrap() {
        assert!(accepted.contains(&(*version, model)), "v{version} {model}");
    }
    println!("That is what was accepted, and nothing else.");
    Ok(())
}

fn edits(path: &Path, reloader: &Reloader<Config>) -> Result<(), Box<dyn Error>> {
    println!("\n2. A good change: gpt-3.5-turbo becomes gpt-4.");
    let good = SAMPLE.replace("gpt-3.5-turbo", "gpt-4");
    fs::write(path, &good)?;
    wait(reloader, |status| {
        status.version.is_some_and(|v| v.get() == 2)
    })?;

    println!("\n3. A broken file: the list of tools is never closed.");
    fs::write(path, good.replace("[search]", "[search"))?;
    wait(reloader, |status| status.last_error.is_some())?;

    println!("\n4. The same, saved as it was: good again, and no new version.");
    fs::write(path, &good)?;
    wait(reloader, Status::is_healthy)?;

    println!("\n5. It parses, but three things in it make no sense.");
    let nonsense = good
        .replace("temperature: 0.7", "temperature: 7")
        .replace("max_iterations: 5", "max_iterations: 0")
        .replace("[search]", "[search, fly]");
    fs::write(path, nonsense)?;
    wait(reloader, |status| status.last_error.is_some())?;

    println!("\n6. Corrected, and with a new key; saved by rename, as editors do.");
    let corrected = good.replace("sk-not-a-real-key", "sk-another-key");
    let beside = path.with_extension("new");
    fs::write(&beside, corrected)?;
    fs::rename(&beside, path)?;
    wait(reloader, |status| {
        status.version.is_some_and(|v| v.get() == 3)
    })
}

/// Waits until the status is as expected, and shows what readers see then.
fn wait(
    reloader: &Reloader<Config>,
    expected: impl Fn(&Status) -> bool,
) -> Result<(), Box<dyn Error>> {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !expected(&reloader.status()) {
        if Instant::now() > deadline {
            return Err("nothing came of the edit within 20 s".into());
        }
        thread::sleep(Duration::from_millis(5));
    }
    show(reloader);
    Ok(())
}

fn show(reloader: &Reloader<Config>) {
    let config = reloader.handle().load();
    let (version, digest) = (config.version(), config.digest().short());
    let model = &config.llm_providers[0].model_name;
    println!("   readers     {version} {digest}: the model is {model}");
}

/// Threads that do nothing but read, as request handlers would.
#[derive(Default)]
struct Readers {
    done: AtomicBool,
    reads: AtomicU64,
    seen: std::sync::Mutex<BTreeSet<(u64, String)>>,
}

impl Readers {
    fn read_all_the_time(&self, handle: Handle<Config>) {
        let mut seen = BTreeSet::new();
        let mut last = 0;
        while !self.done.load(Ordering::Relaxed) {
            let config = handle.load();
            self.reads.fetch_add(1, Ordering::Relaxed);
            let version = config.version().get();
            assert!(version >= last, "versions never go back");
            if version > last {
                let model = config.llm_providers[0].model_name.clone();
                seen.insert((version, model));
                last = version;
            }
            thread::yield_now();
        }
        self.seen.lock().unwrap().append(&mut seen);
    }

    fn sum(&self) -> String {
        let seen = self.seen.lock().unwrap();
        let seen: Vec<_> = seen.iter().map(|(v, m)| format!("v{v} ({m})")).collect();
        let reads = self.reads.load(Ordering::Relaxed);
        format!("{reads} reads on two threads saw {}.", seen.join(", "))
    }
}

/// What the operator would find in the log.
struct Plain;
static PLAIN: Plain = Plain;

impl log::Log for Plain {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let text = record
            .args()
            .to_string()
            .replace("\n  ", "\n               ");
        println!("   log {:<7} {text}", record.level());
    }

    fn flush(&self) {}
}
