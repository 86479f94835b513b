//! Our server and their clients' bytes.

use std::collections::BTreeMap;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use trill::Limits;
use trill::Server;
use trill_examples::greeter::{GreeterServer, MyGreeter, StreamGreeterServer};

use super::conversation::Conversation;
use super::due;
use super::forgive::forgive_answer;
use super::frame::{Frame, Key, Side};
use super::services::{MergeGreeter, MyBench, Recital};

#[tokio::test]
async fn recorded_clients_get_the_recorded_answers() {
    let mut replayed = 0;
    for conversation in Conversation::all() {
        let got = replay(&conversation).await;
        compare(&conversation, got);
        replayed += 1;
    }
    assert_eq!(replayed, 24, "all that were recorded");
}

/// Plays the recorded client to a server of ours, and gives what came back.
async fn replay(conversation: &Conversation) -> Vec<Frame> {
    let (recital, slow, mut heard) = Recital::new();
    let builder = Server::builder().service(recital).service(MyBench);
    let builder = if conversation.has_merge_server() {
        // Theirs switches flow control off, and that is a setting of ours.
        builder.limits(Limits::default().window(0)).service(MergeGreeter)
    } else {
        builder.service(GreeterServer::new(MyGreeter)).service(StreamGreeterServer::new(MyGreeter))
    };
    let bound = builder.bind("127.0.0.1:0").await.unwrap();
    let mut socket = TcpStream::connect(bound.local_addr().to_string()).await.unwrap();
    socket.set_nodelay(true).unwrap();
    tokio::spawn(bound.serve());

    let mut got = Vec::new();
    let last = conversation.frames.iter().rposition(|frame| frame.from == Side::Server);
    for (at, recorded) in conversation.frames.iter().enumerate() {
        if recorded.from == Side::Client {
            socket.write_all(&recorded.bytes).await.unwrap();
            continue;
        }
        if Some(at) == last {
            slow.add_permits(1);
        }
        got.extend(due(Frame::read(Side::Server, &mut socket)).await);
    }
    if last.is_none() {
        assert_eq!(
            due(heard.recv()).await.as_deref(),
            Some("hi"),
            "nobody answers, but it was carried out"
        );
    }
    socket.shutdown().await.unwrap();
    let mut beyond = Vec::new();
    due(socket.read_to_end(&mut beyond)).await.unwrap();
    assert!(beyond.is_empty(), "{}: more than was recorded: {beyond:?}", conversation.name);
    got
}

/// Compares frame by frame. Calls and streams are independent of each other, so their frames may
/// come in another order among themselves.
fn compare(conversation: &Conversation, got: Vec<Frame>) {
    let name = &conversation.name;
    let expected: Vec<_> = conversation.sent(Side::Server).collect();
    if name.contains("answered last") {
        assert_eq!(got.last().map(Frame::key), expected.last().map(Frame::key), "{name}");
    }
    let (got, expected) = (by_key(conversation, got), by_key(conversation, expected));
    for (key, expected) in &expected {
        assert_eq!(got.get(key), Some(expected), "{name}, {key:?}");
    }
    assert_eq!(got.len(), expected.len(), "{name}: calls and streams");
}

fn by_key(conversation: &Conversation, frames: Vec<Frame>) -> BTreeMap<Key, Vec<Frame>> {
    let mut by_key = BTreeMap::<_, Vec<_>>::new();
    for mut frame in frames {
        forgive_answer(conversation, &mut frame);
        by_key.entry(frame.key()).or_default().push(frame);
    }
    by_key
}
