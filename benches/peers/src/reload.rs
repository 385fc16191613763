//! From bytes on disk to a new configuration that readers see.

use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use ::config::{File, FileFormat};
use dynamic_config::{Builder, Dynamic};
use figment::Figment;
use figment::providers::{Format as _, Yaml};
use hotswap_config::prelude::HotswapConfig;
use steadyconf::{Outcome, Reloader, Source};

use super::llm_config::{Config, check, of_size};
use super::{Case, contest};

/// Two contents that differ in one value, in turn.
struct Turns {
    texts: [String; 2],
    turn: usize,
}

impl Turns {
    fn of(text: &str) -> Self {
        let changed = text.replacen("max_tokens: 1024", "max_tokens: 1025", 1);
        assert_ne!(changed, text);
        Turns {
            texts: [changed, text.into()],
            turn: 0,
        }
    }

    /// Puts the next content in place, as an editor does.
    fn save(&mut self, path: &Path) {
        let beside = path.with_extension("new.yaml");
        fs::write(&beside, &self.texts[self.turn]).expect("it can be written");
        fs::rename(&beside, path).expect("it can be renamed");
        self.turn = 1 - self.turn;
    }
}

/// Times `reload` after each change of the file.
fn after_a_change<'a>(
    name: &str,
    path: &'a Path,
    text: &str,
    mut reload: impl FnMut() + 'a,
) -> Case<'a> {
    let mut turns = Turns::of(text);
    Case::measured(name, move || {
        turns.save(path);
        let start = Instant::now();
        reload();
        start.elapsed().as_secs_f64()
    })
}

/// Polls twice where content has to be seen twice: that is part of what it costs.
fn steadyconf(reloader: Reloader<Config>) -> impl FnMut() {
    let mut now = Duration::ZERO;
    move || {
        for _ in 0..4 {
            now += Duration::from_secs(1);
            match reloader.poll_at(now).expect("it can be read") {
                Outcome::Settling { .. } => {}
                outcome => {
                    assert!(matches!(outcome, Outcome::Applied(_)), "{outcome}");
                    return;
                }
            }
        }
        panic!("it does not settle");
    }
}

fn load(builder: steadyconf::Builder<Config>) -> Reloader<Config> {
    let builder = builder.settle(Duration::ZERO).validate(check);
    builder
        .load_at(Duration::ZERO, |until| until)
        .expect("it is valid")
}

pub fn all() {
    for (size, rounds) in [(1_000, 501), (100_000, 61), (1_000_000, 15)] {
        let text = of_size(size);
        one_file(&text, rounds);
        two_files(&text, rounds);
        rejection(&text, rounds);
    }
}

fn one_file(text: &str, rounds: usize) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("config.yaml");
    fs::write(&path, text).expect("it can be written");
    let name = path.to_str().expect("a name").to_string();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let hotswap: HotswapConfig<Config> = runtime
        .block_on(HotswapConfig::builder().with_file(name.clone()).build())
        .expect("it is valid");
    let builder = Builder::<Config>::new("").whole_document().file(&name);
    let dynamic = Dynamic::new(builder);
    dynamic.init().expect("it is valid");
    let quiet = steadyconf(load(Reloader::from_file(&path)));
    let loud = steadyconf(load(Reloader::from_file(&path)));
    let mut quiet = quiet;
    let cases = vec![
        after_a_change(
            "`fs::read` and `serde_yaml::from_slice`",
            &path,
            text,
            || {
                let bytes = fs::read(&path).expect("it can be read");
                drop(black_box(serde_yaml::from_slice::<Config>(&bytes)));
            },
        ),
        after_a_change("steadyconf, log off", &path, text, move || {
            log::set_max_level(log::LevelFilter::Off);
            quiet();
            log::set_max_level(log::LevelFilter::Info);
        }),
        after_a_change("steadyconf, with its `changed:` line", &path, text, loud),
        after_a_change("config", &path, text, || {
            let config = ::config::Config::builder().add_source(File::new(&name, FileFormat::Yaml));
            let config = config.build().expect("it is valid");
            drop(black_box(
                config.try_deserialize::<Config>().expect("it is valid"),
            ));
        }),
        after_a_change("figment", &path, text, || {
            let config = Figment::from(Yaml::file(&path));
            drop(black_box(config.extract::<Config>().expect("it is valid")));
        }),
        after_a_change("dynamic-config", &path, text, || {
            dynamic.reload().expect("it is valid");
        }),
        after_a_change("hotswap-config", &path, text, || {
            runtime.block_on(hotswap.reload()).expect("it is valid");
        }),
    ];
    let least = "`fs::read` and `serde_yaml::from_slice`";
    let limits = [
        ("steadyconf, log off", least, 1.1),
        ("steadyconf, with its `changed:` line", least, 1.5),
    ];
    let title = format!("A reload of one file of {} bytes", text.len());
    contest(&title, rounds, cases, &limits);
}

