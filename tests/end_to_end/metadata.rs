//! Which metadata travels, and which is refused.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use trill::{
    AsyncReader, AsyncReaderWriter, AsyncWriter, CallOptions, Channel, Code, Context, Error,
    ErrorKind, Metadata, Origin, Result, Server, Status,
};
use trill_tests::raw::{self, CALL_ENTRY, field};
use trill_tests::{Absent, EverythingClient, Text, in_memory, text};

use crate::warnings::Warnings;

#[tokio::test]
async fn a_reserved_key_fails_the_call_before_anything_is_sent_and_says_why() {
    let (client, mut log) = in_memory();
    let shared = CallOptions::new().metadata("te", "trailers").metadata("fine", "1");
    let errors = [
        client.unary(text("")).metadata("grpc-status", "0").await.unwrap_err(),
        client
            .unary(text(""))
            .metadata("fine", "1")
            .append_metadata("two words", "")
            .await
            .unwrap_err(),
        client.notify(text("")).metadata("", "").await.unwrap_err(),
        client.talk().metadata("Trill-Code", "1").metadata("fine", "1").await.unwrap_err(),
        client.upload().append_metadata(":path", "/").await.unwrap_err(),
        client.download(text("")).options(shared).await.unwrap_err(),
    ];
    let texts = [
        "the metadata key \"grpc-status\" is reserved: keys that begin with \"grpc-\" belong to gRPC",
        "the metadata key \"two words\" has the character ' '; a key is visible ASCII",
        "a metadata key is empty",
        "the metadata key \"Trill-Code\" is reserved: keys that begin with \"trill-\" belong to Trill",
        "the metadata key \":path\" is reserved: keys that begin with \":\" belong to HTTP/2",
        "the metadata key \"te\" is reserved: it is a header of HTTP/2 and gRPC themselves",
    ];
    for (error, text) in errors.iter().zip(texts) {
        assert_eq!((error.kind(), error.origin()), (ErrorKind::Encode, Origin::Caller), "{error}");
        assert_eq!(error.message(), text);
        assert!(error.method().is_some() && !error.is_retryable(), "{error}");
    }
    assert!(log.try_recv().is_err(), "no handler was called");
}

#[tokio::test]
async fn a_handler_that_sets_a_reserved_key_is_told_at_once() {
    let (client, _log) = in_memory();
    let error = client.unary(text("meta trpc-env blue")).await.unwrap_err();
    let said =
        "the metadata key \"trpc-env\" is reserved: keys that begin with \"trpc-\" belong to tRPC";
    assert_eq!(error.message(), said);
}

fn is_about_several_values(error: &Error, kind: ErrorKind) {
    let said = "the metadata key \"tenant\" has several values, tRPC carries one of a key";
    assert_eq!((error.message(), error.kind()), (said, kind), "{error}");
}

#[tokio::test]
async fn a_second_value_of_a_key_fails_the_call_and_the_error_names_key_and_wire() {
    let (client, mut log) = in_memory();
    let twice =
        |options: CallOptions| options.metadata("tenant", "blue").append_metadata("tenant", "red");
    let unary = client.unary(text("")).options(twice(CallOptions::new()));
    is_about_several_values(&unary.await.unwrap_err(), ErrorKind::Encode);
    let stream = client.talk().options(twice(CallOptions::new()));
    is_about_several_values(&stream.await.unwrap_err(), ErrorKind::Encode);
    assert!(log.try_recv().is_err(), "nothing was sent");

    // The connection is as good as before.
    let spelled =
        client.unary(text("meta")).metadata("tenant", "blue").append_metadata("Tenant", "red");
    assert_eq!(spelled.await.unwrap(), text("tenant=blue,Tenant=red"));
    let replaced = client.unary(text("meta")).metadata("tenant", "blue").metadata("Tenant", "red");
    assert_eq!(replaced.await.unwrap(), text("Tenant=red"));
}

