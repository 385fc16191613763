//! TOML without YAML: what a program gets that asks for no more.
#![cfg(all(feature = "std", feature = "toml", not(feature = "yaml")))]

use std::fs;
use std::time::Duration;

use serde::Deserialize;
use steadyconf::{Outcome, Reloader, Source};

#[derive(Deserialize)]
struct Config {
    port: u16,
    host: String,
}

#[test]
fn toml_is_read_without_yaml_and_yaml_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    fs::write(&path, "port = 80\nhost = \"a\"\n").unwrap();
    let reloader = Reloader::<Config>::from_file(&path)
        .load_at(Duration::ZERO, |until| until)
        .unwrap();
    let config = reloader.handle().load();
    assert_eq!((config.port, &*config.host), (80, "a"));
    fs::write(&path, "port = \"x\"\nhost = \"a\"\n").unwrap();
    let polls = [5000, 5100].map(|ms| reloader.poll_at(Duration::from_millis(ms)));
    let Ok(Outcome::Rejected(rejection)) = &polls[1] else {
        panic!("{polls:?}");
    };
    let said = rejection.problems()[0].to_string();
    assert!(
        said.contains("config.toml:1:8: port: expected a whole number"),
        "{said}"
    );

    let yaml = folder.path().join("config.yaml");
    fs::write(&yaml, "port: 80").unwrap();
    let error = Reloader::<Config>::builder()
        .source(Source::file(yaml))
        .load_at(Duration::ZERO, |until| until)
        .err()
        .unwrap();
    let expected = "config.yaml: this is YAML, which needs the feature `yaml` of steadyconf";
    assert!(error.to_string().contains(expected), "{error}");
}
