//! The header blocks of an answer, read: its head, and the end with the status.
//!
//! ```text
//!   the first block    goes on    :status 200, content-type, initial metadata
//!                      ends all   the same and the status: an answer without messages
//!   the block behind   ends all   grpc-status, grpc-message, trailing metadata
//! ```
//!
//! Blocks with a status from 100 to 199 come before, and say nothing.

use std::fmt;

use bytes::Bytes;

use crate::error::Code;
use crate::framing::Outcome;
use crate::metadata::Metadata;

use super::encoding::{AcceptedEncodings, GrpcEncoding};
use super::field::{ContentType, FieldMeaning, FieldOrder, GrpcContent, Malformed, PseudoFields};
use super::http2::hpack::{FieldReceiver, HeaderField};
use super::metadata::{PairFault, ReceivedPairs};
use super::status::{self, ForeignAnswer, SaidStatus};
use super::{base64, percent};

/// The place of a block in its stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct BlockPlace {
    /// No head has come before it.
    pub(crate) is_first: bool,
    pub(crate) end_stream: bool,
}

/// Takes the fields of a block.
#[derive(Debug)]
pub(crate) struct AnswerFields {
    place: BlockPlace,
    order: FieldOrder,
    http_status: Option<u16>,
    content: Option<ContentType>,
    /// The text of a content type that is not gRPC's.
    foreign: Bytes,
    encoding: GrpcEncoding,
    accepted: AcceptedEncodings,
    status: Option<SaidStatus>,
    message: Bytes,
    details: Bytes,
    app: i32,
    pairs: ReceivedPairs,
}

/// The part of an answer that a block says.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum AnswerPart {
    /// The answer is still to come.
    Informational,
    Head(ResponseHead),
    /// The answer is not gRPC's. Its body may follow, which shows whose it is.
    Foreign(ForeignAnswer),
    End(Outcome),
}

/// The head of an answer.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct ResponseHead {
    /// It has to be what the call asked for, and `None` is none of that.
    pub(crate) content: Option<GrpcContent>,
    pub(crate) encoding: GrpcEncoding,
    pub(crate) accepted: AcceptedEncodings,
    pub(crate) initial: Metadata,
}

/// A block that ends the call here: the stream is reset.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum AnswerFault {
    Malformed(Malformed),
    TooLarge,
    /// A second head, or trailers that end nothing.
    NoEnd,
    InformationalEnd,
    Metadata(PairFault),
}

impl AnswerFields {
    pub(crate) fn new(place: BlockPlace) -> Self {
        Self {
            place,
            order: FieldOrder::default(),
            http_status: None,
            content: None,
            foreign: Bytes::new(),
            encoding: GrpcEncoding::Identity,
            accepted: AcceptedEncodings::default(),
            status: None,
            message: Bytes::new(),
            details: Bytes::new(),
            app: 0,
            pairs: ReceivedPairs::default(),
        }
    }

    /// The part that the fields say. `is_over`: the list was over its limit, so that some of them
    /// are missing.
    ///
    /// # Errors
    ///
    /// When the block breaks a rule, or cannot be taken.
    pub(crate) fn finish(self, is_over: bool) -> Result<AnswerPart, AnswerFault> {
        let BlockPlace { is_first, end_stream } = self.place;
        if let Some(fault) = self.order.fault() {
            return Err(AnswerFault::Malformed(fault));
        }
        if is_over {
            return Err(AnswerFault::TooLarge);
        }
        if !is_first {
            return if end_stream { self.end() } else { Err(AnswerFault::NoEnd) };
        }
        let Some(http_status) = self.http_status else {
            return Err(AnswerFault::Malformed(Malformed::Missing { name: ":status" }));
        };
        match (http_status, end_stream) {
            (..200, true) => Err(AnswerFault::InformationalEnd),
            (..200, false) => Ok(AnswerPart::Informational),
            (_, true) if self.status.is_some() && self.content != Some(ContentType::NotGrpc) => {
                self.end()
            }
            (200, false) if self.is_grpc() => self.head(),
            _ => Ok(AnswerPart::Foreign(self.foreign(http_status))),
        }
    }

