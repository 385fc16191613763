//! Validation by `garde`: five lines turn its errors into ours, with their paths, so
//! that they get their place in the file.
//!
//! ```sh
//! cargo run -p garde_example
//! ```

use garde::Validate;
use serde::Deserialize;
use steadyconf::engine::{Document, Engine};
use steadyconf::format::Yaml;
use steadyconf::{Outcome, Report};

#[derive(Deserialize, Validate)]
struct Config {
    #[garde(length(min = 1, max = 63))]
    name: String,
    #[garde(dive)]
    servers: Vec<Server>,
}

#[derive(Deserialize, Validate)]
struct Server {
    #[garde(pattern(r"^[a-z0-9.-]+$"))]
    host: String,
    #[garde(range(min = 1024))]
    port: u16,
}

fn check(config: &Config, report: &mut Report) {
    if let Err(errors) = config.validate() {
        for (path, error) in errors.iter() {
            report.add(path.to_string(), error.to_string());
        }
    }
}

/// What a program with this schema says of a file.
fn judge(text: &str) -> Outcome {
    let mut engine = Engine::new(Yaml::new()).validate(check);
    let document = Document::single("config.yaml", text.as_bytes());
    let outcome = engine.apply(document, core::time::Duration::ZERO);
    if let Some(config) = engine.active() {
        let servers = config.servers.iter().map(|server| &server.host);
        println!("{} has {:?}", config.name, servers.collect::<Vec<_>>());
    }
    outcome
}

const BAD: &str =
    "name: ''\nservers:\n  - {host: a.example, port: 80}\n  - {host: A B, port: 8080}\n";

fn main() {
    println!("{:?}", judge(BAD));
    println!(
        "{:?}",
        judge("name: x\nservers: [{host: a.example, port: 8080}]\n")
    );
}

#[test]
fn its_errors_have_path_and_place() {
    let Outcome::Rejected(rejection) = judge(BAD) else {
        panic!("not rejected");
    };
    let problems = rejection.problems().iter().map(ToString::to_string);
    assert_eq!(
        problems.collect::<Vec<_>>(),
        [
            "config.yaml:1:7: name: length is lower than 1",
            "config.yaml:3:29: servers[0].port: lower than 1024",
            "config.yaml:4:12: servers[1].host: does not match pattern /^[a-z0-9.-]+$/",
        ]
    );
}
