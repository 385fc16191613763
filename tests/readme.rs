//! The README names tests for its promises; each has to exist.

use std::fs;

#[test]
fn every_test_that_the_readme_names_exists() {
    if !fs::exists("adoptions").unwrap() {
        eprintln!("SKIPPED: some of the tests are not in the package");
        return;
    }
    let readme = fs::read_to_string("README.md").unwrap();
    let mut code = String::new();
    let folders = [
        "tests",
        "tests/alone",
        "tests/network",
        "tests/oracles",
        "tests/telemetry",
        "adoptions/async_gateway/tests",
        "adoptions/llm_gateway/tests",
        "src/host",
        "src/host/file",
        "src/host/remote",
        "src/host/remote/etcd",
        "src/host/last_good",
        "src/engine",
        "src/format",
    ]
    .map(|folder| fs::read_dir(folder).unwrap());
    for entry in folders.into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            code += &fs::read_to_string(path).unwrap();
        }
    }
    let named: Vec<_> = readme
        .split('`')
        .filter(|word| word.starts_with('g') && word[1..].starts_with(|c: char| c.is_ascii_digit()))
        .collect();
    assert!(named.len() > 30, "{named:?}");
    for name in named {
        assert!(code.contains(&format!("fn {name}()")), "{name}");
    }
}
