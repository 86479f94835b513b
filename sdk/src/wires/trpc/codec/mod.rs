//! Frames as values, for those who write proxies, recorders and tests: the same code that
//! connections use, behind tokio-util's two traits.

mod content;
mod error;
mod frame;
mod shown;
#[cfg(test)]
mod tests;

use bytes::BytesMut;

use crate::framing::Side;

use super::decode::Decoder;
use super::error::WireError;
use super::header::FrameType;

pub use content::{Close, Content, Init, InitRequest, InitResponse, Request, Response};
pub use error::{CodecError, FrameError};
pub use frame::{Frame, Kind};

/// Reads and writes frames of tRPC, as a [`Decoder`](tokio_util::codec::Decoder) and an
/// [`Encoder`](tokio_util::codec::Encoder) of tokio-util.
///
/// It reads what one side of a connection sends, because a request and an answer look alike; it
/// writes any frame.
#[derive(Clone, Debug)]
pub struct Codec {
    side: Side,
    max_frame: usize,
}

/// The largest frame unless it is set: as for a connection.
const DEFAULT_MAX_FRAME: usize = 10 * 1024 * 1024;

/// The most room that is asked for ahead of a frame's bytes: its size is what a peer says, who may
/// never send it.
const MOST_AHEAD: usize = 64 * 1024;

impl Codec {
    /// At a server's end of a connection: reads what a client sends.
    #[must_use]
    pub const fn server() -> Self {
        Self { side: Side::Server, max_frame: DEFAULT_MAX_FRAME }
    }

    /// At a client's end of a connection: reads what a server sends.
    #[must_use]
    pub const fn client() -> Self {
        Self { side: Side::Client, max_frame: DEFAULT_MAX_FRAME }
    }

    /// Sets the bytes that a frame may take in all, both ways: 10 MiB unless this is set. A larger
    /// one is an error, and is not waited for.
    #[must_use]
    pub const fn max_frame(self, bytes: usize) -> Self {
        Self { max_frame: bytes, ..self }
    }

    fn decoder(&self) -> Decoder {
        Decoder::new(self.side, self.max_frame)
    }
}

impl tokio_util::codec::Decoder for Codec {
    type Item = Frame;
    type Error = CodecError;

    /// Takes the next frame off the front; `None` while it is not there whole.
    ///
    /// # Errors
    ///
    /// When the front is no frame, or one above [`max_frame`](Self::max_frame). Nobody knows where
    /// the next frame begins, so calling again gives the same error. A fault inside a frame is none
    /// here: [`Frame::content`] tells it.
    fn decode(&mut self, buf: &mut BytesMut) -> Result<Option<Frame>, CodecError> {
        let decoder = self.decoder();
        let Some(header) = decoder.whole(buf)? else {
            buf.reserve(decoder.missing(buf).min(MOST_AHEAD));
            return Ok(None);
        };
        let kind = match (header.frame_type, self.side) {
            (FrameType::Unary, Side::Server) => Kind::Request,
            (FrameType::Unary, Side::Client) => Kind::Response,
            (FrameType::Stream, _) => Kind::of_stream(header.kind),
        };
        let bytes = buf.split_to(header.total_size as usize).freeze();
        Ok(Some(Frame::new(kind, bytes)))
    }

    fn decode_eof(&mut self, buf: &mut BytesMut) -> Result<Option<Frame>, CodecError> {
        let frame = self.decode(buf)?;
        if frame.is_none() && !buf.is_empty() {
            let (have, missing) = (buf.len(), self.decoder().missing(buf));
            return Err(FrameError::cut(have, missing).into());
        }
        Ok(frame)
    }
}

impl tokio_util::codec::Encoder<Frame> for Codec {
    type Error = CodecError;

    /// Appends the frame's bytes.
    ///
    /// # Errors
    ///
    /// When it is above [`max_frame`](Self::max_frame). Then nothing is appended.
    fn encode(&mut self, frame: Frame, out: &mut BytesMut) -> Result<(), CodecError> {
        self.encode(&frame, out)
    }
}

impl tokio_util::codec::Encoder<&Frame> for Codec {
    type Error = CodecError;

    fn encode(&mut self, frame: &Frame, out: &mut BytesMut) -> Result<(), CodecError> {
        let (size, limit) = (frame.bytes().len(), self.max_frame);
        if size > limit {
            return Err(FrameError::from(WireError::FrameTooLarge { size, limit }).into());
        }
        out.extend_from_slice(frame.bytes());
        Ok(())
    }
}
