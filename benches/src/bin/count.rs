//! Does one thing so many times, and nothing else: `.ci/instructions` counts what it takes.

#[path = "../../../examples/llm_config/mod.rs"]
mod llm_config;

use std::hint::black_box;
use std::time::Duration;

use llm_config::{Config, check, of_size};
use steadyconf::engine::{Document, Engine, Format, Limits, Notes};
use steadyconf::format::Yaml;
use steadyconf::{Handle, Outcome, Reloader};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let what = arguments.next().unwrap_or_default();
    let times = arguments.next().and_then(|times| times.parse().ok());
    let times: u32 = times.unwrap_or(1);
    let mut once = work(&what);
    for _ in 0..times {
        once();
    }
}

fn work(what: &str) -> Box<dyn FnMut()> {
    let text = of_size(1000);
    match what {
        "serde_yaml" => Box::new(move || {
            drop(black_box(serde_yaml::from_slice::<Config>(black_box(
                text.as_bytes(),
            ))));
        }),
        "parse" => {
            let document = Document::single("bench.yaml", text.as_bytes());
            Box::new(move || {
                let parsed: Result<Config, _> =
                    Yaml::new().parse(black_box(&document), &Limits::default(), &mut Notes::new());
                drop(black_box(parsed));
            })
        }
        "apply" => {
            let changed = text.replacen("max_tokens: 1024", "max_tokens: 1025", 1);
            let mut documents =
                [&text, &changed].map(|text| Document::single("bench.yaml", text.as_bytes()));
            let mut engine = Engine::<Config>::new(Yaml::new()).validate(check);
            Box::new(move || {
                documents.swap(0, 1);
                let outcome = engine.apply(documents[0].clone(), Duration::ZERO);
                assert!(matches!(outcome, Outcome::Applied(_)));
            })
        }
        "idle" => {
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join("config.yaml");
            std::fs::write(&path, &text).expect("it can be written");
            let reloader = Reloader::<Config>::from_file(&path)
                .load_at(Duration::ZERO, |until| until)
                .expect("it is valid");
            let mut now = Duration::ZERO;
            let mut poll = move || {
                let _folder = &folder;
                now += Duration::from_secs(1);
                assert_eq!(reloader.poll_at(now), Ok(Outcome::Unchanged));
            };
            // Until its stamp is old enough to be trusted.
            (0..10).for_each(|_| poll());
            Box::new(poll)
        }
        "load" => {
            let handle = Handle::fixed(7_u64);
            Box::new(move || drop(black_box(black_box(&handle).load())))
        }
        "get" => {
            let mut reader = Handle::fixed(7_u64).reader();
            Box::new(move || {
                black_box(**black_box(&mut reader).get());
            })
        }
        other => panic!("what is {other:?}?"),
    }
}
