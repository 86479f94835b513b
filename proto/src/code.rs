//! Return codes, as `trpc/trpc.proto` of trpc-group/trpc numbers them.

use std::fmt;

/// A framework return code of the tRPC protocol: the `ret` of an answer, 0 for success.
///
/// The set is open: peers send codes of their own, negative ones included, so this is a number with
/// names for the known values, not an enum.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Code(pub i32);

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $value:literal;)*) => {
        impl Code {
            $($(#[$doc])* pub const $name: Self = Self($value);)*

            /// The protocol's name for this code, if it has one.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($value => Some(stringify!($name)),)*
                    _ => None,
                }
            }

            /// Every code the protocol names, in ascending order.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];
        }
    };
}

codes! {
    /// Success.
    INVOKE_SUCCESS = 0;
    /// The server could not decode the request.
    SERVER_DECODE_ERR = 1;
    /// The server could not encode the answer.
    SERVER_ENCODE_ERR = 2;
    /// The server has no such service.
    SERVER_NOSERVICE_ERR = 11;
    /// The service has no such method.
    SERVER_NOFUNC_ERR = 12;
    /// The server's own limit passed, in the queue or in the handler.
    SERVER_TIMEOUT_ERR = 21;
    /// The server has too much to do.
    SERVER_OVERLOAD_ERR = 22;
    /// A rate limit of the server refused the call.
    SERVER_LIMITED_ERR = 23;
    /// The time the caller had left passed on the server.
    SERVER_FULL_LINK_TIMEOUT_ERR = 24;
    /// The server failed on its own account.
    SERVER_SYSTEM_ERR = 31;
    /// The server refused the caller's credentials.
    SERVER_AUTH_ERR = 41;
    /// The server refused the request's content.
    SERVER_VALIDATE_ERR = 51;
    /// The caller's own limit passed.
    CLIENT_INVOKE_TIMEOUT_ERR = 101;
    /// The time the caller had inherited passed.
    CLIENT_FULL_LINK_TIMEOUT_ERR = 102;
    /// The caller could not connect.
    CLIENT_CONNECT_ERR = 111;
    /// The caller could not encode the request.
    CLIENT_ENCODE_ERR = 121;
    /// The caller could not decode the answer.
    CLIENT_DECODE_ERR = 122;
    /// A rate limit of the caller's side refused the call.
    CLIENT_LIMITED_ERR = 123;
    /// The caller's side has too many calls in flight.
    CLIENT_OVERLOAD_ERR = 124;
    /// No address is known for the callee.
    CLIENT_ROUTER_ERR = 131;
    /// The connection failed under the call.
    CLIENT_NETWORK_ERR = 141;
    /// The caller's side refused the answer's content.
    CLIENT_VALIDATE_ERR = 151;
    /// The caller gave the call up.
    CLIENT_CANCELED_ERR = 161;
    /// The caller could not read the answer's frame.
    CLIENT_READ_FRAME_ERR = 171;
    /// The connection failed under a stream, seen by the server.
    STREAM_SERVER_NETWORK_ERR = 201;
    /// A stream message is over the limit, seen by the server.
    STREAM_SERVER_MSG_EXCEED_LIMIT_ERR = 211;
    /// The server could not encode a stream message.
    STREAM_SERVER_ENCODE_ERR = 221;
    /// The server could not decode a stream message.
    STREAM_SERVER_DECODE_ERR = 222;
    /// The server wrote after the end.
    STREAM_SERVER_WRITE_END = 231;
    /// The server wrote more than its queue may hold.
    STREAM_SERVER_WRITE_OVERFLOW_ERR = 232;
    /// The server wrote after it had closed the stream.
    STREAM_SERVER_WRITE_CLOSE_ERR = 233;
    /// A write of the server took too long.
    STREAM_SERVER_WRITE_TIMEOUT_ERR = 234;
    /// The server read past the end.
    STREAM_SERVER_READ_END = 251;
    /// The server read after it had closed the stream.
    STREAM_SERVER_READ_CLOSE_ERR = 252;
    /// The server read an empty message.
    STREAM_SERVER_READ_EMPTY_ERR = 253;
    /// A read of the server took too long.
    STREAM_SERVER_READ_TIMEOUT_ERR = 254;
    /// A stream was quiet for too long, seen by the server.
    STREAM_SERVER_IDLE_TIMEOUT_ERR = 255;
    /// The connection failed under a stream, seen by the client.
    STREAM_CLIENT_NETWORK_ERR = 301;
    /// A stream message is over the limit, seen by the client.
    STREAM_CLIENT_MSG_EXCEED_LIMIT_ERR = 311;
    /// The client could not encode a stream message.
    STREAM_CLIENT_ENCODE_ERR = 321;
    /// The client could not decode a stream message.
    STREAM_CLIENT_DECODE_ERR = 322;
    /// The client wrote after the end.
    STREAM_CLIENT_WRITE_END = 331;
    /// The client wrote more than its queue may hold.
    STREAM_CLIENT_WRITE_OVERFLOW_ERR = 332;
    /// The client wrote after it had closed the stream.
    STREAM_CLIENT_WRITE_CLOSE_ERR = 333;
    /// A write of the client took too long.
    STREAM_CLIENT_WRITE_TIMEOUT_ERR = 334;
    /// The client read past the end.
    STREAM_CLIENT_READ_END = 351;
    /// The client read after it had closed the stream.
    STREAM_CLIENT_READ_CLOSE_ERR = 352;
    /// The client read an empty message.
    STREAM_CLIENT_READ_EMPTY_ERR = 353;
    /// A read, the handshake or the finish of the client took too long.
    STREAM_CLIENT_READ_TIMEOUT_ERR = 354;
    /// A stream was quiet for too long, seen by the client.
    STREAM_CLIENT_IDLE_TIMEOUT_ERR = 355;
    /// An error without a code of its own.
    INVOKE_UNKNOWN_ERR = 999;
    /// A stream frame that the stream's state does not allow, or a RESET without a code.
    STREAM_UNKNOWN_ERR = 1000;
}

impl Code {
    /// Tells whether this is the code of success.
    #[must_use]
    pub const fn is_ok(self) -> bool {
        self.0 == 0
    }
}

impl From<i32> for Code {
    fn from(value: i32) -> Self {
        Self(value)
    }
}

impl From<Code> for i32 {
    fn from(code: Code) -> Self {
        code.0
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{} {name}", self.0),
            None => write!(f, "{}", self.0),
        }
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Code({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_ascending_and_named() {
        assert!(Code::ALL.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(Code::SERVER_NOFUNC_ERR.to_string(), "12 SERVER_NOFUNC_ERR");
        assert_eq!(Code(-99).to_string(), "-99");
    }
}
