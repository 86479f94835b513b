//! One call's trouble is not another's.

use std::future::IntoFuture;
use std::time::Duration;

use futures::StreamExt;
use futures::future::join_all;
use trill::{Channel, Code, Context, ErrorKind, Limits, Result, Server};
use trill_tests::{EverythingClient, Obedient, in_memory, now, over_tcp, text};

#[tokio::test(start_paused = true)]
async fn a_slow_handler_delays_no_other_call_on_the_connection() {
    let (client, _log) = in_memory();
    let slow = client.unary(text("sleep 5000"));
    let quick = async {
        let started = now();
        for _ in 0..100 {
            client.unary(text("quick")).await.unwrap();
        }
        assert_eq!(
            started.elapsed(),
            Duration::ZERO,
            "on the paused clock, time passes only while everybody waits"
        );
    };
    let (slow, ()) = futures::join!(slow.into_future(), quick);
    assert_eq!(slow.unwrap(), text("slept"));
}

/// Keeps its thread until the gate opens, or waits for a while as a future should, if it is told
/// so.
struct Gated(std::sync::Mutex<std::sync::mpsc::Receiver<()>>);

#[trill::service(package = "test")]
trait Gate {
    async fn pass(&self, cx: Context, word: String) -> Result<String>;
}

#[trill::service]
impl Gate for Gated {
    async fn pass(&self, _cx: Context, word: String) -> Result<String> {
        match &*word {
            "keep the thread" => self.0.lock().unwrap().recv().unwrap(),
            "wait" => tokio::time::sleep(Duration::from_millis(2)).await,
            _ => {}
        }
        Ok(word)
    }
}

/// Makes all calls at once; one of them keeps its thread until the others are answered.
async fn all_but_one_are_answered(words: Vec<&'static str>) {
    let (gate, closed) = std::sync::mpsc::channel();
    let bound = Server::builder()
        .service(Gated(std::sync::Mutex::new(closed)))
        .bind("127.0.0.1:0")
        .await
        .unwrap();
    let client = GateClient::new(Channel::connect(bound.local_addr().to_string()).await.unwrap());
    tokio::spawn(bound.serve());
    let others = words.len() - 1;
    let calls = words.into_iter().map(|word| client.pass(word.to_owned()).into_future());
    let mut calls: futures::stream::FuturesUnordered<_> = calls.collect();
    for _ in 0..others {
        let word = tokio::time::timeout(Duration::from_secs(20), calls.next())
            .await
            .expect("nobody waits");
        assert_ne!(word.unwrap().unwrap(), "keep the thread");
    }
    gate.send(()).unwrap();
    assert_eq!(calls.next().await.unwrap().unwrap(), "keep the thread");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_handler_that_keeps_its_thread_delays_no_call_that_came_with_it() {
    // It is among the first, in the midst, or the last that is begun: then the answers before it
    // are not yet written.
    for place in [0, 1, 2, 3, 15, 16, 17, 50, 100, 198, 199] {
        let mut words = vec!["go"; 200];
        words[place] = "keep the thread";
        all_but_one_are_answered(words).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_handler_that_keeps_its_thread_delays_no_call_that_waits() {
    for place in [1, 2, 3, 100, 199] {
        let mut words: Vec<_> = ["go", "wait"].into_iter().cycle().take(200).collect();
        words[place] = "keep the thread";
        all_but_one_are_answered(words).await;
    }
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

/// A client in memory of a server with little room for what is unread.
fn with_little_room() -> EverythingClient {
    let (service, log) = Obedient::new();
    // The reports have no reader.
    std::mem::forget(log);
    let limits =
        Limits::default().max_unread_per_connection(4 * 1024 * 1024).max_message_received(100_000);
    EverythingClient::new(Server::builder().limits(limits).service(service).in_memory().unwrap())
}

#[tokio::test(start_paused = true)]
async fn empty_messages_that_nobody_reads_end_their_stream_and_hold_up_no_other_for_long() {
    let client = with_little_room();
    let flood = async {
        let (mut writer, reply) = client.upload().await.unwrap();
        writer.write(text("hang")).await.unwrap();
        let written = loop {
            if let Err(error) = writer.write(text("")).await {
                break error;
            }
        };
        (written, reply.await.unwrap_err())
    };
    let calls = async {
        for _ in 0..300 {
            client.unary(text("quick")).timeout(Duration::from_secs(3)).await.unwrap();
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let ((written, error), ()) = futures::join!(flood, calls);
    for error in [written, error] {
        assert_eq!((error.kind(), error.code()), (ErrorKind::Status, Code::ResourceExhausted));
        assert!(error.to_string().contains("max_unread_per_connection"), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn empty_messages_are_all_read_by_a_handler_that_is_slower_than_they_come() {
    let client = with_little_room();
    let (mut writer, reply) = client.upload().await.unwrap();
    writer.write(text("pace 20")).await.unwrap();
    for _ in 0..150_000 {
        writer.write(text("")).await.unwrap();
    }
    writer.finish().await.unwrap();
    assert_eq!(reply.await.unwrap(), text("150000 messages, 0 bytes"));
}

#[tokio::test]
async fn ten_thousand_streams_on_one_connection() {
    let (client, _log) = over_tcp().await;
    let mut open = Vec::new();
    for batch in 0..100 {
        let opening = (0..100).map(|_| client.talk().into_future());
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
