//! Documents that an HTTP server hands out, from a real server on the loopback.

#[path = "../common/mod.rs"]
mod common;

use std::collections::VecDeque;
use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use common::{DEADLINE, file, ms, wait_until};
use steadyconf::engine::{Document, Format, Language, Limits, Notes};
use steadyconf::report::Stale;
use steadyconf::source::{FileDetector, HttpSource};
use steadyconf::testing::{Subject, detector_contract};
use steadyconf::{LoadError, Outcome, Reloader, Report, Secret, Source};
use tiny_http::{Header, Response, Server};

/// What the server answers until it is told otherwise.
#[derive(Clone)]
struct Page {
    status: u16,
    body: Vec<u8>,
    headers: Vec<(&'static str, String)>,
}

impl Page {
    fn of(body: &str) -> Self {
        Page {
            status: 200,
            body: body.into(),
            headers: Vec::new(),
        }
    }

    fn status(status: u16) -> Self {
        Page {
            status,
            ..Page::of("a page of the server's own")
        }
    }

    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

struct World {
    server: Arc<Server>,
    page: Arc<Mutex<Page>>,
    /// What was asked: method, URL and the headers that matter.
    asked: Arc<Mutex<VecDeque<String>>>,
    answers: Arc<AtomicUsize>,
    thread: Option<thread::JoinHandle<()>>,
}

impl World {
    fn serving(page: Page) -> Self {
        World::at("127.0.0.1:0", page)
    }

    fn at(address: &str, page: Page) -> Self {
        // One that was there before may take its time to go.
        let mut server = None;
        wait_until("the address is free", || {
            server = Server::http(address).ok();
            server.is_some()
        });
        let server = Arc::new(server.unwrap());
        let page = Arc::new(Mutex::new(page));
        let asked = Arc::new(Mutex::new(VecDeque::new()));
        let answers = Arc::new(AtomicUsize::new(0));
        let (theirs, shows) = (server.clone(), page.clone());
        let (notes, counts) = (asked.clone(), answers.clone());
        let thread = thread::spawn(move || {
            for request in theirs.incoming_requests() {
                let of = |name: &'static str| {
                    let mut headers = request.headers().iter();
                    let header = headers.find(|header| header.field.equiv(name));
                    header.map_or(String::new(), |header| format!(" {name}={}", header.value))
                };
                let line = [
                    "If-None-Match",
                    "If-Modified-Since",
                    "Authorization",
                    "X-Key",
                ];
                let line = line.map(of).concat();
                notes
                    .lock()
                    .unwrap()
                    .push_back(format!("{}{line}", request.url()));
                counts.fetch_add(1, Ordering::SeqCst);
                let mut page: Page = shows.lock().unwrap().clone();
                let etag = page.headers.iter().find(|(name, _)| *name == "ETag");
                if etag.is_some_and(|(_, etag)| line.contains(&format!("If-None-Match={etag}"))) {
                    page.status = 304;
                }
                let mut response = Response::from_data(page.body).with_status_code(page.status);
                for (name, value) in page.headers {
                    response.add_header(Header::from_bytes(name, value).unwrap());
                }
                let _ = request.respond(response);
            }
        });
        World {
            server,
            page,
            asked,
            answers,
            thread: Some(thread),
        }
    }

    fn show(&self, page: Page) {
        *self.page.lock().unwrap() = page;
    }

    fn address(&self) -> String {
        self.server.server_addr().to_string()
    }

    fn url(&self) -> String {
        format!("http://{}/app.yaml", self.address())
    }

    /// Asked all the time, so that nobody has to wait.
    fn source(&self) -> HttpSource {
        Source::http(self.url()).every(ms(10))
    }

    fn answers(&self) -> usize {
        self.answers.load(Ordering::SeqCst)
    }

    fn was_asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().drain(..).collect()
    }

