//! Servers that answer with what no honest server sends.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use trill::{Channel, ErrorKind};
use trill_tests::Ret as _;
use trill_tests::{EverythingClient, text};

/// A server that reads what comes and answers with fixed bytes.
async fn scripted(answer: &'static [u8], then_close: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut buffer = vec![0; 65_536];
        let _ = socket.read(&mut buffer).await;
        socket.write_all(answer).await.unwrap();
        if !then_close {
            std::future::pending::<()>().await;
        }
    });
    address
}

#[tokio::test]
async fn a_server_that_is_none_is_an_error_that_says_so() {
    let address = scripted(b"HTTP/1.1 400 Bad Request\r\n\r\n", false).await;
    let client = EverythingClient::new(Channel::connect(&address).await.unwrap());
    let error = client.unary(text("")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol);
    assert!(
        error.to_string().contains("not tRPC") && error.to_string().contains(&address),
        "{error}"
    );
}

#[tokio::test]
async fn an_answer_that_does_not_decode_is_an_error_at_the_caller() {
    // Request 1 is answered with a body that is no Text.
    let address =
        scripted(&[0x09, 0x30, 0, 0, 0, 0, 0, 19, 0, 2, 0, 0, 0, 1, 1, 0, 0x18, 1, 0xff], false)
            .await;
    let client = EverythingClient::new(Channel::connect(&address).await.unwrap());
    let error = client.unary(text("")).await.unwrap_err();
    assert_eq!((error.kind(), error.ret()), (ErrorKind::Decode, 122));
}

#[tokio::test]
async fn a_stream_whose_connection_closes_in_the_middle_never_looks_ended() {
    // INIT is answered, one message comes, then the connection closes.
    const ANSWER: &[u8] = &[
        0x09, 0x30, 1, 1, 0, 0, 0, 22, 0, 0, 0, 0, 0, 100, 0, 0, 0x12, 0, 0x18, 0xff, 0xff,
        0x03, //
        0x09, 0x30, 1, 2, 0, 0, 0, 19, 0, 0, 0, 0, 0, 100, 0, 0, 0x0a, 1, b'x',
    ];
    let address = scripted(ANSWER, true).await;
    let client = EverythingClient::new(Channel::connect(&address).await.unwrap());
    let mut rw = client.talk().await.unwrap();
    assert_eq!(rw.read().await.unwrap(), Some(text("x")));
    for _ in 0..3 {
        let error = rw.read().await.unwrap_err();
        assert_eq!((error.kind(), error.ret()), (ErrorKind::Network, 301));
    }
}

#[tokio::test]
async fn a_message_that_does_not_decode_fails_that_read_and_the_stream_goes_on() {
    const ANSWER: &[u8] = &[
        0x09, 0x30, 1, 1, 0, 0, 0, 22, 0, 0, 0, 0, 0, 100, 0, 0, 0x12, 0, 0x18, 0xff, 0xff,
        0x03, //
        0x09, 0x30, 1, 2, 0, 0, 0, 17, 0, 0, 0, 0, 0, 100, 0, 0, 0xff, //
        0x09, 0x30, 1, 2, 0, 0, 0, 19, 0, 0, 0, 0, 0, 100, 0, 0, 0x0a, 1, b'x', //
        0x09, 0x30, 1, 4, 0, 0, 0, 16, 0, 0, 0, 0, 0, 100, 0, 0,
    ];
    let address = scripted(ANSWER, false).await;
    let client = EverythingClient::new(Channel::connect(&address).await.unwrap());
    let mut rw = client.talk().await.unwrap();
    let error = rw.read().await.unwrap_err();
    assert_eq!((error.kind(), error.ret()), (ErrorKind::Decode, 322));
    assert_eq!(rw.read().await.unwrap(), Some(text("x")));
    assert_eq!(rw.read().await.unwrap(), None);
}

/// A server may end a stream before the caller has come to look at the opening, and even before it
/// has taken the request.
#[tokio::test]
async fn messages_before_a_failure_are_read_however_early_it_comes() {
    // INIT is answered, one message comes, then a RESET with 4001.
    const ANSWER: &[u8] = &[
        0x09, 0x30, 1, 1, 0, 0, 0, 22, 0, 0, 0, 0, 0, 100, 0, 0, 0x12, 0, 0x18, 0xff, 0xff,
        0x03, //
        0x09, 0x30, 1, 2, 0, 0, 0, 19, 0, 0, 0, 0, 0, 100, 0, 0, 0x0a, 1, b'x', //
        0x09, 0x30, 1, 4, 0, 0, 0, 21, 0, 0, 0, 0, 0, 100, 0, 0, 8, 1, 0x10, 0xa1, 0x1f,
    ];
    let address = scripted(ANSWER, false).await;
    let client = EverythingClient::new(Channel::connect(&address).await.unwrap());
    let mut reader = client.download(text("")).await.unwrap();
    assert_eq!(reader.read().await.unwrap(), Some(text("x")));
    assert_eq!(reader.read().await.unwrap_err().ret(), 4001);
    let address = scripted(ANSWER, false).await;
    let client = EverythingClient::new(Channel::connect(&address).await.unwrap());
    let mut rw = client.talk().await.unwrap();
    assert_eq!(rw.read().await.unwrap(), Some(text("x")));
    assert_eq!(rw.read().await.unwrap_err().ret(), 4001);
}
