//! Heads and ends of gRPC calls in any header blocks.

use crate::error::{Code, Failure};
use crate::framing::{MAX_ENTRIES, Outcome};
use crate::metadata::Metadata;
use crate::wires::grpc::answer::{AnswerFields, AnswerPart, BlockPlace};
use crate::wires::grpc::encoding::GrpcEncoding;
use crate::wires::grpc::field::{FieldMeaning, GrpcContent};
use crate::wires::grpc::head::{AnswerWriter, MethodFields, RequestWriter};
use crate::wires::grpc::http2::hpack::{HeaderBlock, HpackDecoder, HpackEncoder, ListLimits};
use crate::wires::grpc::metadata;
use crate::wires::grpc::request::{LastPath, RequestFields, RequestHead, RequestTrailers};

use super::choices::Choices;

/// Lists are cut there, so that an input reaches the limit.
const LIMITS: ListLimits = ListLimits { size: 1_000, fields: 20 };

const WIDE: ListLimits = ListLimits { size: 1 << 24, fields: 1 << 20 };

const PLACES: [BlockPlace; 4] = [
    BlockPlace { is_first: true, end_stream: false },
    BlockPlace { is_first: true, end_stream: true },
    BlockPlace { is_first: false, end_stream: true },
    BlockPlace { is_first: false, end_stream: false },
];

/// Reads the blocks of `input` as requests and as parts of answers: none has more metadata than a
/// head may have, and what was understood survives being written and read again.
///
/// Each block is led by a byte that says what it is read as, and one for its length.
///
/// # Panics
/// When one of these promises does not hold.
pub fn heads(input: &[u8]) {
    let mut choices = Choices::new(input);
    let mut decoder = HpackDecoder::new(LIMITS, FieldMeaning::of);
    let mut last_path = LastPath::default();
    while let Some(place) = choices.next() {
        let len = choices.byte();
        let block = choices.bytes(len.into());
        let is_read = match place % 6 {
            4 => {
                let mut trailers = RequestTrailers::default();
                let list = decoder.decode(block, &mut trailers);
                let _ = trailers.finish().map_err(|fault| assert_text(&fault));
                list.is_ok()
            }
            5 => {
                let mut fields = RequestFields::new(&mut last_path);
                let list = decoder.decode(block, &mut fields);
                list.is_ok_and(|list| {
                    if let Ok(head) = fields.finish(list.is_over) {
                        check_request(&head);
                    }
                    true
                })
            }
            place => {
                let place = PLACES[usize::from(place)];
                let mut fields = AnswerFields::new(place);
                let list = decoder.decode(block, &mut fields);
                list.is_ok_and(|list| {
                    match fields.finish(list.is_over) {
                        Ok(part) => check_part(&part, place),
                        Err(fault) => assert_text(&fault),
                    }
                    true
                })
            }
        };
        if !is_read {
            return;
        }
    }
}

/// Inputs of [`heads`] that read a whole call, that of a success and that of a failure.
#[must_use]
pub fn heads_seeds() -> Vec<Vec<u8>> {
    let pairs = [("Tenant", &b"blue"[..]), ("trace-bin", &[0, 1, 2, 3])];
    let metadata = Metadata::try_from(pairs).unwrap_or_default();
    let mut failed = Outcome::failed(Failure::of_application(Code::NotFound, 4001), "no caf\u{e9}");
    failed.metadata = metadata.clone();
    [Outcome::default(), failed].map(|outcome| seed(&metadata, &outcome)).to_vec()
}

