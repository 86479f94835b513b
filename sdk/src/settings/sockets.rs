//! The settings of a connection's socket.

use crate::driver::Config;
use crate::error::{Error, ErrorKind, Origin, Reason, Result};
use crate::transport::SocketOptions;

/// The options of the socket of a connection with these settings.
pub(crate) fn socket_options(config: &Config) -> SocketOptions {
    SocketOptions {
        dead_peer_timeout: config.dead_peer_timeout,
        nodelay: config.nodelay,
        send_buffer: config.socket_send_buffer,
        receive_buffer: config.socket_receive_buffer,
    }
}

/// Sizes that the system cannot take are refused.
pub(super) fn check(config: &Config) -> Result<()> {
    for (name, size) in [
        ("socket_send_buffer", config.socket_send_buffer),
        ("socket_receive_buffer", config.socket_receive_buffer),
    ] {
        if let Some(size) = size
            && !(1..=i32::MAX as usize).contains(&size)
        {
            let text = format!("{name} is {size}: it must be from 1 to {} bytes", i32::MAX);
            return Err(Error::new(ErrorKind::Config, Origin::Caller, Reason::Internal, text));
        }
    }
    Ok(())
}
