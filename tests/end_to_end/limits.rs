//! Sizes and counts that are over their limits.

use std::time::Duration;
use trill_tests::Ret as _;

use trill::client::Backoff;
use trill::testing::{Direction, Network};
use trill::{Channel, ErrorKind, Limits, Origin, Server};
use trill_tests::{EverythingClient, Obedient, in_memory, text};

#[tokio::test]
async fn a_request_over_the_limit_is_refused_before_anything_of_it_is_written() {
    let (client, _log) = in_memory();
    let large = text("x".repeat(10_000_000));
    let error = client.unary(large.clone()).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.origin(), error.ret()),
        (ErrorKind::Limit, Origin::Caller, 121)
    );
    assert!(
        error.to_string().contains("at most 10000000 may be sent (max_message_sent)"),
        "{error}"
    );

    let mut rw = client.talk().await.unwrap();
    let error = rw.write(large).await.unwrap_err();
    assert_eq!((error.kind(), error.ret()), (ErrorKind::Limit, 121));
    rw.write(text("the stream goes on")).await.unwrap();
    assert_eq!(rw.read().await.unwrap(), Some(text("the stream goes on")));
}

#[tokio::test]
async fn a_message_of_exactly_the_limit_passes() {
    let (client, _log) = in_memory();
    // 16 bytes of header; a tag and a length of four bytes before the text.
    let message = text("x".repeat(10_000_000 - 16 - 5));
    let (mut writer, reply) = client.upload().await.unwrap();
    writer.write(message).await.unwrap();
    let error = writer.write(text("x".repeat(10_000_000 - 16 - 4))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limit);
    writer.finish().await.unwrap();
    assert_eq!(reply.await.unwrap(), text("1 messages, 9999979 bytes"));
}

#[tokio::test]
async fn an_answer_over_the_limit_fails_its_call_on_both_sides_with_code_2() {
    let (client, _log) = in_memory();
    let error = client.unary(text("large 10000000")).await.unwrap_err();
    assert_eq!((error.kind(), error.ret()), (ErrorKind::Status, 2));
    assert!(error.to_string().contains("max_message_sent"), "{error}");
    let mut reader = client.download(text("large 10;large 10000000")).await.unwrap();
    assert!(reader.read().await.unwrap().is_some());
    assert_eq!(reader.read().await.unwrap_err().ret(), 2);
    assert!(client.unary(text("still there")).await.is_ok());
}

#[tokio::test]
async fn metadata_over_the_protocols_limit_is_refused() {
    let (client, _log) = in_memory();
    let error = client.unary(text("")).metadata("key", vec![0; 70_000]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limit);
    assert!(error.to_string().contains("65535"), "{error}");
}

#[tokio::test]
async fn streams_and_calls_over_their_count_are_refused_with_code_22() {
    let (service, _log) = Obedient::new();
    let channel = Server::builder()
        .service(service)
        .limits(Limits::default().max_streams_per_connection(2).max_calls_per_connection(1))
        .in_memory()
        .unwrap();
    let client = EverythingClient::new(channel);
    let first = client.talk().await.unwrap();
    let _second = client.talk().await.unwrap();
    let error = client.talk().await.unwrap_err();
    assert_eq!(error.ret(), 22);
    assert!(error.to_string().contains("at most 2 (max_streams_per_connection)"), "{error}");
    first.finish().await.unwrap();
    client.talk().await.unwrap();

    let slow = client.unary(text("hang"));
    let late = async {
        tokio::task::yield_now().await;
        client.unary(text("")).await.unwrap_err()
    };
    tokio::select! {
        _ = slow => unreachable!("it hangs"),
        error = late => assert!(error.to_string().contains("at most 1 (max_calls_per_connection)"), "{error}"),
    }
}

#[tokio::test]
async fn a_larger_request_than_the_server_accepts_ends_that_call_only() {
    let (service, _log) = Obedient::new();
    let bound = Server::builder()
        .service(service)
        .limits(Limits::default().max_message_received(10_000))
        .bind("127.0.0.1:0")
        .await
        .unwrap();
    let address = bound.local_addr().to_string();
    tokio::spawn(bound.serve());
    let client = EverythingClient::new(Channel::connect(&address).await.unwrap());
    let mut rw = client.talk().await.unwrap();
    let error = client.unary(text("x".repeat(20_000))).await.unwrap_err();
    assert_eq!((error.kind(), error.origin(), error.ret()), (ErrorKind::Status, Origin::Peer, 1));
    assert!(client.unary(text("untouched")).await.is_ok());
    rw.write(text("as well")).await.unwrap();
    assert_eq!(rw.read().await.unwrap(), Some(text("as well")));
}

#[tokio::test]
async fn settings_that_cannot_work_are_refused_at_once() {
    let (service, _log) = Obedient::new();
    let error = Server::builder()
        .service(service)
        .limits(Limits::default().window(1_000))
        .bind("127.0.0.1:0")
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("window is 1000"), "{error}");
    let error = Channel::builder()
        .limits(Limits::default().max_message_sent(0))
        .connect("127.0.0.1:1")
        .await
        .unwrap_err();
    assert!(error.to_string().contains("max_message_sent is 0"), "{error}");
    assert_eq!(error.code(), trill::Code::FailedPrecondition);
    let ((one, _), (two, _)) = (Obedient::new(), Obedient::new());
    let error = Server::builder().service(one).service(two).in_memory().unwrap_err();
    assert!(error.to_string().contains("registered as /test.all.Everything/Unary: add"), "{error}");
}

