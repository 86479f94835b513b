//! One call's trouble is not another's.

use std::time::Duration;

use futures::future::join_all;
use trill_tests::{in_memory, over_tcp, text};

#[tokio::test(start_paused = true)]
async fn a_slow_handler_delays_no_other_call_on_the_connection() {
    let (client, _log) = in_memory();
    let slow = client.unary(text("sleep 5000"));
    let quick = async {
        let started = tokio::time::Instant::from_std(now());
        for _ in 0..100 {
            client.unary(text("quick")).await.unwrap();
        }
        assert_eq!(
            started.elapsed(),
            Duration::ZERO,
            "on the paused clock, time passes only while everybody waits"
        );
    };
    let (slow, ()) = futures::join!(std::future::IntoFuture::into_future(slow), quick);
    assert_eq!(slow.unwrap(), text("slept"));
}

fn now() -> std::time::Instant {
    #[expect(clippy::disallowed_methods, reason = "the test looks at the paused clock")]
    tokio::time::Instant::now().into_std()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_that_nobody_reads_hold_up_no_other() {
    let (client, _log) = over_tcp().await;
    let mut stuck = Vec::new();
    for _ in 0..100 {
        stuck.push(client.download(text("count 1000000")).await.unwrap());
    }
    let mut rw = client.talk().await.unwrap();
    for number in 0..1_000 {
        let word = text(number.to_string());
        rw.write(word.clone()).await.unwrap();
        assert_eq!(rw.read().await.unwrap(), Some(word.clone()));
        assert_eq!(client.unary(word.clone()).await.unwrap(), word);
    }
    // And they are only waiting.
    for reader in &mut stuck {
        assert_eq!(reader.read().await.unwrap(), Some(text("0")));
    }
}

#[tokio::test]
async fn ten_thousand_streams_on_one_connection() {
    let (client, _log) = over_tcp().await;
    let mut open = Vec::new();
    for batch in 0..100 {
        let opening = (0..100).map(|_| std::future::IntoFuture::into_future(client.talk()));
        for (number, rw) in join_all(opening).await.into_iter().enumerate() {
            open.push((text(format!("{batch}/{number}")), rw.unwrap()));
        }
    }
    for (word, rw) in &mut open {
        rw.write(word.clone()).await.unwrap();
    }
    for (word, rw) in &mut open {
        assert_eq!(rw.read().await.unwrap().as_ref(), Some(&*word));
    }
    for (_, rw) in open {
        rw.finish().await.unwrap();
    }
}
