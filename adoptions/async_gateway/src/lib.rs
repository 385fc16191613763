//! A gateway in front of a model, with axum: its handlers read the configuration that is
//! active, a task awaits changes of it, and nothing blocks the executor.
//!
#![doc = include_str!("../../../docs/async.md")]

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Json;
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Value, json};
use steadyconf::engine::Built;
use steadyconf::{Handle, Reloader, Report};

/// What an operator writes.
#[derive(Debug, Deserialize, PartialEq)]
pub struct Config {
    /// The name of the model.
    pub model: String,
    /// How long a request may take.
    pub timeout_ms: u64,
}

/// What is made of it: a connection, say.
#[derive(Debug)]
pub struct Client {
    model: String,
}

/// Both together: what a handler gets by one load.
pub type Live = Built<Config, Client>;

/// Makes a client for this configuration.
pub fn connect(config: &Config) -> Result<Client, Infallible> {
    let model = config.model.clone();
    Ok(Client { model })
}

fn check(config: &Config, report: &mut Report) {
    if config.timeout_ms == 0 {
        report.add("timeout_ms", "must be at least 1");
    }
}

/// Loads, and refuses to start on a bad file. It blocks: call it before the runtime
/// starts, or in `spawn_blocking`.
pub fn load(path: &str) -> Result<Reloader<Live>, steadyconf::LoadError> {
    Reloader::from_file(path)
        .interval(Duration::from_millis(200))
        .validate(check)
        .build(connect)
        .load()
}

/// What the handlers share.
#[derive(Clone)]
pub struct Gateway {
    reloader: Arc<Reloader<Live>>,
    live: Handle<Live>,
}

/// The pages. `reloader` ends with the last of them.
pub fn app(reloader: Arc<Reloader<Live>>) -> axum::Router {
    let live = reloader.handle();
    axum::Router::new()
        .route("/", get(chat))
        .route("/-/reload", post(reload))
        .route("/metrics", get(metrics))
        .with_state(Gateway { reloader, live })
}

/// One load for the whole request: whatever comes meanwhile, it sees one configuration and
/// the client that was made from it.
async fn chat(State(gateway): State<Gateway>) -> Json<Value> {
    let live = gateway.live.load();
    let configured = live.config.model.clone();
    // As a request to the model would: it lets others run, while it holds the snapshot.
    tokio::task::yield_now().await;
    Json(json!({
        "version": live.version().get(),
        "configured": configured,
        "connected": live.state.model,
    }))
}

/// A reload waits for the file to settle and for whatever the listeners do, so it has a
/// thread of its own.
async fn reload(State(gateway): State<Gateway>) -> (StatusCode, String) {
    let reload = move || gateway.reloader.reload(Duration::from_secs(10));
    match tokio::task::spawn_blocking(reload).await {
        Ok(receipt) if receipt.is_good() => (StatusCode::OK, receipt.to_string()),
        Ok(receipt) => (StatusCode::UNPROCESSABLE_ENTITY, receipt.to_string()),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    }
}

async fn metrics(State(gateway): State<Gateway>) -> String {
    gateway.reloader.status().prometheus("gateway")
}

/// Awaits changes, and follows the timeout until the reloader is gone: what a task does
/// that is not a handler.
pub async fn follow(live: Handle<Live>, timeout_ms: Arc<AtomicU64>) {
    let mut seen = live.load();
    loop {
        timeout_ms.store(seen.config.timeout_ms, Ordering::Relaxed);
        match live.changed(seen.version()).await {
            Ok(newer) => seen = newer,
            Err(_stopped) => return,
        }
    }
}
