//! One folder for each wire, which can be read alone, and what they have in common.
//!
//! A wire is two translators and a table: its decoder makes [`Input`] of bytes, its methods make
//! bytes of the engine's operations, and one table says which code means what. Everything that
//! waits, counts, times, schedules or bounds is the engine's (`conn`) and exists once.

/// The gRPC wire takes it; until then its tests do.
#[cfg(any(test, feature = "__fuzz"))]
#[cfg_attr(not(test), allow(dead_code, unused_imports, reason = "the gRPC wire uses all of it"))]
pub(crate) mod grpc;
mod input;
mod rules;
#[cfg(test)]
pub(crate) mod toy;
pub(crate) mod trpc;

use std::fmt;

use bytes::BytesMut;

use crate::metadata::Metadata;

use crate::framing::{
    Body, Head, Largest, Outbox, Outcome, Prefix, Side, StreamId, UnaryContent, WriteError,
};

pub(crate) use input::{AnswerHead, Begun, CallTag, Credit, End, Fault, Input, Opening, Skip};
pub(crate) use rules::{CreditRule, Rules};

/// The wire that a connection speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wire {
    Trpc(trpc::Trpc),
    #[cfg(test)]
    Toy(toy::Toy),
}

/// A frame that its wire answers by itself, when it is its turn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Control {
    #[cfg(test)]
    Toy(toy::ToyControl),
}

/// The bytes at the front are no frame, so nobody knows where the next one starts: the connection
/// is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Garbage {
    Trpc(trpc::WireError),
    #[cfg(test)]
    Toy {
        found: u8,
    },
}

impl fmt::Display for Garbage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Trpc(error) => write!(f, "the peer sent bytes that are not tRPC: {error}"),
            #[cfg(test)]
            Self::Toy { found } => write!(f, "the peer sent a frame of kind {found}"),
        }
    }
}

/// The state of the front of the bytes that were read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Found {
    /// A whole frame, which was taken.
    Frame,
    /// A part of one, or nothing.
    Part,
    /// The beginning of a frame that is larger than may be received.
    TooLarge,
}

/// Finds the frames of a connection's wire.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Decoder {
    Trpc(trpc::Decoder),
    #[cfg(test)]
    Toy(toy::ToyDecoder),
    /// The first byte will tell.
    #[cfg(test)]
    Undecided {
        side: Side,
        limit: Largest,
        toy: toy::Toy,
    },
}

impl Decoder {
    /// Takes the next frame and adds it to `frames`. Bodies, attachments and messages are slices of
    /// the buffer.
    ///
    /// # Errors
    ///
    /// When the front of the buffer is not a frame. Frames before it have been given out; calling
    /// again gives the same error.
    #[inline]
    pub(crate) fn decode_to(
        &mut self,
        frames: &mut Vec<Input>,
        buf: &mut BytesMut,
    ) -> Result<Found, Garbage> {
        match self {
            Self::Trpc(decoder) => match decoder.decode_to(frames, buf) {
                Ok(true) => Ok(Found::Frame),
                Ok(false) => Ok(Found::Part),
                Err(trpc::WireError::FrameTooLarge { .. }) => Ok(Found::TooLarge),
                Err(error) => Err(Garbage::Trpc(error)),
            },
            #[cfg(test)]
            Self::Toy(decoder) => decoder.decode_to(frames, buf),
            #[cfg(test)]
            Self::Undecided { side, limit, toy } => {
                let Some(first) = buf.first().copied() else { return Ok(Found::Part) };
                let speaks_toy = first == toy::GREETING;
                let wire = if speaks_toy { Wire::Toy(*toy) } else { Wire::Trpc(trpc::Trpc) };
                *self = wire.decoder(*side, *limit);
                let _ = buf.split_to(usize::from(speaks_toy));
                frames.push(Input::Speaks(wire));
                Ok(Found::Frame)
            }
        }
    }

    /// How many more bytes the frame at the front needs, as far as can be known; 0 when
    /// [`decode_to`](Self::decode_to) has something to say. A peer that has proven nothing chose
    /// the number, so do not allocate it at once.
    #[inline]
    pub(crate) fn missing(&self, buf: &[u8]) -> usize {
        match self {
            Self::Trpc(decoder) => decoder.missing(buf),
            #[cfg(test)]
            Self::Toy(decoder) => decoder.missing(buf),
            #[cfg(test)]
            Self::Undecided { .. } => usize::from(buf.is_empty()),
        }
    }

    /// The kind and the size of the frame at the front, also if it is larger than may be received.
    /// `None` while its headers are not there.
    pub(crate) fn begun(&self, buf: &[u8]) -> Option<(Begun, usize)> {
        match self {
            Self::Trpc(decoder) => decoder.begun(buf),
            #[cfg(test)]
            Self::Toy(decoder) => decoder.begun(buf),
            #[cfg(test)]
            Self::Undecided { .. } => None,
        }
    }

