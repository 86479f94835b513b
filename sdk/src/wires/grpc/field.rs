//! The meaning of a header field. HPACK's tables keep it with their entries, so that a field that
//! comes again is not read again.

use std::fmt;
use std::time::Duration;

use super::encoding::{AcceptedEncodings, GrpcEncoding};
use super::status::SaidStatus;
use super::timeout::{self, TimeoutFault};

/// The fields of HTTP/1 connections, which HTTP/2 forbids (RFC 9113, 8.2.2).
const OF_CONNECTIONS: [&[u8]; 5] =
    [b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"];

/// Keys of gRPC that are metadata all the same.
const SHOWN: [&[u8]; 4] =
    [b"grpc-previous-rpc-attempts", b"grpc-retry-pushback-ms", b"grpc-tags-bin", b"grpc-trace-bin"];

/// The trailer with an application's own number, for peers that are Trill too.
pub(crate) const APP_NUMBER: &str = "trill-func-ret";

/// The meaning of a field.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum FieldMeaning {
    Method {
        is_post: bool,
    },
    Scheme,
    Path,
    Authority,
    HttpStatus(u16),
    ContentType(ContentType),
    Timeout(Result<Duration, TimeoutFault>),
    Encoding(GrpcEncoding),
    Accepted(AcceptedEncodings),
    Status(SaidStatus),
    Message,
    Details,
    AppNumber(i32),
    Host,
    ContentLength(u64),
    /// It is right, and nobody's metadata.
    Hidden,
    Metadata,
    /// Metadata in base64.
    BinMetadata,
    Malformed(Malformed),
}

/// The value of `content-type`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ContentType {
    Grpc(GrpcContent),
    /// Messages of gRPC that are encoded in a way that is not known.
    OtherMessages,
    NotGrpc,
}

/// How the messages of a call are encoded.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum GrpcContent {
    /// Protobuf, as everybody who says nothing means.
    #[default]
    Plain,
    Proto,
    Json,
}

/// A rule of HTTP/2 that the fields of a block break. It ends the stream, with PROTOCOL_ERROR.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Malformed {
    Name,
    Value,
    /// A field of HTTP/1 connections.
    OfConnection,
    Te,
    UnknownPseudo,
    /// A pseudo field that has no place in this block.
    Misplaced,
    /// A pseudo field behind others.
    Late,
    Repeated,
    Missing {
        name: &'static str,
    },
    HttpStatus,
    ContentLength,
}

impl FieldMeaning {
    pub(crate) fn of(name: &[u8], value: &[u8]) -> Self {
        if let Some(fault) = fault_of(name, value) {
            return Self::Malformed(fault);
        }
        match name {
            [b':', pseudo @ ..] => Self::of_pseudo(pseudo, value),
            b"te" if value != b"trailers" => Self::Malformed(Malformed::Te),
            b"te" | b"trailer" | b"user-agent" | b"grpc-message-type" => Self::Hidden,
            b"content-type" => Self::ContentType(ContentType::read(value)),
            b"content-length" => match number(value) {
                Some(len) => Self::ContentLength(len),
                None => Self::Malformed(Malformed::ContentLength),
            },
            b"host" => Self::Host,
            b"grpc-timeout" => Self::Timeout(timeout::read(value)),
            b"grpc-encoding" => Self::Encoding(GrpcEncoding::read(value)),
            b"grpc-accept-encoding" => Self::Accepted(AcceptedEncodings::read(value)),
            b"grpc-status" => Self::Status(SaidStatus::read(value)),
            b"grpc-message" => Self::Message,
            b"grpc-status-details-bin" => Self::Details,
            _ if name == APP_NUMBER.as_bytes() => match number(value) {
                Some(number) => Self::AppNumber(number),
                None => Self::Hidden,
            },
            _ if name.starts_with(b"grpc-") && !SHOWN.contains(&name) => Self::Hidden,
            _ if name.ends_with(b"-bin") => Self::BinMetadata,
            _ => Self::Metadata,
        }
    }

    fn of_pseudo(name: &[u8], value: &[u8]) -> Self {
        match name {
            b"method" => Self::Method { is_post: value == b"POST" },
            b"scheme" => Self::Scheme,
            b"path" if value.is_empty() => Self::Malformed(Malformed::Missing { name: ":path" }),
            b"path" => Self::Path,
            b"authority" => Self::Authority,
            b"status" => match number(value) {
                Some(status @ 100..=999) if value.len() == 3 => Self::HttpStatus(status),
                _ => Self::Malformed(Malformed::HttpStatus),
            },
            _ => Self::Malformed(Malformed::UnknownPseudo),
        }
    }
}

