//! The original's first sentence, as a test: models and keys change in a running
//! service, hundreds of times, well and badly, and no request is lost or mixed.
//!
//! `STEADYCONF_TEST_REQUESTS` and `STEADYCONF_TEST_RELOADS` make it shorter or longer.

#[path = "../../../tests/common/mod.rs"]
mod common;

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use common::{DEADLINE, Random, save, wait_until};
use llm_gateway::gateway::{self, Gateway};
use llm_gateway::llm_config::SAMPLE;
use serde_json::Value;
use steadyconf::{Reloader, Version};
use tempfile::TempDir;

/// A connection that is kept alive.
struct Client {
    connection: BufReader<TcpStream>,
}

impl Client {
    fn new(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        Client {
            connection: BufReader::new(stream),
        }
    }

    /// Asks, and reads the whole answer. Anything but an answer is a lost request.
    fn ask(&mut self, method: &str, path: &str) -> (u16, String) {
        let request = format!("{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
        self.connection
            .get_mut()
            .write_all(request.as_bytes())
            .unwrap();
        let mut line = String::new();
        self.connection.read_line(&mut line).unwrap();
        let status = line.split(' ').nth(1).expect("an answer").parse().unwrap();
        let mut length = 0;
        loop {
            line.clear();
            self.connection.read_line(&mut line).unwrap();
            let header = line.trim_end().to_lowercase();
            if header.is_empty() {
                break;
            }
            assert_ne!(header, "connection: close", "it was to be kept alive");
            if let Some(value) = header.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        self.connection.read_exact(&mut body).unwrap();
        (status, String::from_utf8(body).unwrap())
    }
}

fn good(n: u64) -> String {
    SAMPLE.replace("gpt-3.5-turbo", &format!("good-{n}"))
}

/// What must never be served.
fn bad(n: u64, rng: &mut Random) -> String {
    let text = SAMPLE.replace("gpt-3.5-turbo", &format!("bad-{n}"));
    match rng.below(5) {
        0 => text.replace("temperature: 0.7", "temperature: 7"),
        1 => text.replace("[search]", "[search"),
        2 => text.replace("max_tokens: 1024", "max_tokens: many"),
        3 => text.replace("llm_provider_name: openai", "llm_provider_name: nobody"),
        _ => String::new(),
    }
}

/// By one of the ways in which files are saved.
fn save_somehow(path: &Path, text: &str, rng: &mut Random) {
    match rng.below(4) {
        0 => save(path, text),
        1 => fs::write(path, text).unwrap(),
        2 => {
            fs::remove_file(path).unwrap();
            fs::write(path, text).unwrap();
        }
        _ => {
            // In two parts, without truncating first.
            let mut file = OpenOptions::new().write(true).open(path).unwrap();
            file.seek(SeekFrom::Start(0)).unwrap();
            let (first, second) = text.split_at(text.len() / 2);
            file.write_all(first.as_bytes()).unwrap();
            file.write_all(second.as_bytes()).unwrap();
            file.set_len(text.len() as u64).unwrap();
        }
    }
}

/// What one client saw: which model stands behind each version.
type Seen = BTreeMap<u64, String>;

/// Asks until it is told to stop. Each answer is of one version, and none is older
/// than the one before.
fn ask_all_the_time(address: SocketAddr, asked: &AtomicU64, done: &AtomicBool) -> Seen {
    let mut client = Client::new(address);
    let mut seen = Seen::new();
    let mut newest = 0;
    while !done.load(Ordering::Relaxed) {
        let (status, body) = client.ask("GET", "/");
        assert_eq!(status, 200, "{body}");
        let answer: Value = serde_json::from_str(&body).unwrap();
        let version = answer["version"].as_u64().unwrap();
        let model = answer["configured"].as_str().unwrap();
        assert_eq!(answer["connected"], model, "mixed: {body}");
        let whole = format!("{model} answers \"hello\", with a key");
        assert_eq!(answer["answer"], whole, "mixed: {body}");
        assert!(model.starts_with("good-"), "refused, and served: {body}");
        assert!(version >= newest, "from {newest} back to {version}");
        newest = version;
        let known = seen.entry(version).or_insert_with(|| model.to_string());
        assert_eq!(known, model, "two models of one version");
        asked.fetch_add(1, Ordering::Relaxed);
    }
    seen
}

/// Lets everybody go home, also where a check failed: a test that hangs tells nothing.
struct Closing<'a>(&'a tiny_http::Server, &'a AtomicBool);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.1.store(true, Ordering::Relaxed);
        (0..4).for_each(|_| self.0.unblock());
    }
}

fn from_environment(name: &str, otherwise: u64) -> u64 {
    std::env::var(name)
        .ok()
        .map_or(otherwise, |value| value.parse().unwrap())
}

/// A gateway on a file of its own, which looks often.
fn gateway() -> (TempDir, Gateway) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.yaml");
    fs::write(&path, good(0)).unwrap();
    let builder = Reloader::from_file(&path)
        .interval(Duration::from_millis(5))
        .settle(Duration::from_millis(5));
    (folder, Gateway::from(builder).unwrap())
}

