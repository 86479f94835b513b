//! The failures, as users see them.

mod code;
mod io;
mod metadata;
mod reason;
mod shown;
mod status;
mod wire_code;

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use crate::metadata::Metadata;

pub use code::Code;
pub(crate) use reason::{At, Failure, Reason};
pub(crate) use shown::{Shown, panic_text};
pub use status::Status;
pub use wire_code::{Codes, WireCode};

/// `Result` with [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a call, a read, a write or a connection failed.
///
/// [`kind`](Self::kind) and [`code`](Self::code) are for programs, the text is for people; the
/// wording may change between releases. A handler that answered with a status gives
/// [`ErrorKind::Status`] and [`status`](Self::status), or [`ErrorKind::Timeout`] and the status if
/// its code is [`Code::DeadlineExceeded`]; everything else went wrong on the way.
///
/// A handler returns an error with `?`: of this type, a [`Status`], or a [`std::io::Error`]. The
/// caller gets its code and text. [`Error::other`] takes any other error.
///
/// `Display` and `Debug` escape control characters, line breaks and characters that change the
/// direction of writing, because the text may be a peer's; [`message`](Self::message) gives it as
/// it is.
///
/// Clones are cheap: one failure is often reported to many waiters.
#[derive(Clone)]
pub struct Error(Arc<ErrorInner>);

#[derive(Clone)]
struct ErrorInner {
    kind: ErrorKind,
    origin: Origin,
    status: Status,
    /// The status is what the peer answered.
    answered: bool,
    method: Option<Cow<'static, str>>,
    peer: Option<Arc<str>>,
    /// Of the peer's answer.
    metadata: Metadata,
    source: Option<Arc<dyn StdError + Send + Sync>>,
    /// The call did not leave this process.
    not_sent: bool,
}

/// The sort of failure that an [`Error`] is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The peer's handler, or the peer's framework, answered with a status; or a client has failed
    /// its stream with one.
    Status,
    /// A limit of time passed: the call's deadline, or the timeout of one operation; here, or at
    /// the peer, which answered so.
    Timeout,
    /// The call was given up: a handle was dropped, or one side cancelled.
    Cancelled,
    /// The connection could not be made.
    Connect,
    /// The server cannot listen at its address: it is taken, not of this host, or not allowed.
    Bind,
    /// The connection failed while it was in use.
    Network,
    /// The peer broke the protocol.
    Protocol,
    /// A message or the metadata of a call could not be encoded.
    Encode,
    /// A message could not be decoded.
    Decode,
    /// A size or a count is over its limit.
    Limit,
    /// The stream or the server has ended, so the operation cannot start.
    Closed,
    /// A handler panicked, or something else failed inside this process.
    Internal,
    /// A setting or an address makes no sense, or the runtime lacks what the call needs. The code
    /// is [`Code::FailedPrecondition`].
    Config,
}

/// The party that caused an [`Error`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Origin {
    /// This program: its arguments, settings, or a handle it dropped.
    Caller,
    /// The other program, or the way to it.
    Peer,
    /// This library.
    Library,
}

impl Error {
    /// An error of the given kind. The failure is what a peer is told if a handler returns this
    /// error.
    pub(crate) fn new(
        kind: ErrorKind,
        origin: Origin,
        failure: impl Into<Failure>,
        message: impl Into<String>,
    ) -> Self {
        let mut failure = failure.into();
        if kind == ErrorKind::Config {
            // It is no fault of a call. A handler that passes it on does not blame its caller.
            failure.code = Code::FailedPrecondition;
        }
        Self::of(kind, origin, failure.with_message(message))
    }

    fn of(kind: ErrorKind, origin: Origin, status: Status) -> Self {
        Self(Arc::new(ErrorInner {
            kind,
            origin,
            status,
            answered: false,
            method: None,
            peer: None,
            metadata: Metadata::new(),
            source: None,
            not_sent: false,
        }))
    }

    /// An error of the application's own, for what has no better code than [`Code::Unknown`]: a
    /// text, or any error, which becomes the [`source`](std::error::Error::source).
    ///
    /// If a handler returns it, the caller gets the text, but not the source's own sources.
    ///
    /// ```
    /// use std::error::Error as _;
    /// use trill::{Code, Error};
    ///
    /// let error = Error::other("no database".parse::<u16>().unwrap_err());
    /// assert_eq!(error.code(), Code::Unknown);
    /// assert_eq!(error.to_string(), "invalid digit found in string");
    /// assert!(error.source().is_some());
    /// ```
    pub fn other(error: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::of_source(Code::Unknown, Arc::from(error.into()))
    }

