//! The head of a request, read.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;

use crate::error::Code;
use crate::framing::Head;

use super::encoding::{AcceptedEncodings, GrpcEncoding};
use super::field::{ContentType, FieldMeaning, FieldOrder, GrpcContent, Malformed, PseudoFields};
use super::http2::hpack::{FieldReceiver, HeaderField};
use super::metadata::{PairFault, ReceivedPairs};
use super::timeout::TimeoutFault;

/// The path of the last request of a connection. Most often the next one has the same, and needs no
/// memory of its own.
#[derive(Debug, Default)]
pub(crate) struct LastPath(Bytes);

/// Takes the fields of a request's head.
#[derive(Debug)]
pub(crate) struct RequestFields<'a> {
    last_path: &'a mut LastPath,
    order: FieldOrder,
    is_post: bool,
    path: Bytes,
    has_authority: bool,
    hosts: usize,
    content: Option<ContentType>,
    timeout: Option<Result<Duration, TimeoutFault>>,
    encoding: GrpcEncoding,
    accepted: AcceptedEncodings,
    content_length: Option<u64>,
    pairs: ReceivedPairs,
}

/// A request's head.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct RequestHead {
    pub(crate) head: Head,
    /// The answer has the same.
    pub(crate) content: GrpcContent,
    pub(crate) encoding: GrpcEncoding,
    pub(crate) accepted: AcceptedEncodings,
    /// The bytes of DATA that follow, if the client says so.
    pub(crate) content_length: Option<u64>,
}

/// A request that is not begun.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum RequestFault {
    /// The stream is reset.
    Malformed(Malformed),
    /// It is answered.
    Refused(Refusal),
}

/// Why a request is refused with an answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Refusal {
    HeaderTooLarge,
    NotPost,
    NotGrpc,
    OtherMessages,
    /// There is no `:authority`, and no `host` or more than one.
    Authority,
    Timeout(TimeoutFault),
    Encoding,
    Path,
    Metadata(PairFault),
}

impl<'a> RequestFields<'a> {
    pub(crate) fn new(last_path: &'a mut LastPath) -> Self {
        Self {
            last_path,
            order: FieldOrder::default(),
            is_post: false,
            path: Bytes::new(),
            has_authority: false,
            hosts: 0,
            content: None,
            timeout: None,
            encoding: GrpcEncoding::Identity,
            accepted: AcceptedEncodings::default(),
            content_length: None,
            pairs: ReceivedPairs::default(),
        }
    }

    /// The head that the fields make. `is_over`: the list was over its limit, so that some of them
    /// are missing.
    ///
    /// # Errors
    ///
    /// When the request breaks a rule of HTTP/2, and else when it is none that this side can serve.
    pub(crate) fn finish(self, is_over: bool) -> Result<RequestHead, RequestFault> {
        if let Some(fault) = self.order.fault() {
            return Err(RequestFault::Malformed(fault));
        }
        if is_over {
            return Err(RequestFault::Refused(Refusal::HeaderTooLarge));
        }
        if let Some(name) = self.order.missing() {
            return Err(RequestFault::Malformed(Malformed::Missing { name }));
        }
        self.head().map_err(RequestFault::Refused)
    }

    fn head(self) -> Result<RequestHead, Refusal> {
        if !self.is_post {
            return Err(Refusal::NotPost);
        }
        let content = match self.content {
            Some(ContentType::Grpc(content)) => content,
            Some(ContentType::OtherMessages) => return Err(Refusal::OtherMessages),
            Some(ContentType::NotGrpc) | None => return Err(Refusal::NotGrpc),
        };
        if self.hosts > 1 || !self.has_authority && self.hosts == 0 {
            return Err(Refusal::Authority);
        }
        let timeout = self.timeout.transpose().map_err(Refusal::Timeout)?;
        if !self.path.starts_with(b"/") {
            return Err(Refusal::Path);
        }
        let content_encoding = self.encoding.number().ok_or(Refusal::Encoding)?;
        let head = Head {
            method: self.path,
            metadata: self.pairs.finish().map_err(Refusal::Metadata)?,
            timeout,
            content_type: content.number(),
            content_encoding,
            ..Head::default()
        };
        let Self { encoding, accepted, content_length, .. } = self;
        Ok(RequestHead { head, content, encoding, accepted, content_length })
    }
}

