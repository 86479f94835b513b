//! A server without an address: connections are brought to it.

use std::sync::Arc;

use crate::driver::LinkWatch;
use crate::error::{Error, ErrorKind, Origin, Reason, Result};
use crate::transport::{Ends, PeerAddr};

use super::bound::ServerHandle;
use super::connections::Connections;

pub(crate) struct Unbound(Arc<Connections>);

impl Unbound {
    pub(super) fn new(connections: Arc<Connections>) -> Self {
        Self(connections)
    }

    pub(crate) fn handle(&self) -> ServerHandle {
        ServerHandle::unbound(Arc::clone(&self.0))
    }

    /// Serves one more connection, as an accepted one.
    ///
    /// # Errors
    /// The server is being shut down, or has too many connections.
    pub(crate) fn accept(&self, ends: Ends, peer: &PeerAddr) -> Result<LinkWatch> {
        let refused = |text: String| {
            Error::new(ErrorKind::Connect, Origin::Peer, Reason::Connect, text)
                .with_peer(peer.text())
        };
        if self.0.are_draining() {
            return Err(refused("cannot connect: the server has been shut down".to_owned()));
        }
        let link = self.0.start(ends, peer.clone());
        let link = link.map_err(|full| refused(format!("cannot connect: {full}")))?;
        Ok(LinkWatch::new(&link))
    }
}
