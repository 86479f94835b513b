//! Bytes to frames.

use bytes::{Buf, Bytes, BytesMut};
use trill_proto::prost::Message;
use trill_proto::{
    CloseMeta, FeedbackMeta, InitMeta, RequestProtocol, ResponseProtocol, TransInfoEntry,
};

use crate::framing::{Messages, Side, StreamId};
use crate::wires::input::{self, Begun};

use super::entries;
use super::error::{FrameFault, WireError};
#[cfg(any(test, feature = "__fuzz", feature = "__bench"))]
use super::frame::Frame;
use super::frame::{CallTag, UnaryHead};
use super::head::ONE_WAY;
use super::header::{CLOSE, DATA, FEEDBACK, FRAMING, FrameType, HEADER_LEN, Header, INIT};
use super::to_input::Decoded;

/// Takes frames off the front of a buffer. Nothing is remembered between calls: the buffer is the
/// memory, so bytes may come in any pieces.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decoder {
    side: Side,
    max_frame: usize,
    max_header: usize,
}

impl Decoder {
    /// A decoder for frames that may take `max_frame` bytes in all.
    pub(crate) const fn new(side: Side, max_frame: usize) -> Self {
        Self { side, max_frame, max_header: MAX_HEADER }
    }

    /// The same for headers of `max_header` bytes at most, by which the meta messages of a stream
    /// are meant as well. They are not looked into if they are larger: a few bytes on the wire can
    /// make many in memory.
    pub(crate) const fn with_max_header(self, max_header: usize) -> Self {
        Self { max_header, ..self }
    }

    /// Takes the next frame and adds it to `frames`; `false` while it is not there whole. Bodies,
    /// attachments and messages are slices of the buffer. A frame is much to move, so it is made
    /// where it stays.
    ///
    /// # Errors
    ///
    /// When the front of the buffer is not a frame. Frames before it have been given out; calling
    /// again gives the same error.
    #[inline]
    pub(crate) fn decode_to<F: Decoded>(
        &self,
        frames: &mut Vec<F>,
        buf: &mut BytesMut,
    ) -> Result<bool, WireError> {
        // PROTOCOL 2
        let Some(header) = self.whole(buf)? else { return Ok(false) };
        let size = header.total_size as usize;
        if header.frame_type == FrameType::Stream && header.kind == DATA {
            let messages = self.run(&header, buf);
            frames.push(F::messages(StreamId(header.id.into()), messages));
            return Ok(true);
        }
        buf.advance(HEADER_LEN);
        let len = size - HEADER_LEN;
        match header.frame_type {
            FrameType::Stream => {
                self.control(&header, buf, len, frames);
            }
            FrameType::Unary => self.unary(&header, take(buf, len), frames),
        }
        Ok(true)
    }

    /// The fixed header of the frame at the front; `None` while the frame is not there whole.
    #[inline(always)]
    pub(super) fn whole(&self, buf: &[u8]) -> Result<Option<Header>, WireError> {
        let Some(fixed) = buf.first_chunk() else { return Ok(None) };
        let header = Header::from_bytes(fixed, self.max_frame)?;
        Ok((buf.len() >= header.total_size as usize).then_some(header))
    }

    /// The same for one frame.
    #[cfg(any(test, feature = "__fuzz", feature = "__bench"))]
    pub(crate) fn decode(&self, buf: &mut BytesMut) -> Result<Option<Frame>, WireError> {
        let mut frames = Vec::new();
        self.decode_to(&mut frames, buf)?;
        Ok(frames.pop())
    }

    /// The message at the front, and all of the same stream that are there whole behind it.
    fn run(&self, first: &Header, buf: &mut BytesMut) -> Messages {
        let (mut end, mut count) = (first.total_size as usize, 1);
        while let Some(fixed) = buf[end..].first_chunk()
            && let Some(size) = first.size_of_next(fixed)
            && (HEADER_LEN..=self.max_frame.min(buf.len() - end)).contains(&size)
        {
            end += size;
            count += 1;
        }
        Messages::new(take(buf, end), count, FRAMING)
    }

