//! What systemd is told of a service: ready, reloading, how it stands, still alive. The
//! words and the clock are the `sd-notify` crate's; sending is done here, for its `notify`
//! knows no abstract sockets and waits for a full one for ever.

use core::fmt::{self, Display};
use core::time::Duration;

use sd_notify::NotifyState;

use super::core::Shared;
use super::logging;
use super::std::env;
use super::std::ffi::OsString;
use super::std::format;
use super::std::io;
use super::std::mem;
use super::std::os::linux::net::SocketAddrExt;
use super::std::os::unix::ffi::OsStrExt;
use super::std::os::unix::net::{SocketAddr, UnixDatagram};
use super::std::prelude::rust_2024::*;
use super::std::sync::{Arc, Weak};
use super::std::thread;
use super::std::time::Instant;
use super::sync::{Condvar, Mutex};
use crate::Status;

/// A message that is not taken within this time is dropped.
const PATIENCE: Duration = Duration::from_secs(1);

/// systemd ignores messages of more than 4096 bytes.
const LONGEST_STATUS: usize = 2000;

/// What is told, if anything.
#[derive(Default)]
pub(super) struct Systemd(Mutex<Option<Arc<Service>>>);

pub(super) struct Service {
    socket: OsString,
    patience: Duration,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// A reload that systemd does not know to have begun yet.
    reloading: Option<String>,
    /// How many signals came, and how many of them are answered by `READY=1`.
    signals: u64,
    answered: u64,
    /// When the reload under way has to be answered.
    deadline: Option<Instant>,
    /// `READY=1` is to be said.
    ready: bool,
    /// The status may have changed.
    changed: bool,
    ended: bool,
}

/// What an action answers: the signals that came before it began.
pub(super) struct Answer {
    service: Arc<Service>,
    signals: u64,
}

impl Systemd {
    fn service(&self) -> Option<Arc<Service>> {
        self.0.lock().clone()
    }

    /// Ends it, if it is still this.
    pub(super) fn end(&self, service: &Arc<Service>) {
        let mut current = self.0.lock();
        if current
            .as_ref()
            .is_some_and(|one| Arc::ptr_eq(one, service))
        {
            *current = None;
        }
        drop(current);
        service.change(|state| state.ended = true);
    }

    pub(super) fn end_all(&self) {
        if let Some(service) = self.service() {
            self.end(&service);
        }
    }

    /// SIGHUP came. It is told at once, also while the action for one before still runs.
    pub(super) fn signalled(&self) {
        let Some(service) = self.service() else {
            return;
        };
        let mut message = line(&NotifyState::Reloading);
        // systemd rejects the reload without it; then it says so.
        if let Ok(now) = NotifyState::monotonic_usec_now() {
            message += &line(&now);
        }
        service.change(|state| {
            state.reloading = Some(message);
            state.signals += 1;
            state.deadline = Instant::now().checked_add(service.patience);
        });
    }

    /// The action for SIGHUP begins.
    pub(super) fn action_begins(&self) -> Option<Answer> {
        let service = self.service()?;
        let signals = service.state.lock().signals;
        Some(Answer { service, signals })
    }

    /// A poll or a reload is over.
    pub(super) fn changed(&self) {
        if let Some(service) = self.service() {
            service.change(|state| state.changed = true);
        }
    }
}

impl Answer {
    /// The action for SIGHUP is over. A signal that came after it began gets an action of
    /// its own, and what took too long was answered when it did.
    pub(super) fn give(self) {
        self.service.change(|state| {
            state.changed = true;
            if state.signals == self.signals && state.answered < self.signals {
                state.answer();
            }
        });
    }
}

/// Says that the service is ready, and begins to tell of it. `None`: nobody is to be told.
pub(super) fn begin<T: Send + Sync + 'static>(
    shared: &Arc<Shared<T>>,
    patience: Duration,
) -> io::Result<Option<Arc<Service>>> {
    let Some(socket) = env::var_os("NOTIFY_SOCKET") else {
        return Ok(None);
    };
    let service = Arc::new(Service {
        socket,
        patience,
        state: Mutex::default(),
        changed: Condvar::new(),
    });
    // First, so that nothing that changes from here on is missed.
    let before = shared.systemd.0.lock().replace(service.clone());
    if let Some(before) = before {
        before.change(|state| state.ended = true);
    }
    let begun = say_ready(shared, &service);
    if begun.is_err() {
        shared.systemd.end(&service);
    }
    begun.map(|()| Some(service))
}

fn say_ready<T: Send + Sync + 'static>(
    shared: &Arc<Shared<T>>,
    service: &Arc<Service>,
) -> io::Result<()> {
    let said = status_line(&Standing(&shared.status()));
    service.send(&(line(&NotifyState::Ready) + &said))?;
    let (weak, theirs) = (Arc::downgrade(shared), service.clone());
    let named = thread::Builder::new().name("steadyconf-systemd".into());
    named.spawn(move || run(&theirs, &weak, said)).map(drop)
}

