//! The standard's error codes, and the rules that a frame can break by itself.

use std::fmt;

use super::header::{self, PRIORITY};
use super::settings::{MAX_MAX_FRAME_SIZE, MAX_WINDOW, MIN_MAX_FRAME_SIZE};

/// Why a stream or a connection ends (RFC 9113, 7). Codes that have no name stay as they came.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct ErrorCode(pub(crate) u32);

impl ErrorCode {
    pub(crate) const NO_ERROR: Self = Self(0);
    pub(crate) const PROTOCOL_ERROR: Self = Self(1);
    pub(crate) const INTERNAL_ERROR: Self = Self(2);
    pub(crate) const FLOW_CONTROL_ERROR: Self = Self(3);
    pub(crate) const SETTINGS_TIMEOUT: Self = Self(4);
    pub(crate) const STREAM_CLOSED: Self = Self(5);
    pub(crate) const FRAME_SIZE_ERROR: Self = Self(6);
    pub(crate) const REFUSED_STREAM: Self = Self(7);
    pub(crate) const CANCEL: Self = Self(8);
    pub(crate) const COMPRESSION_ERROR: Self = Self(9);
    pub(crate) const CONNECT_ERROR: Self = Self(10);
    pub(crate) const ENHANCE_YOUR_CALM: Self = Self(11);
    pub(crate) const INADEQUATE_SECURITY: Self = Self(12);
    pub(crate) const HTTP_1_1_REQUIRED: Self = Self(13);

    /// The standard's name, if it has one.
    pub(crate) const fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::NO_ERROR => "NO_ERROR",
            Self::PROTOCOL_ERROR => "PROTOCOL_ERROR",
            Self::INTERNAL_ERROR => "INTERNAL_ERROR",
            Self::FLOW_CONTROL_ERROR => "FLOW_CONTROL_ERROR",
            Self::SETTINGS_TIMEOUT => "SETTINGS_TIMEOUT",
            Self::STREAM_CLOSED => "STREAM_CLOSED",
            Self::FRAME_SIZE_ERROR => "FRAME_SIZE_ERROR",
            Self::REFUSED_STREAM => "REFUSED_STREAM",
            Self::CANCEL => "CANCEL",
            Self::COMPRESSION_ERROR => "COMPRESSION_ERROR",
            Self::CONNECT_ERROR => "CONNECT_ERROR",
            Self::ENHANCE_YOUR_CALM => "ENHANCE_YOUR_CALM",
            Self::INADEQUATE_SECURITY => "INADEQUATE_SECURITY",
            Self::HTTP_1_1_REQUIRED => "HTTP_1_1_REQUIRED",
            _ => return None,
        })
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "error code {}", self.0),
        }
    }
}

/// A rule that a frame breaks by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum FrameViolation {
    /// It is larger than this side has allowed. It is refused at its header.
    TooLarge {
        kind: u8,
        len: u32,
        limit: u32,
    },

    /// Its type has another size, or needs more bytes.
    WrongSize {
        kind: u8,
        stream: u32,
        len: u32,
    },

    TooMuchPadding {
        kind: u8,
        padding: u8,
        len: u32,
    },

    /// It belongs to a stream, and names none.
    NoStream {
        kind: u8,
    },

    /// It belongs to the connection, and names a stream.
    OnStream {
        kind: u8,
        stream: u32,
    },

    /// ENABLE_PUSH that is neither 0 nor 1, or 1 of a server.
    EnablePush {
        value: u32,
    },

    InitialWindow {
        value: u32,
    },

    MaxFrameSize {
        value: u32,
    },

    /// A window that grows by nothing.
    NoIncrement {
        stream: u32,
    },

    DependsOnItself {
        stream: u32,
    },

    /// Neither side takes pushed streams: a client says so, and a server has none.
    Push,
}

impl FrameViolation {
    /// The stream that it ends; `None` if it ends the connection.
    pub(crate) const fn stream(self) -> Option<u32> {
        match self {
            Self::WrongSize { kind: PRIORITY, stream, .. } | Self::DependsOnItself { stream } => {
                Some(stream)
            }
            Self::NoIncrement { stream } if stream != 0 => Some(stream),
            _ => None,
        }
    }

    /// The code with which that ends.
    pub(crate) const fn code(self) -> ErrorCode {
        match self {
            Self::TooLarge { .. } | Self::WrongSize { .. } => ErrorCode::FRAME_SIZE_ERROR,
            Self::InitialWindow { .. } => ErrorCode::FLOW_CONTROL_ERROR,
            Self::TooMuchPadding { .. }
            | Self::NoStream { .. }
            | Self::OnStream { .. }
            | Self::EnablePush { .. }
            | Self::MaxFrameSize { .. }
            | Self::NoIncrement { .. }
            | Self::DependsOnItself { .. }
            | Self::Push => ErrorCode::PROTOCOL_ERROR,
        }
    }
}

impl fmt::Display for FrameViolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = header::name;
        match *self {
            Self::TooLarge { kind, len, limit } => {
                write!(
                    f,
                    "a frame of type {} has {len} bytes, over the limit of {limit}",
                    name(kind)
                )
            }
            Self::WrongSize { kind, len, .. } => {
                write!(f, "a frame of type {} has {len} bytes, which its type cannot", name(kind))
            }
            Self::TooMuchPadding { kind, padding, len } => write!(
                f,
                "a frame of type {} with {len} bytes says that {padding} of them are padding",
                name(kind)
            ),
            Self::NoStream { kind } => {
                write!(f, "a frame of type {} belongs to a stream, and is on 0", name(kind))
            }
            Self::OnStream { kind, stream } => write!(
                f,
                "a frame of type {} belongs to the connection, and is on stream {stream}",
                name(kind)
            ),
            Self::EnablePush { value } => write!(f, "SETTINGS_ENABLE_PUSH cannot be {value}"),
            Self::InitialWindow { value } => {
                write!(f, "SETTINGS_INITIAL_WINDOW_SIZE of {value} is over {MAX_WINDOW}")
            }
            Self::MaxFrameSize { value } => write!(
                f,
                "SETTINGS_MAX_FRAME_SIZE of {value} is not from {MIN_MAX_FRAME_SIZE} to \
                 {MAX_MAX_FRAME_SIZE}"
            ),
            Self::NoIncrement { stream } => {
                write!(f, "WINDOW_UPDATE on stream {stream} is of no bytes")
            }
            Self::DependsOnItself { stream } => write!(f, "stream {stream} depends on itself"),
            Self::Push => f.write_str("the peer promises a stream, and neither side takes one"),
        }
    }
}

impl std::error::Error for FrameViolation {}
