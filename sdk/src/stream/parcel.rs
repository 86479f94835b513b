//! A message on its way out.

use bytes::{Bytes, BytesMut};

use super::compression::Compression;
use super::message::Message;

/// A message, or its packed form, so that a write that waits packs only once.
pub(crate) enum Parcel<T> {
    Message(T),
    Packed(Bytes),
}

impl<T: Message> Parcel<T> {
    pub(crate) fn new(message: T, compression: Option<Compression>) -> Self {
        let mut parcel = Self::Message(message);
        parcel.pack(compression);
        parcel
    }

    /// Packs the message, if it is to be packed and is not yet.
    pub(crate) fn pack(&mut self, compression: Option<Compression>) {
        if let (Some(compression), Self::Message(message)) = (compression, &*self) {
            *self = Self::Packed(compression.pack(message));
        }
    }

    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Message(message) => message.size(),
            Self::Packed(bytes) => bytes.len(),
        }
    }

    pub(crate) fn write_to(&self, out: &mut BytesMut) {
        match self {
            Self::Message(message) => message.write_to(out),
            Self::Packed(bytes) => out.extend_from_slice(bytes),
        }
    }
}
