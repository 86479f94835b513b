//! The protobuf message of INIT, as it mostly is: it opens a stream without metadata and deadline,
//! or accepts one.

use bytes::Bytes;

use crate::framing::Head;

use super::super::encode::HeaderFields;
use super::{Fields, Numbers, names_len, numbers_len, varint_len, write_bytes};

/// INIT of a client: `H` is the stream's [`Head`].
#[derive(Clone, PartialEq, Debug, Default)]
pub(in crate::wires::trpc) struct PlainOpen<H> {
    pub(in crate::wires::trpc) head: H,
    pub(in crate::wires::trpc) window: u32,
}

/// INIT of a server that accepts the stream.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(in crate::wires::trpc) struct PlainAccept {
    pub(in crate::wires::trpc) window: u32,
    pub(in crate::wires::trpc) content_type: u32,
}

/// Reads the message, if it is plain. Names are slices of it. The callee is passed over, as a
/// server has no use for it.
#[inline]
pub(in crate::wires::trpc) fn open(message: &Bytes) -> Option<PlainOpen<Head>> {
    let mut fields = Fields { header: message, at: 0 };
    let mut meta = PlainOpen::<Head>::default();
    let mut request = None;
    while let Some(key) = fields.key() {
        match key {
            // prost puts several of them together.
            REQUEST if request.is_none() => request = Some(fields.place()?),
            WINDOW => meta.window = fields.number()?,
            CONTENT_TYPE => meta.head.content_type = fields.number()?,
            CONTENT_ENCODING => meta.head.content_encoding = fields.number()?,
            _ => return None,
        }
    }
    let request = request?;
    let mut fields = Fields { header: &message[..request.end], at: request.start };
    let (mut caller, mut method) = (0..0, 0..0);
    while let Some(key) = fields.key() {
        match key {
            CALLER => caller = fields.place()?,
            CALLEE => {
                fields.place()?;
            }
            METHOD => method = fields.place()?,
            MESSAGE_TYPE => meta.head.message_type = fields.number()?,
            _ => return None,
        }
    }
    (meta.head.caller, meta.head.method) = (message.slice(caller), message.slice(method));
    Some(meta)
}

/// Reads the window of a server that accepts the stream, if the message is plain.
#[inline]
pub(in crate::wires::trpc) fn accepted(message: &[u8]) -> Option<u32> {
    let mut fields = Fields { header: message, at: 0 };
    let mut window = 0;
    while let Some(key) = fields.key() {
        match key {
            // With anything in it, it may be a refusal.
            RESPONSE if fields.place()?.is_empty() => {}
            WINDOW => window = fields.number()?,
            CONTENT_TYPE | CONTENT_ENCODING => {
                fields.number()?;
            }
            _ => return None,
        }
    }
    Some(window)
}

impl PlainOpen<&Head> {
    /// The bytes of the message in the message.
    #[inline]
    fn request_size(&self) -> usize {
        let Head { caller, callee, method, message_type, .. } = self.head;
        names_len(&[caller, callee, method]) + numbers_len([*message_type])
    }
}

impl HeaderFields for PlainOpen<&Head> {
    #[inline]
    fn size(&self) -> usize {
        let request = self.request_size();
        let Head { content_type, content_encoding, .. } = self.head;
        let numbers = numbers_len([self.window, *content_type, *content_encoding]);
        1 + varint_len(request) + request + numbers
    }

    #[inline]
    fn write(&self, out: &mut Vec<u8>) {
        let mut start = Numbers::default();
        start.push(REQUEST);
        // The writer checks the size of the whole frame against its limit.
        start.varint(self.request_size() as u32);
        start.write(out);
        write_bytes(out, CALLER, &self.head.caller);
        write_bytes(out, CALLEE, &self.head.callee);
        write_bytes(out, METHOD, &self.head.method);
        Numbers::default()
            .with(MESSAGE_TYPE, self.head.message_type)
            .with(WINDOW, self.window)
            .with(CONTENT_TYPE, self.head.content_type)
            .with(CONTENT_ENCODING, self.head.content_encoding)
            .write(out);
    }
}

impl HeaderFields for PlainAccept {
    #[inline]
    fn size(&self) -> usize {
        2 + numbers_len([self.window, self.content_type])
    }

    // PROTOCOL 15
    #[inline]
    fn write(&self, out: &mut Vec<u8>) {
        let mut message = Numbers::default();
        message.push(RESPONSE);
        message.push(0);
        message.with(WINDOW, self.window).with(CONTENT_TYPE, self.content_type).write(out);
    }
}

/// Field number and wire type, as one byte.
const REQUEST: u8 = 0x0a;
const RESPONSE: u8 = 0x12;
const WINDOW: u8 = 0x18;
const CONTENT_TYPE: u8 = 0x20;
const CONTENT_ENCODING: u8 = 0x28;
/// The same of the message in the message.
const CALLER: u8 = 0x0a;
const CALLEE: u8 = 0x12;
const METHOD: u8 = 0x1a;
const MESSAGE_TYPE: u8 = 0x20;