fn two_files(text: &str, rounds: usize) {
    let folder = tempfile::tempdir().expect("a folder");
    let [a, b] = ["a.yaml", "b.yaml"].map(|name| folder.path().join(name));
    let (head, tail) = text.split_at(text.find("agents:").expect("two sections"));
    fs::write(&a, head).expect("it can be written");
    fs::write(&b, tail).expect("it can be written");
    let builder = Reloader::builder()
        .source(Source::file(&a))
        .source(Source::file(&b));
    let least = "`fs::read` and `serde_yaml::from_slice`, twice";
    let cases = vec![
        after_a_change(least, &a, head, || {
            for path in [&a, &b] {
                let bytes = fs::read(path).expect("it can be read");
                let _ = black_box(serde_yaml::from_slice::<Config>(&bytes));
            }
        }),
        after_a_change(
            "steadyconf, with its `changed:` line",
            &a,
            head,
            steadyconf(load(builder)),
        ),
        after_a_change("config", &a, head, || {
            let mut config = ::config::Config::builder();
            for path in [&a, &b] {
                config =
                    config.add_source(File::new(path.to_str().expect("a name"), FileFormat::Yaml));
            }
            let config = config.build().expect("it is valid");
            drop(black_box(
                config.try_deserialize::<Config>().expect("it is valid"),
            ));
        }),
        after_a_change("figment", &a, head, || {
            let config = Figment::from(Yaml::file(&a)).merge(Yaml::file(&b));
            drop(black_box(config.extract::<Config>().expect("it is valid")));
        }),
    ];
    let title = format!("A reload merged from two files, {} bytes", text.len());
    let limits = [("steadyconf, with its `changed:` line", least, 1.2)];
    contest(&title, rounds, cases, &limits);
}

fn rejection(text: &str, rounds: usize) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("config.yaml");
    fs::write(&path, text).expect("it can be written");
    let reloader = load(Reloader::from_file(&path));
    let last = text.rfind("max_iterations: 5").expect("an agent");
    let mut wrong = ["x", "y"].map(|word| {
        let (head, tail) = text.split_at(last);
        format!("{head}{}", tail.replacen('5', word, 1))
    });
    let beside = path.with_extension("new.yaml");
    let (mut now, least) = (
        Duration::ZERO,
        "`fs::read` and `serde_yaml::from_slice`, good",
    );
    let mut save = || {
        wrong.swap(0, 1);
        fs::write(&beside, &wrong[0]).expect("it can be written");
        fs::rename(&beside, &path).expect("it can be renamed");
    };
    let good = folder.path().join("good.yaml");
    fs::write(&good, text).expect("it can be written");
    let cases = vec![
        Case::timed(least, 1, || {
            let bytes = fs::read(&good).expect("it can be read");
            drop(black_box(serde_yaml::from_slice::<Config>(&bytes)));
        }),
        Case::measured("steadyconf, a type error at the end", move || {
            save();
            let start = Instant::now();
            loop {
                now += Duration::from_secs(1);
                match reloader.poll_at(now).expect("it can be read") {
                    Outcome::Settling { .. } => {}
                    outcome => {
                        assert!(matches!(outcome, Outcome::Rejected(_)), "{outcome}");
                        return start.elapsed().as_secs_f64();
                    }
                }
            }
        }),
    ];
    let limits = [("steadyconf, a type error at the end", least, 1.3)];
    let title = format!("A rejection of {} bytes", text.len());
    contest(&title, rounds, cases, &limits);
}
