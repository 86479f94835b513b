//! The method that a call goes to, and what all kinds of calls have alike.

use std::borrow::Cow;

use bytes::Bytes;

use crate::client::Channel;
use crate::driver::Head;
use crate::error::{Error, Result};
use crate::metadata::MetadataError;
use crate::service::{CallOptions, MethodSpec};
use crate::stream::{Compression, OwnWriter, Subject, metadata_error};

/// One method behind a channel.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) channel: Channel,
    pub(super) service: &'static str,
    pub(super) method: &'static MethodSpec,
}

impl Target {
    /// How the messages of a call are compressed.
    pub(super) fn compression(&self, options: &CallOptions) -> Option<Compression> {
        options.compression.unwrap_or(self.channel.compression())
    }

    /// Fails a call with metadata that could not be set.
    #[inline]
    pub(super) fn check_metadata(&self, options: &mut CallOptions, stream: bool) -> Result<()> {
        match options.refused.take() {
            None => Ok(()),
            Some(why) => Err(self.refused(*why, stream)),
        }
    }

    #[cold]
    fn refused(&self, why: MetadataError, stream: bool) -> Error {
        let method = Cow::Borrowed(self.method.path);
        let peer = self.channel.peer_text();
        metadata_error(
            why,
            &Subject { method, peer, client: true, stream, writing: OwnWriter::None, limit: None },
        )
    }

    /// The head of a call, which comes before its first message, as of uncompressed messages of
    /// protobuf.
    pub(super) fn head(&self, options: CallOptions, timeout: Option<std::time::Duration>) -> Head {
        let caller = options
            .caller
            .map_or_else(|| self.channel.caller(), |caller| Bytes::from_static(caller.as_bytes()));
        Head {
            method: Bytes::from_static(self.method.path.as_bytes()),
            caller,
            callee: Bytes::from_static(self.service.as_bytes()),
            metadata: options.metadata,
            timeout,
            content_type: 0,
            content_encoding: 0,
            message_type: options.message_type,
        }
    }
}

/// The options of a call, set on the call itself.
macro_rules! options {
    () => {
        crate::service::option_setters!(self => self.options_mut());

        /// Takes all options from `options`, such as those of
        /// [`Context::child`](crate::Context::child).
        pub fn options(mut self, options: CallOptions) -> Self {
            *self.options_mut() = options;
            self
        }
    };
}
pub(super) use options;

macro_rules! debug_as_name {
    ($($name:ident<$($param:ident),*>;)*) => {
        $(impl<$($param),*> fmt::Debug for $name<$($param),*> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        })*
    };
}
pub(super) use debug_as_name;
