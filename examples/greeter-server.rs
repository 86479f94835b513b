//! The greeter as a server of its own: `greeter-server --listen 127.0.0.1:8000`.
//!
//! Without arguments it takes any free port, calls itself once, and ends.

use std::time::Duration;

use clap::Parser;
use trill::server::ServerHandle;
use trill::{Channel, Server};
use trill_examples::greeter::{
    GreeterClient, GreeterServer, MyGreeter, StreamGreeterServer, request,
};

#[derive(Parser)]
#[command(about = "Greets until Ctrl-C")]
struct Cli {
    /// The address to listen on, like 127.0.0.1:8000 or unix:/run/greeter.sock
    #[arg(long)]
    listen: Option<String>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let listen = Cli::parse().listen;
    let server = Server::builder()
        .service(GreeterServer::new(MyGreeter))
        .service(StreamGreeterServer::new(MyGreeter))
        .bind(listen.as_deref().unwrap_or("127.0.0.1:0"))
        .await?;
    println!("listening on {}", server.local_addr());

    let handle = server.handle();
    if listen.is_some() {
        tokio::spawn(stop_on_ctrl_c(handle));
        return Ok(server.serve().await?);
    }
    let address = server.local_addr().to_string();
    let serving = tokio::spawn(server.serve());
    let client = GreeterClient::new(Channel::connect(&address).await?);
    println!("{}", client.say_hello(request("myself")).await?.msg);
    handle.shutdown(GRACE).await;
    Ok(serving.await??)
}

async fn stop_on_ctrl_c(handle: ServerHandle) {
    if tokio::signal::ctrl_c().await.is_ok() {
        handle.shutdown(GRACE).await;
    }
}

/// How long calls that are running may take to end.
const GRACE: Duration = Duration::from_secs(5);
