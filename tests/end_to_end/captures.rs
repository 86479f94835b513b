//! The recorded programs of tRPC-Cpp's examples: our greeter answers their clients' bytes as their servers did, and our client
//! understands their servers' bytes.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use trill::prost::Message;
use trill::{Channel, Server};
use trill_examples::greeter::{
    GreeterClient, GreeterServer, HelloReply, HelloRequest, MyGreeter, StreamGreeterClient,
    StreamGreeterServer,
};
use trill_proto::{CloseMeta, FeedbackMeta, InitMeta, RequestProtocol, ResponseProtocol};

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

/// A frame of a client, as far as it must be the same.
#[derive(Debug, PartialEq)]
enum Request {
    Unary { meta: Box<RequestProtocol>, body: Vec<u8> },
    Stream { id: u32, kind: u8, init: Option<Box<InitMeta>>, payload: Vec<u8> },
}

fn parse_request(bytes: &[u8]) -> Request {
    let rest = &bytes[16..];
    if bytes[2] == 0 {
        let header = usize::from(u16::from_be_bytes([bytes[8], bytes[9]]));
        let mut meta = RequestProtocol::decode(&rest[..header]).unwrap();
        // A name of its own for the program.
        meta.caller = "".into();
        return Request::Unary { meta: Box::new(meta), body: rest[header..].to_vec() };
    }
    let id = u32::from_be_bytes(bytes[10..14].try_into().unwrap());
    let (mut init, mut payload) = (None, rest.to_vec());
    if bytes[3] == 1 {
        let mut meta = InitMeta::decode(rest).unwrap();
        if let Some(request) = &mut meta.request_meta {
            request.caller = "".into();
            // Their asynchronous program calls the service by a name of its own; only `func` selects the method.
            request.callee = "".into();
        }
        (init, payload) = (Some(Box::new(meta)), Vec::new());
    }
    Request::Stream { id, kind: bytes[3], init, payload }
}

async fn read_request(socket: &mut TcpStream) -> Request {
    let mut bytes = vec![0; 16];
    tokio::time::timeout(Duration::from_secs(20), socket.read_exact(&mut bytes))
        .await
        .expect("a request is due")
        .unwrap();
    bytes.resize(u32::from_be_bytes(bytes[4..8].try_into().unwrap()) as usize, 0);
    socket.read_exact(&mut bytes[16..]).await.unwrap();
    parse_request(&bytes)
}

/// Plays the recorded server: waits for what the recorded client sent, and answers with the recorded bytes.
async fn play(listener: TcpListener, frames: Vec<Captured>) {
    let (mut socket, _) = listener.accept().await.unwrap();
    for frame in frames.iter().filter(|frame| !frame.hex.is_empty()) {
        let bytes = unhex(&frame.hex);
        if frame.direction == "c2s" {
            assert_eq!(read_request(&mut socket).await, parse_request(&bytes), "{}", frame.conversation);
        } else {
            socket.write_all(&bytes).await.unwrap();
        }
    }
    // What comes beyond the recording: our clients half-close a server stream, theirs do not.
    let _ = socket.read_to_end(&mut Vec::new()).await;
}

/// The messages of one direction of a conversation.
fn messages<M: Message + Default>(frames: &[Captured], direction: &str) -> Vec<M> {
    frames
        .iter()
        .filter(|frame| frame.direction == direction && !frame.hex.is_empty())
        .filter_map(|frame| {
            let bytes = unhex(&frame.hex);
            match (bytes[2], bytes[3]) {
                (0, _) => Some(&bytes[16 + usize::from(u16::from_be_bytes([bytes[8], bytes[9]]))..]),
                (1, 2) => Some(&bytes[16..]),
                _ => None,
            }
            .map(|payload| M::decode(payload).unwrap())
        })
        .collect()
}

#[tokio::test]
async fn our_client_understands_the_recorded_servers() {
    let mut played = 0;
    for (name, frames) in conversations().into_iter().filter(|(name, _)| !name.contains("concurrent")) {
        let (sent, expected): (Vec<HelloRequest>, Vec<HelloReply>) =
            (messages(&frames, "c2s"), messages(&frames, "s2c"));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let server = tokio::spawn(play(listener, frames));
        // As the recorded client is set: its first call has id 0, and 5 s.
        let channel = Channel::builder()
            .first_request_id(0)
            .timeout(Duration::from_secs(5))
            .connect(&address)
            .await
            .unwrap();
        let streams = StreamGreeterClient::new(channel.clone());
        let mut got = Vec::new();
        if name.contains("client stream") {
            let (mut writer, reply) = streams.client_stream_say_hello().await.unwrap();
            for message in sent {
                writer.write(message).await.unwrap();
            }
            writer.finish().await.unwrap();
            got.push(reply.await.unwrap());
        } else if name.contains("server stream") {
            let [request] = sent.try_into().expect("one request");
            let mut reader = streams.server_stream_say_hello(request).await.unwrap();
            while let Some(message) = reader.read().await.unwrap() {
                got.push(message);
            }
        } else {
            let greeter = GreeterClient::new(channel.clone());
            for request in sent {
                got.push(greeter.say_hello(request).await.unwrap());
            }
        }
        assert_eq!(got, expected, "{name}");
        drop((streams, channel));
        server.await.unwrap_or_else(|error| panic!("{name}: {error}"));
        played += 1;
    }
    assert_eq!(played, 6, "all but the concurrent ones, whose order is not ours");
}
