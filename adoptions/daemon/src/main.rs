//! A daemon as people write them. What it shows is how little of it is about
//! configuration: the types, and the list of sources in the order of their precedence.

use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use clap::Parser;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use steadyconf::engine::BoxError;
use steadyconf::{Builder, Reloader, Report, Source};

/// What the program works with.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Config {
    listen: String,
    workers: u16,
    log_level: String,
    db: Db,
}

#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
struct Db {
    host: String,
    max: u32,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            listen: "127.0.0.1:8080".into(),
            workers: 4,
            log_level: "info".into(),
            db: Db {
                host: "localhost".into(),
                max: 10,
            },
        }
    }
}

/// A daemon that prints its configuration whenever it changes.
#[derive(Parser)]
struct Cli {
    /// The configuration file.
    #[arg(long, default_value = "daemon.yaml")]
    config: PathBuf,
    /// A folder of drop-ins, which may be missing.
    #[arg(long, default_value = "daemon.d")]
    drop_ins: PathBuf,
    /// Check the configuration and exit: 0 if it is good, 1 if it is rejected, 3 if there
    /// are warnings.
    #[arg(long)]
    check_config: bool,
    /// Let the check print a report as JSON.
    #[arg(long)]
    json: bool,
    /// Print a JSON Schema of the configuration and exit.
    #[arg(long)]
    schema: bool,
    /// Print the configuration once and exit.
    #[arg(long)]
    once: bool,
    #[command(flatten)]
    flags: Flags,
}

/// What is said on the command line wins over everything else; what is not, says nothing.
#[derive(clap::Args, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Flags {
    /// The address to listen at.
    #[arg(long)]
    listen: Option<String>,
    /// How many threads work.
    #[arg(long)]
    workers: Option<u16>,
    /// How much is logged.
    #[arg(long)]
    log_level: Option<String>,
}

fn sources(cli: &Cli) -> Builder<Config> {
    Reloader::<Config>::builder()
        .source(Source::defaults(&Config::default()))
        .source(Source::file(&cli.config).optional())
        .source(Source::dir(&cli.drop_ins).optional())
        .source(Source::env("DAEMON"))
        .source(Source::values(&cli.flags))
        .validate(check)
}

fn check(config: &Config, report: &mut Report) {
    if config.workers == 0 {
        report.add("workers", "must be at least 1");
    }
}

fn show(config: &Config) {
    println!(
        "listen={} workers={} log-level={} db.host={} db.max={}",
        config.listen, config.workers, config.log_level, config.db.host, config.db.max
    );
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    if cli.schema {
        println!("{}", steadyconf::json_schema::<Config>());
        return ExitCode::SUCCESS;
    }
    if cli.check_config {
        return check_config(&cli);
    }
    match run(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn check_config(cli: &Cli) -> ExitCode {
    let checked = sources(cli).check();
    let (code, text, json) = match &checked {
        Ok(config) => (config.exit_code(), config.to_string(), config.to_json()),
        Err(error) => (error.exit_code(), error.to_string(), error.to_json()),
    };
    match cli.json {
        true => println!("{json}"),
        false => eprintln!("{text}"),
    }
    code.into()
}

fn run(cli: &Cli) -> Result<(), BoxError> {
    let reloader = sources(cli)
        .on_commit(|change| {
            show(&change.new);
            Ok(())
        })
        .load()?;
    let config = reloader.handle();
    show(&config.load());
    if cli.once {
        return Ok(());
    }
    reloader.start()?;
    loop {
        thread::sleep(Duration::from_secs(3600));
    }
}