    /// How many more bytes the frame at the front needs, as far as can be known; 0 when
    /// [`decode_to`](Self::decode_to) has something to say. Without a fixed header 1 to 16, and
    /// never more than the frame limit: but a peer that has proven nothing chose the number, so do
    /// not allocate it at once.
    pub(crate) fn missing(&self, buf: &[u8]) -> usize {
        let size = match buf.first_chunk().map(|fixed| Header::from_bytes(fixed, self.max_frame)) {
            None => HEADER_LEN,
            Some(Ok(header)) => header.total_size as usize,
            Some(Err(_)) => 0,
        };
        size.saturating_sub(buf.len())
    }

    /// The kind and the size of the frame at the front, also if it is larger than may be received.
    /// `None` while its headers are not there.
    pub(crate) fn begun(&self, buf: &[u8]) -> Option<(Begun, usize)> {
        let header = Header::from_bytes(buf.first_chunk()?, usize::MAX).ok()?;
        let (id, size) = (StreamId(header.id.into()), header.total_size as usize);
        let begun = match header.frame_type {
            FrameType::Stream if header.kind == DATA => Begun::Message(id),
            FrameType::Stream => Begun::Control(id),
            FrameType::Unary => {
                let head =
                    UnaryHead { id: header.id, version: header.version, reserved: header.reserved };
                let meta = buf.get(HEADER_LEN..HEADER_LEN + usize::from(header.header_size))?;
                let (request_id, one_way) = self.says(meta).unwrap_or((header.id, false));
                {
                    let tag = CallTag { request_id, ..CallTag::of(head) };
                    Begun::Call { tag: input::CallTag::Trpc(tag), one_way }
                }
            }
        };
        Some((begun, size))
    }

    /// The id in a protobuf header, and whether it wants no answer.
    fn says(&self, header: &[u8]) -> Option<(u32, bool)> {
        if header.is_empty() || header.len() > self.max_header {
            return None;
        }
        match self.side {
            Side::Server => {
                entries::check(header, entries::IN_REQUEST).ok()?;
                let meta = RequestProtocol::decode(header).ok()?;
                Some((meta.request_id, meta.call_type == ONE_WAY))
            }
            Side::Client => {
                entries::check(header, entries::IN_RESPONSE).ok()?;
                Some((ResponseProtocol::decode(header).ok()?.request_id, false))
            }
        }
    }

    /// The stream and the payload of the message at the front, if it is one.
    pub(crate) fn message(&self, buf: &[u8]) -> Option<(StreamId, u32)> {
        let header = Header::from_bytes(buf.first_chunk()?, self.max_frame).ok()?;
        let size = header.total_size - HEADER_LEN as u32;
        ((header.frame_type, header.kind) == (FrameType::Stream, DATA))
            .then_some((StreamId(header.id.into()), size))
    }

    #[inline]
    fn unary<F: Decoded>(&self, header: &Header, rest: Bytes, frames: &mut Vec<F>) {
        let head = UnaryHead { id: header.id, version: header.version, reserved: header.reserved };
        let header_len = usize::from(header.header_size);
        let pushed = match self.side {
            // PROTOCOL 37
            _ if header_len > self.max_header => Err(self.too_large(header_len)),
            Side::Server => F::push_request(frames, head, header_len, rest),
            Side::Client => F::push_response(frames, head, header_len, rest),
        };
        // PROTOCOL 4
        if let Err(why) = pushed {
            frames.push(F::bad_unary(head, why, self.side));
        }
    }

    // Not inlined, so that the messages around it are found by what is small.
    #[inline(never)]
    fn control<F: Decoded>(
        &self,
        header: &Header,
        buf: &mut BytesMut,
        len: usize,
        frames: &mut Vec<F>,
    ) {
        let (id, behind) = (StreamId(header.id.into()), buf.len() - len);
        // PROTOCOL 4
        if let Err(why) = self.push_control(id, header.kind, buf, len, frames) {
            frames.push(F::bad_stream(id, why));
        }
        buf.advance(buf.len() - behind);
    }

