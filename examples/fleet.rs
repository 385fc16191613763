//! A fleet: several processes follow the same keys of etcd, with no restart and no file.
//!
//! It starts a real etcd (Debian: `apt install etcd-server etcd-client`) and four copies of
//! itself as services, and plays the operator: a good change, a bad value that all of them
//! reject, one that looks good and fails their health checks, so that each of them rolls
//! back by itself, and a good one again. The digest says that all of them run the same.

use std::error::Error;
use std::io::{self, BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};
use std::{env, process, thread};

use steadyconf::{Reloader, Report, Snapshot, Source, Status};

type Fallible<T = ()> = Result<T, Box<dyn Error>>;

const INSTANCES: usize = 4;

#[derive(serde::Deserialize)]
struct Config {
    model: String,
    timeout_s: u32,
}

fn check(config: &Config, report: &mut Report) {
    if config.timeout_s == 0 {
        report.add("timeout_s", "must be at least 1");
    }
}

/// What a service would ask its backend.
fn is_well(config: &Snapshot<Config>) -> Result<(), String> {
    match config.model.as_str() {
        "large" | "small" => Ok(()),
        model => Err(format!("the backend knows no model {model:?}")),
    }
}

/// One service of the fleet. It says how it is whenever that changes.
fn service(instance: &str, endpoint: &str) -> Fallible {
    let window = Duration::from_millis(500);
    let reloader = Reloader::<Config>::builder()
        .source(Source::etcd([endpoint]).prefix("/gateway/"))
        .validate(check)
        .probation(window, is_well)
        .stagger(Duration::from_millis(300), instance)
        .load()?;
    reloader.start()?;
    let config = reloader.handle();
    // It ends when the one that started it does.
    thread::spawn(|| {
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        process::exit(0)
    });
    let mut said = String::new();
    loop {
        let now = words(&reloader.status(), config.load().snapshot());
        if now != said {
            println!("{now}");
            said = now;
        }
        thread::sleep(Duration::from_millis(10));
    }
}

/// Version, digest and values are of one load; the status may be a moment older or newer.
fn words(status: &Status, config: &Snapshot<Config>) -> String {
    let mut words = format!(
        "{} {}: model {}, timeout {} s",
        config.version(),
        config.digest().short(),
        config.model,
        config.timeout_s
    );
    if status.probation.is_some() {
        words += ", on probation";
    }
    if let Some(error) = &status.last_error {
        words += &format!("; {}", error.failure);
    }
    if status.quarantined.is_some() {
        words += "; rolled back";
    }
    // Of a rejection, the problem alone.
    let words = words.replace("\n  ", " ");
    words.replace('\n', "; ")
}

/// What is stopped when this is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start_etcd(folder: &Path, endpoint: &str, peer: &str) -> Fallible<Option<Running>> {
    let child = Command::new("etcd")
        .arg("--data-dir")
        .arg(folder)
        .args(["--listen-client-urls", endpoint])
        .args(["--advertise-client-urls", endpoint])
        .args(["--listen-peer-urls", peer])
        .args(["--initial-advertise-peer-urls", peer])
        .args(["--initial-cluster", &format!("default={peer}")])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    match child {
        Ok(child) => Ok(Some(Running(child))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn free_url() -> Fallible<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    Ok(format!("http://{}", listener.local_addr()?))
}

fn put(endpoint: &str, key: &str, value: &str) -> Fallible<bool> {
    let mut etcdctl = Command::new("etcdctl");
    etcdctl.env("ETCDCTL_API", "3").stderr(Stdio::null());
    let args = ["--endpoints", endpoint, "put", key, value];
    Ok(etcdctl.args(args).output()?.status.success())
}

/// The fleet, as the operator sees it.
struct Fleet {
    running: Vec<Running>,
    said: Receiver<(usize, String)>,
    last: Vec<String>,
}

impl Fleet {
    fn start(endpoint: &str) -> Fallible<Self> {
        let (sender, said) = channel();
        let mut running = Vec::new();
        for instance in 0..INSTANCES {
            let mut child = Command::new(env::current_exe()?)
                .args([&format!("gateway-{instance}"), endpoint])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()?;
            let lines = BufReader::new(child.stdout.take().ok_or("no standard output")?);
            listen(instance, lines, sender.clone());
            running.push(Running(child));
        }
        let last = vec![String::new(); INSTANCES];
        Ok(Fleet {
            running,
            said,
            last,
        })
    }

    /// Prints what the services say until all of them say this, and none is on probation.
    fn until(&mut self, all_say: &str) -> Fallible {
        let deadline = Instant::now() + Duration::from_secs(30);
        let is_done = |line: &String| line.contains(all_say) && !line.contains("on probation");
        while !self.last.iter().all(is_done) {
            let left = deadline.saturating_duration_since(Instant::now());
            let (instance, line) = self.said.recv_timeout(left)?;
            println!("  gateway-{instance}: {line}");
            self.last[instance] = line;
        }
        let digest =
            |line: &String| Some(line.split(' ').nth(1)?.trim_end_matches(':').to_string());
        let mut digests: Vec<_> = self.last.iter().map(digest).collect();
        digests.sort();
        digests.dedup();
        match &digests[..] {
            [Some(digest)] => println!("  all {} run {digest}", self.running.len()),
            _ => return Err(format!("they do not agree: {digests:?}").into()),
        }
        Ok(())
    }
}

fn listen(instance: usize, lines: impl BufRead + Send + 'static, sender: Sender<(usize, String)>) {
    thread::spawn(move || {
        for line in lines.lines().map_while(Result::ok) {
            let _ = sender.send((instance, line));
        }
    });
}

fn operator() -> Fallible {
    let folder = tempfile::tempdir()?;
    let (endpoint, peer) = (free_url()?, free_url()?);
    let Some(_etcd) = start_etcd(folder.path(), &endpoint, &peer)? else {
        println!("SKIPPED: etcd is not installed; on Debian: apt install etcd-server etcd-client");
        return Ok(());
    };
    let pool = "model: large\n";
    while !put(&endpoint, "/gateway/10-pool.yaml", pool)? {
        thread::sleep(Duration::from_millis(100));
    }
    put(&endpoint, "/gateway/20-site.yaml", "timeout_s: 30\n")?;
    let mut fleet = Fleet::start(&endpoint)?;
    fleet.until("v1 ")?;
    for (what, value, all_say) in [
        ("a good change", "timeout_s: 60\n", "timeout 60 s"),
        (
            "a bad value",
            "timeout_s: soon\n",
            "expected a whole number",
        ),
        (
            "one that fails the health checks",
            "timeout_s: 60\nmodel: huge\n",
            "rolled back",
        ),
        (
            "a good one",
            "timeout_s: 90\nmodel: small\n",
            "small, timeout 90 s",
        ),
    ] {
        println!("{what}: {}", value.trim_end().replace('\n', ", "));
        put(&endpoint, "/gateway/20-site.yaml", value)?;
        fleet.until(all_say)?;
    }
    Ok(())
}

fn main() -> Fallible {
    let args: Vec<_> = env::args().skip(1).collect();
    match &args[..] {
        [instance, endpoint] => service(instance, endpoint),
        _ => operator(),
    }
}