#[tokio::test]
async fn a_server_without_a_service_is_warned_about_and_serves() {
    let warnings = crate::warnings::Warnings::default();
    let _guard = tracing::subscriber::set_default(warnings.clone());
    let channel = Server::builder().in_memory().unwrap();
    let lines = warnings.take();
    assert!(lines.len() == 1 && lines[0].contains("without a service"), "{lines:?}");
    let error = EverythingClient::new(channel).unary(text("")).await.unwrap_err();
    assert_eq!(error.code(), trill::Code::Unimplemented);
    let _channel = Server::builder().service(Obedient::new().0).in_memory().unwrap();
    assert!(warnings.take().is_empty());
}

/// A client and a server with the smallest window.
fn with_a_small_window() -> (EverythingClient, trill::testing::Link) {
    let server =
        Server::builder().service(Obedient::new().0).limits(Limits::default().window(1024));
    let host = Network::new(1).serve(server).unwrap();
    let (channel, link) =
        host.connect(Channel::builder().limits(Limits::default().window(1024))).unwrap();
    (EverythingClient::new(channel), link)
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_with_a_small_window_is_not_far_behind() {
    let (client, link) = with_a_small_window();
    let mut reader = client.download(text("fill 10000 100")).await.unwrap();
    for read in 0..100 {
        // Time passes when the server has written all that it may.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let behind = link.carried(Direction::ToClient) / 118 - read;
        assert!((5..=12).contains(&behind), "{behind} messages of 102 bytes, in frames of 118");
        assert!(reader.read().await.unwrap().is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn a_small_window_carries_messages_of_any_size_both_ways() {
    let (client, _link) = with_a_small_window();
    let rw = client.talk().await.unwrap().shared();
    let sizes = [0, 1, 500, 1021, 1022, 1023, 5_000, 1_000_000, 3, 100_000, 0];
    let write = async {
        for size in sizes {
            rw.write(text("x".repeat(size))).await.unwrap();
        }
        rw.finish_writing().await.unwrap();
    };
    let read = async {
        for size in sizes {
            assert_eq!(rw.read().await.unwrap().map(|message| message.text.len()), Some(size));
        }
        assert_eq!(rw.read().await.unwrap(), None);
    };
    futures::join!(write, read);
}

/// "No limit" is often written so. The greatest of each is a setting like any other: nothing adds
/// to it or doubles it.
#[tokio::test]
async fn the_greatest_limits_are_settings_like_others() {
    const MOST: usize = usize::MAX;
    const EVER: Duration = Duration::MAX;

    let server = Server::builder()
        .limits(
            Limits::default()
                .window(u32::MAX)
                .max_message_sent(u32::MAX as usize)
                .max_message_received(u32::MAX as usize)
                .max_unread_per_connection(MOST)
                .max_unsent_per_connection(MOST)
                .max_calls_per_connection(MOST)
                .max_streams_per_connection(MOST),
        )
        .max_unread(MOST)
        .max_unsent(MOST)
        .max_calls(MOST)
        .max_connections(MOST)
        .max_new_connections(MOST)
        .max_accepts_per_second(u32::MAX)
        .idle_timeout(EVER)
        .first_frame_timeout(EVER)
        .stream_idle_timeout(EVER)
        .read_timeout(EVER)
        .write_timeout(EVER)
        .heartbeat(EVER);
    let bound = server.service(Obedient::new().0).bind("127.0.0.1:0").await.unwrap();
    let (address, handle) = (bound.local_addr().to_string(), bound.handle());
    let serving = tokio::spawn(bound.serve());
    let channel = Channel::builder()
        .limits(
            Limits::default()
                .window(u32::MAX)
                .max_message_sent(u32::MAX as usize)
                .max_message_received(u32::MAX as usize)
                .max_unread_per_connection(MOST)
                .max_unsent_per_connection(MOST),
        )
        .connect_timeout(EVER)
        .timeout(EVER)
        .open_timeout(EVER)
        .idle_timeout(EVER)
        .stream_idle_timeout(EVER)
        .read_timeout(EVER)
        .write_timeout(EVER)
        .heartbeat(EVER)
        .resolve_every(EVER)
        .reconnect(Backoff::default().first(EVER).max(EVER))
        .connect(&address)
        .await
        .unwrap();
    let client = EverythingClient::new(channel.clone());
    assert_eq!(client.unary(text("hello")).await.unwrap(), text("hello"));
    assert_eq!(client.unary(text("hello")).timeout(EVER).await.unwrap(), text("hello"));
    client.notify(text("by the way")).await.unwrap();
    let mut rw = client.talk().timeout(EVER).await.unwrap();
    rw.write(text("hello")).timeout(EVER).await.unwrap();
    assert_eq!(rw.read().timeout(EVER).await.unwrap(), Some(text("hello")));
    rw.finish().await.unwrap();
    handle.shutdown(EVER).await;
    serving.await.unwrap().unwrap();

    // The wait after a failure is as long, and calls say so at once.
    let nowhere = Channel::builder().reconnect(Backoff::default().first(EVER).max(EVER));
    let client = EverythingClient::new(nowhere.lazy(&address).unwrap());
    for _ in 0..2 {
        let error = client.unary(text("hello")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connect, "{error}");
    }
}
