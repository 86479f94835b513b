//! The engine's operations, written as frames.

use crate::framing::{
    Body, Head, Largest, MAX_ENTRIES, Outbox, Outcome, Prefix, Side, StreamId, UnaryContent,
    WriteError,
};
use crate::metadata::Metadata;

use super::codes::RESERVED;
use super::encode::{self, Mostly};
use super::error::WireError;
use super::frame::{CallTag, UnaryHead};
use super::head::{self, RESET};
use super::header::HEADER_LEN;
use super::metadata::repeated_key;
use super::plain;
use super::quirks::{NO_STREAM, VERSION};

/// A connection that speaks tRPC. The wire remembers nothing between frames.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Trpc;

impl Trpc {
    /// INIT of a client.
    pub(crate) fn open(
        self,
        out: &mut Outbox,
        id: StreamId,
        head: Head,
        window: u32,
        limit: Largest,
    ) -> Result<(), WriteError> {
        check(&head.metadata)?;
        // PROTOCOL 19
        let meta = if head.metadata.is_empty() && head.timeout.is_none() {
            Mostly::Plain(plain::PlainOpen { head: &head, window })
        } else {
            Mostly::Full(head::open(head, window))
        };
        control(out, limit, |out| encode::init(out, id, &meta))
    }

    /// INIT of a server that accepts the stream.
    pub(crate) fn accept(self, out: &mut Outbox, id: StreamId, window: u32, content_type: u32) {
        // PROTOCOL 15
        encode::init(out.copied(), id, &plain::PlainAccept { window, content_type });
    }

    /// INIT of a server that refuses the stream.
    pub(crate) fn refuse(self, out: &mut Outbox, id: StreamId, outcome: Outcome) {
        encode::init(out.copied(), id, &head::refuse(outcome));
    }

    /// CLOSE of a client that sends no more.
    pub(crate) fn half_close(self, out: &mut Outbox, id: StreamId) {
        encode::plain_close(out.copied(), id);
    }

    /// CLOSE of a server with the outcome of its handler.
    pub(crate) fn close(
        self,
        out: &mut Outbox,
        id: StreamId,
        outcome: Outcome,
        limit: Largest,
    ) -> Result<(), WriteError> {
        end(out, id, 0, outcome, limit)
    }

    /// RESET.
    pub(crate) fn reset(
        self,
        out: &mut Outbox,
        id: StreamId,
        outcome: Outcome,
        limit: Largest,
    ) -> Result<(), WriteError> {
        end(out, id, RESET, outcome, limit)
    }

    /// The bytes in front of each message: the fixed header of DATA.
    #[inline]
    pub(crate) fn prefix(self, id: StreamId) -> Prefix {
        encode::prefix(id)
    }

    /// FEEDBACK.
    pub(crate) fn credit(self, out: &mut Outbox, id: StreamId, increment: u32) {
        encode::feedback(out.copied(), id, increment);
    }

    /// A FEEDBACK that means nothing, on a stream that the peer takes frames for. A client has
    /// another one if there is none.
    pub(crate) fn beat(self, out: &mut Outbox, side: Side, accepted: Option<StreamId>) {
        let none = (side == Side::Client).then_some(NO_STREAM);
        if let Some(id) = accepted.or(none) {
            encode::feedback(out.copied(), id, 0);
        }
    }

    /// A request.
    pub(crate) fn call(
        self,
        out: &mut Outbox,
        id: u64,
        head: Head,
        one_way: bool,
        limit: Largest,
        content: UnaryContent<'_, impl Body>,
    ) -> Result<(), WriteError> {
        check(&head.metadata)?;
        // The range of ids has 32 bits.
        let id = id as u32;
        let UnaryContent { len, body, attachment } = content;
        let attachment_size = attachment_size(attachment)?;
        let meta = if head.metadata.is_empty() {
            Mostly::Plain(head::plain_request(&head, id, one_way, attachment_size))
        } else {
            Mostly::Full(head::request(head, id, one_way, attachment_size))
        };
        // PROTOCOL 7
        let frame = UnaryHead { id, version: VERSION, reserved: 0 };
        encode::unary(out, frame, &meta, limit, len, body, attachment).map_err(WriteError::from)
    }

