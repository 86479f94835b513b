//! The exact words of a wire.

use std::fmt;

/// The numbers with which the peer said a failure, exactly as its protocol has them.
///
/// [`Error::wire_code`](crate::Error::wire_code) gives them. [`Code`](crate::Code) is what they
/// mean on every wire.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum WireCode {
    /// The two numbers of a tRPC peer.
    Trpc(Codes),
}

/// The two numbers of an answer of tRPC: the framework's and the application's.
///
/// A call has succeeded only if both are 0.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub struct Codes {
    /// The framework's number.
    pub ret: trill_proto::Code,
    /// The application's number.
    pub func_ret: i32,
}

impl Codes {
    /// Both numbers.
    #[must_use]
    pub const fn new(ret: trill_proto::Code, func_ret: i32) -> Self {
        Self { ret, func_ret }
    }
}

impl fmt::Display for WireCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Trpc(codes) => write!(f, "tRPC {codes}"),
        }
    }
}

impl fmt::Display for Codes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.func_ret {
            0 => write!(f, "{}", self.ret),
            func_ret => write!(f, "{}, func_ret {func_ret}", self.ret),
        }
    }
}
