//! gRPC. So far its values and no connection: HTTP/2 as bytes, and above it what the fields and
//! prefixes of gRPC say. Pure: no I/O, no clock, no tasks.
//!
//! ```text
//!   http2/       bytes <-> frames and header fields
//!   timeout.rs   grpc-timeout
//!   percent.rs   grpc-message
//!   base64.rs    the values of keys with -bin
//!   encoding.rs  grpc-encoding, grpc-accept-encoding
//!   status.rs    grpc-status, and what stands for it where there is none
//!   field.rs     the meaning of each field, and the order of fields
//!   metadata.rs  metadata as fields
//!   request.rs   the head of a request, read
//!   answer.rs    the head and the end of an answer, read
//!   head.rs      all of them, written
//!   message.rs   the prefix of a message
//! ```
//!
//! Deliberately absent: streams, what follows from a fault, and `content-length` beside the bytes
//! that come.

pub(crate) mod answer;
pub(crate) mod base64;
pub(crate) mod encoding;
pub(crate) mod field;
pub(crate) mod head;
pub(crate) mod http2;
pub(crate) mod message;
pub(crate) mod metadata;
pub(crate) mod percent;
pub(crate) mod request;
pub(crate) mod status;
#[cfg(test)]
mod tests;
pub(crate) mod timeout;
