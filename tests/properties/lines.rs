//! Reads the lines of a printed configuration: which path each is about, and the origin
//! that it gives. Slow, and knows no more than what is printed.

#![allow(unreachable_pub, reason = "it is a part of a test")]

/// Where a step begins, and what it is.
enum Step {
    Key(usize, String),
    Item(usize, usize),
}

impl Step {
    fn column(&self) -> usize {
        match self {
            Step::Key(column, _) | Step::Item(column, _) => *column,
        }
    }
}

/// The path and the origin of every line.
pub fn lines(text: &str) -> Vec<(String, String)> {
    let mut steps: Vec<Step> = Vec::new();
    let mut lines = Vec::new();
    for line in text.lines() {
        let (content, origin) = line.rsplit_once("  # ").unwrap_or_else(|| panic!("{line}"));
        let mut rest = content.trim_start();
        let column = |rest: &str| content.len() - rest.len();
        while let Some(after) = rest.strip_prefix('-') {
            let here = column(rest);
            while steps.last().is_some_and(|step| step.column() > here) {
                steps.pop();
            }
            match steps.last_mut() {
                Some(Step::Item(column, index)) if *column == here => *index += 1,
                _ => steps.push(Step::Item(here, 0)),
            }
            rest = after.trim_start();
        }
        if let Some(key) = key(rest) {
            let here = column(rest);
            steps.retain(|step| step.column() < here);
            steps.push(Step::Key(here, key));
        }
        let path: Vec<_> = steps.iter().collect();
        lines.push((written(&path), origin.into()));
    }
    lines
}

fn key(rest: &str) -> Option<String> {
    let rest = match rest.strip_prefix('!') {
        Some(tagged) => tagged.split_once(' ')?.1,
        None => rest,
    };
    match rest.strip_prefix('"') {
        Some(quoted) => {
            let (key, after) = quoted.split_once('"')?;
            after.starts_with(':').then(|| key.into())
        }
        None => {
            let (key, after) = rest.split_once(':')?;
            let is_key = after.is_empty() || after.starts_with(' ');
            is_key.then(|| key.into())
        }
    }
}

fn written(steps: &[&Step]) -> String {
    let mut path = String::new();
    for step in steps {
        match step {
            Step::Item(_, index) => path += &format!("[{index}]"),
            Step::Key(_, key) => path = super::tree::step(&path, key),
        }
    }
    path
}
