//! Keys of etcd, from a real one on the loopback.

#[path = "../common/mod.rs"]
mod common;
mod real_etcd;

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::{DEADLINE, file, ms, wait_until};
use real_etcd::{Etcd, Gateway, is_there};
use steadyconf::engine::{Document, Format, Limits, Notes};
use steadyconf::source::{EtcdSource, FileDetector};
use steadyconf::testing::{Subject, detector_contract};
use steadyconf::{Change, LoadError, Outcome, Reloader, Report, Secret, Source};

const HOUR: Duration = Duration::from_secs(3600);

/// The texts of all layers.
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

/// Polled all the time, and not watched.
fn polled(etcd: &Etcd, prefix: &str) -> EtcdSource {
    let source = Source::etcd([etcd.url()]).prefix(prefix);
    source.without_watch().every(ms(10))
}

#[track_caller]
fn sees(reloader: &Reloader<String>, text: &str) {
    wait_until(text, || *reloader.handle().load() == text);
}

#[track_caller]
fn load_fails(source: impl Into<Source>, says: &str) {
    let error = builder(source).load().unwrap_err().to_string();
    assert!(error.contains(says), "{error}");
}

/// Asked by itself once in an hour, so it is the watch that has it asked.
#[test]
fn g07_a_change_is_seen_at_once_by_the_watch() {
    if !is_there() {
        return;
    }
    let etcd = Etcd::start();
    etcd.put("/app/10.yaml", "one");
    let source = Source::etcd([etcd.url()]).prefix("/app/").every(HOUR);
    let reloader = Reloader::builder_as(Layers).source(source).load().unwrap();
    reloader.start().unwrap();
    let mut gateway = Gateway::to(&etcd);
    for (key, value, text) in [
        ("/app/10.yaml", "two", "two"),
        ("/app/20.yaml", "above", "two|above"),
        ("/app/10.yaml", "three", "three|above"),
    ] {
        gateway.put(key, value);
        let put = Instant::now();
        sees(&reloader, text);
        eprintln!("visible {:?} after the put", put.elapsed());
    }
    etcd.ctl(&["del", "/app/10.yaml"]);
    sees(&reloader, "above");
    // What is beside the prefix is none of its business.
    etcd.put("/application", "no");
    assert_eq!(reloader.reload(DEADLINE).outcome, Ok(Outcome::Unchanged));
    let origin = reloader.handle().load().origins()[0].to_string();
    assert_eq!(origin, "etcd:/app/20.yaml");
    // A watch outlives what it waits at a time.
    std::thread::sleep(ms(2500));
    gateway.put("/app/20.yaml", "later");
    sees(&reloader, "later");
}

#[test]
fn g07_a_change_is_seen_without_a_watch_and_the_same_is_none() {
    if !is_there() {
        return;
    }
    let etcd = Etcd::start();
    etcd.put("/app/10.yaml", "one");
    let reloader = started(polled(&etcd, "/app/"));
    etcd.put("/app/10.yaml", "two");
    sees(&reloader, "two");
    // The same value again is a later revision, and no change.
    etcd.put("/app/10.yaml", "two");
    etcd.waits_for_answers();
    assert_eq!(reloader.handle().load().version().get(), 2);
    assert!(reloader.status().is_healthy());
    etcd.put("/app/20.yaml", "above");
    sees(&reloader, "two|above");
    etcd.ctl(&["del", "/app/20.yaml"]);
    sees(&reloader, "two");
    // The last one does not go: a store that was wiped is not "all defaults".
    etcd.ctl(&["del", "/app/10.yaml"]);
    wait_until("it is stale", || !reloader.status().stale.is_empty());
    let error = reloader.status().stale[0].error.to_string();
    assert_eq!(error, "etcd:/app/*: there is no key that begins so");
    assert_eq!(*reloader.handle().load(), "two");
}

