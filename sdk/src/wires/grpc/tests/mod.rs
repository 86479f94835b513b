//! Heads and ends of calls: what peers send, what they should not, and what this side writes.

mod answers;
mod fields;
mod hostile;
mod requests;
mod written;

use crate::wires::grpc::answer::{AnswerFault, AnswerFields, AnswerPart, BlockPlace};
use crate::wires::grpc::field::FieldMeaning;
use crate::wires::grpc::http2::hpack::{
    FieldReceiver, HpackDecoder, HpackEncoder, Indexing, ListLimits, ListSize,
};
use crate::wires::grpc::request::{LastPath, RequestFault, RequestFields, RequestHead};

const LIMITS: ListLimits = ListLimits { size: 16_384, fields: 4_000 };

/// The head of a usual call.
const REQUEST: [(&str, &str); 7] = [
    (":method", "POST"),
    (":scheme", "http"),
    (":path", "/helloworld.Greeter/SayHello"),
    (":authority", "localhost:50051"),
    ("te", "trailers"),
    ("content-type", "application/grpc"),
    ("user-agent", "grpc-go/1.85.0"),
];

const HEAD: BlockPlace = BlockPlace { is_first: true, end_stream: false };
const ONLY: BlockPlace = BlockPlace { is_first: true, end_stream: true };
const TRAILERS: BlockPlace = BlockPlace { is_first: false, end_stream: true };

fn decoder() -> HpackDecoder<FieldMeaning> {
    HpackDecoder::new(LIMITS, FieldMeaning::of)
}

/// The block of fields.
fn block<V: AsRef<[u8]>>(fields: impl IntoIterator<Item = (&'static str, V)>) -> Vec<u8> {
    let (mut encoder, mut out) = (HpackEncoder::new(), Vec::new());
    let mut block = encoder.block(&mut out);
    for (name, value) in fields {
        block.field(name.as_bytes(), value.as_ref(), Indexing::Once);
    }
    out
}

fn receive(block: &[u8], receiver: &mut impl FieldReceiver<Meaning = FieldMeaning>) -> ListSize {
    decoder().decode(block, receiver).expect("a block")
}

fn request<V: AsRef<[u8]>>(
    fields: impl IntoIterator<Item = (&'static str, V)>,
) -> Result<RequestHead, RequestFault> {
    let mut last = LastPath::default();
    let mut received = RequestFields::new(&mut last);
    let list = receive(&block(fields), &mut received);
    received.finish(list.is_over)
}

/// The usual request with more fields behind it.
fn request_and(more: &[(&'static str, &'static str)]) -> Result<RequestHead, RequestFault> {
    request(REQUEST.into_iter().chain(more.iter().copied()))
}

/// The usual request with another value of a field, or without it.
fn request_with(name: &str, value: Option<&'static str>) -> Result<RequestHead, RequestFault> {
    request(REQUEST.into_iter().filter_map(|(its, usual)| {
        if its == name { Some((its, value?)) } else { Some((its, usual)) }
    }))
}

fn answer(
    place: BlockPlace,
    fields: &[(&'static str, &'static str)],
) -> Result<AnswerPart, AnswerFault> {
    let mut received = AnswerFields::new(place);
    let list = receive(&block(fields.iter().copied()), &mut received);
    received.finish(list.is_over)
}
