//! The options of one call.

use std::time::{Duration, Instant};

use crate::metadata::{Metadata, MetadataError};
use crate::stream::{Compression, TimeLimit};

/// The setters of all options that one call can have, for [`CallOptions`] and for the calls
/// themselves, so that none is in one and not in the other.
macro_rules! option_setters {
    ($self:ident => $options:expr) => {
        /// Gives the call at most `limit`, from the moment it is awaited; an inherited deadline
        /// that comes earlier counts instead. Without it the channel's
        /// [`timeout`](crate::client::ChannelBuilder::timeout) counts for unary and one-way calls.
        pub fn timeout(mut $self, limit: std::time::Duration) -> Self {
            $options.timeout = Some(limit);
            $self
        }

        /// Ends a stream when no message comes or goes for `limit`. Without it the channel's
        /// [`stream_idle_timeout`](crate::client::ChannelBuilder::stream_idle_timeout) counts.
        /// Unary and one-way calls pass it over.
        pub fn stream_idle_timeout(mut $self, limit: std::time::Duration) -> Self {
            $options.stream_idle_timeout = Some(limit);
            $self
        }

        /// Sends a key with one value with the request, in place of values that it has. A key
        /// that [`Metadata`](crate::Metadata) does not take fails the call, before anything of it
        /// is sent.
        pub fn metadata(
            mut $self,
            key: impl Into<String>,
            value: impl Into<bytes::Bytes>,
        ) -> Self {
            $options.change_metadata(|metadata| metadata.insert(key, value));
            $self
        }

        /// Sends one more value of a key with the request. Over tRPC a key has one value: a second
        /// one fails the call.
        pub fn append_metadata(
            mut $self,
            key: impl Into<String>,
            value: impl Into<bytes::Bytes>,
        ) -> Self {
            $options.change_metadata(|metadata| metadata.append(key, value));
            $self
        }

        /// Sends all this with the request, in place of the values that its keys have.
        pub fn extend_metadata(mut $self, metadata: crate::metadata::Metadata) -> Self {
            $options.metadata.extend(metadata);
            $self
        }

        /// Compresses the messages of the call, or with `None` does not. Without it the channel's
        /// [`compression`](crate::client::ChannelBuilder::compression) counts.
        pub fn compression(
            mut $self,
            compression: impl Into<Option<crate::stream::Compression>>,
        ) -> Self {
            $options.compression = Some(compression.into());
            $self
        }

        /// Sets whether the call waits until there is a connection, however many attempts fail.
        /// Without it the channel's
        /// [`wait_for_ready`](crate::client::ChannelBuilder::wait_for_ready) counts.
        pub fn wait_for_ready(mut $self, wait: bool) -> Self {
            $options.wait_for_ready = Some(wait);
            $self
        }
    };
}
pub(crate) use option_setters;

/// Settings of one call: a limit of time and metadata.
///
/// Made by [`Context::child`](crate::Context::child) for calls that a handler makes on behalf of
/// its caller, or by hand for settings that many calls share.
#[derive(Clone, Debug, Default)]
#[must_use = "options do nothing unless a call takes them"]
pub struct CallOptions {
    pub(crate) timeout: Option<Duration>,
    /// The caller's own deadline, which no timeout can exceed.
    pub(crate) inherited: Option<Instant>,
    pub(crate) metadata: Metadata,
    /// Why metadata was not set: the call fails with that.
    pub(crate) refused: Option<Box<MetadataError>>,
    pub(crate) caller: Option<&'static str>,
    pub(crate) message_type: u32,
    /// Of a stream; `None`: as the channel says.
    pub(crate) stream_idle_timeout: Option<Duration>,
    /// `None`: as the channel says.
    pub(crate) compression: Option<Option<Compression>>,
    /// `None`: as the channel says.
    pub(crate) wait_for_ready: Option<bool>,
}

/// How long a call may take, whose limit that is, and when it will have passed.
pub(crate) struct Limit {
    pub(crate) timeout: Duration,
    pub(crate) deadline: Option<Instant>,
    pub(crate) inherited: bool,
    /// The deadline of the call that is being handled, also if the call's own comes earlier.
    pub(crate) caller: Option<Instant>,
}

/// The wire counts in milliseconds.
const LEAST: Duration = Duration::from_millis(1);

/// So long, rounded up.
#[inline]
fn whole_milliseconds(limit: Duration) -> Duration {
    match limit.subsec_nanos() % 1_000_000 {
        0 => limit,
        more => limit.saturating_add(Duration::from_nanos(u64::from(1_000_000 - more))),
    }
}

impl Limit {
    /// The time that is left at `now`, for the server; `None` if that is nothing. A caller's own
    /// limit is told in whole milliseconds, rounded up. Of an inherited one that would be more than
    /// was there, and a cycle of quick services would never end by its deadline.
    pub(crate) fn left(&self, now: Instant) -> Option<Duration> {
        let left =
            self.deadline.map_or(self.timeout, |deadline| deadline.saturating_duration_since(now));
        self.told(left, now)
    }