    fn of_source(code: Code, source: Arc<dyn StdError + Send + Sync>) -> Self {
        let status = Status::new(code, source.to_string());
        let mut error = Self::of(ErrorKind::Internal, Origin::Caller, status);
        Arc::make_mut(&mut error.0).source = Some(source);
        error
    }

    pub(crate) fn with_method(mut self, method: impl Into<Cow<'static, str>>) -> Self {
        Arc::make_mut(&mut self.0).method = Some(method.into());
        self
    }

    pub(crate) fn with_peer(mut self, peer: impl Into<Arc<str>>) -> Self {
        Arc::make_mut(&mut self.0).peer = Some(peer.into());
        self
    }

    pub(crate) fn with_metadata(mut self, metadata: Metadata) -> Self {
        Arc::make_mut(&mut self.0).metadata = metadata;
        self
    }

    pub(crate) fn with_source(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        Arc::make_mut(&mut self.0).source = Some(Arc::new(source));
        self
    }

    /// The call did not leave this process.
    pub(crate) fn not_sent(mut self) -> Self {
        Arc::make_mut(&mut self.0).not_sent = true;
        self
    }

    /// The server had accepted the call, so its handler may have begun.
    pub(crate) fn accepted(mut self) -> Self {
        Arc::make_mut(&mut self.0).status.failure_mut().begun = Some(true);
        self
    }

    /// The sort of failure that this is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The party that caused it.
    #[must_use]
    pub fn origin(&self) -> Origin {
        self.0.origin
    }

    /// The peer's answer; `None` when the failure was not an answer.
    #[must_use]
    pub fn status(&self) -> Option<&Status> {
        self.0.answered.then_some(&self.0.status)
    }

    /// The code that describes this failure best: the peer's own, or the one for what happened
    /// here.
    #[must_use]
    pub fn code(&self) -> Code {
        self.0.status.code()
    }

    /// The application's own number that the peer answered with, or 0 if there is none.
    #[must_use]
    pub fn app_code(&self) -> i32 {
        self.0.status.app_code()
    }

    /// The exact words of the peer on its wire; `None` if the failure was not an answer.
    ///
    /// ```
    /// use trill::trpc::{self, Codes};
    /// use trill::{Code, Error, WireCode};
    ///
    /// // An answer of a peer that speaks tRPC, made here.
    /// let error = Error::from(Codes::new(trpc::Code::SERVER_AUTH_ERR, 0).status("no ticket"));
    /// assert_eq!(error.code(), Code::Unauthenticated);
    /// let Some(WireCode::Trpc(said)) = error.wire_code() else { panic!("another wire") };
    /// assert_eq!((said.ret.0, said.func_ret), (41, 0));
    /// ```
    #[must_use]
    pub fn wire_code(&self) -> Option<WireCode> {
        self.0.status.wire_code()
    }

    /// The text alone, without method and peer.
    #[must_use]
    pub fn message(&self) -> &str {
        self.0.status.message()
    }

    /// The method that was called, as `/package.Service/Method`.
    #[must_use]
    pub fn method(&self) -> Option<&str> {
        self.0.method.as_deref()
    }

    /// The peer's address.
    #[must_use]
    pub fn peer(&self) -> Option<&str> {
        self.0.peer.as_deref()
    }

    /// The metadata that the peer sent with its failing answer: what its handler had set with
    /// [`Context::set_metadata`](crate::Context::set_metadata) when it failed. Empty if it sent
    /// none, and if the failure was not an answer.
    ///
    /// A handler that returns the error of another server passes this on only if it says so:
    /// `cx.extend_metadata(error.metadata().clone())`.
    #[must_use]
    pub fn metadata(&self) -> &Metadata {
        &self.0.metadata
    }

