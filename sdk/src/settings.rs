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

        /// Bytes of one connection that may be received and not yet read or answered, together with what the windows of its streams
        /// promise. Default: 256 MiB.
        ///
        /// As room gets short, streams are given smaller windows, down to 1 KiB: a peer's writers wait for credit more often, and those who
        /// are read go on. When there is none left, a server refuses new calls and streams of this connection with code 22. A peer can
        /// send more than its windows say, by one message per stream or because it does not keep to them: then the connection is not
        /// read, unless somebody on this side waits for something on it, such as a reader for a message or a writer for credit. While it is not
        /// read, a peer that breaks a single stream off is not noticed. From a quarter and one message above the limit on, streams are broken off that are not read and are
        /// sent more. Buffers are not always full, so memory can be up to half as much again.
        pub fn max_unread_per_connection(mut self, bytes: usize) -> Self {
            self.limits.unread = bytes;
            self
        }

        /// Bytes of one connection that may be written and not yet sent before its writers wait. Default: 256 KiB. One message may go
        /// beyond it, and streams that are written fast have up to 16 KiB each beside it, 256 KiB together while the socket is full.
        pub fn max_unsent_per_connection(mut self, bytes: usize) -> Self {
            self.limits.outbox = bytes;
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
    check_unread("max_unread_per_connection", limits.unread, limits)?;
    if limits.outbox == 0 {
        return wrong("max_unsent_per_connection is 0: nothing could ever be written".to_owned());
    }
    Ok(())
}

/// A budget must have room for one message and for one window.
pub(crate) fn check_unread(name: &str, bytes: usize, limits: &Limits) -> Result<()> {
    let least = limits.max_received.max(limits.window as usize);
    if bytes >= least {
        return Ok(());
    }
    let text = format!(
        "{name} is {bytes}: it must be at least max_message_received and window, {least} bytes, so that one message has room"
    );
    Err(Error::new(ErrorKind::Config, Origin::Caller, Code::SERVER_SYSTEM_ERR, text))
}
