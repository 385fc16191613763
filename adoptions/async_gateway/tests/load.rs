//! The gateway under load while its file changes well and badly: no request is lost or
//! mixed, no thread of the executor is blocked, and no task is left behind.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use async_gateway::Live;
use serde_json::Value;
use steadyconf::{Outcome, Reloader, Version};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

/// Far more than anything here takes, for machines that are busy.
const DEADLINE: Duration = Duration::from_secs(60);

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !is_so() {
        assert!(Instant::now() < deadline, "not within {DEADLINE:?}: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

fn save(path: &Path, text: &str) {
    let beside = path.with_extension("new");
    fs::write(&beside, text).unwrap();
    fs::rename(&beside, path).unwrap();
}

fn good(number: u64) -> String {
    format!("model: m{number}\ntimeout_ms: {number}\n")
}

fn file() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gateway.yaml");
    fs::write(&path, good(1)).unwrap();
    (folder, path)
}

/// A server that runs until it is dropped.
struct Server {
    runtime: Option<Runtime>,
    address: SocketAddr,
    quit: Option<oneshot::Sender<()>>,
    ended: mpsc::Receiver<()>,
}

impl Server {
    fn start(runtime: Runtime, reloader: &Arc<Reloader<Live>>) -> Self {
        let (quit, quits) = oneshot::channel();
        let (ends, ended) = mpsc::channel();
        let app = async_gateway::app(reloader.clone());
        let listener = runtime
            .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
            .unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(async move {
            let quits = async { drop(quits.await) };
            axum::serve(listener, app)
                .with_graceful_shutdown(quits)
                .await
                .unwrap();
            ends.send(()).unwrap();
        });
        Server {
            runtime: Some(runtime),
            address,
            quit: Some(quit),
            ended,
        }
    }

    fn runtime(&self) -> &Runtime {
        self.runtime.as_ref().unwrap()
    }

    fn tasks(&self) -> usize {
        self.runtime().metrics().num_alive_tasks()
    }

    fn stop(&mut self) {
        self.quit.take().unwrap().send(()).unwrap();
        self.ended.recv_timeout(DEADLINE).unwrap();
    }
}

/// The tasks of a server without connections: itself, and what waits for its end.
const IDLE: usize = 2;

/// A connection that is kept, as load generators keep it.
struct Client(BufReader<TcpStream>);

impl Client {
    fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Client(BufReader::new(stream))
    }

    fn send(&mut self, request: &str) {
        let request = format!("{request} HTTP/1.1\r\nHost: gateway\r\nContent-Length: 0\r\n\r\n");
        self.0.get_mut().write_all(request.as_bytes()).unwrap();
    }

    fn receive(&mut self) -> (u16, String) {
        let (mut status, mut length) = (0, 0);
        loop {
            let mut line = String::new();
            assert_ne!(
                self.0.read_line(&mut line).unwrap(),
                0,
                "the connection is lost"
            );
            let line = line.trim_end().to_ascii_lowercase();
            if let Some(rest) = line.strip_prefix("http/1.1 ") {
                status = rest[..3].parse().unwrap();
            } else if let Some(rest) = line.strip_prefix("content-length: ") {
                length = rest.parse().unwrap();
            } else if line.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).unwrap();
        (status, String::from_utf8(body).unwrap())
    }

    fn ask(&mut self, request: &str) -> (u16, String) {
        self.send(request);
        self.receive()
    }

    /// One request, answered by one configuration. Returns its version and its model.
    fn chat(&mut self) -> (u64, String) {
        let (status, body) = self.ask("GET /");
        assert_eq!(status, 200, "{body}");
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body["configured"], body["connected"], "mixed: {body}");
        let model = body["configured"].as_str().unwrap().to_string();
        (body["version"].as_u64().unwrap(), model)
    }
}

#[test]
fn g01_g03_no_request_is_lost_or_mixed_and_no_task_is_left() {
    let (_folder, path) = file();
    let reloader = Arc::new(async_gateway::load(path.to_str().unwrap()).unwrap());
    let mut server = Server::start(runtime(2), &reloader);
    assert_eq!(Client::connect(server.address).chat().0, 1);
    wait_until("the server is idle", || server.tasks() == IDLE);

    // Tasks that await changes, and some that give up again and again.
    let timeouts: Vec<_> = (0..50).map(|_| Arc::new(AtomicU64::new(0))).collect();
    for timeout in &timeouts {
        let follow = async_gateway::follow(reloader.handle(), timeout.clone());
        server.runtime().spawn(follow);
    }
    let live = reloader.handle();
    let gives_up = server.runtime().spawn(async move {
        let last = loop {
            let seen = live.load();
            let patience = Duration::from_millis(1);
            let changed = tokio::time::timeout(patience, live.changed(seen.version()));
            if let Ok(Err(_stopped)) = changed.await {
                break seen;
            }
        };
        last.version().get()
    });

    let over = AtomicBool::new(false);
    let answered = AtomicU64::new(0);
    let address = server.address;
    let last = thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut client = Client::connect(address);
                let mut newest = 0;
                while !over.load(Ordering::Relaxed) {
                    let (version, _) = client.chat();
                    assert!(version >= newest, "it goes back");
                    newest = version;
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let last = change_well_and_badly(&path, address);
        over.store(true, Ordering::Relaxed);
        last
    });
    let answered = answered.into_inner();
    println!("{answered} requests answered over {last} reloads");
    assert!(answered > 1000);

    // Whoever awaits has seen the last change.
    wait_until("all tasks follow", || {
        timeouts
            .iter()
            .all(|timeout| timeout.load(Ordering::Relaxed) == last)
    });
    // They end with the reloader, and leave nothing.
    reloader.stop();
    let seen = server.runtime().block_on(gives_up).unwrap();
    assert_eq!(seen, reloader.handle().load().version().get());
    wait_until("the tasks end", || server.tasks() == IDLE);
    server.stop();
    wait_until("the server ends", || server.tasks() == 0);
    drop(server);
    assert!(
        Arc::into_inner(reloader).is_some(),
        "somebody still holds the reloader"
    );
}

