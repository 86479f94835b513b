//! The request of a call: unpacked, decoded, and counted by the memory that it keeps.

use std::task::Poll;

use bytes::Bytes;

use crate::driver::{BodyCharge, COPIED, Link, Overrun};
use crate::error::{At, Error, ErrorKind, Origin, Reason, Result};
use crate::service::CallRef;
use crate::stream::{
    Compression, DecodeError, Effort, FromJson, JsonError, LARGE_JSON, Message, STEPPED, StreamRef,
    UnpackError, decode_granted, decode_on_task, decode_small, elsewhere, json_steps,
    pay_for_decoding, unpack,
};

/// The memory of a request beside its bytes counts from here on: sixteen steps. For less the count
/// is not worth the lock, and each call counts 1 KiB besides.
const COUNTED: usize = 512;

/// A request from this size on is decoded elsewhere: that takes a millisecond.
const LARGE: usize = 1024 * 1024;

/// Where a request counts: at its call, or at the server stream that it has opened.
#[derive(Clone, Copy)]
pub(super) enum RequestAccount<'a> {
    Call(&'a CallRef),
    Stream(&'a StreamRef),
}

impl<'a> RequestAccount<'a> {
    fn link(self) -> &'a Link {
        match self {
            Self::Call(call) => call.link(),
            Self::Stream(stream) => stream.link(),
        }
    }

    /// Counts so many bytes, where `before` were counted. Without room for that nothing changes.
    fn recount(self, before: usize, now: usize) -> Result<(), Overrun> {
        match self {
            Self::Call(call) => call.recount(before, now),
            Self::Stream(stream) => stream.link().recount_request(stream.key(), before, now),
        }
    }

    /// The place where a request that is not what it should be is seen.
    fn place(self) -> At {
        match self {
            Self::Call(_) => At::ServerCall,
            Self::Stream(_) => At::ServerStream,
        }
    }
}

/// A request's body.
pub(super) struct RequestBody {
    body: Bytes,
    /// The bytes that its connection counts for it.
    counted: usize,
}

/// Why a request is not unpacked.
enum RequestRefusal {
    Unpack(UnpackError),
    NoRoom { needed: usize, over: Overrun, while_it_is: &'static str },
}

impl RequestBody {
    /// The body of a call, for which it counts.
    pub(super) fn of_call(body: Bytes) -> Self {
        Self { counted: body.len(), body }
    }

    /// The message that opened a server stream, unpacked. From now on it counts there: it may have
    /// to wait until it is decoded.
    pub(super) fn of_stream(body: Bytes, stream: &StreamRef) -> Result<Self> {
        let needed = body.len();
        if let Err(over) = stream.link().hold_request(stream.key(), needed) {
            stream.link().count_no_room();
            return Err(RequestRefusal::NoRoom { needed, over, while_it_is: "decoded" }.into());
        }
        Ok(Self { counted: needed, body })
    }

    /// Unpacks it, as far as there is room for what comes out.
    pub(super) async fn unpacked(self, compression: Compression, call: &CallRef) -> Result<Self> {
        let mut counted = self.counted;
        let limit = call.link().config().max_received;
        let hold = |needed| {
            let held = call.recount(counted, needed).map_err(|over| {
                call.link().count_no_room();
                RequestRefusal::NoRoom { needed, over, while_it_is: "unpacked" }
            });
            counted = if held.is_ok() { needed } else { counted };
            Poll::Ready(held)
        };
        let body = unpack(call.link().peer_key(), compression, self.body, limit, hold).await?;
        Ok(Self { body, counted })
    }

    /// Decodes it if that is little work. Else it comes back, and is to be decoded elsewhere.
    #[inline]
    pub(super) fn decode<Req: Message>(
        self,
        from_json: Option<FromJson<Req>>,
        account: RequestAccount<'_>,
    ) -> Result<Result<Req>, Self> {
        if self.body.len() >= STEPPED || from_json.is_some() {
            return self.decode_stepped(from_json, account);
        }
        let (message, effort) = decode_small::<Req>(&self.body);
        if effort.extra() < COUNTED && self.counted == self.body.len() {
            return Ok(message.map_err(|error| not_the_message::<Req>(&error, account.place())));
        }
        Ok(self.count_small(message, effort, account))
    }