#[test]
fn g05_a_key_that_is_missing_is_an_error_unless_it_is_optional() {
    if !is_there() {
        return;
    }
    let etcd = Etcd::start();
    let source = |optional: bool| {
        let source = Source::etcd([etcd.url()]).key("/one");
        let source = source.every(ms(10));
        if optional { source.optional() } else { source }
    };
    load_fails(source(false), "etcd:/one: there is no such key");
    load_fails(polled(&etcd, "/app/"), "there is no key that begins so");
    etcd.put("/one", " ");
    load_fails(source(false), "is empty");

    let (_folder, path) = file("below");
    let builder = Reloader::builder_as(Layers).source(Source::file(&path));
    let builder = builder.source(source(true)).settle(ms(5)).interval(ms(5));
    let reloader = builder.source(polled(&etcd, "/app/").optional());
    let reloader = reloader.load().unwrap();
    reloader.start().unwrap();
    assert_eq!(*reloader.handle().load(), "below");
    etcd.put("/one", "there");
    sees(&reloader, "below|there");
    etcd.put("/app/a", "and");
    sees(&reloader, "below|there|and");
    etcd.ctl(&["del", "/", "--prefix"]);
    sees(&reloader, "below");
    assert!(reloader.status().is_healthy(), "{}", reloader.status());
}

#[test]
fn g04_what_is_too_large_or_no_etcd_is_an_error() {
    if !is_there() {
        return;
    }
    let etcd = Etcd::start();
    let mut gateway = Gateway::to(&etcd);
    gateway.put("/app/a", &"x".repeat(600));
    gateway.put("/app/b", &"x".repeat(600));
    let limited = builder(polled(&etcd, "/app/")).limits(Limits::default().max_bytes(1000));
    let error = limited.load().unwrap_err().to_string();
    assert!(
        error.contains("larger than the limit of 1000 bytes"),
        "{error}"
    );
    for key in 0..1001 {
        gateway.put(&format!("/many/{key}"), "x");
    }
    load_fails(polled(&etcd, "/many/"), "more than 1000 keys");
    load_fails(Source::etcd([""; 0]).key("x"), "no endpoint is given");
    load_fails(Source::etcd(["nonsense"]).key("x"), "that is no URL");
    let elsewhere = Source::etcd([format!("{}/elsewhere", etcd.url())]).key("x");
    load_fails(
        elsewhere,
        "the server answered 404; is this etcd, 3.4 or later?",
    );
    let secret = "http://me:c4nary@127.0.0.1:1".to_string();
    let source = Source::etcd([secret.clone(), secret]).key("x");
    let error = builder(source).load().unwrap_err();
    let said = format!("{error}{error:?}");
    assert!(!said.contains("c4nary"), "{said}");
    let refused = "http://127.0.0.1:1: the connection is refused";
    assert!(said.contains(&format!("{refused}; {refused}")), "{said}");
}

/// Killed in the middle, it is stale; a file above it goes on to be read.
#[test]
fn g09_g20_an_etcd_that_is_killed_comes_back() {
    if !is_there() {
        return;
    }
    let mut etcd = Etcd::start();
    etcd.put("/app/a", "one");
    let (_folder, path) = file("above");
    let source = Source::etcd([etcd.url()]).prefix("/app/").every(ms(50));
    let reloader = builder(source).source(Source::file(&path)).load().unwrap();
    reloader.start().unwrap();
    for round in 0..3 {
        etcd.kill();
        wait_until("it is stale", || !reloader.status().stale.is_empty());
        fs::write(&path, format!("file {round}")).unwrap();
        wait_until("the file is applied", || {
            reloader.handle().load().ends_with(&format!("file {round}"))
        });
        etcd.run();
        etcd.waits_until_it_answers();
        etcd.put("/app/a", &format!("etcd {round}"));
        sees(&reloader, &format!("etcd {round}|file {round}"));
        wait_until("it is healthy", || reloader.status().is_healthy());
    }
}

