//! The client: operations of every kind that wait when the packets stop, and some that begin after
//! that.

use std::future::Future;
use std::process::ExitCode;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use trill::{Channel, Error, Result};
use trill_tests::{EverythingClient, text};

use super::Fault;
use super::roles::{CUT, READY};

/// Longer than anything here takes.
const NEVER: Duration = Duration::from_secs(3600);

pub(super) async fn call(address: &str, limit: Option<Duration>) -> Result<ExitCode, Fault> {
    quiet(&connect(address, limit).await?).await?;
    one_call(connect(address, limit).await?).await?;
    let busy = connect(address, limit).await?;
    let mut stream = busy.talk().await?;
    let (after, unary) = (connect(address, limit).await?, connect(address, limit).await?);
    after.unary(text("the connection is used")).await?;
    unary.unary(text("the connection is used")).await?;
    // All that was sent is acknowledged.
    tokio::time::sleep(Duration::from_millis(500)).await;
    println!("{READY}");

    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while lines.next_line().await?.is_some_and(|line| line != CUT) {}
    report("write, busy", async move {
        loop {
            stream.write(text("x".repeat(1000))).await?;
        }
    });
    report("open, busy", async move { after.talk().await.map(drop) });
    report("unary, busy", async move { unary.unary(text("")).await.map(drop) });
    let builder = configure(limit);
    let address = address.to_owned();
    report("connect", async move { builder.connect(address).await.map(drop) });
    // Until it is killed.
    std::future::pending().await
}

/// Operations that wait on a connection on which nothing is under way.
async fn quiet(client: &EverythingClient) -> Result<()> {
    let mut reading = client.talk().await?;
    report("read, quiet", async move { reading.read().await.map(drop) });

    let (mut writer, reply) = client.upload().await?;
    writer.write(text("wait")).await?;
    writer.finish().await?;
    report("reply, quiet", async move { reply.await.map(drop) });

    let mut finishing = client.talk().await?;
    finishing.write(text("wait")).await?;
    report("finish, quiet", async move { finishing.finish().await.map(drop) });

    let (mut writer, reply) = client.upload().await?;
    writer.write(text("wait")).await?;
    report("write, quiet", async move {
        let _held = reply;
        loop {
            writer.write(text("x".repeat(1000))).await?;
        }
    });

    let unread = client.download(text("fill 1000000 1000")).await?;
    tokio::spawn(async move {
        let _unread = unread;
        std::future::pending::<()>().await;
    });

    let call = client.unary(text("hang")).timeout(NEVER);
    report("unary, quiet", async move { call.await.map(drop) });
    Ok(())
}

/// Nothing but a call, so that there is no stream to say something on.
async fn one_call(client: EverythingClient) -> Result<()> {
    report(
        "unary, alone",
        async move { client.unary(text("hang")).timeout(NEVER).await.map(drop) },
    );
    Ok(())
}

fn configure(limit: Option<Duration>) -> trill::client::ChannelBuilder {
    match limit {
        None => Channel::builder(),
        Some(limit) => Channel::builder().dead_peer_timeout(limit).connect_timeout(limit * 9 / 10),
    }
}

async fn connect(address: &str, limit: Option<Duration>) -> Result<EverythingClient> {
    Ok(EverythingClient::new(configure(limit).connect(address).await?))
}

/// Waits for the operation in a task of its own, and prints how it ended.
fn report(name: &'static str, operation: impl Future<Output = Result<()>> + Send + 'static) {
    tokio::spawn(async move {
        let ended = operation.await;
        println!(
            "{name}\t{}",
            ended.map_or_else(|error: Error| error.to_string(), |()| "well".to_owned())
        );
    });
}
