//! ROOM 1: bytes <-> frames.
//!
//! Every frame starts with 16 bytes, big-endian (`trpc: docs/en/trpc_protocol_design.md`):
//!
//! ```text
//!  0      2      3      4              8         10             14      15     16
//!  +------+------+------+--------------+---------+--------------+-------+------+
//!  | 0930 | type | kind | total size   | header  | id           | vers. | rsv. |
//!  +------+------+------+--------------+---------+--------------+-------+------+
//!          0 unary: header_size bytes of RequestProtocol or ResponseProtocol, the body, the attachment
//!          1 stream: by kind, 1 INIT, 2 DATA, 3 FEEDBACK, 4 CLOSE: a protobuf message, for DATA the payload
//! ```
//!
//! Deliberately absent: states, ids in use, windows. A frame is right or wrong by itself here.

mod decode;
mod encode;
mod error;
mod frame;
mod header;
mod id;

pub(crate) use decode::Decoder;
pub(crate) use encode::{close, data, feedback, init, request, response};
pub(crate) use error::{FrameFault, WireError};
pub(crate) use frame::{CloseMeta, Frame, InitMeta, InitRequestMeta, InitResponseMeta, Side, UnaryHead};
pub(crate) use header::HEADER_LEN;
pub(crate) use id::StreamId;
