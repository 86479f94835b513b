//! One-way calls and the end of their program.

use tokio::io::AsyncWriteExt;
use trill::{Channel, Error, ErrorKind};
use trill_tests::{EverythingClient, listen, text};

/// The answer to INIT, with a window that is never used up.
const ACCEPTED: [u8; 24] = [
    0x09, 0x30, 1, 1, 0, 0, 0, 24, 0, 0, 0, 0, 0, 100, 0, 0, 0x12, 0, 0x18, 0xff, 0xff, 0xff, 0xff,
    0x0f,
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_way_calls_that_are_flushed_arrive_though_their_runtime_ends() {
    let (_handle, address, mut log) = listen("127.0.0.1:0").await;
    for count in [1, 2, 10, 1_000] {
        let address = address.clone();
        let program = move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let channel = Channel::connect(address).await.unwrap();
                let client = EverythingClient::new(channel.clone());
                for number in 0..count {
                    client.notify(text(number.to_string())).await.unwrap();
                }
                channel.flush().await.unwrap();
                assert_eq!(channel.buffered().unsent, 0);
            });
        };
        tokio::task::spawn_blocking(program).await.unwrap();
        let mut left = count;
        while left > 0 {
            let line = tokio::time::timeout(std::time::Duration::from_secs(20), log.recv()).await;
            let line = line.expect("all calls arrive").expect("the service lives");
            left -= usize::from(line.starts_with("notified"));
        }
    }
}

/// A client of a peer that takes next to nothing, with a message on the way that is too large for
/// that.
async fn stalled() -> (Channel, EverythingClient, tokio::net::TcpStream) {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let channel = Channel::connect(listener.local_addr().unwrap().to_string()).await.unwrap();
    let (mut peer, _) = listener.accept().await.unwrap();
    let client = EverythingClient::new(channel.clone());
    peer.write_all(&ACCEPTED).await.unwrap();
    let (_, mut writer) = client.talk().await.unwrap().split();
    writer.write(text("x".repeat(9_900_000))).await.unwrap();
    (channel, client, peer)
}

fn is_a_loss(error: &Error) {
    assert_eq!(error.kind(), ErrorKind::Network, "{error}");
    assert!(
        error.to_string().contains("before all that was queued was written")
            && error.peer().is_some()
    );
}

#[tokio::test]
async fn a_connection_that_is_lost_while_it_is_flushed_is_an_error() {
    let (channel, _client, peer) = stalled().await;
    let mut flush = Box::pin(channel.flush());
    assert!(futures::poll!(flush.as_mut()).is_pending(), "9.9 MB are in no socket's buffer");
    drop(peer);
    is_a_loss(&flush.await.unwrap_err());
}

#[tokio::test]
async fn a_connection_that_was_lost_before_the_flush_is_an_error_once() {
    let (channel, _client, peer) = stalled().await;
    drop(peer);
    while channel.connections() > 0 {
        tokio::task::yield_now().await;
    }
    let error = loop {
        // Its task tells of the loss when it comes to its end.
        if let Err(error) = channel.flush().await {
            break error;
        }
        tokio::task::yield_now().await;
    };
    is_a_loss(&error);
    channel.flush().await.unwrap();
}

#[tokio::test]
async fn a_flush_of_nothing_is_ready() {
    let channel = Channel::builder().lazy("127.0.0.1:1").unwrap();
    channel.flush().await.unwrap();
    let (_handle, address, _log) = listen("127.0.0.1:0").await;
    let channel = Channel::connect(address).await.unwrap();
    channel.flush().await.unwrap();
    EverythingClient::new(channel.clone()).unary(text("a")).await.unwrap();
    channel.flush().await.unwrap();
}
