//! How the protocol's endings read as errors.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::clock::Lack;
use crate::driver::{ConnError, Ending, Outcome, SendError, too_large};
use crate::error::{At, Error, ErrorKind, Failure, Origin, Reason, Status};
use crate::metadata::{Metadata, MetadataError};

/// Whom an error speaks of.
pub(crate) struct Subject {
    pub(crate) method: Cow<'static, str>,
    pub(crate) peer: Arc<str>,
    pub(crate) client: bool,
    pub(crate) stream: bool,
    /// The writer of a client's stream.
    pub(crate) writing: OwnWriter,
    /// How long a client's call may take, if that is limited.
    pub(crate) limit: Option<TimeLimit>,
}

/// How it stands with the writer of a client's stream, if that can be why the stream ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum OwnWriter {
    /// There is none, or it is finished.
    None,
    Open,
    /// It was dropped before it was finished.
    Dropped,
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
        reason: Reason,
        message: impl Into<String>,
    ) -> Error {
        self.about(Error::new(kind, origin, reason.at(self.place()), message))
    }

    fn about(&self, error: Error) -> Error {
        error.with_method(self.method.clone()).with_peer(Arc::clone(&self.peer))
    }

    /// The error of an operation whose limit of time cannot be kept where it is called.
    #[cold]
    pub(crate) fn no_timer(&self, lack: Lack) -> Error {
        let text = format!("the limit of time cannot be kept: {lack}");
        self.error(ErrorKind::Config, Origin::Caller, Reason::Config, text)
    }

    /// Says of a setting whose it is, where its peer reads the error.
    fn whose(&self) -> &'static str {
        if self.client { "" } else { " of the server" }
    }

    fn place(&self) -> At {
        At::new(self.client, self.stream)
    }
}

/// The error of a stream or call that ended like this.
pub(crate) fn ending_error(ending: &Ending, subject: &Subject) -> Error {
    match ending {
        Ending::Closed(outcome) if outcome.is_ok() => {
            let text = "the peer has ended the stream";
            subject.error(ErrorKind::Closed, Origin::Peer, Reason::WriteAfterEnd, text)
        }
        Ending::Closed(outcome) | Ending::Reset(outcome)
            if !subject.client && has_given_up(outcome) =>
        {
            given_up(outcome, subject)
        }
        Ending::Closed(outcome) | Ending::Reset(outcome) => {
            answer_error(outcome, subject).accepted()
        }
        Ending::Refused(outcome) => answer_error(outcome, subject),
        Ending::Deadline if subject.client => timed_out(subject),
        ending => {
            let (kind, origin, reason, text) = words(ending, subject);
            let mut failure = reason.at(subject.place());
            if let Ending::Violation(violation) = ending {
                failure.code = violation.code().unwrap_or(failure.code);
            }
            subject.about(Error::new(kind, origin, failure, text))
        }
    }
}

/// The error of a handler whose client has broken the stream off.
fn given_up(outcome: &Outcome, subject: &Subject) -> Error {
    let failure = outcome.failure.as_deref().cloned().unwrap_or(Reason::Cancelled.into());
    let text = match text(&outcome.message) {
        text if text.is_empty() => {
            format!("the client broke the stream off with code {}", failure.code)
        }
        text => format!("the client broke the stream off: {text}"),
    };
    let error = Error::new(ErrorKind::Cancelled, Origin::Peer, failure, text);
    subject.about(error.with_metadata(outcome.metadata.clone()))
}

/// The parts of the error of an end that no outcome says.
fn words(ending: &Ending, subject: &Subject) -> (ErrorKind, Origin, Reason, String) {
    use ErrorKind as K;
    use Origin::{Caller, Library, Peer};
    match ending {
        Ending::Closed(_) | Ending::Reset(_) | Ending::Refused(_) => {
            unreachable!("the peer's outcome says it")
        }
        Ending::Deadline => {
            let text = "the time the caller allows has passed";
            (K::Timeout, Peer, Reason::Deadline, text.to_owned())
        }
        Ending::Idle(limit) => {
            let text = format!("no message came or went for {limit:?} (stream_idle_timeout)");
            (K::Timeout, Peer, Reason::IdleTimeout, text)
        }
        Ending::OpenTimeout(limit) => {
            let text =
                format!("the peer did not accept the stream within {limit:?} (open_timeout)");
            (K::Timeout, Peer, Reason::ReadTimeout, text)
        }
        Ending::Abandoned(limit) => {
            let text =
                format!("its connection has been gone for {limit:?} (abandoned_call_timeout)");
            (K::Timeout, Library, Reason::ServerTimeout, text)
        }
        Ending::Violation(violation) => {
            (K::Protocol, Peer, Reason::Decode, format!("the peer broke the protocol: {violation}"))
        }
        Ending::Overrun(over) => {
            let text = format!(
                "the stream was broken off because it is not read while the peer sends on: {over}"
            );
            (K::Limit, Caller, Reason::Unread, text)
        }
        Ending::TooLarge { size, limit } => {
            let what = if subject.stream { "a message" } else { "the answer" };
            (K::Limit, Peer, Reason::TooLarge, too_large(what, *size, *limit))
        }
        Ending::BadAnswer(why) => {
            let text = format!("the answer's header cannot be understood: {why}");
            (K::Decode, Peer, Reason::Decode, text)
        }
        Ending::Local => {
            let reason = if subject.client { Reason::Cancelled } else { Reason::WriteAfterEnd };
            let text = if subject.writing == OwnWriter::Dropped {
                "the writer was dropped before finish(), which broke the stream off"
            } else {
                "the stream was ended on this side"
            };
            (K::Cancelled, Caller, reason, text.to_owned())
        }
        Ending::Lost(why) => {
            let (kind, origin) = of_lost(why);
            (kind, origin, Reason::Network, why.to_string())
        }
    }
}

