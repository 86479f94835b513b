//! The canonical codes.

use std::fmt;

use super::Status;

/// The sort of a failure, which means the same on every wire: the sixteen of gRPC.
///
/// Success has no code here, so [`Error::code`](crate::Error::code) never says "ok" of a
/// failure. `Display` writes the [`name`](Self::name).
///
/// ```
/// use trill::{Code, Status};
///
/// let status = Status::not_found("no such order");
/// assert_eq!(status.code(), Code::NotFound);
/// assert_eq!((Code::NotFound.number(), Code::NotFound.name()), (5, "NOT_FOUND"));
/// assert_eq!(Code::from_number(5), Some(Code::NotFound));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Code {
    /// The call was given up, most often by its caller.
    Cancelled = 1,
    /// The failure has no better code, or only a number of the application.
    Unknown = 2,
    /// The request is wrong, whatever the state of the system.
    InvalidArgument = 3,
    /// The time for the call has passed; the work may have been done.
    DeadlineExceeded = 4,
    /// The thing that was asked for does not exist.
    NotFound = 5,
    /// The thing that was to be made exists already.
    AlreadyExists = 6,
    /// The caller is known and may not do that.
    PermissionDenied = 7,
    /// A quota, a limit or the room is used up.
    ResourceExhausted = 8,
    /// The system is not in the state that the operation needs.
    FailedPrecondition = 9,
    /// The operation lost against another one that went on at the same time.
    Aborted = 10,
    /// The operation went past the end of what there is.
    OutOfRange = 11,
    /// The server has no such method, or does not support it.
    Unimplemented = 12,
    /// A rule inside the system is broken.
    Internal = 13,
    /// The service cannot be reached or used now; later it may be.
    Unavailable = 14,
    /// Data is lost or damaged for good.
    DataLoss = 15,
    /// The caller is not known: credentials are missing or wrong.
    Unauthenticated = 16,
}

impl Code {
    /// Every code, in ascending order.
    pub const ALL: [Self; 16] = [
        Self::Cancelled,
        Self::Unknown,
        Self::InvalidArgument,
        Self::DeadlineExceeded,
        Self::NotFound,
        Self::AlreadyExists,
        Self::PermissionDenied,
        Self::ResourceExhausted,
        Self::FailedPrecondition,
        Self::Aborted,
        Self::OutOfRange,
        Self::Unimplemented,
        Self::Internal,
        Self::Unavailable,
        Self::DataLoss,
        Self::Unauthenticated,
    ];

