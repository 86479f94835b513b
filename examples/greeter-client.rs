//! A client of `greeter-server`: `greeter-client --addr 127.0.0.1:8000`.
//!
//! Without arguments it talks to a server inside this process.

use clap::Parser;
use trill::{Channel, Server};
use trill_examples::conversation;
use trill_examples::greeter::{GreeterServer, MyGreeter, StreamGreeterServer};

#[derive(Parser)]
#[command(about = "Makes a call of each kind")]
struct Cli {
    /// The server's address
    #[arg(long)]
    addr: Option<String>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let channel = match Cli::parse().addr {
        Some(addr) => Channel::connect(&addr).await?,
        None => Server::builder()
            .service(GreeterServer::new(MyGreeter))
            .service(StreamGreeterServer::new(MyGreeter))
            .in_memory()?,
    };
    Ok(conversation::hold(channel).await?)
}
