//! The end of a call, as its side tells it.

use std::fmt;

use crate::driver::{Ending, Outcome};
use crate::error::Error;

/// How a call or stream has ended for one of its sides.
#[derive(Clone, Copy, Debug)]
pub(crate) enum CallEnd<'a> {
    /// Well: with an answer, a one-way request that was sent or handled, or the good end of a
    /// stream.
    Done,
    /// With an error: the handler's, the peer's, or that of a message that could not be sent or
    /// read.
    Failed(&'a Error),
    /// By the protocol, before there was an outcome: the deadline, the lost connection, the peer
    /// that gave up.
    Ended(&'a Ending),
    /// At a server: before its handler.
    Refused(&'a Outcome),
    /// At a server: the handler panicked.
    Panicked,
    /// This side has dropped it before its end.
    Dropped,
}

impl<'a> CallEnd<'a> {
    pub(crate) fn of<T>(result: &'a Result<T, Error>) -> Self {
        match result {
            Ok(_) => Self::Done,
            Err(error) => Self::Failed(error),
        }
    }

    /// The end of a client's stream.
    pub(crate) fn of_ending(ending: &'a Ending) -> Self {
        match ending {
            Ending::Closed(outcome) if outcome.is_ok() => Self::Done,
            Ending::Local => Self::Dropped,
            ending => Self::Ended(ending),
        }
    }
}

/// For logs. Texts of peers are escaped.
impl fmt::Display for CallEnd<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done => f.write_str("well"),
            Self::Failed(error) => write!(f, "failed: {error}"),
            Self::Ended(ending) => write!(f, "ended by the protocol: {ending:?}"),
            Self::Refused(outcome) => write!(f, "refused: {:?}", outcome.message),
            Self::Panicked => f.write_str("panicked"),
            Self::Dropped => f.write_str("dropped"),
        }
    }
}
