//! What can be wrong with bytes.

use thiserror::Error;

/// Bytes that end the connection: nobody knows where the next frame starts. Or a frame that cannot be written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub(crate) enum WireError {
    #[error("a frame starts with 0x{found:04x}, not with tRPC's 0x0930")]
    BadMagic { found: u16 },
    #[error("a frame says it is {size} bytes long, its header alone takes 16")]
    FrameTooSmall { size: usize },
    #[error("a frame of {size} bytes is over the limit of {limit} (max_message_received)")]
    FrameTooLarge { size: usize, limit: usize },
    #[error("a frame of {size} bytes says that its header takes {header}")]
    HeaderOverrun { header: usize, size: usize },
    #[error("a header of {size} bytes is over the protocol's limit of {limit}")]
    HeaderTooLarge { size: usize, limit: usize },
    #[error("a frame is of type {found}, only 0 (unary) and 1 (stream) exist")]
    BadFrameType { found: u8 },
}

/// What is wrong inside a frame whose borders are known: it ends one call or stream.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub(crate) enum FrameFault {
    #[error("the frame's header is empty")]
    NoHeader,
    #[error("the frame's protobuf part cannot be decoded: {0}")]
    Protobuf(prost::DecodeError),
    #[error("the attachment takes {attachment} bytes, {left} are left")]
    AttachmentOverrun { attachment: usize, left: usize },
    #[error("stream frames of kind {0} do not exist")]
    UnknownKind(u8),
}
