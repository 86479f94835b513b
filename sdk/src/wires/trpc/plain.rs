//! The protobuf headers of frames, as they mostly are: without metadata, each field once and short.
//! These are read and written here, in a fraction of the time; all others by prost, which makes the
//! same of them.

mod init;

use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;

use crate::framing::Head;

use super::encode::HeaderFields;

pub(super) use init::{PlainAccept, PlainOpen, accepted, open};

/// The header of a request without metadata: `H` is its [`Head`].
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct PlainRequest<H> {
    pub(super) head: H,
    pub(super) request_id: u32,
    pub(super) call_type: u32,
    /// In milliseconds; 0 is none. When it is read, the head has it as well.
    pub(super) timeout: u32,
    pub(super) attachment_size: u32,
}

/// The header of an answer without metadata: `T` is its text.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct PlainResponse<T> {
    pub(super) request_id: u32,
    pub(super) ret: u32,
    pub(super) func_ret: u32,
    pub(super) message: T,
    pub(super) message_type: u32,
    pub(super) content_type: u32,
    pub(super) content_encoding: u32,
    pub(super) attachment_size: u32,
}

/// Reads the header at the front of `frame`, which takes so many bytes, if it is plain. Names are
/// slices of the frame. The callee is passed over, as a server has no use for it.
#[inline]
pub(super) fn request(frame: &Bytes, header_len: usize) -> Option<PlainRequest<Head>> {
    let mut fields = Fields { header: &frame[..header_len], at: 0 };
    let mut meta = PlainRequest::<Head>::default();
    let (mut caller, mut method) = (0..0, 0..0);
    while let Some(key) = fields.key() {
        match key {
            VERSION => {
                fields.number()?;
            }
            CALL_TYPE => meta.call_type = fields.number()?,
            REQUEST_ID => meta.request_id = fields.number()?,
            TIMEOUT => meta.timeout = fields.number()?,
            CALLER => caller = fields.place()?,
            CALLEE => {
                fields.place()?;
            }
            METHOD => method = fields.place()?,
            0x40 => meta.head.message_type = fields.number()?,
            0x50 => meta.head.content_type = fields.number()?,
            0x58 => meta.head.content_encoding = fields.number()?,
            ATTACHMENT_SIZE => meta.attachment_size = fields.number()?,
            _ => return None,
        }
    }
    // It has no method then, and most likely no header.
    if method.is_empty() {
        return None;
    }
    meta.head.timeout = duration(meta.timeout);
    (meta.head.caller, meta.head.method) = (frame.slice(caller), frame.slice(method));
    Some(meta)
}

/// The same for an answer.
#[inline]
pub(super) fn response(frame: &Bytes, header_len: usize) -> Option<PlainResponse<Bytes>> {
    let mut fields = Fields { header: &frame[..header_len], at: 0 };
    let mut meta = PlainResponse::<Bytes>::default();
    let mut message = 0..0;
    while let Some(key) = fields.key() {
        match key {
            VERSION | CALL_TYPE => {
                fields.number()?;
            }
            REQUEST_ID => meta.request_id = fields.number()?,
            // A negative number takes ten bytes, so these five make no negative one.
            0x20 => meta.ret = fields.number().filter(|ret| *ret <= MOST)?,
            0x28 => meta.func_ret = fields.number().filter(|ret| *ret <= MOST)?,
            0x32 => message = fields.place()?,
            0x38 => meta.message_type = fields.number()?,
            0x48 => meta.content_type = fields.number()?,
            0x50 => meta.content_encoding = fields.number()?,
            ATTACHMENT_SIZE => meta.attachment_size = fields.number()?,
            _ => return None,
        }
    }
    if !message.is_empty() {
        meta.message = frame.slice(message);
    }
    Some(meta)
}

#[inline]
pub(super) fn duration(milliseconds: u32) -> Option<Duration> {
    (milliseconds > 0).then(|| Duration::from_millis(milliseconds.into()))
}

impl HeaderFields for PlainRequest<&Head> {
    #[inline]
    fn size(&self) -> usize {
        let numbers = [
            self.call_type,
            self.request_id,
            self.timeout,
            self.head.message_type,
            self.head.content_type,
            self.head.content_encoding,
            self.attachment_size,
        ];
        numbers_len(numbers) + names_len(&[&self.head.caller, &self.head.callee, &self.head.method])
    }

    #[inline]
    fn write(&self, out: &mut Vec<u8>) {
        Numbers::default()
            .with(CALL_TYPE, self.call_type)
            .with(REQUEST_ID, self.request_id)
            .with(TIMEOUT, self.timeout)
            .write(out);
        write_bytes(out, CALLER, &self.head.caller);
        write_bytes(out, CALLEE, &self.head.callee);
        write_bytes(out, METHOD, &self.head.method);
        Numbers::default()
            .with(0x40, self.head.message_type)
            .with(0x50, self.head.content_type)
            .with(0x58, self.head.content_encoding)
            .with(ATTACHMENT_SIZE, self.attachment_size)
            .write(out);
    }
}

