//! Bytes to frames.

use crate::framing::Side;

use super::error::{ErrorCode, FrameViolation};
use super::header::{
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, FrameHeader, GOAWAY, HAS_PRIORITY,
    HEADER_LEN, HEADERS, PADDED, PING, PRIORITY, PUSH_PROMISE, RESERVED, RST_STREAM, SETTINGS,
    WINDOW_UPDATE,
};
use super::settings::SettingsPayload;

/// The first bytes of a client, before its first frame.
pub(crate) const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The state of the first bytes of a client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum PrefaceCheck {
    /// The preface is there.
    Whole,
    /// It goes on like the preface, and more has to come.
    Part,
    /// It is something else.
    Wrong,
}

/// Compares a client's first bytes with the preface, as many as there are.
pub(crate) fn check_preface(buf: &[u8]) -> PrefaceCheck {
    let there = buf.len().min(PREFACE.len());
    match buf[..there] == PREFACE[..there] {
        false => PrefaceCheck::Wrong,
        true if there < PREFACE.len() => PrefaceCheck::Part,
        true => PrefaceCheck::Whole,
    }
}

/// A frame of the peer's. Payloads are slices of what was read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Http2Frame<'a> {
    Data {
        stream: u32,
        data: &'a [u8],
        /// The bytes that it takes of both windows: all of its payload, padding included.
        flow_len: u32,
        end_stream: bool,
    },
    Headers {
        stream: u32,
        block: &'a [u8],
        end_headers: bool,
        end_stream: bool,
        /// A fault that ends the stream. Its block has to be decoded all the same, because it can
        /// change the table.
        violation: Option<FrameViolation>,
    },
    /// How streams depend on each other is told no more, and nobody asks.
    Priority {
        stream: u32,
    },
    RstStream {
        stream: u32,
        code: ErrorCode,
    },
    Settings(SettingsPayload<'a>),
    SettingsAck,
    Ping {
        payload: [u8; 8],
    },
    PingAck {
        payload: [u8; 8],
    },
    GoAway {
        last_stream: u32,
        code: ErrorCode,
        text: &'a [u8],
    },
    WindowUpdate {
        /// 0 is the connection.
        stream: u32,
        /// Never 0.
        increment: u32,
    },
    Continuation {
        stream: u32,
        block: &'a [u8],
        end_headers: bool,
    },
    /// A frame that does nothing but end its stream.
    Faulty {
        violation: FrameViolation,
    },
    /// A type of frame that is not known.
    Unknown {
        kind: u8,
        stream: u32,
    },
}

/// Finds frames at the front of a buffer. Nothing is remembered between calls: the buffer is the
/// memory, so bytes may come in any pieces.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FrameDecoder {
    side: Side,
    max_frame_size: u32,
}

impl FrameDecoder {
    /// A decoder at this `side`, which has allowed payloads of so many bytes.
    pub(crate) const fn new(side: Side, max_frame_size: u32) -> Self {
        Self { side, max_frame_size }
    }

    /// The frame at the front, and its length; `None` while it is not there whole.
    ///
    /// # Errors
    ///
    /// When the frame breaks a rule of the connection. Calling again gives the same error.
    #[inline]
    pub(crate) fn decode<'a>(
        &self,
        buf: &'a [u8],
    ) -> Result<Option<(Http2Frame<'a>, usize)>, FrameViolation> {
        let Some((fixed, rest)) = buf.split_first_chunk() else { return Ok(None) };
        let header = FrameHeader::from_bytes(fixed);
        let len = self.checked_len(header)?;
        let Some(payload) = rest.get(..len) else { return Ok(None) };
        Ok(Some((self.frame(header, payload)?, header.frame_len())))
    }

    /// How many more bytes the frame at the front needs, as far as can be known; 0 when
    /// [`decode`](Self::decode) has something to say. A peer that has proven nothing chose the
    /// number, so do not allocate it at once.
    pub(crate) fn missing(&self, buf: &[u8]) -> usize {
        let len = match buf.first_chunk().map(FrameHeader::from_bytes) {
            None => HEADER_LEN,
            Some(header) if self.checked_len(header).is_err() => 0,
            Some(header) => header.frame_len(),
        };
        len.saturating_sub(buf.len())
    }

    /// The length of a payload that may come.
    #[inline]
    fn checked_len(&self, header: FrameHeader) -> Result<usize, FrameViolation> {
        let FrameHeader { kind, len, .. } = header;
        if len > self.max_frame_size {
            return Err(FrameViolation::TooLarge { kind, len, limit: self.max_frame_size });
        }
        Ok(len as usize)
    }

    #[inline]
    fn frame<'a>(
        &self,
        header: FrameHeader,
        payload: &'a [u8],
    ) -> Result<Http2Frame<'a>, FrameViolation> {
        let FrameHeader { kind, stream, .. } = header;
        let wrong_size = header.wrong_size();
        match kind {
            DATA => {
                header.needs_stream()?;
                let data = header.unpadded(payload)?;
                let end_stream = header.has(END_STREAM);
                Ok(Http2Frame::Data { stream, data, flow_len: header.len, end_stream })
            }
            HEADERS => headers(header, payload),
            PRIORITY => {
                header.needs_stream()?;
                let Ok(fields) = payload.try_into() else {
                    return Ok(Http2Frame::Faulty { violation: wrong_size });
                };
                Ok(match header.self_dependency(fields) {
                    Some(violation) => Http2Frame::Faulty { violation },
                    None => Http2Frame::Priority { stream },
                })
            }
            RST_STREAM => {
                header.needs_stream()?;
                let code = payload.try_into().map_err(|_| wrong_size)?;
                Ok(Http2Frame::RstStream { stream, code: ErrorCode(u32::from_be_bytes(code)) })
            }
            SETTINGS => self.settings(header, payload),
            PUSH_PROMISE => Err(FrameViolation::Push),
            PING => {
                header.needs_connection()?;
                let payload = payload.try_into().map_err(|_| wrong_size)?;
                Ok(match header.has(ACK) {
                    true => Http2Frame::PingAck { payload },
                    false => Http2Frame::Ping { payload },
                })
            }
            GOAWAY => goaway(header, payload),
            WINDOW_UPDATE => {
                let increment = payload.try_into().map_err(|_| wrong_size)?;
                match u32::from_be_bytes(increment) & !RESERVED {
                    0 => no_increment(stream),
                    increment => Ok(Http2Frame::WindowUpdate { stream, increment }),
                }
            }
            CONTINUATION => {
                header.needs_stream()?;
                let end_headers = header.has(END_HEADERS);
                Ok(Http2Frame::Continuation { stream, block: payload, end_headers })
            }
            _ => Ok(Http2Frame::Unknown { kind, stream }),
        }
    }

    fn settings<'a>(
        &self,
        header: FrameHeader,
        payload: &'a [u8],
    ) -> Result<Http2Frame<'a>, FrameViolation> {
        header.needs_connection()?;
        let settings = match header.has(ACK) {
            true => payload.is_empty().then_some(Http2Frame::SettingsAck),
            false => SettingsPayload::new(payload, self.side)?.map(Http2Frame::Settings),
        };
        settings.ok_or(header.wrong_size())
    }
}