    /// The name that gRPC's documents have for it, such as `NOT_FOUND`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cancelled => "CANCELLED",
            Self::Unknown => "UNKNOWN",
            Self::InvalidArgument => "INVALID_ARGUMENT",
            Self::DeadlineExceeded => "DEADLINE_EXCEEDED",
            Self::NotFound => "NOT_FOUND",
            Self::AlreadyExists => "ALREADY_EXISTS",
            Self::PermissionDenied => "PERMISSION_DENIED",
            Self::ResourceExhausted => "RESOURCE_EXHAUSTED",
            Self::FailedPrecondition => "FAILED_PRECONDITION",
            Self::Aborted => "ABORTED",
            Self::OutOfRange => "OUT_OF_RANGE",
            Self::Unimplemented => "UNIMPLEMENTED",
            Self::Internal => "INTERNAL",
            Self::Unavailable => "UNAVAILABLE",
            Self::DataLoss => "DATA_LOSS",
            Self::Unauthenticated => "UNAUTHENTICATED",
        }
    }

    /// The number of the code, from 1 to 16, as gRPC has it.
    #[must_use]
    pub const fn number(self) -> i32 {
        self as i32
    }

    /// The code with such a number; `None` for 0, which is success, and for all others.
    #[must_use]
    pub const fn from_number(number: i32) -> Option<Self> {
        if matches!(number, 1..=16) { Some(Self::ALL[number as usize - 1]) } else { None }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One constructor for each code.
impl Status {
    /// A status with the code [`Code::Cancelled`]. The call was given up, most often by its caller.
    #[must_use]
    pub fn cancelled(message: impl Into<String>) -> Self {
        Self::new(Code::Cancelled, message)
    }

    /// A status with the code [`Code::Unknown`]. The failure has no better code, or only a number
    /// of the application.
    #[must_use]
    pub fn unknown(message: impl Into<String>) -> Self {
        Self::new(Code::Unknown, message)
    }

    /// A status with the code [`Code::InvalidArgument`]. The request is wrong, whatever the state
    /// of the system.
    #[must_use]
    pub fn invalid_argument(message: impl Into<String>) -> Self {
        Self::new(Code::InvalidArgument, message)
    }

    /// A status with the code [`Code::DeadlineExceeded`]. The time for the call has passed; the
    /// work may have been done.
    #[must_use]
    pub fn deadline_exceeded(message: impl Into<String>) -> Self {
        Self::new(Code::DeadlineExceeded, message)
    }

    /// A status with the code [`Code::NotFound`]. The thing that was asked for does not exist.
    #[must_use]
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(Code::NotFound, message)
    }

    /// A status with the code [`Code::AlreadyExists`]. The thing that was to be made exists
    /// already.
    #[must_use]
    pub fn already_exists(message: impl Into<String>) -> Self {
        Self::new(Code::AlreadyExists, message)
    }

    /// A status with the code [`Code::PermissionDenied`]. The caller is known and may not do that.
    #[must_use]
    pub fn permission_denied(message: impl Into<String>) -> Self {
        Self::new(Code::PermissionDenied, message)
    }

    /// A status with the code [`Code::ResourceExhausted`]. A quota, a limit or the room is used up.
    #[must_use]
    pub fn resource_exhausted(message: impl Into<String>) -> Self {
        Self::new(Code::ResourceExhausted, message)
    }

    /// A status with the code [`Code::FailedPrecondition`]. The system is not in the state that the
    /// operation needs.
    #[must_use]
    pub fn failed_precondition(message: impl Into<String>) -> Self {
        Self::new(Code::FailedPrecondition, message)
    }

    /// A status with the code [`Code::Aborted`]. The operation lost against another one that went
    /// on at the same time.
    #[must_use]
    pub fn aborted(message: impl Into<String>) -> Self {
        Self::new(Code::Aborted, message)
    }

    /// A status with the code [`Code::OutOfRange`]. The operation went past the end of what there
    /// is.
    #[must_use]
    pub fn out_of_range(message: impl Into<String>) -> Self {
        Self::new(Code::OutOfRange, message)
    }

    /// A status with the code [`Code::Unimplemented`]. The server has no such method, or does not
    /// support it.
    #[must_use]
    pub fn unimplemented(message: impl Into<String>) -> Self {
        Self::new(Code::Unimplemented, message)
    }

    /// A status with the code [`Code::Internal`]. A rule inside the system is broken.
    #[must_use]
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(Code::Internal, message)
    }

    /// A status with the code [`Code::Unavailable`]. The service cannot be reached or used now;
    /// later it may be.
    #[must_use]
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(Code::Unavailable, message)
    }

    /// A status with the code [`Code::DataLoss`]. Data is lost or damaged for good.
    #[must_use]
    pub fn data_loss(message: impl Into<String>) -> Self {
        Self::new(Code::DataLoss, message)
    }

    /// A status with the code [`Code::Unauthenticated`]. The caller is not known: credentials are
    /// missing or wrong.
    #[must_use]
    pub fn unauthenticated(message: impl Into<String>) -> Self {
        Self::new(Code::Unauthenticated, message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_1_to_16_and_there_are_no_others() {
        let numbers: Vec<_> = Code::ALL.iter().map(|code| code.number()).collect();
        assert_eq!(numbers, (1..=16).collect::<Vec<_>>());
        for code in Code::ALL {
            assert_eq!(Code::from_number(code.number()), Some(code));
        }
        for number in [i32::MIN, -1, 0, 17, 4001, i32::MAX] {
            assert_eq!(Code::from_number(number), None, "{number}");
        }
    }
}
