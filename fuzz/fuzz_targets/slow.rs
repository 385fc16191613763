//! Patterns that may take a parser long: what is before the first `0xff` once, and what
//! is behind it as often as it fits into 128 KiB. The finding is libFuzzer's timeout.

#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use steadyconf::engine::{Document, Engine};
use steadyconf::format::Yaml;

const BYTES: usize = 128 * 1024;

fuzz_target!(|bytes: &[u8]| {
    let mut parts = bytes.splitn(2, |byte| *byte == 0xff);
    let (Some(head), Some(body)) = (parts.next(), parts.next()) else {
        return;
    };
    if body.is_empty() || body.len() > 64 || head.len() > 64 {
        return;
    }
    let text = [head, &body.repeat(BYTES / body.len())].concat();
    let mut engine = Engine::<u8>::new(Yaml::new());
    engine.apply(Document::single("fuzz", text), Duration::ZERO);
});