    /// Waits until it has answered twice more: the first may have been under way.
    fn waits_for_answers(&self) {
        let now = self.answers();
        wait_until("it is asked", || self.answers() >= now + 3);
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.server.unblock();
        let _ = self.thread.take().unwrap().join();
    }
}

/// The texts of all layers, with their names.
struct Layers;

impl Format<String> for Layers {
    fn parse(&self, document: &Document, _: &Limits, _: &mut Notes) -> Result<String, Report> {
        let layers = document.layers().iter();
        let texts = layers.map(|layer| String::from_utf8_lossy(layer.bytes()).into_owned());
        Ok(texts.collect::<Vec<_>>().join("|"))
    }
}

fn builder(source: impl Into<Source>) -> steadyconf::Builder<String> {
    let builder = Reloader::builder_as(Layers).source(source);
    builder.settle(ms(5)).interval(ms(5))
}

fn started(source: impl Into<Source>) -> Reloader<String> {
    let reloader = builder(source).load().unwrap();
    reloader.start().unwrap();
    reloader
}

#[track_caller]
fn sees(reloader: &Reloader<String>, text: &str) {
    wait_until(text, || *reloader.handle().load() == text);
}

/// Returns the URL of a server that sends these bytes once, and hangs up.
fn answering_once(bytes: &'static str) -> String {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 1000]);
        let _ = stream.write_all(bytes.as_bytes());
    });
    url
}

#[test]
fn g07_a_change_at_the_server_is_applied_and_the_same_is_none() {
    let world = World::serving(Page::of("one"));
    let reloader = started(world.source());
    assert_eq!(*reloader.handle().load(), "one");
    world.show(Page::of("two"));
    sees(&reloader, "two");
    // A server without validators is compared by its bytes.
    world.waits_for_answers();
    assert_eq!(reloader.handle().load().version().get(), 2);
    assert!(reloader.status().is_healthy());
    let origin = reloader.handle().load().origins()[0].to_string();
    assert_eq!(origin, world.url());
}

#[test]
fn g10_what_has_not_changed_is_not_sent_again() {
    let page = Page::of("one").with("ETag", "\"1\"");
    let modified = "Tue, 24 Nov 2026 10:00:00 GMT";
    let world = World::serving(page.with("Last-Modified", modified));
    let reloader = started(world.source());
    world.show(Page::status(304));
    world.waits_for_answers();
    let conditional = format!("/app.yaml If-None-Match=\"1\" If-Modified-Since={modified}");
    assert_eq!(world.was_asked().last(), Some(&conditional));
    assert!(reloader.status().is_healthy());
    // A reload trusts no validator, and asks once.
    reloader.stop();
    world.show(Page::of("two"));
    assert_eq!(
        reloader.reload(DEADLINE).outcome.unwrap().to_string(),
        "applied v2"
    );
    assert!(world.was_asked().contains(&"/app.yaml".to_string()));
}

/// The other sources go on to be read, and what the server held last stays.
#[test]
fn g09_g20_a_failing_server_makes_only_its_source_stale() {
    let world = World::serving(Page::of("server"));
    let (_folder, path) = file("above");
    let reloader = builder(world.source())
        .source(Source::file(&path))
        .load()
        .unwrap();
    reloader.start().unwrap();
    assert_eq!(*reloader.handle().load(), "server|above");
    world.show(Page::status(503));
    wait_until("it is stale", || !reloader.status().stale.is_empty());
    let status = reloader.status();
    let [Stale { error, .. }] = &status.stale[..] else {
        panic!("{status}");
    };
    let said = format!("{}: the server answered 503", world.url());
    assert_eq!(error.to_string(), said);
    assert!(!status.is_healthy());
    assert!(status.to_string().contains(&said), "{status}");
    assert!(
        status
            .prometheus("app")
            .contains("\napp_config_stale_sources 1\n")
    );
    // Whoever asks for a reload learns of it.
    let receipt = reloader.reload(DEADLINE);
    assert_eq!(receipt.outcome.as_ref().unwrap_err().to_string(), said);
    assert!(!receipt.is_good());
    // A file above it changes, and is applied over what the server held.
    fs::write(&path, "new").unwrap();
    sees(&reloader, "server|new");
    reloader.stop();
    // It is asked again after a pause; a reload does not wait for that.
    world.show(Page::of("mended"));
    reloader.reload(DEADLINE).outcome.unwrap();
    assert_eq!(*reloader.handle().load(), "mended|new");
    assert!(reloader.status().is_healthy());
}