#[test]
fn g09_an_etcd_that_hangs_holds_up_nobody_and_goes_on() {
    if !is_there() {
        return;
    }
    let etcd = Etcd::start();
    etcd.put("/app/a", "one");
    let (_folder, path) = file("above");
    let source = Source::etcd([etcd.url()]).prefix("/app/");
    let source = source.every(ms(50)).timeout(ms(300));
    let reloader = builder(source).source(Source::file(&path)).load().unwrap();
    reloader.start().unwrap();
    etcd.stop();
    wait_until("it is stale", || !reloader.status().stale.is_empty());
    let error = reloader.status().stale[0].error.to_string();
    assert!(error.ends_with("it did not answer in time"), "{error}");
    fs::write(&path, "new").unwrap();
    sees(&reloader, "one|new");
    etcd.go_on();
    etcd.put("/app/a", "two");
    sees(&reloader, "two|new");
    wait_until("it is healthy", || reloader.status().is_healthy());
}

#[test]
fn g07_what_is_compacted_is_read_again() {
    if !is_there() {
        return;
    }
    let etcd = Etcd::start();
    etcd.put("/app/a", "0");
    let watched = Source::etcd([etcd.url()]).prefix("/app/").every(ms(200));
    let reloaders = [started(polled(&etcd, "/app/")), started(watched)];
    let mut gateway = Gateway::to(&etcd);
    for n in 1..=5 {
        let n = n.to_string();
        (0..20).for_each(|other| gateway.put("/other", &other.to_string()));
        gateway.put("/app/a", &n);
        let text = etcd.ctl(&["get", "/app/a", "-w", "fields"]);
        let revision = text
            .lines()
            .find_map(|line| line.strip_prefix("\"Revision\" : "));
        etcd.ctl(&["compact", revision.unwrap()]);
        reloaders.iter().for_each(|reloader| sees(reloader, &n));
    }
    reloaders.iter().for_each(|reloader| {
        wait_until("it is healthy", || reloader.status().is_healthy());
    });
}

/// The revisions of a store that was restored are lower than what was seen, and come to it
/// again with other content.
#[test]
fn g07_a_store_that_was_restored_is_read_again() {
    if !is_there() {
        return;
    }
    for more in [0, 2, 5] {
        let mut etcd = Etcd::start();
        etcd.put("/app/a", "old");
        let snapshot = etcd.save();
        etcd.put("/app/a", "lost");
        etcd.put("/app/a", "lost, too");
        let source = Source::etcd([etcd.url()]).prefix("/app/").every(ms(50));
        let reloader = started(source);
        assert_eq!(*reloader.handle().load(), "lost, too");
        etcd.restore(&snapshot);
        etcd.run();
        etcd.waits_until_it_answers();
        let mut gateway = Gateway::to(&etcd);
        (0..more).for_each(|n| gateway.put("/other", &n.to_string()));
        sees(&reloader, "old");
        gateway.put("/app/a", "new");
        sees(&reloader, "new");
    }
}

/// A listener sees each version, and none of them is of two revisions.
#[test]
fn g12_of_a_transaction_all_is_seen_or_nothing() {
    if !is_there() {
        return;
    }
    let etcd = Etcd::start();
    let mut gateway = Gateway::to(&etcd);
    let mut put = |n: u32| {
        let n = n.to_string();
        gateway.put_all(&[("/app/a", &n), ("/app/b", &n), ("/app/c", &n)]);
    };
    put(0);
    let source = Source::etcd([etcd.url()]).prefix("/app/").every(ms(10));
    let reloader = builder(source).settle(Duration::ZERO).load().unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sees_it = seen.clone();
    let _subscription = reloader.subscribe("sees", move |change: &Change<String>| {
        sees_it.lock().unwrap().push(change.new.value().clone());
        Ok(())
    });
    reloader.start().unwrap();
    (1..=500).for_each(&mut put);
    sees(&reloader, "500|500|500");
    let seen = seen.lock().unwrap();
    eprintln!("{} of 500 were seen", seen.len());
    assert!(seen.len() > 1);
    for text in &*seen {
        let parts: Vec<_> = text.split('|').collect();
        assert!(
            parts.len() == 3 && parts.iter().all(|part| *part == parts[0]),
            "{text}"
        );
    }
}

