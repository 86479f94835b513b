//! Why something failed, in words of no wire.

use bytes::Bytes;

use super::{Code, WireCode};

/// Why a call, a stream or an operation failed. Each wire has a table that says how it is told.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Reason {
    /// A handler or another part of an application has said so.
    Status,
    /// Bytes of the peer are not what they should be.
    Decode,
    /// A message could not be encoded.
    Encode,
    NoService,
    NoMethod,
    /// The time of the call or stream has passed.
    Deadline,
    /// The same, where the time was what the caller had left of its own.
    InheritedDeadline,
    /// A limit of the server's own has passed.
    ServerTimeout,
    /// No connection was there in time.
    ConnectTimeout,
    ReadTimeout,
    WriteTimeout,
    IdleTimeout,
    /// There is too much to do, or no room.
    Overloaded,
    /// A stream is not read while its peer sends on.
    Unread,
    /// The server takes nothing new, because it is shutting down.
    Draining,
    /// The server was shut down before the call had ended.
    ShutDown,
    /// A limit of rate refused the call.
    Limited,
    /// A message is over its limit.
    TooLarge,
    /// The same, seen by the side that was to send it.
    TooLargeToSend,
    /// Something failed inside the process that says so, such as a handler that panicked.
    Internal,
    Unauthenticated,
    /// The content of a message is refused.
    Invalid,
    /// A setting makes no sense.
    Config,
    /// An address that is none.
    Address,
    /// No connection could be made.
    Connect,
    /// No address is known.
    Resolve,
    /// The connection failed while it was in use.
    Network,
    Cancelled,
    WriteAfterFinish,
    WriteAfterEnd,
    /// A stream ended without the message that it owes.
    NoMessage,
    /// A frame that the state of its stream does not allow, or an end that gives no reason.
    BadState,
    Unknown,
}

impl Reason {
    /// The canonical code for it.
    pub(crate) const fn code(self) -> Code {
        match self {
            Self::Decode
            | Self::Encode
            | Self::NoMessage
            | Self::Internal
            | Self::Config
            | Self::Address => Code::Internal,
            Self::NoService | Self::NoMethod => Code::Unimplemented,
            Self::Deadline
            | Self::InheritedDeadline
            | Self::ServerTimeout
            | Self::ConnectTimeout
            | Self::ReadTimeout
            | Self::WriteTimeout
            | Self::IdleTimeout => Code::DeadlineExceeded,
            Self::Overloaded
            | Self::Unread
            | Self::Limited
            | Self::TooLarge
            | Self::TooLargeToSend => Code::ResourceExhausted,
            Self::Draining | Self::ShutDown | Self::Connect | Self::Resolve | Self::Network => {
                Code::Unavailable
            }
            Self::Unauthenticated => Code::Unauthenticated,
            Self::Invalid => Code::InvalidArgument,
            Self::Cancelled => Code::Cancelled,
            Self::Status
            | Self::WriteAfterFinish
            | Self::WriteAfterEnd
            | Self::BadState
            | Self::Unknown => Code::Unknown,
        }
    }

    /// Tells whether it says that there is no room for the call, or no server.
    pub(crate) const fn is_refusal_for_load(self) -> bool {
        matches!(self, Self::Overloaded | Self::Unread | Self::Draining)
    }

    /// The failure of this reason, seen there.
    pub(crate) const fn at(self, at: At) -> Failure {
        Failure {
            reason: self,
            at,
            code: self.code(),
            app: 0,
            begun: None,
            wire: None,
            details: Bytes::new(),
        }
    }
}

/// The side that saw a failure, and the sort of call that it saw it in.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum At {
    ClientCall,
    ClientStream,
    ServerCall,
    ServerStream,
}

impl At {
    pub(crate) const fn new(client: bool, stream: bool) -> Self {
        match (client, stream) {
            (true, false) => Self::ClientCall,
            (true, true) => Self::ClientStream,
            (false, false) => Self::ServerCall,
            (false, true) => Self::ServerStream,
        }
    }
}

/// A failure without its text.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Failure {
    pub(crate) reason: Reason,
    pub(crate) at: At,
    pub(crate) code: Code,
    /// The application's own number, or 0.
    pub(crate) app: i32,
    /// `true` if a handler has begun, `false` if none has, and `None` if that is not known.
    pub(crate) begun: Option<bool>,
    /// The words of the peer that has said it.
    pub(crate) wire: Option<WireCode>,
    /// A `google.rpc.Status`, or nothing.
    pub(crate) details: Bytes,
}

impl Failure {
    /// One that an application has chosen.
    pub(crate) fn of_application(code: Code, app: i32) -> Self {
        Self { code, app, ..Reason::Status.at(At::ServerCall) }
    }
}

impl From<Reason> for Failure {
    /// A failure of a client's call, or one for which it makes no difference where it is seen.
    fn from(reason: Reason) -> Self {
        reason.at(At::ClientCall)
    }
}
