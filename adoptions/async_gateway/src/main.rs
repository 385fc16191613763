//! The gateway as a program: `cargo run --manifest-path adoptions/async_gateway/Cargo.toml`
//! serves at 127.0.0.1:8080 what `gateway.yaml` says, and follows every change of it.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1);
    let path = path.unwrap_or_else(|| concat!(env!("CARGO_MANIFEST_DIR"), "/gateway.yaml").into());
    // Before the runtime starts: the first load blocks.
    let reloader = Arc::new(async_gateway::load(&path)?);
    reloader.start()?;
    tokio::runtime::Runtime::new()?.block_on(serve(reloader.clone()))?;
    reloader.stop();
    Ok(())
}

async fn serve(reloader: Arc<steadyconf::Reloader<async_gateway::Live>>) -> std::io::Result<()> {
    let timeout_ms = Arc::new(AtomicU64::new(0));
    tokio::spawn(async_gateway::follow(reloader.handle(), timeout_ms));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
    println!("serves at http://{}", listener.local_addr()?);
    axum::serve(listener, async_gateway::app(reloader))
        .with_graceful_shutdown(async {
            // Without a handler for it, Ctrl-C ends the program by itself.
            let _ = tokio::signal::ctrl_c().await;
        })
        .await
}
