//! Clients that end their direction of the socket: some wait for answers, as `nc` and simple
//! scripts do, and some are gone.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use trill::prost::Message;
use trill::{Channel, ErrorKind};
use trill_proto::ResponseProtocol;
use trill_tests::{EverythingClient, Log, Text, listen, raw, text};

const LONG: Duration = Duration::from_secs(20);

async fn reported(log: &mut Log, what: &str) {
    let found = async { while log.recv().await.expect("the service is there") != what {} };
    tokio::time::timeout(LONG, found).await.unwrap_or_else(|_| panic!("nobody reports {what:?}"));
}

/// All answers until the server's end: codes and texts, in the order of their ids.
async fn answers(socket: &mut (impl AsyncRead + Unpin)) -> Vec<(u32, i32, String)> {
    let mut received = Vec::new();
    tokio::time::timeout(LONG, socket.read_to_end(&mut received))
        .await
        .expect("the server ends")
        .unwrap();
    let (mut rest, mut answers) = (&received[..], Vec::new());
    while !rest.is_empty() {
        let size = u32::from_be_bytes(rest[4..8].try_into().unwrap()) as usize;
        let body = 16 + usize::from(u16::from_be_bytes(rest[8..10].try_into().unwrap()));
        let head = ResponseProtocol::decode(&rest[16..body]).unwrap();
        answers.push((head.request_id, head.ret, Text::decode(&rest[body..size]).unwrap().text));
        rest = &rest[size..];
    }
    answers.sort();
    answers
}

#[tokio::test]
async fn a_client_that_half_closes_its_socket_gets_the_answers_to_its_calls() {
    let (_handle, address, mut log) = listen("127.0.0.1:0").await;
    for round in 0..25 {
        let mut socket = TcpStream::connect(&address).await.unwrap();
        for (id, order) in [(1, "wait"), (2, "at once"), (3, "sleep 5")] {
            socket.write_all(&raw::call(id, "Unary", order)).await.unwrap();
        }
        socket.shutdown().await.unwrap();
        // It has seen the end by then, most often: the answer to the second call comes behind it,
        // or the first byte of another one.
        let mut first = [0];
        socket.read_exact(&mut first).await.unwrap();
        tokio::time::sleep(Duration::from_millis(round % 5)).await;
        let other = EverythingClient::new(Channel::connect(&address).await.unwrap());
        other.unary(text("resume")).await.unwrap();
        let answers = answers(&mut (&first[..]).chain(socket)).await;
        let all = [(1, "resumed"), (2, "at once"), (3, "slept")];
        assert_eq!(answers, all.map(|(id, text)| (id, 0, text.to_owned())), "round {round}");
    }
    while let Ok(report) = log.try_recv() {
        assert_ne!(report, "unary dropped");
    }
}

#[tokio::test]
async fn an_answer_that_a_half_closed_client_waits_for_comes_whole_when_the_server_breaks_it_off() {
    let (handle, address, _log) = listen("127.0.0.1:0").await;
    let mut socket = TcpStream::connect(&address).await.unwrap();
    socket.write_all(&raw::call(7, "Unary", "hang")).await.unwrap();
    socket.shutdown().await.unwrap();
    // The byte that shows whether the client reads.
    let mut first = [0];
    tokio::time::timeout(LONG, socket.read_exact(&mut first)).await.expect("it comes").unwrap();
    assert_eq!(first, [0x09]);
    let shutdown = tokio::spawn(async move { handle.shutdown(Duration::ZERO).await });
    let answers = answers(&mut (&first[..]).chain(socket)).await;
    assert_eq!((answers.len(), answers[0].0, answers[0].1), (1, 7, 21));
    shutdown.await.unwrap();
}

#[tokio::test]
async fn a_stream_whose_client_half_closes_its_socket_without_a_close_is_lost() {
    let (_handle, address, mut log) = listen("127.0.0.1:0").await;
    let mut socket = TcpStream::connect(&address).await.unwrap();
    // A call goes on, so the connection does.
    socket.write_all(&raw::call(1, "Unary", "wait")).await.unwrap();
    socket.write_all(&raw::init(100, "Talk", 65_535)).await.unwrap();
    socket.write_all(&raw::data(100, "hang")).await.unwrap();
    socket.shutdown().await.unwrap();
    reported(&mut log, "talk dropped").await;
    let other = EverythingClient::new(Channel::connect(&address).await.unwrap());
    other.unary(text("resume")).await.unwrap();
    reported(&mut log, "unary ended").await;
}

#[tokio::test]
async fn a_handler_whose_caller_is_gone_is_dropped_although_its_end_looks_like_a_half_close() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gone.sock");
    let (_tcp, tcp_address, mut tcp_log) = listen("127.0.0.1:0").await;
    let (_unix, _, mut unix_log) = listen(&format!("unix:{}", path.display())).await;
    let call = raw::call(1, "Unary", "hang");
    for _ in 0..5 {
        let mut socket = TcpStream::connect(&tcp_address).await.unwrap();
        socket.write_all(&call).await.unwrap();
        drop(socket);
        reported(&mut tcp_log, "unary dropped").await;
        let mut socket = UnixStream::connect(&path).await.unwrap();
        socket.write_all(&call).await.unwrap();
        drop(socket);
        reported(&mut unix_log, "unary dropped").await;
    }
}

#[tokio::test]
async fn a_server_closes_a_half_closed_connection_behind_the_last_answer() {
    let (_handle, address, _log) = listen("127.0.0.1:0").await;
    let channel = Channel::connect(&address).await.unwrap();
    let client = EverythingClient::new(channel.clone());
    client.unary(text("hello")).await.unwrap();
    let mut idle = TcpStream::connect(&address).await.unwrap();
    idle.shutdown().await.unwrap();
    assert_eq!(answers(&mut idle).await, []);
    channel.close();
    assert_eq!(client.unary(text("hello")).await.unwrap_err().kind(), ErrorKind::Closed);
}
