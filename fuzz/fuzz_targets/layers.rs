//! Several layers, whatever may be in them.
//!
//! The bytes are cut at each `0xff`, and each piece is a layer. What two or three of
//! them give has to be what they give a second time, every leaf has to name a layer that
//! is there, and nothing that is said of it may be endless. A panic anywhere is a finding.

#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use serde_yaml::Value;
use steadyconf::Outcome;
use steadyconf::engine::{Document, Engine, Layer};
use steadyconf::format::Yaml;

fuzz_target!(|bytes: &[u8]| {
    let layer = |(n, piece): (usize, &[u8])| Layer::new(format!("{n}.yaml"), piece);
    let pieces = bytes.split(|byte| *byte == 0xff).take(3);
    let layers: Vec<_> = pieces.enumerate().map(layer).collect();
    let names = layers.len();
    let mut engine = Engine::<Value>::new(Yaml::new()).on_commit(|change| {
        let diff = change.diff().to_string();
        assert!(diff.len() < 64 * 1024 * 1024, "endless");
        Ok(())
    });
    engine.apply(Document::single("first", *b"{a: 1}"), Duration::ZERO);
    let document = Document::new(layers);
    let outcome = engine.apply(document.clone(), Duration::ZERO);
    for event in engine.events() {
        assert!(event.to_string().len() < 100_000, "endless");
    }
    if let Outcome::Applied(_) = outcome {
        let snapshot = engine.active().expect("something is active").clone();
        if let Value::Mapping(map) = snapshot.value() {
            for key in map.keys().filter_map(Value::as_str).take(8) {
                if let Some(place) = snapshot.origin(&format!("[{key:?}]")) {
                    let n = place.origin().strip_suffix(".yaml").expect("one of them");
                    assert!(n.parse::<usize>().expect("one of them") < names);
                }
            }
        }
        let mut again = Engine::<Value>::new(Yaml::new());
        again.apply(document, Duration::ZERO);
        let again = again.active().expect("it was accepted before");
        assert!(format!("{:?}", again.value()) == format!("{:?}", snapshot.value()));
    }
});
