//! One request, no answer. A call on the same connection asks what became of it.

use trill_tests::{EverythingClient, text};

use super::{COMPRESSIONS, MissingClient};
use crate::cell::{Outcome, cell, fine, same};

pub(super) async fn all(pair: &str, client: &EverythingClient) -> usize {
    let mut failed = 0;
    let large = "x".repeat(200_000);
    for (case, order, obeyed) in [
        ("ok", "news", "news"),
        ("empty message", "", ""),
        ("larger than the window", &large, &large),
        ("application error, which nobody gets", "error 4001 the first reason", "the first reason"),
        ("framework error, which nobody gets", "fail 51 the second reason", "the second reason"),
    ] {
        failed += cell(pair, &format!("one-way: {case}"), async {
            fine("the one-way call", client.notify(text(order))).await?;
            told(client, obeyed).await
        })
        .await;
    }
    failed += cell(pair, "one-way: metadata to the server", async {
        fine("the one-way call", client.notify(text("meta back there")).metadata("tenant", "blue"))
            .await?;
        told(client, "tenant=blue").await
    })
    .await;
    failed += cell(pair, "one-way: JSON", async {
        fine("the one-way call", client.notify(text("as JSON")).json()).await?;
        told(client, "as JSON").await
    })
    .await;
    failed += cell(pair, "one-way: gzip, zlib, both snappy, lz4 frame", async {
        for compression in COMPRESSIONS {
            let order = format!("{compression:?} {}", "x".repeat(5_000));
            fine("the one-way call", client.notify(text(&order)).compression(compression)).await?;
            told(client, &order).await?;
        }
        Ok(())
    })
    .await;
    failed
}

pub(super) async fn unknown(
    pair: &str,
    client: &EverythingClient,
    missing: &MissingClient,
) -> usize {
    cell(pair, "one-way: unknown method, which nobody gets", async {
        fine("the one-way call", missing.missing_notify(text("news"))).await?;
        same(fine("an answer", client.unary(text("on"))).await?, text("on"))
    })
    .await
}

/// Asks until the one-way call has been obeyed: nothing orders it with the calls after it.
async fn told(client: &EverythingClient, want: &str) -> Outcome {
    loop {
        if fine("what the one-way call did", client.unary(text("told"))).await?.text == want {
            return Ok(());
        }
    }
}
