use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;

use crate::error::{Code, Failure, Reason};
use crate::framing::Outcome;
use crate::metadata::Metadata;
use crate::wires::grpc::answer::{AnswerFields, AnswerPart, BlockPlace};
use crate::wires::grpc::encoding::GrpcEncoding;
use crate::wires::grpc::field::{FieldMeaning, GrpcContent};
use crate::wires::grpc::head::{AnswerWriter, MethodFields, RequestWriter};
use crate::wires::grpc::http2::hpack::{
    FieldReceiver, HeaderBlock, HeaderField, HpackDecoder, HpackEncoder,
};
use crate::wires::grpc::metadata;
use crate::wires::grpc::request::{LastPath, Refusal, RequestFields, RequestHead};

use super::{HEAD, ONLY, TRAILERS, decoder};

fn method(timeout: Option<Duration>) -> MethodFields {
    MethodFields {
        scheme: "http",
        path: Bytes::from_static(b"/helloworld.Greeter/SayHello"),
        authority: Bytes::from_static(b"localhost:50051"),
        timeout,
        content: GrpcContent::Plain,
        encoding: GrpcEncoding::Identity,
        accepted: "",
        user_agent: Bytes::from_static(b"grpc-rust-trill/0.1.0"),
    }
}

/// One direction of a connection.
struct Way {
    encoder: HpackEncoder,
    decoder: HpackDecoder<FieldMeaning>,
    last_path: LastPath,
    scratch: Vec<u8>,
    block: Vec<u8>,
}

impl Way {
    fn new() -> Self {
        Self {
            encoder: HpackEncoder::new(),
            decoder: decoder(),
            last_path: LastPath::default(),
            scratch: Vec::new(),
            block: Vec::new(),
        }
    }

    fn request(
        &mut self,
        writer: &mut RequestWriter,
        timeout: Option<Duration>,
        metadata: &Metadata,
    ) -> RequestHead {
        self.block.clear();
        let mut block = self.encoder.block(&mut self.block);
        writer.write(&mut block, timeout, metadata, &mut self.scratch);
        let mut received = RequestFields::new(&mut self.last_path);
        let list = self.decoder.decode(&self.block, &mut received).expect("it was written here");
        received.finish(list.is_over).expect("a request")
    }

    fn answer(
        &mut self,
        place: BlockPlace,
        write: impl FnOnce(&mut HeaderBlock<'_>, &mut Vec<u8>),
    ) -> AnswerPart {
        self.block.clear();
        write(&mut self.encoder.block(&mut self.block), &mut self.scratch);
        let mut received = AnswerFields::new(place);
        let list = self.decoder.decode(&self.block, &mut received).expect("it was written here");
        received.finish(list.is_over).expect("an answer")
    }
}

#[test]
fn the_blocks_of_a_usual_call_are_8_2_and_1_bytes() {
    let (mut there, mut back) = (Way::new(), Way::new());
    let mut call = RequestWriter::new(method(Some(Duration::from_secs(10))));
    let mut answer = AnswerWriter::new(GrpcContent::Plain, GrpcEncoding::Identity, "");
    let (none, good) = (Metadata::new(), Outcome::default());
    let mut sizes = Vec::new();
    for _ in 0..3 {
        let found = there.request(&mut call, None, &none);
        assert_eq!(found.head.timeout, Some(Duration::from_secs(10)));
        sizes.push(there.block.len());
        let head = back.answer(HEAD, |block, scratch| answer.head(block, &none, scratch));
        assert!(matches!(head, AnswerPart::Head(_)));
        sizes.push(back.block.len());
        let end = back.answer(TRAILERS, |block, scratch| answer.end(block, &good, scratch));
        assert_eq!(end, AnswerPart::End(good.clone()));
        sizes.push(back.block.len());
    }
    assert_eq!(sizes[3..], [8, 2, 1, 8, 2, 1]);
}

#[test]
fn the_size_of_a_list_is_known_before_it_is_written() {
    for timeout in [None, Some(Duration::from_nanos(12_345_678))] {
        let (mut way, mut call) = (Way::new(), RequestWriter::new(method(None)));
        let metadata = Metadata::try_from([("tenant", &b"blue"[..]), ("a-bin", &[7; 10])]).unwrap();
        let mut block = way.encoder.block(&mut way.block);
        call.write(&mut block, timeout, &metadata, &mut way.scratch);
        let list = decoder().decode(&way.block, &mut Names::default()).expect("a block");
        let most = call.list_size() + metadata::check(&metadata).expect("it can be sent");
        let unused = if timeout.is_some() { 0 } else { 12 + 9 + 32 };
        assert_eq!(list.size + unused, most);
    }
}

#[test]
fn a_deadline_of_its_own_stands_behind_the_pseudo_fields_and_changes_no_table() {
    let mut way = Way::new();
    let mut call = RequestWriter::new(method(None));
    let none = Metadata::new();
    way.request(&mut call, None, &none);
    way.request(&mut call, None, &none);
    assert_eq!(way.block.len(), 7);
    let found = way.request(&mut call, Some(Duration::from_nanos(1_234_567_891)), &none);
    assert_eq!(found.head.timeout, Some(Duration::from_micros(1_234_568)));
    let len = way.block.len();
    assert_eq!(len, 7 + 2 + 12 + 1 + 8, "index, and a name and a value with their lengths");
    way.request(&mut call, None, &none);
    assert_eq!(way.block.len(), 7);

    let mut names = Names::default();
    let mut way = Way::new();
    let mut block = way.encoder.block(&mut way.block);
    call.write(&mut block, Some(Duration::from_secs(1)), &none, &mut way.scratch);
    decoder().decode(&way.block, &mut names).expect("it was written here");
    let order =
        ":method :scheme :path :authority grpc-timeout te content-type user-agent".split(' ');
    assert_eq!(names.0, order.collect::<Vec<_>>());
}

#[derive(Default)]
struct Names(Vec<String>, Vec<bool>);

impl FieldReceiver for Names {
    type Meaning = FieldMeaning;

