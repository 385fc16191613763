//! How long a change takes to become visible, less the settle time that is asked for.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use steadyconf::engine::{Format, Limits, Notes};
use steadyconf::handle::Waited;
use steadyconf::{Handle, Reloader, Report};

use super::{Case, contest};

const INTERVAL: Duration = Duration::from_millis(200);
const SETTLE: Duration = Duration::from_millis(20);

struct Text;

impl Format<String> for Text {
    fn parse(
        &self,
        document: &steadyconf::engine::Document,
        _: &Limits,
        _: &mut Notes,
    ) -> Result<String, Report> {
        Ok(String::from_utf8_lossy(document.layers()[0].bytes()).into_owned())
    }
}

/// Saves at some moment of the interval, and waits.
fn after_a_save<'a>(name: &str, path: &'a Path, handle: Handle<String>) -> Case<'a> {
    let mut number = 0_u64;
    Case::measured(name, move || {
        number += 1;
        // Every moment of the interval comes up as often as any other.
        thread::sleep(SETTLE + INTERVAL * (number * 37 % 100) as u32 / 100);
        let seen = handle.load().version();
        let beside = path.with_extension("new");
        fs::write(&beside, number.to_string()).expect("it can be written");
        fs::rename(&beside, path).expect("it can be renamed");
        let start = Instant::now();
        let waited = handle.wait_newer(seen, Duration::from_secs(10));
        assert!(matches!(waited, Waited::Newer(_)), "{waited:?}");
        start.elapsed().saturating_sub(SETTLE).as_secs_f64()
    })
}

pub fn all() {
    let folder = tempfile::tempdir().expect("a folder");
    let load = |name: &str| {
        let path = folder.path().join(name);
        fs::write(&path, "0").expect("it can be written");
        let builder = Reloader::from_file_as(&path, Text).settle(SETTLE);
        let reloader = builder.interval(INTERVAL).load().expect("it can be read");
        reloader.start().expect("a thread");
        (path, reloader)
    };
    let ((polled_path, polled), (hinted_path, hinted)) = (load("polled"), load("hinted"));
    let _events = hinted.wake_on_file_events().expect("a watch");
    let sleeps = Case::measured("half of the interval", || INTERVAL.as_secs_f64() / 2.0);
    let ms = Case::measured("5 ms", || 0.005);
    let cases = vec![
        sleeps,
        ms,
        after_a_save("polled", &polled_path, polled.handle()),
        after_a_save("with file events", &hinted_path, hinted.handle()),
    ];
    let limits = [
        ("polled", "half of the interval", 1.1),
        ("with file events", "5 ms", 1.0),
    ];
    let title = "From a save to a read, less the settle time, at an interval of 200 ms";
    contest(title, 101, cases, &limits);
}
