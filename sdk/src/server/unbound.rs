//! A server without an address: connections are brought to it.

use std::sync::Arc;

use crate::error::{Code, Error, ErrorKind, Origin, Result};
use crate::service::Signal;
use crate::transport::{Ends, PeerAddr, Watch};

use super::bound::ServerHandle;
use super::connections::Connections;

pub(crate) struct Unbound {
    connections: Arc<Connections>,
    stopped: Arc<Signal>,
}

impl Unbound {
    pub(super) fn new(connections: Arc<Connections>) -> Self {
        Self { connections, stopped: Arc::default() }
    }

    pub(crate) fn handle(&self) -> ServerHandle {
        ServerHandle::new(Arc::clone(&self.connections), Arc::clone(&self.stopped))
    }

    /// Serves one more connection, as an accepted one.
    ///
    /// # Errors
    /// The server is being shut down.
    pub(crate) fn accept(&self, ends: Ends, peer: PeerAddr) -> Result<Watch> {
        if self.connections.drain().is_set() {
            let text = "cannot connect: the server has been shut down";
            return Err(Error::new(ErrorKind::Connect, Origin::Peer, Code::CLIENT_CONNECT_ERR, text)
                .with_peer(peer.text()));
        }
        Ok(Watch::new(&self.connections.start(ends, peer)))
    }
}
