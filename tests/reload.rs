//! The reloader on a real file and virtual time: no thread, no sleep.
#![cfg(feature = "values")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::common::{Journal, ms};
use crate::llm_config::{Config, SAMPLE, check};
use steadyconf::engine::Limits;
use steadyconf::report::{DetectError, DetectErrorKind, Stage};
use steadyconf::{Builder, LoadError, Outcome, Reloader, Version};
use tempfile::TempDir;

/// A file, a reloader on it, and the time.
struct World {
    path: PathBuf,
    reloader: Reloader<Config>,
    now: Duration,
    _folder: TempDir,
}

impl World {
    fn new() -> Self {
        World::with(|builder| builder)
    }

    fn with(more: impl FnOnce(Builder<Config>) -> Builder<Config>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.yaml");
        fs::write(&path, SAMPLE).unwrap();
        let builder = more(Reloader::from_file(&path).validate(check));
        let reloader = builder.load_at(ms(0), |until| until).unwrap();
        let now = reloader.next_poll();
        World {
            path,
            reloader,
            now,
            _folder: folder,
        }
    }

    fn write(&self, text: &str) {
        fs::write(&self.path, text).unwrap();
    }

    /// Looks, as often as it takes, until the outcome is final.
    fn look(&mut self) -> Result<Outcome, DetectError> {
        for _ in 0..100 {
            let outcome = self.reloader.poll_at(self.now);
            self.now = self.reloader.next_poll();
            if !matches!(outcome, Ok(Outcome::Settling { .. })) {
                return outcome;
            }
        }
        panic!("still settling after a hundred looks");
    }

    #[track_caller]
    fn expect_applied(&mut self, version: u64) {
        assert_eq!(self.look(), Ok(Outcome::Applied(Version::new(version))));
    }

    fn model(&self) -> String {
        let config = self.reloader.handle().load();
        config.llm_providers[0].model_name.clone()
    }
}

fn gpt_4() -> String {
    SAMPLE.replace("gpt-3.5-turbo", "gpt-4")
}

/// The original's own test, on virtual time.
#[test]
fn a_changed_model_is_seen() {
    let mut world = World::new();
    assert_eq!(world.model(), "gpt-3.5-turbo");
    world.write(&gpt_4());
    world.expect_applied(2);
    assert_eq!(world.model(), "gpt-4");
}

#[test]
fn g01_value_version_digest_and_origins_come_from_one_load() {
    let mut world = World::new();
    let before = world.reloader.handle().load();
    world.write(&gpt_4());
    world.expect_applied(2);
    let after = world.reloader.handle().load();
    for (loaded, text, version) in [(&before, SAMPLE, 1), (&after, &*gpt_4(), 2)] {
        assert_eq!(loaded.version().get(), version);
        assert_eq!(
            loaded.digest(),
            steadyconf::engine::Digest::of(text.as_bytes())
        );
        assert_eq!(loaded.document().layers()[0].bytes(), text.as_bytes());
        assert_eq!(*loaded.origins()[0], *world.path.to_string_lossy());
        let expected: Config = serde_yaml::from_str(text).unwrap();
        assert_eq!(*loaded.value(), expected);
    }
}

#[test]
fn g02_content_counts_only_after_it_has_held_still() {
    let mut world = World::new();
    let start = world.now;
    world.write(&gpt_4());
    let outcome = world.reloader.poll_at(start);
    let until = start + ms(100);
    assert_eq!(outcome, Ok(Outcome::Settling { until }));
    assert_eq!(world.reloader.next_poll(), until);
    assert_eq!(world.reloader.status().settling_since, Some(start));

    // Another piece is written just before the time is up: it starts anew.
    world.write(&SAMPLE.replace("gpt-3.5-turbo", "gpt-4o"));
    let until = until + ms(100);
    let outcome = world.reloader.poll_at(start + ms(100));
    assert_eq!(outcome, Ok(Outcome::Settling { until }));
    let outcome = world.reloader.poll_at(until - ms(1));
    assert_eq!(outcome, Ok(Outcome::Settling { until }));
    assert_eq!(world.model(), "gpt-3.5-turbo");
    world.now = until;
    world.expect_applied(2);
    assert_eq!(world.model(), "gpt-4o");
}

