//! A proxy that prints each frame of the conversations that pass through it.
//!
//! `frames --listen 127.0.0.1:9000 --to 127.0.0.1:8000` stands between clients and a server.
//! Without arguments a client in this process talks to a server in this process through it.

use anyhow::{Result, ensure};
use clap::Parser;
use futures::{Sink, SinkExt, Stream, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::codec::Framed;
use trill::codec::trpc::{Codec, CodecError, Frame};
use trill::{Channel, Server};
use trill_examples::conversation;
use trill_examples::greeter::{GreeterServer, MyGreeter, StreamGreeterServer};

#[derive(Parser)]
#[command(about = "Prints each frame between clients and a server")]
struct Cli {
    /// Where clients connect
    #[arg(long, requires = "to")]
    listen: Option<String>,
    /// Where the server is
    #[arg(long, requires = "listen")]
    to: Option<String>,
}

#[tokio::main]
async fn main() -> Result<()> {
    match Cli::parse() {
        Cli { listen: Some(listen), to: Some(to) } => stand_between(listen, to).await,
        _ => show().await,
    }
}

/// Carries connections until Ctrl-C.
async fn stand_between(listen: String, to: String) -> Result<()> {
    let listener = TcpListener::bind(listen).await?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        let (client, peer) = tokio::select! {
            accepted = listener.accept() => accepted?,
            ended = tokio::signal::ctrl_c() => return Ok(ended?),
        };
        let to = to.clone();
        tokio::spawn(async move {
            match carry(client, &to).await {
                Ok([sent, got]) => println!("{peer} sent {sent} frames and got {got}"),
                Err(error) => println!("{peer}: {error}"),
            }
        });
    }
}

/// Makes a call of each kind through the proxy.
async fn show() -> Result<()> {
    let bound = Server::builder()
        .service(GreeterServer::new(MyGreeter))
        .service(StreamGreeterServer::new(MyGreeter))
        .bind("127.0.0.1:0")
        .await?;
    let server = bound.local_addr().to_string();
    tokio::spawn(bound.serve());

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    let proxy = tokio::spawn(async move { carry(listener.accept().await?.0, &server).await });

    // The connection ends with the channel, and the proxy with the connection.
    conversation::hold(Channel::connect(&address).await?).await?;
    let [sent, got] = proxy.await??;
    println!("the client sent {sent} frames and got {got}");
    // A request, and three streams that are opened and ended.
    ensure!(sent >= 7 && got >= 7, "frames passed by unseen");
    Ok(())
}

/// Carries one connection, and counts the frames of the client and of the server.
async fn carry(client: TcpStream, server: &str) -> Result<[u64; 2]> {
    let server = TcpStream::connect(server).await?;
    let (to_client, from_client) = Framed::new(client, Codec::server()).split();
    let (to_server, from_server) = Framed::new(server, Codec::client()).split();
    let (sent, got) = tokio::try_join!(
        pass("client", from_client, to_server),
        pass("server", from_server, to_client),
    )?;
    Ok([sent, got])
}

/// Passes frames on, and then the end of their direction.
async fn pass(
    name: &str,
    mut from: impl Stream<Item = Result<Frame, CodecError>> + Unpin,
    mut to: impl Sink<Frame, Error = CodecError> + Unpin,
) -> Result<u64, CodecError> {
    let mut frames = 0;
    while let Some(frame) = from.next().await {
        match frame {
            Ok(frame) => {
                println!("{name}: {frame}");
                frames += 1;
                // A peer that is gone does not read: its own direction ends as well.
                if let Err(CodecError::Io(_)) = to.send(frame).await {
                    break;
                }
            }
            // A peer that goes before it has read everything resets its connection.
            Err(CodecError::Io(_)) => break,
            Err(error) => return Err(error),
        }
    }
    let _ = to.close().await;
    Ok(frames)
}