#[test]
fn g01_g03_g15_no_request_is_lost_or_mixed() {
    let requests = from_environment("STEADYCONF_TEST_REQUESTS", 200_000);
    let reloads = from_environment("STEADYCONF_TEST_RELOADS", 300);
    let (folder, gateway) = gateway();
    let path = folder.path().join("config.yaml");
    let reloader = gateway.reloader();
    reloader.start().unwrap();
    let server = gateway::listen("127.0.0.1:0").unwrap();
    let address = server.server_addr().to_ip().unwrap();
    let (asked, done) = (AtomicU64::new(0), AtomicBool::new(false));
    let mut rng = Random(7);
    let begin = Instant::now();

    let seen: Vec<Seen> = thread::scope(|scope| {
        scope.spawn(|| gateway.serve(&server, 4));
        let clients: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| ask_all_the_time(address, &asked, &done)))
            .collect();
        let closing = Closing(&server, &done);
        let mut n = 0;
        // A client that failed has nothing more to say.
        let all_ask = || clients.iter().all(|client| !client.is_finished());
        while all_ask() && (n < reloads || asked.load(Ordering::Relaxed) < requests) {
            n += 1;
            if rng.below(2) == 0 {
                let rejections = reloader.status().rejections;
                save_somehow(&path, &bad(n, &mut rng), &mut rng);
                let told = || reloader.status().rejections > rejections;
                wait_until("it is rejected", || told() || !all_ask());
            }
            let before = reloader.status().version;
            save_somehow(&path, &good(n), &mut rng);
            wait_until("it is applied", || {
                reloader.status().version > before || !all_ask()
            });
        }
        done.store(true, Ordering::Relaxed);
        let seen = clients.into_iter().map(|client| client.join());
        let seen: Vec<_> = seen.collect();
        drop(closing);
        seen.into_iter()
            .map(|seen| seen.expect("lost or mixed"))
            .collect()
    });
    reloader.stop();

    let status = reloader.status();
    let mut whole = Seen::new();
    for (version, model) in seen.iter().flatten() {
        let known = whole.entry(*version).or_insert_with(|| model.clone());
        assert_eq!(known, model, "two models of one version");
    }
    let (asked, took) = (asked.load(Ordering::Relaxed), begin.elapsed());
    println!(
        "{asked} requests over {} reloads and {} rejections in {took:.1?}: 0 lost, 0 mixed; {} \
         versions were seen",
        status.reloads,
        status.rejections,
        whole.len()
    );
    assert!(asked >= requests && status.reloads > reloads);
    assert!(
        whole.len() > 10 || reloads < 20,
        "they saw it change: {whole:?}"
    );
    assert!(status.is_healthy(), "{status}");
}

#[test]
fn g11_g20_the_endpoints_tell_the_truth_also_the_second_time() {
    let (folder, gateway) = gateway();
    let path = folder.path().join("config.yaml");
    let server = gateway::listen("127.0.0.1:0").unwrap();
    let address = server.server_addr().to_ip().unwrap();
    thread::scope(|scope| {
        scope.spawn(|| gateway.serve(&server, 1));
        let done = AtomicBool::new(false);
        let _closing = Closing(&server, &done);
        let mut client = Client::new(address);
        let mut reload = |expected: u16| {
            let (status, body) = client.ask("POST", "/-/reload");
            assert_eq!(status, expected, "{body}");
            body
        };
        assert!(reload(200).contains("unchanged"));
        save(&path, &good(1));
        assert_eq!(reload(200).trim(), "{\"applied\":2}");
        save(&path, &SAMPLE.replace("temperature: 0.7", "temperature: 7"));
        for _ in 0..2 {
            let body = reload(422);
            assert!(
                body.contains("temperature: must be between 0 and 2"),
                "{body}"
            );
        }
        save(&path, "tools: []\n");
        let body = reload(422);
        assert!(
            body.contains("there is no LLM provider to connect to"),
            "{body}"
        );
        fs::remove_file(&path).unwrap();
        assert!(reload(503).contains("no such file"));
        let (_, body) = client.ask("GET", "/-/config");
        let told: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(
            (&told["healthy"], &told["version"]),
            (&false.into(), &2.into())
        );
        assert!(!body.contains("not-a-real"), "{body}");
        let (_, body) = client.ask("GET", "/metrics");
        assert!(body.contains("config_last_reload_successful 0"), "{body}");
        // The very same bytes as before make it healthy again.
        save(&path, &good(1));
        assert_eq!(client.ask("POST", "/-/reload").0, 200);
        let (_, body) = client.ask("GET", "/metrics");
        assert!(body.contains("config_last_reload_successful 1"), "{body}");
        assert!(
            body.contains("config_reloads_total{outcome=\"applied\"} 2"),
            "{body}"
        );
        assert_eq!(client.ask("GET", "/nowhere").0, 404);
        assert_eq!(gateway.reloader().status().version, Some(Version::new(2)));
    });
}