/// The fault of a field by itself. Spaces around a value are passed over, although the standard has
/// none.
fn fault_of(name: &[u8], value: &[u8]) -> Option<Malformed> {
    let regular = name.strip_prefix(b":").unwrap_or(name);
    let is_right = |byte: &u8| matches!(byte, b'!'..=b'~') && !matches!(byte, b'A'..=b'Z' | b':');
    if regular.is_empty() || !regular.iter().all(is_right) {
        return Some(Malformed::Name);
    }
    if value.iter().any(|byte| matches!(byte, b'\0' | b'\r' | b'\n')) {
        return Some(Malformed::Value);
    }
    OF_CONNECTIONS.contains(&name).then_some(Malformed::OfConnection)
}

/// A number in nothing but digits, and a minus where the type has room for one.
fn number<T: std::str::FromStr>(value: &[u8]) -> Option<T> {
    let text = std::str::from_utf8(value).ok()?;
    text.parse().ok().filter(|_| !text.starts_with('+'))
}

impl ContentType {
    /// Reads a type, with parameters behind it that say nothing.
    pub(crate) fn read(value: &[u8]) -> Self {
        const GRPC: usize = "application/grpc".len();
        let mut parts = value.split(|byte| *byte == b';');
        let essence = parts.next().unwrap_or_default().trim_ascii();
        let Some((grpc, rest)) = essence.split_at_checked(GRPC) else { return Self::NotGrpc };
        if !grpc.eq_ignore_ascii_case(b"application/grpc") {
            return Self::NotGrpc;
        }
        match rest {
            b"" => Self::Grpc(GrpcContent::Plain),
            b"+proto" => Self::Grpc(GrpcContent::Proto),
            b"+json" => Self::Grpc(GrpcContent::Json),
            [b'+', ..] => Self::OtherMessages,
            _ => Self::NotGrpc,
        }
    }
}

impl GrpcContent {
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::Plain => "application/grpc",
            Self::Proto => "application/grpc+proto",
            Self::Json => "application/grpc+json",
        }
    }

    /// The `content_type` of its bodies.
    pub(crate) const fn number(self) -> u32 {
        match self {
            Self::Plain | Self::Proto => 0,
            Self::Json => 2,
        }
    }
}

/// Tells whether a key belongs to HTTP/2 or gRPC, so that nobody's metadata goes out under it.
pub(crate) fn is_reserved(name: &[u8]) -> bool {
    !matches!(FieldMeaning::of(name, b""), FieldMeaning::Metadata | FieldMeaning::BinMetadata)
}

/// The pseudo fields of a block, and the order of all its fields.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct FieldOrder {
    /// A bit for each pseudo field that has come.
    pseudo: u8,
    is_behind: bool,
    fault: Option<Malformed>,
}

/// The pseudo fields that a block has a place for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum PseudoFields {
    OfRequest,
    OfAnswer,
    None,
}

impl FieldOrder {
    /// Takes the next field. Only the first fault counts.
    #[inline]
    pub(crate) fn take(&mut self, meaning: FieldMeaning, places: PseudoFields) {
        let (bit, place) = match meaning {
            FieldMeaning::Method { .. } => (1, PseudoFields::OfRequest),
            FieldMeaning::Scheme => (2, PseudoFields::OfRequest),
            FieldMeaning::Path => (4, PseudoFields::OfRequest),
            FieldMeaning::Authority => (8, PseudoFields::OfRequest),
            FieldMeaning::HttpStatus(_) => (16, PseudoFields::OfAnswer),
            FieldMeaning::Malformed(fault) => return self.fail(fault),
            _ => return self.is_behind = true,
        };
        if place != places {
            self.fail(Malformed::Misplaced);
        } else if self.is_behind {
            self.fail(Malformed::Late);
        } else if self.pseudo & bit != 0 {
            self.fail(Malformed::Repeated);
        }
        self.pseudo |= bit;
    }

    pub(crate) fn fail(&mut self, fault: Malformed) {
        self.fault.get_or_insert(fault);
    }

    pub(crate) const fn fault(self) -> Option<Malformed> {
        self.fault
    }

    /// The pseudo field that a request needs and that has not come.
    pub(crate) const fn missing(self) -> Option<&'static str> {
        match self.pseudo {
            pseudo if pseudo & 1 == 0 => Some(":method"),
            pseudo if pseudo & 2 == 0 => Some(":scheme"),
            pseudo if pseudo & 4 == 0 => Some(":path"),
            _ => None,
        }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name => f.write_str("the name of a header field has a character that none has"),
            Self::Value => f.write_str("the value of a header field has NUL, CR or LF in it"),
            Self::OfConnection => f.write_str("a header field is of HTTP/1 connections"),
            Self::Te => f.write_str("the header field te is not \"trailers\""),
            Self::UnknownPseudo => f.write_str("a pseudo header field is not known"),
            Self::Misplaced => f.write_str("a pseudo header field has no place here"),
            Self::Late => f.write_str("a pseudo header field comes behind others"),
            Self::Repeated => f.write_str("a pseudo header field comes twice"),
            Self::Missing { name } => write!(f, "the header field {name} is missing or empty"),
            Self::HttpStatus => f.write_str("the header field :status is no status"),
            Self::ContentLength => f.write_str("the header field content-length is no length"),
        }
    }
}

impl std::error::Error for Malformed {}
