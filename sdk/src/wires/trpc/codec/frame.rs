//! A frame as it stands on the wire.

use bytes::{BufMut, Bytes};
use trill_proto::{FeedbackMeta, RequestProtocol, ResponseProtocol};

use crate::framing::{Largest, StreamId};
use crate::wires::trpc::decode;
use crate::wires::trpc::encode;
use crate::wires::trpc::error::{FrameFault, WireError};
use crate::wires::trpc::frame::UnaryHead;
use crate::wires::trpc::header::{CLOSE, DATA, FEEDBACK, HEADER_LEN, Header, INIT};

use super::content::{Close, Content, Init, Request, Response};
use super::error::FrameError;

/// One frame of tRPC: its bytes as they came, and views of what they say.
///
/// A frame that is read and written again is the same bytes, also where a field means nothing.
/// Clones share the bytes. `{}` shows a frame in a line; texts of peers are escaped in it.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame {
    kind: Kind,
    bytes: Bytes,
}

/// The kind of a frame.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Kind {
    /// A unary or one-way call.
    Request,
    /// The answer to a unary call.
    Response,
    /// Opens a stream, or answers that.
    Init,
    /// A message of a stream.
    Data,
    /// Credit for DATA.
    Feedback,
    /// The end of a direction or of the stream.
    Close,
    /// A frame of a stream, with a number that the protocol does not know.
    Unknown(u8),
}

impl Kind {
    pub(super) fn of_stream(kind: u8) -> Self {
        match kind {
            INIT => Self::Init,
            DATA => Self::Data,
            FEEDBACK => Self::Feedback,
            CLOSE => Self::Close,
            unknown => Self::Unknown(unknown),
        }
    }
}

/// No limit but that of the size fields: the codec has the limit.
const ANY: Largest = Largest { frame: u32::MAX as usize, header: u16::MAX as usize };

impl Frame {
    /// `bytes` are a whole frame, whose fixed header is right.
    pub(super) fn new(kind: Kind, bytes: Bytes) -> Self {
        Self { kind, bytes }
    }

    /// A request. Its id is in the fixed header as well.
    ///
    /// # Errors
    ///
    /// When the frame is above 4 GiB, or its header above 65,535 bytes.
    pub fn request(header: &Request, body: &[u8], attachment: &[u8]) -> Result<Self, FrameError> {
        let head = UnaryHead { id: header.request_id, ..UnaryHead::default() };
        let meta = RequestProtocol { attachment_size: size(attachment)?, ..header.to_meta() };
        let mut out = Vec::new();
        encode::unary(&mut out, head, &meta, ANY, body.len(), append(body), attachment)?;
        Ok(Self::new(Kind::Request, out.into()))
    }

    /// An answer; all else is as with [`request`](Self::request).
    ///
    /// # Errors
    ///
    /// As those of `request`.
    pub fn response(header: &Response, body: &[u8], attachment: &[u8]) -> Result<Self, FrameError> {
        let head = UnaryHead { id: header.request_id, ..UnaryHead::default() };
        let meta = ResponseProtocol { attachment_size: size(attachment)?, ..header.to_meta() };
        let mut out = Vec::new();
        encode::unary(&mut out, head, &meta, ANY, body.len(), append(body), attachment)?;
        Ok(Self::new(Kind::Response, out.into()))
    }

    /// A frame that opens a stream, or answers that.
    ///
    /// # Panics
    ///
    /// When it is above 4 GiB.
    #[must_use]
    pub fn init(stream: u32, init: &Init) -> Self {
        let mut out = Vec::new();
        encode::init(&mut out, StreamId(stream.into()), &init.to_meta());
        Self::new(Kind::Init, out.into())
    }

    /// A message of a stream.
    ///
    /// # Errors
    ///
    /// When the frame is above 4 GiB.
    pub fn data(stream: u32, message: &[u8]) -> Result<Self, FrameError> {
        size(message)?;
        let mut out = Vec::new();
        encode::data(&mut out, StreamId(stream.into()), message.len(), append(message))?;
        Ok(Self::new(Kind::Data, out.into()))
    }

    /// Credit for so many bytes of messages.
    #[must_use]
    pub fn feedback(stream: u32, increment: u32) -> Self {
        let mut out = Vec::new();
        encode::feedback(&mut out, StreamId(stream.into()), increment);
        Self::new(Kind::Feedback, out.into())
    }

