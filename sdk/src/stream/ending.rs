//! How the protocol's endings read as errors.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::clock::Lack;
use crate::driver::{ConnError, Ending, Outcome, SendError, too_large};
use crate::error::{Code, Error, ErrorKind, Origin, Status};
use crate::metadata::{Metadata, MetadataError};

/// Whom an error speaks of.
pub(crate) struct Subject {
    pub(crate) method: Cow<'static, str>,
    pub(crate) peer: Arc<str>,
    pub(crate) client: bool,
    pub(crate) stream: bool,
    /// How long a client's call may take, if that is limited.
    pub(crate) limit: Option<TimeLimit>,
}

/// How long a call may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TimeLimit {
    pub(crate) length: Duration,
    /// When it has passed.
    pub(crate) deadline: Option<Instant>,
    /// It is what was left of the time of the call that is being handled.
    pub(crate) inherited: bool,
}

impl Subject {
    /// An error about this call.
    pub(crate) fn error(
        &self,
        kind: ErrorKind,
        origin: Origin,
        code: Code,
        message: impl Into<String>,
    ) -> Error {
        self.about(Error::new(kind, origin, code, message))
    }

    fn about(&self, error: Error) -> Error {
        error.with_method(self.method.clone()).with_peer(Arc::clone(&self.peer))
    }

    /// The error of an operation whose limit of time cannot be kept where it is called.
    #[cold]
    pub(crate) fn no_timer(&self, lack: Lack) -> Error {
        let code = self.pick(Code::CLIENT_CONNECT_ERR, Code::SERVER_SYSTEM_ERR);
        let text = format!("the limit of time cannot be kept: {lack}");
        self.error(ErrorKind::Config, Origin::Caller, code, text)
    }

    fn pick(&self, client: Code, server: Code) -> Code {
        if self.client { client } else { server }
    }

    fn encode_code(&self) -> Code {
        match (self.client, self.stream) {
            (true, true) => Code::STREAM_CLIENT_ENCODE_ERR,
            (true, false) => Code::CLIENT_ENCODE_ERR,
            (false, true) => Code::STREAM_SERVER_ENCODE_ERR,
            (false, false) => Code::SERVER_ENCODE_ERR,
        }
    }

    fn network_code(&self) -> Code {
        match (self.client, self.stream) {
            (true, true) => Code::STREAM_CLIENT_NETWORK_ERR,
            (true, false) => Code::CLIENT_NETWORK_ERR,
            (false, _) => Code::STREAM_SERVER_NETWORK_ERR,
        }
    }
}

