//! What many programs do to one source, by the very code that decides when each of them
//! asks: a simulation in virtual time. Its table is in `docs/fleet.md`:
//!
//! `cargo test --lib --features http fleet -- --nocapture`

use core::cmp::Reverse;
use core::mem;
use core::time::Duration;

use super::super::std::collections::BinaryHeap;
use super::super::std::prelude::rust_2024::*;
use super::super::std::{println, vec};
use crate::engine::{Jitter, Pace};

const CLIENTS: usize = 10_000;
const INTERVAL: Duration = secs(15);
const TENTH: Duration = Duration::from_millis(100);

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// When each client asks, in order.
struct Fleet {
    clients: Vec<Pace>,
    due: BinaryHeap<Reverse<(Duration, usize)>>,
}

impl Fleet {
    /// All clients start within this time.
    fn started_within(time: Duration) -> Self {
        let mut start = Jitter(1);
        let due = (0..CLIENTS).map(|client| Reverse((start.up_to(time), client)));
        Fleet {
            due: due.collect(),
            clients: (0..CLIENTS as u64)
                .map(|client| Pace::new(INTERVAL, client.wrapping_mul(0x9e37_79b9)))
                .collect(),
        }
    }

    /// Lets time go on until then. Returns when a question came, and whose.
    fn until(&mut self, end: Duration, answers: bool) -> Vec<(Duration, usize)> {
        let mut asked = Vec::new();
        while let Some(Reverse((now, client))) = self.due.pop() {
            if now >= end {
                self.due.push(Reverse((now, client)));
                break;
            }
            asked.push((now, client));
            let pace = &mut self.clients[client];
            let pause = match answers {
                true => pace.answered(),
                false => pace.failed(None),
            };
            self.due.push(Reverse((now + pause, client)));
        }
        asked
    }
}

/// The most questions within any `span`.
fn peak(asked: &[(Duration, usize)], span: Duration) -> usize {
    let mut first = 0;
    let mut most = 0;
    for (at, (now, _)) in asked.iter().enumerate() {
        while asked[first].0 + span <= *now {
            first += 1;
        }
        most = most.max(at + 1 - first);
    }
    most
}

/// How long after `since` the last client has asked for the first time.
fn all_have_asked(asked: &[(Duration, usize)], since: Duration) -> Duration {
    let mut seen = vec![false; CLIENTS];
    let mut last = Duration::ZERO;
    for (now, client) in asked {
        if !mem::replace(&mut seen[*client], true) {
            last = *now - since;
        }
    }
    assert!(seen.iter().all(|seen| *seen), "somebody never asked");
    last
}

fn row(what: &str, asked: &[(Duration, usize)], time: Duration) -> usize {
    let mean = asked.len() as f64 / time.as_secs_f64();
    let (second, tenth) = (peak(asked, secs(1)), peak(asked, TENTH));
    println!("| {what} | {mean:.0} | {second} | {tenth} |");
    second
}

#[test]
fn ten_thousand_clients_are_no_herd() {
    println!("| 10,000 clients, every 15 s | a second | most in 1 s | most in 0.1 s |");
    println!("|---|---|---|---|");
    // The worst start: all in one instant. Their first questions are not this code's.
    let mut fleet = Fleet::started_within(Duration::from_nanos(1));
    fleet.until(Duration::from_nanos(2), true);
    let first = fleet.until(secs(60), true);
    let most = row(
        "the minute after all were started at once",
        &first,
        secs(60),
    );
    assert!(most < 1_200, "{most}");
    fleet.until(secs(3600), true);
    let hour = secs(3600);
    let steady = fleet.until(hour + secs(600), true);
    let most = row("steady, an hour later", &steady, secs(600));
    assert!(most < 900, "{most}");

    // A change: each client sees it when it asks next.
    let change = hour + secs(600);
    let after = fleet.until(change + INTERVAL, true);
    row("the 15 s after a change, without a watch", &after, INTERVAL);
    let last = all_have_asked(&after, change);
    println!("the last of them sees the change after {last:.1?}");
    assert!(last <= INTERVAL);

    // The source is gone for an hour, and comes back.
    let gone = change + INTERVAL;
    let first = fleet.until(gone + secs(60), false);
    row("the first minute without the source", &first, secs(60));
    fleet.until(gone + secs(3000), false);
    let late = fleet.until(gone + hour, false);
    row(
        "the last ten minutes of an hour without it",
        &late,
        secs(600),
    );
    let back = gone + hour;
    let after = fleet.until(back + secs(300), true);
    let most = row("the 5 min after it is back", &after, secs(300));
    assert!(most < 900, "{most}");
    let last = all_have_asked(&after, back);
    println!("the last of them is current after {last:.1?}");
    assert!(last <= secs(300));
}