    /// The stream and the payload of the message at the front, if it is one.
    pub(crate) fn message(&self, buf: &[u8]) -> Option<(StreamId, u32)> {
        match self {
            Self::Trpc(decoder) => decoder.message(buf),
            #[cfg(test)]
            Self::Toy(_) | Self::Undecided { .. } => None,
        }
    }
}

impl Wire {
    /// Finds what comes at this side, in frames and headers of such sizes at most.
    pub(crate) fn decoder(self, side: Side, limit: Largest) -> Decoder {
        match self {
            Self::Trpc(_) => {
                Decoder::Trpc(trpc::Decoder::new(side, limit.frame).with_max_header(limit.header))
            }
            #[cfg(test)]
            Self::Toy(toy) => Decoder::Toy(toy.decoder(side, limit.frame)),
        }
    }

    /// The rules by which the engine treats it.
    pub(crate) const fn rules(self) -> Rules {
        match self {
            Self::Trpc(_) => trpc::RULES,
            #[cfg(test)]
            Self::Toy(toy) => toy.rules(),
        }
    }

    /// The name by which users know it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Trpc(_) => trpc::NAME,
            #[cfg(test)]
            Self::Toy(_) => "toy",
        }
    }

    /// A byte that begins every frame, and that alone does no harm.
    pub(crate) fn first_byte(self) -> u8 {
        match self {
            Self::Trpc(_) => trpc::FIRST_BYTE,
            #[cfg(test)]
            Self::Toy(_) => 9,
        }
    }

    /// Opens a stream, and more with it, for which one answer comes.
    pub(crate) fn open(
        &mut self,
        out: &mut Outbox,
        id: StreamId,
        more: &[StreamId],
        head: Head,
        window: u32,
        limit: Largest,
    ) -> Result<(), WriteError> {
        match self {
            Self::Trpc(wire) => {
                assert!(more.is_empty(), "its openings carry one stream");
                wire.open(out, id, head, window, limit)
            }
            #[cfg(test)]
            Self::Toy(toy) => {
                toy.open(out, id, more, &head);
                Ok(())
            }
        }
    }

    /// Accepts a stream of the peer's.
    pub(crate) fn accept(&mut self, out: &mut Outbox, id: StreamId, window: u32, format: u32) {
        match self {
            Self::Trpc(wire) => wire.accept(out, id, window, format),
            #[cfg(test)]
            Self::Toy(toy) => toy.accept(out, id),
        }
    }

    /// Refuses a stream of the peer's.
    pub(crate) fn refuse(&mut self, out: &mut Outbox, id: StreamId, outcome: Outcome) {
        match self {
            Self::Trpc(wire) => wire.refuse(out, id, outcome),
            #[cfg(test)]
            Self::Toy(toy) => toy.refuse(out, id, &outcome),
        }
    }

    /// Ends this client's direction.
    pub(crate) fn half_close(&mut self, out: &mut Outbox, id: StreamId) {
        match self {
            Self::Trpc(wire) => wire.half_close(out, id),
            #[cfg(test)]
            Self::Toy(toy) => toy.half_close(out, id),
        }
    }

    /// Ends a stream with the outcome of its handler.
    pub(crate) fn close(
        &mut self,
        out: &mut Outbox,
        id: StreamId,
        outcome: Outcome,
        limit: Largest,
    ) -> Result<(), WriteError> {
        match self {
            Self::Trpc(wire) => wire.close(out, id, outcome, limit),
            #[cfg(test)]
            Self::Toy(toy) => {
                toy.close(out, id, &outcome);
                Ok(())
            }
        }
    }

    /// Breaks a stream off.
    pub(crate) fn reset(
        &mut self,
        out: &mut Outbox,
        id: StreamId,
        outcome: Outcome,
        limit: Largest,
    ) -> Result<(), WriteError> {
        match self {
            Self::Trpc(wire) => wire.reset(out, id, outcome, limit),
            #[cfg(test)]
            Self::Toy(toy) => {
                toy.reset(out, id, &outcome);
                Ok(())
            }
        }
    }

    /// Gives the peer credit; on stream 0 for all streams together, where the wire has that.
    pub(crate) fn credit(&mut self, out: &mut Outbox, id: StreamId, credit: Credit) {
        match self {
            Self::Trpc(wire) => wire.credit(out, id, credit.increment),
            #[cfg(test)]
            Self::Toy(toy) => toy.credit(out, id, credit),
        }
    }

    /// Shows that this side is alive. `accepted` is a stream that the peer takes frames for.
    pub(crate) fn beat(&mut self, out: &mut Outbox, side: Side, accepted: Option<StreamId>) {
        match self {
            Self::Trpc(wire) => wire.beat(out, side, accepted),
            #[cfg(test)]
            Self::Toy(toy) => toy.beat(out),
        }
    }

    /// The bytes in front of each message of a stream. A writer puts it there without its wire.
    #[inline]
    pub(crate) fn prefix(self, id: StreamId) -> Prefix {
        match self {
            Self::Trpc(wire) => wire.prefix(id),
            #[cfg(test)]
            Self::Toy(toy) => toy.prefix(id),
        }
    }

    /// Sends a unary call.
    #[inline]
    pub(crate) fn call(
        &mut self,
        out: &mut Outbox,
        id: u64,
        head: Head,
        one_way: bool,
        limit: Largest,
        content: UnaryContent<'_, impl Body>,
    ) -> Result<(), WriteError> {
        match self {
            Self::Trpc(wire) => wire.call(out, id, head, one_way, limit, content),
            #[cfg(test)]
            Self::Toy(_) => unreachable!("its calls are streams"),
        }
    }

    /// Answers a unary call.
    #[inline]
    pub(crate) fn answer(
        &mut self,
        out: &mut Outbox,
        tag: CallTag,
        outcome: Outcome,
        encoding: u32,
        limit: Largest,
        content: UnaryContent<'_, impl Body>,
    ) -> Result<(), WriteError> {
        match self {
            Self::Trpc(wire) => {
                #[cfg_attr(
                    not(test),
                    expect(irrefutable_let_patterns, reason = "there is one wire")
                )]
                let CallTag::Trpc(tag) = tag else { unreachable!("the tag is of its connection") };
                wire.answer(out, tag, outcome, encoding, limit, content)
            }
            #[cfg(test)]
            Self::Toy(_) => unreachable!("its calls are streams"),
        }
    }

    /// Opens the stream of a unary call.
    ///
    /// # Panics
    ///
    /// On a wire whose calls are no streams, as the next three do.
    pub(crate) fn begin_call(
        &mut self,
        out: &mut Outbox,
        id: StreamId,
        head: &Head,
        limit: Largest,
    ) -> Result<(), WriteError> {
        match self {
            Self::Trpc(_) => unreachable!("{id:?}, {head:?}, {limit:?}, {}", out.len()),
            #[cfg(test)]
            Self::Toy(toy) => {
                toy.open(out, id, &[], head);
                Ok(())
            }
        }
    }

    /// Begins the answer to a unary call, in front of its message.
    pub(crate) fn begin_answer(
        &mut self,
        out: &mut Outbox,
        tag: CallTag,
        initial: &Metadata,
        encoding: u32,
        limit: Largest,
    ) -> Result<(), WriteError> {
        match self {
            Self::Trpc(_) => {
                unreachable!("{tag:?}, {initial:?}, {encoding}, {limit:?}, {}", out.len())
            }
            #[cfg(test)]
            Self::Toy(toy) => {
                toy.begin_answer(out, tag.id(), encoding);
                Ok(())
            }
        }
    }

    /// Tells whether the end of an answer will fit. It is written when the message has gone.
    pub(crate) fn check_end(self, outcome: &Outcome, limit: Largest) -> Result<(), WriteError> {
        match self {
            Self::Trpc(_) => unreachable!("{outcome:?}, {limit:?}"),
            #[cfg(test)]
            Self::Toy(toy) => toy.check_end(outcome, limit),
        }
    }

    /// The tag of a unary call that is the stream with this id.
    pub(crate) fn tag(self, id: StreamId, head: &Head) -> CallTag {
        match self {
            Self::Trpc(_) => unreachable!("{id:?}, {head:?}"),
            #[cfg(test)]
            Self::Toy(_) => CallTag::Toy(id.0),
        }
    }

    /// Writes a part of a stream's messages.
    ///
    /// # Panics
    ///
    /// On a wire that sends messages whole.
    pub(crate) fn part(&mut self, out: &mut Outbox, id: StreamId, bytes: &[u8]) {
        match self {
            Self::Trpc(_) => {
                unreachable!("its messages are sent whole: {id:?}, {}", bytes.len() + out.len())
            }
            #[cfg(test)]
            Self::Toy(toy) => toy.part(out, id, bytes),
        }
    }

    /// Answers a frame that is the wire's own.
    pub(crate) fn handle(&mut self, out: &mut Outbox, control: Control) {
        match (self, control) {
            #[cfg(test)]
            (Self::Toy(toy), Control::Toy(control)) => toy.handle(out, control),
            (wire, control) => unreachable!("{control:?} is not of {wire:?}, {}", out.len()),
        }
    }
}
