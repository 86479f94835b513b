//! The faults that bytes can have.

use std::fmt;

use trill_proto::prost::DecodeError;

use crate::framing::WriteError;
use crate::wires::Fault;

/// The fixed header is wrong, so nobody knows where the next frame starts: the connection is over.
/// Or a frame cannot be written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum WireError {
    BadMagic {
        found: u16,
    },

    BadFrameType {
        found: u8,
    },

    FrameTooSmall {
        size: usize,
    },

    /// Read: over the limit of what we accept. To be written: over the limit of what we send.
    FrameTooLarge {
        size: usize,
        limit: usize,
    },

    HeaderOverrun {
        header: usize,
        size: usize,
    },

    /// Only of a frame to be written: the field for the size has 16 bits, and we may have a limit
    /// below that.
    HeaderTooLarge {
        size: usize,
        limit: usize,
    },

    /// Only of a frame to be written: nothing of it has been.
    WrongSize {
        announced: usize,
        written: usize,
    },
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadMagic { found } => {
                let spoken = spoken(*found);
                write!(f, "a frame starts with 0x{found:04x}, not with the 0x0930 of tRPC{spoken}")
            }
            Self::BadFrameType { found } => {
                write!(f, "a frame is of type {found}; only 0 (unary) and 1 (stream) exist")
            }
            Self::FrameTooSmall { size } => write!(
                f,
                "a frame says that it takes {size} bytes; its fixed header alone takes 16"
            ),
            Self::FrameTooLarge { size, limit } => {
                write!(f, "a frame of {size} bytes is over the limit of {limit}")
            }
            Self::HeaderOverrun { header, size } => {
                write!(f, "a frame of {size} bytes says that its protobuf header takes {header}")
            }
            Self::HeaderTooLarge { size, limit } => {
                write!(f, "a protobuf header of {size} bytes is over the limit of {limit}")
            }
            Self::WrongSize { announced, written } => {
                write!(f, "a message of {announced} bytes was announced, {written} were written")
            }
        }
    }
}

impl std::error::Error for WireError {}

/// The protocol of a peer whose first two bytes are these, if that is easily said.
fn spoken(magic: u16) -> &'static str {
    match &magic.to_be_bytes() {
        b"HT" | b"GE" | b"PO" | b"PU" | b"PR" => ": it speaks HTTP",
        [0x14..=0x17, 0x03] => ": it speaks TLS",
        _ => "",
    }
}

/// The inside of a well delimited frame is wrong: it ends that call or that stream, and nothing
/// else.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum FrameFault {
    NoHeader,

    Protobuf(DecodeError),

    AttachmentOverrun { request_id: u32, attachment: usize, left: usize },

    HeaderTooLarge { size: usize, limit: usize },

    TooManyEntries { limit: usize },

    UnknownKind(u8),
}

impl fmt::Display for FrameFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoHeader => f.write_str("the request has no protobuf header"),
            Self::Protobuf(error) => error.fmt(f),
            Self::AttachmentOverrun { request_id, attachment, left } => write!(
                f,
                "call {request_id}: the attachment takes {attachment} bytes, {left} are left"
            ),
            &Self::HeaderTooLarge { size, limit } => Fault::HeaderTooLarge { size, limit }.fmt(f),
            &Self::TooManyEntries { limit } => Fault::TooManyEntries { limit }.fmt(f),
            Self::UnknownKind(kind) => write!(f, "stream frames of kind {kind} do not exist"),
        }
    }
}

impl std::error::Error for FrameFault {}

impl From<DecodeError> for FrameFault {
    fn from(error: DecodeError) -> Self {
        Self::Protobuf(error)
    }
}

impl From<WriteError> for WireError {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::WrongSize { announced, written } => Self::WrongSize { announced, written },
            other => unreachable!("a body cannot fail with {other:?}"),
        }
    }
}