#[test]
fn g05_a_missing_server_is_an_error_unless_optional() {
    let gone = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}/app.yaml", listener.local_addr().unwrap())
    };
    let load = |source: HttpSource| builder(source).load();
    let error = load(Source::http(&gone)).unwrap_err();
    let LoadError::Source(error) = &error else {
        panic!("{error}");
    };
    assert_eq!(
        error.to_string(),
        format!("{gone}: the connection is refused")
    );
    let world = World::serving(Page::status(404));
    let error = load(world.source()).unwrap_err().to_string();
    assert!(error.ends_with("the server answered 404"), "{error}");
    world.show(Page::of(" \n"));
    let error = load(world.source()).unwrap_err().to_string();
    assert!(error.contains("is empty"), "{error}");

    for page in [Page::status(404), Page::of(" \n")] {
        world.show(page);
        let (_folder, path) = file("below");
        let reloader = Reloader::builder_as(Layers)
            .source(Source::file(&path))
            .source(world.source().optional())
            .settle(ms(5))
            .interval(ms(5))
            .load()
            .unwrap();
        assert_eq!(*reloader.handle().load(), "below");
        assert!(reloader.status().is_healthy(), "{}", reloader.status());
        reloader.start().unwrap();
        world.show(Page::of("there"));
        sees(&reloader, "below|there");
        world.show(Page::status(410));
        sees(&reloader, "below");
    }
    // One that cannot be asked is no error either, and is told of.
    let (_folder, path) = file("below");
    let builder = Reloader::builder_as(Layers).source(Source::file(&path));
    let reloader = builder
        .source(Source::http(&gone).optional())
        .load()
        .unwrap();
    assert_eq!(*reloader.handle().load(), "below");
    assert_eq!(reloader.status().stale.len(), 1);
}

