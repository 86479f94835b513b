//! Back-pressure: a writer goes no further than its reader allows.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use trill::prost::Message as _;
use trill::{AsyncReader, AsyncWriter};
use trill_tests::{EverythingClient, Text, text};

use super::download::next;
use crate::cell::{Outcome, cell, fine, same};

/// Of either peer, and each direction, at first, and as far as those of the router grow.
const WINDOW: usize = 65_535;
const GROWN: usize = 2 * WINDOW;
const COUNT: usize = 10_000;

pub(super) async fn all(pair: &str, client: &EverythingClient, hops: usize) -> usize {
    let mut failed = 0;
    failed += cell(pair, "client stream: 10,000 messages, the server reads slowly", async {
        uploaded(client, "pace 1", false, hops).await
    })
    .await;
    failed +=
        cell(pair, "client stream: 10,000 messages, the server does not read for a while", async {
            uploaded(client, "wait", true, hops).await
        })
        .await;
    failed += cell(pair, "server stream: 10,000 messages, the client reads slowly", async {
        let mut reader =
            fine("the opening", client.download(text(format!("fill {COUNT} 100")))).await?;
        read_all(&mut reader, true).await
    })
    .await;
    failed +=
        cell(pair, "server stream: 10,000 messages, the client does not read for a while", async {
            let before = written(client).await?;
            let mut reader =
                fine("the opening", client.download(text(format!("fill {COUNT} 100")))).await?;
            while written(client).await? - before < WINDOW {}
            settle().await;
            bounded(written(client).await? - before, hops)?;
            read_all(&mut reader, false).await
        })
        .await;
    failed += cell(pair, "bidi stream: 10,000 messages each way, the server reads slowly", async {
        let (mut reader, mut writer) = fine("the opening", client.talk()).await?.split();
        fine("a write", writer.write(text("pace 1"))).await?;
        let (write, _) = write_all(writer);
        read_all(&mut reader, false).await?;
        write.await
    })
    .await;
    failed += cell(pair, "bidi stream: 10,000 messages each way, the client reads slowly", async {
        let (mut reader, writer) = fine("the opening", client.talk()).await?.split();
        let (write, _) = write_all(writer);
        read_all(&mut reader, true).await?;
        write.await
    })
    .await;
    failed += cell(
        pair,
        "bidi stream: 10,000 messages each way, the server does not read for a while",
        async {
            let (mut reader, mut writer) = fine("the opening", client.talk()).await?.split();
            fine("a write", writer.write(text("wait"))).await?;
            let (write, progress) = write_all(writer);
            wait_for(&progress).await;
            bounded(progress.load(Ordering::Relaxed), hops)?;
            fine("an answer", client.unary(text("resume"))).await?;
            same(next(&mut reader).await?, Some(text("resumed")))?;
            read_all(&mut reader, false).await?;
            write.await
        },
    )
    .await;
    failed += cell(
        pair,
        "bidi stream: 10,000 messages each way, the client does not read for a while",
        async {
            let (mut reader, writer) = fine("the opening", client.talk()).await?.split();
            let before = written(client).await?;
            let (write, progress) = write_all(writer);
            wait_for(&progress).await;
            // The server reads as long as it can write.
            bounded(written(client).await? - before, hops)?;
            bounded(progress.load(Ordering::Relaxed), 2 * hops)?;
            read_all(&mut reader, false).await?;
            write.await
        },
    )
    .await;
    failed
}

async fn uploaded(client: &EverythingClient, order: &str, blocked: bool, hops: usize) -> Outcome {
    let (mut writer, reply) = fine("the opening", client.upload()).await?;
    fine("a write", writer.write(text(order))).await?;
    let (write, progress) = write_all(writer);
    if blocked {
        wait_for(&progress).await;
        bounded(progress.load(Ordering::Relaxed), hops)?;
        fine("an answer", client.unary(text("resume"))).await?;
    }
    write.await?;
    let counted = COUNT + usize::from(blocked);
    let bytes = COUNT * 100 + if blocked { order.len() } else { 0 };
    same(fine("the answer", reply).await?, text(format!("{counted} messages, {bytes} bytes")))
}

/// How far a writer may be ahead of a reader that does not read: on each connection the window, and
/// one message that may start as long as there is any of it; and the message that each program in
/// between has in its hand.
pub(super) fn bounded(written: usize, hops: usize) -> Outcome {
    let message = message().encoded_len();
    let limit = hops * (GROWN + message) + (hops - 1) * message;
    if written <= limit {
        Ok(())
    } else {
        Err(format!("{written} bytes were written, at most {limit} may be"))
    }
}

/// Writes all messages in a task, and tells how many bytes were written so far.
pub(crate) fn write_all(
    mut writer: AsyncWriter<Text>,
) -> (impl Future<Output = Outcome> + Send + use<>, Arc<AtomicUsize>) {
    let progress = Arc::new(AtomicUsize::new(0));
    let task = tokio::spawn({
        let progress = progress.clone();
        async move {
            for _ in 0..COUNT {
                fine("a write", writer.write(message())).await?;
                progress.fetch_add(message().encoded_len(), Ordering::Relaxed);
            }
            fine("the half-close", writer.finish()).await
        }
    });
    (async { task.await.map_err(|error| error.to_string())? }, progress)
}

async fn read_all(reader: &mut AsyncReader<Text>, slowly: bool) -> Outcome {
    for number in 0..COUNT {
        same(next(reader).await?, Some(message()))?;
        if slowly && number % 100 == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    same(next(reader).await?, None)
}

async fn written(client: &EverythingClient) -> Outcome<usize> {
    fine("an answer", client.unary(text("written")))
        .await?
        .text
        .parse()
        .map_err(|_| "no number".to_owned())
}

/// Waits until the window is used, and a writer that knows no bound would have gone on.
pub(crate) async fn wait_for(progress: &AtomicUsize) {
    while progress.load(Ordering::Relaxed) < WINDOW {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    settle().await;
}

async fn settle() {
    tokio::time::sleep(Duration::from_millis(50)).await;
}

fn message() -> Text {
    text("x".repeat(100))
}
