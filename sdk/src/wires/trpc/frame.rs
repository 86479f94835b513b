//! Frames, as the room above sees them.

use bytes::Bytes;
use trill_proto::{CloseMeta, InitMeta, RequestProtocol, ResponseProtocol};

use crate::framing::{COPIED, StreamId, keeps_little};

use super::error::FrameFault;
use super::messages::Messages;

/// The fields that a unary frame carries in its fixed header. A server repeats them in the answer,
/// because some clients pair by them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct UnaryHead {
    pub(crate) id: u32,
    pub(crate) version: u8,
    pub(crate) reserved: u8,
}

/// One frame, taken off the wire.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Frame {
    /// A unary call, seen by the server.
    Request { head: UnaryHead, meta: RequestProtocol, body: Bytes, attachment: Bytes },
    /// The answer to a unary call, seen by the client.
    Response { head: UnaryHead, meta: ResponseProtocol, body: Bytes, attachment: Bytes },
    /// Opens a stream, or answers that.
    Init { id: StreamId, meta: InitMeta },
    /// Messages of a stream that came behind each other; they may be empty.
    Data { id: StreamId, messages: Messages },
    /// Credit for DATA.
    Feedback { id: StreamId, increment: u32 },
    /// The end of a direction or of the stream.
    Close { id: StreamId, meta: CloseMeta },
    /// A unary frame with a fault inside.
    BadUnary { head: UnaryHead, why: FrameFault },
    /// A stream frame with a fault inside.
    BadStream { id: StreamId, why: FrameFault },
    /// A frame that is not taken, although its headers are right. Its bytes are dropped as they
    /// come; the decoder never gives this.
    Skipped { of: Begun, size: usize, why: Skip },
}

impl Frame {
    /// Tells whether it may become a call of the peer's.
    #[inline]
    pub(crate) const fn is_request(&self) -> bool {
        matches!(self, Self::Request { .. })
    }

    /// The frame was cut from so much memory. Large pieces of a call that would keep much more than
    /// they count get memory of their own. Messages of a stream, most of which are read at once,
    /// remember it.
    #[inline]
    pub(crate) fn set_memory(&mut self, memory: usize) {
        match self {
            Self::Data { messages, .. } => messages.set_memory(memory),
            Self::Request { body, attachment, .. } | Self::Response { body, attachment, .. }
                if body.len().max(attachment.len()) >= COPIED =>
            {
                own([body, attachment], memory);
            }
            _ => {}
        }
    }
}

/// Both count for as long as one of them is there, so that they may keep what they take together.
#[inline(never)]
fn own(pieces: [&mut Bytes; 2], memory: usize) {
    let large = pieces.map(|piece| (piece.len() >= COPIED).then_some(piece));
    let size = large.iter().flatten().map(|piece| piece.len()).sum();
    if !keeps_little(size, memory) {
        large.into_iter().flatten().for_each(|piece| *piece = Bytes::copy_from_slice(piece));
    }
}

/// Which call or stream a frame is about that is not there whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Begun {
    /// A request or an answer. Its protobuf header may say another id than its fixed one.
    Unary { head: UnaryHead, request_id: u32, one_way: bool },
    /// A message of a stream.
    Data(StreamId),
    /// Anything else of a stream.
    Control(StreamId),
}

/// Why a frame is not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Skip {
    /// It is larger than may be received.
    TooLarge,
    /// There is no room for it.
    NoRoom,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which of body and attachment of these sizes are slices, that were cut from so much memory.
    fn slices(sizes: (usize, usize), memory: usize) -> [bool; 2] {
        let read = Bytes::from(vec![7; sizes.0 + sizes.1]);
        let (body, attachment) = (read.slice(..sizes.0), read.slice(sizes.0..));
        let meta = RequestProtocol::default();
        let mut frame = Frame::Request { head: UnaryHead::default(), meta, body, attachment };
        frame.set_memory(memory);
        let Frame::Request { body, attachment, .. } = frame else { unreachable!() };
        assert_eq!([&body[..], &attachment].concat(), read);
        [body, attachment].map(|piece| read.as_ptr_range().contains(&piece.as_ptr()))
    }

    #[test]
    fn a_large_body_or_attachment_keeps_no_more_than_half_as_much_again() {
        const READ: usize = 64 * 1024;
        assert!(!slices((33_000, 0), READ)[0]);
        assert!(!slices((43_690, 0), READ)[0]);
        assert!(slices((43_691, 0), READ)[0]);
        assert_eq!(
            slices((33_000, 33_000), 98_304),
            [true, true],
            "both count as long as one is there"
        );
        assert_eq!(slices((33_000, 33_000), 100_000), [false, false]);
        assert_eq!(
            slices((31_000, 33_000), READ),
            [true, false],
            "what is small is copied when it is kept"
        );
        assert_eq!(slices((1_000, 33_000), READ / 2 + 2_000), [true, true]);
        assert_eq!(slices((10, 10), READ), [true, true]);
    }
}
