//! Unary calls with JSON bodies.

use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use trill::trpc;
use trill::{Channel, Code, Compression, Context, ErrorKind, Origin, Result, Server};
use trill_proto::{RequestProtocol, ResponseProtocol};
use trill_tests::{EverythingClient, listen, over_tcp, text};

use crate::frames::{frame, read};

const JSON: u32 = 2;

/// Asks a fresh server with these bytes as the body.
async fn ask(func: &'static str, content_type: u32, body: &[u8]) -> (ResponseProtocol, Vec<u8>) {
    let (_handle, address, _log) = listen("127.0.0.1:0").await;
    let mut socket = TcpStream::connect(address).await.unwrap();
    let meta = RequestProtocol {
        func: func.into(),
        request_id: 7,
        content_type,
        ..RequestProtocol::default()
    };
    socket.write_all(&frame(&meta, body)).await.unwrap();
    read(&mut socket).await
}

#[tokio::test]
async fn a_json_request_gets_a_json_answer() {
    let (meta, body) =
        ask("/test.all.Everything/Unary", JSON, br#"{"msg": "gr\u00fc\u00df dich"}"#).await;
    assert_eq!((meta.ret, meta.content_type, meta.request_id), (0, JSON, 7));
    assert_eq!(body, r#"{"msg":"grüß dich"}"#.as_bytes());
    // A field that is not there has its default.
    let (_, body) = ask("/test.all.Everything/Unary", JSON, b"{}").await;
    assert_eq!(body, br#"{"msg":""}"#);
}

#[tokio::test]
async fn json_of_a_client_packed_and_with_errors() {
    let (client, _log) = over_tcp().await;
    let long = text("long ".repeat(10_000));
    assert_eq!(client.unary(long.clone()).json().await.unwrap(), long);
    let packed = client.unary(long.clone()).json().compression(Compression::Gzip);
    assert_eq!(packed.await.unwrap(), long);
    let response =
        client.unary(text("attach")).json().attachment("beside").response().await.unwrap();
    assert_eq!((response.message, &response.attachment[..]), (text("6 bytes"), &b"beside"[..]));
    let error = client.unary(text("error 7 why")).json().await.unwrap_err();
    assert_eq!((error.app_code(), error.message()), (7, "why"));
}

#[tokio::test]
async fn a_one_way_call_may_be_json() {
    let (client, mut log) = over_tcp().await;
    client.notify(text("as JSON")).json().await.unwrap();
    assert_eq!(log.recv().await.unwrap(), "notified as JSON");
    // A unary call of the method gets a message without fields.
    let (meta, body) = ask("/test.all.Everything/Notify", JSON, br#"{"msg": "x"}"#).await;
    assert_eq!((meta.ret, &body[..]), (0, &b"{}"[..]));
}

#[tokio::test]
async fn json_that_is_not_the_message_is_refused_with_the_place() {
    for body in [&b""[..], b"{", br#"{"msg": 7}"#, b"\xff"] {
        let (meta, _) = ask("/test.all.Everything/Unary", JSON, body).await;
        let text = String::from_utf8(meta.error_msg.to_vec()).unwrap();
        assert_eq!(meta.ret, trpc::Code::SERVER_DECODE_ERR.0, "{text}");
        assert!(
            text.contains("is not the JSON of a trill_tests::Text") && text.contains("line 1"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn methods_take_what_they_are_marked_for_only() {
    let (meta, _) = ask("/test.all.Everything/Unary", 4, b"raw").await;
    let text = String::from_utf8(meta.error_msg.to_vec()).unwrap();
    assert_eq!(meta.ret, trpc::Code::SERVER_DECODE_ERR.0);
    assert_eq!(
        text,
        "/test.all.Everything/Unary does not take content_type 4, 0 (protobuf) and 2 (JSON) are known"
    );

    let client = DoublesClient::new(Server::builder().service(Turner).in_memory().unwrap());
    let error = client.plain(Awkward::default()).json().await.unwrap_err();
    assert_eq!(error.code(), Code::Internal);
    assert!(
        error.message().ends_with("does not take content_type 2, only 0 (protobuf) is known"),
        "{error}"
    );
    assert!(client.plain(Awkward::default()).await.is_ok());
}

/// A number that serde does not write when it is below zero.
#[derive(Clone, PartialEq, trill::prost::Message, Serialize, Deserialize)]
#[prost(prost_path = "::trill::prost")]
#[serde(default)]
struct Awkward {
    #[prost(double, tag = "1")]
    #[serde(serialize_with = "not_written")]
    value: f64,
}

fn not_written<S: serde::Serializer>(value: &f64, to: S) -> std::result::Result<S::Ok, S::Error> {
    if *value < 0.0 {
        Err(serde::ser::Error::custom("below zero"))
    } else {
        to.serialize_f64(*value)
    }
}

#[trill::service(package = "test.json")]
trait Doubles {
    #[rpc(json)]
    async fn turn(&self, cx: Context, value: Awkward) -> Result<Awkward>;
    async fn plain(&self, cx: Context, value: Awkward) -> Result<Awkward>;
    #[rpc(json)]
    async fn nothing(&self, cx: Context, nothing: ()) -> Result<()>;
}

struct Turner;

#[trill::service]
impl Doubles for Turner {
    async fn turn(&self, _cx: Context, value: Awkward) -> Result<Awkward> {
        Ok(Awkward { value: -value.value })
    }

    async fn plain(&self, _cx: Context, value: Awkward) -> Result<Awkward> {
        Ok(value)
    }

    async fn nothing(&self, _cx: Context, _nothing: ()) -> Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn what_json_cannot_express_is_an_error_on_the_side_that_wrote_it() {
    let client = DoublesClient::new(Server::builder().service(Turner).in_memory().unwrap());
    let error = client.turn(Awkward { value: -1.0 }).json().await.unwrap_err();
    assert_eq!((error.kind(), error.origin()), (ErrorKind::Encode, Origin::Caller));
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(
        error.to_string().contains("cannot be written as JSON") && source.contains("below zero")
    );
    let error = client.turn(Awkward { value: 1.0 }).json().await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Status, Code::Internal));
    assert!(
        error.message().contains("the answer cannot be written as JSON: below zero"),
        "{error}"
    );
    // The same call goes as protobuf.
    assert_eq!(client.turn(Awkward { value: 1.0 }).await.unwrap().value, -1.0);
    client.nothing(()).json().await.unwrap();
}

#[tokio::test]
async fn an_answer_in_a_format_that_was_not_asked_for_is_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        for _ in 0..2 {
            let (asked, _) = read::<RequestProtocol>(&mut socket).await;
            let request_id = asked.request_id;
            let meta =
                ResponseProtocol { request_id, content_type: JSON, ..ResponseProtocol::default() };
            socket.write_all(&frame(&meta, br#"{"msg": 7}"#)).await.unwrap();
        }
    });
    let client = EverythingClient::new(Channel::connect(&address).await.unwrap());
    let error = client.unary(text("x")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Decode);
    assert!(error.message().contains("content_type 2, which the call did not ask for"), "{error}");
    let error = client.unary(text("x")).json().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Decode);
    assert!(error.message().contains("not the JSON of a trill_tests::Text"), "{error}");
}
