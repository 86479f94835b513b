//! Errors of the system, for handlers that pass them on.

use std::io;
use std::sync::Arc;

use super::{Code, Error};

/// An error of the application's own, with the code that fits its kind, its text, and itself as the
/// source.
///
/// ```
/// use trill::{Code, Error};
///
/// fn read() -> Result<Vec<u8>, Error> {
///     Ok(std::fs::read("/no/such/file")?)
/// }
/// assert_eq!(read().unwrap_err().code(), Code::NotFound);
/// ```
impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::of_source(code_of(error.kind()), Arc::new(error))
    }
}

/// The code of a kind of error.
fn code_of(kind: io::ErrorKind) -> Code {
    use io::ErrorKind as Kind;
    match kind {
        Kind::NotFound => Code::NotFound,
        Kind::PermissionDenied => Code::PermissionDenied,
        Kind::AlreadyExists => Code::AlreadyExists,
        Kind::TimedOut => Code::DeadlineExceeded,
        Kind::InvalidInput => Code::InvalidArgument,
        Kind::InvalidData | Kind::UnexpectedEof => Code::DataLoss,
        Kind::StorageFull | Kind::QuotaExceeded | Kind::OutOfMemory => Code::ResourceExhausted,
        Kind::DirectoryNotEmpty | Kind::NotADirectory | Kind::IsADirectory => {
            Code::FailedPrecondition
        }
        Kind::Unsupported => Code::Unimplemented,
        Kind::BrokenPipe
        | Kind::ConnectionRefused
        | Kind::ConnectionReset
        | Kind::ConnectionAborted
        | Kind::NotConnected
        | Kind::HostUnreachable
        | Kind::NetworkUnreachable
        | Kind::NetworkDown => Code::Unavailable,
        _ => Code::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;
    use crate::error::{ErrorKind, Origin};

    #[test]
    fn an_error_of_the_system_keeps_its_text_and_gets_the_code_of_its_kind() {
        for (kind, code) in [
            (io::ErrorKind::NotFound, Code::NotFound),
            (io::ErrorKind::PermissionDenied, Code::PermissionDenied),
            (io::ErrorKind::ConnectionReset, Code::Unavailable),
            (io::ErrorKind::StorageFull, Code::ResourceExhausted),
            (io::ErrorKind::Other, Code::Unknown),
        ] {
            let error = Error::from(io::Error::new(kind, "it broke"));
            assert_eq!((error.code(), error.message()), (code, "it broke"));
            assert_eq!((error.kind(), error.origin()), (ErrorKind::Internal, Origin::Caller));
            assert!(!error.is_retryable() && !error.is_timeout() && error.status().is_none());
            let source = error.source().and_then(|source| source.downcast_ref::<io::Error>());
            assert_eq!(source.map(io::Error::kind), Some(kind));
        }
    }
}
