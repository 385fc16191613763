//! `docs/promises.md` lists the tests of each promise: all that there are, and no others.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Returns the numbers at the beginning of a test's name: `g01_g15_…` has 1 and 15.
fn numbers(name: &str) -> impl Iterator<Item = u32> {
    let parts = name.split('_');
    parts.map_while(|part| part.strip_prefix('g')?.parse().ok())
}

fn sources(folder: &Path, code: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap();
        if path.is_dir() && name != "target" && name != "no_std_proof" {
            sources(&path, code);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            *code += &fs::read_to_string(&path).unwrap();
        }
    }
}

#[test]
fn each_promise_lists_its_tests() {
    if !fs::exists("adoptions").unwrap() {
        eprintln!("SKIPPED: some of the tests are not in the package");
        return;
    }
    let mut code = String::new();
    for folder in ["tests", "src", "adoptions"] {
        sources(Path::new(folder), &mut code);
    }
    let mut written = BTreeSet::new();
    for rest in code.split("fn g").skip(1) {
        let name = rest.split('(').next().unwrap();
        let name = format!("g{name}");
        let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if is_name && rest[name.len() - 1..].starts_with("()") {
            written.extend(numbers(&name).map(|number| (number, name.clone())));
        }
    }
    let page = fs::read_to_string("docs/promises.md").unwrap();
    let mut listed = BTreeSet::new();
    let mut number = 0;
    for line in page.lines() {
        if let Some(heading) = line.strip_prefix("## G") {
            number = heading.parse().unwrap();
        }
        if let Some(name) = line.strip_prefix("- `") {
            listed.insert((number, name.trim_end_matches('`').to_string()));
        }
    }
    let missing: Vec<_> = written.difference(&listed).collect();
    assert!(missing.is_empty(), "not in docs/promises.md: {missing:?}");
    let gone: Vec<_> = listed.difference(&written).collect();
    assert!(
        gone.is_empty(),
        "in docs/promises.md, and nowhere else: {gone:?}"
    );
    let promises: BTreeSet<_> = listed.iter().map(|(number, _)| *number).collect();
    assert_eq!(promises, (1..=20).collect());
}