#[test]
fn g07_of_500_quick_changes_the_last_one_wins() {
    if !is_there() {
        return;
    }
    let etcd = Etcd::start();
    etcd.put("/app/a", "0");
    let source = Source::etcd([etcd.url()]).key("/app/a").every(HOUR);
    let reloader = started(source);
    let before = etcd.answers();
    let mut gateway = Gateway::to(&etcd);
    let begun = Instant::now();
    (1..=500).for_each(|n| gateway.put("/app/a", &n.to_string()));
    let took = begun.elapsed();
    sees(&reloader, "500");
    // However often it changes, it is asked at most 20 times in a second.
    let asked = etcd.answers() - before;
    eprintln!("asked {asked} times in {took:?}");
    let most = begun.elapsed().as_millis() / 50 + 2;
    assert!(
        u128::from(asked) <= most,
        "asked {asked} times, at most {most}"
    );
}

fn with_users(etcd: &Etcd) {
    etcd.ctl(&["user", "add", "root:r00t"]);
    etcd.ctl(&["user", "grant-role", "root", "root"]);
    etcd.ctl(&["role", "add", "reader"]);
    etcd.ctl(&[
        "role",
        "grant-permission",
        "reader",
        "--prefix=true",
        "read",
        "/app/",
    ]);
    etcd.ctl(&["user", "add", "app:c4nary-pw"]);
    etcd.ctl(&["user", "grant-role", "app", "reader"]);
    etcd.ctl(&["auth", "enable"]);
}

#[test]
fn g06_a_user_and_a_password_that_is_never_shown() {
    if !is_there() {
        return;
    }
    // A token is good for a second.
    let etcd = Etcd::start_with("http", |_| vec!["--auth-token-ttl=1".into()]);
    etcd.put("/app/a", "one");
    etcd.put("/other", "theirs");
    let source = |password: &str| {
        let source = Source::etcd([etcd.url()]).prefix("/app/").every(ms(50));
        source.user("app", Secret::new(password.into()))
    };
    // Where there are no users, nobody asks for one.
    let before = started(source("wrong"));
    with_users(&etcd);
    let root = |args: &[&str]| etcd.ctl(&[&["--user", "root:r00t"], args].concat());
    load_fails(source("wrong"), "etcd rejects the user or the password");
    load_fails(polled(&etcd, "/app/"), "etcd wants a user and a password");
    let other = Source::etcd([etcd.url()]).key("/other");
    let other = other.user("app", Secret::new("c4nary-pw".into()));
    load_fails(other, "the user may not read these keys");
    wait_until("it is stale", || !before.status().stale.is_empty());
    assert_eq!(*before.handle().load(), "one");

    assert!(!format!("{:?}", source("c4nary-pw")).contains("c4nary"));
    let reloader = started(source("c4nary-pw\n"));
    for n in 0..3 {
        root(&["put", "/app/a", &n.to_string()]);
        sees(&reloader, &n.to_string());
        std::thread::sleep(ms(1200));
    }
    assert!(reloader.status().is_healthy(), "{}", reloader.status());
    // A password that was changed makes it stale, and what it had stays.
    let script = format!(
        "echo c4nary-2 | ETCDCTL_API=3 etcdctl --endpoints {} --user root:r00t \
         user passwd --interactive=false app",
        etcd.url()
    );
    let changed = Command::new("sh").args(["-c", &script]).output().unwrap();
    assert!(changed.status.success(), "{changed:?}");
    wait_until("it is stale", || !reloader.status().stale.is_empty());
    let said = format!("{}{:?}", reloader.status(), reloader.status());
    assert!(
        said.contains("etcd rejects the user or the password"),
        "{said}"
    );
    assert!(!said.contains("c4nary"), "{said}");
    assert_eq!(*reloader.handle().load(), "2");
}

