//! One request, many answers.

use std::time::Duration;

use trill::AsyncReader;
use trill_tests::{EverythingClient, Text, text};

use super::{AROUND_THE_WINDOW, COMPRESSIONS, MissingClient};
use crate::cell::{Outcome, cell, code, fine, same, timed_out};

pub(super) async fn all(pair: &str, client: &EverythingClient) -> usize {
    let mut failed = 0;
    for (case, sizes) in AROUND_THE_WINDOW {
        failed += cell(pair, &format!("server stream: {case}"), async {
            // Without an order there would be an empty message.
            let orders: Vec<_> = sizes.iter().map(|size| format!("large {size}")).collect();
            let orders = if orders.is_empty() { "count 0".to_owned() } else { orders.join(";") };
            let mut reader = fine("the opening", client.download(text(orders))).await?;
            for size in sizes {
                same(next(&mut reader).await?, Some(text("x".repeat(*size))))?;
            }
            same(next(&mut reader).await?, None)
        })
        .await;
    }
    failed += cell(pair, "server stream: empty request", async {
        let mut reader = fine("the opening", client.download(text(""))).await?;
        same(next(&mut reader).await?, Some(text("")))?;
        same(next(&mut reader).await?, None)
    })
    .await;
    failed += cell(pair, "server stream: application error", async {
        let mut reader =
            fine("the opening", client.download(text("error 4001 the reason"))).await?;
        same(code(reader.read().await), (4001, "the reason".into()))
    })
    .await;
    failed += cell(pair, "server stream: framework error", async {
        let mut reader = fine("the opening", client.download(text("fail 51 the reason"))).await?;
        same(code(reader.read().await), (51, "the reason".into()))
    })
    .await;
    failed += cell(pair, "server stream: error after some messages", async {
        let call = client.download(text("count 10;error 4001 the reason"));
        let mut reader = fine("the opening", call).await?;
        numbers(&mut reader, 10).await?;
        same(code(reader.read().await), (4001, "the reason".into()))
    })
    .await;
    failed += cell(pair, "server stream: metadata with an error", async {
        let mut reader =
            fine("the opening", client.download(text("meta back there;error 4001 why"))).await?;
        same(next(&mut reader).await?, Some(text("")))?;
        same(code(reader.read().await), (4001, "why".into()))?;
        same(reader.metadata().and_then(|metadata| metadata.get_str("back")), Some("there"))
    })
    .await;
    failed += cell(pair, "server stream: metadata both ways", async {
        let call = client.download(text("meta back there")).metadata("tenant", "blue");
        let mut reader = fine("the opening", call).await?;
        same(next(&mut reader).await?, Some(text("tenant=blue")))?;
        same(next(&mut reader).await?, None)?;
        same(reader.metadata().and_then(|metadata| metadata.get_str("back")), Some("there"))
    })
    .await;
    failed += cell(pair, "server stream: gzip, zlib, both snappy, lz4 frame", async {
        for compression in COMPRESSIONS {
            let call = client
                .download(text("large 5000;large 0;large 200000;count 10"))
                .compression(compression);
            let mut reader = fine("the opening", call).await?;
            for size in [5_000, 0, 200_000] {
                same(next(&mut reader).await?, Some(text("x".repeat(size))))?;
            }
            numbers(&mut reader, 10).await?;
            same(next(&mut reader).await?, None)?;
        }
        Ok(())
    })
    .await;
    failed += cell(pair, "server stream: timeout, which passes", async {
        let call = client.download(text("sleep 400")).timeout(Duration::from_millis(200));
        let mut reader = fine("the opening", call).await?;
        timed_out(reader.read().await)
    })
    .await;
    failed
}

pub(super) async fn unknown(pair: &str, missing: &MissingClient) -> usize {
    cell(pair, "server stream: unknown method", async {
        same(code(missing.missing_download(text("")).await).0, 12)
    })
    .await
}

/// The next message, or the end.
pub(super) async fn next(reader: &mut AsyncReader<Text>) -> Outcome<Option<Text>> {
    fine("a message or the end", reader.read()).await
}

/// Reads what `count` orders.
pub(super) async fn numbers(reader: &mut AsyncReader<Text>, count: usize) -> Outcome {
    for number in 0..count {
        same(next(reader).await?, Some(text(number.to_string())))?;
    }
    Ok(())
}
