//! Reads and writes that are dropped at random: what arrives is exactly what was accepted, in
//! order.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use trill_tests::{EverythingClient, in_memory, over_tcp, text};

/// How many futures are dropped before they are ready, at least.
const DROPS: usize = 100_000;

/// Polls a future at most so often; `None` if it was given up.
async fn give_up_after<F: Future>(polls: usize, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    for _ in 0..polls {
        let mut task = None;
        std::future::poll_fn(|cx| {
            task = Some(cx.waker().clone());
            Poll::Ready(())
        })
        .await;
        let waker = task.unwrap_or_else(|| Waker::noop().clone());
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return Some(output);
        }
        if polls > 1 {
            tokio::task::yield_now().await;
        }
    }
    None
}

/// Writes numbers and reads their echoes, giving up most operations early.
async fn exchange(client: EverythingClient, seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let (mut reader, mut writer) = client.talk().await.unwrap().split();
    let (mut dropped, mut accepted, mut received) = (0, 0_u64, 0_u64);
    // Long messages fill the window, so that writes have to wait as well.
    let message =
        |number: u64| text(format!("{number:0>width$}", width = 200 + (number % 7) as usize * 400));
    while dropped < DROPS {
        if accepted - received < 60 && random.bool() {
            match give_up_after(random.usize(0..3), writer.write(message(accepted))).await {
                Some(result) => {
                    result.unwrap();
                    accepted += 1;
                }
                None => dropped += 1,
            }
        } else {
            match give_up_after(random.usize(0..3), reader.read()).await {
                Some(read) => {
                    assert_eq!(read.unwrap(), Some(message(received)), "seed {seed}");
                    received += 1;
                }
                None => dropped += 1,
            }
        }
    }
    writer.finish().await.unwrap();
    while let Some(read) = reader.read().await.unwrap() {
        assert_eq!(read, message(received), "seed {seed}");
        received += 1;
    }
    assert_eq!(received, accepted, "seed {seed}");
    assert!(received > 1_000, "the test did exchange messages: {received}");
}

#[tokio::test]
async fn one_hundred_thousand_dropped_reads_and_writes_lose_nothing_in_memory() {
    exchange(in_memory().0, fastrand::u64(..)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_hundred_thousand_dropped_reads_and_writes_lose_nothing_over_tcp() {
    let (client, _log) = over_tcp().await;
    exchange(client, fastrand::u64(..)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropped_shared_reads_and_writes_lose_nothing() {
    let (client, _log) = over_tcp().await;
    let seed = fastrand::u64(..);
    let mut random = fastrand::Rng::with_seed(seed);
    let rw = client.talk().await.unwrap().shared();
    let message = |number: u64| text(format!("{number:0>500}"));
    let (mut dropped, mut accepted, mut received) = (0, 0_u64, 0_u64);
    while dropped < DROPS / 4 {
        if accepted - received < 100 && random.bool() {
            // A second one in the queue behind it, which is always dropped.
            let (first, mut second) = (rw.write(message(accepted)), pin!(rw.write(text("never"))));
            let mut first = pin!(first);
            let polled = give_up_after(random.usize(1..3), first.as_mut()).await;
            match polled {
                Some(result) => {
                    result.unwrap();
                    accepted += 1;
                }
                None => {
                    assert!(
                        give_up_after(1, second.as_mut()).await.is_none(),
                        "it is not its turn: seed {seed}"
                    );
                    dropped += 2;
                }
            }
        } else {
            match give_up_after(random.usize(0..3), rw.read()).await {
                Some(read) => {
                    assert_eq!(read.unwrap(), Some(message(received)), "seed {seed}");
                    received += 1;
                }
                None => dropped += 1,
            }
        }
    }
    rw.finish_writing().await.unwrap();
    while let Some(read) = rw.read().await.unwrap() {
        assert_eq!(read, message(received), "seed {seed}");
        received += 1;
    }
    assert_eq!(received, accepted, "seed {seed}");
}
