//! Where the known peers differ from the protocol's documents, and from each other.

use trill_proto::{CloseMeta, Code};

use crate::framing::StreamId;

use super::head::RESET;

/// An id that no client uses, for a FEEDBACK of a client that is about no stream. Servers of Trill
/// and tRPC-Cpp drop it; one of tRPC-Go answers with a RESET, which is dropped here
/// (`go: codec_stream.go`). A server never sends it: a client of tRPC-Go takes whatever comes on a
/// connection of its pool for the answer to its call.
pub(super) const NO_STREAM: StreamId = StreamId(0);

/// The version byte of a unary frame that carries the request id in its fixed header, as tRPC-Go
/// writes it.
pub(super) const VERSION: u8 = 1;

/// Tells whether this is the RESET with which a server of tRPC-Go answers a frame for a stream that
/// it has just ended, while its own CLOSE is still on the way to the socket (`go: codec_stream.go`,
/// `encodeCloseFrame` forgets the stream first).
pub(super) fn may_have_overtaken(meta: &CloseMeta) -> bool {
    meta.close_type == RESET
        && meta.ret == Code::SERVER_DECODE_ERR.0
        && meta.func_ret == 0
        && meta.msg == "uninitialized meta"
}
