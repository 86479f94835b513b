//! The failures, as users see them.

mod shown;
mod status;

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

pub(crate) use shown::{Shown, panic_text};
pub use status::Status;
pub use trill_proto::Code;

/// `Result` with [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a call, a read, a write or a connection failed.
///
/// [`kind`](Self::kind) is for programs, the text is for people; the wording may change between
/// releases. A handler that answered with a status gives [`ErrorKind::Status`] and
/// [`status`](Self::status), or [`ErrorKind::Timeout`] and the status if its code says so;
/// everything else went wrong on the way.
///
/// `Display` and `Debug` escape control characters, line breaks and characters that change the
/// direction of writing, because the text may be a peer's; [`message`](Self::message) gives it as
/// it is.
///
/// Clones are cheap: one failure is often reported to many waiters.
#[derive(Clone)]
pub struct Error(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    origin: Origin,
    status: Status,
    /// The status is what the peer answered.
    answered: bool,
    method: Option<Cow<'static, str>>,
    peer: Option<Arc<str>>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
    /// The call did not leave this process.
    not_sent: bool,
    /// The server had accepted the call, so its handler may have begun.
    accepted: bool,
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
    Canceled,
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
    /// A setting makes no sense.
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
    /// An error of the given kind. `code` is what a peer is told if a handler returns this error.
    pub(crate) fn new(
        kind: ErrorKind,
        origin: Origin,
        code: Code,
        message: impl Into<String>,
    ) -> Self {
        Self(Arc::new(Inner {
            kind,
            origin,
            status: Status::new(code, message),
            answered: false,
            method: None,
            peer: None,
            source: None,
            not_sent: false,
            accepted: false,
        }))
    }

    pub(crate) fn with_method(mut self, method: impl Into<Cow<'static, str>>) -> Self {
        Arc::make_mut(&mut self.0).method = Some(method.into());
        self
    }

    pub(crate) fn with_peer(mut self, peer: impl Into<Arc<str>>) -> Self {
        Arc::make_mut(&mut self.0).peer = Some(peer.into());
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
        Arc::make_mut(&mut self.0).accepted = true;
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

    /// The framework's code that describes this failure best: the peer's own, or the one the
    /// protocol has for it.
    #[must_use]
    pub fn code(&self) -> Code {
        self.0.status.code()
    }

    /// The application's code the peer answered with, or 0.
    #[must_use]
    pub fn func_ret(&self) -> i32 {
        self.0.status.func_ret()
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

    /// Tells whether a limit of time passed.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        self.kind() == ErrorKind::Timeout
    }

    /// Tells whether the call was given up by one side.
    #[must_use]
    pub fn is_canceled(&self) -> bool {
        self.kind() == ErrorKind::Canceled
    }

    /// Tells whether making the call again can help, and cannot do its work twice: it was not sent,
    /// because there was no connection, or the server refused it before its handler began (code 22,
    /// which servers say that are overloaded or shut down). A stream that was open is not: its
    /// handler may have begun.
    ///
    /// `false` says that trying again is in vain, as on a channel that is closed or with an address
    /// that is none, or that it may do the work twice: a call whose connection was lost may have
    /// been carried out. Only the caller can tell whether that matters.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self.kind() {
            ErrorKind::Connect => true,
            ErrorKind::Status => self.says_overload() && !self.0.accepted,
            _ => self.0.not_sent,
        }
    }

    /// A framework says that it is overloaded, and that it did not begin.
    fn says_overload(&self) -> bool {
        self.code() == Code::SERVER_OVERLOAD_ERR && self.func_ret() == 0
    }

    /// The status for the peer when a handler returns this error: the same codes and text. `own`
    /// are the handler's method and peer: of a failure elsewhere, which the handler passes on, the
    /// text also says which method it was and where it failed. The answer of another server is
    /// passed on as it is.
    ///
    /// The one exception is code 22, which says to callers that no handler has begun. This one has:
    /// code 31 takes its place, with a text that says where it was, unless the handler has made the
    /// status itself.
    pub(crate) fn to_status(&self, own: (&str, &str)) -> Status {
        let status = self.0.status.clone();
        let is_here = match (self.method(), self.peer()) {
            (Some(method), Some(peer)) => (method, peer) == own,
            (None, Some(peer)) => peer == own.1,
            (_, None) => return status,
        };
        let is_renamed = self.says_overload();
        let code = if is_renamed { Code::SERVER_SYSTEM_ERR } else { status.code() };
        let is_passed_on = self.0.answered && !is_renamed;
        let text =
            if is_here || is_passed_on { status.message().to_owned() } else { self.to_string() };
        Status::with_codes(code, status.func_ret(), text)
    }
}

impl From<Status> for Error {
    fn from(status: Status) -> Self {
        Self(Arc::new(Inner {
            // A peer that says that the time is up means the same as we do.
            kind: if status.is_timeout() { ErrorKind::Timeout } else { ErrorKind::Status },
            origin: Origin::Peer,
            status,
            answered: true,
            method: None,
            peer: None,
            source: None,
            not_sent: false,
            accepted: false,
        }))
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
            Code::CLIENT_NETWORK_ERR,
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
    fn a_status_keeps_both_codes_and_the_text() {
        let error = Error::from(Status::with_codes(Code(7), 8, "why"));
        let status = error.status().expect("made from a status");
        assert_eq!((status.code(), status.func_ret(), status.message()), (Code(7), 8, "why"));
        assert_eq!(error.to_string(), "code 7, application code 8: why");
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
        let own = Error::new(ErrorKind::Network, Origin::Peer, Code(141), evil);
        assert!(!own.to_string().contains(['\u{1b}', '\n']), "{own}");
    }

    #[test]
    fn an_error_that_is_passed_on_says_where_it_was_and_an_answer_stays_as_it_is() {
        let lost = Error::new(ErrorKind::Network, Origin::Peer, Code(141), "it is lost");
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
        let invalid =
            Error::from(Status::new(Code(51), "no")).with_method("/a.B/C").with_peer("10.0.0.2:1");
        assert_eq!(told(&invalid, ("/r.R/C", "10.0.0.1:9")), "no", "of a framework as well");
        let refused =
            Error::new(ErrorKind::Connect, Origin::Peer, Code(111), "nobody listens there");
        let refused = refused.with_peer("10.0.0.2:1");
        assert_eq!(
            told(&refused, ("/r.R/C", "10.0.0.1:9")),
            "nobody listens there (peer 10.0.0.2:1)"
        );
    }

    #[test]
    fn a_handler_that_has_begun_tells_nobody_that_it_has_not() {
        let overload = || Error::from(Status::new(Code::SERVER_OVERLOAD_ERR, "full"));
        let own = ("/r.R/C", "10.0.0.1:9");
        for (method, peer) in [("/a.B/C", "10.0.0.2:1"), own] {
            let passed_on = overload().with_method(method).with_peer(peer);
            assert!(passed_on.is_retryable());
            assert_eq!(passed_on.to_status(own).code(), Code::SERVER_SYSTEM_ERR);
        }
        assert_eq!(
            overload().to_status(own).code(),
            Code::SERVER_OVERLOAD_ERR,
            "the handler says so itself"
        );
        assert!(
            !overload().with_method("/a.B/C").accepted().is_retryable(),
            "it was an open stream"
        );
    }
}
