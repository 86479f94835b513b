//! The protobuf headers of unary frames, as they mostly are: without metadata, each field once and
//! short. These are read and written here, in a fraction of the time; all others by prost, which
//! makes the same of them.

use bytes::Bytes;
use trill_proto::{RequestProtocol, ResponseProtocol};

/// Reads the header at the front of `frame`, which takes so many bytes, if it is plain. Names are
/// slices of the frame.
#[inline]
pub(super) fn request(frame: &Bytes, header_len: usize) -> Option<RequestProtocol> {
    let mut fields = Fields { header: &frame[..header_len], frame, at: 0 };
    let mut meta = RequestProtocol::default();
    while let Some(key) = fields.key() {
        match key {
            VERSION => meta.version = fields.number()?,
            CALL_TYPE => meta.call_type = fields.number()?,
            REQUEST_ID => meta.request_id = fields.number()?,
            0x20 => meta.timeout = fields.number()?,
            0x2a => meta.caller = fields.bytes()?,
            0x32 => meta.callee = fields.bytes()?,
            0x3a => meta.func = fields.bytes()?,
            0x40 => meta.message_type = fields.number()?,
            0x50 => meta.content_type = fields.number()?,
            0x58 => meta.content_encoding = fields.number()?,
            ATTACHMENT_SIZE => meta.attachment_size = fields.number()?,
            _ => return None,
        }
    }
    Some(meta)
}

/// The same for an answer.
#[inline]
pub(super) fn response(frame: &Bytes, header_len: usize) -> Option<ResponseProtocol> {
    let mut fields = Fields { header: &frame[..header_len], frame, at: 0 };
    let mut meta = ResponseProtocol::default();
    while let Some(key) = fields.key() {
        match key {
            VERSION => meta.version = fields.number()?,
            CALL_TYPE => meta.call_type = fields.number()?,
            REQUEST_ID => meta.request_id = fields.number()?,
            // A negative number takes ten bytes, so these five make no negative one.
            0x20 => meta.ret = i32::try_from(fields.number()?).ok()?,
            0x28 => meta.func_ret = i32::try_from(fields.number()?).ok()?,
            0x32 => meta.error_msg = fields.bytes()?,
            0x38 => meta.message_type = fields.number()?,
            0x48 => meta.content_type = fields.number()?,
            0x50 => meta.content_encoding = fields.number()?,
            ATTACHMENT_SIZE => meta.attachment_size = fields.number()?,
            _ => return None,
        }
    }
    Some(meta)
}

/// A header that may be plain.
pub(super) trait Plain {
    /// How many bytes it takes; `None` if it is not plain.
    fn plain_len(&self) -> Option<usize>;

    /// Appends it.
    fn write_plain(&self, out: &mut Vec<u8>);
}

impl Plain for RequestProtocol {
    #[inline]
    fn plain_len(&self) -> Option<usize> {
        let numbers = [
            self.version,
            self.call_type,
            self.request_id,
            self.timeout,
            self.message_type,
            self.content_type,
            self.content_encoding,
            self.attachment_size,
        ];
        let names = names_len(&[&self.caller, &self.callee, &self.func]);
        self.trans_info.is_empty().then(|| numbers_len(numbers) + names)
    }

    #[inline]
    fn write_plain(&self, out: &mut Vec<u8>) {
        Numbers::default()
            .with(VERSION, self.version)
            .with(CALL_TYPE, self.call_type)
            .with(REQUEST_ID, self.request_id)
            .with(0x20, self.timeout)
            .write(out);
        write_bytes(out, 0x2a, &self.caller);
        write_bytes(out, 0x32, &self.callee);
        write_bytes(out, 0x3a, &self.func);
        Numbers::default()
            .with(0x40, self.message_type)
            .with(0x50, self.content_type)
            .with(0x58, self.content_encoding)
            .with(ATTACHMENT_SIZE, self.attachment_size)
            .write(out);
    }
}

impl Plain for ResponseProtocol {
    #[inline]
    fn plain_len(&self) -> Option<usize> {
        let (Ok(ret), Ok(func_ret)) = (u32::try_from(self.ret), u32::try_from(self.func_ret))
        else {
            return None;
        };
        let numbers = [
            self.version,
            self.call_type,
            self.request_id,
            ret,
            func_ret,
            self.message_type,
            self.content_type,
            self.content_encoding,
            self.attachment_size,
        ];
        self.trans_info.is_empty().then(|| numbers_len(numbers) + names_len(&[&self.error_msg]))
    }

    #[inline]
    fn write_plain(&self, out: &mut Vec<u8>) {
        Numbers::default()
            .with(VERSION, self.version)
            .with(CALL_TYPE, self.call_type)
            .with(REQUEST_ID, self.request_id)
            .with(0x20, self.ret.unsigned_abs())
            .with(0x28, self.func_ret.unsigned_abs())
            .write(out);
        write_bytes(out, 0x32, &self.error_msg);
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

/// The rest of a header that is being read.
struct Fields<'a> {
    header: &'a [u8],
    frame: &'a Bytes,
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

    #[inline]
    fn bytes(&mut self) -> Option<Bytes> {
        let len = self.number()? as usize;
        let end = self.at.checked_add(len).filter(|end| *end <= self.header.len())?;
        let bytes = self.frame.slice(self.at..end);
        self.at = end;
        Some(bytes)
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
