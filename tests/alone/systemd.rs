//! What systemd is told, over a real datagram socket, by a service in a process of its
//! own: the environment that systemd gives is the process's.
#![cfg(all(target_os = "linux", feature = "systemd"))]

#[path = "../common/mod.rs"]
mod common;

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Lines};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;
use std::time::Duration;

use common::{DEADLINE, Text, ms, save, wait_until};
use rustix::process::{Pid, Signal, kill_process};
use steadyconf::{Change, Reloader};

/// The service. It runs in the processes that the tests start, and does nothing in this.
#[test]
fn service() {
    let Some(path) = env::var_os("SERVICE_CONFIG").map(PathBuf::from) else {
        return;
    };
    let millis = |name: &str| ms(env::var(name).unwrap().parse().unwrap());
    let release = path.with_file_name("release");
    let reloader = Reloader::from_file_as(&path, Text)
        .settle(Duration::ZERO)
        .interval(millis("INTERVAL"))
        .validate(|text, report| {
            match text.as_str() {
                "bad" => report.add("here", "must not be bad"),
                // Longer than systemd takes.
                "long" => (0..100).for_each(|_| report.add("here", "é".repeat(200))),
                _ => {}
            }
        })
        .listener("database", move |change: &Change<String>| {
            println!("\nbegins {}", change.new.value());
            while change.new.as_str() == "hang" && !release.exists() {
                thread::sleep(ms(5));
            }
            println!("\nuses {}", change.new.value());
            Ok(())
        })
        .load()
        .unwrap();
    let loaded = reloader.status().last_poll;
    reloader.start().unwrap();
    // What the thread finds at first is not to be told in the middle of a test.
    wait_until("its first poll", || {
        let status = reloader.status();
        status.last_poll != loaded && status.in_poll_since.is_none()
    });
    let mut told = reloader.notify_systemd(millis("PATIENCE")).unwrap();
    if env::var_os("TWICE").is_some() {
        told = reloader.notify_systemd(millis("PATIENCE")).unwrap();
    }
    // So that tests need not guess when it is there.
    println!("\nserves");
    loop {
        thread::park();
        let _ = &told;
    }
}

const HOUR: u64 = 3_600_000;

struct Service {
    folder: tempfile::TempDir,
    socket: UnixDatagram,
    process: Child,
    said: Lines<BufReader<ChildStdout>>,
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Service {
    fn start_twice() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        let name = format!("TWICE {}", path.display());
        Service::with(folder, socket, Some(&name), HOUR, 20_000, None)
    }

    fn start(interval: u64, patience: u64, watchdog: Option<Duration>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        let name = path.to_str().unwrap();
        Service::with(folder, socket, Some(name), interval, patience, watchdog)
    }

    fn with(
        folder: tempfile::TempDir,
        socket: UnixDatagram,
        name: Option<&str>,
        interval: u64,
        patience: u64,
        watchdog: Option<Duration>,
    ) -> Self {
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
        let config = folder.path().join("config");
        fs::write(&config, "one").unwrap();
        let twice = name.and_then(|name| name.strip_prefix("TWICE "));
        let name = twice.or(name);
        let mut command = Command::new(env::current_exe().unwrap());
        command
            .args(["service", "--exact", "--nocapture"])
            .env("SERVICE_CONFIG", config)
            .env("INTERVAL", interval.to_string())
            .env("PATIENCE", patience.to_string())
            .env_remove("NOTIFY_SOCKET")
            .env_remove("WATCHDOG_PID")
            .env_remove("WATCHDOG_USEC")
            .envs(twice.map(|_| ("TWICE", "1")))
            .envs(name.map(|name| ("NOTIFY_SOCKET", name)))
            .envs(watchdog.map(|period| ("WATCHDOG_USEC", period.as_micros().to_string())))
            .stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let said = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut service = Service {
            folder,
            socket,
            process,
            said,
        };
        service.waits_for("serves");
        service
    }

    /// Waits until the service says this.
    fn waits_for(&mut self, line: &str) {
        assert!(self.said.any(|said| said.unwrap() == line), "{line}");
    }

    /// Ends the hanging of the listener, and waits for that.
    fn release(&mut self) {
        fs::write(self.folder.path().join("release"), "").unwrap();
        self.waits_for("uses hang");
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("config")
    }

    /// What `systemctl reload` does.
    fn hang_up(&self) {
        let pid = Pid::from_child(&self.process);
        kill_process(pid, Signal::HUP).unwrap();
    }

    fn next(&self) -> String {
        let mut message = [0; 8192];
        let length = self.socket.recv(&mut message).unwrap();
        assert!(length <= 4096, "systemd ignores what is longer");
        String::from_utf8(message[..length].to_vec()).unwrap()
    }

    /// Reloads with this content; returns the status that is told with `READY=1`.
    fn reload(&self, text: &str) -> String {
        save(&self.config(), text);
        self.hang_up();
        self.is_told_of_the_reload();
        self.is_ready()
    }

    /// Returns the status that is told with `READY=1`. It may be told by itself before.
    fn is_ready(&self) -> String {
        loop {
            let told = self.next();
            if let Some(status) = told.strip_prefix("READY=1\nSTATUS=") {
                return status.trim_end().into();
            }
            assert!(told.starts_with("STATUS="), "{told}");
        }
    }

    fn status(&self) -> String {
        let told = self.next();
        let status = told.strip_prefix("STATUS=");
        status.unwrap_or_else(|| panic!("{told}")).trim_end().into()
    }

