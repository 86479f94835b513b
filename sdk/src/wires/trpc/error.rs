//! The faults that bytes can have.

use thiserror::Error;
use trill_proto::prost::DecodeError;

/// The fixed header is wrong, so nobody knows where the next frame starts: the connection is over.
/// Or a frame cannot be written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub(crate) enum WireError {
    #[error("a frame starts with 0x{found:04x}, not with the 0x0930 of tRPC{}", spoken(*found))]
    BadMagic { found: u16 },

    #[error("a frame is of type {found}; only 0 (unary) and 1 (stream) exist")]
    BadFrameType { found: u8 },

    #[error("a frame says that it takes {size} bytes; its fixed header alone takes 16")]
    FrameTooSmall { size: usize },

    /// Read: over the limit of what we accept. To be written: over the limit of what we send.
    #[error("a frame of {size} bytes is over the limit of {limit}")]
    FrameTooLarge { size: usize, limit: usize },

    #[error("a frame of {size} bytes says that its protobuf header takes {header}")]
    HeaderOverrun { header: usize, size: usize },

    /// Only of a frame to be written: the field for the size has 16 bits, and we may have a limit
    /// below that.
    #[error("a protobuf header of {size} bytes is over the limit of {limit}")]
    HeaderTooLarge { size: usize, limit: usize },

    /// Only of a frame to be written: nothing of it has been.
    #[error("a message of {announced} bytes was announced, {written} were written")]
    WrongSize { announced: usize, written: usize },
}

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
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub(crate) enum FrameFault {
    #[error("the request has no protobuf header")]
    NoHeader,

    #[error(transparent)]
    Protobuf(#[from] DecodeError),

    #[error("call {request_id}: the attachment takes {attachment} bytes, {left} are left")]
    AttachmentOverrun { request_id: u32, attachment: usize, left: usize },

    #[error("a header of {size} bytes, at most {limit} are accepted (max_header)")]
    HeaderTooLarge { size: usize, limit: usize },

    #[error("more than {limit} metadata entries; one header carries no more")]
    TooManyEntries { limit: usize },

    #[error("stream frames of kind {0} do not exist")]
    UnknownKind(u8),
}
