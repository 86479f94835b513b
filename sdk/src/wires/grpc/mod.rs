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
//!   message.rs   the prefix of a message
//! ```

pub(crate) mod base64;
pub(crate) mod encoding;
pub(crate) mod http2;
pub(crate) mod message;
pub(crate) mod percent;
pub(crate) mod status;
pub(crate) mod timeout;
