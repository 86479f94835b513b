//! The settings that this wire has and no other.

/// How a client tells a server that it gives a stream up.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum Cancel {
    /// RESET with code 161. Right for servers of Trill and tRPC-Cpp, whose handlers learn it at
    /// once. A handler of tRPC-Go never does: it stays blocked until the connection ends.
    #[default]
    Reset,
    /// A normal CLOSE, as if there were no more to send. Messages that still come are dropped. For
    /// servers of tRPC-Go, whose handlers see the end of their input and usually return. A handler
    /// cannot tell it from a complete input. That also holds for
    /// [`fail`](crate::AsyncWriter::fail): these servers drop a CLOSE with a code before their
    /// handlers could see it, so it goes out without, and the status stays here.
    HalfClose,
}

/// How a server ends a stream whose handler failed with a status of its own, such as
/// [`Status::not_found`](crate::Status::not_found) or [`Status::app`](crate::Status::app).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum AppErrors {
    /// RESET with the status. Right for clients of Trill and tRPC-Cpp. A stream client of tRPC-Go
    /// sees the text and code 0: it does not look for an application's code there.
    #[default]
    Reset,
    /// A normal CLOSE with the status. For stream clients of tRPC-Go, which see it then, as do
    /// those of Trill and of tRPC-Cpp's fiber threads. An asynchronous client of tRPC-Cpp (merge
    /// threads) takes it for a good end.
    Close,
}

/// Settings of connections that speak tRPC, which no other wire has.
///
/// ```
/// use trill::Channel;
/// use trill::trpc::{Cancel, Settings};
///
/// let for_go = Channel::builder().trpc(Settings::default().cancel(Cancel::HalfClose));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "settings count when a builder gets them"]
pub struct Settings {
    pub(crate) cancel: Cancel,
    pub(crate) app_errors: AppErrors,
    pub(crate) first_request_id: u32,
}

impl Default for Settings {
    /// The settings of a builder that is given none. The page of each setter names its default.
    fn default() -> Self {
        Self { cancel: Cancel::Reset, app_errors: AppErrors::Reset, first_request_id: 1 }
    }
}

impl Settings {
    /// How a channel cancels streams when a handle is dropped or a deadline passes before their
    /// end. Default: [`Cancel::Reset`]. A server ignores it.
    pub fn cancel(mut self, cancel: Cancel) -> Self {
        self.cancel = cancel;
        self
    }

    /// How a stream ends if its handler fails with a code of the application. Default:
    /// [`AppErrors::Reset`]. A channel ignores it.
    pub fn app_errors(mut self, app_errors: AppErrors) -> Self {
        self.app_errors = app_errors;
        self
    }

    /// The id of a channel's first unary call on each connection; the following ones count up.
    /// Default: 1, as tRPC-Go does; tRPC-Cpp starts with 0. No peer needs a certain id; it helps to
    /// compare recorded bytes. A server ignores it.
    pub fn first_request_id(mut self, id: u32) -> Self {
        self.first_request_id = id;
        self
    }
}
