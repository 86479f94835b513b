//! After the end: the same error again and again, once from a `futures::Stream`, and nobody is
//! driven mad.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::{FutureExt, SinkExt, StreamExt};
use tokio::io::AsyncWriteExt;
use trill::{AsyncReaderWriter, Error, ErrorKind};
use trill_tests::{EverythingClient, Text, in_memory, over_tcp, text};

/// The answer to INIT, with a window that is never used up.
const ACCEPTED: [u8; 24] = [
    0x09, 0x30, 1, 1, 0, 0, 0, 24, 0, 0, 0, 0, 0, 100, 0, 0, 0x12, 0, 0x18, 0xff, 0xff, 0xff, 0xff,
    0x0f,
];

/// RESET with the application's code 4001 and the text "why".
const RESET: [u8; 26] = [
    0x09, 0x30, 1, 4, 0, 0, 0, 26, 0, 0, 0, 0, 0, 100, 0, 0, 8, 1, 0x1a, 3, b'w', b'h', b'y', 0x30,
    0xa1, 0x1f,
];

/// A stream that its handler has failed with 4001, to which many messages were written.
async fn failed(client: &EverythingClient) -> AsyncReaderWriter<Text, Text> {
    let mut rw = client.talk().await.unwrap();
    for number in 0..20 {
        rw.write(text(number.to_string())).await.unwrap();
    }
    rw.write(text("error 4001 why")).await.unwrap();
    for number in 0..20 {
        assert_eq!(rw.read().await.unwrap(), Some(text(number.to_string())));
    }
    rw
}

fn is_the_end(error: &Error) {
    assert_eq!((error.kind(), error.app_code(), error.message()), (ErrorKind::Status, 4001, "why"));
}

#[tokio::test]
async fn every_operation_after_the_end_gives_the_same_error() {
    for (client, _log) in [in_memory(), over_tcp().await] {
        let mut rw = failed(&client).await;
        for _ in 0..3 {
            is_the_end(&rw.read().await.unwrap_err());
            is_the_end(&rw.write(text("late")).await.unwrap_err());
        }
        is_the_end(&rw.finish_writing().await.unwrap_err());
        is_the_end(&rw.read().await.unwrap_err());
        is_the_end(&rw.finish().await.unwrap_err());
    }
}

/// A writer that is granted a part of the outbox must notice as well: it does not ask the
/// connection for each message.
#[tokio::test]
async fn a_writer_in_full_flow_gets_the_error_as_soon_as_its_reader_has() {
    let (client, _log) = over_tcp().await;
    // With two streams, the driver lets those who write go on before it writes to the socket.
    let mut other = client.talk().await.unwrap();
    for round in 0..100 {
        let (mut reader, mut writer) = client.talk().await.unwrap().split();
        writer.write(text("error 4001 why")).await.unwrap();
        let error = loop {
            other.write(text("y")).await.unwrap();
            for _ in 0..round {
                // It fails as soon as it hears of the end.
                if writer.write(text("x")).await.is_err() {
                    break;
                }
            }
            tokio::task::yield_now().await;
            if let Some(read) = reader.read().now_or_never() {
                break read.unwrap_err();
            }
        };
        is_the_end(&error);
        is_the_end(&writer.write(text("late")).await.unwrap_err());
        while let Some(echo) = other.read().now_or_never() {
            assert_eq!(echo.unwrap(), Some(text("y")));
        }
    }
}

#[tokio::test]
async fn a_stream_gives_the_error_once_and_a_sink_again_and_again() {
    let (client, _log) = over_tcp().await;
    let (mut reader, mut writer) = failed(&client).await.split();
    let mut items = Vec::new();
    // A loop that looks at no error does not go on for ever.
    while let Some(item) = reader.next().await {
        items.push(item);
    }
    assert_eq!(items.len(), 1);
    is_the_end(items[0].as_ref().unwrap_err());
    assert!(reader.next().await.is_none());
    for _ in 0..3 {
        is_the_end(&writer.send(text("late")).await.unwrap_err());
    }
    is_the_end(&writer.close().await.unwrap_err());
}

