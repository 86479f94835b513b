//! Frames to bytes, appended to what is to be sent.

use bytes::{BufMut, Bytes};
use trill_proto::prost::Message;
use trill_proto::{CloseMeta, FeedbackMeta, InitMeta, RequestProtocol, ResponseProtocol};

use crate::framing::{Body, FrameBuf, Head, Largest, Prefix, StreamId, Uncommitted};

use super::error::WireError;
use super::frame::UnaryHead;
use super::header::{CLOSE, DATA, FEEDBACK, FRAMING, FrameType, HEADER_LEN, Header, INIT};
use super::plain;

/// The bytes in front of each message of a stream.
#[inline]
pub(super) fn prefix(id: StreamId) -> Prefix {
    Prefix::new(&stream_header(DATA, id, 0), FRAMING)
}

/// Appends DATA: the fixed header, then what `body` appends, which has to be exactly `len` bytes.
#[cfg(any(test, feature = "runtime", feature = "__fuzz"))]
pub(crate) fn data(
    out: &mut impl FrameBuf,
    id: StreamId,
    len: usize,
    body: impl Body,
) -> Result<(), WireError> {
    prefix(id).write(out, len, body).map_err(WireError::from)
}

/// Appends INIT.
///
/// # Panics
///
/// When the frame is over 4 GiB.
#[inline]
pub(crate) fn init(out: &mut Vec<u8>, id: StreamId, meta: &impl HeaderFields) {
    control(out, INIT, id, meta);
}

/// Appends FEEDBACK.
pub(crate) fn feedback(out: &mut Vec<u8>, id: StreamId, increment: u32) {
    control(out, FEEDBACK, id, &FeedbackMeta { window_size_increment: increment });
}

/// Appends CLOSE.
///
/// # Panics
///
/// When the frame is over 4 GiB.
pub(crate) fn close(out: &mut Vec<u8>, id: StreamId, meta: &CloseMeta) {
    control(out, CLOSE, id, meta);
}

/// Appends CLOSE that says nothing but that all is well: nothing is in it.
#[inline]
pub(super) fn plain_close(out: &mut Vec<u8>, id: StreamId) {
    out.extend_from_slice(&stream_header(CLOSE, id, 0));
}

/// The protobuf message of a frame.
pub(crate) trait HeaderFields {
    /// How many bytes it takes.
    fn size(&self) -> usize;

    /// Appends it.
    fn write(&self, out: &mut Vec<u8>);
}

/// The same of a unary frame.
pub(crate) trait UnaryHeader: HeaderFields {
    /// The size of the attachment that it names.
    fn attachment_size(&self) -> u32;
}

macro_rules! written_by_prost {
    ($($header:ty),*) => {
        $(impl HeaderFields for $header {
            fn size(&self) -> usize {
                self.encoded_len()
            }

            fn write(&self, out: &mut Vec<u8>) {
                self.encode_raw(out);
            }
        })*
    };
}

written_by_prost!(RequestProtocol, ResponseProtocol, InitMeta, FeedbackMeta, CloseMeta);

macro_rules! names_its_attachment {
    ($($header:ty),*) => {
        $(impl UnaryHeader for $header {
            #[inline]
            fn attachment_size(&self) -> u32 {
                self.attachment_size
            }
        })*
    };
}

names_its_attachment! {
    RequestProtocol, ResponseProtocol, plain::PlainRequest<&Head>, plain::PlainResponse<&Bytes>
}

/// A header that is most often a plain one. Both are written in one place, which is large.
pub(super) enum Mostly<P, F> {
    Plain(P),
    Full(F),
}

impl<P: HeaderFields, F: HeaderFields> HeaderFields for Mostly<P, F> {
    #[inline]
    fn size(&self) -> usize {
        match self {
            Self::Plain(header) => header.size(),
            Self::Full(header) => header.size(),
        }
    }

    #[inline]
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Plain(header) => header.write(out),
            Self::Full(header) => header.write(out),
        }
    }
}

impl<P: UnaryHeader, F: UnaryHeader> UnaryHeader for Mostly<P, F> {
    #[inline]
    fn attachment_size(&self) -> u32 {
        match self {
            Self::Plain(header) => header.attachment_size(),
            Self::Full(header) => header.attachment_size(),
        }
    }
}

/// Appends a request or an answer: the headers, then what `body` appends, which has to be exactly
/// `body_len` bytes, then the attachment. `meta` is sent as it is, so it already names the
/// attachment's size.
///
/// # Errors
///
/// When the frame or its protobuf header is over `limit`, the header is over 65,535 bytes, or the
/// body has another size than announced. In each case nothing is appended; nor if `body` panics.
pub(crate) fn unary(
    out: &mut impl FrameBuf,
    head: UnaryHead,
    meta: &impl UnaryHeader,
    limit: Largest,
    body_len: usize,
    body: impl Body,
    attachment: &[u8],
) -> Result<(), WireError> {
    debug_assert_eq!(
        meta.attachment_size() as usize,
        attachment.len(),
        "the header names the attachment's size"
    );
    let meta_len = meta.size();
    // PROTOCOL 37
    let max_header = limit.header.min(u16::MAX.into());
    let header_size = match u16::try_from(meta_len) {
        Ok(header_size) if meta_len <= max_header => header_size,
        _ => return Err(WireError::HeaderTooLarge { size: meta_len, limit: max_header }),
    };
    let size = HEADER_LEN
        .saturating_add(meta_len)
        .saturating_add(body_len)
        .saturating_add(attachment.len());
    let limit = limit.frame.min(MAX_FRAME);
    let total_size = match u32::try_from(size) {
        Ok(total_size) if size <= limit => total_size,
        _ => return Err(WireError::FrameTooLarge { size, limit }),
    };
    let UnaryHead { id, version, reserved } = head;
    let header = Header {
        frame_type: FrameType::Unary,
        kind: 0,
        total_size,
        header_size,
        id,
        version,
        reserved,
    };
    let mut frame = Uncommitted::new(out);
    frame.out.copied().reserve(HEADER_LEN + meta_len);
    frame.out.copied().extend_from_slice(&header.to_bytes());
    meta.write(frame.out.copied());
    frame.write_exactly(body_len, body)?;
    frame.out.copied().put_slice(attachment);
    frame.commit();
    Ok(())
}

#[inline]
fn control(out: &mut Vec<u8>, kind: u8, id: StreamId, meta: &impl HeaderFields) {
    let len = meta.size();
    let header = stream_header(kind, id, len);
    out.reserve(HEADER_LEN + len);
    out.extend_from_slice(&header);
    meta.write(out);
}

#[inline]
fn stream_header(kind: u8, id: StreamId, len: usize) -> [u8; HEADER_LEN] {
    let total_size = len.checked_add(HEADER_LEN).and_then(|size| u32::try_from(size).ok());
    let total_size = total_size.expect("whoever sends checks the size against its limit");
    // The range of ids has 32 bits, and so has the field from which the peer's are read.
    let (frame_type, id) = (FrameType::Stream, id.0 as u32);
    Header { frame_type, kind, total_size, header_size: 0, id, version: 0, reserved: 0 }.to_bytes()
}

/// The largest value of the size field.
const MAX_FRAME: usize = u32::MAX as usize;
