//! Client, router, server: calls of every kind pass through a router that adds nothing and loses
//! nothing.
//!
//! `forward --messages 1000000` sends that many messages each way through the router and tells the
//! rate and the memory used.

mod router;
mod upstream;

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use clap::Parser;
use tokio::sync::watch;
use trill::server::ServerHandle;
use trill::{Channel, Server};
use trill_examples::greeter::{
    Greeter, GreeterClient, GreeterServer, StreamGreeter, StreamGreeterClient, StreamGreeterServer,
    request,
};
use trill_examples::memory;

use crate::router::Router;
use crate::upstream::{ENDLESS, NAME, NOBODY, UNKNOWN_NAME, Upstream};

#[derive(Parser)]
#[command(about = "Forwards calls of every kind through a router")]
struct Cli {
    /// How many messages go each way
    #[arg(long, default_value_t = 1000)]
    messages: u64,
}

#[tokio::main]
async fn main() -> Result<()> {
    let messages = Cli::parse().messages;
    let endless = watch::Sender::new(0);
    let upstream = start(Upstream { endless: endless.clone() }).await?;
    let router = start(Router::new(Channel::connect(&upstream.address).await?)).await?;
    let channel = Channel::connect(&router.address).await?;
    let greeter = GreeterClient::new(channel.clone());
    let streams = StreamGreeterClient::new(channel);

    unary(&greeter).await?;
    client_stream(&streams, messages).await?;
    server_stream(&streams, messages).await?;
    bidi_stream(&streams, messages).await?;
    failures(&greeter, &streams).await?;
    dropping(&streams, endless.subscribe()).await?;
    if let Some(bytes) = memory::peak() {
        println!("peak memory of client, router and server together: {} KiB", bytes / 1024);
    }

    router.handle.shutdown(GRACE).await;
    upstream.handle.shutdown(GRACE).await;
    Ok(())
}

struct Node {
    address: String,
    handle: ServerHandle,
}

async fn start(service: impl Greeter + StreamGreeter + Clone) -> Result<Node> {
    let server = Server::builder()
        .service(GreeterServer::new(service.clone()))
        .service(StreamGreeterServer::new(service))
        .bind("127.0.0.1:0")
        .await?;
    let node = Node { address: server.local_addr().to_string(), handle: server.handle() };
    tokio::spawn(server.serve());
    Ok(node)
}

async fn unary(greeter: &GreeterClient) -> Result<()> {
    let call = greeter.say_hello(request("Ada")).metadata(NAME, "unary").attachment("attached");
    let answer = call.response().await?;
    ensure!(answer.message.msg == "Hello, Ada" && answer.attachment == "attached");
    ensure!(answer.metadata.get_str(NAME) == Some("seen by upstream: unary"));
    println!("unary: message, metadata and attachment went through");
    Ok(())
}

async fn client_stream(streams: &StreamGreeterClient, messages: u64) -> Result<()> {
    let start = Instant::now();
    let (mut writer, reply) =
        streams.client_stream_say_hello().metadata(NAME, "client stream").await?;
    for _ in 0..messages {
        writer.write(request("x")).await?;
    }
    writer.finish().await?;
    let answer = reply.response().await?;
    ensure!(answer.message.msg.ends_with(&format!("count:{messages}, received bytes:{messages}")));
    ensure!(answer.metadata.get_str(NAME) == Some("seen by upstream: client stream"));
    print_rate("client stream", messages, start);
    Ok(())
}

async fn server_stream(streams: &StreamGreeterClient, messages: u64) -> Result<()> {
    let start = Instant::now();
    let call = streams.server_stream_say_hello(request(messages.to_string()));
    let mut reader = call.metadata(NAME, "server stream").await?;
    let mut expected = 0;
    while let Some(reply) = reader.read().await? {
        ensure!(reply.msg == expected.to_string(), "{} came in place of {expected}", reply.msg);
        expected += 1;
    }
    ensure!(expected == messages, "{expected} of {messages} messages came");
    let trailer = reader.metadata().context("a stream that ended has metadata")?;
    ensure!(trailer.get_str(NAME) == Some("seen by upstream: server stream"));
    print_rate("server stream", messages, start);
    Ok(())
}

async fn bidi_stream(streams: &StreamGreeterClient, messages: u64) -> Result<()> {
    let start = Instant::now();
    let (mut reader, mut writer) =
        streams.bidi_stream_say_hello().metadata(NAME, "bidi stream").await?.split();
    let asking = async {
        for i in 0..messages {
            writer.write(request(i.to_string())).await?;
        }
        anyhow::Ok(writer.finish().await?)
    };
    let listening = async {
        let mut expected = 0;
        while let Some(reply) = reader.read().await? {
            ensure!(reply.msg == expected.to_string(), "{} came in place of {expected}", reply.msg);
            expected += 1;
        }
        ensure!(expected == messages, "{expected} of {messages} messages came");
        Ok(())
    };
    tokio::try_join!(asking, listening)?;
    let trailer = reader.metadata().context("a stream that ended has metadata")?;
    ensure!(trailer.get_str(NAME) == Some("seen by upstream: bidi stream"));
    print_rate("bidi stream, each way", messages, start);
    Ok(())
}

/// An error of the server above arrives with its own code and text, whatever the kind of call.
async fn failures(greeter: &GreeterClient, streams: &StreamGreeterClient) -> Result<()> {
    let unary = greeter.say_hello(request(NOBODY)).await.err();

    let (mut writer, reply) = streams.client_stream_say_hello().await?;
    writer.write(request(NOBODY)).await?;
    let client_stream = reply.await.err();

    let mut reader = streams.server_stream_say_hello(request(NOBODY)).await?;
    let server_stream = reader.read().await.err();

    let mut rw = streams.bidi_stream_say_hello().await?;
    rw.write(request(NOBODY)).await?;
    let bidi_stream = rw.read().await.err();

    for error in [unary, client_stream, server_stream, bidi_stream] {
        let error = error.context("the call should have failed")?;
        let status = error.status().with_context(|| format!("not a status: {error}"))?;
        ensure!(
            status.app_code() == UNKNOWN_NAME && status.message() == "there is nobody here",
            "{error}"
        );
    }
    println!("failures: the server's own status came back from all kinds of calls");
    Ok(())
}

/// A client that loses interest ends the work at the far end.
async fn dropping(
    streams: &StreamGreeterClient,
    mut running: watch::Receiver<usize>,
) -> Result<()> {
    let mut reader = streams.server_stream_say_hello(request(ENDLESS)).await?;
    reader.read().await?;
    ensure!(*running.borrow_and_update() == 1, "the stream should be running");
    drop(reader);
    let stopped =
        tokio::time::timeout(Duration::from_secs(10), running.wait_for(|count| *count == 0)).await;
    stopped.context("the server goes on although nobody listens")??;
    println!("dropping: the server stopped when the client went away");
    Ok(())
}

fn print_rate(what: &str, messages: u64, start: Instant) {
    let rate = messages as f64 / start.elapsed().as_secs_f64();
    println!("{what}: {messages} messages in order, {rate:.0} a second");
}

const GRACE: Duration = Duration::from_secs(1);