#[test]
fn g04_an_answer_over_the_limit_or_without_an_end_is_an_error() {
    let world = World::serving(Page::of(&"x".repeat(5000)));
    let load = |source: HttpSource| {
        builder(source)
            .limits(Limits::default().max_bytes(1000))
            .load()
    };
    let error = load(world.source()).unwrap_err().to_string();
    assert!(
        error.ends_with("larger than the limit of 1000 bytes"),
        "{error}"
    );

    // A server that accepts and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    let error = load(Source::http(url).timeout(ms(50)))
        .unwrap_err()
        .to_string();
    assert!(error.ends_with("it did not answer in time"), "{error}");
    // One that hangs up in the middle.
    let url = answering_once("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
    let error = load(Source::http(url)).unwrap_err().to_string();
    assert!(
        error.contains("the connection failed") || error.contains("no HTTP"),
        "{error}"
    );
    for (url, says) in [
        ("nonsense", "that is no URL"),
        ("http://", "that is no URL"),
    ] {
        let error = load(Source::http(url)).unwrap_err().to_string();
        assert!(error.ends_with(says), "{url}: {error}");
    }
    // A token that was read from a file, and a header that is none.
    let world = World::serving(Page::of("one"));
    let source = world.source().bearer(Secret::new("token\n".into()));
    load(source).unwrap();
    let source = world
        .source()
        .header("X-Key", Secret::new("c4nary\n".into()));
    let error = load(source).unwrap_err().to_string();
    let says = "the header \"X-Key\" has a character that none may have";
    assert!(error.ends_with(says), "{error}");
}

/// What ends with the connection may be half of a document that reads like a whole one.
#[test]
fn g02_an_answer_without_a_length_is_not_taken_for_a_whole_one() {
    let url = answering_once("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhalf");
    let error = builder(Source::http(url)).load().unwrap_err().to_string();
    assert!(error.contains("does not say how long it is"), "{error}");
}

/// HTTP tells seconds: a document may change twice in one.
#[test]
fn g07_a_time_that_is_too_young_proves_nothing() {
    let young = Page::of("one").with("Last-Modified", "Tue, 24 Nov 2099 10:00:00 GMT");
    let world = World::serving(young.with("ETag", "\"1-3\""));
    let _reloader = started(world.source());
    world.waits_for_answers();
    assert!(world.was_asked().iter().all(|line| line == "/app.yaml"));

    // And now and then all of it is asked for.
    let world = World::serving(Page::of("one").with("ETag", "\"1\""));
    let _reloader = started(world.source());
    wait_until("it is asked often", || world.answers() > 45);
    let asked = world.was_asked();
    let whole = asked.iter().filter(|line| *line == "/app.yaml").count();
    assert!(whole >= 2, "{asked:?}");
}

/// The network is waited for by whoever asked for a reload, and by nobody else.
#[test]
fn g09_a_server_that_hangs_holds_up_nobody_else() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    let (asked, is_asked) = std::sync::mpsc::channel();
    thread::spawn(move || {
        use std::io::{Read, Write};
        let (mut stream, _) = silent.accept().unwrap();
        let _ = stream.read(&mut [0; 1000]);
        let head = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3\r\n\r\n";
        stream.write_all(format!("{head}one").as_bytes()).unwrap();
        drop(stream);
        let mut held = Vec::new();
        while let Ok((stream, _)) = silent.accept() {
            held.push(stream);
            let _ = asked.send(());
        }
    });
    let (_folder, path) = file("above");
    let hour = Duration::from_secs(3600);
    let source = Source::http(url).every(hour).timeout(DEADLINE);
    let builder = builder(source).source(Source::file(&path));
    let reloader = builder.load().unwrap();
    thread::scope(|scope| {
        let reload = scope.spawn(|| reloader.reload(ms(1500)));
        is_asked.recv_timeout(DEADLINE).unwrap();
        fs::write(&path, "new").unwrap();
        wait_until("the file is applied", || {
            assert!(!matches!(reloader.poll_once(), Ok(Outcome::Busy)));
            *reloader.handle().load() == "one|new"
        });
        let receipt = reload.join().unwrap();
        let error = receipt.outcome.as_ref().unwrap_err().to_string();
        assert!(error.ends_with("it did not answer in time"), "{error}");
    });
}

#[test]
fn g06_a_token_is_sent_and_never_said_nor_redirected() {
    let world = World::serving(Page::of("one"));
    let url = world.url().replace("http://", "http://user:c4nary@") + "?key=c4nary";
    let source = Source::http(url)
        .bearer(Secret::new("c4nary-token".into()))
        .header("X-Key", Secret::new("c4nary-key".into()));
    assert!(!format!("{source:?}").contains("c4nary"));
    let reloader = builder(source).load().unwrap();
    let asked = world.was_asked().join("\n");
    assert!(
        asked.contains("Authorization=Bearer c4nary-token X-Key=c4nary-key"),
        "{asked}"
    );
    let other = World::serving(Page::of("elsewhere"));
    world.show(Page::status(302).with("Location", &other.url()));
    let receipt = reloader.reload(DEADLINE);
    let status = reloader.status();
    let said = format!("{receipt}{receipt:?}{status}{status:?}{:?}", status.stale);
    assert!(!said.contains("c4nary"), "{said}");
    assert_eq!(other.answers(), 0, "a token went elsewhere");
    assert!(said.contains("the server answered 302"), "{said}");
    // Without a header it is followed.
    let world = World::serving(Page::status(302).with("Location", &other.url()));
    assert_eq!(
        *builder(world.source()).load().unwrap().handle().load(),
        "elsewhere"
    );
}

