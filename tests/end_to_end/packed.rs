//! Bodies that are packed in legal but unusual ways, and such that end too early or too late. Each
//! body is unpacked as a whole, or it is refused: in each codec, in each kind of call, both ways.

use std::io::Write;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use trill::prost::Message;
use trill::{AsyncReaderWriter, Channel, Compression, Context, Limits, Result, Server};
use trill_proto::{InitMeta, InitRequestMeta, RequestProtocol, ResponseProtocol};
use trill_tests::{Absent, AbsentClient, Text, text};

use crate::frames::{frame, read};

/// The codecs: two formats have the number 2.
pub(crate) const CODECS: [(&str, Compression, u32); 6] = [
    ("gzip", Compression::Gzip, 1),
    ("Snappy stream", Compression::SnappyGo, 2),
    ("Snappy block as 2", Compression::SnappyGo, 2),
    ("zlib", Compression::Zlib, 3),
    ("Snappy block", Compression::Snappy, 5),
    ("LZ4", Compression::Lz4, 6),
];

const SNAPPY: &[u8] = b"\xff\x06\x00\x00sNaPpY";

/// The outcome for a body: the letters of its message, or a refusal.
type Taken = Option<usize>;

/// Two messages' fields. A reader that takes both sees the second; one that takes the first alone
/// sees another text.
fn halves() -> [Vec<u8>; 2] {
    [text("a".repeat(400)).encode_to_vec(), text("b".repeat(600)).encode_to_vec()]
}

pub(crate) fn pack(codec: &str, plain: &[u8]) -> Vec<u8> {
    match codec {
        "gzip" => {
            let mut encoder =
                flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(plain).unwrap();
            encoder.finish().unwrap()
        }
        "zlib" => {
            let mut encoder =
                flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(plain).unwrap();
            encoder.finish().unwrap()
        }
        "LZ4" => {
            let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
            encoder.write_all(plain).unwrap();
            encoder.finish().unwrap()
        }
        "Snappy stream" => {
            let mut encoder = snap::write::FrameEncoder::new(Vec::new());
            encoder.write_all(plain).unwrap();
            // It writes nothing for nothing.
            let packed = encoder.into_inner().unwrap();
            if packed.is_empty() { SNAPPY.to_vec() } else { packed }
        }
        _ => snap::raw::Encoder::new().compress_vec(plain).unwrap(),
    }
}

/// Bodies of this codec, and what is to become of them.
fn bodies(codec: &str) -> Vec<(&'static str, Vec<u8>, Taken)> {
    let [a, b] = halves();
    let (all, empty) = (pack(codec, &[&a[..], &b].concat()), pack(codec, b""));
    let two = [pack(codec, &a), pack(codec, &b)].concat();
    // Only formats with frames or members allow another one behind the first.
    let joined = matches!(codec, "gzip" | "LZ4" | "Snappy stream").then_some(600);
    let mut bodies = vec![
        ("nothing", Vec::new(), Some(0)),
        ("one whole", all.clone(), Some(600)),
        ("an empty one", empty.clone(), Some(0)),
        ("two", two.clone(), joined),
        ("an empty one in front", [&empty[..], &all].concat(), joined),
        ("an empty one behind", [&all[..], &empty].concat(), joined),
        ("the second cut", two[..two.len() - 3].to_vec(), None),
        ("rubbish behind it", [&all[..], b"rubbish"].concat(), None),
        ("zeros behind it", [&all[..], &[0; 7]].concat(), None),
        ("the last byte cut", all[..all.len() - 1].to_vec(), None),
        ("half of it", all[..all.len() / 2].to_vec(), None),
        ("its first byte", all[..1].to_vec(), None),
    ];
    match codec {
        "LZ4" => {
            let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
            encoder.write_all(&a).unwrap();
            encoder.flush().unwrap();
            let first = encoder.get_ref().len();
            encoder.write_all(&b).unwrap();
            let blocks = encoder.finish().unwrap();
            let skipped = [&[0x5f, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"any"].concat();
            bodies.push(("two blocks", blocks.clone(), Some(600)));
            bodies.push(("cut between two blocks", blocks[..first].to_vec(), None));
            bodies.push(("cut before the end mark", blocks[..blocks.len() - 4].to_vec(), None));
            bodies.push(("its header alone", blocks[..7].to_vec(), None));
            bodies.push(("a skippable frame in front", [&skipped[..], &all].concat(), Some(600)));
            bodies.push((
                "a skippable frame between",
                [&two[..], &skipped, &all].concat(),
                Some(600),
            ));
            bodies.push((
                "a skippable frame that is cut",
                [&all[..], &skipped[..9]].concat(),
                None,
            ));
        }
        "Snappy stream" => {
            let skipped = [&[0x80, 3, 0, 0][..], b"any"].concat();
            bodies.push(("a chunk that may be skipped", [&all[..], &skipped].concat(), Some(600)));
            bodies.push(("a chunk that may not be", [&all[..], &[0x02, 0, 0, 0]].concat(), None));
        }
        "gzip" => bodies.push(("cut before the size", all[..all.len() - 4].to_vec(), None)),
        "zlib" => bodies.push(("cut before the checksum", all[..all.len() - 4].to_vec(), None)),
        _ => {}
    }
    bodies
}

/// Says how long the texts are that it gets.
struct Measure(UnboundedSender<Taken>);

#[trill::service]
impl Absent for Measure {
    async fn unary(&self, _cx: Context, request: Text) -> Result<Text> {
        Ok(text(request.text.len().to_string()))
    }

    async fn talk(&self, _cx: Context, mut rw: AsyncReaderWriter<Text, Text>) -> Result<()> {
        let read = rw.read().await.map(|message| message.expect("a message was sent"));
        self.0.send(read.ok().map(|message| message.text.len())).unwrap();
        Ok(())
    }
}

struct Sides {
    server: String,
    read: UnboundedReceiver<Taken>,
}

impl Sides {
    async fn start() -> Self {
        let (log, read) = unbounded_channel();
        let bound = Server::builder()
            .service(Measure(log))
            .compression(None)
            .bind("127.0.0.1:0")
            .await
            .unwrap();
        let server = bound.local_addr().to_string();
        tokio::spawn(bound.serve());
        Self { server, read }
    }

    async fn request(&self, encoding: u32, body: &[u8]) -> Taken {
        let mut socket = TcpStream::connect(&self.server).await.unwrap();
        let func = "/test.all.Absent/Unary".into();
        let meta = RequestProtocol { func, content_encoding: encoding, ..Default::default() };
        socket.write_all(&frame(&meta, body)).await.unwrap();
        let (meta, body) = read::<ResponseProtocol>(&mut socket).await;
        assert!(matches!(meta.ret, 0 | 1), "{meta:?}");
        (meta.ret == 0).then(|| Text::decode(&body[..]).unwrap().text.parse().unwrap())
    }

    async fn message_to_a_server(&mut self, encoding: u32, body: &[u8]) -> Taken {
        let mut socket = TcpStream::connect(&self.server).await.unwrap();
        let func = "/test.all.Absent/Talk".into();
        let init = InitMeta {
            request_meta: Some(InitRequestMeta { func, ..Default::default() }),
            init_window_size: 65_535,
            content_encoding: encoding,
            ..Default::default()
        };
        socket
            .write_all(&[stream(1, &init.encode_to_vec()), stream(2, body)].concat())
            .await
            .unwrap();
        self.read.recv().await.expect("the handler reads")
    }
}

/// A frame of a client's first stream.
fn stream(kind: u8, payload: &[u8]) -> Vec<u8> {
    let size = u32::try_from(16 + payload.len()).unwrap();
    let mut frame = vec![0x09, 0x30, 1, kind];
    frame.extend(size.to_be_bytes());
    frame.extend([0, 0, 0, 0, 0, 100, 0, 0]);
    frame.extend(payload);
    frame
}

/// A client of a server that answers the first that it gets with these bytes.
async fn client_of(answer: Vec<u8>) -> AbsentClient {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        socket.read_exact(&mut [0; 16]).await.unwrap();
        socket.write_all(&answer).await.unwrap();
        // Until the client closes it.
        let _ = tokio::io::copy(&mut socket, &mut tokio::io::sink()).await;
    });
    AbsentClient::new(Channel::connect(address).await.unwrap())
}