impl State {
    fn answer(&mut self) {
        self.answered = self.signals;
        self.deadline = None;
        self.ready = true;
    }

    /// Takes out what is to be done next, if anything is.
    fn next(&mut self, now: Instant, watchdog: Option<Instant>) -> Option<Due> {
        if let Some(message) = self.reloading.take() {
            return Some(Due::Message(message));
        }
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            self.answer();
        }
        if self.ready || self.changed {
            self.changed = false;
            let ready = mem::take(&mut self.ready);
            return Some(Due::Status { ready });
        }
        if self.ended && self.answered == self.signals {
            return Some(Due::End);
        }
        watchdog
            .is_some_and(|at| at <= now)
            .then_some(Due::Watchdog)
    }
}

enum Due {
    Message(String),
    Status { ready: bool },
    Watchdog,
    End,
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

    /// Waits for what is to be done next.
    fn wait(&self, watchdog: Option<Instant>) -> Due {
        let mut state = self.state.lock();
        loop {
            let now = Instant::now();
            if let Some(due) = state.next(now, watchdog) {
                return due;
            }
            let next = [state.deadline, watchdog].into_iter().flatten().min();
            let pause = next.map_or(Duration::MAX, |at| at.saturating_duration_since(now));
            self.changed.wait_for(&mut state, pause);
        }
    }
}

/// The thread that sends. `said`: the status that was sent last.
fn run<T: Send + Sync + 'static>(service: &Service, shared: &Weak<Shared<T>>, mut said: String) {
    // Twice as often as systemd wants it, as its manual says.
    let period = sd_notify::watchdog_enabled().map(|period| period / 2);
    let next = || period.and_then(|period| Instant::now().checked_add(period));
    let mut watchdog = next();
    let mut failed = false;
    loop {
        let message = match service.wait(watchdog) {
            Due::End => return,
            Due::Message(message) => message,
            Due::Status { ready } => {
                // Without it, what was said last is the last that is known.
                let status = shared.upgrade().map(|shared| shared.status());
                let now = status.map_or(said.clone(), |status| status_of(&status, ready));
                let is_news = mem::replace(&mut said, now.clone()) != now;
                match (ready, is_news) {
                    (true, _) => line(&NotifyState::Ready) + &now,
                    (false, true) => now,
                    (false, false) => continue,
                }
            }
            Due::Watchdog => {
                watchdog = next();
                let period = period.unwrap_or(PATIENCE);
                match shared
                    .upgrade()
                    .is_none_or(|shared| polls_end(&shared, period))
                {
                    true => line(&NotifyState::Watchdog),
                    false => continue,
                }
            }
        };
        let sent = service.send(&message);
        // Told when it begins and when it ends.
        if sent.is_err() != failed {
            failed = sent.is_err();
            logging::systemd(sent.err().as_ref());
        }
    }
}

/// Returns whether polls end and begin in time, give or take `grace`, or nobody wants them.
fn polls_end<T: Send + Sync + 'static>(shared: &Shared<T>, grace: Duration) -> bool {
    let since = shared.turn.since();
    let since = since.unwrap_or_else(|| shared.status.lock().next_poll);
    shared.signal.is_stopping() || shared.clock.now().saturating_sub(since) <= grace
}

/// Returns how things stand; at the end of a reload, which may be that it is not over.
fn status_of(status: &Status, at_the_end: bool) -> String {
    let goes_on = at_the_end && status.in_poll_since.is_some();
    match &status.doing {
        Some(doing) if goes_on => status_line(&format_args!(
            "the reload is not over: it waits for {doing}"
        )),
        None if goes_on => status_line(&"the reload is not over"),
        _ => status_line(&Standing(status)),
    }
}

/// How things stand, without times: a line that changes only if something else does.
struct Standing<'a>(&'a Status);

impl Display for Standing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Standing(status) = self;
        if let (Some(version), Some(digest)) = (status.version, status.digest) {
            write!(f, "{version} {} is active", digest.short())?;
        }
        if status.from_last_good {
            f.write_str("\nit is the last known good of an earlier run, and not current")?;
        }
        if let Some(error) = &status.last_error {
            write!(f, "\n{}", error.failure)?;
        }
        for stale in &status.stale {
            write!(f, "\nnot current: {}", stale.error)?;
        }
        if let Some(digest) = status.quarantined {
            write!(f, "\n{} was rolled back from", digest.short())?;
        }
        for error in &*status.listener_errors {
            write!(f, "\n{error}")?;
        }
        if status.staggered_until.is_some() {
            f.write_str("\nnew content waits for its turn")?;
        }
        if let Some(restart) = &status.pending_restart {
            f.write_str("\na restart is pending for")?;
            let mut fields = restart.fields.iter();
            fields.try_for_each(|field| write!(f, " {field}"))?;
        }
        Ok(())
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
