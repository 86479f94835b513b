//! Streams that the client gives up, and what the server can know of it.
//!
//! A tRPC-Go server answers a RESET itself: its handler is not told, and stays in its read or write
//! until the connection ends. A half-close it does see.

use std::time::Duration;

use trill::trpc::Cancel;
use trill::{AsyncReader, AsyncReaderWriter, AsyncWriter, Channel, Reply};
use trill_tests::{EverythingClient, Text, text};

use super::download::next;
use crate::cell::{Outcome, cell, fine, same, waiting};
use crate::peers::ServerProcess;

pub(super) async fn all(pair: &str, server: &mut ServerProcess) -> usize {
    let mut failed = 0;
    for kind in [Kind::Upload, Kind::Download, Kind::Talk] {
        for (when, moment) in [
            (When::Early, "before the first answer"),
            (When::Middle, "in the middle"),
            (When::Blocked, "while the writer is blocked"),
        ] {
            let name = format!("{}: cancelled {moment}", kind.name());
            let reset =
                format!("{name}, by RESET: the handler is not told and ends with the connection");
            failed += cell(pair, &reset, reset_is_not_seen(server, kind, when)).await;
            let polite = format!("{name}, by half-close: the handler ends");
            failed += cell(pair, &polite, half_close_is_seen(server, kind, when)).await;
        }
    }
    failed
}

async fn reset_is_not_seen(server: &mut ServerProcess, kind: Kind, when: When) -> Outcome {
    server.peer.said();
    let channel = fine("the connection", Channel::connect(&server.address)).await?;
    let client = EverythingClient::new(channel.clone());
    let stream = waiting("the stream to get there", open(&client, kind, when)).await?;
    server.peer.has_said(&format!("{} began", kind.handler())).await;
    drop(stream);
    // The server serves a connection's frames one after the other. A handler that was told would
    // end meanwhile.
    fine("an answer", client.unary(text("sleep 20"))).await?;
    let ended = format!("{} ended", kind.handler());
    same(server.peer.said().contains(&ended), false)?;
    if when.waits(kind) {
        fine("an answer", client.unary(text("resume"))).await?;
        fine("an answer", client.unary(text("sleep 20"))).await?;
        same(server.peer.said().contains(&ended), false)?;
    }
    channel.close();
    waiting("the handler's end", server.peer.has_said(&ended)).await;
    Ok(())
}

async fn half_close_is_seen(server: &mut ServerProcess, kind: Kind, when: When) -> Outcome {
    server.peer.said();
    let polite =
        Channel::builder().trpc(trill::trpc::Settings::default().cancel(Cancel::HalfClose));
    let client =
        EverythingClient::new(fine("the connection", polite.connect(&server.address)).await?);
    drop(waiting("the stream to get there", open(&client, kind, when)).await?);
    if when.waits(kind) {
        fine("an answer", client.unary(text("resume"))).await?;
    }
    waiting("the handler's end", server.peer.has_said(&format!("{} ended", kind.handler()))).await;
    same(fine("an answer", client.unary(text("on"))).await?, text("on"))
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Upload,
    Download,
    Talk,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Upload => "client stream",
            Self::Download => "server stream",
            Self::Talk => "bidi stream",
        }
    }

    fn handler(self) -> &'static str {
        match self {
            Self::Upload => "upload",
            Self::Download => "download",
            Self::Talk => "talk",
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum When {
    Early,
    Middle,
    Blocked,
}

impl When {
    /// Tells whether the handler waits for a call that resumes it, to be so far.
    fn waits(self, kind: Kind) -> bool {
        match self {
            Self::Early => kind == Kind::Download,
            Self::Middle => false,
            Self::Blocked => kind != Kind::Download,
        }
    }
}

#[expect(dead_code, reason = "it is only dropped")]
enum Stream {
    Upload(AsyncWriter<Text>, Reply<Text>),
    Download(AsyncReader<Text>),
    Talk(AsyncReaderWriter<Text, Text>),
}

/// Opens a stream that gets so far.
async fn open(client: &EverythingClient, kind: Kind, when: When) -> Outcome<Stream> {
    Ok(match kind {
        Kind::Upload => {
            let (mut writer, reply) = fine("the opening", client.upload()).await?;
            match when {
                When::Early => {}
                When::Middle => fine("a write", writer.write(text("one"))).await?,
                When::Blocked => {
                    fine("a write", writer.write(text("wait"))).await?;
                    while writer.write(filler()).timeout(PATIENCE).await.is_ok() {}
                }
            }
            Stream::Upload(writer, reply)
        }
        Kind::Download => {
            // The one that waits has more to write than the window, so that it blocks after all.
            let order = if when == When::Early { "wait;count 100000" } else { "count 100000" };
            let mut reader = fine("the opening", client.download(text(order))).await?;
            match when {
                When::Early => {}
                When::Middle => same(next(&mut reader).await?, Some(text("0")))?,
                When::Blocked => tokio::time::sleep(PATIENCE).await,
            }
            Stream::Download(reader)
        }
        Kind::Talk => {
            let mut rw = fine("the opening", client.talk()).await?;
            match when {
                When::Early => {}
                When::Middle => super::talk::echo(&mut rw, 5).await?,
                When::Blocked => {
                    fine("a write", rw.write(text("wait"))).await?;
                    while rw.write(filler()).timeout(PATIENCE).await.is_ok() {}
                }
            }
            Stream::Talk(rw)
        }
    })
}

/// How long a write must wait to count as blocked.
const PATIENCE: Duration = Duration::from_millis(50);

fn filler() -> Text {
    text("x".repeat(30_000))
}
