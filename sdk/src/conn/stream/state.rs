//! The states of a stream and all transitions that a frame of the peer can cause.
//!
//! ```text
//!  client                                          server
//!
//!  Opening ── INIT ok ──> Open                     Open ── CLOSE in ──> RemoteClosed
//!     │                    │ └─ half_close ─> LocalClosed   │                │
//!     │ INIT refused,      │ CLOSE, RESET      │            │ handler done,  │ handler done,
//!     │ RESET, timeout     │                   │ CLOSE,     │ RESET          │ RESET
//!     └───────────> Closed <───────────────────┘ RESET      └──> Closed <────┘
//! ```
//!
//! `conn/tests/states.md` lists every state with everything that can happen in it.
//!
//! A server has no half-close of its own: its CLOSE is the end of the stream. A frame for a closed
//! stream is dropped, because its id is forgotten.

use super::super::error::Violation;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum StreamState {
    /// A client waits for the answer to its INIT.
    Opening,
    /// Both directions are open.
    Open,
    /// A client has said that it sends no more.
    LocalClosed,
    /// A server has been told that the client sends no more.
    RemoteClosed,
    /// Over.
    Closed,
}

/// A frame of the peer, as far as the state machine cares.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum FrameKind {
    /// At a server: a live stream is opened again.
    Open,
    /// At a client: the stream is accepted.
    Accept,
    /// At a client: the stream is refused.
    Refuse,
    Message,
    Credit,
    /// The end without an error.
    Close,
    Reset,
    /// A frame that cannot be understood.
    Bad(Violation),
}

/// The action that a frame calls for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Action {
    /// The stream is open: let the opener go on.
    Opened,
    /// Put the message into the inbox.
    Deliver,
    /// Add the credit.
    Credit,
    /// The client sends no more: the reader gets the end after the last message.
    EndOfInput,
    /// The stream is over, as the peer said.
    End,
    /// Nothing.
    Ignore,
    /// Reset the stream: the peer broke the rules.
    Violate(Violation),
}

impl StreamState {
    /// The state after a frame of the peer, and what to do about the frame. `client` says which
    /// side we are.
    pub(crate) fn receive(self, client: bool, frame: FrameKind) -> (Self, Action) {
        use {Action as A, FrameKind as I};
        let violate = |violation| (Self::Closed, A::Violate(violation));
        match (self, frame) {
            // PROTOCOL 27
            (Self::Closed, _) => (Self::Closed, A::Ignore),

            (_, I::Bad(violation)) => violate(violation),
            (_, I::Reset) => (Self::Closed, A::End),

            (Self::Opening, I::Accept) => (Self::Open, A::Opened),
            (Self::Opening, I::Refuse) => (Self::Closed, A::End),
            (Self::Opening, I::Message) => violate(Violation::DataBeforeInit),
            (Self::Opening, I::Close) => violate(Violation::CloseBeforeInit),
            (Self::Opening, I::Credit) => (Self::Opening, A::Ignore),

            (_, I::Open | I::Accept | I::Refuse) => violate(Violation::SecondInit),

            (Self::Open | Self::LocalClosed, I::Message) => (self, A::Deliver),
            (_, I::Credit) => (self, A::Credit),
            // PROTOCOL 24
            (Self::Open, I::Close) if !client => (Self::RemoteClosed, A::EndOfInput),
            (Self::Open | Self::LocalClosed, I::Close) => (Self::Closed, A::End),

            (Self::RemoteClosed, I::Message) => violate(Violation::DataAfterClose),
            (Self::RemoteClosed, I::Close) => (Self::RemoteClosed, A::Ignore),
        }
    }

    /// Tells whether this side may still send messages.
    pub(crate) fn can_send(self) -> bool {
        // PROTOCOL 14
        matches!(self, Self::Open | Self::RemoteClosed)
    }

    /// Tells whether the peer may still send messages, so that credit is worth giving.
    pub(crate) fn can_receive(self) -> bool {
        matches!(self, Self::Open | Self::LocalClosed)
    }
}