    fn is_told_of_the_reload(&self) {
        let begins = self.next();
        let since = begins.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap();
        let since: u128 = since.trim_end().parse().unwrap();
        let now = uptime_now();
        assert!(
            since <= now && now - since < DEADLINE.as_micros(),
            "{begins}"
        );
    }
}

/// The clock that systemd compares with.
fn uptime_now() -> u128 {
    let uptime = fs::read_to_string("/proc/uptime").unwrap();
    let seconds: f64 = uptime.split(' ').next().unwrap().parse().unwrap();
    // A suspended machine has been up for longer than the clock says.
    ((seconds + 1.0) * 1e6) as u128
}

fn active(version: u64, text: &str) -> String {
    let digest = steadyconf::engine::Digest::of(text.as_bytes());
    format!("v{version} {} is active", digest.short())
}

#[test]
fn g20_each_reload_is_reported_in_order_whatever_comes_of_it() {
    let service = Service::start(HOUR, 20_000, None);
    assert_eq!(service.is_ready(), active(1, "one"));
    assert_eq!(service.reload("two"), active(2, "two"));
    assert_eq!(service.reload("two"), active(2, "two"));
    for _ in 0..2 {
        let told = service.reload("bad");
        let begins = format!("{}; sha256:", active(2, "two"));
        assert!(told.starts_with(&begins), "{told}");
        assert!(told.contains(" fails validation, 1 problem: "), "{told}");
        assert!(told.ends_with(": here: must not be bad"), "{told}");
    }
    let told = service.reload("long");
    assert!(told.len() > 1900 && told.ends_with('…'), "{told}");
    fs::remove_file(service.config()).unwrap();
    service.hang_up();
    service.is_told_of_the_reload();
    let told = service.is_ready();
    assert!(told.ends_with(": no such file"), "{told}");
    assert_eq!(service.reload("three"), active(3, "three"));
}

const HANGS: &str = "the reload is not over: it waits for listener database in commit";

#[test]
fn g20_a_listener_that_hangs_is_reported_by_its_name() {
    let mut service = Service::start(HOUR, 300, None);
    service.is_ready();
    assert_eq!(service.reload("hang"), HANGS);
    // Somebody tries again meanwhile, and is answered, too.
    service.hang_up();
    service.is_told_of_the_reload();
    assert_eq!(service.is_ready(), HANGS);
    service.release();
    // It was ready already.
    assert_eq!(service.status(), active(2, "hang"));
    assert_eq!(service.reload("three"), active(3, "three"));
}

/// The thread sees most changes before anybody sends a signal.
#[test]
fn g20_a_listener_that_hangs_is_named() {
    let mut service = Service::start(20, 300, None);
    service.is_ready();
    save(&service.config(), "hang");
    service.waits_for("begins hang");
    service.hang_up();
    service.is_told_of_the_reload();
    assert_eq!(service.is_ready(), HANGS);
    service.release();
    assert_eq!(service.status(), active(2, "hang"));
}

#[test]
fn g20_the_status_follows_what_the_timer_finds() {
    let service = Service::start(20, 20_000, None);
    service.is_ready();
    save(&service.config(), "two");
    assert_eq!(service.status(), active(2, "two"));
    save(&service.config(), "bad");
    assert!(service.status().contains("must not be bad"));
    save(&service.config(), "two");
    assert_eq!(service.status(), active(2, "two"));
}

/// The second call takes the place of the first.
#[test]
fn g20_what_is_said_twice_is_reported_once() {
    let service = Service::start_twice();
    assert_eq!(service.is_ready(), active(1, "one"));
    assert_eq!(service.is_ready(), active(1, "one"));
    assert_eq!(service.reload("two"), active(2, "two"));
}

#[test]
fn g09_the_watchdog_is_fed_while_polls_end() {
    let service = Service::start(20, 20_000, Some(ms(400)));
    service.is_ready();
    for _ in 0..5 {
        assert_eq!(service.next(), "WATCHDOG=1\n");
    }
    // By the timer, so that no reload is told of.
    save(&service.config(), "hang");
    service.socket.set_read_timeout(Some(ms(1000))).unwrap();
    let starves = (0..1000).any(|_| service.socket.recv(&mut [0; 100]).is_err());
    assert!(starves, "the watchdog is fed while a listener hangs");
    fs::write(service.folder.path().join("release"), "").unwrap();
    service.socket.set_read_timeout(Some(DEADLINE)).unwrap();
    assert_eq!(service.status(), active(2, "hang"));
    assert_eq!(service.next(), "WATCHDOG=1\n");
}

#[test]
fn g09_a_dead_socket_delays_no_reload() {
    // Nobody reads: its queue runs full.
    let mut service = Service::start(HOUR, 20_000, Some(ms(2)));
    for number in 0..20 {
        let text = number.to_string();
        save(&service.config(), &text);
        service.hang_up();
        service.waits_for(&format!("uses {text}"));
    }
    // Nobody is there.
    fs::remove_file(service.folder.path().join("notify")).unwrap();
    save(&service.config(), "gone");
    service.hang_up();
    service.waits_for("uses gone");
}

#[test]
fn a_socket_without_a_file_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let name = format!("steadyconf-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let socket = UnixDatagram::bind_addr(&address).unwrap();
    let name = format!("@{name}");
    let service = Service::with(folder, socket, Some(&name), HOUR, 20_000, None);
    assert_eq!(service.is_ready(), active(1, "one"));
    assert_eq!(service.reload("two"), active(2, "two"));
}

#[test]
fn g07_without_systemd_a_hangup_reloads_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let socket = UnixDatagram::unbound().unwrap();
    let mut service = Service::with(folder, socket, None, HOUR, 20_000, None);
    save(&service.config(), "two");
    service.hang_up();
    service.waits_for("uses two");
}