    /// A small request counts with what it takes beside its bytes.
    #[inline(never)]
    fn count_small<Req: Message>(
        self,
        message: Result<Req, DecodeError>,
        effort: Effort,
        account: RequestAccount<'_>,
    ) -> Result<Req> {
        pay_for_decoding(0, effort.steps);
        let message = message.map_err(|error| not_the_message::<Req>(&error, account.place()))?;
        let kept = self.body.len() + counts(effort.extra_of(message.size()));
        settle(Ok(message), kept, self.counted, account)
    }

    /// Decodes a request whose steps are bounded while it is decoded.
    fn decode_stepped<Req: Message>(
        self,
        from_json: Option<FromJson<Req>>,
        account: RequestAccount<'_>,
    ) -> Result<Result<Req>, Self> {
        let limit = if from_json.is_some() { LARGE_JSON } else { LARGE };
        if self.body.len() >= limit {
            return Err(self);
        }
        let mut work = DecodingJob::new(self, account, true);
        let decoded = work.decode(from_json);
        let DecodingJob { body, counted, charge, .. } = work;
        drop(charge);
        let Some(DecodedRequest { request, steps, kept }) = decoded else {
            return Err(Self { body, counted });
        };
        pay_for_decoding(body.len(), steps);
        Ok(settle(request, kept, counted, account))
    }

    /// Decodes it where that keeps no task from its turn.
    pub(super) async fn decode_elsewhere<Req: Message>(
        self,
        from_json: Option<FromJson<Req>>,
        account: RequestAccount<'_>,
    ) -> Result<Req> {
        let counted = self.counted;
        let mut work = DecodingJob::new(self, account, false);
        let decoded = elsewhere(account.link().peer_key(), move || work.decode(from_json)).await;
        let DecodedRequest { request, kept, .. } =
            decoded.expect("it is as much work as it may be");
        settle(request, kept, counted, account)
    }
}

/// The decoding of a request.
struct DecodingJob {
    body: Bytes,
    /// The bytes that its connection counts for it.
    counted: usize,
    /// The count of its connection beside that, as long as it is decoded.
    charge: BodyCharge,
    /// The code of a request that is not what it should be.
    place: At,
    is_on_task: bool,
}

struct DecodedRequest<Req> {
    request: Result<Req, UndecodedRequest>,
    steps: usize,
    /// Bytes that the message keeps.
    kept: usize,
}

enum UndecodedRequest {
    Broken(Error),
    NoRoom(RequestRefusal),
}

impl DecodingJob {
    fn new(
        RequestBody { body, counted }: RequestBody,
        account: RequestAccount<'_>,
        is_on_task: bool,
    ) -> Self {
        Self { body, counted, charge: account.link().charge(), place: account.place(), is_on_task }
    }

    /// `None`: it is too much work for a task.
    fn decode<Req: Message>(
        &mut self,
        from_json: Option<FromJson<Req>>,
    ) -> Option<DecodedRequest<Req>> {
        if let Some(from_json) = from_json {
            return Some(self.decode_json(from_json));
        }
        let shares = self.body.len() >= COPIED;
        let body = self.body.clone();
        let (message, effort) = if self.is_on_task {
            decode_on_task(body, shares)?
        } else {
            let mut no_room = None;
            let decoded = decode_granted(body, shares, &mut |effort| {
                no_room = self.hold(effort.copied + effort.extra()).err();
                no_room.is_none()
            });
            match (decoded, no_room) {
                (Some(decoded), _) => decoded,
                (None, Some(refused)) => {
                    return Some(DecodedRequest::none(UndecodedRequest::NoRoom(refused)));
                }
                (None, None) => unreachable!("it is asked"),
            }
        };
        Some(match message {
            Ok(message) => {
                let kept = self.kept(&message, effort);
                DecodedRequest { request: Ok(message), steps: effort.steps, kept }
            }
            Err(error) => DecodedRequest {
                steps: effort.steps,
                ..DecodedRequest::none(UndecodedRequest::Broken(not_the_message::<Req>(
                    &error, self.place,
                )))
            },
        })
    }

    fn decode_json<Req: Message>(&mut self, from_json: FromJson<Req>) -> DecodedRequest<Req> {
        let steps = json_steps(&self.body);
        let needed = self.body.len() + counts(Effort::new(steps).extra());
        if let Err(refused) = self.hold(needed) {
            return DecodedRequest::none(UndecodedRequest::NoRoom(refused));
        }
        match from_json(&self.body) {
            Ok(message) => DecodedRequest { request: Ok(message), steps, kept: needed },
            Err(error) => DecodedRequest {
                steps,
                ..DecodedRequest::none(UndecodedRequest::Broken(not_the_json::<Req>(
                    &error, self.place,
                )))
            },
        }
    }

