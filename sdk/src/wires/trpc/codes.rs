//! How tRPC tells why a call failed, and what its numbers say: one table for each way.
//!
//! Two numbers are in each answer: `ret` is the framework's, `func_ret` the application's. A
//! canonical code that they do not tell goes beside them in metadata, and so do details.

use bytes::Bytes;
use trill_proto::Code as Ret;

use crate::error::{At, Code, Codes, Failure, Reason, WireCode};
use crate::framing::DRAINING_TEXT;
#[cfg(any(test, feature = "__fuzz"))]
use crate::framing::Outcome;
use crate::metadata::Metadata;

/// The key of the canonical code. Programs of other libraries pass it over.
const CODE: &str = "trill-code";

/// The key of a `google.rpc.Status`.
const DETAILS: &str = "trill-details-bin";

/// The key with which a server says that it takes nothing more on a connection, in an answer that
/// refuses or breaks off.
const DRAINING: &str = "trill-draining";

/// The most reserved keys that one failure adds to the metadata.
pub(crate) const RESERVED: usize = 2;

macro_rules! table {
    ($($reason:ident [$($ret:ident)+];)*) => {
        /// The number for a reason: one for all, or those of a client's call, a client's stream, a
        /// server's call and a server's stream.
        // PROTOCOL 43
        fn ret_of(reason: Reason, at: At) -> Ret {
            match reason {
                $(Reason::$reason => pick(&[$(Ret::$ret),+], at),)*
            }
        }

        #[cfg(test)]
        pub(super) const REASONS: &[Reason] = &[$(Reason::$reason),*];
    };
}

const fn pick(rets: &[Ret], at: At) -> Ret {
    if rets.len() == 1 { rets[0] } else { rets[at as usize] }
}

