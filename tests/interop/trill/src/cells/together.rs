//! Many at once, and other settings of the channel.

use futures::future::try_join_all;
use trill::Channel;
use trill::Limits;
use trill_tests::{EverythingClient, text};

use super::download::{next, numbers};
use super::upload::{counted, upload};
use crate::cell::{cell, fine, same};

pub(super) async fn all(pair: &str, client: &EverythingClient) -> usize {
    let mut failed = cell(pair, "unary: 1,000 calls at once", async {
        try_join_all((0..1_000).map(|number| async move {
            let message = text(number.to_string());
            same(fine("an answer", client.unary(message.clone())).await?, message)
        }))
        .await
        .map(drop)
    })
    .await;
    failed += cell(pair, "bidi stream: 1,000 at once with unary calls in between", async {
        try_join_all((0..1_000).map(|number| async move {
            let mut rw = fine("the opening", client.talk()).await?;
            for round in 0..3 {
                let message = text(format!("{number}/{round}"));
                fine("a write", rw.write(message.clone())).await?;
                same(fine("a message", rw.read()).await?, Some(message))?;
            }
            if number % 10 == 0 {
                same(
                    fine("an answer", client.unary(text("in between"))).await?,
                    text("in between"),
                )?;
            }
            fine("the end", rw.finish()).await.map(drop)
        }))
        .await
        .map(drop)
    })
    .await;
    failed
}

/// Another window than usual, or 0: flow control is off in both directions.
pub(super) async fn other_windows(pair: &str, address: &str) -> usize {
    let channel = Channel::builder()
        .limits(Limits::default().window(0))
        .connect(address)
        .await
        .expect("the server listens");
    let client = &EverythingClient::new(channel);
    let mut failed = 0;
    failed += cell(pair, "client stream: without flow control", async {
        let sizes = [10_000; 100];
        same(upload(client, &sizes).await?, counted(&sizes))
    })
    .await;
    failed += cell(pair, "server stream: without flow control", async {
        let mut reader = fine("the opening", client.download(text("count 30000"))).await?;
        numbers(&mut reader, 30_000).await?;
        same(next(&mut reader).await?, None)
    })
    .await;
    failed += cell(pair, "bidi stream: without flow control", async {
        let mut rw = fine("the opening", client.talk()).await?;
        for _ in 0..100 {
            super::talk::echo(&mut rw, 10_000).await?;
        }
        fine("the end", rw.finish()).await.map(drop)
    })
    .await;
    failed += cell(pair, "bidi stream: a window of 1,000,000", async {
        let wide = fine(
            "the connection",
            Channel::builder().limits(Limits::default().window(1_000_000)).connect(address),
        )
        .await?;
        let mut rw = fine("the opening", EverythingClient::new(wide).talk()).await?;
        for size in [900_000, 0, 900_000, 5] {
            super::talk::echo(&mut rw, size).await?;
        }
        fine("the end", rw.finish()).await.map(drop)
    })
    .await;
    failed
}
