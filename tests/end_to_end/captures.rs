//! The recorded clients of tRPC-Cpp's examples, byte for byte, against the greeter of our examples: it answers as their server did.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use trill::Server;
use trill::prost::Message;
use trill_examples::greeter::{GreeterServer, MyGreeter, StreamGreeterServer};
use trill_proto::{CloseMeta, FeedbackMeta, InitMeta, ResponseProtocol};

#[derive(Deserialize)]
struct Captured {
    conversation: String,
    direction: String,
    hex: String,
}

/// A frame of a server, as far as it must be the same.
#[derive(Debug, PartialEq)]
enum Answer {
    Unary { meta: Box<ResponseProtocol>, body: Vec<u8> },
    Init(Box<InitMeta>),
    Data(Vec<u8>),
    Feedback(FeedbackMeta),
    Close(Box<CloseMeta>),
}

/// What may differ from the recorded answers, and why.
fn forgive(conversation: &str, answers: &mut [Answer]) {
    for answer in answers {
        match answer {
            // Their fiber server puts the word OK into the text of a good end; ours leaves it empty, as their merge server does.
            Answer::Close(meta) if meta.ret == 0 && meta.func_ret == 0 => meta.msg = "".into(),
            // Their merge server switches flow control off; ours never does that by itself.
            Answer::Init(meta) if conversation.contains("(merge server)") => meta.init_window_size = 65_535,
            // Two servers, two texts: ours says what the fiber server says.
            Answer::Data(text) if conversation.contains("(merge server)") => text.clear(),
            _ => {}
        }
    }
}

/// Reads one frame: its stream (or 0 for unary), the fixed header's id, version and reserved bytes, and what it says.
async fn read_answer(socket: &mut TcpStream) -> (u32, [u8; 6], Answer) {
    let mut head = [0; 16];
    tokio::time::timeout(Duration::from_secs(20), socket.read_exact(&mut head))
        .await
        .expect("an answer is due")
        .unwrap();
    let mut rest = vec![0; u32::from_be_bytes(head[4..8].try_into().unwrap()) as usize - 16];
    socket.read_exact(&mut rest).await.unwrap();
    parse(&head, &rest)
}

fn parse(head: &[u8], rest: &[u8]) -> (u32, [u8; 6], Answer) {
    let ids = head[10..16].try_into().unwrap();
    let stream = u32::from_be_bytes(head[10..14].try_into().unwrap());
    let answer = match (head[2], head[3]) {
        (0, _) => {
            let header = usize::from(u16::from_be_bytes([head[8], head[9]]));
            let meta = ResponseProtocol::decode(&rest[..header]).unwrap();
            return (0, ids, Answer::Unary { meta: Box::new(meta), body: rest[header..].to_vec() });
        }
        (1, 1) => Answer::Init(Box::new(InitMeta::decode(rest).unwrap())),
        (1, 2) => Answer::Data(rest.to_vec()),
        (1, 3) => Answer::Feedback(FeedbackMeta::decode(rest).unwrap()),
        (1, 4) => Answer::Close(Box::new(CloseMeta::decode(rest).unwrap())),
        other => panic!("no such frame: {other:?}"),
    };
    (stream, ids, answer)
}

fn unhex(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

/// The recorded conversations with the greeter, in the order of the file.
fn conversations() -> Vec<(String, Vec<Captured>)> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/vectors/trpc_cpp_captures.json");
    let all: Vec<Captured> = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let mut conversations: Vec<(String, Vec<Captured>)> = Vec::new();
    for captured in all {
        if !captured.conversation.contains("helloworld") && !captured.conversation.contains("example trpc_") {
            continue;
        }
        match conversations.last_mut() {
            Some((name, frames)) if *name == captured.conversation => frames.push(captured),
            _ => conversations.push((captured.conversation.clone(), vec![captured])),
        }
    }
    conversations
}

#[tokio::test]
async fn recorded_clients_get_the_recorded_answers() {
    let bound = Server::builder()
        .service(GreeterServer::new(MyGreeter))
        .service(StreamGreeterServer::new(MyGreeter))
        .bind("127.0.0.1:0")
        .await
        .unwrap();
    let address = bound.local_addr().to_string();
    tokio::spawn(bound.serve());

    let conversations = conversations();
    assert_eq!(conversations.len(), 8, "the conversations with the greeter");
    for (name, frames) in conversations {
        let mut socket = TcpStream::connect(&address).await.unwrap();
        // Streams are independent of each other, so their frames may come in another order among themselves.
        let (mut expected, mut got) = (BTreeMap::<u32, Vec<_>>::new(), BTreeMap::<u32, Vec<_>>::new());
        for frame in frames.iter().filter(|frame| !frame.hex.is_empty()) {
            let bytes = unhex(&frame.hex);
            if frame.direction == "c2s" {
                socket.write_all(&bytes).await.unwrap();
                continue;
            }
            let (stream, ids, answer) = parse(&bytes[..16], &bytes[16..]);
            expected.entry(stream).or_default().push((ids, answer));
            let (stream, ids, answer) = read_answer(&mut socket).await;
            got.entry(stream).or_default().push((ids, answer));
        }
        for (stream, mut expected) in expected {
            let mut got = got.remove(&stream).unwrap_or_default();
            let ids = |answers: &[([u8; 6], Answer)]| answers.iter().map(|(ids, _)| *ids).collect::<Vec<_>>();
            assert_eq!(ids(&got), ids(&expected), "{name}, stream {stream}: ids and versions");
            let mut expected: Vec<_> = expected.drain(..).map(|(_, answer)| answer).collect();
            let mut got: Vec<_> = got.drain(..).map(|(_, answer)| answer).collect();
            forgive(&name, &mut expected);
            forgive(&name, &mut got);
            assert_eq!(got, expected, "{name}, stream {stream}");
        }
    }
}
