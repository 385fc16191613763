//! Listeners of the entries of a map, with the list of services of a proxy.

use std::collections::{BTreeMap, HashMap};

use crate::common::{Journal, catch, doc, ms};
use steadyconf::engine::{Document, Engine, Format, Limits, Notes};
use steadyconf::report::EntryChange;
use steadyconf::{Change, Outcome, Report, Version};

/// The services that a proxy forwards to, by name.
#[derive(Debug, PartialEq)]
struct Service {
    bind_addr: String,
}

struct Config {
    services: HashMap<String, Service>,
    /// What no listener of the services asks about.
    retries: usize,
}

/// Reads `ssh=:22 dns=:53`, where each `+` is one more retry.
struct Services;

impl Format<Config> for Services {
    fn parse(&self, document: &Document, _: &Limits, _: &mut Notes) -> Result<Config, Report> {
        let text = std::str::from_utf8(document.layers()[0].bytes()).unwrap();
        let pairs = text.split_whitespace().filter_map(|s| s.split_once('='));
        let services = pairs.map(|(name, bind_addr)| {
            let bind_addr = bind_addr.to_string();
            (name.to_string(), Service { bind_addr })
        });
        Ok(Config {
            services: services.collect(),
            retries: text.matches('+').count(),
        })
    }
}

fn line(name: &str, change: EntryChange<'_, Service>) -> String {
    match change {
        EntryChange::Added(new) => format!("added {name} {}", new.bind_addr),
        EntryChange::Removed(old) => format!("removed {name} {}", old.bind_addr),
        EntryChange::Changed { old, new } => {
            format!("changed {name} {} {}", old.bind_addr, new.bind_addr)
        }
    }
}

/// A proxy that notes what it is notified of.
fn proxy() -> (Journal, Engine<Config>) {
    let journal = Journal::default();
    let notes = journal.clone();
    let engine = Engine::new(Services).catch(catch).on_change_of_each(
        |config: &Config| &config.services,
        move |name, change| {
            notes.note(line(name, change));
            match change.after().map(|new| new.bind_addr.as_str()) {
                Some(":80") => Err(format!("{name}: cannot bind").into()),
                Some(":66") => panic!("secret-in-a-panic"),
                _ => Ok(()),
            }
        },
    );
    (journal, engine)
}

fn apply(engine: &mut Engine<Config>, text: &str) -> Outcome {
    engine.apply(doc(text), ms(0))
}

#[test]
fn g14_each_entry_that_differs_is_notified_of_once_in_key_order() {
    let (journal, mut engine) = proxy();
    apply(&mut engine, "web=:8080 ssh=:22 dns=:53 vpn=:51");
    assert!(journal.take().is_empty(), "there is no change at the first");
    apply(&mut engine, "vpn=:51 web=:8081 irc=:194 dns=:53 amqp=:5672");
    assert_eq!(
        journal.take(),
        [
            "added amqp :5672",
            "added irc :194",
            "removed ssh :22",
            "changed web :8080 :8081",
        ]
    );
    let outcome = apply(
        &mut engine,
        "amqp=:5672 dns=:53 irc=:194 vpn=:51 web=:8081 +",
    );
    assert_eq!(outcome, Outcome::Applied(Version::new(3)));
    assert_eq!(engine.active().unwrap().retries, 1);
    assert!(journal.take().is_empty(), "no service changed");
}

#[test]
fn g17_a_rollback_notifies_of_the_reverse() {
    let (journal, mut engine) = proxy();
    apply(&mut engine, "ssh=:22 web=:8080");
    apply(&mut engine, "dns=:53 web=:8081");
    journal.take();
    engine.rollback(ms(1)).unwrap();
    assert_eq!(
        journal.take(),
        [
            "removed dns :53",
            "added ssh :22",
            "changed web :8081 :8080"
        ]
    );
}

#[test]
fn g02_of_a_vetoed_change_no_entry_is_notified_of() {
    let (journal, engine) = proxy();
    struct Vetoes;
    impl steadyconf::Listener<Config> for Vetoes {
        fn prepare(&mut self, change: &Change<Config>) -> Result<(), steadyconf::engine::BoxError> {
            match change.new.services.contains_key("bad") {
                true => Err("no".into()),
                false => Ok(()),
            }
        }

        fn commit(&mut self, _: &Change<Config>) -> Result<(), steadyconf::engine::BoxError> {
            Ok(())
        }
    }
    let mut engine = engine.listener("vetoes", Vetoes);
    apply(&mut engine, "ssh=:22");
    let outcome = apply(&mut engine, "bad=:1");
    assert!(matches!(outcome, Outcome::Vetoed { .. }), "{outcome:?}");
    assert!(journal.take().is_empty());
}

#[test]
fn g03_an_entry_that_fails_does_not_hide_the_others() {
    let (journal, mut engine) = proxy();
    apply(&mut engine, "none");
    apply(&mut engine, "a=:80 b=:80 c=:1");
    assert_eq!(journal.take(), ["added a :80", "added b :80", "added c :1"]);
    let status = engine.status();
    let [error] = &*status.listener_errors else {
        panic!("{:?}", status.listener_errors);
    };
    let text = error.to_string();
    assert!(text.contains("tests/each.rs:"), "{text}");
    assert!(text.ends_with(": a: cannot bind; b: cannot bind"), "{text}");

    apply(&mut engine, "a=:66 b=:2");
    assert_eq!(journal.take(), ["changed a :80 :66"]);
    let text = engine.status().listener_errors[0].to_string();
    assert!(!text.contains("secret-in"), "{text}");
    apply(&mut engine, "a=:1 b=:2");
    assert_eq!(journal.take(), ["changed a :66 :1"]);
    assert!(engine.status().listener_errors.is_empty());
}

#[test]
fn any_map_will_do_and_also_what_is_built() {
    struct Ordered;
    impl Format<BTreeMap<u8, u8>> for Ordered {
        fn parse(
            &self,
            document: &Document,
            _: &Limits,
            _: &mut Notes,
        ) -> Result<BTreeMap<u8, u8>, Report> {
            let bytes = document.layers()[0].bytes();
            Ok(bytes.chunks(2).map(|pair| (pair[0], pair[1])).collect())
        }
    }
    let journal = Journal::default();
    let (before, after) = (journal.clone(), journal.clone());
    let mut engine = Engine::new(Ordered)
        .on_change_of_each(
            |config| config,
            move |key, change| {
                let (old, new) = (change.before(), change.after());
                before.note(format!("{key} {old:?} {new:?} {change:?}"));
                Ok(())
            },
        )
        .build(|config: &BTreeMap<u8, u8>| Ok::<_, String>(config.clone()))
        .on_change_of_each(
            |built| &built.state,
            move |key, change| {
                after.note(format!("built {key} {:?}", change.after()));
                Ok(())
            },
        );
    engine.apply(Document::single("test", [1, 1, 2, 2]), ms(0));
    engine.apply(Document::single("test", [2, 3, 3, 3]), ms(0));
    assert_eq!(
        journal.take(),
        [
            "1 Some(1) None Removed(..)",
            "2 Some(2) Some(3) Changed { .. }",
            "3 None Some(3) Added(..)",
            "built 1 None",
            "built 2 Some(3)",
            "built 3 Some(3)",
        ]
    );
}
