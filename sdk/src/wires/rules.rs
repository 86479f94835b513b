//! The rules in which wires differ, as data that the engine follows.

use crate::framing::{Framing, IdRange};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Rules {
    /// The ids of this side's streams and calls.
    pub(crate) streams: IdRange,
    pub(crate) calls: IdRange,
    /// A client may send on a stream when the server has accepted it; else at once.
    pub(crate) is_answered: bool,
    /// A unary call is a stream with one message each way. Its id is one of the streams', and only
    /// the server's admission tells that it is a call. That needs strict credit.
    pub(crate) calls_are_streams: bool,
    pub(crate) credit: CreditRule,
    /// Where a message stands in the bytes of its stream.
    pub(crate) framing: Framing,
    /// A server returns all credit before it ends a stream.
    pub(crate) credit_before_end: bool,
}

/// How senders are held back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum CreditRule {
    /// By the window that the receiver announces with the opening, 0 for none. A message is sent
    /// whole while there is any credit, so the last one may go beyond it.
    Announced,
    /// By windows of the stream and of the connection that nothing may go beyond: a message is sent
    /// in parts. They have these sizes until the receiver gives more.
    #[cfg_attr(not(test), expect(dead_code, reason = "no wire but that of the tests says it yet"))]
    Strict { stream: u32, connection: u32 },
    /// By a window that the sender chooses for itself and that the receiver never hears of. Credit
    /// is the total of what was consumed since the stream began.
    #[cfg_attr(not(test), expect(dead_code, reason = "no wire but that of the tests says it yet"))]
    Chosen { window: u32 },
}