    /// Tells whether a limit of time passed.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        self.kind() == ErrorKind::Timeout
    }

    /// Tells whether the call was given up by one side.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.kind() == ErrorKind::Cancelled
    }

    /// Tells whether making the call again can help, and cannot do its work twice: it was not sent,
    /// because there was no connection, or the server says that no handler has begun, because it is
    /// overloaded or shuts down. A stream that was open is not: its handler may have begun.
    ///
    /// That does not follow from the [`code`](Self::code): a handler that has worked may answer
    /// [`Code::Unavailable`] as well.
    ///
    /// `false` says that trying again is in vain, as on a channel that is closed or with an address
    /// that is none, or that it may do the work twice: a call whose connection was lost may have
    /// been carried out. Only the caller can tell whether that matters.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        let begun = self.0.status.failure().begun;
        self.0.not_sent || self.kind() == ErrorKind::Connect || begun == Some(false)
    }

    /// The status for the peer when a handler returns this error: the same codes and text. `own`
    /// are the handler's method and peer: of a failure elsewhere, which the handler passes on, the
    /// text also says which method it was and where it failed. The answer of another server is
    /// passed on as it is.
    ///
    /// That no handler has begun is not passed on: this one has. Only a status that the handler has
    /// made itself may say so.
    pub(crate) fn to_status(&self, own: (&str, &str)) -> Status {
        let mut status = self.0.status.clone();
        let is_here = match (self.method(), self.peer()) {
            (Some(method), Some(peer)) => (method, peer) == own,
            (None, Some(peer)) => peer == own.1,
            (_, None) => return status,
        };
        let failure = status.failure_mut();
        let is_refusal = failure.app == 0 && failure.reason.is_refusal_for_load();
        failure.begun = Some(true);
        let is_passed_on = self.0.answered && !is_refusal;
        if !is_here && !is_passed_on {
            status.set_message(self.to_string());
        }
        status
    }

    pub(crate) fn as_status(&self) -> &Status {
        &self.0.status
    }
}