#[test]
fn a_server_that_asks_for_patience_gets_it() {
    for patience in ["3600", "Tue, 24 Nov 2099 10:00:00 GMT"] {
        let world = World::serving(Page::of("one"));
        let reloader = started(world.source());
        world.show(Page::status(429).with("Retry-After", patience));
        wait_until("it is stale", || !reloader.status().stale.is_empty());
        let asked = world.answers();
        // Without it, the pause after a failure is a second.
        thread::sleep(ms(1300));
        assert_eq!(world.answers(), asked, "{patience}");
        // Somebody who asks for a reload does not wait.
        world.show(Page::of("one"));
        reloader.reload(DEADLINE).outcome.unwrap();
        assert!(reloader.status().is_healthy());
        // And from then on it is asked as before.
        world.waits_for_answers();
    }
}

#[test]
fn g11_a_load_and_a_reload_each_ask_once() {
    let world = World::serving(Page::of("one"));
    let hour = Duration::from_secs(3600);
    let reloader = builder(Source::http(world.url()).every(hour))
        .load()
        .unwrap();
    assert_eq!(world.answers(), 1);
    for answers in 2..5 {
        reloader.reload(DEADLINE).outcome.unwrap();
        reloader.poll_once().unwrap();
        assert_eq!(world.answers(), answers);
    }
}

/// Two ask at once, and the answer to the first comes last.
#[test]
fn g15_an_older_answer_never_overwrites_a_newer_one() {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let (second, is_second) = std::sync::mpsc::channel();
    thread::spawn(move || {
        let answer = |mut stream: TcpStream, text: &'static str, after: u64| {
            thread::spawn(move || {
                let _ = stream.read(&mut [0; 1000]);
                thread::sleep(ms(after));
                let head = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3\r\n\r\n";
                let _ = stream.write_all(format!("{head}{text}").as_bytes());
            });
        };
        answer(listener.accept().unwrap().0, "one", 0);
        answer(listener.accept().unwrap().0, "old", 300);
        second.send(()).unwrap();
        while let Ok((stream, _)) = listener.accept() {
            answer(stream, "new", 0);
        }
    });
    let reloader = started(Source::http(url).every(ms(200)));
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sees = seen.clone();
    let _subscription = reloader.subscribe("sees", move |change: &steadyconf::Change<String>| {
        sees.lock().unwrap().push(change.new.value().clone());
        Ok(())
    });
    is_second.recv_timeout(DEADLINE).unwrap();
    reloader.reload(DEADLINE).outcome.unwrap();
    thread::sleep(ms(600));
    let seen = seen.lock().unwrap().clone();
    assert!(
        seen == ["new"] || seen == ["old", "new"],
        "it was seen going back: {seen:?}"
    );
}

/// Each language by the end of the path, or by what the program says.
#[test]
fn a_path_tells_the_language() {
    #[derive(serde::Deserialize)]
    struct Port {
        port: u16,
    }
    let world = World::serving(Page::of("{\"port\": 80}"));
    let url = world.url().replace("app.yaml", "app.json") + "?v=1";
    for source in [
        Source::http(url),
        Source::http(world.url()).language(Language::Json),
    ] {
        let reloader = Reloader::<Port>::builder().source(source).load().unwrap();
        assert_eq!(reloader.handle().load().port, 80);
    }
}

#[test]
fn g19_after_a_drop_nobody_asks() {
    let world = World::serving(Page::of("one"));
    let reloader = started(world.source());
    world.waits_for_answers();
    drop(reloader);
    thread::sleep(ms(30));
    let asked = world.answers();
    thread::sleep(ms(60));
    assert_eq!(world.answers(), asked);
}

