//! Settings and numbers that only the tRPC wire has.
//!
//! Everything else of this library is the same on every wire. [`Settings`] are for peers that
//! behave otherwise than Trill does; both builders take them. [`Codes`] are the exact numbers, for
//! the metrics of a fleet, for clients of other libraries that look at them, and for proxies.
//!
//! This is how [`trill::Code`](crate::Code) travels here:
//!
//! | failure | `ret` | `func_ret` | `trans_info` |
//! |---|---|---|---|
//! | [`Status::not_found`] and the like | 0 | the code's number | `trill-code` |
//! | [`Status::app`] | 0 | the number | |
//! | `not_found` [`with_app_code`](Status::with_app_code) | 0 | the application's number | `trill-code` |
//! | the framework's | as [`Code`] says | 0 | `trill-code` if `ret` would read as another one |
//!
//! So an answer of another library, with `func_ret` 7 and no key, is the application's number 7 and
//! [`trill::Code::Unknown`](crate::Code::Unknown).
//!
//! ```
//! use trill::trpc::{self, Codes};
//! use trill::{Error, Status};
//!
//! let codes = Codes::of(&Error::from(Status::not_found("no such order")));
//! assert_eq!((codes.ret, codes.func_ret), (trpc::Code::INVOKE_SUCCESS, 5));
//! ```

use crate::error::{Code as Canonical, Error, Failure, Status, WireCode};
use crate::wires::trpc::{codes_of, of_codes};

pub use crate::error::Codes;
pub use crate::wires::trpc::{AppErrors, Cancel, Settings};
pub use trill_proto::Code;

impl Codes {
    /// The numbers that tRPC has for an error: the peer's own if it has answered with them, else
    /// those that a caller is told when a handler returns the error.
    ///
    /// ```
    /// use trill::trpc::Codes;
    /// use trill::{Error, Status};
    ///
    /// let error = Error::from(Status::app(4001, "the account is closed"));
    /// assert_eq!((Codes::of(&error).ret.0, Codes::of(&error).func_ret), (0, 4001));
    /// ```
    #[must_use]
    pub fn of(error: &Error) -> Self {
        match error.wire_code() {
            Some(WireCode::Trpc(said)) => said,
            None => codes_of(error.as_status().failure()),
        }
    }

    /// A status with exactly these numbers, for clients of other libraries that look at them, and
    /// for those who pass on what another server has said. Its code is the one that `ret` means;
    /// two zeros are [`Code::INVOKE_UNKNOWN_ERR`].
    ///
    /// A handler that says code 22 says that it has not begun, so its caller may call again.
    ///
    /// ```
    /// use trill::trpc::{self, Codes};
    /// use trill::Code;
    ///
    /// let status = Codes::new(trpc::Code::SERVER_VALIDATE_ERR, 0).status("no such colour");
    /// assert_eq!(status.code(), Code::InvalidArgument);
    /// ```
    #[must_use]
    pub fn status(self, message: impl Into<String>) -> Status {
        let unknown = || Failure::of_application(Canonical::Unknown, 0);
        let said =
            if self == Self::default() { Self::new(Code::INVOKE_UNKNOWN_ERR, 0) } else { self };
        of_codes(said, None).unwrap_or_else(unknown).with_message(message)
    }
}
