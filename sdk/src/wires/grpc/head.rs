//! Heads and trailers, written. The fields that a usual call has are the same each time, so their
//! bytes are kept, and are copied.

use std::time::Duration;

use bytes::Bytes;

use crate::error::Failure;
use crate::framing::Outcome;
use crate::metadata::Metadata;

use super::encoding::GrpcEncoding;
use super::field::{APP_NUMBER, GrpcContent};
use super::http2::hpack::{HeaderBlock, Indexing, RepeatedFields};
use super::metadata;
use super::request::Refusal;
use super::status::SaidStatus;
use super::timeout::TimeoutText;
use super::{base64, percent};

/// The fields that all calls of a method have on a connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct MethodFields {
    pub(crate) scheme: &'static str,
    /// `/package.Service/Method`.
    pub(crate) path: Bytes,
    pub(crate) authority: Bytes,
    /// A limit that all calls have, which is told each time in the same words.
    pub(crate) timeout: Option<Duration>,
    pub(crate) content: GrpcContent,
    pub(crate) encoding: GrpcEncoding,
    /// The encodings that this side takes, as a list.
    pub(crate) accepted: &'static str,
    pub(crate) user_agent: Bytes,
}

/// Writes the heads of requests of one method. The pseudo fields and the timeout come first, and
/// metadata last.
#[derive(Debug)]
pub(crate) struct RequestWriter {
    front: RepeatedFields,
    rest: RepeatedFields,
    list_size: usize,
}

/// Writes the heads and ends of answers of one kind.
#[derive(Debug)]
pub(crate) struct AnswerWriter {
    head: RepeatedFields,
    /// The head of an answer without messages, whose status follows.
    bare: RepeatedFields,
    success: RepeatedFields,
}

impl RequestWriter {
    pub(crate) fn new(fields: MethodFields) -> Self {
        let MethodFields { scheme, path, authority, timeout, .. } = fields;
        let mut front = vec![
            fixed(":method", "POST"),
            fixed(":scheme", scheme),
            (Bytes::from_static(b":path"), path),
            (Bytes::from_static(b":authority"), authority),
        ];
        front.extend(timeout.map(|timeout| {
            let text = TimeoutText::new(timeout);
            (Bytes::from_static(b"grpc-timeout"), Bytes::copy_from_slice(text.as_bytes()))
        }));
        let mut rest = vec![fixed("te", "trailers"), fixed("content-type", fields.content.text())];
        rest.extend(encodings(fields.encoding, fields.accepted));
        rest.push((Bytes::from_static(b"user-agent"), fields.user_agent));
        let all = front.iter().chain(&rest);
        let list_size = all.map(|(name, value)| name.len() + value.len() + metadata::FIELD).sum();
        Self { front: RepeatedFields::new(front), rest: RepeatedFields::new(rest), list_size }
    }

    /// The fields without metadata count so much for the peer's limit, a timeout included.
    pub(crate) const fn list_size(&self) -> usize {
        const TIMEOUT: usize = "grpc-timeout".len() + 9 + metadata::FIELD;
        self.list_size + TIMEOUT
    }

    /// Writes the head of a call. `timeout` is what is left of a deadline of its own, which no
    /// other call has. The metadata is one that can be sent.
    #[inline]
    pub(crate) fn write(
        &mut self,
        block: &mut HeaderBlock<'_>,
        timeout: Option<Duration>,
        metadata: &Metadata,
        scratch: &mut Vec<u8>,
    ) {
        block.repeated(&mut self.front);
        if let Some(timeout) = timeout {
            let text = TimeoutText::new(timeout);
            block.field(b"grpc-timeout", text.as_bytes(), Indexing::Once);
        }
        block.repeated(&mut self.rest);
        metadata::write(block, metadata, scratch);
    }
}

