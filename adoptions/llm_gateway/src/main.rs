//! A small HTTP service whose models and keys change while it serves.
//!
//! ```sh
//! cargo run -p llm_gateway                       # with a file of its own
//! cargo run -p llm_gateway -- config.yaml 8080   # with yours
//! curl localhost:8080/                  # an answer, from the active snapshot
//! curl localhost:8080/-/config          # the status
//! curl -X POST localhost:8080/-/reload  # reload now; 422 and the reasons if refused
//! curl localhost:8080/metrics           # for Prometheus
//! kill -HUP $(pidof llm_gateway)        # the same, with --features signal
//! ```

use std::error::Error;
use std::fs;
use std::path::PathBuf;

use llm_gateway::gateway;
use llm_gateway::llm_config;
use steadyconf::Reloader;

fn main() -> Result<(), Box<dyn Error>> {
    log::set_logger(&PLAIN).map_err(|error| error.to_string())?;
    log::set_max_level(log::LevelFilter::Info);
    let mut arguments = std::env::args_os().skip(1);
    let path = match arguments.next() {
        Some(path) => PathBuf::from(path),
        None => sample()?,
    };
    let port = match arguments.next() {
        Some(port) => port.to_string_lossy().parse()?,
        None => 8080,
    };
    let gateway = match gateway::Gateway::from(Reloader::from_file(&path)) {
        Ok(gateway) => gateway,
        Err(error) => {
            eprintln!("{error}");
            std::process::exit(1);
        }
    };
    gateway.reloader().start()?;
    #[cfg(all(unix, feature = "signal"))]
    let _hangup = gateway.reloader().reload_on_sighup()?;
    let server = gateway::listen(("127.0.0.1", port))?;
    println!("serving http://{}; Ctrl-C ends", server.server_addr());
    println!("edit {} and save it, well or badly", path.display());
    gateway.serve(&server, 4);
    // It is never unblocked here. A supervisor starts it anew.
    Err("no more connections can be accepted".into())
}

/// A file to begin with, beside the program's other temporary things.
fn sample() -> std::io::Result<PathBuf> {
    let folder = std::env::temp_dir().join("steadyconf-llm-gateway");
    fs::create_dir_all(&folder)?;
    let path = folder.join("config.yaml");
    fs::write(&path, llm_config::SAMPLE)?;
    Ok(path)
}

static PLAIN: Plain = Plain;

/// Any logger will do; this one prints.
struct Plain;

impl log::Log for Plain {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let (level, target) = (record.level(), record.target());
        eprintln!("{level:5} {target}: {}", record.args());
    }

    fn flush(&self) {}
}
