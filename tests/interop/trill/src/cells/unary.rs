//! One request, one answer.

use std::time::Duration;

use trill::Compression;
use trill_tests::{EverythingClient, text};

use super::{COMPRESSIONS, MissingClient};
use crate::cell::{cell, codes, fine, same, timed_out};

pub(super) async fn all(pair: &str, client: &EverythingClient) -> usize {
    let mut failed = 0;
    for (case, size) in [("ok", 5), ("empty message", 0), ("larger than the window", 3_000_000)] {
        failed += cell(pair, &format!("unary: {case}"), async {
            let message = text("x".repeat(size));
            same(fine("an answer", client.unary(message.clone())).await?, message)
        })
        .await;
    }
    failed += cell(pair, "unary: application error", async {
        same(
            codes(client.unary(text("error 4001 the reason")).await),
            (0, 4001, "the reason".into()),
        )
    })
    .await;
    failed += cell(pair, "unary: framework error", async {
        same(codes(client.unary(text("fail 51 the reason")).await), (51, 0, "the reason".into()))
    })
    .await;
    failed += cell(pair, "unary: metadata both ways", async {
        let call = client.unary(text("meta back there")).metadata("tenant", "blue");
        let response = fine("an answer", call.response()).await?;
        same(response.message, text("tenant=blue"))?;
        same(response.metadata.get_str("back"), Some("there"))
    })
    .await;
    failed += cell(pair, "unary: timeout, which the handler knows", async {
        let call = client.unary(text("left")).timeout(Duration::from_secs(5));
        let left = fine("an answer", call).await?.text;
        same(left.parse::<u32>().is_ok_and(|left| (1..=5_000).contains(&left)), true)
            .map_err(|_| left)
    })
    .await;
    failed += cell(pair, "unary: attachment both ways", async {
        let call = client.unary(text("attach")).attachment("beside");
        let response = fine("an answer", call.response()).await?;
        same((response.message, &response.attachment[..]), (text("6 bytes"), &b"beside"[..]))
    })
    .await;
    failed += cell(pair, "unary: timeout, which passes", async {
        let call = client.unary(text("sleep 1000")).timeout(Duration::from_millis(200));
        timed_out(call.await)?;
        same(fine("an answer", client.unary(text("on"))).await?, text("on"))
    })
    .await;
    failed += cell(pair, "unary: cancelled, and the next one is served", async {
        let call = tokio::time::timeout(Duration::from_millis(50), client.unary(text("sleep 300")));
        same(call.await.is_err(), true)?;
        same(fine("an answer", client.unary(text("on"))).await?, text("on"))
    })
    .await;
    failed += cell(pair, "unary: JSON", async {
        for sent in ["grüß \"dich\"\n".to_owned(), String::new(), "x".repeat(5_000)] {
            let call = client.unary(text(&sent)).json();
            same(fine("an answer", call).await?, text(&sent))?;
            let call = client.unary(text(&sent)).json().compression(Compression::Gzip);
            same(fine("an answer", call).await?, text(&sent))?;
        }
        same(codes(client.unary(text("error 4001 the reason")).json().await).1, 4001)
    })
    .await;
    failed += cell(pair, "unary: gzip, zlib, both snappy, lz4 frame", async {
        for compression in COMPRESSIONS {
            for size in [5_000, 0] {
                let message = text("x".repeat(size));
                let call = client.unary(message.clone()).compression(compression);
                same(fine("an answer", call).await?, message)?;
            }
        }
        Ok(())
    })
    .await;
    failed
}

pub(super) async fn unknown(pair: &str, missing: &MissingClient) -> usize {
    cell(pair, "unary: unknown method", async {
        same(codes(missing.missing(text("")).await).0, 12)
    })
    .await
}