#[test]
fn g03_a_panicking_validator_rejects_the_document() {
    let mut world = World::with(|builder| {
        builder.validate(|config, _| {
            assert_ne!(config.llm_providers[0].model_name, "boom");
        })
    });
    world.write(&SAMPLE.replace("gpt-3.5-turbo", "boom"));
    let outcome = world.look();
    let Ok(Outcome::Rejected(rejection)) = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(rejection.stage(), Stage::Validate);
    world.write(&gpt_4());
    world.expect_applied(2);
}

/// One way of breaking the file, and what is to come of it.
struct Bad {
    what: &'static str,
    breaks: fn(&World),
    message: &'static str,
}

const BAD: &[Bad] = &[
    Bad {
        what: "missing",
        breaks: |world| fs::remove_file(&world.path).unwrap(),
        message: "config.yaml: no such file",
    },
    Bad {
        what: "folder",
        breaks: |world| {
            fs::remove_file(&world.path).unwrap();
            fs::create_dir(&world.path).unwrap();
        },
        message: "config.yaml: expected a file, found a folder",
    },
    Bad {
        what: "empty",
        breaks: |world| world.write(""),
        message: "config.yaml: is empty",
    },
    Bad {
        what: "white space",
        breaks: |world| world.write(" \n\n"),
        message: "config.yaml: is empty",
    },
    Bad {
        what: "comments",
        breaks: |world| world.write("# nothing here\n---\n# nor here\n"),
        message: "config.yaml: holds no value, only comments or nothing",
    },
    Bad {
        what: "null",
        breaks: |world| world.write("null\n"),
        message: "config.yaml: holds no value, only comments or nothing",
    },
    Bad {
        what: "bad YAML",
        breaks: |world| world.write(&SAMPLE.replace("[search]", "[search")),
        message: "config.yaml:33:17: not valid YAML: this `[` is not closed, or a comma is \
                  missing in it",
    },
    Bad {
        what: "wrong type",
        breaks: |world| world.write(&SAMPLE.replace("0.7 ", "sk-not-a-number ")),
        message: "config.yaml:8:20: llm_providers[0].default_call_options.temperature: \
                  expected a number, found a string",
    },
    Bad {
        what: "missing key",
        breaks: |world| world.write(&SAMPLE.replace("model_name: text", "# model_name: text")),
        message: "config.yaml:13:5: embedding_providers[0]: the key `model_name` is missing",
    },
    Bad {
        what: "unknown key",
        breaks: |world| world.write(&SAMPLE.replace("max_tokens", "max_tokenz")),
        message: "config.yaml:9:7: llm_providers[0].default_call_options.max_tokenz: unknown \
                  key; did you mean `max_tokens`?",
    },
    Bad {
        what: "failed validation",
        breaks: |world| world.write(&SAMPLE.replace("iterations: 5", "iterations: 0")),
        message: "config.yaml:32:21: agents[0].max_iterations: must be at least 1",
    },
    Bad {
        what: "several problems",
        breaks: |world| {
            let bad = SAMPLE.replace("temperature: 0.7", "temperature: 7");
            world.write(&bad.replace("[search]", "[search, fly]"));
        },
        message: "config.yaml:33:26: agents[0].tool_names[1]: names no tool",
    },
];

/// The text, and whether the file's own name begins it; the folder is random.
#[track_caller]
fn assert_says(world: &World, text: &str, bad: &Bad) {
    let folder = world.path.parent().unwrap();
    let text = text.replace(&format!("{}/", folder.display()), "");
    assert!(text.contains(bad.message), "{}: {text}", bad.what);
    assert!(!text.contains("sk-"), "{}: {text}", bad.what);
}

#[test]
fn g05_a_program_rejects_to_start_on_a_bad_file_and_says_why() {
    for bad in BAD {
        let world = World::new();
        (bad.breaks)(&world);
        let loaded = Reloader::<Config>::from_file(&world.path)
            .validate(check)
            .load_at(ms(0), |until| until);
        let error = loaded.expect_err(bad.what);
        assert_says(&world, &error.to_string(), bad);
        assert_eq!(format!("{error:?}"), error.to_string());
    }
}