#[tokio::test]
async fn a_second_value_of_a_key_fails_the_answer_and_the_error_is_what_counts_in_a_failure() {
    let warnings = Warnings::default();
    let _guard = tracing::subscriber::set_default(warnings.clone());
    let (client, _log) = in_memory();
    is_about_several_values(
        &client.unary(text("append tenant blue red")).await.unwrap_err(),
        ErrorKind::Status,
    );
    let mut reader = client.download(text("append tenant blue red")).await.unwrap();
    assert_eq!(reader.read().await.unwrap(), Some(text("appended")));
    is_about_several_values(&reader.read().await.unwrap_err(), ErrorKind::Status);
    warnings.take();

    let order = text("append tenant blue red;error 7 no");
    let mut reader = client.download(order).await.unwrap();
    assert_eq!(reader.read().await.unwrap(), Some(text("appended")));
    let error = reader.read().await.unwrap_err();
    assert_eq!((error.app_code(), error.message()), (7, "no"));
    assert!(reader.metadata().unwrap().is_empty());
    let warnings = warnings.take();
    assert!(
        warnings.iter().any(|line| line.contains(
            "an error was sent without its metadata and attachment: \
            the metadata key \"tenant\" has several values, tRPC carries one of a key"
        )),
        "{warnings:?}"
    );
}

/// Passes a call on with all metadata, both ways.
struct Passing(EverythingClient);

#[trill::service]
impl Absent for Passing {
    async fn unary(&self, cx: Context, request: Text) -> Result<Text> {
        let answer = self.0.unary(request).options(cx.child()).response().await?;
        cx.extend_metadata(answer.metadata);
        // The test looks at the metadata of the request, which goes back with the answer.
        cx.extend_metadata(cx.metadata().clone());
        Ok(answer.message)
    }

    async fn talk(&self, _cx: Context, _rw: AsyncReaderWriter<Text, Text>) -> Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn what_a_peer_sends_is_taken_as_it_comes_and_can_be_passed_on() {
    let (upstream, _log) = in_memory();
    let bound = Server::builder().service(Passing(upstream)).bind("127.0.0.1:0").await.unwrap();
    let mut socket = TcpStream::connect(bound.local_addr().to_string()).await.unwrap();
    tokio::spawn(bound.serve());
    let entry = |key: &str, value: &str| {
        field(CALL_ENTRY, &[field(1, key.as_bytes()), field(2, value.as_bytes())].concat())
    };
    let request = raw::Request {
        id: 7,
        method: "/test.all.Absent/Unary",
        body: trill::prost::Message::encode_to_vec(&text("meta")),
        metadata: [
            entry("trpc-env", "blue"),
            entry("two words", "1"),
            entry("", "2"),
            entry("K", "3"),
            entry("k", "4"),
        ]
        .concat(),
        ..Default::default()
    };
    socket.write_all(&request.frame()).await.unwrap();
    socket.shutdown().await.unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).await.unwrap();
    let header = usize::from(u16::from_be_bytes(answer[8..10].try_into().unwrap()));
    let (header, body) = answer[16..].split_at(header);
    let seen = <Text as trill::prost::Message>::decode(body).unwrap();
    assert_eq!(seen, text("trpc-env=blue,two words=1,=2,K=3,k=4"));
    let header = <trill_proto::ResponseProtocol as trill::prost::Message>::decode(header).unwrap();
    let back: Vec<_> = header.trans_info.iter().map(|entry| (entry.key(), entry.value())).collect();
    let all: [(&str, &[u8]); 5] =
        [("trpc-env", b"blue"), ("two words", b"1"), ("", b"2"), ("K", b"3"), ("k", b"4")];
    assert_eq!(back, all);
}

#[tokio::test]
async fn metadata_made_elsewhere_goes_with_a_call_and_replaces_its_keys() {
    let (client, _log) = in_memory();
    let common = Metadata::try_from([("tenant", "blue"), ("binary-bin", "\u{ff}")]).unwrap();
    let call = client.unary(text("meta")).metadata("Tenant", "red").metadata("own", "1");
    let seen = call.extend_metadata(common).await.unwrap();
    assert_eq!(seen, text("own=1,tenant=blue,binary-bin=\\xc3\\xbf"));
}