    /// The answer to a call with this tag.
    pub(crate) fn answer(
        self,
        out: &mut Outbox,
        tag: CallTag,
        outcome: Outcome,
        content_encoding: u32,
        limit: Largest,
        content: UnaryContent<'_, impl Body>,
    ) -> Result<(), WriteError> {
        let outcome = with_one_metadata(outcome);
        check_outcome(&outcome)?;
        let UnaryContent { len, body, attachment } = content;
        let attachment_size = attachment_size(attachment)?;
        let meta = if outcome.is_ok() && outcome.metadata.is_empty() {
            let text = &outcome.message;
            Mostly::Plain(head::plain_response(tag, text, content_encoding, attachment_size))
        } else {
            Mostly::Full(head::response(tag, outcome, content_encoding, attachment_size))
        };
        // PROTOCOL 8
        encode::unary(out, tag.frame, &meta, limit, len, body, attachment).map_err(WriteError::from)
    }
}

/// CLOSE of this type with an outcome.
fn end(
    out: &mut Outbox,
    id: StreamId,
    close_type: i32,
    outcome: Outcome,
    limit: Largest,
) -> Result<(), WriteError> {
    let outcome = with_one_metadata(outcome);
    check_outcome(&outcome)?;
    let is_plain = outcome.is_ok() && outcome.metadata.is_empty() && outcome.message.is_empty();
    if is_plain && close_type == 0 {
        encode::plain_close(out.copied(), id);
        return Ok(());
    }
    control(out, limit, |out| encode::close(out, id, &head::close(close_type, outcome)))
}

/// Writes a frame whose header is all of it, and takes it back if it is larger than it may be.
fn control(
    out: &mut Outbox,
    limit: Largest,
    write: impl FnOnce(&mut Vec<u8>),
) -> Result<(), WriteError> {
    let before = out.len();
    write(out.copied());
    let size = out.len() - before;
    // PROTOCOL 37
    let error = if size > limit.frame {
        WriteError::TooLarge { size, limit: limit.frame }
    } else if size > HEADER_LEN + limit.header {
        WriteError::HeaderTooLarge { size: size - HEADER_LEN, limit: limit.header }
    } else {
        return Ok(());
    };
    out.truncate(before);
    Err(error)
}

/// An answer has one place for metadata: of a key that is in both parts, the values of the end
/// count.
#[inline]
fn with_one_metadata(mut outcome: Outcome) -> Outcome {
    // PROTOCOL 13
    if !outcome.initial.is_empty() {
        let last = std::mem::take(&mut outcome.metadata);
        outcome.metadata = std::mem::take(&mut outcome.initial);
        outcome.metadata.extend(last);
    }
    outcome
}

/// Checks that one header carries the metadata.
#[inline]
fn check(metadata: &Metadata) -> Result<(), WriteError> {
    match metadata.len() {
        0 | 1 => Ok(()),
        count => check_pairs(metadata, count),
    }
}

/// The same of an outcome. A failure brings pairs of its own.
#[inline]
fn check_outcome(outcome: &Outcome) -> Result<(), WriteError> {
    if outcome.is_ok() {
        return check(&outcome.metadata);
    }
    check_pairs(&outcome.metadata, outcome.metadata.len() + RESERVED)
}

fn check_pairs(metadata: &Metadata, count: usize) -> Result<(), WriteError> {
    if count > MAX_ENTRIES {
        return Err(WriteError::TooManyEntries { count, limit: MAX_ENTRIES });
    }
    match repeated_key(metadata) {
        Some(key) => Err(WriteError::SeveralValues { key: key.to_owned(), wire: super::NAME }),
        None => Ok(()),
    }
}

fn attachment_size(attachment: &[u8]) -> Result<u32, WriteError> {
    u32::try_from(attachment.len())
        .map_err(|_| WriteError::TooLarge { size: attachment.len(), limit: u32::MAX as usize })
}

impl From<WireError> for WriteError {
    fn from(error: WireError) -> Self {
        match error {
            WireError::FrameTooLarge { size, limit } => Self::TooLarge { size, limit },
            WireError::HeaderTooLarge { size, limit } => Self::HeaderTooLarge { size, limit },
            WireError::WrongSize { announced, written } => Self::WrongSize { announced, written },
            other => unreachable!("encoding cannot fail with {other}"),
        }
    }
}
