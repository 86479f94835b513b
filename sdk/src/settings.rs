//! Settings that channels and servers share.

use crate::error::{Code, Error, ErrorKind, Origin, Result};
use crate::transport::{DEFAULT_WINDOW, Limits};

/// The methods of a builder with a field `limits` that set what both sides of a connection have.
macro_rules! size_settings {
    () => {
        /// Bytes of messages that the peer may send on one stream before it must wait for this side to read. Default: 65,535, which is
        /// also the least that peers of the protocol announce; 0 switches flow control off in both directions.
        pub fn window(mut self, bytes: u32) -> Self {
            self.limits.window = bytes;
            self
        }

        /// The largest frame to send: one message with its headers. Default: 10,000,000 bytes, which is what tRPC-Cpp accepts.
        pub fn max_message_sent(mut self, bytes: usize) -> Self {
            self.limits.max_sent = bytes;
            self
        }

        /// The largest frame to accept; a larger one ends its connection. Default: 10 MiB, which is what tRPC-Go sends at most.
        pub fn max_message_received(mut self, bytes: usize) -> Self {
            self.limits.max_received = bytes;
            self
        }
    };
}
pub(crate) use size_settings;

/// Settings that cannot work are refused before anything is opened.
pub(crate) fn check(limits: &Limits) -> Result<()> {
    let wrong =
        |text: String| Err(Error::new(ErrorKind::Config, Origin::Caller, Code::SERVER_SYSTEM_ERR, text));
    if limits.window != 0 && limits.window < DEFAULT_WINDOW {
        return wrong(format!(
            "window is {}: peers of the protocol announce at least {DEFAULT_WINDOW} bytes, or 0 for no flow control",
            limits.window
        ));
    }
    for (name, size) in [("max_message_sent", limits.max_sent), ("max_message_received", limits.max_received)]
    {
        if !(1024..=u32::MAX as usize).contains(&size) {
            return wrong(format!("{name} is {size}: it must be from 1024 to {} bytes", u32::MAX));
        }
    }
    Ok(())
}
