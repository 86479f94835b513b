//! The server ends a stream whose writer waits for credit.

use std::sync::atomic::Ordering;

use trill::AsyncWriter;
use trill_tests::{EverythingClient, Text, text};

use super::download::next;
use super::pressure::{bounded, wait_for, write_all};
use crate::cell::{Outcome, cell, code, fine, same};

pub(super) async fn all(pair: &str, client: &EverythingClient, hops: usize) -> usize {
    let mut failed = 0;
    failed += cell(pair, "client stream: answered while the writer is blocked", async {
        let (writer, reply) = fine("the opening", client.upload()).await?;
        blocked_until(client, writer, "done", hops).await?;
        same(fine("the answer", reply).await?, text("1 messages, 4 bytes"))
    })
    .await;
    failed += cell(pair, "client stream: error while the writer is blocked", async {
        let (writer, reply) = fine("the opening", client.upload()).await?;
        blocked_until(client, writer, "error 4001 the reason", hops).await?;
        same(code(reply.await), (4001, "the reason".into()))
    })
    .await;
    failed += cell(pair, "bidi stream: ended by the server while the writer is blocked", async {
        let (mut reader, writer) = fine("the opening", client.talk()).await?.split();
        blocked_until(client, writer, "done", hops).await?;
        same(next(&mut reader).await?, Some(text("resumed")))?;
        same(next(&mut reader).await?, None)
    })
    .await;
    failed += cell(pair, "bidi stream: error while the writer is blocked", async {
        let (mut reader, writer) = fine("the opening", client.talk()).await?.split();
        blocked_until(client, writer, "error 4001 the reason", hops).await?;
        same(next(&mut reader).await?, Some(text("resumed")))?;
        same(code(reader.read().await), (4001, "the reason".into()))
    })
    .await;
    failed
}

/// Writes until there is no credit, and then lets the server obey an order that ends the stream. It
/// wants the writer to be woken.
async fn blocked_until(
    client: &EverythingClient,
    mut writer: AsyncWriter<Text>,
    order: &str,
    hops: usize,
) -> Outcome {
    fine("a write", writer.write(text("wait"))).await?;
    fine("a write", writer.write(text(order))).await?;
    let (write, progress) = write_all(writer);
    wait_for(&progress).await;
    bounded(progress.load(Ordering::Relaxed), hops)?;
    fine("an answer", client.unary(text("resume"))).await?;
    same(write.await.is_err(), true).map_err(|_| "all was written".to_owned())
}