fn put(etcd: &Etcd, value: &str) {
    wait_until("a majority takes it", || {
        etcd.try_ctl(&["put", "/app/a", value]).status.success()
    });
}

/// One member of three is killed, then the majority.
#[test]
fn g09_three_members_of_which_one_and_then_two_are_killed() {
    if !is_there() {
        return;
    }
    let mut members = Etcd::start_three();
    members[2].put("/app/a", "one");
    let urls: Vec<_> = members.iter().map(Etcd::url).collect();
    let source = Source::etcd(&urls).prefix("/app/");
    let source = source.every(ms(100)).timeout(Duration::from_secs(1));
    let reloader = started(source);
    put(&members[2], "two");
    sees(&reloader, "two");
    members[0].kill();
    put(&members[2], "three");
    sees(&reloader, "three");
    wait_until("it is healthy", || reloader.status().is_healthy());
    members[1].kill();
    wait_until("it is stale", || !reloader.status().stale.is_empty());
    let error = reloader.status().stale[0].error.to_string();
    assert!(
        urls.iter().all(|url| error.contains(url.as_str())),
        "{error}"
    );
    assert_eq!(*reloader.handle().load(), "three");
    members[0].run();
    members[1].run();
    put(&members[2], "four");
    sees(&reloader, "four");
    wait_until("it is healthy", || reloader.status().is_healthy());
}

/// Makes a private authority, and certificates of it for a server and a client.
fn certificates(folder: &std::path::Path) -> bool {
    let script = r#"
        openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=ca \
            -addext basicConstraints=critical,CA:TRUE
        echo 'subjectAltName=IP:127.0.0.1
extendedKeyUsage=serverAuth,clientAuth' > ext
        for name in server client; do
            openssl req -newkey rsa:2048 -nodes -keyout $name.key -out $name.csr -subj /O=$name
            openssl x509 -req -in $name.csr -CA ca.pem -CAkey ca.key -CAcreateserial \
                -out $name.pem -days 2 -extfile ext
        done"#;
    let mut shell = Command::new("sh");
    let made = shell.args(["-ec", script]).current_dir(folder).output();
    made.is_ok_and(|made| made.status.success())
}

#[test]
fn g06_tls_with_a_private_ca_and_a_client_certificate() {
    if !is_there() {
        return;
    }
    let made = std::cell::Cell::new(false);
    let etcd = Etcd::start_with("https", |folder| {
        made.set(certificates(folder));
        let file = |option: &str, name: &str| format!("--{option}={}", folder.join(name).display());
        vec![
            file("cert-file", "server.pem"),
            file("key-file", "server.key"),
            file("trusted-ca-file", "ca.pem"),
            "--client-cert-auth".into(),
        ]
    });
    assert!(made.get(), "openssl is needed");
    etcd.put("/app/a", "one");
    let read = |name: &str| fs::read(etcd.folder().join(name)).unwrap();
    let source = || Source::etcd([etcd.url()]).prefix("/app/").every(HOUR);
    load_fails(source(), "invalid peer certificate: UnknownIssuer");
    let error = builder(source().ca_certificate(read("ca.pem"))).load();
    assert!(matches!(error, Err(LoadError::Source(_))), "{error:?}");
    load_fails(source().ca_certificate("x"), "the CA certificate is no PEM");
    let (chain, key) = (read("client.pem"), Secret::new(read("client.key")));
    let source = source().ca_certificate(read("ca.pem"));
    let reloader = started(source.client_certificate(chain, key));
    etcd.put("/app/a", "two");
    sees(&reloader, "two");
}