impl From<Status> for Error {
    fn from(status: Status) -> Self {
        // A peer that says that the time is up means the same as we do.
        let is_timeout = status.code() == Code::DeadlineExceeded;
        let kind = if is_timeout { ErrorKind::Timeout } else { ErrorKind::Status };
        let mut error = Self::of(kind, Origin::Peer, status);
        Arc::make_mut(&mut error.0).answered = true;
        error
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.status() {
            Some(status) => write!(f, "{status}")?,
            None => write!(f, "{}", Shown(self.message()))?,
        }
        match (self.method(), self.peer()) {
            (Some(method), Some(peer)) => write!(f, " ({} at {})", Shown(method), Shown(peer)),
            (Some(method), None) => write!(f, " ({})", Shown(method)),
            (None, Some(peer)) => write!(f, " (peer {})", Shown(peer)),
            (None, None) => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("origin", &self.0.origin)
            .field("status", &self.0.status)
            .field("method", &self.0.method)
            .field("peer", &self.0.peer)
            .field("source", &self.0.source)
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_ref().map(|source| source.as_ref() as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_is_one_word_and_can_cross_threads() {
        fn is_send_sync<T: Send + Sync + 'static>() {}
        is_send_sync::<Error>();
        assert_eq!(size_of::<Error>(), size_of::<usize>());
        assert_eq!(size_of::<Result<()>>(), size_of::<usize>());
    }

    #[test]
    fn display_is_one_level_and_source_is_the_next() {
        let error = Error::new(
            ErrorKind::Network,
            Origin::Peer,
            Reason::Network,
            "the connection was lost",
        )
        .with_method("/a.B/C")
        .with_peer("127.0.0.1:1")
        .with_source(std::io::Error::other("reset"));
        assert_eq!(error.to_string(), "the connection was lost (/a.B/C at 127.0.0.1:1)");
        assert_eq!(error.source().map(ToString::to_string), Some("reset".to_owned()));
        assert!(error.status().is_none());
    }

    #[test]
    fn a_status_keeps_code_number_text_and_details() {
        let status = Status::not_found("why").with_app_code(8).with_details("more");
        let error = Error::from(status.clone());
        assert_eq!(error.status(), Some(&status));
        assert_eq!((error.code(), error.app_code(), error.message()), (Code::NotFound, 8, "why"));
        assert_eq!((status.details(), error.wire_code()), (&b"more"[..], None));
        assert_eq!(error.to_string(), "NOT_FOUND, application code 8: why");
        assert_eq!(Status::aborted("").to_string(), "ABORTED");
        let said = Some(WireCode::Trpc(Codes::new(trill_proto::Code(22), 8)));
        let failure = Failure { wire: said, app: 8, ..Reason::Overloaded.into() };
        let text = "RESOURCE_EXHAUSTED (tRPC 22 SERVER_OVERLOAD_ERR, func_ret 8): full";
        assert_eq!(failure.with_message("full").to_string(), text);
    }

    #[test]
    fn statuses_differ_by_what_users_see_and_by_nothing_else() {
        let made = Status::new(Code::Internal, "x");
        assert_eq!(made, Failure::from(Reason::Decode).with_message("x"));
        for other in [
            Status::unknown("x"),
            Status::internal("y"),
            made.clone().with_app_code(1),
            made.clone().with_details("d"),
        ] {
            assert_ne!(made, other);
        }
    }

    #[test]
    fn a_text_of_a_peer_is_shown_escaped_and_kept_as_it_is() {
        let evil = "x\u{1b}[31m\nERROR fake \u{202e}line";
        let error = Error::from(Status::app(7, evil)).with_method("/a\n/B").with_peer("p\r");
        let shown = "application code 7: x\\u{1b}[31m\\nERROR fake \\u{202e}line";
        assert_eq!(error.to_string(), format!("{shown} (/a\\n/B at p\\r)"));
        assert_eq!(error.status().unwrap().to_string(), shown);
        for debug in
            [format!("{error:?}"), format!("{:?}", error.status().unwrap()), format!("{error:#?}")]
        {
            assert!(!debug.contains(['\u{1b}', '\u{202e}', '\r']), "{debug}");
            assert!(debug.contains("\\nERROR"), "{debug}");
        }
        assert_eq!((error.message(), error.status().unwrap().message()), (evil, evil));
        let own = Error::new(ErrorKind::Network, Origin::Peer, Reason::Network, evil);
        assert!(!own.to_string().contains(['\u{1b}', '\n']), "{own}");
    }

    #[test]
    fn an_error_that_is_passed_on_says_where_it_was_and_an_answer_stays_as_it_is() {
        let lost = Error::new(ErrorKind::Network, Origin::Peer, Reason::Network, "it is lost");
        let lost = lost.with_method("/a.B/C").with_peer("10.0.0.2:1");
        let told = |error: &Error, own| error.to_status(own).message().to_owned();
        assert_eq!(told(&lost, ("/r.R/C", "10.0.0.1:9")), "it is lost (/a.B/C at 10.0.0.2:1)");
        assert_eq!(
            told(&lost, ("/a.B/C", "10.0.0.2:1")),
            "it is lost",
            "of the handler's own stream"
        );
        let answered =
            Error::from(Status::app(7, "no")).with_method("/a.B/C").with_peer("10.0.0.2:1");
        assert_eq!(told(&answered, ("/r.R/C", "10.0.0.1:9")), "no");
        let invalid = Error::from(Failure::from(Reason::Invalid).with_message("no"));
        let invalid = invalid.with_method("/a.B/C").with_peer("10.0.0.2:1");
        assert_eq!(told(&invalid, ("/r.R/C", "10.0.0.1:9")), "no", "of a framework as well");
        let refused =
            Error::new(ErrorKind::Connect, Origin::Peer, Reason::Connect, "nobody listens there");
        let refused = refused.with_peer("10.0.0.2:1");
        assert_eq!(
            told(&refused, ("/r.R/C", "10.0.0.1:9")),
            "nobody listens there (peer 10.0.0.2:1)"
        );
    }

    #[test]
    fn a_handler_that_has_begun_tells_nobody_that_it_has_not() {
        let refusal = Failure { begun: Some(false), ..Reason::Overloaded.into() };
        let overload = || Error::from(refusal.clone().with_message("full"));
        let own = ("/r.R/C", "10.0.0.1:9");
        for (method, peer) in [("/a.B/C", "10.0.0.2:1"), own] {
            let passed_on = overload().with_method(method).with_peer(peer);
            assert!(passed_on.is_retryable());
            let told = passed_on.to_status(own);
            assert_eq!((told.failure().begun, told.code()), (Some(true), Code::ResourceExhausted));
        }
        let own_words = overload().to_status(own);
        assert_eq!(own_words.failure().begun, Some(false), "the handler says so itself");
        assert!(
            !overload().with_method("/a.B/C").accepted().is_retryable(),
            "it was an open stream"
        );
        for code in Code::ALL {
            assert!(!Error::from(Status::new(code, "x")).is_retryable(), "{code}");
        }
    }
}
