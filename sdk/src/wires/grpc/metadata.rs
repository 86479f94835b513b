//! Metadata as header fields: names in lower case, printable values, and base64 under `-bin`.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;

use crate::error::Code;
use crate::framing::MAX_ENTRIES;
use crate::metadata::{Metadata, Pair};

use super::base64;
use super::field::is_reserved;
use super::http2::hpack::{HeaderBlock, Indexing};

/// A field counts so much beside its name and its value.
pub(super) const FIELD: usize = 32;

/// Fields whose values are secrets, or may be.
const SECRETS: [&str; 4] = ["authorization", "cookie", "proxy-authorization", "set-cookie"];

/// The metadata of a block, as it comes.
#[derive(Debug, Default)]
pub(crate) struct ReceivedPairs {
    pairs: Vec<Pair>,
    fault: Option<PairFault>,
}

/// Metadata of a peer that is not taken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum PairFault {
    NotBase64 { key: String },
    TooMany { limit: usize },
}

/// Metadata that gRPC cannot carry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum UnsendableKey {
    Name { key: String },
    Reserved { key: String },
    Value { key: String },
}

impl ReceivedPairs {
    /// Takes a field whose value is text. Spaces around it are not its own.
    pub(crate) fn text(&mut self, name: &[u8], value: &[u8]) {
        self.push(name, || Some(Bytes::copy_from_slice(value.trim_ascii())));
    }

    /// Takes a field whose value is base64, and perhaps several.
    pub(crate) fn bin(&mut self, name: &[u8], value: &[u8]) {
        for part in base64::joined(value) {
            if self.fault.is_some() {
                return;
            }
            self.push(name, || base64::decode(part).map(Bytes::from));
        }
    }

    /// Adds a pair. Those that are too many cost nothing.
    fn push(&mut self, name: &[u8], value: impl FnOnce() -> Option<Bytes>) {
        if self.fault.is_some() {
            return;
        }
        if self.pairs.len() == MAX_ENTRIES {
            self.fault = Some(PairFault::TooMany { limit: MAX_ENTRIES });
            return;
        }
        let key = String::from_utf8_lossy(name).into_owned();
        match value() {
            Some(value) => self.pairs.push(Pair { key, value }),
            None => self.fault = Some(PairFault::NotBase64 { key }),
        }
    }

    pub(crate) fn finish(self) -> Result<Metadata, PairFault> {
        match self.fault {
            Some(fault) => Err(fault),
            None => Ok(Metadata::from_pairs(self.pairs)),
        }
    }
}

/// Checks that metadata can be sent, before anything of its call is. Gives what it counts for the
/// peer's limit.
///
/// # Errors
///
/// The first key that cannot be sent.
pub(crate) fn check(metadata: &Metadata) -> Result<usize, UnsendableKey> {
    metadata.iter().try_fold(0, |size, (key, value)| Ok(size + check_pair(key, value)?))
}

fn check_pair(key: &str, value: &[u8]) -> Result<usize, UnsendableKey> {
    let is_right = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    if key.is_empty() || !key.bytes().all(is_right) {
        return Err(UnsendableKey::Name { key: key.to_owned() });
    }
    let name = lower(key);
    if is_reserved(name.as_bytes()) {
        return Err(UnsendableKey::Reserved { key: key.to_owned() });
    }
    let len = if is_bin(&name) {
        base64::encoded_len(value.len())
    } else if value.iter().all(|byte| matches!(byte, b' '..=b'~')) {
        value.trim_ascii().len()
    } else {
        return Err(UnsendableKey::Value { key: key.to_owned() });
    };
    Ok(key.len() + len + FIELD)
}

/// Writes metadata that [`check`] has found right. `scratch` is memory for values in base64.
pub(crate) fn write(block: &mut HeaderBlock<'_>, metadata: &Metadata, scratch: &mut Vec<u8>) {
    for (key, value) in metadata {
        let name = lower(key);
        if is_bin(&name) {
            scratch.clear();
            base64::encode(scratch, value);
            block.field(name.as_bytes(), scratch, Indexing::Never);
        } else {
            let is_secret = SECRETS.contains(&&*name);
            let indexing = if is_secret { Indexing::Never } else { Indexing::Once };
            block.field(name.as_bytes(), value.trim_ascii(), indexing);
        }
    }
}

fn is_bin(name: &str) -> bool {
    name.ends_with("-bin")
}

fn lower(key: &str) -> Cow<'_, str> {
    if key.bytes().any(|byte| byte.is_ascii_uppercase()) {
        key.to_ascii_lowercase().into()
    } else {
        key.into()
    }
}

impl PairFault {
    pub(crate) const fn code(&self) -> Code {
        match self {
            Self::NotBase64 { .. } => Code::Internal,
            Self::TooMany { .. } => Code::ResourceExhausted,
        }
    }
}

impl fmt::Display for PairFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotBase64 { key } => write!(f, "the metadata of {key} is not base64"),
            Self::TooMany { limit } => {
                write!(f, "more than {limit} metadata entries; one header carries no more")
            }
        }
    }
}

impl std::error::Error for PairFault {}

impl fmt::Display for UnsendableKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name { key } => write!(
                f,
                "gRPC cannot carry the metadata key {key:?}: its keys have letters, digits and \
                 _ - . only"
            ),
            Self::Reserved { key } => {
                write!(f, "gRPC cannot carry the metadata key {key:?}: it is its own")
            }
            Self::Value { key } => write!(
                f,
                "gRPC cannot carry the value of the metadata key {key:?}: it is not printable \
                 ASCII, so end the key with -bin"
            ),
        }
    }
}

impl std::error::Error for UnsendableKey {}
