//! A message on its way out.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;

use crate::driver::{self, Body, Outbox};

use super::blocking::elsewhere;
use super::compression::Compression;
use super::json::{JsonError, ToJson};
use super::message::Message;

/// A message from this size on is compressed elsewhere. Gzip takes 0.3 ms for so much.
pub(crate) const LARGE_TO_COMPRESS: usize = 8 * 1024;

/// The bytes of a smaller one for which a unit of tokio's budget pays: some 2 µs.
const COMPRESSED: usize = 64;

/// A message, or its encoded form, so that a write that waits encodes only once.
pub(crate) enum EncodeOnce<T> {
    Message(T),
    /// It is being compressed elsewhere.
    Compressing(Compressing),
    Encoded(Bytes),
}

const NOT_COMPRESSED: &str = "who sends it has waited until it is compressed";

/// The end of compressing a message elsewhere.
pub(crate) type Compressing = Pin<Box<dyn Future<Output = Bytes> + Send + Sync>>;

impl<T: Message> EncodeOnce<T> {
    /// Encodes the message, if it is to be compressed and is not encoded yet.
    pub(crate) fn encode(&mut self, compression: Option<Compression>) {
        if let (Some(compression), Self::Message(message)) = (compression, &*self) {
            *self = Self::Encoded(compression.pack(message));
        }
    }

    /// The same for a message of a stream. A large one is compressed where that keeps no task from
    /// its turn.
    ///
    /// Dropping the message ends that. A panic of its code is one of the task.
    pub(crate) fn poll_compressed(
        &mut self,
        compression: Compression,
        peer: usize,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        loop {
            *self = match std::mem::replace(self, Self::Encoded(Bytes::new())) {
                Self::Message(message) if message.size() < LARGE_TO_COMPRESS => {
                    driver::pay(message.size() / COMPRESSED);
                    Self::Encoded(compression.pack(&message))
                }
                Self::Message(message) => {
                    Self::Compressing(Box::pin(elsewhere(peer, move || compression.pack(&message))))
                }
                Self::Compressing(mut compressing) => match compressing.as_mut().poll(cx) {
                    Poll::Ready(bytes) => Self::Encoded(bytes),
                    Poll::Pending => {
                        *self = Self::Compressing(compressing);
                        return Poll::Pending;
                    }
                },
                encoded @ Self::Encoded(_) => {
                    *self = encoded;
                    return Poll::Ready(());
                }
            };
        }
    }

    /// The same for a unary call, which may be JSON: then it becomes the message's text, compressed
    /// if it is to be.
    ///
    /// # Errors
    /// JSON cannot express the message, which stays as it is.
    pub(crate) fn encode_as(
        &mut self,
        to_json: Option<ToJson<T>>,
        compression: Option<Compression>,
    ) -> Result<(), JsonError> {
        let Some(to_json) = to_json else {
            self.encode(compression);
            return Ok(());
        };
        if let Self::Message(message) = &*self {
            let text = to_json(message)?;
            *self = Self::Encoded(match compression {
                Some(compression) => compression.pack_bytes(&text),
                None => text,
            });
        }
        Ok(())
    }

    /// The same message, encoded.
    pub(crate) fn into_encoded(self) -> Self {
        let Self::Message(message) = self else { return self };
        let mut bytes = Vec::with_capacity(message.size());
        message.write_to(&mut bytes);
        Self::Encoded(bytes.into())
    }

    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Message(message) => message.size(),
            Self::Compressing(_) => unreachable!("{NOT_COMPRESSED}"),
            Self::Encoded(bytes) => bytes.len(),
        }
    }
}

impl<T: Message> Body for &EncodeOnce<T> {
    #[inline]
    fn write_to(self, out: &mut Vec<u8>) {
        match self {
            EncodeOnce::Message(message) => message.write_to(out),
            EncodeOnce::Compressing(_) => unreachable!("{NOT_COMPRESSED}"),
            EncodeOnce::Encoded(bytes) => out.extend_from_slice(bytes),
        }
    }

    fn write_by_ref(self, out: &mut Outbox) {
        match self {
            EncodeOnce::Message(message) => message.write_to(out),
            EncodeOnce::Compressing(_) => unreachable!("{NOT_COMPRESSED}"),
            EncodeOnce::Encoded(bytes) => out.append_by_ref(bytes.clone()),
        }
    }
}

#[cfg(all(test, feature = "compression"))]
mod tests {
    use std::future::poll_fn;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn a_large_message_of_a_stream_is_compressed_elsewhere_and_a_small_one_at_once() {
        for (size, elsewhere) in [(1_000, 0), (100_000, 1)] {
            let threads = Arc::new(AtomicUsize::new(0));
            let begun = Arc::clone(&threads);
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            runtime
                .enable_time()
                .on_thread_start(move || _ = begun.fetch_add(1, Ordering::Relaxed));
            let text = "x".repeat(size);
            let mut message = EncodeOnce::Message(text.clone());
            runtime
                .build()
                .unwrap()
                .block_on(poll_fn(|cx| message.poll_compressed(Compression::Gzip, 0, cx)));
            let EncodeOnce::Encoded(packed) = message else { panic!("it is compressed") };
            assert_eq!(packed, Compression::Gzip.pack(&text));
            assert_eq!(threads.load(Ordering::Relaxed), elsewhere, "{size} bytes");
        }
    }

    /// The bytes that are sent, copied and by reference.
    fn sent(message: &EncodeOnce<String>) -> [Vec<u8>; 2] {
        let (mut copied, mut outbox) = (Vec::new(), Outbox::default());
        message.write_to(&mut copied);
        message.write_by_ref(&mut outbox);
        [copied, outbox.to_vec()]
    }

    fn message() -> EncodeOnce<String> {
        EncodeOnce::Message("a text".into())
    }

    #[test]
    fn a_message_is_sent_the_same_encoded_or_not() {
        for message in
            [message(), message().into_encoded(), message().into_encoded().into_encoded()]
        {
            assert_eq!(sent(&message), [b"\x0a\x06a text"; 2]);
            assert_eq!(message.size(), 8);
        }
    }

    #[test]
    fn a_message_is_encoded_once_and_only_to_be_compressed() {
        let mut plain = message();
        plain.encode(None);
        assert!(matches!(plain, EncodeOnce::Message(_)));
        let mut packed = message();
        for _ in 0..2 {
            packed.encode(Some(Compression::Snappy));
            let unpacked = Compression::Snappy.unpack(sent(&packed)[0].clone().into(), 100);
            assert_eq!(unpacked.unwrap(), b"\x0a\x06a text"[..]);
        }
    }

    #[test]
    fn a_message_becomes_json_compressed_or_not_unless_it_cannot() {
        let to_json: ToJson<String> = |text| Ok(format!("{text:?}").into());
        let mut text = message();
        text.encode_as(Some(to_json), None).unwrap();
        assert_eq!(sent(&text)[0], b"\"a text\"");
        let mut packed = message();
        packed.encode_as(Some(to_json), Some(Compression::Snappy)).unwrap();
        let unpacked = Compression::Snappy.unpack(sent(&packed)[0].clone().into(), 100);
        assert_eq!(unpacked.unwrap(), b"\"a text\""[..]);
        let mut protobuf = message();
        protobuf.encode_as(None, Some(Compression::Snappy)).unwrap();
        assert!(matches!(protobuf, EncodeOnce::Encoded(_)));
    }
}
