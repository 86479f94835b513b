//! How a channel gets a connection: the seam under which sockets are, or what a test puts there.

use std::future::Future;
use std::io;
use std::pin::Pin;

use crate::driver::Config;
use crate::transport::{self, Address, Ends, PeerAddr};

/// An attempt to connect.
pub(crate) type Connecting<'a> =
    Pin<Box<dyn Future<Output = io::Result<(Ends, PeerAddr)>> + Send + 'a>>;

/// Makes connections to addresses.
pub(crate) trait Connect: Send + Sync + 'static {
    /// `config` are the connection's settings. Dropping the future gives the attempt up, and leaves
    /// nothing behind.
    fn connect<'a>(&'a self, address: &'a Address, config: &'a Config) -> Connecting<'a>;

    /// Tells whether it needs a runtime with sockets.
    fn needs_sockets(&self) -> bool {
        false
    }
}

/// TCP and Unix sockets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sockets;

impl Connect for Sockets {
    fn connect<'a>(&'a self, address: &'a Address, config: &'a Config) -> Connecting<'a> {
        Box::pin(transport::connect(address, config.dead_peer_timeout))
    }

    fn needs_sockets(&self) -> bool {
        true
    }
}
