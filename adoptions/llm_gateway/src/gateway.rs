//! The service: what it builds from its configuration, and what it answers.

#![allow(
    unreachable_pub,
    reason = "each program that shares this file is a crate root of its own"
)]

use std::collections::BTreeMap;
use std::net::ToSocketAddrs;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use steadyconf::engine::Built;
use steadyconf::handle::Loaded;
use steadyconf::report::Rejection;
use steadyconf::{Builder, Handle, LoadError, Outcome, Reloader, Secret};
use tiny_http::{Header, Method, Request, Response, Server};

use crate::llm_config::{Config, check};

/// How long `POST /-/reload` waits for the file to hold still.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is built from a configuration, and read with it.
pub type State = Built<Config, Clients>;

/// One client for each provider.
pub struct Clients(BTreeMap<String, Client>);

/// Where a real one would keep connections, and the headers with the key.
pub struct Client {
    pub model: String,
    api_key: Option<Secret<String>>,
}

impl Clients {
    fn connect(config: &Config) -> Result<Self, String> {
        if config.llm_providers.is_empty() {
            return Err("there is no LLM provider to connect to".into());
        }
        let client = |provider: &crate::llm_config::LlmProvider| Client {
            model: provider.model_name.clone(),
            api_key: provider.api_key.clone(),
        };
        let clients = config.llm_providers.iter();
        let clients = clients.map(|provider| (provider.name.clone(), client(provider)));
        Ok(Clients(clients.collect()))
    }
}

impl Client {
    /// What the provider would say.
    fn chat(&self, prompt: &str) -> String {
        let paid = if self.api_key.is_some() {
            "with"
        } else {
            "without"
        };
        format!("{} answers {prompt:?}, {paid} a key", self.model)
    }
}

pub struct Gateway {
    reloader: Reloader<State>,
}

impl Gateway {
    /// Watches what the builder was made from. Refuses to start on a bad file.
    pub fn from(builder: Builder<Config>) -> Result<Self, LoadError> {
        let builder = builder.validate(check).build(Clients::connect);
        let reloader = builder.load()?;
        Ok(Gateway { reloader })
    }

    pub fn reloader(&self) -> &Reloader<State> {
        &self.reloader
    }

    /// Answers on this many threads, until the server is unblocked or can accept no more
    /// connections.
    pub fn serve(&self, server: &Server, threads: usize) {
        thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    let config = self.reloader.handle();
                    while let Ok(request) = server.recv() {
                        self.answer(request, &config);
                    }
                    // So that the next one ends, too.
                    server.unblock();
                });
            }
        });
    }

    fn answer(&self, request: Request, config: &Handle<State>) {
        let (status, body) = match (request.method(), request.url()) {
            // One load for the whole request: whatever happens meanwhile, it sees one
            // configuration and the clients that were built from it.
            (Method::Get, "/") => (200, chat(&config.load()).to_string()),
            (Method::Get, "/-/config") => (200, self.status().to_string()),
            (Method::Post, "/-/reload") => self.reload(),
            (Method::Get, "/metrics") => (200, self.reloader.status().prometheus("gateway")),
            _ => (404, json!({"error": "no such page"}).to_string()),
        };
        let kind = if body.starts_with('{') {
            "application/json"
        } else {
            "text/plain"
        };
        let header = Header::from_bytes("Content-Type", kind).expect("a valid header");
        let response = Response::from_string(body + "\n").with_status_code(status);
        // Whoever asked may be gone.
        let _ = request.respond(response.with_header(header));
    }

    /// The true outcome, also the second time it is asked.
    fn reload(&self) -> (u16, String) {
        let (status, body) = match self.reloader.reload(PATIENCE).outcome {
            Ok(Outcome::Applied(version)) => (200, json!({"applied": version.get()})),
            Ok(Outcome::Unchanged) => (200, json!({"unchanged": true})),
            Ok(Outcome::Rejected(rejection) | Outcome::Vetoed { rejection, .. }) => {
                (422, refused(&rejection))
            }
            Ok(outcome) => (409, json!({"error": outcome.to_string()})),
            Err(error) => (503, json!({"error": error.to_string()})),
        };
        (status, body.to_string())
    }

    /// No value of the configuration is in it.
    fn status(&self) -> Value {
        let status = self.reloader.status();
        let error = status.last_error.as_ref();
        json!({
            "healthy": status.is_healthy(),
            "version": status.version.map(steadyconf::Version::get),
            "digest": status.digest.map(|digest| digest.to_string()),
            "origins": status.origins.iter().map(|origin| &**origin).collect::<Vec<_>>(),
            "source_differs": status.source_differs,
            "from_last_known_good": status.from_last_good,
            "error": error.map(|error| error.failure.to_string()),
            "error_since_s": error.map(|error| error.since.as_secs_f64()),
            "warnings": status.warnings.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "consecutive_failures": status.consecutive_failures,
            "reloads": status.reloads,
            "rejections": status.rejections,
            "rollbacks": status.rollbacks,
            "last_poll_s": status.last_poll.map(|at| at.as_secs_f64()),
            "last_success_s": status.last_success.map(|at| at.as_secs_f64()),
            "now_s": self.reloader.now().as_secs_f64(),
            "thread_alive": status.thread_alive,
        })
    }
}

/// The first agent's answer, with the version that it came from.
fn chat(loaded: &Loaded<State>) -> Value {
    let (config, clients) = (&loaded.config, &loaded.state);
    let Some(agent) = config.agents.first() else {
        return json!({"version": loaded.version().get(), "error": "there is no agent"});
    };
    let provider = (config.llm_providers.iter()).find(|p| p.name == agent.llm_provider_name);
    let client = clients.0.get(&agent.llm_provider_name);
    json!({
        "version": loaded.version().get(),
        "agent": agent.name,
        "configured": provider.map(|provider| &provider.model_name),
        "connected": client.map(|client| &client.model),
        "answer": client.map(|client| client.chat("hello")),
    })
}

fn refused(rejection: &Rejection) -> Value {
    let problems = rejection.problems().iter().map(ToString::to_string);
    json!({
        "refused": rejection.stage().to_string(),
        "digest": rejection.digest().to_string(),
        "problems": problems.collect::<Vec<_>>(),
        "more": rejection.more(),
    })
}

/// Listens there.
pub fn listen(address: impl ToSocketAddrs) -> Result<Server, Box<dyn std::error::Error>> {
    Ok(Server::http(address).map_err(|error| error.to_string())?)
}