    fn meaning(&self, name: &[u8], value: &[u8]) -> FieldMeaning {
        FieldMeaning::of(name, value)
    }

    fn receive(&mut self, field: HeaderField<'_, FieldMeaning>) {
        self.0.push(String::from_utf8(field.name.to_vec()).expect("ASCII"));
        self.1.push(field.never_indexed);
    }
}

#[test]
fn encodings_are_told_and_a_content_type_is_repeated() {
    let fields = MethodFields {
        content: GrpcContent::Json,
        encoding: GrpcEncoding::Deflate,
        accepted: "gzip,deflate,snappy",
        ..method(None)
    };
    let found = Way::new().request(&mut RequestWriter::new(fields), None, &Metadata::new());
    assert_eq!((found.content, found.encoding), (GrpcContent::Json, GrpcEncoding::Deflate));
    assert_eq!((found.head.content_type, found.head.content_encoding), (2, 3));
    assert!(GrpcEncoding::PACKED.into_iter().all(|encoding| found.accepted.has(encoding)));

    let mut answer = AnswerWriter::new(GrpcContent::Json, GrpcEncoding::Gzip, "gzip");
    let initial = Metadata::try_from([("a", "1")]).unwrap();
    let part = Way::new().answer(HEAD, |block, scratch| answer.head(block, &initial, scratch));
    let AnswerPart::Head(head) = part else { panic!("{part:?}") };
    assert_eq!((head.content, head.encoding), (Some(GrpcContent::Json), GrpcEncoding::Gzip));
    assert_eq!((head.initial, head.accepted.has(GrpcEncoding::Gzip)), (initial, true));
}

#[test]
fn secrets_and_bytes_go_into_no_table() {
    let metadata = Metadata::try_from([
        ("Authorization", &b"Bearer x"[..]),
        ("tenant", b"blue"),
        ("Key-Bin", &[0, 0xff]),
    ])
    .unwrap();
    let (mut way, mut names) = (Way::new(), Names::default());
    let mut call = RequestWriter::new(method(None));
    let found = way.request(&mut call, None, &metadata);
    assert_eq!(found.head.metadata, metadata);
    let keys: Vec<_> = found.head.metadata.iter().map(|(key, _)| key).collect();
    assert_eq!(keys, ["authorization", "tenant", "key-bin"]);
    decoder().decode(&way.block, &mut names).expect("it was written here");
    assert_eq!(names.1[7..], [true, false, true]);
}

#[test]
fn a_failure_comes_back_as_it_was() {
    let failures = [
        Failure::of_application(Code::NotFound, 0),
        Failure::of_application(Code::Unknown, 4001),
        Failure {
            details: Bytes::from_static(&[8, 5]),
            ..Failure::of_application(Code::Aborted, -1)
        },
    ];
    let mut writer = AnswerWriter::new(GrpcContent::Plain, GrpcEncoding::Identity, "");
    for failure in failures {
        let outcome = Outcome {
            metadata: Metadata::try_from([("a", "1"), ("a", "2")]).unwrap(),
            ..Outcome::failed(failure, " \t\ncaf\u{e9} 100 % ")
        };
        let mut way = Way::new();
        for _ in 0..2 {
            let end = way.answer(TRAILERS, |block, scratch| writer.end(block, &outcome, scratch));
            assert_eq!(end, AnswerPart::End(outcome.clone()));
            let only = way.answer(ONLY, |block, scratch| writer.only_end(block, &outcome, scratch));
            assert_eq!(only, AnswerPart::End(outcome.clone()));
        }
    }
    let own = Outcome::failed(Reason::NoMethod, "");
    let end = Way::new().answer(ONLY, |block, scratch| writer.only_end(block, &own, scratch));
    let AnswerPart::End(found) = end else { panic!("{end:?}") };
    assert_eq!(found.failure.expect("it failed").code, Code::Unimplemented);
}

#[test]
fn a_refusal_is_an_answer_of_grpc_or_of_http() {
    let mut writer = AnswerWriter::new(GrpcContent::Plain, GrpcEncoding::Identity, "");
    let grpc =
        Way::new().answer(ONLY, |block, _| writer.refusal(block, &Refusal::Encoding, "gzip"));
    let AnswerPart::End(outcome) = grpc else { panic!("{grpc:?}") };
    assert_eq!(outcome.failure.expect("it failed").code, Code::Unimplemented);
    assert_eq!(outcome.message, "the grpc-encoding is not supported");
    let mut names = Names::default();
    let mut way = Way::new();
    writer.refusal(&mut way.encoder.block(&mut way.block), &Refusal::Encoding, "gzip");
    decoder().decode(&way.block, &mut names).expect("it was written here");
    assert!(names.0.iter().any(|name| name == "grpc-accept-encoding"));

    let http = Way::new().answer(HEAD, |block, _| writer.refusal(block, &Refusal::NotGrpc, "gzip"));
    let AnswerPart::Foreign(foreign) = http else { panic!("{http:?}") };
    assert_eq!(foreign.http_status, 415);
}

proptest! {
    #[test]
    fn metadata_that_can_be_sent_comes_back(
        pairs in prop::collection::vec(
            ("[a-z0-9_.-]{1,12}(-bin)?", prop::collection::vec(any::<u8>(), 0..20)), 0..8,
        ),
    ) {
        let metadata = Metadata::try_from_iter(pairs);
        let Ok(metadata) = metadata else { return Ok(()) };
        if metadata::check(&metadata).is_err() {
            return Ok(());
        }
        let found = Way::new().request(&mut RequestWriter::new(method(None)), None, &metadata);
        let trimmed = metadata.iter().map(|(key, value)| {
            let value = if key.ends_with("-bin") { value } else { value.trim_ascii() };
            (key.to_owned(), value.to_vec())
        });
        prop_assert_eq!(found.head.metadata, Metadata::try_from_iter(trimmed).unwrap());
    }

    #[test]
    fn every_text_and_code_comes_back(
        number in 1..=16_i32, text in prop::collection::vec(any::<u8>(), 0..30),
        details in prop::collection::vec(any::<u8>(), 0..20), app in any::<i32>(),
    ) {
        let code = Code::from_number(number).expect("a code");
        let failure = Failure { details: details.into(), ..Failure::of_application(code, app) };
        let outcome = Outcome::failed(failure, text);
        let mut writer = AnswerWriter::new(GrpcContent::Plain, GrpcEncoding::Identity, "");
        let end = Way::new().answer(TRAILERS, |block, scratch| writer.end(block, &outcome, scratch));
        prop_assert_eq!(end, AnswerPart::End(outcome));
    }
}