fn headers(header: FrameHeader, payload: &[u8]) -> Result<Http2Frame<'_>, FrameViolation> {
    header.needs_stream()?;
    let stream = header.stream;
    let (padding, mut rest) = header.padding(payload)?;
    let mut violation = None;
    if header.has(HAS_PRIORITY) {
        let (fields, behind) = rest.split_first_chunk().ok_or(header.wrong_size())?;
        violation = header.self_dependency(fields);
        rest = behind;
    }
    Ok(Http2Frame::Headers {
        stream,
        block: header.without(padding, rest)?,
        end_headers: header.has(END_HEADERS),
        end_stream: header.has(END_STREAM),
        violation,
    })
}

fn goaway(header: FrameHeader, payload: &[u8]) -> Result<Http2Frame<'_>, FrameViolation> {
    header.needs_connection()?;
    let (last, rest) = payload.split_first_chunk().ok_or(header.wrong_size())?;
    let (code, text) = rest.split_first_chunk().ok_or(header.wrong_size())?;
    Ok(Http2Frame::GoAway {
        last_stream: u32::from_be_bytes(*last) & !RESERVED,
        code: ErrorCode(u32::from_be_bytes(*code)),
        text,
    })
}

/// A window that grows by nothing ends its stream, and that of the connection all of it.
fn no_increment(stream: u32) -> Result<Http2Frame<'static>, FrameViolation> {
    let violation = FrameViolation::NoIncrement { stream };
    match stream {
        0 => Err(violation),
        _ => Ok(Http2Frame::Faulty { violation }),
    }
}

impl FrameHeader {
    const fn wrong_size(self) -> FrameViolation {
        FrameViolation::WrongSize { kind: self.kind, stream: self.stream, len: self.len }
    }

    #[inline]
    fn needs_stream(self) -> Result<(), FrameViolation> {
        match self.stream {
            0 => Err(FrameViolation::NoStream { kind: self.kind }),
            _ => Ok(()),
        }
    }

    #[inline]
    fn needs_connection(self) -> Result<(), FrameViolation> {
        match self.stream {
            0 => Ok(()),
            stream => Err(FrameViolation::OnStream { kind: self.kind, stream }),
        }
    }

    /// The payload without its padding and the length of that.
    #[inline]
    fn unpadded(self, payload: &[u8]) -> Result<&[u8], FrameViolation> {
        if !self.has(PADDED) {
            return Ok(payload);
        }
        let (padding, rest) = self.padding(payload)?;
        self.without(padding, rest)
    }

    /// The length of the padding, and the payload behind it.
    #[inline]
    fn padding(self, payload: &[u8]) -> Result<(u8, &[u8]), FrameViolation> {
        if !self.has(PADDED) {
            return Ok((0, payload));
        }
        let (padding, rest) = payload.split_first().ok_or(self.wrong_size())?;
        Ok((*padding, rest))
    }

    /// The bytes before the padding at their end.
    #[inline]
    fn without(self, padding: u8, payload: &[u8]) -> Result<&[u8], FrameViolation> {
        let Self { kind, len, .. } = self;
        let kept = payload.len().checked_sub(padding.into());
        let kept = kept.ok_or(FrameViolation::TooMuchPadding { kind, padding, len })?;
        Ok(&payload[..kept])
    }

    fn self_dependency(self, fields: &[u8; 5]) -> Option<FrameViolation> {
        let [d0, d1, d2, d3, _weight] = *fields;
        let depends_on = u32::from_be_bytes([d0, d1, d2, d3]) & !RESERVED;
        let stream = self.stream;
        (depends_on == stream).then_some(FrameViolation::DependsOnItself { stream })
    }
}
