//! Where does this value come from? Two files and the environment make one configuration;
//! this prints all of it, with the origin of every line, and then explains single fields.
//!
//! `cargo run --example explain` makes the files and sets the variables by itself.
//! `cargo run --example explain -- server.port log` explains these fields.
//! `EXPLAIN_SERVER__HOST=::1 cargo run --example explain` adds a variable of yours.

use std::env;
use std::error::Error;
use std::fs;
use std::process::{Command, exit};

use serde::Deserialize;
use steadyconf::{Reloader, Secret, Source};

#[derive(Deserialize)]
#[allow(
    dead_code,
    reason = "the example prints what was read, and serves nothing"
)]
struct Config {
    server: Server,
    database: Database,
    #[serde(default)]
    log: Log,
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "as above")]
struct Server {
    host: String,
    port: u16,
    greeting: String,
    #[serde(default)]
    tags: Vec<String>,
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "as above")]
struct Database {
    url: Secret<String>,
    pool: u32,
}

#[derive(Default, Deserialize)]
#[serde(default)]
#[allow(dead_code, reason = "as above")]
struct Log {
    level: String,
    format: String,
}

/// What is delivered with the program.
const CONFIG: &str = "\
server:
  host: 127.0.0.1
  port: 8080
  greeting: |
    Hello.
    How may I help you?
  tags: [blue, \"01\"]
database: {url: postgres://app:hunter2@db/app, pool: 10}
";

/// What differs at this site.
const SITE: &str = "\
database:
  pool: 40
log:
  level: info
";

/// So is the program told that its files are there.
const READY: &str = "READY_TO_EXPLAIN";

fn main() -> Result<(), Box<dyn Error>> {
    match env::var_os(READY) {
        None => prepare(),
        Some(_) => explain(env::args().skip(1).collect()),
    }
}

/// Does the operator's part: makes the files, sets variables, and runs the program.
fn prepare() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    fs::write(folder.path().join("config.yaml"), CONFIG)?;
    fs::write(folder.path().join("site.yaml"), SITE)?;
    let mut program = Command::new(env::current_exe()?);
    program
        .current_dir(&folder)
        .env(READY, "")
        .args(env::args_os().skip(1));
    for (name, value) in [
        ("EXPLAIN_SERVER__PORT", "9090"),
        ("EXPLAIN_LOG__LEVEL", "debug"),
    ] {
        // Yours count more.
        if env::var_os(name).is_none() {
            program.env(name, value);
        }
    }
    let status = program.status()?;
    drop(folder);
    exit(status.code().unwrap_or(1));
}

/// Is the program.
fn explain(mut paths: Vec<String>) -> Result<(), Box<dyn Error>> {
    let reloader = Reloader::<Config>::from_file("config.yaml")
        .source(Source::file("site.yaml"))
        .source(Source::env("EXPLAIN"))
        .load()?;
    let config = reloader.handle().load();
    let effective = config.effective().ok_or("the format keeps no places")?;
    println!("{effective}");

    if paths.is_empty() {
        let some = [
            "server.port",
            "server.tags[1]",
            "database.url",
            "log.format",
        ];
        paths = some.map(String::from).into();
    }
    for path in paths {
        match config.origin(&path) {
            Some(place) => println!("{path} is from {place}"),
            None => println!("{path} is from no source: it has its default, or is no field"),
        }
    }
    Ok(())
}