#[tokio::test]
async fn a_good_end_stays_one() {
    let (client, _log) = over_tcp().await;
    let mut rw = client.talk().await.unwrap();
    rw.write(text("done")).await.unwrap();
    for _ in 0..3 {
        assert_eq!(rw.read().await.unwrap(), None);
        assert_eq!(rw.write(text("late")).await.unwrap_err().kind(), ErrorKind::Closed);
    }
}

/// It is not driven mad by itself, either: others get their turn. Counted in polls, on one thread.
#[tokio::test]
async fn a_loop_that_ignores_errors_lets_others_go_on() {
    let (client, _log) = in_memory();
    let shared = failed(&client).await.shared();
    for reads in [true, false] {
        let operations = Arc::new(AtomicUsize::new(0));
        let mad = tokio::spawn({
            let (rw, operations) = (shared.clone(), Arc::clone(&operations));
            async move {
                loop {
                    let failed = if reads {
                        rw.read().await.is_err()
                    } else {
                        rw.write(text("late")).await.is_err()
                    };
                    assert!(failed);
                    operations.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        for turn in 1..=100 {
            tokio::task::yield_now().await;
            let count = operations.load(Ordering::Relaxed);
            assert!(count <= turn * 128, "{count} operations in {turn} turns: reads {reads}");
        }
        assert!(operations.load(Ordering::Relaxed) > 0);
        mad.abort();
    }
}

/// The same when the peer takes no bytes any more, so that what the writer was granted stays with
/// it.
#[tokio::test]
async fn a_writer_whose_peer_does_not_read_gets_the_error_as_soon_as_its_reader_has() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let channel =
        trill::Channel::connect(listener.local_addr().unwrap().to_string()).await.unwrap();
    let (mut peer, _) = listener.accept().await.unwrap();
    peer.write_all(&ACCEPTED).await.unwrap();
    let (mut reader, mut writer) =
        EverythingClient::new(channel.clone()).talk().await.unwrap().split();
    let large = text("x".repeat(10_000));
    // The outbox fills once the system takes no more, however much that is. It is left with room
    // for the next message.
    let backlog = || channel.buffered().unsent;
    loop {
        writer.write(large.clone()).await.unwrap();
        if backlog() > 100_000 {
            tokio::time::sleep(Duration::from_millis(50)).await;
            if backlog() > 100_000 {
                break;
            }
        }
    }
    assert!(writer.write(text("small")).now_or_never().is_some(), "a small one still has room");
    peer.write_all(&RESET).await.unwrap();
    is_the_end(&reader.read().await.unwrap_err());
    for _ in 0..3 {
        is_the_end(&writer.write(text("late")).await.unwrap_err());
    }
}

/// A peer says why, and closes the connection while bytes are on their way to it, which the system
/// answers with a reset. The reason was received before that, and counts.
#[tokio::test]
async fn what_came_before_a_write_failed_is_read_first() {
    use std::io::{Read, Write};

    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let channel =
        trill::Channel::connect(listener.local_addr().unwrap().to_string()).await.unwrap();
    let (mut peer, _) = listener.accept().unwrap();
    peer.write_all(&ACCEPTED).unwrap();
    let (mut reader, mut writer) = EverythingClient::new(channel).talk().await.unwrap().split();
    writer.write(text("never read")).await.unwrap();
    // From here on the client's tasks do not run until it writes.
    while peer.read(&mut [0; 1]).unwrap() == 0 {}
    peer.write_all(&RESET).unwrap();
    drop(peer);
    // Messages of this size are written at once, and fail.
    let _ = writer.write(text("x".repeat(100_000))).await;
    let _ = writer.write(text("x".repeat(100_000))).await;
    is_the_end(&reader.read().await.unwrap_err());
    is_the_end(&writer.write(text("late")).await.unwrap_err());
}