    /// The end of a direction or of a stream.
    ///
    /// # Panics
    ///
    /// When it is above 4 GiB.
    #[must_use]
    pub fn close(stream: u32, close: &Close) -> Self {
        let mut out = Vec::new();
        encode::close(&mut out, StreamId(stream.into()), &close.to_meta());
        Self::new(Kind::Close, out.into())
    }

    /// The same frame with another id in its fixed header: another stream's, for a proxy that gives
    /// streams new numbers, or that of a request whose caller pairs by it. The bytes are copied.
    #[must_use]
    pub fn with_id(&self, id: u32) -> Self {
        let mut bytes = self.bytes.to_vec();
        bytes[..HEADER_LEN].copy_from_slice(&Header { id, ..self.fixed() }.to_bytes());
        Self::new(self.kind, bytes.into())
    }

    /// The kind of the frame.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The id in the fixed header: the stream's, or for a request and its answer a number by which
    /// some clients pair them. The id in [`Request`] is the one that counts.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.fixed().id
    }

    /// The version in the fixed header; it means nothing in a frame of a stream.
    #[must_use]
    pub fn version(&self) -> u8 {
        self.fixed().version
    }

    /// The last byte of the fixed header, which the protocol keeps for later.
    #[must_use]
    pub fn reserved(&self) -> u8 {
        self.fixed().reserved
    }

    /// All bytes of the frame, the 16 of the fixed header included.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The protobuf header as it came: that of a request or an answer, or the whole inside of INIT,
    /// FEEDBACK, CLOSE and what is unknown. DATA has none.
    #[must_use]
    pub fn header(&self) -> Bytes {
        self.bytes.slice(HEADER_LEN..self.body_at())
    }

    /// The bytes behind the header: the message of DATA, or the body and the attachment of a
    /// request or an answer.
    #[must_use]
    pub fn body(&self) -> Bytes {
        self.bytes.slice(self.body_at()..)
    }

    /// Decodes what the frame says. Bodies and messages are slices of its bytes.
    ///
    /// # Errors
    ///
    /// When the protobuf header is wrong, names a larger attachment than there is, or has more than
    /// 1,000 pairs of metadata, or when the kind is unknown: a connection ends that call or stream
    /// for this, and goes on.
    pub fn content(&self) -> Result<Content, FrameError> {
        let (rest, header_len) = (self.bytes.slice(HEADER_LEN..), self.header().len());
        let content = match self.kind {
            Kind::Request => {
                let (meta, body, attachment) = decode::request(rest, header_len)?;
                Content::Request { header: Request::of_meta(meta), body, attachment }
            }
            Kind::Response => {
                let (meta, body, attachment) = decode::response(rest, header_len)?;
                Content::Response { header: Response::of_meta(meta), body, attachment }
            }
            Kind::Init => Content::Init(Init::of_meta(decode::init(&rest)?)),
            Kind::Data => Content::Data(rest),
            Kind::Feedback => {
                let meta: FeedbackMeta = decode::read(&rest)?;
                Content::Feedback { increment: meta.window_size_increment }
            }
            Kind::Close => Content::Close(Close::of_meta(decode::close(&rest)?)),
            Kind::Unknown(kind) => return Err(FrameFault::UnknownKind(kind).into()),
        };
        Ok(content)
    }

    fn fixed(&self) -> Header {
        let fixed = self.bytes.first_chunk().expect("a frame has a fixed header");
        Header::from_bytes(fixed, usize::MAX).expect("it was right when the frame was made")
    }

    fn body_at(&self) -> usize {
        match self.kind {
            Kind::Request | Kind::Response => HEADER_LEN + usize::from(self.fixed().header_size),
            Kind::Data => HEADER_LEN,
            _ => self.bytes.len(),
        }
    }
}

/// The size of an attachment or a message, as the frame may carry it.
fn size(bytes: &[u8]) -> Result<u32, WireError> {
    let (size, limit) = (bytes.len().saturating_add(HEADER_LEN), ANY.frame);
    match u32::try_from(size) {
        Ok(size) => Ok(size - HEADER_LEN as u32),
        Err(_) => Err(WireError::FrameTooLarge { size, limit }),
    }
}

fn append(bytes: &[u8]) -> impl FnOnce(&mut Vec<u8>) {
    |out| out.put_slice(bytes)
}
