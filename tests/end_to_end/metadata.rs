//! Which metadata travels, and which is refused.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use trill::{
    AsyncReaderWriter, CallOptions, Context, Error, ErrorKind, Metadata, Origin, Result, Server,
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