impl FieldReceiver for RequestFields<'_> {
    type Meaning = FieldMeaning;

    fn meaning(&self, name: &[u8], value: &[u8]) -> FieldMeaning {
        FieldMeaning::of(name, value)
    }

    #[inline]
    fn receive(&mut self, field: HeaderField<'_, FieldMeaning>) {
        let HeaderField { name, value, meaning, .. } = field;
        self.order.take(meaning, PseudoFields::OfRequest);
        match meaning {
            FieldMeaning::Method { is_post } => self.is_post = is_post,
            FieldMeaning::Path => {
                if self.last_path.0 != value {
                    self.last_path.0 = Bytes::copy_from_slice(value);
                }
                self.path = self.last_path.0.clone();
            }
            FieldMeaning::Authority => self.has_authority = true,
            FieldMeaning::Host => self.hosts += 1,
            FieldMeaning::ContentType(found) => self.content = Some(found),
            FieldMeaning::Timeout(found) => self.timeout = Some(found),
            FieldMeaning::Encoding(found) => self.encoding = found,
            FieldMeaning::Accepted(found) => self.accepted = self.accepted.and(found),
            FieldMeaning::ContentLength(len) => {
                if self.content_length.is_some_and(|other| other != len) {
                    self.order.fail(Malformed::ContentLength);
                }
                self.content_length = Some(len);
            }
            FieldMeaning::Metadata => self.pairs.text(name, value),
            FieldMeaning::BinMetadata => self.pairs.bin(name, value),
            FieldMeaning::Scheme
            | FieldMeaning::HttpStatus(_)
            | FieldMeaning::Status(_)
            | FieldMeaning::Message
            | FieldMeaning::Details
            | FieldMeaning::AppNumber(_)
            | FieldMeaning::Hidden
            | FieldMeaning::Malformed(_) => {}
        }
    }
}

/// Takes the fields of a block that ends a request. gRPC has no place for them, so they are only
/// looked at for faults.
#[derive(Debug, Default)]
pub(crate) struct RequestTrailers(FieldOrder);

impl RequestTrailers {
    /// # Errors
    ///
    /// When they break a rule of HTTP/2.
    pub(crate) fn finish(self) -> Result<(), Malformed> {
        self.0.fault().map_or(Ok(()), Err)
    }
}

impl FieldReceiver for RequestTrailers {
    type Meaning = FieldMeaning;

    fn meaning(&self, name: &[u8], value: &[u8]) -> FieldMeaning {
        FieldMeaning::of(name, value)
    }

    fn receive(&mut self, field: HeaderField<'_, FieldMeaning>) {
        self.0.take(field.meaning, PseudoFields::None);
    }
}

impl Refusal {
    /// The status of HTTP with which it is answered. With 200 the answer is gRPC's.
    pub(crate) const fn http_status(&self) -> u16 {
        match self {
            Self::HeaderTooLarge => 431,
            Self::NotPost => 405,
            Self::NotGrpc => 415,
            Self::Authority | Self::Timeout(_) => 400,
            Self::OtherMessages | Self::Encoding | Self::Path | Self::Metadata(_) => 200,
        }
    }

    pub(crate) const fn code(&self) -> Code {
        match self {
            Self::HeaderTooLarge => Code::ResourceExhausted,
            Self::NotGrpc => Code::InvalidArgument,
            Self::NotPost | Self::Authority | Self::Timeout(_) => Code::Internal,
            Self::OtherMessages | Self::Encoding | Self::Path => Code::Unimplemented,
            Self::Metadata(fault) => fault.code(),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HeaderTooLarge => f.write_str("the header fields are more than are accepted"),
            Self::NotPost => f.write_str("gRPC is spoken with the method POST"),
            Self::NotGrpc => f.write_str("this server speaks gRPC: content-type application/grpc"),
            Self::OtherMessages => {
                f.write_str("the content-type is not supported: +proto and +json are")
            }
            Self::Authority => f.write_str("the request has to name one authority or host"),
            Self::Timeout(fault) => fault.fmt(f),
            Self::Encoding => f.write_str("the grpc-encoding is not supported"),
            Self::Path => f.write_str("the path does not begin with /, so it names no method"),
            Self::Metadata(fault) => fault.fmt(f),
        }
    }
}

impl std::error::Error for Refusal {}