#[test]
fn g18_a_start_while_etcd_is_down() {
    if !is_there() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let last_good = folder.path().join("last.good");
    let mut etcd = Etcd::start();
    etcd.put("/app/10.yaml", "one");
    etcd.put("/app/20.yaml", "two");
    let url = etcd.url();
    let start = || {
        let source = Source::etcd([&url]).prefix("/app/").every(ms(50));
        builder(source).last_known_good(&last_good).load().unwrap()
    };
    drop(start());
    etcd.kill();
    let reloader = start();
    assert_eq!(*reloader.handle().load(), "one|two");
    assert!(reloader.status().from_last_good);
    reloader.start().unwrap();
    etcd.run();
    etcd.waits_until_it_answers();
    etcd.put("/app/20.yaml", "new");
    sees(&reloader, "one|new");
    wait_until("it is healthy", || reloader.status().is_healthy());
}

#[test]
fn g19_after_a_drop_nobody_asks() {
    if !is_there() {
        return;
    }
    let etcd = Etcd::start();
    etcd.put("/app/a", "one");
    let reloader = started(Source::etcd([etcd.url()]).prefix("/app/").every(ms(10)));
    etcd.waits_for_answers();
    drop(reloader);
    let quiet = || {
        let asked = etcd.answers();
        std::thread::sleep(ms(100));
        etcd.answers() == asked
    };
    wait_until("nobody asks", quiet);
    // What watched ends, too.
    wait_until("the threads end", || {
        let threads = fs::read_dir("/proc/self/task").unwrap();
        let mut names =
            threads.filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok());
        !names.any(|name| name.starts_with("steadyconf-etcd"))
    });
}

#[test]
fn it_keeps_the_contract_of_a_detector() {
    if !is_there() {
        return;
    }
    let etcd = Arc::new(Etcd::start());
    let mut keys = (0..).map(|n| format!("/app/{n}"));
    detector_contract(|| {
        let key = keys.next().unwrap();
        let source = Source::etcd([etcd.url()]).key(&key).every(ms(10));
        let detector = FileDetector::of(source.without_watch()).settle(ms(5));
        let (etcd, mut gateway) = (etcd.clone(), Gateway::to(&etcd));
        let mut is_first = true;
        Subject::new(detector).write(move |bytes| {
            gateway.put_bytes(&key, bytes);
            // Nobody asks before the first poll, and a poll does not wait for an answer.
            if !std::mem::take(&mut is_first) {
                etcd.waits_for_answers();
            }
        })
    });
}

/// Restored, restarted and written to between two questions, until the revision, the number
/// of keys and the term are the same as before.
#[test]
fn g07_a_store_that_was_restored_to_the_same_revision() {
    if !is_there() {
        return;
    }
    let mut etcd = Etcd::start();
    etcd.put("/app/a", "old");
    let snapshot = etcd.save();
    etcd.put("/app/a", "lost");
    let reloader = started(polled(&etcd, "/app/").every(Duration::from_secs(5)));
    assert_eq!(*reloader.handle().load(), "lost");
    etcd.restore(&snapshot);
    etcd.run();
    etcd.waits_until_it_answers();
    etcd.put("/other", "x");
    sees(&reloader, "old");
}

/// The watch is right each time, though nothing changes.
#[test]
fn g07_the_same_value_does_not_wear_out_the_watch() {
    if !is_there() {
        return;
    }
    let etcd = Etcd::start();
    let mut gateway = Gateway::to(&etcd);
    gateway.put("/app/a", "one");
    let reloader = started(Source::etcd([etcd.url()]).key("/app/a").every(HOUR));
    for _ in 0..14 {
        let asked = etcd.answers();
        gateway.put("/app/a", "one");
        wait_until("it is asked", || etcd.answers() > asked);
    }
    gateway.put("/app/a", "two");
    sees(&reloader, "two");
    assert_eq!(reloader.handle().load().version().get(), 2);
}