    /// Counts so much for the message, if it is more than its body counts with.
    fn hold(&mut self, needed: usize) -> Result<(), RequestRefusal> {
        let more = needed.saturating_sub(self.counted);
        if more == 0 {
            return Ok(());
        }
        let held = self.charge.recount_request(more);
        held.map_err(|over| RequestRefusal::NoRoom { needed, over, while_it_is: "decoded" })
    }

    /// Bytes that a message keeps: all of the body if a field shares it, and else what was copied,
    /// with what it takes beside that.
    fn kept<Req: Message>(&self, message: &Req, effort: Effort) -> usize {
        let is_shared = self.body.len() >= COPIED && !self.body.is_unique();
        let bytes = if is_shared { self.body.len() } else { effort.copied };
        bytes + counts(effort.extra_of(message.size()))
    }
}

impl<Req> DecodedRequest<Req> {
    fn none(why: UndecodedRequest) -> Self {
        Self { request: Err(why), steps: 0, kept: 0 }
    }
}

/// Less is not worth it.
fn counts(extra: usize) -> usize {
    if extra < COUNTED { 0 } else { extra }
}

/// From now on a request counts with what its message keeps, if there is room for that.
fn settle<Req>(
    request: Result<Req, UndecodedRequest>,
    kept: usize,
    counted: usize,
    account: RequestAccount<'_>,
) -> Result<Req> {
    let held = account.recount(counted, kept);
    let refused = match (request, held) {
        (Ok(request), Ok(())) => return Ok(request),
        (Err(UndecodedRequest::Broken(error)), _) => return Err(error),
        (Err(UndecodedRequest::NoRoom(refused)), _) => refused,
        (Ok(_), Err(over)) => RequestRefusal::NoRoom { needed: kept, over, while_it_is: "decoded" },
    };
    account.link().count_no_room();
    Err(refused.into())
}

#[cold]
fn not_the_message<Req>(error: &DecodeError, at: At) -> Error {
    let name = std::any::type_name::<Req>();
    undecodable(at, format!("the request is not a {name}: {error}"))
}

#[cold]
fn not_the_json<Req>(error: &JsonError, at: At) -> Error {
    let name = std::any::type_name::<Req>();
    undecodable(at, format!("the request is not the JSON of a {name}: {error}"))
}

fn undecodable(at: At, text: String) -> Error {
    Error::new(ErrorKind::Decode, Origin::Peer, Reason::Decode.at(at), text)
}

impl From<UnpackError> for RequestRefusal {
    fn from(error: UnpackError) -> Self {
        Self::Unpack(error)
    }
}

/// The error of a request that takes more than there is room for. It names no method and no peer,
/// so that its caller hears code 22: the handler has not begun.
#[cold]
fn no_room(takes: std::fmt::Arguments<'_>, over: &Overrun) -> Error {
    let text = format!("the server is overloaded: the request takes {takes}, and {over}");
    Error::new(ErrorKind::Limit, Origin::Peer, Reason::Overloaded.at(At::ServerCall), text)
}

impl From<RequestRefusal> for Error {
    #[cold]
    fn from(why: RequestRefusal) -> Self {
        match why {
            RequestRefusal::Unpack(error) => {
                undecodable(At::ServerCall, format!("the request cannot be unpacked: {error}"))
            }
            RequestRefusal::NoRoom { needed, over, while_it_is } => {
                no_room(format_args!("{needed} bytes while it is {while_it_is}"), &over)
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
        let message =
            RequestProtocol { func: vec![b'x'; field].into(), ..RequestProtocol::default() };
        let mut read = Vec::new();
        message.write_to(&mut read);
        let size = read.len();
        read.resize(64 * 1024, 0);
        let buffer = Bytes::from(read);
        let request: RequestProtocol = if size < STEPPED {
            decode_small(&buffer[..size]).0.expect("it is one")
        } else {
            let decoded = decode_on_task(buffer.slice(..size), size >= COPIED);
            decoded.expect("it is little work").0.expect("it is one")
        };
        assert_eq!(request, message);
        !buffer.is_unique()
    }

    #[test]
    fn a_small_request_does_not_keep_the_buffer_that_it_was_read_into() {
        assert_eq!([10, 20_000, 40_000].map(keeps_its_buffer), [false, false, true]);
    }
}