/// Returns the number of the last good file.
fn change_well_and_badly(path: &Path, address: SocketAddr) -> u64 {
    let mut operator = Client::connect(address);
    for number in 2..40 {
        save(path, &good(number));
        let (status, body) = operator.ask("POST /-/reload");
        assert_eq!(status, 200, "{body}");
        let (_, model) = operator.chat();
        assert_eq!(model, format!("m{number}"));
        save(path, "model: bad\ntimeout_ms: 0\n");
        let (status, body) = operator.ask("POST /-/reload");
        assert_eq!(status, 422, "{body}");
        assert!(body.contains("timeout_ms: must be at least 1"), "{body}");
        assert_eq!(operator.chat().1, model, "what is bad is never served");
    }
    save(path, &good(40));
    assert_eq!(operator.ask("POST /-/reload").0, 200);
    40
}

/// Loads with a listener that hangs at each change until it is released.
fn hanging(path: &Path) -> (Arc<Reloader<Live>>, mpsc::Sender<()>) {
    let (release, released) = mpsc::channel::<()>();
    let reloader = Reloader::from_file(path)
        .settle(Duration::ZERO)
        .build(async_gateway::connect)
        .listener("hangs", move |_: &steadyconf::Change<Live>| {
            released.recv()?;
            Ok(())
        })
        .load()
        .unwrap();
    (Arc::new(reloader), release)
}

/// A reload that hangs holds up no request, on a runtime that has one thread only: if it
/// blocked that thread, the requests would never be answered.
#[test]
fn g01_a_reload_that_hangs_blocks_no_thread_of_the_executor() {
    let (_folder, path) = file();
    let (reloader, release) = hanging(&path);
    reloader.start().unwrap();
    let mut server = Server::start(runtime(1), &reloader);

    // The longest that anything kept the only thread from running this task.
    let longest = Arc::new(AtomicU64::new(0));
    let shared = longest.clone();
    let beats = server.runtime().spawn(async move {
        let mut last = Instant::now();
        loop {
            tokio::time::sleep(Duration::from_millis(1)).await;
            let gap = last.elapsed();
            last = Instant::now();
            shared.fetch_max(gap.as_micros() as u64, Ordering::Relaxed);
        }
    });

    // The thread hangs in the listener, and a reload that a request asked for waits for it.
    save(&path, &good(2));
    reloader.wake();
    let name = || Some(reloader.status().doing?.listener?.to_string());
    wait_until("the listener hangs", || name().as_deref() == Some("hangs"));
    let mut operator = Client::connect(server.address);
    operator.send("POST /-/reload");
    // A reader of the metrics that does not read.
    let mut slow = Client::connect(server.address);
    slow.send("GET /metrics");
    let mut client = Client::connect(server.address);
    for _ in 0..500 {
        // Readers see it already: commit comes after publishing.
        assert_eq!(client.chat(), (2, "m2".to_string()));
    }
    let (status, body) = client.ask("GET /metrics");
    assert_eq!(status, 200);
    assert!(body.contains("\ngateway_config_version 2\n"), "{body}");
    assert!(
        !body.contains("gateway_config_poll_running_seconds 0.000"),
        "{body}"
    );

    release.send(()).unwrap();
    let (status, body) = operator.receive();
    assert_eq!(status, 200, "{body}");
    assert_eq!(slow.receive().0, 200);
    beats.abort();
    println!(
        "the longest that a task was kept waiting: {} µs",
        longest.load(Ordering::Relaxed)
    );
    server.stop();
}

/// A client that hangs up takes its request with it, and nothing else.
#[test]
fn g15_a_request_that_is_dropped_ends_no_reload() {
    let (_folder, path) = file();
    let (reloader, release) = hanging(&path);
    let mut server = Server::start(runtime(1), &reloader);
    save(&path, &good(2));
    let mut operator = Client::connect(server.address);
    operator.send("POST /-/reload");
    wait_until("it is under way", || reloader.status().doing.is_some());
    drop(operator);
    release.send(()).unwrap();
    wait_until("it is applied", || {
        let receipts = reloader.status().receipts;
        let applied = Ok(Outcome::Applied(Version::new(2)));
        receipts.last().is_some_and(|last| last.outcome == applied)
    });
    assert_eq!(Client::connect(server.address).chat().1, "m2");
    server.stop();
}

fn runtime(threads: usize) -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(threads).enable_all();
    builder.build().unwrap()
}
