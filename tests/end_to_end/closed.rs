//! Waiting for the end of a stream beside what is written to it.

use std::time::Duration;
use trill_tests::Ret as _;

use futures::FutureExt;
use futures::future::join_all;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use trill::testing::{Cut, Network, Side};
use trill::{AsyncReaderWriter, Channel, Context, ErrorKind, Result, Server};
use trill_tests::{EverythingClient, Obedient, Text, in_memory, over_tcp, text};

#[tokio::test]
async fn who_only_writes_learns_that_the_stream_is_over_and_why() {
    for (client, _log) in [in_memory(), over_tcp().await] {
        let (_reader, mut writer) = client.talk().await.unwrap().split();
        assert!(writer.closed().now_or_never().is_none());
        writer.write(text("error 4001 why")).await.unwrap();
        for _ in 0..3 {
            let why = writer.closed().await;
            assert_eq!(
                (why.kind(), why.app_code(), why.message()),
                (ErrorKind::Status, 4001, "why")
            );
            assert!(why.method().is_some() && why.peer().is_some(), "{why}");
        }
        let write = writer.write(text("late")).await.unwrap_err();
        assert_eq!(write.to_string(), writer.closed().await.to_string());
    }
}

#[tokio::test]
async fn a_good_end_is_one_for_the_writer_too() {
    let (client, _log) = over_tcp().await;
    let mut rw = client.talk().await.unwrap();
    rw.write(text("done")).await.unwrap();
    assert_eq!(rw.closed().await.kind(), ErrorKind::Closed);

    let (mut writer, reply) = client.upload().await.unwrap();
    writer.write(text("done")).await.unwrap();
    assert_eq!(writer.closed().await.kind(), ErrorKind::Closed);
    assert!(reply.await.is_ok(), "what came before the end is there");
}

#[tokio::test]
async fn clones_wait_together_and_hold_up_no_write() {
    let (client, _log) = over_tcp().await;
    let rw = client.talk().await.unwrap().shared();
    let waiting: Vec<_> = (0..5)
        .map(|_| {
            let rw = rw.clone();
            tokio::spawn(async move { rw.closed().await })
        })
        .collect();
    tokio::task::yield_now().await;
    rw.write(text("a")).await.unwrap();
    assert_eq!(rw.read().await.unwrap(), Some(text("a")));
    rw.write(text("fail 31 why")).await.unwrap();
    for why in join_all(waiting).await {
        assert_eq!(why.unwrap().ret(), 31);
    }
}

struct Watcher(UnboundedSender<(ErrorKind, Result<()>)>);

#[trill::service(package = "test.closed")]
trait Watches {
    async fn watch(&self, cx: Context, rw: AsyncReaderWriter<Text, Text>) -> Result<()>;
}

#[trill::service]
impl Watches for Watcher {
    async fn watch(&self, _cx: Context, mut rw: AsyncReaderWriter<Text, Text>) -> Result<()> {
        assert_eq!(rw.read().await?, None, "the client has ended its input");
        assert!(rw.closed().now_or_never().is_none(), "which is not the end of the stream");
        let (_reader, writer) = rw.split();
        let log = self.0.clone();
        tokio::spawn(
            async move { log.send((writer.closed().await.kind(), writer.finish().await)) },
        );
        std::future::pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_of_a_handler_learns_that_its_client_has_gone() {
    let (log, mut ends) = unbounded_channel();
    let client: WatchesClient =
        Server::builder().service(Watcher(log)).in_memory().expect("a channel in memory").into();
    let mut rw = client.watch().await.unwrap();
    rw.finish_writing().await.unwrap();
    // Time passes only when everybody waits, so the handler does by then.
    let gone = rw.read().timeout(Duration::from_millis(100)).await.unwrap_err();
    assert!(gone.is_timeout());
    drop(rw);
    let (kind, finished) = ends.recv().await.unwrap();
    assert_eq!(kind, ErrorKind::Cancelled);
    finished.expect("a handler only gives up its writer");
}

/// A future that is dropped waits no more, whether the stream ends or not.
#[tokio::test(start_paused = true)]
async fn futures_that_are_dropped_leave_nothing() {
    let host = Network::new(1).serve(Server::builder().service(Obedient::new().0)).unwrap();
    let (channel, link) = host.connect(Channel::builder()).unwrap();
    let rw = EverythingClient::new(channel).talk().await.unwrap();
    let waiting = || link.census(Side::Client).unwrap().waiting;
    let before = waiting();
    for _ in 0..100 {
        assert!(rw.closed().now_or_never().is_none());
    }
    assert_eq!(waiting(), before);
    let mut two = [Box::pin(rw.closed()), Box::pin(rw.closed())];
    for closed in &mut two {
        assert!(futures::poll!(closed.as_mut()).is_pending());
        assert!(futures::poll!(closed.as_mut()).is_pending(), "it waits once");
    }
    assert_eq!(waiting(), before + 2);
    let [first, second] = two;
    drop(first);
    link.cut(Cut::Reset);
    assert_eq!(second.await.kind(), ErrorKind::Network);
}