impl AnswerWriter {
    pub(crate) fn new(
        content: GrpcContent,
        encoding: GrpcEncoding,
        accepted: &'static str,
    ) -> Self {
        let bare = [fixed(":status", "200"), fixed("content-type", content.text())];
        let head = bare.clone().into_iter().chain(encodings(encoding, accepted));
        Self {
            head: RepeatedFields::new(head),
            bare: RepeatedFields::new(bare),
            success: RepeatedFields::new([fixed("grpc-status", SaidStatus::Success.text())]),
        }
    }

    /// Writes the head before the first message.
    #[inline]
    pub(crate) fn head(
        &mut self,
        block: &mut HeaderBlock<'_>,
        initial: &Metadata,
        scratch: &mut Vec<u8>,
    ) {
        block.repeated(&mut self.head);
        metadata::write(block, initial, scratch);
    }

    /// Writes the end behind the last message.
    #[inline]
    pub(crate) fn end(
        &mut self,
        block: &mut HeaderBlock<'_>,
        outcome: &Outcome,
        scratch: &mut Vec<u8>,
    ) {
        match &outcome.failure {
            None => block.repeated(&mut self.success),
            Some(failure) => write_failure(block, failure, &outcome.message, scratch),
        }
        metadata::write(block, &outcome.metadata, scratch);
    }

    /// Writes head and end of an answer without messages.
    pub(crate) fn only_end(
        &mut self,
        block: &mut HeaderBlock<'_>,
        outcome: &Outcome,
        scratch: &mut Vec<u8>,
    ) {
        block.repeated(&mut self.bare);
        self.end(block, outcome, scratch);
    }

    /// Writes the answer to a request that is refused. One that is not gRPC's gets a text behind
    /// it, and this block does not end the stream.
    pub(crate) fn refusal(
        &mut self,
        block: &mut HeaderBlock<'_>,
        refusal: &Refusal,
        accepted: &'static str,
    ) {
        let http_status = refusal.http_status();
        if http_status == 200 {
            block.repeated(&mut self.bare);
        } else {
            block.field(b":status", http_status.to_string().as_bytes(), Indexing::Once);
            block.field(b"content-type", b"text/plain", Indexing::Once);
        }
        if matches!(refusal, Refusal::Encoding) {
            block.field(b"grpc-accept-encoding", accepted.as_bytes(), Indexing::Repeated);
        }
        let status = SaidStatus::Failed(refusal.code()).text();
        block.field(b"grpc-status", status.as_bytes(), Indexing::Repeated);
        let text = refusal.to_string();
        block.field(b"grpc-message", &percent::encode(text.as_bytes()), Indexing::Once);
    }
}

#[cold]
fn write_failure(
    block: &mut HeaderBlock<'_>,
    failure: &Failure,
    message: &[u8],
    scratch: &mut Vec<u8>,
) {
    // There are few of them, and the same ones come again.
    let status = SaidStatus::of(Some(failure)).text();
    block.field(b"grpc-status", status.as_bytes(), Indexing::Repeated);
    if !message.is_empty() {
        block.field(b"grpc-message", &percent::encode(message), Indexing::Once);
    }
    if !failure.details.is_empty() {
        scratch.clear();
        base64::encode(scratch, &failure.details);
        block.field(b"grpc-status-details-bin", scratch, Indexing::Once);
    }
    if failure.app != 0 {
        let number = failure.app.to_string();
        block.field(APP_NUMBER.as_bytes(), number.as_bytes(), Indexing::Once);
    }
}

/// The fields that say how this side packs messages, and which packed ones it takes.
fn encodings(
    encoding: GrpcEncoding,
    accepted: &'static str,
) -> impl Iterator<Item = (Bytes, Bytes)> {
    let own = (encoding != GrpcEncoding::Identity).then(|| fixed("grpc-encoding", encoding.name()));
    let taken = (!accepted.is_empty()).then(|| fixed("grpc-accept-encoding", accepted));
    own.into_iter().chain(taken)
}

fn fixed(name: &'static str, value: &'static str) -> (Bytes, Bytes) {
    (Bytes::from_static(name.as_bytes()), Bytes::from_static(value.as_bytes()))
}
