//! The metrics, read by Prometheus' own `promtool` where it is installed, and the alert
//! rules of the docs.
#![cfg(feature = "std")]

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::common::{Text, file, ms, save};
use steadyconf::Reloader;
use steadyconf::report::Stage;

/// `None`: it is not there.
fn promtool(arguments: &[&str], input: &str) -> Option<String> {
    let spawned = Command::new("promtool")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = spawned else {
        eprintln!("SKIPPED: promtool is not installed");
        return None;
    };
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{said}\n{input}");
    Some(said)
}

/// Returns the value of a sample.
fn value(text: &str, name: &str) -> f64 {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name} in {text}"))
        .parse()
        .unwrap()
}

#[test]
fn g20_the_metrics_tell_what_is_so_and_promtool_reads_them() {
    let (_folder, path) = file("one");
    let reloader = Reloader::from_file_as(&path, Text)
        .settle(Duration::ZERO)
        .validate(|text, report| {
            if text == "bad" {
                report.add("", "must not be bad");
            }
        })
        .load_at(ms(0), |until| until)
        .unwrap();
    let metrics = || reloader.status().prometheus("my-app");
    let text = metrics();
    assert_eq!(
        promtool(&["check", "metrics"], &text).unwrap_or_default(),
        ""
    );
    assert_eq!(value(&text, "my_app_config_last_reload_successful"), 1.0);
    let digest = reloader.handle().load().digest().to_string();
    let digest = digest.strip_prefix("sha256:").unwrap();
    assert_eq!(
        value(&text, &format!("my_app_config_info{{sha256=\"{digest}\"}}")),
        1.0
    );
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    let applied = value(&text, "my_app_config_applied_timestamp_seconds");
    assert!((now.as_secs_f64() - applied).abs() < 60.0, "{applied}");

    save(&path, "two");
    reloader.poll_at(ms(1000)).unwrap();
    save(&path, "bad");
    reloader.poll_at(ms(2000)).unwrap();
    save(&path, "three");
    reloader.poll_at(ms(3000)).unwrap();
    reloader.rollback().unwrap();
    std::fs::remove_file(&path).unwrap();
    reloader.poll_at(ms(4000)).unwrap_err();
    let text = metrics();
    assert_eq!(
        promtool(&["check", "metrics"], &text).unwrap_or_default(),
        ""
    );
    let total = |labels: &str| value(&text, &format!("my_app_config_reloads_total{{{labels}}}"));
    assert_eq!(total("outcome=\"applied\""), 3.0);
    assert_eq!(total("outcome=\"rolled_back\""), 1.0);
    assert_eq!(total("outcome=\"source_error\""), 1.0);
    assert_eq!(total("outcome=\"rejected\",stage=\"validate\""), 1.0);
    assert_eq!(total("outcome=\"rejected\",stage=\"parse\""), 0.0);
    assert_eq!(value(&text, "my_app_config_last_reload_successful"), 0.0);
    assert_eq!(value(&text, "my_app_config_quarantined"), 1.0);
    assert_eq!(value(&text, "my_app_config_consecutive_failures"), 1.0);
    let status = reloader.status();
    assert_eq!(
        (status.rejections, status.rejections_at(Stage::Validate)),
        (1, 1)
    );
}

#[test]
fn a_prefix_becomes_a_name_whatever_it_is() {
    let status = steadyconf::Status::default();
    for (prefix, begins) in [
        ("app", "# HELP app_config_last"),
        ("my-app.v2", "# HELP my_app_v2_config_last"),
        ("7zip", "# HELP _7zip_config_last"),
        ("", "# HELP config_last"),
        ("my\napp", "# HELP my_app_config_last"),
    ] {
        let text = status.prometheus(prefix);
        assert!(text.starts_with(begins), "{text}");
        promtool(&["check", "metrics"], &text);
    }
}

/// The rules are the docs' own, and name metrics that there are.
#[test]
fn the_alert_rules_of_the_docs_are_rules() {
    let docs = include_str!("../docs/operations.md");
    let (_, rest) = docs.split_once("```yaml\ngroups:").unwrap();
    let (rules, _) = rest.split_once("```").unwrap();
    let rules = format!("groups:{rules}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rules.yaml");
    std::fs::write(&path, &rules).unwrap();
    if let Some(said) = promtool(&["check", "rules", path.to_str().unwrap()], "") {
        assert!(said.contains("SUCCESS: 7 rules found"), "{said}");
    }
    let metrics = steadyconf::Status::default().prometheus("myapp");
    for name in rules.split(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
        let is_metric = name.starts_with("myapp_config_") && !name.ends_with("_timestamp_seconds");
        let known = name == "myapp_config_info" || metrics.contains(&format!("# TYPE {name} "));
        assert!(!is_metric || known, "{name}");
    }
}