#[test]
fn g07_the_watch_begins_again_after_trouble() {
    if !is_there() {
        return;
    }
    let mut etcd = Etcd::start();
    etcd.put("/app/a", "one");
    let source = Source::etcd([etcd.url()]).key("/app/a").every(HOUR);
    let reloader = started(source.timeout(ms(300)));
    // It hung, and whoever asked meanwhile got no answer.
    etcd.stop();
    reloader.reload(DEADLINE).outcome.unwrap_err();
    etcd.go_on();
    reloader.reload(DEADLINE).outcome.unwrap();
    etcd.put("/app/a", "two");
    sees(&reloader, "two");
    // Where the connection is cut, it is asked at once.
    etcd.kill();
    wait_until("it is stale", || !reloader.status().stale.is_empty());
    etcd.run();
    etcd.waits_until_it_answers();
    reloader.reload(DEADLINE).outcome.unwrap();
    etcd.put("/app/a", "three");
    sees(&reloader, "three");
    // The key was away.
    etcd.ctl(&["del", "/app/a"]);
    wait_until("it is stale", || !reloader.status().stale.is_empty());
    etcd.put("/app/a", "four");
    sees(&reloader, "four");
    wait_until("it is healthy", || reloader.status().is_healthy());
}

/// A server that says what it likes where etcd is expected.
fn says(answer: impl Fn(&str) -> String + Send + 'static) -> (String, Arc<AtomicUsize>) {
    let server = tiny_http::Server::http("127.0.0.1:0").unwrap();
    let url = format!("http://{}", server.server_addr());
    let asked = Arc::new(AtomicUsize::new(0));
    let counts = asked.clone();
    std::thread::spawn(move || {
        for request in server.incoming_requests() {
            if request.url() == "/v3/kv/range" {
                counts.fetch_add(1, Ordering::SeqCst);
            }
            let text = answer(request.url());
            let _ = request.respond(tiny_http::Response::from_string(text));
        }
    });
    (url, asked)
}

const GOOD: &str = r#"{"header":{"cluster_id":"1","revision":"7","raft_term":"2"},"count":"1",
    "kvs":[{"key":"L2FwcC9h","value":"b25l","mod_revision":"7"}]}"#;

#[test]
fn g09_nonsense_is_an_error_that_says_so() {
    let huge = format!("[{}", "0,".repeat(4 << 20));
    for (answer, what) in [
        ("", "the answer is not etcd's"),
        ("{}", "the answer is not etcd's"),
        ("<html>", "the answer is not etcd's"),
        (
            r#"{"header":{"revision":"7"},"kvs":[{"key":"%"}]}"#,
            "the answer is not etcd's",
        ),
        (&GOOD.replace("kvs", "kvz"), "the answer is not etcd's"),
        (&"[".repeat(100_000), "the answer is not etcd's"),
        (&huge, "larger than the limit of 1048576 bytes"),
    ] {
        let answer = answer.to_string();
        let (url, _) = says(move |_| answer.clone());
        load_fails(Source::etcd([url]).prefix("/app/"), what);
    }
}

/// A watch that is wrong again and again has it asked less and less.
#[test]
fn g09_a_watch_that_always_tells_of_a_change_is_believed_less() {
    let (url, asked) = says(|path| match path {
        "/v3/watch" => "{\"result\":{\"events\":[{}]}}\n".into(),
        _ => GOOD.into(),
    });
    let reloader = started(Source::etcd([url]).prefix("/app/").every(HOUR));
    assert_eq!(*reloader.handle().load(), "one");
    std::thread::sleep(ms(2000));
    // 50, 100, 200, 400, 800 ms after one another.
    let asked = asked.load(Ordering::SeqCst);
    assert!((3..=8).contains(&asked), "asked {asked} times");
    assert!(reloader.status().is_healthy());
}

