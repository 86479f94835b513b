//! Frames (RFC 9113, 4 and 6): bytes <-> frames. A frame is right or wrong by itself here.
//!
//! ```text
//!   0            3      4       5              9
//!   +------------+------+-------+--------------+---------+
//!   |   length   | type | flags | R  stream id | payload |
//!   +------------+------+-------+--------------+---------+
//!
//!   0 DATA           [pad length] | bytes of messages | [padding]
//!   1 HEADERS        [pad length] | [priority, 5] | block | [padding]
//!   2 PRIORITY       priority, 5
//!   3 RST_STREAM     error code, 4
//!   4 SETTINGS       (id, 2 | value, 4)...
//!   5 PUSH_PROMISE   refused at either side
//!   6 PING           8 bytes
//!   7 GOAWAY         last stream, 4 | error code, 4 | text
//!   8 WINDOW_UPDATE  increment, 4
//!   9 CONTINUATION   block
//! ```
//!
//! All integers are big-endian. `length` counts the payload alone. Types that are not known are
//! passed over.

mod decode;
pub(crate) mod encode;
mod error;
mod header;
#[cfg(any(test, feature = "__fuzz"))]
mod rewrite;
mod settings;

#[cfg(test)]
mod tests;

pub(crate) use decode::{FrameDecoder, Http2Frame, PREFACE, PrefaceCheck, check_preface};
pub(crate) use error::{ErrorCode, FrameViolation};
pub(crate) use header::{FrameHeader, HEADER_LEN};
pub(crate) use settings::{Http2Settings, MAX_WINDOW, Setting};
