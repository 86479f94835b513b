//! The peer's frames in words that all wires share: what a wire reads, and the engine takes.

use std::fmt;

use bytes::Bytes;

use crate::framing::{Answer, COPIED, Head, Messages, Outcome, StreamId, keeps_little};

use crate::metadata::Metadata;

use super::{Control, Wire, trpc};

/// A frame of the peer's.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Input {
    /// A unary call, at a server. The answer repeats its tag.
    Call { tag: CallTag, one_way: bool, head: Head, body: Bytes, attachment: Bytes },
    /// The answer to a unary call of this side's.
    Answer { id: u64, answer: Answer },
    /// Opens a stream, at a server; `None` if it does not name a method.
    Open { id: StreamId, opening: Option<Opening> },
    /// Accepts a stream of this side's with the server's window, or refuses it.
    Opened { id: StreamId, answer: Result<u32, Outcome> },
    /// The begin of the answer to a unary call that is a stream.
    #[cfg_attr(not(test), expect(dead_code, reason = "no wire but that of the tests says it yet"))]
    AnswerHead { id: StreamId, head: AnswerHead },
    /// Messages of a stream that came behind each other; they may be empty.
    Messages { id: StreamId, messages: Messages },
    /// Bytes of a stream's messages, which are cut anywhere.
    #[cfg_attr(not(test), expect(dead_code, reason = "no wire but that of the tests says it yet"))]
    Bytes { id: StreamId, bytes: Bytes },
    /// Credit for messages; of stream 0 for those of all streams together, if the wire has that.
    Credit { id: StreamId, credit: Credit },
    /// A frame that the wire answers by itself.
    #[cfg_attr(not(test), expect(dead_code, reason = "no wire but that of the tests says it yet"))]
    Control(Control),
    /// The server takes no calls and streams with ids behind this one, and has not begun any.
    #[cfg_attr(not(test), expect(dead_code, reason = "no wire but that of the tests says it yet"))]
    GoingAway { accepted: StreamId },
    /// The first bytes have told which wire the peer speaks.
    #[cfg_attr(not(test), expect(dead_code, reason = "no wire but that of the tests says it yet"))]
    Speaks(Wire),
    /// The end of a direction or of the stream.
    End { id: StreamId, how: End, outcome: Outcome },
    /// A unary call that cannot be read, at a server.
    BadCall { tag: CallTag, why: Fault },
    /// An answer that cannot be read. Its id may be missing, and 0 then.
    BadAnswer { id: u64, why: Fault },
    /// A frame of a stream that cannot be read.
    BadStream { id: StreamId, why: Fault },
    /// A frame that is not taken, although its headers are right. Its bytes are dropped as they
    /// come.
    Skipped { of: Begun, size: usize, why: Skip },
}

/// The head of a stream that the peer opens, and the window that it gives.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Opening {
    pub(crate) head: Head,
    /// 0: it does not count.
    pub(crate) window: u32,
    /// More streams that are opened by it, and answered together.
    pub(crate) more: Vec<StreamId>,
}

/// The part of an answer that its server says before the message.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct AnswerHead {
    pub(crate) content_type: u32,
    pub(crate) content_encoding: u32,
    pub(crate) initial: Metadata,
}

/// Credit as each wire says it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Credit {
    /// More than before.
    pub(crate) increment: u32,
    /// Since the stream began.
    pub(crate) total: u64,
}

/// The part of a peer's call by which its wire knows the answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum CallTag {
    Trpc(trpc::CallTag),
    #[cfg(test)]
    Toy(u64),
}

impl CallTag {
    /// The id with which its answer comes.
    pub(crate) fn id(self) -> u64 {
        match self {
            Self::Trpc(tag) => tag.request_id.into(),
            #[cfg(test)]
            Self::Toy(id) => id,
        }
    }
}

/// How the peer ends a stream, or its direction of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum End {
    /// In order: a client's half-close, or a server's end with its outcome.
    Close,
    /// At once.
    Reset,
    /// At once, by a frame that may have overtaken the real end, which follows then.
    ResetAhead,
}

/// The inside of a well delimited frame is wrong: it ends that call or that stream, and nothing
/// else.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    HeaderTooLarge {
        size: usize,
        limit: usize,
    },
    TooManyEntries {
        limit: usize,
    },
    /// In the wire's words.
    Unreadable(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HeaderTooLarge { size, limit } => {
                write!(f, "a header of {size} bytes, at most {limit} are accepted (max_metadata)")
            }
            Self::TooManyEntries { limit } => {
                write!(f, "more than {limit} metadata entries; one header carries no more")
            }
            Self::Unreadable(why) => f.write_str(why),
        }
    }
}

/// Which call or stream a frame is about that is not there whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Begun {
    /// A request, or an answer to a call with this tag.
    Call { tag: CallTag, one_way: bool },
    /// A message of a stream.
    Message(StreamId),
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

impl Input {
    /// Tells whether it may become a call of the peer's.
    #[inline]
    pub(crate) const fn is_call(&self) -> bool {
        matches!(self, Self::Call { .. })
    }

    /// The frame was cut from so much memory. Large pieces of a call that would keep much more than
    /// they count get memory of their own. Messages of a stream, most of which are read at once,
    /// remember it.
    #[inline]
    pub(crate) fn set_memory(&mut self, memory: usize) {
        match self {
            Self::Messages { messages, .. } => messages.set_memory(memory),
            Self::Call { body, attachment, .. }
            | Self::Answer { answer: Answer { body, attachment, .. }, .. }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Which of body and attachment of these sizes are slices, that were cut from so much memory.
    fn slices(sizes: (usize, usize), memory: usize) -> [bool; 2] {
        let read = Bytes::from(vec![7; sizes.0 + sizes.1]);
        let (body, attachment) = (read.slice(..sizes.0), read.slice(sizes.0..));
        let (tag, head) = (CallTag::Toy(1), Head::default());
        let mut input = Input::Call { tag, one_way: false, head, body, attachment };
        input.set_memory(memory);
        let Input::Call { body, attachment, .. } = input else { unreachable!() };
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
