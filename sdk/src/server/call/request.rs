//! The request of a unary call: unpacked, decoded, and counted by the memory that it keeps.

use std::task::Poll;

use bytes::{Buf, Bytes};

use crate::error::{Code, Error, ErrorKind, Origin, Result};
use crate::service::CallRef;
use crate::stream::{Compression, FromJson, Message, UnpackError, elsewhere, pay_for_decoding, unpack};
use crate::transport::Overrun;

/// From this size on a request is counted anew when it is decoded. For less the count is not worth
/// the lock.
const COUNTED: usize = 4 * 1024;

/// A field of a smaller request is copied: a message that shares the body keeps all of the buffer into
/// which it was read, 64 KiB, for as long as a handler has it.
const SHARED: usize = 32 * 1024;

/// A request from this size on is decoded elsewhere: that takes a millisecond.
const LARGE: usize = 1024 * 1024;

/// A request's body.
pub(super) struct Request {
    body: Bytes,
    /// What its connection counts for it.
    counted: usize,
}

/// Why a request is not unpacked.
enum Refused {
    Unpack(UnpackError),
    NoRoom { needed: usize, over: Overrun },
}

impl Request {
    pub(super) fn new(body: Bytes) -> Self {
        Self { counted: body.len(), body }
    }

    /// Unpacks it, as far as there is room for what comes out.
    pub(super) async fn unpacked(self, compression: Compression, call: &CallRef) -> Result<Self> {
        let mut counted = self.counted;
        let limit = call.link().config().max_received;
        let hold = |needed| {
            let held = call.recount(counted, needed).map_err(|over| {
                call.link().count_no_room();
                Refused::NoRoom { needed, over }
            });
            counted = if held.is_ok() { needed } else { counted };
            Poll::Ready(held)
        };
        let body = unpack(call.link().peer_key(), compression, self.body, limit, hold).await?;
        Ok(Self { body, counted })
    }

    /// Decodes it where that keeps no task from its turn.
    pub(super) async fn decode_large<Req: Message>(
        self,
        from_json: Option<FromJson<Req>>,
        call: &CallRef,
    ) -> Result<Req> {
        let Self { body, counted } = self;
        let (shared, size) = (body.clone(), body.len());
        let request = elsewhere(call.link().peer_key(), move || decode(body, from_json)).await;
        recount(&request, (size, shared), from_json.is_some(), counted, call);
        request
    }

    pub(super) fn is_large(&self) -> bool {
        self.body.len() >= LARGE
    }

    /// Decodes it. From then on it counts with what the message keeps: all of the body if a field
    /// shares it, and else what it takes to write the message.
    #[inline]
    pub(super) fn decode<Req: Message>(
        self,
        from_json: Option<FromJson<Req>>,
        call: &CallRef,
    ) -> Result<Req> {
        let Self { body, counted } = self;
        if counted < COUNTED {
            return decode(body, from_json);
        }
        let (shared, size) = (body.clone(), body.len());
        let request = decode(body, from_json);
        pay_for_decoding(size);
        recount(&request, (size, shared), from_json.is_some(), counted, call);
        request
    }
}

/// Counts what a message keeps of its body instead of that.
fn recount<Req: Message>(
    request: &Result<Req>,
    (size, body): (usize, Bytes),
    is_json: bool,
    counted: usize,
    call: &CallRef,
) {
    let kept = match request {
        Err(_) => 0,
        Ok(request) if !is_json && (size < SHARED || body.is_unique()) => request.size().min(size),
        Ok(_) => size,
    };
    drop(body);
    // Without room for more the count stays.
    let _ = call.recount(counted, kept);
}

#[inline]
fn decode<Req: Message>(plain: Bytes, from_json: Option<FromJson<Req>>) -> Result<Req> {
    let name = std::any::type_name::<Req>();
    if let Some(from_json) = from_json {
        return from_json(&plain)
            .map_err(|error| undecodable(format!("the request is not the JSON of a {name}: {error}")));
    }
    let request = if plain.len() < SHARED { Req::read_from(Copied(&plain)) } else { Req::read_from(plain) };
    request.map_err(|error| undecodable(format!("the request is not a {name}: {error}")))
}

/// Bytes of which every field gets a copy. A slice alone would do, but it copies by way of a buffer that
/// can grow.
struct Copied<'a>(&'a [u8]);

impl Buf for Copied<'_> {
    #[inline]
    fn remaining(&self) -> usize {
        self.0.len()
    }

    #[inline]
    fn chunk(&self) -> &[u8] {
        self.0
    }

    #[inline]
    fn advance(&mut self, count: usize) {
        self.0 = &self.0[count..];
    }

    #[inline]
    fn copy_to_bytes(&mut self, len: usize) -> Bytes {
        let (field, rest) = self.0.split_at(len);
        self.0 = rest;
        Bytes::copy_from_slice(field)
    }
}

fn undecodable(text: String) -> Error {
    Error::new(ErrorKind::Decode, Origin::Peer, Code::SERVER_DECODE_ERR, text)
}

impl From<UnpackError> for Refused {
    fn from(error: UnpackError) -> Self {
        Self::Unpack(error)
    }
}

impl From<Refused> for Error {
    #[cold]
    fn from(why: Refused) -> Self {
        match why {
            Refused::Unpack(error) => undecodable(format!("the request cannot be unpacked: {error}")),
            Refused::NoRoom { needed, over } => {
                let text = format!(
                    "the server is overloaded: the request takes {needed} bytes while it is unpacked, and {over}"
                );
                Self::new(ErrorKind::Limit, Origin::Peer, Code::SERVER_OVERLOAD_ERR, text)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use trill_proto::RequestProtocol;

    use super::*;

    /// Decodes a request with such a field out of a larger buffer, and gives whether that is kept.
    fn keeps_its_buffer(field: usize) -> bool {
        let message = RequestProtocol { func: vec![b'x'; field].into(), ..RequestProtocol::default() };
        let mut read = Vec::new();
        message.write_to(&mut read);
        let size = read.len();
        read.resize(64 * 1024, 0);
        let buffer = Bytes::from(read);
        let request: RequestProtocol = decode(buffer.slice(..size), None).expect("it is one");
        assert_eq!(request, message);
        !buffer.is_unique()
    }

    #[test]
    fn a_small_request_does_not_keep_the_buffer_that_it_was_read_into() {
        assert_eq!([10, 20_000, 40_000].map(keeps_its_buffer), [false, false, true]);
    }
}