#[test]
fn g05_a_running_program_keeps_the_old_value_and_says_why() {
    for bad in BAD {
        let mut world = World::new();
        let before = world.reloader.handle().load();
        (bad.breaks)(&world);
        let text = match world.look() {
            Ok(Outcome::Rejected(rejection)) => rejection.to_string(),
            Err(error) => error.to_string(),
            other => panic!("{}: {other:?}", bad.what),
        };
        assert_says(&world, &text, bad);
        let after = world.reloader.handle().load();
        assert!(
            std::ptr::eq(&raw const *before, &raw const *after),
            "{}",
            bad.what
        );
        assert!(!world.reloader.status().is_healthy());

        // Mended, it goes on.
        if world.path.is_dir() {
            fs::remove_dir(&world.path).unwrap();
        }
        world.write(&gpt_4());
        world.expect_applied(2);
        assert!(world.reloader.status().is_healthy(), "{}", bad.what);
    }
}

#[cfg(unix)]
#[test]
fn g04_a_pipe_a_socket_or_a_device_is_an_error_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let socket = folder.path().join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    for (path, found) in [
        (pipe.to_str().unwrap(), "a named pipe"),
        (socket.to_str().unwrap(), "a socket"),
        ("/dev/zero", "a device"),
    ] {
        let loaded = Reloader::<Config>::from_file(path).load_at(ms(0), |until| until);
        let Err(LoadError::Source(error)) = loaded else {
            panic!("{loaded:?}");
        };
        assert_eq!(error.kind(), DetectErrorKind::NotAFile);
        let text = error.to_string();
        assert!(
            text.ends_with(&format!("expected a file, found {found}")),
            "{text}"
        );
    }
}

#[test]
fn g04_a_file_over_the_limit_is_an_error() {
    let size = SAMPLE.len();
    let mut world = World::with(|builder| builder.limits(Limits::default().max_bytes(size)));
    world.write(&format!("{SAMPLE}#"));
    let error = world.look().unwrap_err();
    assert_eq!(error.kind(), DetectErrorKind::TooLarge);
    assert_eq!(world.model(), "gpt-3.5-turbo");
    world.write(SAMPLE);
    assert_eq!(world.look(), Ok(Outcome::Unchanged));
}

#[test]
fn g05_all_defaults_can_be_asked_for_explicitly() {
    let mut world = World::new();
    world.write("{}\n");
    world.expect_applied(2);
    assert_eq!(*world.reloader.handle().load().value(), Config::default());
}

#[test]
fn g08_a_change_between_load_and_the_first_poll_is_seen() {
    let mut world = World::new();
    world.write(&gpt_4());
    // However the first poll comes about.
    world.now = ms(101);
    world.expect_applied(2);
}

#[test]
fn g07_an_equal_size_and_an_older_time_are_a_change() {
    let mut world = World::new();
    // Let the stamp age, so that it alone decides.
    for _ in 0..5 {
        assert_eq!(world.look(), Ok(Outcome::Unchanged));
    }
    let old = fs::metadata(&world.path).unwrap();
    world.write(&SAMPLE.replace("gpt-3.5-turbo", "gpt-3.5-tudor"));
    let file = fs::File::options().write(true).open(&world.path).unwrap();
    let earlier = old.modified().unwrap() - Duration::from_secs(3600);
    file.set_modified(earlier).unwrap();
    assert_eq!(file.metadata().unwrap().len(), old.len());
    world.expect_applied(2);
    assert_eq!(world.model(), "gpt-3.5-tudor");
}

#[test]
fn g07_saved_by_rename_or_by_deleting_first() {
    let mut world = World::new();
    let beside = world.path.with_extension("new");
    fs::write(&beside, gpt_4()).unwrap();
    fs::rename(&beside, &world.path).unwrap();
    world.expect_applied(2);

    fs::remove_file(&world.path).unwrap();
    let error = world.look().unwrap_err();
    assert_eq!(error.kind(), DetectErrorKind::NotFound);
    world.write(SAMPLE);
    world.expect_applied(3);
    assert_eq!(world.model(), "gpt-3.5-turbo");
}

#[cfg(unix)]
#[test]
fn g07_a_link_in_the_path_is_flipped() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [("one", SAMPLE), ("two", &*gpt_4())] {
        fs::create_dir(folder.path().join(name)).unwrap();
        fs::write(folder.path().join(name).join("config.yaml"), text).unwrap();
    }
    let data = folder.path().join("..data");
    symlink("one", &data).unwrap();
    let path = folder.path().join("config.yaml");
    symlink("..data/config.yaml", &path).unwrap();
    let reloader = Reloader::<Config>::from_file(&path)
        .load_at(ms(0), |until| until)
        .unwrap();

    let flipped = folder.path().join("..data_tmp");
    symlink("two", &flipped).unwrap();
    fs::rename(&flipped, &data).unwrap();
    reloader.poll_at(ms(1000)).unwrap();
    let outcome = reloader.poll_at(ms(1100));
    assert_eq!(outcome, Ok(Outcome::Applied(Version::new(2))));
}

