//! A detector of one's own: configuration that is a row in a database, with a
//! revision that tells whether there is anything new to read.

use std::error::Error;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use steadyconf::Reloader;
use steadyconf::engine::{Detector, Document, Sighting};
use steadyconf::format::Yaml;
use steadyconf::report::{DetectError, DetectErrorKind};

/// What the database would hold.
#[derive(Default)]
struct Row {
    revision: u64,
    content: Option<Vec<u8>>,
}

type Table = Arc<Mutex<Row>>;

/// The detector: which table, and which revision was offered last. A row is
/// written in one transaction, so there is nothing to wait out.
struct RowDetector {
    table: Table,
    offered: Option<Document>,
    revision: u64,
}

impl Detector for RowDetector {
    fn poll(&mut self, _now: Duration) -> Result<Sighting, DetectError> {
        let row = self.table.lock().unwrap();
        let Some(content) = &row.content else {
            let kind = DetectErrorKind::NotFound;
            return Err(DetectError::new(kind, "table config", "no such row"));
        };
        if row.revision == self.revision {
            return Ok(Sighting::Unchanged);
        }
        self.revision = row.revision;
        let document = Document::single("table config", content.clone());
        if self.offered.as_ref() == Some(&document) {
            return Ok(Sighting::Unchanged);
        }
        self.offered = Some(document.clone());
        Ok(Sighting::Changed(document))
    }

    fn refresh(&mut self) {
        self.revision = 0;
    }
}

fn write(table: &Table, content: Option<&[u8]>) {
    let mut row = table.lock().unwrap();
    row.revision += 1;
    row.content = content.map(<[u8]>::to_vec);
}

fn main() -> Result<(), Box<dyn Error>> {
    let table = Table::default();
    let detector = RowDetector {
        table: table.clone(),
        offered: None,
        revision: 0,
    };
    write(&table, Some(b"workers: 4"));
    let reloader = Reloader::<Config>::with_detector(detector, Yaml::new()).load()?;
    let config = reloader.handle();
    for text in [Some("workers: 8"), Some("workers: many"), None] {
        write(&table, text.map(str::as_bytes));
        let outcome = reloader.poll_once();
        println!("{text:?} gives {outcome:?}");
        println!("  and there are {} workers", config.load().workers);
    }
    assert_eq!(config.load().workers, 8);
    keeps_the_contract();
    Ok(())
}

#[derive(serde::Deserialize)]
struct Config {
    workers: u32,
}

/// Any detector can be run against the suite of the feature `testing`.
fn keeps_the_contract() {
    steadyconf::testing::detector_contract(|| {
        let table = Table::default();
        let (writes, removes) = (table.clone(), table.clone());
        let detector = RowDetector {
            table,
            offered: None,
            revision: 0,
        };
        steadyconf::testing::Subject::new(detector)
            .write(move |bytes| write(&writes, Some(bytes)))
            .remove(move || write(&removes, None))
    });
    println!("and it keeps the contract of detectors");
}
