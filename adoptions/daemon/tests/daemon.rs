//! The program itself, run as a user runs it.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

struct World(tempfile::TempDir);

impl World {
    fn new() -> Self {
        World(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn run(&self, variables: &[(&str, &str)], arguments: &[&str]) -> Output {
        command(self.0.path(), variables)
            .args(arguments)
            .output()
            .unwrap()
    }

    fn shows(&self, variables: &[(&str, &str)], flags: &[&str]) -> String {
        let output = self.run(variables, &[&["--once"], flags].concat());
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().into()
    }
}

fn command(folder: &Path, variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_daemon"));
    command.current_dir(folder).envs(variables.iter().copied());
    command
}

#[test]
fn g13_each_source_wins_over_those_before_it() {
    let world = World::new();
    let shows = |variables: &[(&str, &str)], flags: &[&str]| world.shows(variables, flags);
    let defaults = "listen=127.0.0.1:8080 workers=4 log-level=info db.host=localhost db.max=10";
    assert_eq!(shows(&[], &[]), defaults);

    world.write(
        "daemon.yaml",
        "workers: 5\nlog-level: file\ndb: {max: 50, host: file}\n",
    );
    let file = "listen=127.0.0.1:8080 workers=5 log-level=file db.host=file db.max=50";
    assert_eq!(shows(&[], &[]), file);

    world.write("daemon.d/10.yaml", "workers: 6\nlog-level: drop-in\n");
    let drop_in = "listen=127.0.0.1:8080 workers=6 log-level=drop-in db.host=file db.max=50";
    assert_eq!(shows(&[], &[]), drop_in);

    let variables = [("DAEMON_LOG_LEVEL", "env"), ("DAEMON_DB__MAX", "70")];
    let env = "listen=127.0.0.1:8080 workers=6 log-level=env db.host=file db.max=70";
    assert_eq!(shows(&variables, &[]), env);

    let flags = ["--log-level", "flag", "--listen", "[::1]:80"];
    let all = "listen=[::1]:80 workers=6 log-level=flag db.host=file db.max=70";
    assert_eq!(shows(&variables, &flags), all);
}

#[test]
fn a_check_names_the_source_of_a_mistake() {
    let world = World::new();
    let check = |variables: &[(&str, &str)], flags: &[&str]| {
        let output = world.run(variables, &[&["--check-config"], flags].concat());
        let said = String::from_utf8(output.stderr).unwrap();
        (output.status.code(), said)
    };
    assert_eq!(check(&[], &[]).0, Some(0));
    let (code, said) = check(&[("DAEMON_WORKRES", "5")], &[]);
    assert_eq!(code, Some(3));
    assert!(said.contains("did you mean `workers`?"), "{said}");
    for (variables, flags, expected) in [
        (
            &[("DAEMON_DB__MAX", "many")][..],
            &[][..],
            "environment variable DAEMON_DB__MAX: db.max: expected a whole number",
        ),
        (
            &[],
            &["--workers", "0"],
            "set in code: workers: must be at least 1",
        ),
    ] {
        let (code, said) = check(variables, flags);
        assert_eq!(code, Some(1));
        assert!(said.contains(expected), "{said}");
    }
    world.write("daemon.yaml", "db:\n  max: []\n");
    let (code, said) = check(&[], &[]);
    assert_eq!(code, Some(1));
    assert!(said.contains("daemon.yaml:2:8: db.max: expected"), "{said}");
}

#[test]
fn a_check_reports_to_programs_as_json() {
    let world = World::new();
    world.write("daemon.yaml", "workers: 0\n");
    let output = world.run(&[], &["--check-config", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["ok"], false);
    assert_eq!(report["problems"][0]["path"], "workers");
    assert_eq!(report["problems"][0]["source"], "daemon.yaml");
    assert_eq!(report["problems"][0]["line"], 1);
}

#[test]
fn the_schema_accepts_a_part_and_rejects_a_misspelt_key() {
    let output = World::new().run(&[], &["--schema"]);
    let schema: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let is_valid = |text: &str| {
        let value: serde_json::Value = serde_yaml::from_str(text).unwrap();
        validator.is_valid(&value)
    };
    assert!(is_valid(include_str!("../daemon.yaml")));
    assert!(
        is_valid("db: {max: 5}"),
        "a layer may leave out what others have"
    );
    assert!(!is_valid("workres: 5"));
    assert!(!is_valid("db: {max: many}"));
}
