//! tRPC: bytes <-> frames. Pure: no I/O, no clock, no memory of what came before.
//!
//! Every frame starts with the same 16 bytes. All integers are big-endian.
//!
//! ```text
//!   0      2      3      4              8           10             14      15     16
//!   +------+------+------+--------------+-----------+--------------+-------+------+
//!   | 0930 | type | kind |  total size  |  header   |      id      | vers. | rsv. |
//!   +------+------+------+--------------+-----------+--------------+-------+------+
//!
//!   type 0, unary      | RequestProtocol or ResponseProtocol | body | attachment |
//!                        <------------- header ------------->          <- as it says
//!
//!   type 1, stream     | kind 1 INIT      InitMeta     |
//!                      | kind 2 DATA      one message  |
//!                      | kind 3 FEEDBACK  FeedbackMeta |
//!                      | kind 4 CLOSE     CloseMeta    |
//! ```
//!
//! `total size` counts everything, these 16 bytes included. In unary frames `kind` means nothing;
//! in stream frames `header`, `vers.` and `rsv.` mean nothing.
//!
//! A fault in the fixed header ends the connection ([`WireError`]), because nobody knows where the
//! next frame starts. A fault behind it ends one call or one stream (`FrameFault`).
//!
//! Deliberately absent: which ids are in use, states, windows. A frame is right or wrong by itself
//! here.

#[cfg(feature = "runtime")]
pub(crate) mod codec;
mod codes;
mod decode;
mod encode;
mod entries;
mod error;
mod frame;
mod from_engine;
mod head;
mod header;
mod metadata;
mod plain;
mod quirks;
#[cfg(any(test, feature = "__fuzz"))]
mod rewrite;
mod rules;
mod settings;
mod to_input;

#[cfg(feature = "runtime")]
pub(crate) use codes::{codes_of, of_codes};
pub(crate) use decode::Decoder;
pub(crate) use error::WireError;
pub(crate) use frame::CallTag;
pub(crate) use from_engine::Trpc;
pub(crate) use header::FIRST_BYTE;
#[cfg(any(test, feature = "__fuzz"))]
pub(crate) use header::HEADER_LEN;
pub(crate) use rules::RULES;

#[cfg(any(test, feature = "__fuzz"))]
pub(crate) use rewrite::ANY;
#[cfg(any(test, feature = "__fuzz", feature = "__bench"))]
pub(crate) use {encode::data, frame::Frame};
/// For tests and tools, which write and read frames as a peer does.
#[cfg(any(test, feature = "__fuzz"))]
pub(crate) use {
    encode::{close, feedback, init, unary},
    frame::UnaryHead,
    trill_proto::{CloseMeta, InitMeta, InitRequestMeta, InitResponseMeta},
};
#[cfg(test)]
pub(crate) use {header::FRAMING, metadata::read as read_metadata, rewrite::single};

pub use settings::{AppErrors, Cancel, Settings};

/// The name of the wire, for errors that speak of what it cannot carry.
pub(crate) const NAME: &str = "tRPC";

#[cfg(test)]
mod tests;