impl HeaderFields for PlainResponse<&Bytes> {
    #[inline]
    fn size(&self) -> usize {
        let numbers = [
            self.request_id,
            self.ret,
            self.func_ret,
            self.message_type,
            self.content_type,
            self.content_encoding,
            self.attachment_size,
        ];
        numbers_len(numbers) + names_len(&[self.message])
    }

    #[inline]
    fn write(&self, out: &mut Vec<u8>) {
        Numbers::default()
            .with(REQUEST_ID, self.request_id)
            .with(0x20, self.ret)
            .with(0x28, self.func_ret)
            .write(out);
        write_bytes(out, 0x32, self.message);
        Numbers::default()
            .with(0x38, self.message_type)
            .with(0x48, self.content_type)
            .with(0x50, self.content_encoding)
            .with(ATTACHMENT_SIZE, self.attachment_size)
            .write(out);
    }
}

/// Field number and wire type, as one byte. These are the same in both headers.
const VERSION: u8 = 0x08;
const CALL_TYPE: u8 = 0x10;
const REQUEST_ID: u8 = 0x18;
const ATTACHMENT_SIZE: u8 = 0x60;
/// These are of a request.
const TIMEOUT: u8 = 0x20;
const CALLER: u8 = 0x2a;
const CALLEE: u8 = 0x32;
const METHOD: u8 = 0x3a;

/// The largest number of a field that has a sign.
const MOST: u32 = i32::MAX as u32;

/// The rest of a header that is being read.
struct Fields<'a> {
    header: &'a [u8],
    at: usize,
}

impl Fields<'_> {
    #[inline]
    fn key(&mut self) -> Option<u8> {
        let key = *self.header.get(self.at)?;
        self.at += 1;
        Some(key)
    }

    /// A number of at most 32 bits, in no more bytes than it needs to have.
    #[inline]
    fn number(&mut self) -> Option<u32> {
        let mut number = 0;
        for shift in [0, 7, 14, 21, 28] {
            let byte = u32::from(self.key()?);
            if byte < 0x80 {
                // Four bits are left for the fifth byte.
                return (shift < 28 || byte < 0x10).then_some(number | byte << shift);
            }
            number |= (byte & 0x7f) << shift;
        }
        None
    }

    /// The place of a name.
    #[inline]
    fn place(&mut self) -> Option<Range<usize>> {
        let len = self.number()? as usize;
        let end = self.at.checked_add(len).filter(|end| *end <= self.header.len())?;
        Some(std::mem::replace(&mut self.at, end)..end)
    }
}

/// Number fields that stand behind each other, on their way into a header: one append for all of
/// them.
#[derive(Default)]
struct Numbers {
    /// Of up to five fields with a key and up to five bytes each.
    bytes: [u8; 32],
    len: usize,
}

impl Numbers {
    /// Adds a field, unless it is 0, which is not written.
    #[inline]
    fn with(mut self, key: u8, number: u32) -> Self {
        if number != 0 {
            self.push(key);
            self.varint(number);
        }
        self
    }

    #[inline]
    fn varint(&mut self, mut number: u32) {
        while number >= 0x80 {
            self.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.push(number as u8);
    }

    #[inline]
    fn push(&mut self, byte: u8) {
        self.bytes[self.len] = byte;
        self.len += 1;
    }

    #[inline]
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.bytes[..self.len]);
    }
}

#[inline]
fn write_bytes(out: &mut Vec<u8>, key: u8, bytes: &Bytes) {
    if bytes.is_empty() {
        return;
    }
    if bytes.len() < 0x80 {
        out.extend_from_slice(&[key, bytes.len() as u8]);
    } else {
        let mut start = Numbers::default();
        start.push(key);
        // The writer has checked the header's size, which is below 64 KiB.
        start.varint(bytes.len() as u32);
        start.write(out);
    }
    out.extend_from_slice(bytes);
}

#[inline]
fn numbers_len<const N: usize>(numbers: [u32; N]) -> usize {
    numbers
        .into_iter()
        .filter(|number| *number != 0)
        .map(|number| 1 + varint_len(number as usize))
        .sum()
}

#[inline]
fn names_len(names: &[&Bytes]) -> usize {
    names
        .iter()
        .filter(|name| !name.is_empty())
        .map(|name| 1 + varint_len(name.len()) + name.len())
        .sum()
}

#[inline]
fn varint_len(number: usize) -> usize {
    (usize::BITS - (number | 1).leading_zeros()).div_ceil(7) as usize
}