table! {
    Status [INVOKE_SUCCESS];
    Decode [CLIENT_DECODE_ERR STREAM_CLIENT_DECODE_ERR SERVER_DECODE_ERR STREAM_SERVER_DECODE_ERR];
    Encode [CLIENT_ENCODE_ERR STREAM_CLIENT_ENCODE_ERR SERVER_ENCODE_ERR STREAM_SERVER_ENCODE_ERR];
    TooLargeToSend
        [CLIENT_ENCODE_ERR STREAM_CLIENT_ENCODE_ERR SERVER_ENCODE_ERR STREAM_SERVER_ENCODE_ERR];
    TooLarge [
        CLIENT_DECODE_ERR STREAM_CLIENT_MSG_EXCEED_LIMIT_ERR
        SERVER_DECODE_ERR STREAM_SERVER_MSG_EXCEED_LIMIT_ERR
    ];
    NoService [SERVER_NOSERVICE_ERR];
    NoMethod [SERVER_NOFUNC_ERR];
    Deadline [
        CLIENT_INVOKE_TIMEOUT_ERR CLIENT_INVOKE_TIMEOUT_ERR
        SERVER_FULL_LINK_TIMEOUT_ERR SERVER_FULL_LINK_TIMEOUT_ERR
    ];
    InheritedDeadline [
        CLIENT_FULL_LINK_TIMEOUT_ERR CLIENT_FULL_LINK_TIMEOUT_ERR
        SERVER_FULL_LINK_TIMEOUT_ERR SERVER_FULL_LINK_TIMEOUT_ERR
    ];
    ServerTimeout [SERVER_TIMEOUT_ERR];
    ConnectTimeout [CLIENT_CONNECT_ERR];
    ReadTimeout [
        STREAM_CLIENT_READ_TIMEOUT_ERR STREAM_CLIENT_READ_TIMEOUT_ERR
        STREAM_SERVER_READ_TIMEOUT_ERR STREAM_SERVER_READ_TIMEOUT_ERR
    ];
    WriteTimeout [
        STREAM_CLIENT_WRITE_TIMEOUT_ERR STREAM_CLIENT_WRITE_TIMEOUT_ERR
        STREAM_SERVER_WRITE_TIMEOUT_ERR STREAM_SERVER_WRITE_TIMEOUT_ERR
    ];
    IdleTimeout [
        STREAM_CLIENT_IDLE_TIMEOUT_ERR STREAM_CLIENT_IDLE_TIMEOUT_ERR
        STREAM_SERVER_IDLE_TIMEOUT_ERR STREAM_SERVER_IDLE_TIMEOUT_ERR
    ];
    Overloaded [CLIENT_OVERLOAD_ERR CLIENT_OVERLOAD_ERR SERVER_OVERLOAD_ERR SERVER_OVERLOAD_ERR];
    Unread [SERVER_OVERLOAD_ERR];
    Draining [SERVER_OVERLOAD_ERR];
    ShutDown [SERVER_TIMEOUT_ERR];
    Limited [CLIENT_LIMITED_ERR CLIENT_LIMITED_ERR SERVER_LIMITED_ERR SERVER_LIMITED_ERR];
    Internal [SERVER_SYSTEM_ERR];
    Unauthenticated [SERVER_AUTH_ERR];
    Invalid [CLIENT_VALIDATE_ERR CLIENT_VALIDATE_ERR SERVER_VALIDATE_ERR SERVER_VALIDATE_ERR];
    Config [CLIENT_CONNECT_ERR CLIENT_CONNECT_ERR SERVER_SYSTEM_ERR SERVER_SYSTEM_ERR];
    Address [CLIENT_ROUTER_ERR];
    Connect [CLIENT_CONNECT_ERR];
    Resolve [CLIENT_ROUTER_ERR];
    Network [
        CLIENT_NETWORK_ERR STREAM_CLIENT_NETWORK_ERR
        STREAM_SERVER_NETWORK_ERR STREAM_SERVER_NETWORK_ERR
    ];
    Cancelled [CLIENT_CANCELED_ERR];
    WriteAfterFinish [
        STREAM_CLIENT_WRITE_END STREAM_CLIENT_WRITE_END
        STREAM_SERVER_WRITE_END STREAM_SERVER_WRITE_END
    ];
    WriteAfterEnd [
        STREAM_CLIENT_WRITE_CLOSE_ERR STREAM_CLIENT_WRITE_CLOSE_ERR
        STREAM_SERVER_WRITE_CLOSE_ERR STREAM_SERVER_WRITE_CLOSE_ERR
    ];
    NoMessage [
        STREAM_CLIENT_READ_END STREAM_CLIENT_READ_END
        STREAM_SERVER_READ_END STREAM_SERVER_READ_END
    ];
    BadState [STREAM_UNKNOWN_ERR];
    Unknown [INVOKE_UNKNOWN_ERR];
}

