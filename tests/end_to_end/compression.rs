//! Compressed messages, in every kind of call.

use futures::TryStreamExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use trill::prost::Message;
use trill::testing::Network;
use trill::{AsyncReaderWriter, Channel, Compression, Context, ErrorKind, Limits, Result, Server};
use trill_proto::{RequestProtocol, ResponseProtocol};
use trill_tests::Ret as _;
use trill_tests::{Absent, AbsentClient, EverythingClient, Obedient, Text, text};

use crate::frames::{frame, read};

const ALL: [Compression; 6] = [
    Compression::Gzip,
    Compression::Zlib,
    Compression::Snappy,
    Compression::Lz4,
    Compression::SnappyGo,
    Compression::SnappyCpp,
];

async fn connected(compression: impl Into<Option<Compression>>) -> EverythingClient {
    let (service, log) = Obedient::new();
    // The reports have no reader; the service does not mind.
    drop(log);
    let bound = Server::builder().service(service).bind("127.0.0.1:0").await.unwrap();
    let address = bound.local_addr().to_string();
    tokio::spawn(bound.serve());
    EverythingClient::new(
        Channel::builder().compression(compression).connect(address).await.unwrap(),
    )
}

#[tokio::test]
async fn every_kind_of_call_with_every_compression() {
    let long = text("long ".repeat(10_000));
    for compression in ALL {
        let client = connected(compression).await;
        assert_eq!(client.unary(long.clone()).await.unwrap(), long);
        assert_eq!(client.unary(text("")).await.unwrap(), text(""));
        client.notify(long.clone()).await.unwrap();

        let (mut writer, reply) = client.upload().await.unwrap();
        for message in [&long, &text(""), &long] {
            writer.write(message.clone()).await.unwrap();
        }
        writer.finish().await.unwrap();
        assert_eq!(reply.await.unwrap(), text("3 messages, 100000 bytes"));

        let numbers: Vec<_> =
            client.download(text("count 3000")).await.unwrap().try_collect().await.unwrap();
        assert_eq!(numbers.len(), 3000);

        let mut rw = client.talk().await.unwrap();
        for message in [&long, &text(""), &long] {
            rw.write(message.clone()).await.unwrap();
            assert_eq!(rw.read().await.unwrap().as_ref(), Some(message));
        }
        let error = {
            rw.write(text("error 7 why")).await.unwrap();
            rw.read().await.unwrap_err()
        };
        assert_eq!((error.app_code(), error.message()), (7, "why"));
    }
}

#[tokio::test]
async fn a_call_may_differ_from_its_channel() {
    let client = connected(Compression::Gzip).await;
    assert!(client.unary(text("plain")).compression(None).await.is_ok());
    let client = connected(None).await;
    assert!(client.unary(text("packed")).compression(Compression::Lz4).await.is_ok());
    let mut rw = client.talk().compression(Compression::Snappy).await.unwrap();
    rw.write(text("packed")).await.unwrap();
    assert_eq!(rw.read().await.unwrap(), Some(text("packed")));
}

#[tokio::test]
async fn the_window_counts_compressed_bytes() {
    let client = connected(Compression::Gzip).await;
    let mut rw = client.talk().await.unwrap();
    rw.write(text("sleep 200")).await.unwrap();
    // Far more than the window without compression, and nobody reads.
    for _ in 0..100 {
        let limit = std::time::Duration::from_secs(20);
        rw.write(text("x".repeat(10_000))).timeout(limit).await.unwrap();
    }
}

#[tokio::test]
async fn a_handler_sees_and_sets_the_compression() {
    struct Chooser;
    #[trill::service]
    impl Absent for Chooser {
        async fn unary(&self, cx: Context, request: Text) -> Result<Text> {
            if request.text == "plain" {
                cx.set_compression(None);
            }
            Ok(text(format!("{:?}", cx.compression())))
        }

        async fn talk(&self, _cx: Context, _rw: AsyncReaderWriter<Text, Text>) -> Result<()> {
            Ok(())
        }
    }
    let client = AbsentClient::new(Server::builder().service(Chooser).in_memory().unwrap());
    assert_eq!(client.unary(text("")).await.unwrap(), text("None"));
    assert_eq!(
        client.unary(text("plain")).compression(Compression::Zlib).await.unwrap(),
        text("Some(Zlib)")
    );
}

#[tokio::test]
async fn what_unpacks_to_more_than_the_limit_is_refused() {
    let (service, log) = Obedient::new();
    drop(log);
    let builder =
        Server::builder().service(service).limits(Limits::default().max_message_received(10_000));
    let client = EverythingClient::new(builder.in_memory().unwrap());
    let bomb = text("x".repeat(1_000_000));
    let error = client.unary(bomb.clone()).compression(Compression::Gzip).await.unwrap_err();
    assert_eq!((error.kind(), error.ret()), (ErrorKind::Status, 1));
    assert!(
        error.to_string().contains("10000 bytes that may be received (max_message_received)"),
        "{error}"
    );
    let mut rw = client.talk().compression(Compression::Gzip).await.unwrap();
    rw.write(bomb).await.unwrap();
    assert_eq!(rw.read().await.unwrap_err().ret(), 222);
}

#[tokio::test]
async fn a_server_may_have_a_compression_of_its_own() {
    // The answer to a request that is not compressed, as it is on the wire: its encoding and its
    // size.
    async fn answer(compression: impl Into<Option<Compression>>) -> (u32, usize) {
        let (service, _log) = Obedient::new();
        let server = Server::builder().service(service).compression(compression);
        let bound = server.bind("127.0.0.1:0").await.unwrap();
        let mut socket = TcpStream::connect(bound.local_addr().to_string()).await.unwrap();
        tokio::spawn(bound.serve());
        let meta = RequestProtocol {
            func: "/test.all.Everything/Unary".into(),
            ..RequestProtocol::default()
        };
        socket.write_all(&frame(&meta, &text("large 10000").encode_to_vec())).await.unwrap();
        let (meta, body) = read::<ResponseProtocol>(&mut socket).await;
        (meta.content_encoding, body.len())
    }
    let (encoding, size) = answer(Compression::Gzip).await;
    assert!(encoding == 1 && size < 200, "{encoding}, {size}");
    assert_eq!(answer(None).await, (0, 10_003));

    // A packed request is answered plainly, too, if the server says so.
    let (service, _log) = Obedient::new();
    let channel = Server::builder().service(service).compression(None).in_memory().unwrap();
    let client = EverythingClient::new(channel);
    assert_eq!(client.unary(text("x")).compression(Compression::Lz4).await.unwrap(), text("x"));
}

#[tokio::test(start_paused = true)]
async fn each_message_that_is_unpacked_is_counted_as_read() {
    let host = Network::new(1).serve(Server::builder().service(Obedient::new().0)).unwrap();
    // Without a window, it is the count of what is not read that holds a connection back.
    let settings =
        Channel::builder().limits(Limits::default().window(0)).compression(Compression::Gzip);
    let (channel, _link) = host.connect(settings).unwrap();
    let (mut writer, reply) = EverythingClient::new(channel).upload().await.unwrap();
    let all_are_read = async {
        for _ in 0..10_000 {
            writer.write(text("a")).await.unwrap();
        }
        writer.finish().await.unwrap();
        reply.await.unwrap()
    };
    let answer = tokio::time::timeout(std::time::Duration::from_secs(60), all_are_read).await;
    assert_eq!(answer.expect("the connection is read"), text("10000 messages, 10000 bytes"));
}
