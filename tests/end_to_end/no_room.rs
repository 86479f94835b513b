//! Streams that are opened on a connection whose server does not read.

use std::sync::Arc;

use futures::FutureExt;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use trill::Channel;
use trill_tests::{EverythingClient, listen, text};

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
    assert!((1..1_000_000).contains(&unsent), "{unsent} bytes are unsent, of 60 MB that were to be");

    let mut waiting = client.talk();
    assert!(futures::poll!(&mut waiting).is_pending());
    assert!(channel.buffered().unsent <= unsent, "nothing of it is sent while it waits");
    thaw.notify_one();
    let mut rw = waiting.await.expect("there is room when the server reads");
    rw.write(text("hello")).await.unwrap();
    assert_eq!(rw.read().await.unwrap(), Some(text("hello")));
}
