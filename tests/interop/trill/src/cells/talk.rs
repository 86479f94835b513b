//! Many requests, many answers.

use std::time::Duration;

use trill::AsyncReaderWriter;
use trill_tests::{EverythingClient, Text, text};

use super::{AROUND_THE_WINDOW, COMPRESSIONS, MissingClient};
use crate::cell::{Outcome, cell, code, fine, same, timed_out};

pub(super) async fn all(pair: &str, client: &EverythingClient) -> usize {
    let mut failed = 0;
    for (case, sizes) in AROUND_THE_WINDOW {
        failed += cell(pair, &format!("bidi stream: {case}"), async {
            let mut rw = fine("the opening", client.talk()).await?;
            for size in sizes {
                echo(&mut rw, *size).await?;
            }
            fine("the half-close", rw.finish_writing()).await?;
            same(fine("the end", rw.read()).await?, None)
        })
        .await;
    }
    failed += cell(pair, "bidi stream: application error", async {
        same(refused(client, &["error 4001 the reason"]).await?, (4001, "the reason".into()))
    })
    .await;
    failed += cell(pair, "bidi stream: framework error", async {
        same(refused(client, &["fail 51 the reason"]).await?, (51, "the reason".into()))
    })
    .await;
    failed += cell(pair, "bidi stream: error after some messages", async {
        same(
            refused(client, &["one", "two", "error 4001 the reason"]).await?,
            (4001, "the reason".into()),
        )
    })
    .await;
    failed += cell(pair, "bidi stream: metadata both ways", async {
        let mut rw = fine("the opening", client.talk().metadata("tenant", "blue")).await?;
        fine("a write", rw.write(text("meta back there"))).await?;
        same(fine("a message", rw.read()).await?, Some(text("tenant=blue")))?;
        let metadata = fine("the end", rw.finish()).await?;
        same(metadata.get_str("back"), Some("there"))
    })
    .await;
    failed += cell(pair, "bidi stream: metadata with an error", async {
        let mut rw = fine("the opening", client.talk()).await?;
        fine("a write", rw.write(text("meta back there"))).await?;
        same(fine("a message", rw.read()).await?, Some(text("")))?;
        fine("a write", rw.write(text("error 4001 why"))).await?;
        same(code(rw.read().await), (4001, "why".into()))?;
        same(rw.metadata().and_then(|metadata| metadata.get_str("back")), Some("there"))
    })
    .await;
    failed += cell(pair, "bidi stream: ended by the server before the half-close", async {
        let mut rw = fine("the opening", client.talk()).await?;
        fine("a write", rw.write(text("done"))).await?;
        same(fine("the end", rw.read()).await?, None)
    })
    .await;
    failed += cell(pair, "bidi stream: timeout, which passes", async {
        let call = client.talk().timeout(Duration::from_millis(200));
        let mut rw = fine("the opening", call).await?;
        timed_out(rw.read().await)
    })
    .await;
    failed += cell(pair, "bidi stream: gzip, zlib, both snappy, lz4 frame", async {
        for compression in COMPRESSIONS {
            let mut rw = fine("the opening", client.talk().compression(compression)).await?;
            for size in [5_000, 0, 200_000, 5] {
                echo(&mut rw, size).await?;
            }
            fine("the end", rw.finish()).await?;
        }
        Ok(())
    })
    .await;
    failed
}

pub(super) async fn unknown(pair: &str, missing: &MissingClient) -> usize {
    cell(pair, "bidi stream: unknown method", async {
        same(code(missing.missing_talk().await).0, 12)
    })
    .await
}

/// Writes a message of that size, and reads it back.
pub(super) async fn echo(rw: &mut AsyncReaderWriter<Text, Text>, size: usize) -> Outcome {
    let message = text("x".repeat(size));
    fine("a write", rw.write(message.clone())).await?;
    same(fine("a message", rw.read()).await?, Some(message))
}

/// Sends messages until one is answered with an error, which it gives.
async fn refused(client: &EverythingClient, orders: &[&str]) -> Outcome<(i32, String)> {
    let mut rw = fine("the opening", client.talk()).await?;
    let (last, first) = orders.split_last().expect("there is one");
    for order in first {
        fine("a write", rw.write(text(*order))).await?;
        same(fine("a message", rw.read()).await?, Some(text(*order)))?;
    }
    fine("a write", rw.write(text(*last))).await?;
    Ok(code(rw.read().await))
}