/// The reason for a number that a peer has sent. Those that say nothing to a caller, such as that a
/// peer has written after the end, and those that nobody knows have none.
// PROTOCOL 43
fn reason_of(ret: Ret) -> Reason {
    match ret {
        Ret::SERVER_DECODE_ERR
        | Ret::CLIENT_DECODE_ERR
        | Ret::STREAM_SERVER_DECODE_ERR
        | Ret::STREAM_CLIENT_DECODE_ERR => Reason::Decode,
        Ret::SERVER_ENCODE_ERR
        | Ret::CLIENT_ENCODE_ERR
        | Ret::STREAM_SERVER_ENCODE_ERR
        | Ret::STREAM_CLIENT_ENCODE_ERR => Reason::Encode,
        Ret::SERVER_NOSERVICE_ERR => Reason::NoService,
        Ret::SERVER_NOFUNC_ERR => Reason::NoMethod,
        Ret::SERVER_TIMEOUT_ERR => Reason::ServerTimeout,
        Ret::SERVER_FULL_LINK_TIMEOUT_ERR | Ret::CLIENT_INVOKE_TIMEOUT_ERR => Reason::Deadline,
        Ret::CLIENT_FULL_LINK_TIMEOUT_ERR => Reason::InheritedDeadline,
        Ret::STREAM_SERVER_WRITE_TIMEOUT_ERR | Ret::STREAM_CLIENT_WRITE_TIMEOUT_ERR => {
            Reason::WriteTimeout
        }
        Ret::STREAM_SERVER_READ_TIMEOUT_ERR | Ret::STREAM_CLIENT_READ_TIMEOUT_ERR => {
            Reason::ReadTimeout
        }
        Ret::STREAM_SERVER_IDLE_TIMEOUT_ERR | Ret::STREAM_CLIENT_IDLE_TIMEOUT_ERR => {
            Reason::IdleTimeout
        }
        Ret::SERVER_OVERLOAD_ERR
        | Ret::CLIENT_OVERLOAD_ERR
        | Ret::STREAM_SERVER_WRITE_OVERFLOW_ERR
        | Ret::STREAM_CLIENT_WRITE_OVERFLOW_ERR => Reason::Overloaded,
        Ret::SERVER_LIMITED_ERR | Ret::CLIENT_LIMITED_ERR => Reason::Limited,
        Ret::STREAM_SERVER_MSG_EXCEED_LIMIT_ERR | Ret::STREAM_CLIENT_MSG_EXCEED_LIMIT_ERR => {
            Reason::TooLarge
        }
        Ret::SERVER_SYSTEM_ERR => Reason::Internal,
        Ret::SERVER_AUTH_ERR => Reason::Unauthenticated,
        Ret::SERVER_VALIDATE_ERR | Ret::CLIENT_VALIDATE_ERR => Reason::Invalid,
        Ret::CLIENT_CONNECT_ERR => Reason::Connect,
        Ret::CLIENT_ROUTER_ERR => Reason::Resolve,
        Ret::CLIENT_NETWORK_ERR
        | Ret::CLIENT_READ_FRAME_ERR
        | Ret::STREAM_SERVER_NETWORK_ERR
        | Ret::STREAM_CLIENT_NETWORK_ERR => Reason::Network,
        Ret::CLIENT_CANCELED_ERR => Reason::Cancelled,
        Ret::STREAM_UNKNOWN_ERR => Reason::BadState,
        _ => Reason::Unknown,
    }
}

/// The two numbers for a failure: those that another peer has said, if it is passed on.
/// Code 22 says that no handler has begun, so a failure of one that has gets 31.
// PROTOCOL 11, 44, 46
pub(crate) fn codes_of(failure: &Failure) -> Codes {
    let Failure { reason, at, code, app, begun, .. } = *failure;
    let mut codes = match failure.wire {
        Some(WireCode::Trpc(codes)) => codes,
        None if reason != Reason::Status => Codes::new(ret_of(reason, at), app),
        None if app != 0 => Codes::new(Ret::INVOKE_SUCCESS, app),
        None => Codes::new(Ret::INVOKE_SUCCESS, code.number()),
    };
    if says_not_begun(codes) && begun == Some(true) {
        codes.ret = Ret::SERVER_SYSTEM_ERR;
    }
    codes
}

/// Code 22 says that the server is overloaded or shuts down, and that it did not begin.
fn says_not_begun(codes: Codes) -> bool {
    codes.ret == Ret::SERVER_OVERLOAD_ERR && codes.func_ret == 0
}

/// The two numbers for an outcome. A failure also gets its reserved keys among the metadata.
#[inline]
pub(crate) fn write_failure(failure: Option<&Failure>, metadata: &mut Metadata) -> Codes {
    failure.map_or(Codes::default(), |failure| write(failure, metadata))
}

// PROTOCOL 44, 45
#[cold]
fn write(failure: &Failure, metadata: &mut Metadata) -> Codes {
    let codes = codes_of(failure);
    let is_drain = matches!(failure.reason, Reason::Draining | Reason::ShutDown);
    if is_drain && failure.wire.is_none() && failure.begun.is_none() {
        metadata.put(DRAINING, "1");
    } else if let Some(read) = of_codes(codes, None)
        && (read.code, read.app) != (failure.code, failure.app)
    {
        metadata.put(CODE, failure.code.number().to_string());
    }
    if !failure.details.is_empty() {
        metadata.put(DETAILS, failure.details.clone());
    }
    codes
}

