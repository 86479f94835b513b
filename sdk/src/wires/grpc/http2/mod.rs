//! HTTP/2 (RFC 9113): bytes <-> frames, blocks <-> header fields. It knows nothing of gRPC. Pure:
//! no I/O, no clock, no tasks.
//!
//! ```text
//!   frame/    bytes <-> frames
//!   block.rs  frames -> whole blocks
//!   phase.rs  the frames that may come in each phase of a stream
//!   hpack/    blocks <-> header fields (RFC 7541), with the one table that each direction has
//! ```
//!
//! Deliberately absent: the streams that are open, windows, the meaning of a header field.

pub(crate) mod block;
pub(crate) mod frame;
pub(crate) mod hpack;
pub(crate) mod phase;
