//! Streams on which both sides wait for each other: nothing ends them, and the log says what would.

use std::time::Duration;

use futures::future::join_all;
use trill::{AsyncReaderWriter, Context, Result, Server};
use trill_tests::{EverythingClient, Text, in_memory, text};

use crate::warnings::Warnings;

/// Lets so much time pass, or less if the future is ready.
async fn within<F: Future>(seconds: u64, future: F) -> Option<F::Output> {
    tokio::time::timeout(Duration::from_secs(seconds), future).await.ok()
}

fn says(line: &str, parts: &[&str]) -> bool {
    parts.iter().all(|part| line.contains(part))
}

#[tokio::test(start_paused = true)]
async fn a_writer_that_is_kept_without_finish_is_warned_about_once() {
    let warnings = Warnings::default();
    let _guard = tracing::subscriber::set_default(warnings.clone());
    let (client, _log) = in_memory();
    let (mut writer, mut reply) = client.upload().await.unwrap();
    writer.write(text("one")).await.unwrap();
    assert!(within(9, &mut reply).await.is_none());
    assert_eq!(warnings.lines(), [""; 0], "it has not waited for 10 s");
    assert!(within(100, &mut reply).await.is_none(), "nothing ends it");
    let lines = warnings.lines();
    assert_eq!(lines.len(), 1, "{lines:?}");
    let peer = format!("{}", writer.peer());
    assert!(
        says(&lines[0], &["/test.all.Everything/Upload", &peer, "a read has waited", "finish()"]),
        "{lines:?}"
    );
    writer.finish().await.unwrap();
    assert!(reply.await.is_ok(), "the advice is right");
}

#[tokio::test(start_paused = true)]
async fn reading_to_the_end_without_finish_writing_is_warned_about() {
    let warnings = Warnings::default();
    let _guard = tracing::subscriber::set_default(warnings.clone());
    let (client, _log) = in_memory();
    let mut rw = client.talk().await.unwrap();
    rw.write(text("a")).await.unwrap();
    assert_eq!(rw.read().await.unwrap(), Some(text("a")));
    assert!(within(100, rw.read()).await.is_none());
    let lines = warnings.lines();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(says(&lines[0], &["/test.all.Everything/Talk", "finish_writing()"]), "{lines:?}");
    rw.finish_writing().await.unwrap();
    assert_eq!(rw.read().await.unwrap(), None, "the advice is right");
}

#[trill::service(package = "test.stuck")]
trait Writes {
    async fn first(&self, cx: Context, rw: AsyncReaderWriter<Text, Text>) -> Result<()>;
}

struct WritesFirst;

#[trill::service]
impl Writes for WritesFirst {
    async fn first(&self, _cx: Context, mut rw: AsyncReaderWriter<Text, Text>) -> Result<()> {
        for _ in 0..100 {
            rw.write(text("x".repeat(2_000))).await?;
        }
        while rw.read().await?.is_some() {}
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn both_sides_that_write_first_are_warned_once_each() {
    let warnings = Warnings::default();
    let _guard = tracing::subscriber::set_default(warnings.clone());
    let client: WritesClient = Server::builder().service(WritesFirst).in_memory().unwrap().into();
    let mut rw = client.first().await.unwrap();
    let write_all = async { while rw.write(text("x".repeat(2_000))).await.is_ok() {} };
    assert!(within(100, write_all).await.is_none());
    let lines = warnings.lines();
    assert_eq!(lines.len(), 2, "one at each side: {lines:?}");
    for line in lines {
        assert!(
            says(&line, &["/test.stuck.Writes/First", "a write has waited", "read()"]),
            "{line}"
        );
    }
    for _ in 0..100 {
        assert!(rw.read().await.unwrap().is_some(), "the advice is right");
    }
    rw.finish().await.unwrap();
}

/// Those who wait for what only the other side can bring are no mistake: subscriptions, and
/// handlers whose client is silent.
#[tokio::test(start_paused = true)]
async fn who_waits_as_it_should_is_not_warned() {
    let warnings = Warnings::default();
    let _guard = tracing::subscriber::set_default(warnings.clone());
    let (client, _log) = in_memory();
    let mut subscribed = client.download(text("hang")).await.unwrap();
    let mut finished = client.talk().await.unwrap();
    finished.write(text("hang")).await.unwrap();
    finished.finish_writing().await.unwrap();
    let silent = client.talk().await.unwrap();
    let (reads, _) = tokio::join!(within(60, subscribed.read()), within(60, finished.read()));
    assert!(reads.is_none());
    assert_eq!(warnings.lines(), [""; 0]);
    drop(silent);
}

/// A conversation with pauses below the limit never has the warning, however long it is.
#[tokio::test(start_paused = true)]
async fn a_stream_on_which_something_moves_is_not_stuck() {
    let warnings = Warnings::default();
    let _guard = tracing::subscriber::set_default(warnings.clone());
    let (client, _log) = in_memory();
    let mut rw = client.talk().await.unwrap();
    for _ in 0..20 {
        rw.write(text("sleep 9000")).await.unwrap();
        assert!(rw.read().await.unwrap().is_some());
    }
    assert_eq!(warnings.lines(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_crowd_is_warned_about_little_by_little() {
    let warnings = Warnings::default();
    let _guard = tracing::subscriber::set_default(warnings.clone());
    let (client, _log) = in_memory();
    let wait = |client: EverythingClient| async move {
        let mut rw = client.talk().await.unwrap();
        assert!(within(60, rw.read()).await.is_none());
    };
    let crowd = join_all((0..40).map(|_| wait(client.clone())));
    let count = async {
        // Between two looks, which come every 5 s.
        tokio::time::sleep(Duration::from_secs(2)).await;
        let mut counts = Vec::new();
        for _ in 0..10 {
            counts.push(warnings.lines().len());
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
        counts
    };
    let (_, counts) = tokio::join!(crowd, count);
    assert!(counts.windows(2).all(|pair| pair[1] - pair[0] <= 16), "{counts:?}");
    assert_eq!(counts.last(), Some(&40), "{counts:?}");
}