#[test]
fn g10_rewriting_the_same_bytes_makes_no_version() {
    let journal = Journal::default();
    let called = journal.clone();
    let mut world = World::with(|builder| {
        builder.on_commit(move |_| {
            called.note("called");
            Ok(())
        })
    });
    for _ in 0..5 {
        world.write(SAMPLE);
        assert_eq!(world.look(), Ok(Outcome::Unchanged));
    }
    let file = fs::File::options().write(true).open(&world.path).unwrap();
    file.set_modified(std::time::SystemTime::now()).unwrap();
    assert_eq!(world.look(), Ok(Outcome::Unchanged));
    assert!(journal.take().is_empty());
    assert_eq!(world.reloader.handle().load().version().get(), 1);
}

#[test]
fn g10_a_then_bad_then_a_ends_healthy_at_the_version_of_a() {
    let mut world = World::new();
    world.write("agents: nonsense\n");
    assert!(matches!(world.look(), Ok(Outcome::Rejected(_))));
    assert!(world.reloader.status().source_differs);
    world.write(SAMPLE);
    assert_eq!(world.look(), Ok(Outcome::Unchanged));
    let status = world.reloader.status();
    assert!(status.is_healthy() && !status.source_differs);
    assert_eq!(status.version, Some(Version::new(1)));
}

#[test]
fn g11_rejected_content_is_judged_once_while_it_lasts() {
    let judged = Arc::new(AtomicUsize::new(0));
    let count = judged.clone();
    let mut world = World::with(|builder| {
        builder.validate(move |_, _| {
            count.fetch_add(1, Ordering::Relaxed);
        })
    });
    world.write(&SAMPLE.replace("iterations: 5", "iterations: 0"));
    for _ in 0..50 {
        assert!(matches!(world.look(), Ok(Outcome::Rejected(_))));
    }
    assert_eq!(judged.load(Ordering::Relaxed), 2);
    assert_eq!(world.reloader.status().consecutive_failures, 50);
}

#[test]
fn g14_readers_see_the_new_value_before_any_listener_commits() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.yaml");
    fs::write(&path, SAMPLE).unwrap();
    let journal = Journal::default();
    let seen = journal.clone();
    let handle = Arc::new(std::sync::OnceLock::<steadyconf::Handle<Config>>::new());
    let reader = handle.clone();
    let reloader = Reloader::<Config>::from_file(&path)
        .on_commit(move |change| {
            let loaded = reader.get().unwrap().load();
            seen.note(format!("{} {}", loaded.version(), change.new.version()));
            Ok(())
        })
        .load_at(ms(0), |until| until)
        .unwrap();
    handle.set(reloader.handle()).unwrap();
    fs::write(&path, gpt_4()).unwrap();
    reloader.poll_at(ms(1000)).unwrap();
    reloader.poll_at(ms(1100)).unwrap();
    assert_eq!(journal.take(), ["v2 v2"]);
}

#[test]
fn g02_a_file_that_never_holds_still_does_not_start_a_program() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.yaml");
    fs::write(&path, SAMPLE).unwrap();
    let mut writes = 0;
    let loaded = Reloader::<Config>::from_file(&path)
        .load_timeout(ms(5000))
        .load_at(ms(0), |until| {
            writes += 1;
            fs::write(&path, format!("{SAMPLE}# {writes}\n")).unwrap();
            until
        });
    let error = loaded.unwrap_err().to_string();
    assert!(error.contains("config.yaml: still changing"), "{error}");
    assert_eq!(writes, 50);
}