    fn push_control<F: Decoded>(
        &self,
        id: StreamId,
        kind: u8,
        buf: &mut BytesMut,
        len: usize,
        frames: &mut Vec<F>,
    ) -> Result<(), FrameFault> {
        match kind {
            // PROTOCOL 37
            _ if len > self.max_header => return Err(self.too_large(len)),
            INIT => F::push_init(frames, id, &take(buf, len), self.side)?,
            CLOSE => {
                // Most say nothing but that all is well.
                let meta = if len == 0 { CloseMeta::default() } else { close(&buf[..len])? };
                frames.push(F::close(id, meta, self.side));
            }
            FEEDBACK => {
                let meta: FeedbackMeta = read(&buf[..len])?;
                frames.push(F::feedback(id, meta.window_size_increment));
            }
            unknown => return Err(FrameFault::UnknownKind(unknown)),
        }
        Ok(())
    }

    fn too_large(&self, size: usize) -> FrameFault {
        FrameFault::HeaderTooLarge { size, limit: self.max_header }
    }
}

/// The protobuf header of a request, the body and the attachment.
pub(super) fn request(
    mut rest: Bytes,
    header_len: usize,
) -> Result<(RequestProtocol, Bytes, Bytes), FrameFault> {
    if header_len == 0 {
        return Err(FrameFault::NoHeader);
    }
    let meta =
        unary_header(&mut rest, header_len, entries::IN_REQUEST, |meta: &mut RequestProtocol| {
            &mut meta.trans_info
        })?;
    let (body, attachment) = split(rest, meta.request_id, meta.attachment_size)?;
    Ok((meta, body, attachment))
}

/// The same for an answer. An empty header is fine here: it is the success of call 0, and tRPC-Cpp
/// sends it.
// PROTOCOL 8
pub(super) fn response(
    mut rest: Bytes,
    header_len: usize,
) -> Result<(ResponseProtocol, Bytes, Bytes), FrameFault> {
    let meta = unary_header(
        &mut rest,
        header_len,
        entries::IN_RESPONSE,
        |meta: &mut ResponseProtocol| &mut meta.trans_info,
    )?;
    let (body, attachment) = split(rest, meta.request_id, meta.attachment_size)?;
    Ok((meta, body, attachment))
}

/// Takes a protobuf header off the front.
fn unary_header<M: Message + Default>(
    rest: &mut Bytes,
    len: usize,
    path: &[u32],
    trans_info: impl FnOnce(&mut M) -> &mut Vec<TransInfoEntry>,
) -> Result<M, FrameFault> {
    entries::check(&rest[..len], path)?;
    let mut meta = M::decode(rest.split_to(len))?;
    let entries = trans_info(&mut meta);
    entries::settle(entries);
    entries::let_go_of_input(entries);
    Ok(meta)
}

/// The body and the attachment, which is the end of what follows the protobuf header.
pub(super) fn split(
    mut rest: Bytes,
    request_id: u32,
    attachment: u32,
) -> Result<(Bytes, Bytes), FrameFault> {
    let (attachment, left) = (attachment as usize, rest.len());
    let Some(body) = left.checked_sub(attachment) else {
        return Err(FrameFault::AttachmentOverrun { request_id, attachment, left });
    };
    let attachment = rest.split_off(body);
    Ok((rest, attachment))
}

#[inline(always)]
pub(super) fn init(bytes: &[u8]) -> Result<InitMeta, FrameFault> {
    entries::check(bytes, entries::IN_INIT)?;
    let mut meta: InitMeta = read(bytes)?;
    if let Some(request) = &mut meta.request_meta {
        entries::settle(&mut request.trans_info);
    }
    Ok(meta)
}

#[inline(always)]
pub(super) fn close(bytes: &[u8]) -> Result<CloseMeta, FrameFault> {
    entries::check(bytes, entries::IN_CLOSE)?;
    let mut meta: CloseMeta = read(bytes)?;
    entries::settle(&mut meta.trans_info);
    Ok(meta)
}

/// The names and the metadata in here may live as long as the stream. They are copied, so that they
/// do not keep a whole read buffer alive for that long.
#[inline(always)]
pub(super) fn read<M: Message + Default>(bytes: &[u8]) -> Result<M, FrameFault> {
    Ok(M::decode(bytes)?)
}

#[inline]
fn take(buf: &mut BytesMut, len: usize) -> Bytes {
    buf.split_to(len).freeze()
}

/// The largest value of the length field of a unary header.
const MAX_HEADER: usize = u16::MAX as usize;
