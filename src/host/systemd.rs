//! What systemd is told of a service: ready, reloading, what came of it, still alive. The
//! words and the clock are the `sd-notify` crate's; sending is done here, for its `notify`
//! knows no abstract sockets and waits for a full one for ever.

use core::fmt::Display;
use core::time::Duration;

use sd_notify::NotifyState;

use super::core::Shared;
use super::logging;
use super::std::collections::VecDeque;
use super::std::env;
use super::std::ffi::OsString;
use super::std::format;
use super::std::io;
use super::std::os::linux::net::SocketAddrExt;
use super::std::os::unix::ffi::OsStrExt;
use super::std::os::unix::net::{SocketAddr, UnixDatagram};
use super::std::prelude::rust_2024::*;
use super::std::sync::{Arc, Weak};
use super::std::thread;
use super::std::time::Instant;
use super::sync::{Condvar, Mutex};
use crate::engine::{Receipt, Status, What};

/// Whoever does not take a message in that time does not get it.
const PATIENCE: Duration = Duration::from_secs(1);

/// So many messages wait to be sent. More of them wait for a dead socket only.
const MOST_WAITING: usize = 64;

/// systemd ignores messages of more than 4096 bytes.
const LONGEST_STATUS: usize = 2000;

/// What is told, if anything.
#[derive(Default)]
pub(super) struct Systemd(Mutex<Option<Arc<Service>>>);

struct Service {
    socket: OsString,
    patience: Duration,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    messages: VecDeque<String>,
    /// When a reload that is under way has to be over.
    reload: Option<Instant>,
    ended: bool,
}

impl Systemd {
    fn service(&self) -> Option<Arc<Service>> {
        self.0.lock().clone()
    }

    pub(super) fn end(&self) {
        if let Some(service) = self.0.lock().take() {
            service.change(|state| state.ended = true);
        }
    }

    /// SIGHUP came.
    pub(super) fn reload_begins(&self) {
        let Some(service) = self.service() else {
            return;
        };
        let mut message = line(&NotifyState::Reloading);
        // systemd rejects the reload without it; then it says so.
        if let Ok(now) = NotifyState::monotonic_usec_now() {
            message += &line(&now);
        }
        let deadline = Instant::now().checked_add(service.patience);
        service.change(|state| {
            state.queue(message);
            state.reload = deadline;
        });
    }

    /// What SIGHUP asked for is over.
    pub(super) fn reload_ends(&self, receipt: Option<&Receipt>) {
        let Some(service) = self.service() else {
            return;
        };
        let status = match receipt {
            Some(receipt) => status_line(&What(&receipt.outcome)),
            None => status_line(&"the action for SIGHUP panicked"),
        };
        service.change(|state| {
            let ready = match state.reload.take() {
                Some(_) => line(&NotifyState::Ready),
                // That was said when it took too long.
                None => String::new(),
            };
            state.queue(ready + &status);
        });
    }

    /// Something else came to an end.
    pub(super) fn attempted(&self, receipt: &Receipt) {
        if let Some(service) = self.service() {
            let status = status_line(&What(&receipt.outcome));
            service.change(|state| state.queue(status));
        }
    }
}

/// Says that the service is ready, and begins to tell of it.
pub(super) fn begin<T: Send + Sync + 'static>(
    shared: &Arc<Shared<T>>,
    patience: Duration,
) -> io::Result<()> {
    let Some(socket) = env::var_os("NOTIFY_SOCKET") else {
        return Ok(());
    };
    let service = Arc::new(Service {
        socket,
        patience,
        state: Mutex::default(),
        changed: Condvar::new(),
    });
    let status = status_line(&shared.status());
    service.send(&(line(&NotifyState::Ready) + &status))?;
    let (weak, theirs) = (Arc::downgrade(shared), service.clone());
    let named = thread::Builder::new().name("steadyconf-systemd".into());
    named.spawn(move || run(&theirs, &weak))?;
    if let Some(before) = shared.systemd.0.lock().replace(service) {
        before.change(|state| state.ended = true);
    }
    Ok(())
}

