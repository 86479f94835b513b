//! The answer of a handler that does not answer with a message.

use std::fmt;

use trill_proto::Code;

use super::Shown;

/// The outcome of a call as its handler reported it: a framework code, an application code and a
/// text.
///
/// The tRPC wire carries both codes, `ret` (the framework's) and `func_ret` (the application's); a
/// call succeeded only if both are 0. Handlers return a status through `?` or `.into()`, and the
/// caller finds the same three values in [`Error::status`](crate::Error::status).
///
/// `Display` and `Debug` escape what could pass for another line or change a terminal;
/// [`message`](Self::message) does not.
///
/// ```
/// use trill::{Code, Status};
///
/// let status = Status::app(4001, "the account is closed");
/// assert_eq!((status.code(), status.func_ret()), (Code::INVOKE_SUCCESS, 4001));
/// assert_eq!(status.message(), "the account is closed");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Status {
    code: Code,
    func_ret: i32,
    message: String,
}

impl Status {
    /// A status with a framework code (`ret`), as in [`Code`].
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, func_ret: 0, message: message.into() }
    }

    /// A status with a code of the application (`func_ret`).
    #[must_use]
    pub fn app(func_ret: i32, message: impl Into<String>) -> Self {
        Self { code: Code::INVOKE_SUCCESS, func_ret, message: message.into() }
    }

    /// A status with both codes, for those who pass on what another server said.
    #[must_use]
    pub fn with_codes(code: Code, func_ret: i32, message: impl Into<String>) -> Self {
        Self { code, func_ret, message: message.into() }
    }

    /// The framework's code (`ret` on the wire).
    #[must_use]
    pub const fn code(&self) -> Code {
        self.code
    }

    /// The application's code (`func_ret` on the wire).
    #[must_use]
    pub const fn func_ret(&self) -> i32 {
        self.func_ret
    }

    /// The text. Bytes of a peer that are not UTF-8 have been replaced.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Tells whether the framework of the peer says that a limit of time has passed.
    pub(crate) fn is_timeout(&self) -> bool {
        let timeouts = [
            Code::SERVER_TIMEOUT_ERR,
            Code::SERVER_FULL_LINK_TIMEOUT_ERR,
            Code::CLIENT_INVOKE_TIMEOUT_ERR,
            Code::CLIENT_FULL_LINK_TIMEOUT_ERR,
            Code::STREAM_SERVER_WRITE_TIMEOUT_ERR,
            Code::STREAM_SERVER_READ_TIMEOUT_ERR,
            Code::STREAM_SERVER_IDLE_TIMEOUT_ERR,
            Code::STREAM_CLIENT_WRITE_TIMEOUT_ERR,
            Code::STREAM_CLIENT_READ_TIMEOUT_ERR,
            Code::STREAM_CLIENT_IDLE_TIMEOUT_ERR,
        ];
        self.func_ret == 0 && timeouts.contains(&self.code)
    }

    /// Tells whether both codes are 0.
    #[must_use]
    pub const fn is_ok(&self) -> bool {
        self.code.is_ok() && self.func_ret == 0
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.code.is_ok(), self.func_ret) {
            (true, 0) => write!(f, "ok")?,
            (true, func_ret) => write!(f, "application code {func_ret}")?,
            (false, 0) => write!(f, "code {}", self.code)?,
            (false, func_ret) => write!(f, "code {}, application code {func_ret}", self.code)?,
        }
        if self.message.is_empty() { Ok(()) } else { write!(f, ": {}", Shown(&self.message)) }
    }
}

impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Status({self})")
    }
}