/// The kind of error of a connection that is lost, and who has caused it.
fn of_lost(why: &ConnError) -> (ErrorKind, Origin) {
    match why {
        ConnError::PeerClosed
        | ConnError::Io(_)
        | ConnError::Transport(_)
        | ConnError::Unreachable { .. } => (ErrorKind::Network, Origin::Peer),
        ConnError::LocalClosed
        | ConnError::RuntimeGone
        | ConnError::CoresGone
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
    }
}

/// The error of a client's call whose time has passed.
pub(crate) fn timed_out(subject: &Subject) -> Error {
    let (reason, mut text) = match subject.limit {
        Some(TimeLimit { length, inherited: true, .. }) => (
            Reason::InheritedDeadline,
            format!("the {length:?} that were left of the caller's deadline have passed"),
        ),
        Some(TimeLimit { length, .. }) => {
            let what = if subject.stream { "stream" } else { "call" };
            (Reason::Deadline, format!("the {what} did not end within {length:?} (timeout)"))
        }
        None => (Reason::Deadline, "the deadline of the call passed before it ended".to_owned()),
    };
    if subject.writing == OwnWriter::Open {
        text.push_str("; its writer is not finished: finish() says that no more messages come");
    }
    subject.error(ErrorKind::Timeout, Origin::Caller, reason, text)
}

/// Tells whether a client has broken a stream off without a status of its own: it has dropped the
/// stream, or did not want to wait.
fn has_given_up(outcome: &Outcome) -> bool {
    outcome.failure.as_ref().is_some_and(|failure| {
        failure.app == 0
            && matches!(
                failure.reason,
                Reason::Cancelled
                    | Reason::Deadline
                    | Reason::InheritedDeadline
                    | Reason::ReadTimeout
            )
    })
}

/// The error of a call that the peer answered with a status.
pub(crate) fn answer_error(outcome: &Outcome, subject: &Subject) -> Error {
    let failure = outcome.failure.as_deref().cloned().unwrap_or(Reason::Unknown.into());
    let error = Error::from(failure.with_message(text(&outcome.message)));
    subject.about(error.with_metadata(outcome.metadata.clone()))
}

/// The error of a call with a key of metadata that a user may not set.
#[cold]
pub(crate) fn metadata_error(why: MetadataError, subject: &Subject) -> Error {
    subject
        .error(ErrorKind::Encode, Origin::Caller, Reason::Encode, why.to_string())
        .with_source(why)
}

/// Says of a call that it was not sent on a connection whose server drains.
pub(crate) const PEER_DRAINS: &str =
    "the call was not sent: the server is shutting down, as it said when it refused another one";

/// The error of something that could not be sent.
pub(crate) fn send_error(error: SendError, subject: &Subject) -> Error {
    match error {
        SendError::TooLarge { size, limit } => {
            let text = format!(
                "the message takes {size} bytes on the wire, at most {limit} may be sent (max_message_sent{})",
                subject.whose()
            );
            let failure = Reason::TooLargeToSend.at(At::new(subject.client, false));
            subject.about(Error::new(ErrorKind::Limit, Origin::Caller, failure, text))
        }
        SendError::HeaderTooLarge { size, limit } => {
            let text = format!(
                "metadata, method and caller take {size} bytes, at most {limit} may be sent (max_metadata{})",
                subject.whose()
            );
            subject.error(ErrorKind::Limit, Origin::Caller, Reason::TooLargeToSend, text)
        }
        SendError::TooManyEntries { count, limit } => {
            let text =
                format!("{count} pairs of metadata; one call or end carries {limit} at most");
            subject.error(ErrorKind::Limit, Origin::Caller, Reason::TooLargeToSend, text)
        }
        SendError::SeveralValues { key, wire } => {
            let text =
                format!("the metadata key {key:?} has several values, {wire} carries one of a key");
            subject.error(ErrorKind::Encode, Origin::Caller, Reason::Encode, text)
        }
        SendError::NoAttachments { wire } => {
            let text = format!("{wire} carries no attachments");
            subject.error(ErrorKind::Encode, Origin::Caller, Reason::Encode, text)
        }
        SendError::NoRoom { used, limit } => {
            // The handler has done its work, so this is no refusal.
            let failure = Failure { begun: Some(true), ..Reason::Overloaded.at(subject.place()) };
            let text = format!(
                "the handler has answered, and the server is overloaded: {used} of {limit} bytes are in use for what is not sent yet (max_unsent)"
            );
            subject.about(Error::new(ErrorKind::Limit, Origin::Caller, failure, text))
        }
        SendError::WrongSize { announced, written } => {
            let text = format!("the message said it takes {announced} bytes and wrote {written}");
            subject.error(ErrorKind::Encode, Origin::Caller, Reason::Encode, text)
        }
        SendError::PeerDrains => {
            subject.error(ErrorKind::Status, Origin::Peer, Reason::Draining, PEER_DRAINS).not_sent()
        }
        SendError::HalfClosed => {
            let text = "this side has finished writing";
            subject.error(ErrorKind::Closed, Origin::Caller, Reason::WriteAfterFinish, text)
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
    // PROTOCOL 26
    let failure = Some(Box::new(status.failure().clone()));
    let message = Bytes::from(status.message().to_owned());
    Outcome { failure, message, metadata, ..Outcome::default() }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
