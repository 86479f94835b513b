//! Frames by hand, for peers that do what Trill never does.

use trill::prost::Message;
use trill::prost::encoding::{WireType, encode_key, encode_varint};
use trill_proto::{
    CallType, CloseMeta, CloseType, FeedbackMeta, InitMeta, InitRequestMeta, RequestProtocol,
};

use crate::text;

/// The kinds of frames of streams.
const INIT: u8 = 1;
const DATA: u8 = 2;
const FEEDBACK: u8 = 3;
const CLOSE: u8 = 4;

/// A request to open a stream to a method of `Everything`, such as `Talk`.
#[must_use]
pub fn init(id: u32, method: &str, window: u32) -> Vec<u8> {
    let func = format!("/test.all.Everything/{method}").into();
    let request = InitRequestMeta { func, ..Default::default() };
    let meta =
        InitMeta { request_meta: Some(request), init_window_size: window, ..Default::default() };
    stream(INIT, id, &meta.encode_to_vec())
}

/// A message with a text.
#[must_use]
pub fn data(id: u32, message: &str) -> Vec<u8> {
    stream(DATA, id, &text(message).encode_to_vec())
}

/// Credit.
#[must_use]
pub fn feedback(id: u32, bytes: u32) -> Vec<u8> {
    stream(FEEDBACK, id, &FeedbackMeta { window_size_increment: bytes }.encode_to_vec())
}

/// A half-close.
#[must_use]
pub fn close(id: u32) -> Vec<u8> {
    stream(CLOSE, id, &CloseMeta::default().encode_to_vec())
}

/// The end of a stream with a code.
#[must_use]
pub fn reset(id: u32, code: i32) -> Vec<u8> {
    let meta = CloseMeta { close_type: CloseType::Reset as i32, ret: code, ..Default::default() };
    stream(CLOSE, id, &meta.encode_to_vec())
}

/// A unary call of a method of `Everything`, such as `Unary`.
#[must_use]
pub fn call(id: u32, method: &str, message: &str) -> Vec<u8> {
    let func = format!("/test.all.Everything/{method}").into();
    let meta = RequestProtocol { request_id: id, func, ..Default::default() }.encode_to_vec();
    let header = u16::try_from(meta.len()).expect("names are short");
    let mut frame = frame(0, 0, id, header, &meta, &text(message).encode_to_vec());
    // The version that clients put there.
    frame[14] = 1;
    frame
}

/// A unary or one-way request with all that a hostile client chooses.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Its number.
    pub id: u32,
    /// A method of `Everything`, one that it lacks, or the whole path of another service's.
    pub method: &'static str,
    /// The body, as it is sent.
    pub body: Vec<u8>,
    /// How the body is compressed: 1 is gzip, 6 is LZ4.
    pub packed: u32,
    /// A one-way call.
    pub one_way: bool,
    /// The name of the caller.
    pub caller: &'static str,
    /// Metadata, as it is sent: see [`entries`].
    pub metadata: Vec<u8>,
}

impl Request {
    /// The frame.
    ///
    /// # Panics
    /// The header is larger than a frame can say.
    #[must_use]
    pub fn frame(&self) -> Vec<u8> {
        let is_path = self.method.starts_with('/');
        let service = if is_path { "" } else { "/test.all.Everything/" };
        let func = format!("{service}{}", self.method).into();
        let call_type = if self.one_way { CallType::Oneway } else { CallType::Unary } as u32;
        let caller = self.caller.into();
        let (request_id, content_encoding) = (self.id, self.packed);
        let meta = RequestProtocol {
            request_id,
            func,
            call_type,
            caller,
            content_encoding,
            ..Default::default()
        };
        let mut meta = meta.encode_to_vec();
        meta.extend_from_slice(&self.metadata);
        let header = u16::try_from(meta.len()).expect("a header is at most 65,535 bytes");
        let mut frame = frame(0, 0, self.id, header, &meta, &self.body);
        frame[14] = 1;
        frame
    }
}

/// A request to open a stream whose messages are compressed, with metadata as it is sent.
#[must_use]
pub fn open(id: u32, method: &str, window: u32, packed: u32, metadata: &[u8]) -> Vec<u8> {
    let func = format!("/test.all.Everything/{method}").into();
    let mut request = InitRequestMeta { func, ..Default::default() }.encode_to_vec();
    request.extend_from_slice(metadata);
    let mut meta = field(1, &request);
    let rest =
        InitMeta { init_window_size: window, content_encoding: packed, ..Default::default() };
    meta.extend(rest.encode_to_vec());
    stream(INIT, id, &meta)
}

/// A message as it is, compressed or not.
#[must_use]
pub fn raw_data(id: u32, message: &[u8]) -> Vec<u8> {
    stream(DATA, id, message)
}

/// A request to open a stream that cannot be read.
#[must_use]
pub fn unreadable(id: u32) -> Vec<u8> {
    stream(INIT, id, &[0xff])
}

/// The tags of a metadata entry in the header of a call and of a stream.
pub const CALL_ENTRY: u32 = 9;
/// See [`CALL_ENTRY`].
pub const STREAM_ENTRY: u32 = 5;

/// Gives `count` metadata entries: empty ones, or with keys of four bytes that differ.
#[must_use]
pub fn entries(tag: u32, count: u32, keys: bool) -> Vec<u8> {
    let entry = |number: u32| if keys { field(1, &number.to_be_bytes()) } else { Vec::new() };
    (0..count).flat_map(|number| field(tag, &entry(number))).collect()
}

/// A field of bytes, as protobuf encodes it.
#[must_use]
pub fn field(tag: u32, bytes: &[u8]) -> Vec<u8> {
    let mut field = Vec::with_capacity(bytes.len() + 8);
    encode_key(tag, WireType::LengthDelimited, &mut field);
    encode_varint(bytes.len() as u64, &mut field);
    field.extend_from_slice(bytes);
    field
}

/// The fixed header of a frame that claims to be so large.
#[must_use]
pub fn claim(size: u32, id: u32) -> Vec<u8> {
    let mut head = stream(DATA, id, &[]);
    head[4..8].copy_from_slice(&size.to_be_bytes());
    head
}

fn stream(kind: u8, id: u32, payload: &[u8]) -> Vec<u8> {
    frame(1, kind, id, 0, &[], payload)
}

fn frame(frame_type: u8, kind: u8, id: u32, header: u16, meta: &[u8], body: &[u8]) -> Vec<u8> {
    let size = u32::try_from(16 + meta.len() + body.len()).expect("a frame is far below 4 GiB");
    let mut frame = vec![0x09, 0x30, frame_type, kind];
    frame.extend(size.to_be_bytes());
    frame.extend(header.to_be_bytes());
    frame.extend(id.to_be_bytes());
    frame.extend([0, 0]);
    frame.extend(meta);
    frame.extend(body);
    frame
}
