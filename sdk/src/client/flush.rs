//! Waiting until what was queued is in the socket.

use futures::future::join_all;

use crate::driver::{ConnError, Link};
use crate::error::{Error, ErrorKind, Origin, Reason, Result};

use super::channel::Channel;
use super::pool::ConnectionPool;

impl Channel {
    /// Waits until all that was queued so far on the channel's connections is in the socket:
    /// one-way calls, which nobody answers, and messages of streams. The system sends what is in
    /// the socket even if this process ends then. Nothing tells whether the peer gets and handles
    /// it.
    ///
    /// A one-way call is queued once its future is ready. Waits for as long as the peers take
    /// nothing; a peer that is gone is given up after
    /// [`dead_peer_timeout`](crate::client::ChannelBuilder::dead_peer_timeout).
    ///
    /// **Cancel safety**: dropping the future changes nothing; what is queued is still written.
    ///
    /// ```
    /// # use trill::{Channel, Result};
    /// # async fn f(channel: Channel) -> Result<()> {
    /// // One-way calls with a client of this channel, and then, before the program ends:
    /// channel.flush().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A connection was lost before all that was queued on it was written, since the last flush
    /// ([`ErrorKind::Network`], or [`ErrorKind::Closed`] if this side closed it). The bytes that
    /// were not written are not sent again. A loss that a flush has waited for may be told by the
    /// next one as well.
    pub async fn flush(&self) -> Result<()> {
        let pool = self.pool();
        let links = pool.all_links();
        let flushed = join_all(links.iter().map(Link::flush)).await;
        let failed = links.iter().zip(flushed).find_map(|(link, flushed)| {
            flushed.err().map(|why| unwritten(&why).with_peer(link.peer_text()))
        });
        match pool.take_unwritten().or(failed) {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }
}

impl ConnectionPool {
    /// A connection is over, and not all was written.
    pub(super) fn note_unwritten(&self, why: &ConnError, peer: impl Into<std::sync::Arc<str>>) {
        self.unwritten.lock().get_or_insert_with(|| unwritten(why).with_peer(peer));
    }

    fn take_unwritten(&self) -> Option<Error> {
        self.unwritten.lock().take()
    }
}

fn unwritten(why: &ConnError) -> Error {
    let kind =
        if matches!(why, ConnError::LocalClosed) { ErrorKind::Closed } else { ErrorKind::Network };
    let text = format!("the connection ended before all that was queued was written: {why}");
    Error::new(kind, Origin::Peer, Reason::Network, text)
}
