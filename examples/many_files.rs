//! Many watched files in one process, on one thread, without a thread for each: a loop over
//! the deadlines that `next_poll` returns. It prints which part of the time polling took.
//!
//! `cargo run --release --example many_files -- 10000 5`: so many files, for so many seconds.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::error::Error;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use steadyconf::{Outcome, Reloader};

#[derive(Debug, serde::Deserialize)]
struct Tenant {
    name: String,
}

/// So long after it was written, a file is read in full by each poll; that is not counted.
const YOUNG: Duration = Duration::from_secs(4);

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let files = arguments.next().map_or(Ok(1000), |files| files.parse())?;
    let seconds = arguments.next().map_or(Ok(3), |seconds| seconds.parse())?;
    let folder = tempfile::tempdir()?;
    let began = Instant::now();
    let tenants = load(folder.path(), files)?;
    println!("{files} files are loaded after {:.1?}", began.elapsed());
    let spent = run(&tenants, folder.path(), Duration::from_secs(seconds))?;
    let share = 100.0 * spent.polling.as_secs_f64() / spent.in_all.as_secs_f64();
    println!(
        "{} polls took {:.1?}: {share:.2} % of the time, {:.2?} for each; {} changed",
        spent.polls,
        spent.polling,
        spent.polling / spent.polls.max(1),
        spent.changes
    );
    Ok(())
}

/// All share one timeline: it begins with the load, which takes no time on it.
fn load(folder: &Path, files: usize) -> Result<Vec<Reloader<Tenant>>, Box<dyn Error>> {
    let mut tenants = Vec::with_capacity(files);
    for number in 0..files {
        let path = folder.join(format!("{number}.yaml"));
        fs::write(&path, format!("name: tenant {number}\n"))?;
        let builder = Reloader::from_file(&path).history(0);
        tenants.push(builder.load_at(Duration::ZERO, |until| until)?);
    }
    Ok(tenants)
}

struct Spent {
    polls: u32,
    polling: Duration,
    in_all: Duration,
    changes: u32,
}

fn run(
    tenants: &[Reloader<Tenant>],
    folder: &Path,
    time: Duration,
) -> Result<Spent, Box<dyn Error>> {
    let start = Instant::now();
    let mut due = BinaryHeap::new();
    for (index, tenant) in tenants.iter().enumerate() {
        // Spread over the first interval, so that the work is, too.
        let part = Duration::from_secs(1) * index as u32 / tenants.len() as u32;
        due.push(Reverse((tenant.next_poll() + part, index)));
    }
    let (mut polls, mut changes, mut polling) = (0, 0, Duration::ZERO);
    // One of them changes, so that it can be seen that they are watched.
    fs::write(folder.join("0.yaml"), "name: the first\n")?;
    while let Some(Reverse((at, index))) = due.pop() {
        let now = start.elapsed();
        if now >= YOUNG + time {
            break;
        }
        thread::sleep(at.saturating_sub(now));
        let began = Instant::now();
        let outcome = tenants[index].poll_at(start.elapsed())?;
        if now >= YOUNG {
            polling += began.elapsed();
            polls += 1;
        }
        if let Outcome::Applied(_) = outcome {
            changes += 1;
            println!("{:?} is active", tenants[index].handle().load().name);
        }
        due.push(Reverse((tenants[index].next_poll(), index)));
    }
    Ok(Spent {
        polls,
        polling,
        in_all: start.elapsed().saturating_sub(YOUNG),
        changes,
    })
}
