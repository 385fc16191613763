//! Files that a configuration names (`also_watch`): a certificate and its key. Files are
//! real, time is virtual.
#![cfg(all(unix, feature = "std"))]

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::common::{ms, save};
use steadyconf::engine::{Built, Document, Engine, Format, Limits, NamedFile, Notes};
use steadyconf::source::Files;
use steadyconf::{Builder, Outcome, Reloader, Report};
use tempfile::TempDir;

/// Names of files, a line each; their bytes are what is built.
type Config = Built<Vec<String>, Vec<String>>;

/// Reads lines, and counts how often.
struct Lines(Arc<AtomicUsize>);

impl Format<Vec<String>> for Lines {
    fn parse(&self, document: &Document, _: &Limits, _: &mut Notes) -> Result<Vec<String>, Report> {
        self.0.fetch_add(1, Ordering::SeqCst);
        let text = String::from_utf8_lossy(document.layers()[0].bytes()).into_owned();
        Ok(text.lines().map(String::from).collect())
    }
}

struct World {
    folder: TempDir,
    parsed: Arc<AtomicUsize>,
    now: Duration,
}

impl World {
    /// A configuration that names these files, each of which holds `old`.
    fn naming(names: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let world = World {
            folder,
            parsed: Arc::default(),
            now: ms(0),
        };
        for name in names {
            fs::write(world.path(name), "old").unwrap();
        }
        world.name(names);
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn full(&self, name: &str) -> String {
        self.path(name).to_string_lossy().into_owned()
    }

    fn name(&self, names: &[&str]) {
        let lines: Vec<_> = names.iter().map(|name| self.full(name) + "\n").collect();
        save(&self.path("config"), &lines.concat());
    }

    fn config(&self) -> Builder<Vec<String>, Files> {
        let format = Lines(self.parsed.clone());
        Reloader::from_file_as(self.path("config"), format)
            .also_watch(|config, files| config.iter().for_each(|name| files.add(name)))
    }

    fn load(&self) -> Reloader<Config> {
        self.load_with(self.config())
    }

    fn load_with(&self, config: Builder<Vec<String>, Files>) -> Reloader<Config> {
        let built = config.build_with_files(|config, _, document| {
            let text = |name: &String| document.file(name).map(String::from_utf8_lossy);
            let texts = config
                .iter()
                .map(|name| text(name).map(std::borrow::Cow::into_owned));
            texts.collect::<Option<Vec<_>>>().ok_or("not read with it")
        });
        let reloader = built.load_at(self.now, |until| until).unwrap();
        self.parsed.store(0, Ordering::SeqCst);
        reloader
    }

    /// Polls until nothing is under way, and returns the last outcome that is news.
    fn rest(&mut self, reloader: &Reloader<Config>) -> Outcome {
        self.now += ms(5000);
        let mut news = Outcome::Unchanged;
        for _ in 0..8 {
            match reloader.poll_at(self.now).unwrap() {
                Outcome::Unchanged | Outcome::Settling { .. } => {}
                outcome => news = outcome,
            }
            self.now += ms(60);
        }
        news
    }
}

fn state(reloader: &Reloader<Config>) -> Vec<String> {
    reloader.handle().load().state.clone()
}

#[test]
fn g12_a_named_file_is_read_with_its_configuration() {
    let world = World::naming(&["cert", "key"]);
    let reloader = world.load();
    let active = reloader.handle().load();
    assert_eq!(active.state, ["old", "old"]);
    assert_eq!(active.file(&world.full("key")), Some(&b"old"[..]));
    assert_eq!(active.file("another"), None);
    assert_eq!(active.version().to_string(), "v1");
}

#[test]
fn g12_a_new_pair_is_one_change() {
    let mut world = World::naming(&["cert", "key"]);
    let reloader = world.load();
    world.now += ms(5000);
    save(&world.path("cert"), "new");
    // The half of it that is there now has not held still.
    assert!(matches!(
        reloader.poll_at(world.now),
        Ok(Outcome::Settling { .. })
    ));
    save(&world.path("key"), "new");
    assert_eq!(world.rest(&reloader).to_string(), "applied v2");
    assert_eq!(state(&reloader), ["new", "new"]);
    assert_eq!(reloader.status().reloads, 2);
    assert_eq!(world.parsed.load(Ordering::SeqCst), 1);
}

#[test]
fn g12_an_equal_configuration_with_other_files_is_a_change() {
    let mut world = World::naming(&["cert"]);
    let reloader = world.load_with(world.config().skip_equal());
    save(&world.path("cert"), "new");
    assert_eq!(world.rest(&reloader).to_string(), "applied v2");
    assert_eq!(state(&reloader), ["new"]);
    // And the same bytes again are none.
    save(&world.path("cert"), "new");
    assert_eq!(world.rest(&reloader), Outcome::Unchanged);
}

#[test]
fn g12_the_list_changes_with_the_configuration() {
    let mut world = World::naming(&["one"]);
    let reloader = world.load();
    fs::write(world.path("two"), "second").unwrap();
    world.name(&["two"]);
    assert_eq!(world.rest(&reloader).to_string(), "applied v2");
    assert_eq!(state(&reloader), ["second"]);
    assert_eq!(world.parsed.load(Ordering::SeqCst), 2, "once more with it");
    save(&world.path("one"), "is not watched any more");
    assert_eq!(world.rest(&reloader), Outcome::Unchanged);
    save(&world.path("config"), "\n");
    let said = world.rest(&reloader).to_string();
    assert!(said.ends_with("config: is empty"), "{said}");
    assert_eq!(state(&reloader), ["second"]);
}

#[test]
fn g12_a_missing_named_file_rejects_the_configuration() {
    let mut world = World::naming(&["cert"]);
    let reloader = world.load();
    world.name(&["cert", "gone"]);
    let said = world.rest(&reloader).to_string();
    let expected = format!(
        "{}: no such file, and the configuration names it",
        world.full("gone")
    );
    assert!(said.contains(&expected), "{said}");
    assert_eq!(state(&reloader), ["old"]);
    assert_eq!(reloader.status().rejections, 1);
    fs::write(world.path("gone"), "there").unwrap();
    assert_eq!(world.rest(&reloader).to_string(), "applied v2");
    assert_eq!(state(&reloader), ["old", "there"]);
    assert!(reloader.status().is_healthy());

    // It goes again, while it is active.
    fs::remove_file(world.path("gone")).unwrap();
    let said = world.rest(&reloader).to_string();
    assert!(said.contains(&expected), "{said}");
    assert_eq!(state(&reloader), ["old", "there"]);
}

#[test]
fn g04_a_named_file_that_is_none_or_too_large_is_rejected() {
    let mut world = World::naming(&["cert"]);
    let reloader = world.load();
    fs::create_dir(world.path("folder")).unwrap();
    fs::write(world.path("large"), vec![b'x'; 1024 * 1024]).unwrap();
    for (name, expected) in [
        ("folder", "expected a file, found a folder"),
        ("large", "makes all files together larger than the limit"),
    ] {
        world.name(&["cert", name]);
        let said = world.rest(&reloader).to_string();
        assert!(said.contains(expected), "{said}");
    }
    let many: Vec<_> = (0..1001).map(|n| n.to_string()).collect();
    let many: Vec<_> = many.iter().map(|name| &**name).collect();
    world.name(&many);
    let said = world.rest(&reloader).to_string();
    assert!(said.contains("names more than 1000 files"), "{said}");
    assert_eq!(state(&reloader), ["old"]);
}

#[test]
fn g03_a_panic_while_files_are_named_is_a_rejection() {
    let mut world = World::naming(&["cert"]);
    let config = world.config().also_watch(|config, files| {
        assert!(config.len() < 2, "two");
        files.add(&config[0]);
    });
    let reloader = world.load_with(config);
    world.name(&["cert", "cert"]);
    let said = world.rest(&reloader).to_string();
    assert!(said.contains("naming its files panicked"), "{said}");
    assert_eq!(state(&reloader), ["old"]);
}

#[test]
fn g17_a_rollback_brings_the_files_back() {
    let mut world = World::naming(&["cert"]);
    let reloader = world.load();
    save(&world.path("cert"), "bad");
    assert_eq!(world.rest(&reloader).to_string(), "applied v2");
    reloader.rollback().unwrap();
    assert_eq!(state(&reloader), ["old"]);
    let said = world.rest(&reloader).to_string();
    assert!(said.starts_with("quarantined"), "{said}");
    save(&world.path("cert"), "better");
    assert_eq!(world.rest(&reloader).to_string(), "applied v4");
    assert_eq!(state(&reloader), ["better"]);
}

#[test]
fn g18_the_last_known_good_holds_the_named_files() {
    let world = World::naming(&["cert"]);
    let good = world.path("last.good");
    drop(world.load_with(world.config().last_known_good(&good)));
    for name in ["cert", "config"] {
        fs::remove_file(world.path(name)).unwrap();
    }
    let reloader = world.load_with(world.config().last_known_good(&good));
    assert!(reloader.status().from_last_good);
    assert_eq!(state(&reloader), ["old"]);
}

#[test]
fn g12_named_files_behind_a_flipped_link_are_of_one_generation() {
    let mut world = World::naming(&[]);
    for (generation, text) in [("1", "old"), ("2", "new")] {
        fs::create_dir(world.path(generation)).unwrap();
        for name in ["cert", "key"] {
            fs::write(world.path(generation).join(name), text).unwrap();
        }
    }
    let flip = |to: &str| {
        std::os::unix::fs::symlink(to, world.path("link")).unwrap();
        fs::rename(world.path("link"), world.path("..data")).unwrap();
    };
    flip("1");
    world.name(&["..data/cert", "..data/key"]);
    let reloader = world.load();
    assert_eq!(state(&reloader), ["old", "old"]);
    flip("2");
    assert_eq!(world.rest(&reloader).to_string(), "applied v2");
    assert_eq!(state(&reloader), ["new", "new"]);
}

#[test]
fn g07_files_named_in_another_order_are_the_same() {
    let mut world = World::naming(&["a", "b", "c"]);
    let turn = AtomicUsize::new(0);
    let format = Lines(world.parsed.clone());
    let config = Reloader::from_file_as(world.path("config"), format).also_watch(
        move |config: &Vec<String>, files| {
            // As a hash map has it.
            let turn = turn.fetch_add(1, Ordering::SeqCst);
            for index in 0..config.len() {
                files.add(&config[(index + turn) % config.len()]);
            }
        },
    );
    let reloader = world.load_with(config);
    save(&world.path("b"), "new");
    assert_eq!(world.rest(&reloader).to_string(), "applied v2");
    assert_eq!(world.parsed.load(Ordering::SeqCst), 1);
}

#[test]
fn g20_names_that_change_each_time_are_rejected() {
    let mut world = World::naming(&["a", "b"]);
    let reloader = {
        let turn = AtomicUsize::new(0);
        world.load_with(world.config().also_watch(move |config, files| {
            let turn = turn.fetch_add(1, Ordering::SeqCst);
            match turn {
                0..=1 => config.iter().for_each(|name| files.add(name)),
                turn => files.add(&config[turn % 2]),
            }
        }))
    };
    save(
        &world.path("config"),
        &(world.full("b") + "\n" + &world.full("a")),
    );
    let said = (0..4)
        .map(|_| world.rest(&reloader).to_string())
        .collect::<Vec<_>>();
    let expected = "the files that it names are others each time that it is read";
    assert!(said.iter().any(|said| said.contains(expected)), "{said:?}");
    assert!(!reloader.status().is_healthy());
}

#[test]
fn g20_it_is_not_healthy_while_named_files_are_awaited() {
    let mut world = World::naming(&["cert"]);
    let reloader = world.load();
    for missing in ["gone", "gone, too"] {
        world.name(&["cert", missing]);
        world.now += ms(5000);
        let mut outcome = reloader.poll_at(world.now).unwrap();
        while let Outcome::Settling { .. } = outcome {
            if reloader.status().rejections > 0 {
                assert!(!reloader.status().is_healthy(), "{missing}");
            }
            world.now += ms(20);
            outcome = reloader.poll_at(world.now).unwrap();
        }
        assert!(!reloader.status().is_healthy(), "{missing}: {outcome}");
    }
    assert_eq!(reloader.status().rejections, 2);
}

/// Files that a content names are read after it. That it has waited is so of this content
/// alone, and not of another that takes its place meanwhile.
#[test]
fn g07_what_names_files_waits_for_its_turn_once() {
    for then in ["cert", "cert3"] {
        let mut world = World::naming(&["cert"]);
        fs::write(world.path("cert2"), "two").unwrap();
        fs::write(world.path("cert3"), "three").unwrap();
        let window = Duration::from_secs(1000);
        let reloader = world.load_with(world.config().stagger(window, "host"));
        let poll = |world: &mut World, pause: u64| {
            world.now += ms(pause);
            reloader.poll_at(world.now).unwrap()
        };
        poll(&mut world, 5000);
        world.name(&["cert2"]);
        let due = (0..6).find_map(|_| match poll(&mut world, 120) {
            Outcome::Staggered { until } => Some(until),
            _ => None,
        });
        world.now = due.unwrap();
        save(&world.path("cert2"), "moving");
        assert!(matches!(poll(&mut world, 0), Outcome::Settling { .. }));
        // Before that has settled, something else is there; and then something new.
        world.name(&[then]);
        let outcomes: Vec<_> = (0..8).map(|_| poll(&mut world, 120)).collect();
        let applied = |outcome: &Outcome| matches!(outcome, Outcome::Applied(_));
        assert!(!outcomes.iter().any(applied), "{then}: {outcomes:?}");
        save(&world.path("cert"), "new");
        let outcomes: Vec<_> = (0..8).map(|_| poll(&mut world, 120)).collect();
        assert!(!outcomes.iter().any(applied), "{then}: {outcomes:?}");
        // In its turn it is read with its files and applied, without another wait.
        world.now += window;
        let outcomes: Vec<_> = (0..8).map(|_| poll(&mut world, 120)).collect();
        assert_eq!(
            outcomes.iter().filter(|one| applied(one)).count(),
            1,
            "{then}: {outcomes:?}"
        );
    }
}

/// A certificate that was renewed changes no field, and is told of all the same.
#[test]
fn g20_the_files_that_changed_are_reported_by_name() {
    let mut engine = Engine::new(crate::common::Number::default());
    let with = |files: &[(&str, &str)]| {
        let files = files
            .iter()
            .map(|(name, text)| NamedFile::new(*name, text.as_bytes()));
        crate::common::doc("1").with_files(files.collect::<Vec<_>>())
    };
    let mut second = 0;
    let mut said = |files: &[(&str, &str)]| {
        second += 1;
        let outcome = engine.apply(with(files), Duration::from_secs(second));
        assert!(matches!(outcome, Outcome::Applied(_)), "{outcome}");
        engine.events()[0].to_string()
    };
    assert!(!said(&[("cert", "old"), ("key", "same")]).contains("files"));
    let renewed = said(&[("cert", "new"), ("key", "same")]);
    assert!(renewed.ends_with("; changed files: cert"), "{renewed}");
    let others = said(&[("ca", "new"), ("key", "same")]);
    assert!(others.ends_with("; changed files: ca, cert"), "{others}");
}
