//! How a channel gets a connection: the seam under which sockets are, or what a test puts there.

use std::future::Future;
use std::io;
use std::pin::Pin;

use crate::driver::Config;
use crate::settings;
use crate::transport::{self, Address, BadAddress, Ends, Io, PeerAddr};

/// An attempt to connect.
pub(crate) type ConnectAttempt<'a> =
    Pin<Box<dyn Future<Output = io::Result<(Ends, PeerAddr)>> + Send + 'a>>;

/// Makes connections to addresses.
pub(crate) trait Connect: Send + Sync + 'static {
    /// `config` are the connection's settings. Dropping the future gives the attempt up, and leaves
    /// nothing behind.
    fn connect<'a>(&'a self, address: &'a Address, config: &'a Config) -> ConnectAttempt<'a>;

    /// The address that a text is.
    fn address(&self, text: &str) -> Result<Address, BadAddress> {
        Address::to_connect(text)
    }

    /// Tells whether it needs a runtime with sockets.
    fn needs_sockets(&self) -> bool {
        false
    }
}

/// TCP and Unix sockets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sockets;

impl Connect for Sockets {
    fn connect<'a>(&'a self, address: &'a Address, config: &'a Config) -> ConnectAttempt<'a> {
        Box::pin(transport::connect(address, settings::socket_options(config)))
    }

    fn needs_sockets(&self) -> bool {
        true
    }
}

/// A function of the user's.
pub(super) struct Own<F>(pub(super) F);

impl<F, C, I> Connect for Own<F>
where
    F: Fn(String) -> C + Send + Sync + 'static,
    C: Future<Output = io::Result<I>> + Send + 'static,
    I: Into<Io>,
{
    fn connect<'a>(&'a self, address: &'a Address, config: &'a Config) -> ConnectAttempt<'a> {
        let text = address.to_string();
        Box::pin(async move {
            let unknown = PeerAddr::named(&text);
            let io: Io = (self.0)(text).await?.into();
            io.identify(Some(&unknown))?.open(settings::socket_options(config))
        })
    }

    fn address(&self, text: &str) -> Result<Address, BadAddress> {
        Address::for_connector(text)
    }
}
