//! A real etcd on the loopback, in a temporary folder.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

use super::common::wait_until;

/// Returns whether etcd is installed. If not, says so: a test that is skipped has to be seen.
pub fn is_there() -> bool {
    let runs = |tool: &str| {
        let mut command = Command::new(tool);
        command.args(["version"]).env("ETCDCTL_API", "3");
        let quiet = command.stdout(Stdio::null()).stderr(Stdio::null());
        quiet.status().is_ok()
    };
    let there = runs("etcdctl") && Command::new("etcd").arg("--version").output().is_ok();
    if !there {
        eprintln!("SKIPPED: etcd and etcdctl are not installed here");
    }
    there
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// One member, which is killed when this is dropped.
pub struct Etcd {
    folder: TempDir,
    name: String,
    scheme: &'static str,
    port: u16,
    peer: u16,
    cluster: String,
    extra: Vec<String>,
    data: PathBuf,
    child: Option<Child>,
}

impl Etcd {
    /// A cluster of one.
    pub fn start() -> Self {
        Etcd::start_with("http", |_| Vec::new())
    }

    /// The same, with further arguments, which may name files in a folder of its own.
    pub fn start_with(scheme: &'static str, extra: impl Fn(&Path) -> Vec<String>) -> Self {
        Etcd::start_all(1, scheme, &extra).pop().unwrap()
    }

    /// A cluster of three.
    pub fn start_three() -> Vec<Self> {
        Etcd::start_all(3, "http", &|_| Vec::new())
    }

    fn start_all(
        count: usize,
        scheme: &'static str,
        extra: &impl Fn(&Path) -> Vec<String>,
    ) -> Vec<Self> {
        // Somebody else may have taken a port that was free.
        loop {
            let mut members = Etcd::members(count, scheme, extra);
            members.iter_mut().for_each(Etcd::run);
            let mut one_has_ended = false;
            wait_until("etcd answers, or ends", || {
                one_has_ended = members.iter_mut().any(Etcd::has_ended);
                let answers = |etcd: &Etcd| etcd.try_ctl(&["get", "x"]).status.success();
                one_has_ended || members.iter().all(answers)
            });
            if !one_has_ended {
                return members;
            }
        }
    }

    fn members(
        count: usize,
        scheme: &'static str,
        extra: &impl Fn(&Path) -> Vec<String>,
    ) -> Vec<Self> {
        let peers: Vec<_> = (0..count).map(|_| free_port()).collect();
        let each = peers.iter().enumerate();
        let each = each.map(|(at, port)| format!("m{at}=http://127.0.0.1:{port}"));
        let cluster = each.collect::<Vec<_>>().join(",");
        let one = |(at, peer): (usize, &u16)| {
            let folder = tempfile::tempdir().unwrap();
            Etcd {
                name: format!("m{at}"),
                scheme,
                port: free_port(),
                peer: *peer,
                cluster: cluster.clone(),
                extra: extra(folder.path()),
                data: folder.path().join("data"),
                folder,
                child: None,
            }
        };
        peers.iter().enumerate().map(one).collect()
    }

    pub fn url(&self) -> String {
        format!("{}://127.0.0.1:{}", self.scheme, self.port)
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts it on the data that it has.
    pub fn run(&mut self) {
        let (url, peer) = (self.url(), format!("http://127.0.0.1:{}", self.peer));
        let log = File::create(self.folder.path().join("log")).unwrap();
        let child = Command::new("etcd")
            .args(["--name", &self.name, "--data-dir"])
            .arg(&self.data)
            .args(["--listen-client-urls", &url])
            .args(["--advertise-client-urls", &url])
            .args(["--listen-peer-urls", &peer])
            .args(["--initial-advertise-peer-urls", &peer])
            .args(["--initial-cluster", &self.cluster])
            .args(&self.extra)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.child = Some(child);
    }

    pub fn waits_until_it_answers(&self) {
        wait_until("etcd answers", || {
            self.try_ctl(&["get", "x"]).status.success()
        });
    }

    fn has_ended(&mut self) -> bool {
        let child = self.child.as_mut().unwrap();
        child.try_wait().unwrap().is_some()
    }

    fn signal(&self, name: &str) {
        let id = self.child.as_ref().unwrap().id().to_string();
        let status = Command::new("kill").args([name, &id]).status();
        assert!(status.unwrap().success());
    }

    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Has it hang, with all of its connections.
    pub fn stop(&self) {
        self.signal("-STOP");
    }

    pub fn go_on(&self) {
        self.signal("-CONT");
    }

    pub fn try_ctl(&self, args: &[&str]) -> Output {
        let mut command = Command::new("etcdctl");
        command
            .env("ETCDCTL_API", "3")
            .args(["--endpoints", &self.url()]);
        if self.scheme == "https" {
            // The certificates of a test that wants some have these names.
            for (option, name) in [("cacert", "ca"), ("cert", "client"), ("key", "client")] {
                let end = if option == "key" { "key" } else { "pem" };
                let file = self.folder.path().join(format!("{name}.{end}"));
                command.arg(format!("--{option}={}", file.display()));
            }
        }
        command.args(args).output().unwrap()
    }

    #[track_caller]
    pub fn ctl(&self, args: &[&str]) -> String {
        let output = self.try_ctl(args);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{args:?}: {error}");
        String::from_utf8(output.stdout).unwrap()
    }

    #[track_caller]
    pub fn put(&self, key: &str, value: &str) {
        self.ctl(&["put", "--", key, value]);
    }

    /// Takes a snapshot of its data.
    pub fn save(&self) -> PathBuf {
        let file = self.folder.path().join("snapshot");
        self.ctl(&["snapshot", "save", file.to_str().unwrap()]);
        file
    }

    /// Puts a snapshot in place of its data. Run it after that.
    pub fn restore(&mut self, snapshot: &Path) {
        self.kill();
        self.data = self.folder.path().join("restored");
        let status = Command::new("etcdctl")
            .env("ETCDCTL_API", "3")
            .args(["snapshot", "restore"])
            .arg(snapshot)
            .arg("--data-dir")
            .arg(&self.data)
            .args(["--name", &self.name, "--initial-cluster", &self.cluster])
            .arg("--initial-advertise-peer-urls")
            .arg(format!("http://127.0.0.1:{}", self.peer))
            .stderr(Stdio::null())
            .status();
        assert!(status.unwrap().success());
    }

    /// Returns how often it has answered whether, or what, keys are there.
    pub fn answers(&self) -> u64 {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let is_one = |line: &&str| {
            line.starts_with("grpc_server_handled_total{") && line.contains("\"Range\"")
        };
        let numbers = text.lines().filter(is_one);
        let numbers = numbers.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
        numbers.sum::<f64>() as u64
    }

    /// Waits until it was asked three times more: the first may have been under way.
    pub fn waits_for_answers(&self) {
        let now = self.answers();
        wait_until("it is asked", || self.answers() >= now + 3);
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A connection that sends requests to the gateway, as fast as they are answered.
pub struct Gateway(BufReader<TcpStream>);

impl Gateway {
    pub fn to(etcd: &Etcd) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", etcd.port)).unwrap();
        stream.set_nodelay(true).unwrap();
        Gateway(BufReader::new(stream))
    }

    pub fn post(&mut self, path: &str, body: &str) -> String {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: etcd\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.0.get_mut().write_all(head.as_bytes()).unwrap();
        let mut length = 0;
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).unwrap();
            let line = line.trim();
            if let Some(number) = line.to_lowercase().strip_prefix("content-length:") {
                length = number.trim().parse().unwrap();
            }
            if line.is_empty() {
                break;
            }
        }
        let mut answer = vec![0; length];
        self.0.read_exact(&mut answer).unwrap();
        String::from_utf8(answer).unwrap()
    }

    pub fn put(&mut self, key: &str, value: &str) {
        self.put_bytes(key, value.as_bytes());
    }

    pub fn put_bytes(&mut self, key: &str, value: &[u8]) {
        let body = format!("{{{}}}", put(key, value));
        let answer = self.post("/v3/kv/put", &body);
        assert!(answer.contains("revision"), "{answer}");
    }

    /// Puts all of them in one transaction.
    pub fn put_all(&mut self, pairs: &[(&str, &str)]) {
        let each = pairs.iter();
        let each = each.map(|(key, value)| {
            let put = put(key, value.as_bytes());
            format!("{{\"request_put\":{{{put}}}}}")
        });
        let body = format!("{{\"success\":[{}]}}", each.collect::<Vec<_>>().join(","));
        let answer = self.post("/v3/kv/txn", &body);
        assert!(answer.contains("\"succeeded\":true"), "{answer}");
    }
}

fn put(key: &str, value: &[u8]) -> String {
    let (key, value) = (base64(key.as_bytes()), base64(value));
    format!("\"key\":\"{key}\",\"value\":\"{value}\"")
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for three in bytes.chunks(3) {
        let byte = |at| u32::from(three.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4 {
            out.push(match at <= three.len() {
                true => LETTERS[(bits >> (18 - 6 * at) & 63) as usize].into(),
                false => '=',
            });
        }
    }
    out
}