/// The error of a stream or call that ended like this.
pub(crate) fn ending_error(ending: &Ending, subject: &Subject) -> Error {
    match ending {
        Ending::Closed(outcome) if outcome.is_ok() => {
            let code = subject
                .pick(Code::STREAM_CLIENT_WRITE_CLOSE_ERR, Code::STREAM_SERVER_WRITE_CLOSE_ERR);
            subject.error(ErrorKind::Closed, Origin::Peer, code, "the peer has ended the stream")
        }
        Ending::Closed(outcome) | Ending::Reset(outcome)
            if !subject.client && has_given_up(outcome) =>
        {
            let text = match text(&outcome.message) {
                text if text.is_empty() => {
                    format!("the client broke the stream off with code {}", Code(outcome.ret))
                }
                text => format!("the client broke the stream off: {text}"),
            };
            subject.error(ErrorKind::Canceled, Origin::Peer, Code(outcome.ret), text)
        }
        Ending::Closed(outcome) | Ending::Reset(outcome) => {
            answer_error(outcome, subject).accepted()
        }
        Ending::Refused(outcome) => answer_error(outcome, subject),
        Ending::Deadline if subject.client => timed_out(subject),
        Ending::Deadline => subject.error(
            ErrorKind::Timeout,
            Origin::Peer,
            Code::SERVER_FULL_LINK_TIMEOUT_ERR,
            "the time the caller allows has passed",
        ),
        Ending::Idle(limit) => subject.error(
            ErrorKind::Timeout,
            Origin::Peer,
            subject
                .pick(Code::STREAM_CLIENT_IDLE_TIMEOUT_ERR, Code::STREAM_SERVER_IDLE_TIMEOUT_ERR),
            format!("no message came or went for {limit:?} (stream_idle_timeout)"),
        ),
        Ending::OpenTimeout(limit) => subject.error(
            ErrorKind::Timeout,
            Origin::Peer,
            Code::STREAM_CLIENT_READ_TIMEOUT_ERR,
            format!("the peer did not accept the stream within {limit:?} (open_timeout)"),
        ),
        Ending::Violation(violation) => {
            let code = subject.pick(Code::STREAM_CLIENT_DECODE_ERR, Code::STREAM_SERVER_DECODE_ERR);
            subject.error(
                ErrorKind::Protocol,
                Origin::Peer,
                code,
                format!("the peer broke the protocol: {violation}"),
            )
        }
        Ending::Overrun(over) => subject.error(
            ErrorKind::Limit,
            Origin::Caller,
            Code::SERVER_OVERLOAD_ERR,
            format!(
                "the stream was broken off because it is not read while the peer sends on: {over}"
            ),
        ),
        Ending::TooLarge { size, limit } => {
            let code = match (subject.client, subject.stream) {
                (true, false) => Code::CLIENT_DECODE_ERR,
                (true, true) => Code::STREAM_CLIENT_MSG_EXCEED_LIMIT_ERR,
                (false, _) => Code::STREAM_SERVER_MSG_EXCEED_LIMIT_ERR,
            };
            let what = if subject.stream { "a message" } else { "the answer" };
            subject.error(ErrorKind::Limit, Origin::Peer, code, too_large(what, *size, *limit))
        }
        Ending::Abandoned(limit) => subject.error(
            ErrorKind::Timeout,
            Origin::Library,
            Code::SERVER_TIMEOUT_ERR,
            format!("its connection has been gone for {limit:?} (abandoned_call_timeout)"),
        ),
        Ending::BadAnswer(why) => subject.error(
            ErrorKind::Decode,
            Origin::Peer,
            Code::CLIENT_DECODE_ERR,
            format!("the answer's header cannot be understood: {why}"),
        ),
        Ending::Local => {
            let code = subject.pick(Code::CLIENT_CANCELED_ERR, Code::STREAM_SERVER_WRITE_CLOSE_ERR);
            subject.error(
                ErrorKind::Canceled,
                Origin::Caller,
                code,
                "the stream was ended on this side",
            )
        }
        Ending::Lost(why) => {
            let (kind, origin) = match why {
                ConnError::PeerClosed
                | ConnError::Io(_)
                | ConnError::Transport(_)
                | ConnError::Unreachable { .. } => (ErrorKind::Network, Origin::Peer),
                ConnError::LocalClosed
                | ConnError::RuntimeGone
                | ConnError::Shutdown
                | ConnError::Idle(_) => (ErrorKind::Closed, Origin::Caller),
                ConnError::Panicked => (ErrorKind::Internal, Origin::Library),
                ConnError::Wire(_) | ConnError::BadAnswer(_) | ConnError::Overdrawn { .. } => {
                    (ErrorKind::Protocol, Origin::Peer)
                }
                ConnError::FrameTooLarge { .. }
                | ConnError::PeerNotReading { .. }
                | ConnError::FirstFrame(_)
                | ConnError::Frame(_)
                | ConnError::NoRoom { .. }
                | ConnError::TooManyNew { .. } => (ErrorKind::Limit, Origin::Peer),
            };
            subject.error(kind, origin, subject.network_code(), why.to_string())
        }
    }
}

/// The error of a client's call whose time has passed.
pub(crate) fn timed_out(subject: &Subject) -> Error {
    let (code, text) = match subject.limit {
        Some(TimeLimit { length, inherited: true, .. }) => (
            Code::CLIENT_FULL_LINK_TIMEOUT_ERR,
            format!("the {length:?} that were left of the caller's deadline have passed"),
        ),
        Some(TimeLimit { length, .. }) => {
            let what = if subject.stream { "stream" } else { "call" };
            (
                Code::CLIENT_INVOKE_TIMEOUT_ERR,
                format!("the {what} did not end within {length:?} (timeout)"),
            )
        }
        None => (
            Code::CLIENT_INVOKE_TIMEOUT_ERR,
            "the deadline of the call passed before it ended".to_owned(),
        ),
    };
    subject.error(ErrorKind::Timeout, Origin::Caller, code, text)
}

