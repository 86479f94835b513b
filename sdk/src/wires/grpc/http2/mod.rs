//! HTTP/2 (RFC 9113): bytes <-> frames, blocks <-> header fields. It knows nothing of gRPC. Pure:
//! no I/O, no clock, no tasks.
//!
//! ```text
//!   frame/    bytes <-> frames
//!   block.rs  frames -> whole blocks
//!   hpack/    blocks <-> header fields (RFC 7541), with the one table that each direction has
//! ```
//!
//! Deliberately absent: which streams are open, windows, what a header field means.

pub(crate) mod block;
pub(crate) mod frame;
pub(crate) mod hpack;
