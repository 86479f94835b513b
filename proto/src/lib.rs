//! The tRPC wire protocol's own messages and return codes.
//!
//! [`RequestProtocol`] and [`ResponseProtocol`] are the headers of unary frames; [`InitMeta`],
//! [`FeedbackMeta`] and [`CloseMeta`] are the payloads of stream frames; [`Code`] is what the peers
//! say when something fails. Byte fields are [`bytes::Bytes`], so that decoding from a read buffer
//! copies nothing.
//!
//! | feature | what it adds |
//! |---|---|
//! | `build` | `trill_proto::build`, which turns users' `.proto` files into prost types and annotated service traits |
#![forbid(unsafe_code)]
#![warn(clippy::too_many_lines)]

#[cfg(any(test, feature = "build"))]
pub mod build;
mod code;
mod messages;

/// The protobuf library whose traits the messages implement.
pub use prost;

pub use code::Code;
pub use messages::{
    CallType, CloseMeta, CloseType, FeedbackMeta, InitMeta, InitRequestMeta, InitResponseMeta,
    RequestProtocol, ResponseProtocol, TransInfoEntry,
};
