//! The next message of those that a reader has taken: as it came, unpacked, decoded.

use std::task::{Context, Poll, ready};

use bytes::Bytes;

use super::AsyncReader;
use crate::error::{Error, ErrorKind, Origin, Reason, Result};
use crate::stream::compression::{Compression, UnpackError};
use crate::stream::message::{DecodeError, Message};
use crate::stream::stepped::{STEPPED, decode};
use crate::stream::unpacking::unpack_counted;

/// Why a message could not be given out.
enum Unread {
    Unpack(UnpackError),
    Decode(DecodeError),
}

impl<T: Message> AsyncReader<T> {
    /// The next message of those that were taken. There is none yet if it has to be decoded
    /// elsewhere.
    #[inline]
    pub(super) fn next(&mut self) -> Poll<Result<Option<T>>> {
        let Some(state) = self.state.as_mut() else { return Poll::Pending };
        if state.decoding.is_some() {
            return Poll::Pending;
        }
        let Some(messages) = state.batch.front() else { return Poll::Pending };
        let Some(payload) = messages.next() else { return Poll::Pending };
        let size = payload.len();
        state.consumed.add(size);
        if size >= STEPPED {
            let bytes = payload.into_bytes();
            state.batch.let_go();
            return self.decode(bytes);
        }
        let message = T::read_from(payload);
        state.batch.let_go();
        self.give_credit();
        match message {
            Ok(message) => Poll::Ready(Ok(Some(message))),
            Err(why) => Poll::Ready(Err(self.unreadable(Unread::Decode(why)))),
        }
    }

    /// The same for messages that are compressed.
    pub(super) fn poll_unpacked(
        &mut self,
        compression: Compression,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<T>>> {
        if self.is_decoding() {
            return self.poll_decoding(cx);
        }
        match self.poll_plain(compression, cx) {
            Poll::Ready(Some(Ok(plain))) => match self.decode(plain) {
                Poll::Pending => self.poll_decoding(cx),
                message => message,
            },
            Poll::Ready(Some(Err(error))) => {
                self.give_credit();
                Poll::Ready(Err(error))
            }
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }

    /// Unpacks the next message of those that were taken.
    pub(super) fn poll_plain(
        &mut self,
        compression: Compression,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes>>> {
        let Some(state) = &mut self.state else { return Poll::Ready(None) };
        let mut unpacking = match state.unpacking.take() {
            Some(unpacking) => unpacking,
            None => {
                let Some(packed) = state.next_packed() else { return Poll::Ready(None) };
                // One message of a stream at a time, and the next read has it.
                unpack_counted(self.stream.link(), compression, packed)
            }
        };
        let Poll::Ready(plain) = unpacking.as_mut().poll(cx) else {
            state.unpacking = Some(unpacking);
            return Poll::Pending;
        };
        Poll::Ready(Some(plain.map_err(|why| self.unreadable(Unread::Unpack(why)))))
    }

    /// Decodes a message that is not small. If that is much work, it is to be done elsewhere.
    #[inline(never)]
    fn decode(&mut self, bytes: Bytes) -> Poll<Result<Option<T>>> {
        match decode(self.stream.link().peer_key(), bytes) {
            Ok(message) => Poll::Ready(self.give(message)),
            Err(decoding) => {
                self.state().decoding = Some(decoding);
                Poll::Pending
            }
        }
    }

    pub(super) fn is_decoding(&self) -> bool {
        self.state.as_ref().is_some_and(|state| state.decoding.is_some())
    }

    /// Tells whether a message that was taken is being unpacked or decoded.
    pub(in crate::stream) fn is_at_work(&self) -> bool {
        self.state
            .as_ref()
            .is_some_and(|state| state.decoding.is_some() || state.unpacking.is_some())
    }

    #[cold]
    pub(super) fn poll_decoding(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<T>>> {
        let Some(decoding) = &mut self.state().decoding else { return Poll::Pending };
        let message = ready!(decoding.as_mut().poll(cx));
        self.state().decoding = None;
        Poll::Ready(self.give(message))
    }

    fn give(&mut self, message: Result<T, DecodeError>) -> Result<Option<T>> {
        self.give_credit();
        match message {
            Ok(message) => Ok(Some(message)),
            Err(why) => Err(self.unreadable(Unread::Decode(why))),
        }
    }

    #[cold]
    fn unreadable(&self, why: Unread) -> Error {
        let subject = self.stream.subject();
        let error = |text| subject.error(ErrorKind::Decode, Origin::Peer, Reason::Decode, text);
        match why {
            Unread::Unpack(why @ UnpackError::TooLarge { .. }) => {
                error(format!("a message cannot be unpacked: {why}"))
            }
            Unread::Unpack(why @ UnpackError::NoRoom { .. }) => {
                let text = format!("a message cannot be unpacked: {why}");
                subject.error(ErrorKind::Limit, Origin::Peer, Reason::Overloaded, text)
            }
            Unread::Unpack(source) => {
                error("a message cannot be unpacked".to_owned()).with_source(source)
            }
            Unread::Decode(source) => {
                error(format!("a message is not a {}", std::any::type_name::<T>()))
                    .with_source(source)
            }
        }
    }
}
