//! Bytes to frames.

use bytes::{Bytes, BytesMut};
use prost::Message;
use trill_proto::TrpcStreamFeedBackMeta;

use super::error::{FrameFault, WireError};
use super::frame::{Frame, Side, UnaryHead};
use super::header::{HEADER_LEN, Header, UNARY};
use super::id::StreamId;

/// Cuts frames off the front of a buffer. It remembers nothing between calls: the buffer is its memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decoder {
    side: Side,
    max_frame: usize,
}

impl Decoder {
    pub(crate) fn new(side: Side, max_frame: usize) -> Self {
        Self { side, max_frame }
    }

    /// The next frame, or `None` if the buffer does not hold it whole. Payloads are slices of the buffer.
    ///
    /// An error is about the front of the buffer and will not go away; frames before it have been given out.
    #[inline]
    pub(crate) fn decode(&self, buf: &mut BytesMut) -> Result<Option<Frame>, WireError> {
        let Some(fixed) = buf.first_chunk() else { return Ok(None) };
        let header = Header::read(fixed, self.max_frame)?;
        if buf.len() < header.total_size {
            return Ok(None);
        }
        let payload = buf.split_to(header.total_size).freeze().slice(HEADER_LEN..);
        Ok(Some(if header.frame_type == UNARY {
            self.unary(&header, payload)
        } else {
            stream(&header, payload)
        }))
    }

    /// How many more bytes the frame at the front of the buffer needs, as far as is known.
    pub(crate) fn missing(&self, buf: &[u8]) -> usize {
        let size = match buf.first_chunk().map(|fixed| Header::read(fixed, self.max_frame)) {
            Some(Ok(header)) => header.total_size,
            Some(Err(_)) | None => HEADER_LEN,
        };
        size.saturating_sub(buf.len())
    }

    fn unary(&self, header: &Header, mut payload: Bytes) -> Frame {
        let head = UnaryHead { id: header.id, version: header.version, reserved: header.reserved };
        let meta = payload.split_to(header.header_size);
        let frame = match self.side {
            // tRPC-Cpp answers request 0 with an empty header; a request must at least name its method.
            Side::Server if meta.is_empty() => Err(FrameFault::NoHeader),
            Side::Server => read(meta).and_then(|meta: trill_proto::RequestProtocol| {
                let (body, attachment) = split_attachment(payload, meta.attachment_size)?;
                Ok(Frame::Request { head, meta, body, attachment })
            }),
            Side::Client => read(meta).and_then(|meta: trill_proto::ResponseProtocol| {
                let (body, attachment) = split_attachment(payload, meta.attachment_size)?;
                Ok(Frame::Response { head, meta, body, attachment })
            }),
        };
        frame.unwrap_or_else(|why| Frame::BadUnary { head, why })
    }
}

#[inline]
fn stream(header: &Header, payload: Bytes) -> Frame {
    let id = StreamId(header.id);
    let frame = match header.kind {
        super::encode::DATA => return Frame::Data { id, payload },
        super::encode::INIT => read(payload).map(|meta| Frame::Init { id, meta }),
        super::encode::FEEDBACK => read(payload).map(|meta: TrpcStreamFeedBackMeta| Frame::Feedback {
            id,
            increment: meta.window_size_increment,
        }),
        super::encode::CLOSE => read(payload).map(|meta| Frame::Close { id, meta }),
        unknown => Err(FrameFault::UnknownKind(unknown)),
    };
    frame.unwrap_or_else(|why| Frame::BadStream { id, why })
}

fn read<M: Message + Default>(bytes: Bytes) -> Result<M, FrameFault> {
    M::decode(bytes).map_err(FrameFault::Protobuf)
}

fn split_attachment(mut rest: Bytes, size: u32) -> Result<(Bytes, Bytes), FrameFault> {
    let (attachment, left) = (size as usize, rest.len());
    let body = left.checked_sub(attachment).ok_or(FrameFault::AttachmentOverrun { attachment, left })?;
    let attachment = rest.split_off(body);
    Ok((rest, attachment))
}