/// Tells whether a client has broken a stream off without a status of its own: it has dropped the
/// stream, or did not want to wait.
fn has_given_up(outcome: &Outcome) -> bool {
    let codes = [
        Code::CLIENT_CANCELED_ERR,
        Code::CLIENT_INVOKE_TIMEOUT_ERR,
        Code::CLIENT_FULL_LINK_TIMEOUT_ERR,
        Code::STREAM_CLIENT_READ_TIMEOUT_ERR,
    ];
    outcome.func_ret == 0 && codes.contains(&Code(outcome.ret))
}

/// The error of a call that the peer answered with a status.
pub(crate) fn answer_error(outcome: &Outcome, subject: &Subject) -> Error {
    subject.about(
        Status::with_codes(Code(outcome.ret), outcome.func_ret, text(&outcome.message)).into(),
    )
}

/// The error of a call with a key of metadata that a user may not set.
#[cold]
pub(crate) fn metadata_error(why: MetadataError, subject: &Subject) -> Error {
    subject
        .error(ErrorKind::Encode, Origin::Caller, subject.encode_code(), why.to_string())
        .with_source(why)
}

/// Says of a call that it was not sent on a connection whose server drains.
pub(crate) const PEER_DRAINS: &str =
    "the call was not sent: the server is shutting down, as it said when it refused another one";

/// The error of something that could not be sent.
pub(crate) fn send_error(error: SendError, subject: &Subject) -> Error {
    let encode_code = subject.encode_code();
    match error {
        SendError::TooLarge { size, limit } => {
            let code = subject.pick(Code::CLIENT_ENCODE_ERR, Code::SERVER_ENCODE_ERR);
            let text = format!(
                "the message takes {size} bytes on the wire, at most {limit} may be sent (max_message_sent)"
            );
            subject.error(ErrorKind::Limit, Origin::Caller, code, text)
        }
        SendError::HeaderTooLarge { size, limit } => {
            let text = format!(
                "metadata, method and caller take {size} bytes, at most {limit} may be sent (max_metadata)"
            );
            subject.error(ErrorKind::Limit, Origin::Caller, encode_code, text)
        }
        SendError::TooManyEntries { count, limit } => {
            let text =
                format!("{count} pairs of metadata; one call or end carries {limit} at most");
            subject.error(ErrorKind::Limit, Origin::Caller, encode_code, text)
        }
        SendError::SeveralValues { key, wire } => {
            let text =
                format!("the metadata key {key:?} has several values, {wire} carries one of a key");
            subject.error(ErrorKind::Encode, Origin::Caller, encode_code, text)
        }
        SendError::NoRoom { used, limit } => {
            // The handler has done its work, so this is no refusal, which code 22 would say.
            let text = format!(
                "the handler has answered, and the server is overloaded: {used} of {limit} bytes are in use for what is not sent yet (max_unsent)"
            );
            subject.error(ErrorKind::Limit, Origin::Caller, Code::SERVER_SYSTEM_ERR, text)
        }
        SendError::WrongSize { announced, written } => {
            let text = format!("the message said it takes {announced} bytes and wrote {written}");
            subject.error(ErrorKind::Encode, Origin::Caller, encode_code, text)
        }
        SendError::PeerDrains => {
            let code = Code::SERVER_OVERLOAD_ERR;
            subject.error(ErrorKind::Status, Origin::Peer, code, PEER_DRAINS).not_sent()
        }
        SendError::HalfClosed => {
            let code = subject.pick(Code::STREAM_CLIENT_WRITE_END, Code::STREAM_SERVER_WRITE_END);
            subject.error(ErrorKind::Closed, Origin::Caller, code, "this side has finished writing")
        }
        SendError::Ended(ending) => ending_error(&ending, subject),
    }
}

/// The outcome that a peer is told for an error that the handler of this method for this peer
/// returns.
pub(crate) fn outcome_of(error: &Error, own: (&str, &str), metadata: Metadata) -> Outcome {
    outcome(&error.to_status(own), metadata)
}

/// The outcome that a peer is told for a status.
pub(crate) fn outcome(status: &Status, metadata: Metadata) -> Outcome {
    // PROTOCOL 11
    let mut outcome = Outcome {
        ret: status.code().0,
        func_ret: status.func_ret(),
        message: Bytes::from(status.message().to_owned()),
        metadata,
        ..Outcome::default()
    };
    // PROTOCOL 26
    if outcome.is_ok() {
        outcome.ret = Code::INVOKE_UNKNOWN_ERR.0;
    }
    outcome
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