/// Answers with these bytes, and goes on with `more` until nobody listens.
fn drips(head: &'static str, more: &'static str) -> (String, Receiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (hung_up, is_hung_up) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let hung_up = hung_up.clone();
            std::thread::spawn(move || serve(stream, head, more, &hung_up));
        }
    });
    (url, is_hung_up)
}

fn serve(mut stream: TcpStream, head: &str, more: &str, hung_up: &Sender<()>) {
    let mut asked = [0; 4096];
    while let Ok(read @ 1..) = stream.read(&mut asked) {
        if asked[..read].starts_with(b"POST /v3/watch") {
            let mut ok = stream.write_all(head.as_bytes());
            while ok.is_ok() {
                std::thread::sleep(ms(100));
                ok = stream.write_all(more.as_bytes());
            }
            let _ = hung_up.send(());
            return;
        }
        if asked[..read].starts_with(b"POST") {
            let length = GOOD.len();
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{GOOD}");
            stream.write_all(answer.as_bytes()).unwrap();
        }
    }
}

#[test]
fn g19_a_watch_that_never_ends_does_after_a_drop() {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let (url, hung_up) = drips(head, "e\r\n{\"result\":{}}\n\r\n");
    let reloader = started(Source::etcd([url]).prefix("/app/").every(HOUR));
    std::thread::sleep(ms(300));
    assert!(hung_up.try_recv().is_err());
    drop(reloader);
    hung_up.recv_timeout(DEADLINE).unwrap();
}

/// Whoever answers may repeat what it was asked with.
#[test]
fn g06_what_a_server_says_is_not_shown_with_secrets() {
    for message in ["{\"password\":\"c4nary\"}", "etcdserver: no c4nary here"] {
        let server = tiny_http::Server::http("127.0.0.1:0").unwrap();
        let url = format!("http://{}", server.server_addr());
        std::thread::spawn(move || {
            for request in server.incoming_requests() {
                let text = format!("{{\"code\":2,\"message\":{message:?}}}");
                let response = tiny_http::Response::from_string(text).with_status_code(500);
                let _ = request.respond(response);
            }
        });
        let source = Source::etcd([url]).key("x");
        let source = source.user("me", Secret::new("c4nary".into()));
        let error = builder(source).load().unwrap_err();
        let said = format!("{error}{error:?}");
        assert!(!said.contains("c4nary"), "{said}");
    }
}

/// One of two members asks for patience, and the other one fails.
#[test]
fn g09_the_patience_of_one_member_is_not_that_of_all() {
    let fails = |headers: &'static str| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(AtomicUsize::new(0));
        let counts = asked.clone();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let _ = stream.read(&mut [0; 4096]);
                counts.fetch_add(1, Ordering::SeqCst);
                let head = format!("HTTP/1.1 503 No\r\nConnection: close\r\n{headers}");
                let _ = stream.write_all(format!("{head}Content-Length: 0\r\n\r\n").as_bytes());
            }
        });
        (url, asked)
    };
    let (patient, asked) = fails("Retry-After: 3000\r\n");
    let (other, _) = fails("");
    let source = Source::etcd([patient, other]).key("x").every(ms(10));
    let builder = builder(Source::text("below", "x")).source(source.optional());
    let _reloader = builder.load().unwrap();
    wait_until("it is asked again", || asked.load(Ordering::SeqCst) >= 3);
}

#[test]
fn g09_a_load_waits_no_longer_than_it_was_told() {
    let silent = || {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        (listener, url)
    };
    let silent = [silent(), silent(), silent()];
    let source = |url: &str| Source::etcd([url]).key("x").timeout(HOUR);
    let mut builder = builder(source(&silent[0].1)).load_timeout(ms(200));
    for (_, url) in &silent[1..] {
        builder = builder.source(source(url));
    }
    let error = builder.load().unwrap_err().to_string();
    assert!(
        error.ends_with("etcd:x: it did not answer in time"),
        "{error}"
    );
}