/// The failure that two numbers and the reserved keys tell, if they tell one. The keys are taken
/// out of the metadata.
#[inline]
pub(crate) fn read_failure(
    ret: i32,
    func_ret: i32,
    metadata: &mut Metadata,
) -> Option<Box<Failure>> {
    if ret == 0 && func_ret == 0 && metadata.is_empty() {
        return None;
    }
    read(Codes::new(Ret(ret), func_ret), metadata).map(Box::new)
}

#[inline(never)]
fn read(codes: Codes, metadata: &mut Metadata) -> Option<Failure> {
    let code = metadata.remove(CODE).and_then(|text| parse(&text));
    let details = metadata.remove(DETAILS).unwrap_or_default();
    let mut failure = of_codes(codes, code)?;
    failure.details = details;
    // PROTOCOL 41
    // With other numbers the key is the application's.
    let drains = match codes.ret {
        Ret::SERVER_OVERLOAD_ERR => Some(Reason::Draining),
        Ret::SERVER_TIMEOUT_ERR => Some(Reason::ShutDown),
        _ => None,
    };
    if let Some(reason) = drains
        && metadata.remove(DRAINING).is_some()
    {
        failure = drain(failure, reason);
    }
    Some(failure)
}

/// The number for the refusal of a stream, which has no place for another one or for metadata.
pub(crate) fn refusal_ret(failure: &Failure) -> i32 {
    let ret = codes_of(failure).ret;
    if ret.is_ok() { Ret::INVOKE_UNKNOWN_ERR.0 } else { ret.0 }
}

/// The failure that the refusal of a stream tells.
pub(crate) fn read_refusal(ret: i32, text: &[u8]) -> Failure {
    let refused = of_codes(Codes::new(Ret(ret), 0), None).unwrap_or(Reason::Unknown.into());
    // There is no field for metadata, so the text is the mark.
    if refused.reason == Reason::Overloaded && text == DRAINING_TEXT.as_bytes() {
        return drain(refused, Reason::Draining);
    }
    refused
}

fn drain(failure: Failure, reason: Reason) -> Failure {
    Failure { reason, code: reason.code(), ..failure }
}

/// The failure that two numbers tell, with the code that stands beside them.
pub(crate) fn of_codes(codes: Codes, beside: Option<Code>) -> Option<Failure> {
    let Codes { ret, func_ret, .. } = codes;
    let mut failure = match (ret.is_ok(), func_ret) {
        (true, 0) => return None,
        (true, number) if beside.is_some_and(|code| code.number() == number) => {
            Failure::of_application(Code::Unknown, 0)
        }
        (true, number) => Failure::of_application(Code::Unknown, number),
        (false, number) => Failure { app: number, ..reason_of(ret).at(At::ServerCall) },
    };
    failure.code = beside.unwrap_or(failure.code);
    failure.begun = says_not_begun(codes).then_some(false);
    failure.wire = Some(WireCode::Trpc(codes));
    Some(failure)
}

fn parse(text: &Bytes) -> Option<Code> {
    Code::from_number(std::str::from_utf8(text).ok()?.parse().ok()?)
}

#[cfg(any(test, feature = "__fuzz"))]
impl Outcome {
    /// The outcome with such numbers, as a peer would say it.
    pub(crate) fn of_codes(ret: i32, func_ret: i32, message: impl Into<Bytes>) -> Self {
        let failure = read_failure(ret, func_ret, &mut Metadata::new());
        Self { failure, message: message.into(), ..Self::default() }
    }

    /// The numbers that a peer is told.
    pub(crate) fn codes(&self) -> (i32, i32) {
        let codes = self.failure.as_deref().map(codes_of).unwrap_or_default();
        (codes.ret.0, codes.func_ret)
    }
}