#[tokio::test]
async fn initial_metadata_comes_with_the_end_over_trpc_and_the_final_values_count() {
    let (client, _log) = in_memory();
    let response = client.unary(text("initial served-by b1")).response().await.unwrap();
    assert!(response.initial_metadata.is_empty());
    assert_eq!(response.metadata.get_str("served-by"), Some("b1"));

    let order = text("initial both first;initial one 1;meta Both last;append both again");
    let mut reader = client.download(order.clone()).await.unwrap();
    assert!(reader.initial_metadata().await.unwrap().is_empty(), "at once");
    assert_eq!(reader.read().await.unwrap(), Some(text("first")));
    assert!(reader.initial_metadata().await.unwrap().is_empty(), "and again");
    for _ in 0..3 {
        assert!(reader.read().await.unwrap().is_some());
    }
    assert_eq!(reader.read().await.unwrap(), None);
    let told = Metadata::try_from([("one", "1"), ("Both", "last"), ("both", "again")]).unwrap();
    assert_eq!(reader.metadata(), Some(&told));
    assert!(reader.initial_metadata().await.unwrap().is_empty(), "after the end");

    let failing = text(format!("{};error 7 no", order.text));
    let mut reader = client.download(failing).await.unwrap();
    let error = loop {
        if let Err(error) = reader.read().await {
            break error;
        }
    };
    assert_eq!((error.app_code(), reader.metadata()), (7, Some(&told)));
}

#[tokio::test]
async fn every_handle_of_an_answer_gives_its_initial_metadata() {
    let (client, _log) = in_memory();
    let (mut writer, mut reply) = client.upload().await.unwrap();
    assert!(reply.initial_metadata().await.unwrap().is_empty());
    writer.write(text("initial a 1")).await.unwrap();
    writer.finish().await.unwrap();
    let response = reply.response().await.unwrap();
    assert!(response.initial_metadata.is_empty());
    assert_eq!(response.metadata.get_str("a"), Some("1"));

    let mut rw = client.talk().await.unwrap();
    assert!(rw.initial_metadata().await.unwrap().is_empty());
    rw.write(text("initial a 2")).await.unwrap();
    assert_eq!(rw.finish().await.unwrap().get_str("a"), Some("2"));

    let rw = client.talk().await.unwrap().shared();
    let read = rw.read();
    tokio::pin!(read);
    assert!(futures::poll!(read.as_mut()).is_pending());
    assert!(rw.initial_metadata().await.unwrap().is_empty(), "no turn is waited for");
    rw.write(text("initial a 3")).await.unwrap();
    assert_eq!(read.await.unwrap(), Some(text("first")));
    assert_eq!(rw.finish().await.unwrap().get_str("a"), Some("3"));
}

/// Every kind of method, and each fails.
#[trill::service(package = "test.failing")]
trait Failing {
    async fn ask(&self, cx: Context, request: Text) -> Result<Text>;
    async fn give(&self, cx: Context, reader: AsyncReader<Text>) -> Result<Text>;
    async fn get(&self, cx: Context, request: Text, writer: AsyncWriter<Text>) -> Result<()>;
    async fn talk(&self, cx: Context, rw: AsyncReaderWriter<Text, Text>) -> Result<()>;
}

/// Refuses each caller with the hint that it sent, or with none.
struct Refusing;

fn refusal(cx: &Context) -> Error {
    if let Some(hint) = cx.metadata().get("hint") {
        cx.set_metadata("hint", hint.to_vec()).expect("the key is the user's");
        cx.set_initial_metadata("node", "7").expect("the key is the user's");
    }
    Status::permission_denied("not yours").with_details("more").into()
}

#[trill::service]
impl Failing for Refusing {
    async fn ask(&self, cx: Context, _request: Text) -> Result<Text> {
        Err(refusal(&cx))
    }

    async fn give(&self, cx: Context, _reader: AsyncReader<Text>) -> Result<Text> {
        Err(refusal(&cx))
    }

    async fn get(&self, cx: Context, _request: Text, _writer: AsyncWriter<Text>) -> Result<()> {
        Err(refusal(&cx))
    }

    async fn talk(&self, cx: Context, _rw: AsyncReaderWriter<Text, Text>) -> Result<()> {
        Err(refusal(&cx))
    }
}

/// Passes calls on, with the metadata of the errors if it is told to.
struct PassingErrors(FailingClient, bool);

