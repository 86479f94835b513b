//! What a caller says of one call.

use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::metadata::Metadata;
use crate::stream::{Compression, TimeLimit};
use crate::transport::now;

/// Settings of one call: a limit of time and metadata.
///
/// Made by [`Context::child`](super::Context::child) for calls that a handler makes on behalf of its caller, or by hand for settings
/// that many calls share.
#[derive(Clone, Debug, Default)]
pub struct CallOptions {
    pub(super) timeout: Option<Duration>,
    /// The caller's own deadline, which no timeout can exceed.
    pub(super) inherited: Option<Instant>,
    pub(super) metadata: Metadata,
    pub(super) caller: Option<&'static str>,
    pub(super) message_type: u32,
    /// Of a stream; `None`: as the channel says.
    pub(super) stream_idle_timeout: Option<Duration>,
    /// `None`: as the channel says.
    pub(super) compression: Option<Option<Compression>>,
    /// `None`: as the channel says.
    pub(super) wait_for_ready: Option<bool>,
}

/// How long a call may take, whose limit that is, and when it will have passed.
pub(super) struct Limit {
    pub(super) timeout: Duration,
    pub(super) deadline: Option<Instant>,
    pub(super) inherited: bool,
}

impl Limit {
    /// For the error that says that it has passed.
    pub(super) fn time(&self) -> TimeLimit {
        TimeLimit { length: self.timeout, inherited: self.inherited }
    }
}

impl CallOptions {
    /// No limit but the channel's, no metadata.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives the call at most `limit`, from the moment it is awaited; an inherited deadline that comes earlier counts instead.
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = Some(limit);
        self
    }

    /// Ends the stream when no message comes or goes for `limit`, whatever the channel's
    /// [`stream_idle_timeout`](crate::client::ChannelBuilder::stream_idle_timeout) is. Unary calls pass it over.
    #[must_use]
    pub fn stream_idle_timeout(mut self, limit: Duration) -> Self {
        self.stream_idle_timeout = Some(limit);
        self
    }

    /// Sends a key and a value with the request.
    #[must_use]
    pub fn metadata(mut self, key: impl Into<String>, value: impl Into<Bytes>) -> Self {
        self.metadata.insert(key, value);
        self
    }

    /// Compresses the messages of the call, or with `None` does not, whatever the channel's
    /// [`compression`](crate::client::ChannelBuilder::compression) is.
    #[must_use]
    pub fn compression(mut self, compression: impl Into<Option<Compression>>) -> Self {
        self.compression = Some(compression.into());
        self
    }

    /// Whether the call waits until there is a connection, however many attempts fail, whatever the channel's
    /// [`wait_for_ready`](crate::client::ChannelBuilder::wait_for_ready) is.
    #[must_use]
    pub fn wait_for_ready(mut self, wait: bool) -> Self {
        self.wait_for_ready = Some(wait);
        self
    }

    /// The limit that counts, if there is one.
    pub(super) fn limit(&self, default: Option<Duration>) -> Option<Limit> {
        let own = self.timeout.or(default);
        if own.is_none() && self.inherited.is_none() {
            return None;
        }
        let now = now();
        let left = self.inherited.map(|deadline| deadline.saturating_duration_since(now));
        let (timeout, inherited) = match (own, left) {
            (Some(own), Some(left)) if left < own => (left, true),
            (Some(own), _) => (own, false),
            (None, Some(left)) => (left, true),
            (None, None) => return None,
        };
        Some(Limit { timeout, deadline: now.checked_add(timeout), inherited })
    }
}
