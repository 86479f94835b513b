//! Streams that are opened on a connection whose server does not read.

use std::sync::Arc;
use std::time::Duration;
use trill_tests::Ret as _;

use futures::FutureExt;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use trill::client::ServerStream;
use trill::server::{Buffered, ServerHandle};
use trill::testing::{Cut, Link, Network, Side};
use trill::{AsyncReaderWriter, Channel, Error, ErrorKind, Server};
use trill_tests::{EverythingClient, Obedient, Text, listen, text};

/// A server that reads nothing before it is told to.
async fn frozen() -> (String, Arc<Notify>) {
    let (_handle, server, _log) = listen("127.0.0.1:0").await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let thaw = Arc::new(Notify::new());
    let told = Arc::clone(&thaw);
    tokio::spawn(async move {
        let mut client = listener.accept().await.unwrap().0;
        told.notified().await;
        let mut server = TcpStream::connect(server).await.unwrap();
        let _ = copy_bidirectional(&mut client, &mut server).await;
    });
    (address, thaw)
}

#[tokio::test]
async fn streams_that_are_given_up_at_a_server_that_does_not_read_do_not_pile_up() {
    let (address, thaw) = frozen().await;
    let channel = Channel::connect(address).await.unwrap();
    let client = EverythingClient::new(channel.clone());
    // More than the sockets take.
    for _ in 0..1_000 {
        let opening = client.talk().metadata("large", vec![7; 60_000]);
        assert!(opening.now_or_never().is_none());
        tokio::task::yield_now().await;
    }
    let unsent = channel.buffered().unsent;
    assert!(
        (1..1_000_000).contains(&unsent),
        "{unsent} bytes are unsent, of 60 MB that were to be"
    );

    let mut waiting = client.talk().metadata("large", vec![7; 5_000]);
    assert!(futures::poll!(&mut waiting).is_pending());
    assert!(channel.buffered().unsent <= unsent, "nothing of it is sent while it waits");
    thaw.notify_one();
    let mut rw = waiting.await.expect("there is room when the server reads");
    rw.write(text("hello")).await.unwrap();
    assert_eq!(rw.read().await.unwrap(), Some(text("hello")));
}

/// A server stream that the server accepts before it stands still, when another stream has filled
/// the outbox.
struct Accepted {
    opening: ServerStream<Text, Text>,
    link: Link,
    server: ServerHandle,
    other: AsyncReaderWriter<Text, Text>,
}

impl Accepted {
    /// One second before its request would be sent.
    async fn new(
        settings: impl FnOnce(ServerStream<Text, Text>) -> ServerStream<Text, Text>,
    ) -> Self {
        let host = Network::new(1).serve(Server::builder().service(Obedient::new().0)).unwrap();
        let builder = Channel::builder().open_timeout(Duration::from_secs(3));
        let (channel, link) = host.connect(builder).unwrap();
        let client = EverythingClient::new(channel);
        let mut other = client.talk().await.unwrap();
        // A request that does not go ahead of what waits.
        let request = format!("stay {}", "x".repeat(5_000));
        let mut opening = settings(client.download(text(request)));
        assert!(futures::poll!(&mut opening).is_pending());
        tokio::time::sleep(Duration::from_secs(1)).await;
        link.freeze(Side::Server);
        other.write(text("x".repeat(1_000_000))).await.unwrap();
        Self { opening, link, server: host.handle(), other }
    }

    /// How its opening fails, within so much of virtual time and what a timer of tokio's adds.
    async fn fails(&mut self, within: Duration) -> Error {
        let limit = within + Duration::from_millis(10);
        tokio::time::timeout(limit, &mut self.opening).await.expect("it fails in time").unwrap_err()
    }

    /// Nothing of the stream is left at the server once that goes on.
    async fn leaves_nothing(self) {
        let Self { opening, link, server, other } = self;
        drop((opening, other));
        link.heal();
        let gone = async {
            while server.buffered() != Buffered::default() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let gone = tokio::time::timeout(Duration::from_secs(600), gone).await;
        gone.unwrap_or_else(|_| panic!("{:?}", server.buffered()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_stream_whose_request_finds_no_room_is_given_up_after_the_open_timeout() {
    let mut stream = Accepted::new(|opening| opening).await;
    let error = stream.fails(Duration::from_secs(2)).await;
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Timeout, false), "{error}");
    for words in ["Download", "was broken off", "3s (open_timeout)"] {
        assert!(error.to_string().contains(words), "{error}");
    }
    assert!(error.peer().is_some(), "{error}");
    stream.leaves_nothing().await;

    let mut stream = Accepted::new(|opening| opening.timeout(Duration::from_millis(1_500))).await;
    let error = stream.fails(Duration::from_millis(500)).await;
    assert_eq!((error.kind(), error.ret()), (ErrorKind::Timeout, 101), "{error}");
    assert!(error.to_string().contains("1.5s (timeout)"), "{error}");
    stream.leaves_nothing().await;
}

#[tokio::test(start_paused = true)]
async fn a_server_stream_whose_connection_ends_before_its_request_is_sent_is_an_error() {
    let mut stream = Accepted::new(|opening| opening).await;
    assert!(futures::poll!(&mut stream.opening).is_pending());
    stream.link.cut(Cut::Reset);
    let error = stream.fails(Duration::ZERO).await;
    assert_eq!(error.kind(), ErrorKind::Network, "{error}");
    assert!(error.to_string().contains("Download"), "{error}");
}