impl PassingErrors {
    fn pass(&self, cx: &Context, error: Error) -> Error {
        if self.1 {
            cx.extend_metadata(error.metadata().clone());
        }
        error
    }
}

#[trill::service]
impl Failing for PassingErrors {
    async fn ask(&self, cx: Context, request: Text) -> Result<Text> {
        self.0.ask(request).options(cx.child()).await.map_err(|error| self.pass(&cx, error))
    }

    async fn give(&self, cx: Context, _reader: AsyncReader<Text>) -> Result<Text> {
        let (_writer, reply) = self.0.give().options(cx.child()).await?;
        reply.await.map_err(|error| self.pass(&cx, error))
    }

    async fn get(&self, cx: Context, request: Text, _writer: AsyncWriter<Text>) -> Result<()> {
        let mut reader = self.0.get(request).options(cx.child()).await?;
        reader.read().await.map(drop).map_err(|error| self.pass(&cx, error))
    }

    async fn talk(&self, cx: Context, _rw: AsyncReaderWriter<Text, Text>) -> Result<()> {
        let mut rw = self.0.talk().options(cx.child()).await?;
        rw.read().await.map(drop).map_err(|error| self.pass(&cx, error))
    }
}

/// The errors of every kind of call, from every future that gives one.
async fn refusals(client: &FailingClient, hint: Option<&'static str>) -> Vec<Error> {
    let options =
        || hint.map_or(CallOptions::new(), |hint| CallOptions::new().metadata("hint", hint));
    let upload = async || client.give().options(options()).await.unwrap();
    let talk = async || client.talk().options(options()).await.unwrap();
    let (writer, reply) = upload().await;
    let (other_writer, other_reply) = upload().await;
    let mut reader = client.get(text("")).options(options()).await.unwrap();
    let mut read = talk().await;
    vec![
        client.ask(text("")).options(options()).await.unwrap_err(),
        client.ask(text("")).options(options()).response().await.unwrap_err(),
        reply.await.unwrap_err(),
        other_reply.response().await.unwrap_err(),
        writer.closed().await,
        other_writer.finish().await.unwrap_err(),
        reader.read().await.unwrap_err(),
        read.read().await.unwrap_err(),
        talk().await.finish().await.unwrap_err(),
    ]
}

#[tokio::test]
async fn an_error_has_the_metadata_of_the_answer_that_it_is_in_every_kind_of_call() {
    let channel = Server::builder().service(Refusing).in_memory().unwrap();
    let bound = Server::builder().service(Refusing).bind("127.0.0.1:0").await.unwrap();
    let address = bound.local_addr().to_string();
    tokio::spawn(bound.serve());
    for channel in [channel, Channel::connect(address).await.unwrap()] {
        let client = FailingClient::new(channel);
        let said = Metadata::try_from([("node", "7"), ("hint", "ask ann")]).unwrap();
        for error in refusals(&client, Some("ask ann")).await {
            assert_eq!((error.code(), error.message()), (Code::PermissionDenied, "not yours"));
            assert_eq!(error.metadata(), &said, "the keys of the wire are not among them");
            assert_eq!(error.clone().metadata(), &said);
        }
        for error in refusals(&client, None).await {
            assert_eq!(error.code(), Code::PermissionDenied);
            assert!(error.metadata().is_empty());
        }
    }
}

#[tokio::test]
async fn the_metadata_of_an_error_is_passed_on_by_those_who_say_so() {
    let upstream = Server::builder().service(Refusing).in_memory().unwrap();
    for passes in [true, false] {
        let router = PassingErrors(FailingClient::new(upstream.clone()), passes);
        let client = FailingClient::new(Server::builder().service(router).in_memory().unwrap());
        for error in refusals(&client, Some("ask ann")).await {
            assert_eq!((error.code(), error.message()), (Code::PermissionDenied, "not yours"));
            assert_eq!(error.metadata().get_str("hint"), passes.then_some("ask ann"));
        }
    }
}

#[tokio::test]
async fn an_error_that_is_no_answer_has_no_metadata() {
    let error = Error::from(Status::not_found("x"));
    assert!(error.metadata().is_empty());
    let error = Channel::connect("no address").await.unwrap_err();
    assert!(error.metadata().is_empty());
}
