//! Many requests, one answer.

use std::time::Duration;

use trill_tests::{EverythingClient, Text, text};

use super::{AROUND_THE_WINDOW, COMPRESSIONS, MissingClient};
use crate::cell::{Outcome, cell, code, fine, same, timed_out};

pub(super) async fn all(pair: &str, client: &EverythingClient) -> usize {
    let mut failed = 0;
    for (case, sizes) in AROUND_THE_WINDOW {
        failed += cell(pair, &format!("client stream: {case}"), async {
            same(upload(client, sizes).await?, counted(sizes))
        })
        .await;
    }
    failed += cell(pair, "client stream: application error", async {
        same(refused(client, &["error 4001 the reason"]).await?, (4001, "the reason".into()))
    })
    .await;
    failed += cell(pair, "client stream: framework error", async {
        same(refused(client, &["fail 51 the reason"]).await?, (51, "the reason".into()))
    })
    .await;
    failed += cell(pair, "client stream: error after some messages", async {
        same(
            refused(client, &["one", "two", "error 4001 the reason"]).await?,
            (4001, "the reason".into()),
        )
    })
    .await;
    failed += cell(pair, "client stream: metadata both ways", async {
        let call = client.upload().metadata("tenant", "blue");
        let (mut writer, reply) = fine("the opening", call).await?;
        fine("a write", writer.write(text("need tenant blue"))).await?;
        fine("a write", writer.write(text("meta back there"))).await?;
        fine("the half-close", writer.finish()).await?;
        let response = fine("the answer", reply.response()).await?;
        same(response.message, text("2 messages, 31 bytes"))?;
        same(response.metadata.get_str("back"), Some("there"))
    })
    .await;
    failed += cell(pair, "client stream: answered before the half-close", async {
        let (mut writer, reply) = fine("the opening", client.upload()).await?;
        fine("a write", writer.write(text("one"))).await?;
        fine("a write", writer.write(text("done"))).await?;
        same(fine("the answer", reply).await?, text("1 messages, 3 bytes"))
    })
    .await;
    failed += cell(pair, "client stream: gzip, zlib, both snappy, lz4 frame", async {
        for compression in COMPRESSIONS {
            let (mut writer, reply) =
                fine("the opening", client.upload().compression(compression)).await?;
            for size in [5_000, 0, 200_000] {
                fine("a write", writer.write(text("x".repeat(size)))).await?;
            }
            fine("the half-close", writer.finish()).await?;
            same(fine("the answer", reply).await?, text("3 messages, 205000 bytes"))?;
        }
        Ok(())
    })
    .await;
    failed += cell(pair, "client stream: timeout, which passes", async {
        let call = client.upload().timeout(Duration::from_millis(200));
        let (_writer, reply) = fine("the opening", call).await?;
        timed_out(reply.await)
    })
    .await;
    failed
}

pub(super) async fn unknown(pair: &str, missing: &MissingClient) -> usize {
    cell(pair, "client stream: unknown method", async {
        same(code(missing.missing_upload().await).0, 12)
    })
    .await
}

/// Sends messages of these sizes, and gives the answer.
pub(super) async fn upload(client: &EverythingClient, sizes: &[usize]) -> Outcome<Text> {
    let (mut writer, reply) = fine("the opening", client.upload()).await?;
    for size in sizes {
        fine("a write", writer.write(text("x".repeat(*size)))).await?;
    }
    fine("the half-close", writer.finish()).await?;
    fine("the answer", reply).await
}

/// The server's answer to messages of these sizes.
pub(super) fn counted(sizes: &[usize]) -> Text {
    text(format!("{} messages, {} bytes", sizes.len(), sizes.iter().sum::<usize>()))
}

async fn refused(client: &EverythingClient, orders: &[&str]) -> Outcome<(i32, String)> {
    let (mut writer, reply) = fine("the opening", client.upload()).await?;
    for order in orders {
        fine("a write", writer.write(text(*order))).await?;
    }
    Ok(code(reply.await))
}
