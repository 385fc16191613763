//! File-system events wake the thread; what is at the source decides.
#![cfg(all(target_os = "linux", feature = "notify"))]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::common::{Text, file, ms, save, wait_until};
use steadyconf::engine::ManualDetector;
use steadyconf::report::Cause;
use steadyconf::{Receipt, Reloader, Source};

const HOUR: Duration = Duration::from_secs(3600);

fn last(reloader: &Reloader<String>) -> Arc<Receipt> {
    reloader.status().receipts.last().unwrap().clone()
}

/// Nothing but an event can make it see anything: the next poll is an hour away.
fn started(path: &Path) -> (Reloader<String>, steadyconf::Subscription) {
    let builder = Reloader::from_file_as(path, Text)
        .settle(ms(5))
        .interval(HOUR);
    with_events(builder.load().unwrap())
}

fn with_events(reloader: Reloader<String>) -> (Reloader<String>, steadyconf::Subscription) {
    reloader.start().unwrap();
    let subscription = reloader.wake_on_file_events().unwrap();
    wait_until("it is at rest", || {
        reloader.next_poll() > reloader.now() + HOUR / 2
            && reloader.status().in_poll_since.is_none()
    });
    (reloader, subscription)
}

#[track_caller]
fn sees(reloader: &Reloader<String>, text: &str) {
    wait_until(text, || *reloader.handle().load() == text);
}

#[test]
fn g07_however_a_file_is_saved_an_event_tells() {
    let (folder, path) = file("one");
    let (reloader, _events) = started(&path);
    fs::write(&path, "in place").unwrap();
    sees(&reloader, "in place");
    assert!(matches!(last(&reloader).cause, Cause::Wake | Cause::Timer));
    for text in ["renamed", "renamed again"] {
        save(&path, text);
        sees(&reloader, text);
    }
    fs::remove_file(&path).unwrap();
    wait_until("it is missed", || reloader.status().last_error.is_some());
    fs::write(&path, "made again").unwrap();
    sees(&reloader, "made again");
    // A link takes its place, and then leads elsewhere.
    let other = folder.path().join("other");
    fs::create_dir(&other).unwrap();
    for name in ["a", "b"] {
        fs::write(other.join(name), name).unwrap();
        let link = folder.path().join("link");
        symlink(other.join(name), &link).unwrap();
        fs::rename(&link, &path).unwrap();
        sees(&reloader, name);
        fs::write(other.join(name), format!("{name} in place")).unwrap();
        sees(&reloader, &format!("{name} in place"));
    }
}

#[test]
fn g07_a_volume_of_kubernetes_tells() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let generation = |name: &str, text: &str| {
        fs::create_dir(at(name)).unwrap();
        fs::write(at(name).join("app.yaml"), text).unwrap();
        symlink(name, at("..data_tmp")).unwrap();
        fs::rename(at("..data_tmp"), at("..data")).unwrap();
    };
    generation("..1", "one");
    symlink("..data/app.yaml", at("app.yaml")).unwrap();
    let (reloader, _events) = started(&at("app.yaml"));
    for number in 2..5 {
        let text = format!("generation {number}");
        generation(&format!("..{number}"), &text);
        sees(&reloader, &text);
        fs::remove_dir_all(at(&format!("..{}", number - 1))).unwrap();
    }
}

#[test]
fn g07_a_new_file_in_a_folder_tells() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("10.yaml"), "one").unwrap();
    let builder = Reloader::builder_as(Last).source(Source::dir(folder.path()));
    let (reloader, _events) = with_events(builder.settle(ms(5)).interval(HOUR).load().unwrap());
    fs::write(folder.path().join("20.yaml"), "two").unwrap();
    sees(&reloader, "two");
    fs::remove_file(folder.path().join("20.yaml")).unwrap();
    sees(&reloader, "one");
}

/// The text of the last layer.
struct Last;

impl steadyconf::engine::Format<String> for Last {
    fn parse(
        &self,
        document: &steadyconf::engine::Document,
        _: &steadyconf::engine::Limits,
        _: &mut steadyconf::engine::Notes,
    ) -> Result<String, steadyconf::Report> {
        let last = document.layers().last().unwrap();
        Ok(String::from_utf8_lossy(last.bytes()).into_owned())
    }
}

/// Nor do our own polls wake us.
#[test]
fn g10_what_is_not_ours_wakes_nobody() {
    let (folder, path) = file("one");
    let (reloader, events) = started(&path);
    let before = reloader.status().last_poll;
    fs::write(folder.path().join("app.log"), "a line").unwrap();
    let _ = fs::read(&path).unwrap();
    thread::sleep(ms(50));
    assert_eq!(reloader.status().last_poll, before);
    // An end is an end.
    drop(events);
    thread::sleep(ms(20));
    save(&path, "two");
    thread::sleep(ms(50));
    assert_eq!(reloader.status().last_poll, before);
    assert_eq!(*reloader.handle().load(), "one");
}

#[test]
fn g07_without_events_polling_goes_on() {
    let (folder, path) = file("one");
    let sub = folder.path().join("sub");
    fs::create_dir(&sub).unwrap();
    let path_in = sub.join("config");
    fs::rename(&path, &path_in).unwrap();
    let builder = Reloader::from_file_as(&path_in, Text)
        .settle(ms(5))
        .interval(ms(20));
    let reloader = builder.load().unwrap();
    reloader.start().unwrap();
    let _events = reloader.wake_on_file_events().unwrap();
    // The watched folder goes and comes again: its watch is gone.
    fs::remove_dir_all(&sub).unwrap();
    wait_until("it is missed", || reloader.status().last_error.is_some());
    fs::create_dir(&sub).unwrap();
    fs::write(&path_in, "two").unwrap();
    sees(&reloader, "two");

    let manual = ManualDetector::new("wire");
    let shared = Arc::new(std::sync::Mutex::new(manual));
    shared.lock().unwrap().set(*b"one");
    let reloader = Reloader::with_detector(shared, Text).load().unwrap();
    let error = reloader.wake_on_file_events().unwrap_err();
    assert!(
        error.to_string().contains("no files are watched"),
        "{error}"
    );
}

/// The folder itself is replaced, as some tools deploy.
#[test]
fn g07_a_folder_that_is_replaced_tells() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for (name, text) in [("conf", "one"), ("next", "two"), ("last", "three")] {
        fs::create_dir(at(name)).unwrap();
        fs::write(at(name).join("app"), text).unwrap();
    }
    let path = at("conf").join("app");
    let (reloader, _events) = started(&path);
    for (next, text) in [("next", "two"), ("last", "three")] {
        fs::rename(at("conf"), at(&format!("before {next}"))).unwrap();
        fs::rename(at(next), at("conf")).unwrap();
        sees(&reloader, text);
        // It is the new one that is watched now.
        let changed = format!("{text}, changed");
        fs::write(&path, &changed).unwrap();
        sees(&reloader, &changed);
    }
}