    /// The same when it begins.
    #[inline]
    pub(crate) fn whole(&self, now: Instant) -> Option<Duration> {
        self.told(self.timeout, now)
    }

    #[inline]
    fn told(&self, left: Duration, now: Instant) -> Option<Duration> {
        let of_caller = self.caller.map(|caller| caller.saturating_duration_since(now));
        // PROTOCOL 10
        if left.is_zero() || of_caller.is_some_and(|of_caller| of_caller < LEAST) {
            return None;
        }
        if self.inherited {
            return Some(left);
        }
        // Else a server that rounds down would end the call before its caller does.
        let left = whole_milliseconds(left);
        Some(of_caller.map_or(left, |of_caller| left.min(of_caller)))
    }

    /// For the error that says that it has passed.
    pub(crate) fn time(&self) -> TimeLimit {
        TimeLimit { length: self.timeout, deadline: self.deadline, inherited: self.inherited }
    }
}

impl CallOptions {
    /// No limit but the channel's, no metadata.
    pub fn new() -> Self {
        Self::default()
    }

    option_setters!(self => self);

    /// The options of calls that a handler makes on behalf of its caller: what is left of the time
    /// until `deadline` and the request's metadata go along.
    pub(crate) fn inherited(
        deadline: Option<Instant>,
        metadata: Metadata,
        service: &'static str,
        message_type: u32,
    ) -> Self {
        Self {
            inherited: deadline,
            metadata,
            caller: Some(service),
            message_type,
            ..Self::default()
        }
    }

    /// Changes the metadata, and keeps the first error for the call.
    pub(crate) fn change_metadata(
        &mut self,
        change: impl FnOnce(&mut Metadata) -> Result<(), MetadataError>,
    ) {
        if let Err(why) = change(&mut self.metadata) {
            self.refused.get_or_insert(Box::new(why));
        }
    }

    /// The call's own options limit its time.
    pub(crate) fn is_limited(&self) -> bool {
        self.timeout.is_some() || self.inherited.is_some()
    }

    /// The limit that counts, if there is one.
    pub(crate) fn limit(&self, default: Option<Duration>, now: Instant) -> Option<Limit> {
        let own = self.timeout.or(default);
        if own.is_none() && self.inherited.is_none() {
            return None;
        }
        let left = self.inherited.map(|deadline| deadline.saturating_duration_since(now));
        let (timeout, inherited) = match (own, left) {
            (Some(own), Some(left)) if left < own => (left, true),
            (Some(own), _) => (own, false),
            (None, Some(left)) => (left, true),
            (None, None) => return None,
        };
        Some(Limit {
            timeout,
            deadline: now.checked_add(timeout),
            inherited,
            caller: self.inherited,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::now;

    const MICROSECOND: Duration = Duration::from_micros(1);

    /// The time left that a server is told for a call with these limits.
    fn left(own: Option<Duration>, inherited: Option<Duration>) -> Option<Duration> {
        let now = now();
        let inherited = inherited.map(|left| now + left);
        let options = CallOptions { timeout: own, inherited, ..CallOptions::default() };
        let limit = options.limit(None, now).expect("there is one");
        assert_eq!(limit.whole(now), limit.left(now));
        limit.whole(now)
    }

    #[test]
    fn an_inherited_limit_below_a_millisecond_is_over_and_ones_own_is_not() {
        assert_eq!(left(Some(500 * MICROSECOND), None), Some(LEAST));
        assert_eq!(left(Some(500 * MICROSECOND), Some(LEAST)), Some(LEAST));
        assert_eq!(left(Some(500 * MICROSECOND), Some(1_500 * MICROSECOND)), Some(LEAST));
        assert_eq!(
            left(Some(1_200 * MICROSECOND), Some(1_500 * MICROSECOND)),
            Some(1_500 * MICROSECOND)
        );
        assert_eq!(left(None, Some(1_500 * MICROSECOND)), Some(1_500 * MICROSECOND));
        assert_eq!(left(None, Some(LEAST)), Some(LEAST));
        assert_eq!(left(None, Some(999 * MICROSECOND)), None);
        assert_eq!(left(Some(500 * MICROSECOND), Some(999 * MICROSECOND)), None);
        assert_eq!(left(Some(LEAST), Some(999 * MICROSECOND)), None);
        assert_eq!(left(Some(Duration::ZERO), None), None);
    }

    #[test]
    fn what_is_left_is_less_when_time_has_passed() {
        let start = now();
        let options = CallOptions::new().timeout(5 * LEAST);
        let limit = options.limit(None, start).unwrap();
        assert_eq!(limit.left(start + 2 * LEAST), Some(3 * LEAST));
        assert_eq!(
            limit.left(start + MICROSECOND),
            Some(5 * LEAST),
            "the server does not give up before the caller"
        );
        assert_eq!(limit.left(start + 5 * LEAST), None);
        let endless = CallOptions::new().timeout(Duration::MAX).limit(None, start).unwrap();
        assert_eq!(endless.left(start + LEAST), Some(Duration::MAX));
    }
}