async fn answer(encoding: u32, body: &[u8]) -> Taken {
    let meta = ResponseProtocol { request_id: 1, content_encoding: encoding, ..Default::default() };
    let answer = client_of(frame(&meta, body)).await.unary(text("")).await;
    if let Err(error) = &answer {
        assert!(error.to_string().contains("the answer cannot be unpacked"), "{error}");
    }
    answer.ok().map(|message| message.text.len())
}

async fn message_to_a_client(compression: Compression, body: &[u8]) -> Taken {
    let accepted = InitMeta {
        response_meta: Some(trill_proto::InitResponseMeta::default()),
        init_window_size: 65_535,
        ..Default::default()
    };
    let client = client_of([stream(1, &accepted.encode_to_vec()), stream(2, body)].concat()).await;
    let mut rw = client.talk().compression(compression).await.unwrap();
    let read = rw.read().await;
    if let Err(error) = &read {
        assert!(error.to_string().contains("a message cannot be unpacked"), "{error}");
    }
    read.ok().map(|message| message.expect("a message was sent").text.len())
}

#[tokio::test]
async fn a_body_is_unpacked_whole_or_refused() {
    let mut sides = Sides::start().await;
    let mut wrong = Vec::new();
    for (codec, compression, encoding) in CODECS {
        for (what, body, taken) in bodies(codec) {
            for (way, seen) in [
                ("a request", sides.request(encoding, &body).await),
                ("an answer", answer(encoding, &body).await),
                ("a message to a server", sides.message_to_a_server(encoding, &body).await),
                ("a message to a client", message_to_a_client(compression, &body).await),
            ] {
                if seen != taken {
                    wrong.push(format!("{codec}, {what}, {way}: {seen:?}, not {taken:?}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The limit is of all members and frames together.
#[tokio::test]
async fn members_and_frames_together_stay_below_the_limit() {
    let (log, _read) = unbounded_channel();
    let builder = Server::builder()
        .service(Measure(log))
        .limits(Limits::default().max_message_received(10_000));
    let bound = builder.bind("127.0.0.1:0").await.unwrap();
    let server = bound.local_addr().to_string();
    tokio::spawn(bound.serve());
    let part = text("x".repeat(4_000)).encode_to_vec();
    for (codec, encoding) in [("gzip", 1), ("Snappy stream", 2), ("LZ4", 6)] {
        for (parts, is_taken) in [(2, true), (3, false)] {
            let mut socket = TcpStream::connect(&server).await.unwrap();
            let func = "/test.all.Absent/Unary".into();
            let meta = RequestProtocol { func, content_encoding: encoding, ..Default::default() };
            socket.write_all(&frame(&meta, &pack(codec, &part).repeat(parts))).await.unwrap();
            let (meta, _) = read::<ResponseProtocol>(&mut socket).await;
            assert_eq!(meta.ret == 0, is_taken, "{codec}, {parts} parts: {meta:?}");
            let text = String::from_utf8_lossy(&meta.error_msg);
            assert!(
                is_taken
                    || text.contains("10000 bytes that may be received (max_message_received)"),
                "{text}"
            );
        }
    }
}
