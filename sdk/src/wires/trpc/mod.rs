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
//! next frame starts. A fault behind it ends one call or one stream ([`FrameFault`]).
//!
//! Deliberately absent: which ids are in use, states, windows. A frame is right or wrong by itself
//! here.

mod decode;
mod encode;
mod entries;
mod error;
mod frame;
mod header;
mod messages;
mod metadata;
mod plain;
#[cfg(any(test, feature = "__fuzz"))]
mod rewrite;

pub(crate) use decode::{Decoder, ONE_WAY};
pub(crate) use encode::{Largest, close, data, feedback, init, request, response};
pub(crate) use entries::MAX_ENTRIES;
pub(crate) use error::{FrameFault, WireError};
pub(crate) use frame::{Begun, Frame, Skip, UnaryHead};
pub(crate) use header::{FIRST_BYTE, HEADER_LEN};
pub(crate) use messages::Messages;
pub(crate) use metadata::{entries, read as read_metadata, repeated_key};
#[cfg(any(test, feature = "__fuzz"))]
pub(crate) use rewrite::ANY;

/// The messages inside frames, for the room above.
pub(crate) use trill_proto::{CloseMeta, InitMeta, InitRequestMeta, InitResponseMeta};

/// The name of the wire, for errors that speak of what it cannot carry.
pub(crate) const NAME: &str = "tRPC";

#[cfg(test)]
mod tests;
