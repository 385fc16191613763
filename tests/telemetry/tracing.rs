//! Log lines as events of `tracing`, with their fields. A file of its own, for there is
//! one subscriber in a process.

#[path = "../common/mod.rs"]
mod common;

use std::fmt::Debug;
use std::sync::Mutex;
use std::time::Duration;

use common::{Text, file, ms, save};
use log::{LevelFilter, Log, Metadata, Record};
use steadyconf::Reloader;
use tracing_core::field::{Field, Visit};
use tracing_core::span::{Attributes, Id};
use tracing_core::{Dispatch, Event, Subscriber};

static EVENTS: Mutex<Vec<String>> = Mutex::new(Vec::new());
static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Events;

impl Subscriber for Events {
    fn enabled(&self, _: &tracing_core::Metadata<'_>) -> bool {
        true
    }

    fn event(&self, event: &Event<'_>) {
        struct Text(String);
        impl Visit for Text {
            fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
                self.0 += &format!(" {}={value:?}", field.name());
            }
        }
        let metadata = event.metadata();
        let mut text = Text(format!("{} {}", metadata.level(), metadata.target()));
        event.record(&mut text);
        EVENTS.lock().unwrap().push(text.0);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &tracing_core::span::Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

struct Lines;

impl Log for Lines {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        LINES.lock().unwrap().push(record.args().to_string());
    }

    fn flush(&self) {}
}

#[test]
fn g20_each_line_is_an_event_with_its_fields() {
    log::set_logger(&Lines).unwrap();
    log::set_max_level(LevelFilter::Trace);
    let (_folder, path) = file("one");
    let reloader = Reloader::from_file_as(&path, Text)
        .settle(Duration::ZERO)
        .validate(|text, report| {
            if text == "bad" {
                report.add("here", "must not be bad");
            }
        })
        .load_at(ms(0), |until| until)
        .unwrap();
    // Nobody has set a subscriber: a line in the log.
    assert_eq!(LINES.lock().unwrap().len(), 1);
    assert!(EVENTS.lock().unwrap().is_empty());

    // One that another thread has for a while is not this thread's.
    std::thread::spawn(|| {
        let _scope = tracing_core::dispatcher::set_default(&Dispatch::new(Events));
    })
    .join()
    .unwrap();
    save(&path, "between");
    reloader.poll_at(ms(500)).unwrap();
    assert_eq!(LINES.lock().unwrap().len(), 2);

    tracing_core::dispatcher::set_global_default(Dispatch::new(Events)).unwrap();
    save(&path, "two");
    reloader.poll_at(ms(1000)).unwrap();
    save(&path, "bad");
    reloader.poll_at(ms(2000)).unwrap();
    let events = std::mem::take(&mut *EVENTS.lock().unwrap());
    let [applied, rejected] = &events[..] else {
        panic!("{events:#?}");
    };
    let digest = reloader.handle().load().digest();
    let name = path.display();
    assert_eq!(
        *applied,
        format!(
            "INFO steadyconf message=applied v3 {} in place of v2, from {name} attempt=3 version=3 \
             digest=\"{digest}\" origin=\"{name}\"",
            digest.short()
        )
    );
    assert!(
        rejected.starts_with("WARN steadyconf message=keeping v3; "),
        "{rejected}"
    );
    assert!(
        rejected.contains(" attempt=4 version=3 digest="),
        "{rejected}"
    );
    assert!(rejected.contains(" stage=\"validate\""), "{rejected}");
    // Not twice.
    assert_eq!(LINES.lock().unwrap().len(), 2);
}
