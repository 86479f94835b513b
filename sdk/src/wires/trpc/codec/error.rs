//! The reasons that a frame is none.

use std::error::Error;
use std::fmt;
use std::io;

use crate::wires::trpc::error::{FrameFault, WireError};

/// The reason that reading or writing frames ended.
#[derive(Debug)]
#[non_exhaustive]
pub enum CodecError {
    /// The socket, file, or whatever carries the bytes failed.
    Io(io::Error),
    /// The bytes are no frames of tRPC, or one is above the limit.
    Frame(FrameError),
}

impl fmt::Display for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => fmt::Display::fmt(error, f),
            Self::Frame(error) => fmt::Display::fmt(error, f),
        }
    }
}

impl Error for CodecError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Io(error) => error.source(),
            Self::Frame(error) => error.source(),
        }
    }
}

impl From<io::Error> for CodecError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<FrameError> for CodecError {
    fn from(error: FrameError) -> Self {
        Self::Frame(error)
    }
}

impl From<WireError> for CodecError {
    fn from(error: WireError) -> Self {
        Self::Frame(error.into())
    }
}

/// A fault in the bytes of a frame, which its text names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FrameError(FrameErrorCause);

#[derive(Clone, PartialEq, Eq, Debug)]
enum FrameErrorCause {
    Wire(WireError),
    Inside(FrameFault),
    Cut { have: usize, missing: usize },
}

impl FrameError {
    pub(super) fn cut(have: usize, missing: usize) -> Self {
        Self(FrameErrorCause::Cut { have, missing })
    }

    /// Tells whether the frame, or its header, is larger than may be read or written.
    #[must_use]
    pub fn is_too_large(&self) -> bool {
        matches!(
            self.0,
            FrameErrorCause::Wire(
                WireError::FrameTooLarge { .. } | WireError::HeaderTooLarge { .. }
            ) | FrameErrorCause::Inside(FrameFault::HeaderTooLarge { .. })
        )
    }

    /// Tells whether the bytes ended within a frame.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        matches!(self.0, FrameErrorCause::Cut { .. })
    }
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            FrameErrorCause::Wire(error) => fmt::Display::fmt(error, f),
            FrameErrorCause::Inside(fault) => fmt::Display::fmt(fault, f),
            FrameErrorCause::Cut { have, missing } => {
                write!(f, "the bytes end within a frame: {have} came, {missing} are missing")
            }
        }
    }
}

impl Error for FrameError {}

impl From<WireError> for FrameError {
    fn from(error: WireError) -> Self {
        Self(FrameErrorCause::Wire(error))
    }
}

impl From<FrameFault> for FrameError {
    fn from(fault: FrameFault) -> Self {
        Self(FrameErrorCause::Inside(fault))
    }
}