fn seed(metadata: &Metadata, outcome: &Outcome) -> Vec<u8> {
    let (mut encoder, mut scratch, mut input) = (HpackEncoder::new(), Vec::new(), Vec::new());
    let mut add = |place, write: &mut dyn FnMut(&mut HeaderBlock<'_>, &mut Vec<u8>)| {
        let mut bytes = Vec::new();
        write(&mut encoder.block(&mut bytes), &mut scratch);
        // The blocks here are short.
        input.extend_from_slice(&[place, u8::try_from(bytes.len()).unwrap_or(u8::MAX)]);
        input.extend_from_slice(&bytes);
    };
    let (mut call, mut answer) = (call(b"/a.B/C".as_slice().into()), answer());
    for _ in 0..2 {
        let timeout = Some(std::time::Duration::from_millis(1_234));
        add(5, &mut |block, scratch| call.write(block, timeout, metadata, scratch));
        add(0, &mut |block, scratch| answer.head(block, metadata, scratch));
        add(2, &mut |block, scratch| answer.end(block, outcome, scratch));
        add(1, &mut |block, scratch| answer.only_end(block, outcome, scratch));
    }
    input
}

fn call(path: bytes::Bytes) -> RequestWriter {
    RequestWriter::new(MethodFields {
        scheme: "http",
        path,
        authority: "localhost".into(),
        timeout: None,
        content: GrpcContent::Proto,
        encoding: GrpcEncoding::Gzip,
        accepted: "gzip,deflate",
        user_agent: "grpc-rust-trill/0.1.0".into(),
    })
}

fn answer() -> AnswerWriter {
    AnswerWriter::new(GrpcContent::Plain, GrpcEncoding::Identity, "")
}

fn assert_text(fault: &dyn std::error::Error) {
    assert!(!fault.to_string().is_empty());
}

/// A request that was understood can be sent on.
fn check_request(head: &RequestHead) {
    let RequestHead { head, .. } = head;
    assert!(head.method.starts_with(b"/"));
    assert!(head.metadata.len() <= MAX_ENTRIES);
    if metadata::check(&head.metadata).is_err() {
        return;
    }
    let mut bytes = Vec::new();
    let mut encoder = HpackEncoder::new();
    let mut block = encoder.block(&mut bytes);
    call(head.method.clone()).write(&mut block, head.timeout, &head.metadata, &mut Vec::new());
    let mut last_path = LastPath::default();
    let mut fields = RequestFields::new(&mut last_path);
    let list = HpackDecoder::new(WIDE, FieldMeaning::of).decode(&bytes, &mut fields);
    let again = fields.finish(list.expect("it was written here").is_over).expect("a request").head;
    assert_eq!((&again.method, &again.metadata), (&head.method, &head.metadata));
    assert_eq!(again.timeout, head.timeout, "what came in a unit goes out in that or a larger one");
}

/// An end that was understood can be said again.
fn check_part(part: &AnswerPart, place: BlockPlace) {
    let outcome = match part {
        AnswerPart::End(outcome) => outcome,
        AnswerPart::Head(head) => {
            assert!(place.is_first && !place.end_stream && head.initial.len() <= MAX_ENTRIES);
            return;
        }
        AnswerPart::Foreign(foreign) => {
            assert!(foreign.outcome(b"\xff").failure.is_some());
            return;
        }
        AnswerPart::Informational => return,
    };
    assert!(place.end_stream && outcome.metadata.len() <= MAX_ENTRIES);
    if metadata::check(&outcome.metadata).is_err() {
        return;
    }
    let (mut bytes, mut encoder) = (Vec::new(), HpackEncoder::new());
    answer().end(&mut encoder.block(&mut bytes), outcome, &mut Vec::new());
    let mut fields = AnswerFields::new(PLACES[2]);
    let list = HpackDecoder::new(WIDE, FieldMeaning::of).decode(&bytes, &mut fields);
    let again = fields.finish(list.expect("it was written here").is_over);
    let Ok(AnswerPart::End(again)) = again else { panic!("{outcome:?} is no end any more") };
    let said = |outcome: &Outcome| {
        let failure = outcome.failure.as_ref();
        failure.map(|failure| (failure.code, failure.app, failure.details.clone()))
    };
    assert_eq!(said(&again), said(outcome));
    assert_eq!(again.metadata, outcome.metadata);
    if !outcome.is_ok() {
        assert_eq!(again.message, outcome.message);
    }
}