#[test]
fn g05_a_start_waits_for_a_file_if_asked_to() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.yaml");
    let builder = |path: &Path| Reloader::<Config>::from_file(path).load_timeout(ms(5000));
    let error = builder(&path).load_at(ms(0), |until| until).unwrap_err();
    assert!(error.to_string().ends_with("no such file"), "{error}");
    // Its folder is not there, either: nobody is about to write it.
    let nowhere = folder.path().join("none/config.yaml");
    let wait = |_| panic!("it waits");
    let loaded = builder(&nowhere).wait_for_files().load_at(ms(0), wait);
    assert!(loaded.is_err());
    // Nobody writes it.
    let mut last = ms(0);
    let loaded = builder(&path).wait_for_files().load_at(ms(0), |until| {
        last = until;
        until
    });
    let error = loaded.unwrap_err();
    assert!(error.to_string().ends_with("no such file"), "{error}");
    assert_eq!(last, ms(5000));
    // Somebody does.
    let loaded = builder(&path).wait_for_files().load_at(ms(0), |until| {
        if until == ms(3000) {
            fs::write(&path, SAMPLE).unwrap();
        }
        until
    });
    assert_eq!(loaded.unwrap().status().applied_at, Some(ms(3100)));
}

#[test]
fn g20_the_status_tells_of_polls_successes_and_failures() {
    let mut world = World::new();
    let loaded = world.reloader.status();
    assert_eq!(loaded.version, Some(Version::new(1)));
    assert_eq!(loaded.applied_at, Some(ms(100)));
    assert_eq!(loaded.last_success, Some(ms(100)));
    assert!(!loaded.thread_alive && loaded.in_poll_since.is_none());

    world.write("nonsense");
    world.now = ms(2000);
    world.look().unwrap();
    let failed = world.reloader.status();
    assert_eq!(failed.last_poll, Some(ms(2100)));
    assert_eq!(failed.last_success, Some(ms(100)));
    let error = failed.last_error.unwrap();
    assert_eq!(error.since, ms(2100));
    assert!(error.failure.to_string().contains("expected a mapping"));
    assert_eq!(failed.digest, loaded.digest);
    assert_eq!(failed.next_poll, ms(3100));
}

#[test]
fn g15_a_poll_from_inside_a_callback_is_busy() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.yaml");
    fs::write(&path, SAMPLE).unwrap();
    let itself = Arc::new(std::sync::OnceLock::<std::sync::Weak<Reloader<Config>>>::new());
    let inside = itself.clone();
    let reloader = Reloader::<Config>::from_file(&path)
        .on_commit(move |_| {
            let reloader = inside.get().unwrap().upgrade().unwrap();
            assert_eq!(reloader.poll_once(), Ok(Outcome::Busy));
            Ok(())
        })
        .load_at(ms(0), |until| until)
        .unwrap();
    let reloader = Arc::new(reloader);
    itself.set(Arc::downgrade(&reloader)).unwrap();
    fs::write(&path, gpt_4()).unwrap();
    reloader.poll_at(ms(1000)).unwrap();
    reloader.poll_at(ms(1100)).unwrap();
    assert!(reloader.status().listener_errors.is_empty());
    assert_eq!(reloader.next_poll(), ms(0));
    reloader.poll_at(ms(1200)).unwrap();
    assert_eq!(reloader.next_poll(), ms(2200));
}

#[test]
fn listeners_may_call_back_into_the_reloader() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.yaml");
    fs::write(&path, SAMPLE).unwrap();
    let journal = Journal::default();
    let seen = journal.clone();
    let itself = Arc::new(std::sync::OnceLock::<std::sync::Weak<Reloader<Config>>>::new());
    let inside = itself.clone();
    let reloader = Reloader::<Config>::from_file(&path)
        .on_commit(move |_| {
            let reloader = inside.get().unwrap().upgrade().unwrap();
            let polled = reloader.poll_once();
            let reloaded = reloader.reload(Duration::from_secs(60)).outcome;
            let status = reloader.status();
            assert!(status.in_poll_since.is_some());
            assert_eq!(status.version, Some(Version::new(2)));
            reloader.wake();
            reloader.stop();
            seen.note(format!("{polled:?} {reloaded:?}"));
            Ok(())
        })
        .load_at(ms(0), |until| until)
        .unwrap();
    let reloader = Arc::new(reloader);
    itself.set(Arc::downgrade(&reloader)).unwrap();
    fs::write(&path, gpt_4()).unwrap();
    reloader.poll_at(ms(1000)).unwrap();
    let outcome = reloader.poll_at(ms(1100));
    assert_eq!(outcome, Ok(Outcome::Applied(Version::new(2))));
    assert_eq!(journal.take(), ["Ok(Busy) Ok(Busy)"]);
    // Another look became due.
    assert_eq!(reloader.next_poll(), ms(0));
    assert_eq!(reloader.poll_at(ms(1101)), Ok(Outcome::Unchanged));
    assert!(reloader.next_poll() > ms(1101));
}