impl State {
    fn queue(&mut self, message: String) {
        if self.messages.len() >= MOST_WAITING {
            self.messages.pop_front();
        }
        self.messages.push_back(message);
    }
}

impl Service {
    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock());
        self.changed.notify_all();
    }

    fn send(&self, message: &str) -> io::Result<()> {
        let name = self.socket.as_bytes();
        let address = match name.strip_prefix(b"@") {
            Some(name) => SocketAddr::from_abstract_name(name)?,
            None => SocketAddr::from_pathname(&self.socket)?,
        };
        let socket = UnixDatagram::unbound()?;
        socket.set_write_timeout(Some(PATIENCE))?;
        socket.send_to_addr(message.as_bytes(), &address).map(drop)
    }

    /// Returns the next message, or that it is time for something. `None`: it has ended.
    fn next(&self, watchdog: Option<Instant>) -> Option<Due> {
        let mut state = self.state.lock();
        loop {
            if let Some(message) = state.messages.pop_front() {
                return Some(Due::Message(message));
            }
            if state.ended {
                return None;
            }
            let now = Instant::now();
            if state.reload.is_some_and(|deadline| deadline <= now) {
                state.reload = None;
                return Some(Due::Overdue);
            }
            if watchdog.is_some_and(|at| at <= now) {
                return Some(Due::Watchdog);
            }
            let next = [state.reload, watchdog].into_iter().flatten().min();
            let pause = next.map_or(Duration::MAX, |at| at.saturating_duration_since(now));
            self.changed.wait_for(&mut state, pause);
        }
    }
}

enum Due {
    Message(String),
    /// A reload takes too long.
    Overdue,
    Watchdog,
}

/// The thread that sends.
fn run<T: Send + Sync + 'static>(service: &Service, shared: &Weak<Shared<T>>) {
    // Twice as often as systemd wants it, as its manual says.
    let period = sd_notify::watchdog_enabled().map(|period| period / 2);
    let mut watchdog = period.and_then(|period| Instant::now().checked_add(period));
    let mut failed = false;
    while let Some(due) = service.next(watchdog) {
        let Some(shared) = shared.upgrade() else {
            return;
        };
        let message = match due {
            Due::Message(message) => message,
            Due::Overdue => line(&NotifyState::Ready) + &overdue(&shared.status()),
            Due::Watchdog => {
                let period = period.unwrap_or(PATIENCE);
                watchdog = Instant::now().checked_add(period);
                match shared.signal.is_stopping() || polls_end(&shared, period) {
                    true => line(&NotifyState::Watchdog),
                    false => continue,
                }
            }
        };
        // Sending may take its time, and what is held may be the last hold on a value.
        drop(shared);
        let sent = service.send(&message);
        // Told when it begins and when it ends.
        if sent.is_err() != failed {
            failed = sent.is_err();
            logging::systemd(sent.err().as_ref());
        }
    }
}

/// Returns whether polls end and begin in time, give or take `grace`.
fn polls_end<T: Send + Sync + 'static>(shared: &Shared<T>, grace: Duration) -> bool {
    let since = shared.turn.since();
    let since = since.unwrap_or_else(|| shared.status.lock().next_poll);
    shared.clock.now().saturating_sub(since) <= grace
}

/// What is said of a reload that takes too long.
fn overdue(status: &Status) -> String {
    match &status.doing {
        Some(doing) => status_line(&format_args!(
            "the reload is not over: it waits for {doing}"
        )),
        None => status_line(&"the reload is not over"),
    }
}

fn line(state: &NotifyState<'_>) -> String {
    format!("{state}\n")
}

/// Returns a status on one line, which is what a message can hold.
fn status_line(status: &dyn Display) -> String {
    let mut status = logging::on_one_line(status);
    if status.len() > LONGEST_STATUS {
        let end = (0..=LONGEST_STATUS)
            .rev()
            .find(|at| status.is_char_boundary(*at));
        status.truncate(end.unwrap_or_default());
        status.push('…');
    }
    line(&NotifyState::Status(&status))
}