    fn is_grpc(&self) -> bool {
        matches!(self.content, Some(ContentType::Grpc(_) | ContentType::OtherMessages))
    }

    fn foreign(&self, http_status: u16) -> ForeignAnswer {
        let content_type = match self.content {
            None => None,
            Some(ContentType::NotGrpc) => Some(&self.foreign[..]),
            Some(ContentType::Grpc(content)) => Some(content.text().as_bytes()),
            Some(ContentType::OtherMessages) => Some(&b"application/grpc+"[..]),
        };
        ForeignAnswer::new(http_status, content_type)
    }

    fn head(self) -> Result<AnswerPart, AnswerFault> {
        let content = match self.content {
            Some(ContentType::Grpc(content)) => Some(content),
            Some(ContentType::OtherMessages | ContentType::NotGrpc) | None => None,
        };
        let initial = self.pairs.finish().map_err(AnswerFault::Metadata)?;
        let Self { encoding, accepted, .. } = self;
        Ok(AnswerPart::Head(ResponseHead { content, encoding, accepted, initial }))
    }

    fn end(self) -> Result<AnswerPart, AnswerFault> {
        let metadata = self.pairs.finish().map_err(AnswerFault::Metadata)?;
        let mut outcome = match self.status {
            Some(SaidStatus::Success) => Outcome::default(),
            Some(SaidStatus::Failed(code)) => {
                Outcome::failed(status::failure(code, self.app, self.details), self.message)
            }
            None => status::missing(),
        };
        outcome.metadata = metadata;
        Ok(AnswerPart::End(outcome))
    }
}

impl FieldReceiver for AnswerFields {
    type Meaning = FieldMeaning;

    fn meaning(&self, name: &[u8], value: &[u8]) -> FieldMeaning {
        FieldMeaning::of(name, value)
    }

    #[inline]
    fn receive(&mut self, field: HeaderField<'_, FieldMeaning>) {
        let HeaderField { name, value, meaning, .. } = field;
        let places = if self.place.is_first { PseudoFields::OfAnswer } else { PseudoFields::None };
        self.order.take(meaning, places);
        match meaning {
            FieldMeaning::HttpStatus(status) => self.http_status = Some(status),
            FieldMeaning::ContentType(found) => {
                self.content = Some(found);
                if found == ContentType::NotGrpc {
                    self.foreign = Bytes::copy_from_slice(value);
                }
            }
            FieldMeaning::Encoding(found) => self.encoding = found,
            FieldMeaning::Accepted(found) => self.accepted = self.accepted.and(found),
            FieldMeaning::Status(said) => self.status = Some(said),
            FieldMeaning::Message => {
                self.message = Bytes::from(percent::decode(value.trim_ascii()).into_owned());
            }
            // A status without its details is a status all the same.
            FieldMeaning::Details => {
                self.details = base64::decode(value.trim_ascii()).unwrap_or_default().into();
            }
            FieldMeaning::AppNumber(number) => self.app = number,
            FieldMeaning::Metadata => self.pairs.text(name, value),
            FieldMeaning::BinMetadata => self.pairs.bin(name, value),
            FieldMeaning::Method { .. }
            | FieldMeaning::Scheme
            | FieldMeaning::Path
            | FieldMeaning::Authority
            | FieldMeaning::Timeout(_)
            | FieldMeaning::Host
            | FieldMeaning::ContentLength(_)
            | FieldMeaning::Hidden
            | FieldMeaning::Malformed(_) => {}
        }
    }
}

impl AnswerFault {
    pub(crate) const fn code(&self) -> Code {
        match self {
            Self::Malformed(_) | Self::NoEnd | Self::InformationalEnd => Code::Internal,
            Self::TooLarge => Code::ResourceExhausted,
            Self::Metadata(fault) => fault.code(),
        }
    }
}

impl fmt::Display for AnswerFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(fault) => fault.fmt(f),
            Self::TooLarge => {
                f.write_str("the header fields of the answer are more than are accepted")
            }
            Self::NoEnd => f.write_str("a second block of header fields does not end the answer"),
            Self::InformationalEnd => f.write_str("an answer that is still to come ends already"),
            Self::Metadata(fault) => fault.fmt(f),
        }
    }
}

impl std::error::Error for AnswerFault {}
