//! No thread: a program that has a loop looks from there.
//!
//! `next_poll()` says how long the loop may sleep. The loop is the program's own;
//! here it does a little work, plays its own operator, and ends.

use std::error::Error;
use std::fs;
use std::thread;
use std::time::Duration;

use steadyconf::{Outcome, Reloader, Report, Version};

#[derive(serde::Deserialize)]
struct Config {
    batch: u32,
}

fn check(config: &Config, report: &mut Report) {
    if config.batch == 0 {
        report.add("batch", "must be at least 1");
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("config.yaml");
    fs::write(&path, "batch: 10\n")?;
    let reloader = Reloader::from_file(&path)
        .validate(check)
        .interval(Duration::from_millis(300))
        .load()?;
    let config = reloader.handle();

    // What an operator does meanwhile, and how many rounds of work later.
    let mut edits = vec![(2, "batch: 20\n"), (4, "batch: 0\n"), (6, "batch: 30\n")];
    let mut round = 0;
    while config.load().version() < Version::new(3) {
        round += 1;
        println!("round {round}: {} items", config.load().batch);
        if edits.first().is_some_and(|(when, _)| *when <= round) {
            fs::write(&path, edits.remove(0).1)?;
        }
        match reloader.poll_once() {
            Ok(Outcome::Applied(version)) => println!("  {version} is active"),
            Ok(Outcome::Rejected(why)) => println!("  rejected: {why}"),
            Ok(_) => {}
            Err(error) => println!("  cannot read: {error}"),
        }
        // A program with sockets would give this to poll(2) as its timeout.
        thread::sleep(reloader.next_poll().saturating_sub(reloader.now()));
    }
    println!("round {}: {} items", round + 1, config.load().batch);
    Ok(())
}
