//! A program's own `--check-config`.

use std::fs;
use std::time::Duration;

use crate::common::file;
use serde_json::{Value, json};
use steadyconf::engine::UnknownKeys;
use steadyconf::{Builder, LoadError, Reloader, Secret};

#[derive(serde::Deserialize)]
#[allow(dead_code, reason = "it is read, and not used")]
struct Config {
    port: u16,
    api_key: Secret<String>,
    #[serde(default)]
    limit: u8,
}

const CANARY: &str = "sk-canary-1234";

/// Its exit code, what is printed for people, and what is printed for programs.
fn check_config(builder: Builder<Config>) -> (u8, String, Value) {
    let builder = builder.settle(Duration::ZERO).validate(|config, report| {
        if config.port == 0 {
            report.add("port", "must be at least 1");
        }
        if config.limit == 0 {
            report.add("limit", "must be at least 1");
        }
    });
    let (code, text, json) = match builder.check() {
        Ok(good) => (good.exit_code(), good.to_string(), good.to_json()),
        Err(bad) => (bad.exit_code(), bad.to_string(), bad.to_json()),
    };
    assert!(!json.contains('\n'), "one line");
    for said in [&text, &json] {
        assert!(!said.contains("canary"), "{said}");
    }
    (code, text, serde_json::from_str(&json).unwrap())
}

fn check_text(text: &str) -> (u8, String, Value) {
    let (folder, path) = file(text);
    let (code, said, mut json) = check_config(Reloader::from_file(&path));
    // The folder is another one each time.
    let folder = format!("{}/", folder.path().display());
    let said = said.replace(&folder, "");
    for list in ["problems", "warnings"] {
        for problem in json[list].as_array_mut().unwrap() {
            let source = problem["source"].as_str().unwrap().replace(&folder, "");
            problem["source"] = source.into();
        }
    }
    (code, said, json)
}

fn digest(text: &str) -> String {
    steadyconf::engine::Digest::of(text.as_bytes()).to_string()
}

#[test]
fn a_good_configuration_exits_with_0() {
    let text = format!("port: 80\napi_key: {CANARY}\nlimit: 1\n");
    let (code, said, json) = check_text(&text);
    assert_eq!(code, 0);
    assert!(
        said.starts_with("sha256:") && said.ends_with(" is good"),
        "{said}"
    );
    let expected = json!({
        "ok": true, "problems": [], "more": 0, "warnings": [], "digest": digest(&text)
    });
    assert_eq!(json, expected);
}

#[test]
fn a_configuration_with_warnings_exits_with_3() {
    let text = format!("port: 80\napi_key: {CANARY}\nlimit: 1\nlimits: 1\n\"a\\nb\": 1\n");
    let (code, said, json) = check_text(&text);
    assert_eq!(code, 3);
    let lines: Vec<_> = said.lines().skip(1).collect();
    assert!(
        said.lines()
            .next()
            .unwrap()
            .ends_with(" is good, with 2 warnings:")
    );
    assert_eq!(
        lines[0],
        "  config.yaml:4:1: limits: unknown key; did you mean `limit`?"
    );
    assert_eq!(lines.len(), 2, "{said}");
    assert_eq!((&json["ok"], &json["problems"]), (&json!(true), &json!([])));
    assert_eq!(
        json["warnings"][0],
        json!({
            "path": "limits", "message": "unknown key; did you mean `limit`?",
            "source": "config.yaml", "line": 4, "column": 1
        })
    );
    assert_eq!(json["digest"], digest(&text));
}

#[test]
fn unknown_keys_that_are_allowed_are_no_warnings() {
    let (_folder, path) = file("port: 80\napi_key: a\nlimit: 1\nlimits: 1\n");
    let build = || Reloader::<Config>::from_file(&path).settle(Duration::ZERO);
    let allowed = build().unknown_keys(UnknownKeys::Allow).check().unwrap();
    assert_eq!((allowed.exit_code(), allowed.warnings().len()), (0, 0));
    let rejected = build().unknown_keys(UnknownKeys::Reject).check();
    assert_eq!(rejected.unwrap_err().exit_code(), 1);
    let warned = build().check().unwrap();
    assert_eq!((warned.exit_code(), warned.warnings().len()), (3, 1));
    assert_eq!(warned.warnings()[0].path(), "limits");
    assert_eq!((warned.port, warned.loaded().port), (80, 80));
}

#[test]
fn g06_a_rejected_one_exits_with_1_and_says_no_secret() {
    let text = format!("port: 0\napi_key: {CANARY}\n");
    let (code, said, json) = check_text(&text);
    assert_eq!(code, 1);
    assert!(
        said.contains("config.yaml:1:7: port: must be at least 1"),
        "{said}"
    );
    let problems = json["problems"].as_array().unwrap();
    assert_eq!(problems.len(), 2, "all of them");
    assert_eq!(
        problems[0],
        json!({
            "path": "port", "message": "must be at least 1",
            "source": "config.yaml", "line": 1, "column": 7
        })
    );
    assert_eq!(
        (&json["ok"], &json["warnings"]),
        (&json!(false), &json!([]))
    );
    assert_eq!(json["digest"], digest(&text));

    for text in [
        format!("port: {CANARY}\napi_key: a\n"),
        format!("port: 80\napi_key: [{CANARY}]\n"),
        format!("port: 80\napi_key: \"{CANARY}\n"),
        format!("port: 80\napi_key: a\n{CANARY}"),
    ] {
        let (code, _, json) = check_text(&text);
        assert_eq!((code, json["problems"].as_array().unwrap().len()), (1, 1));
    }
}

#[test]
fn g05_a_missing_file_has_a_source_and_no_digest() {
    let (_folder, path) = file("");
    fs::remove_file(&path).unwrap();
    let (code, _, json) = check_config(Reloader::from_file(&path));
    assert_eq!(code, 1);
    let problem = json!({
        "path": "", "message": "no such file",
        "source": path.to_str().unwrap(), "line": null, "column": null
    });
    let expected = json!({
        "ok": false, "problems": [problem], "more": 0, "warnings": [], "digest": null
    });
    assert_eq!(json, expected);
}

#[test]
fn problems_that_are_left_out_are_counted() {
    let (_folder, path) = file("1");
    let checked = Reloader::<u32>::from_file(&path)
        .settle(Duration::ZERO)
        .validate(|_, report| (0..1000).for_each(|_| report.add("", "bad")))
        .check();
    let Err(error @ LoadError::Rejected(_)) = checked else {
        panic!("{checked:?}");
    };
    let json: Value = serde_json::from_str(&error.to_json()).unwrap();
    let said = json["problems"].as_array().unwrap().len() as u64;
    assert_eq!(said + json["more"].as_u64().unwrap(), 1000);
    assert!(said < 1000);
}

#[test]
fn g06_any_text_is_one_json_string() {
    let all: Vec<char> = ('\0'..='\u{2fff}')
        .chain('\u{ff00}'..='\u{10fff}')
        .collect();
    let (_folder, path) = file("1");
    // A message is cut at 1024 bytes.
    for text in all.chunks(250).map(String::from_iter) {
        let message = text.clone();
        let checked = Reloader::<u32>::from_file(&path)
            .settle(Duration::ZERO)
            .validate(move |_, report| report.add("", message.clone()))
            .check();
        let json = checked.unwrap_err().to_json();
        assert!(!json.contains(char::is_control), "{json}");
        let read: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(read["problems"][0]["message"], text);
    }
}