#[test]
fn g18_a_start_while_the_server_is_down() {
    let folder = tempfile::tempdir().unwrap();
    let last_good = folder.path().join("last.good");
    let world = World::serving(Page::of("one"));
    let (url, address) = (world.url(), world.address());
    let start = || {
        let builder = builder(Source::http(url.clone()).every(ms(10)));
        builder.last_known_good(&last_good).load().unwrap()
    };
    drop(start());
    drop(world);
    let reloader = start();
    assert_eq!(*reloader.handle().load(), "one");
    assert!(reloader.status().from_last_good);
    // It comes back, and is followed again.
    let world = World::at(&address, Page::of("two"));
    assert_eq!(
        reloader
            .reload(Duration::from_secs(30))
            .outcome
            .map(|it| matches!(it, Outcome::Applied(_))),
        Ok(true)
    );
    assert_eq!(*reloader.handle().load(), "two");
    assert!(reloader.status().is_healthy());
    drop(world);
}

/// A server that knows `Prefer: wait` and answers when the page changes. It is asked by
/// itself once in an hour, so it is the long poll that has it asked.
#[test]
fn g07_a_server_that_waits_for_a_change_is_asked_at_once() {
    let server = Arc::new(Server::http("127.0.0.1:0").unwrap());
    let url = format!("http://{}/app.yaml", server.server_addr());
    let page = Arc::new(AtomicUsize::new(1));
    let shows = page.clone();
    thread::spawn(move || {
        for request in server.incoming_requests() {
            let shows = shows.clone();
            thread::spawn(move || {
                let header = |name: &'static str| {
                    let mut headers = request.headers().iter();
                    let header = headers.find(|header| header.field.equiv(name));
                    header.map(|header| header.value.to_string())
                };
                let etag = || format!("\"{}\"", shows.load(Ordering::SeqCst));
                let is_known = || header("If-None-Match").is_some_and(|known| known == etag());
                let wait = header("Prefer").and_then(|it| it.strip_prefix("wait=")?.parse().ok());
                let end = std::time::Instant::now() + Duration::from_secs(wait.unwrap_or(0));
                while is_known() && std::time::Instant::now() < end {
                    thread::sleep(ms(1));
                }
                let status = if is_known() { 304 } else { 200 };
                let text = format!("page {}", etag());
                let header = |name, value: &str| Header::from_bytes(name, value).unwrap();
                let response = Response::from_string(text).with_status_code(status);
                // A time that proves nothing does not keep it from waiting.
                let response = response
                    .with_header(header("ETag", &etag()))
                    .with_header(header("Last-Modified", "Tue, 24 Nov 2099 10:00:00 GMT"));
                let _ = request.respond(response);
            });
        }
    });
    let source = Source::http(url).every(Duration::from_secs(3600));
    let reloader = started(source.long_poll(Duration::from_secs(1)));
    for n in 2..5 {
        // Longer than it waits once.
        thread::sleep(ms(1300));
        page.store(n, Ordering::SeqCst);
        sees(&reloader, &format!("page \"{n}\""));
    }
}

/// A server that does not wait is asked so once in an interval, not all the time.
#[test]
fn g09_a_server_that_does_not_wait_is_asked_as_before() {
    let world = World::serving(Page::of("one").with("ETag", "\"1\""));
    let source = Source::http(world.url()).every(ms(100));
    let _reloader = started(source.long_poll(Duration::from_secs(60)));
    thread::sleep(ms(1000));
    let asked = world.was_asked().len();
    assert!((4..=26).contains(&asked), "asked {asked} times");
}

#[test]
fn it_keeps_the_contract_of_a_detector() {
    detector_contract(|| {
        let world = World::serving(Page::of(""));
        let detector = FileDetector::of(world.source()).settle(ms(5));
        let mut is_first = true;
        Subject::new(detector).write(move |bytes| {
            world.show(Page {
                body: bytes.to_vec(),
                ..Page::of("")
            });
            // Nobody asks before the first poll, and a poll does not wait for an answer.
            if !std::mem::take(&mut is_first) {
                world.waits_for_answers();
            }
        })
    });
}
