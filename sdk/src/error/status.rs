//! The answer of a handler that does not answer with a message.

use std::fmt;

use bytes::Bytes;

use super::{Code, Failure, Shown, WireCode};

/// The failure of a call as its handler reported it: a code, the application's own number, a text
/// and details.
///
/// Handlers return a status through `?` or `.into()`, and the caller finds the same values in
/// [`Error::status`](crate::Error::status), on every wire.
///
/// `Display` and `Debug` escape what could pass for another line or change a terminal;
/// [`message`](Self::message) does not. Two statuses are equal if code, number, text and details
/// are.
///
/// ```
/// use trill::{Code, Status};
///
/// let status = Status::not_found("no such order");
/// assert_eq!((status.code(), status.message()), (Code::NotFound, "no such order"));
///
/// let status = Status::app(4001, "the account is closed");
/// assert_eq!((status.code(), status.app_code()), (Code::Unknown, 4001));
/// assert_eq!(status.to_string(), "application code 4001: the account is closed");
/// ```
#[derive(Clone)]
pub struct Status {
    failure: Failure,
    message: String,
}

impl Status {
    /// A status with a code. [`not_found`](Self::not_found) and the like are the same in one word.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Failure::of_application(code, 0).with_message(message)
    }

    /// A status with a number of the application's own, which its callers know. Its code is
    /// [`Code::Unknown`]. The number 0 is none.
    #[must_use]
    pub fn app(number: i32, message: impl Into<String>) -> Self {
        Failure::of_application(Code::Unknown, number).with_message(message)
    }

    /// Puts a number of the application's own beside the code.
    ///
    /// tRPC has one place for both, so a number that is the code's own, as 5 is with
    /// [`Code::NotFound`], reads as no number there.
    #[must_use]
    pub fn with_app_code(mut self, number: i32) -> Self {
        self.failure.app = number;
        self
    }

    /// Adds details: the bytes of a `google.rpc.Status`, which others can read. They are left out
    /// if they do not fit beside the text (`max_metadata`).
    #[must_use]
    pub fn with_details(mut self, details: impl Into<Bytes>) -> Self {
        self.failure.details = details.into();
        self
    }

    /// The code, which means the same on every wire.
    #[must_use]
    pub const fn code(&self) -> Code {
        self.failure.code
    }

    /// The application's own number, or 0 if there is none.
    #[must_use]
    pub const fn app_code(&self) -> i32 {
        self.failure.app
    }

    /// The text. Bytes of a peer that are not UTF-8 have been replaced.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The bytes of a `google.rpc.Status`, or none.
    #[must_use]
    pub fn details(&self) -> &[u8] {
        &self.failure.details
    }

    /// The exact words of the peer that has said this; `None` for a status made here.
    #[must_use]
    pub const fn wire_code(&self) -> Option<WireCode> {
        self.failure.wire
    }

    pub(crate) fn failure(&self) -> &Failure {
        &self.failure
    }

    pub(crate) fn failure_mut(&mut self) -> &mut Failure {
        &mut self.failure
    }

    pub(crate) fn set_message(&mut self, message: String) {
        self.message = message;
    }
}

impl Failure {
    pub(crate) fn with_message(self, message: impl Into<String>) -> Status {
        Status { failure: self, message: message.into() }
    }
}

impl PartialEq for Status {
    fn eq(&self, other: &Self) -> bool {
        let parts = |status: &Self| (status.code(), status.app_code());
        parts(self) == parts(other)
            && self.message == other.message
            && self.details() == other.details()
    }
}

impl Eq for Status {}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.code(), self.app_code(), self.wire_code()) {
            (code, _, Some(WireCode::Trpc(said))) if said.ret.0 != 0 => {
                write!(f, "{code} (tRPC {said})")?;
            }
            (Code::Unknown, 1.. | ..0, _) => write!(f, "application code {}", self.app_code())?,
            (code, 0, _) => write!(f, "{code}")?,
            (code, number, _) => write!(f, "{code}, application code {number}")?,
        }
        if self.message.is_empty() { Ok(()) } else { write!(f, ": {}", Shown(&self.message)) }
    }
}

impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Status({self})")
    }
}
