//! gRPC. So far the ground floor alone: HTTP/2 as bytes, which the gRPC wire takes.

pub(crate) mod http2;
