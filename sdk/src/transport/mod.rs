//! Bytes in, bytes out: sockets, and what stands in for one. With tokio, and without a word of any
//! protocol.

mod address;
mod dead_peer;
mod eyeballs;
mod io;
mod listener;
mod memory;
mod socket;
mod socket_options;
mod split;
mod undriven;

use std::io::IoSlice;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::BytesMut;

pub(crate) use address::{Address, BadAddress};
pub use address::{Credentials, PeerAddr};
pub(crate) use dead_peer::NOTICED_FROM;
pub use io::Io;
pub use listener::Listener;
pub(crate) use memory::pair as memory_pair;
pub(crate) use socket::{SocketListener, UnknownHost, connect, is_of_other_type, why_not_bound};
pub(crate) use socket_options::SocketOptions;
pub(crate) use undriven::Undriven;

/// One end of a connection. The seam under which bytes travel: a socket, or something that behaves
/// like one.
pub(crate) struct Ends {
    pub(crate) input: Box<dyn ReadEnd>,
    pub(crate) output: Arc<dyn WriteEnd>,
}

/// The bytes that the peer sends. Only the driver reads.
pub(crate) trait ReadEnd: Send + 'static {
    /// Reads what is there into the spare capacity of `buf`, or waits for it. 0 is the end.
    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut BytesMut,
    ) -> Poll<std::io::Result<usize>>;

    /// Tells whether the peer has sent its last byte, as far as can be known without reading up to
    /// there.
    fn is_closed(&self) -> bool;

    /// Tells whether unread bytes are there, or the end. It is `false` while a read would wait.
    fn has_more(&self) -> bool {
        false
    }

    /// Tells whether nothing comes before the end, so that there is nothing to serve.
    fn is_gone(&self) -> bool {
        false
    }
}

/// The bytes that the peer gets. All methods take `&self`, because whoever has bytes to send may
/// send them; the connection sees to it that one does at a time, and offers bytes that were not
/// taken again as the next ones.
pub(crate) trait WriteEnd: Send + Sync + 'static {
    /// Writes what fits.
    fn try_write(&self, bytes: &[u8]) -> std::io::Result<usize>;

    /// Writes what fits of several pieces, the first of which is not empty.
    fn try_write_vectored(&self, pieces: &[IoSlice<'_>]) -> std::io::Result<usize> {
        self.try_write(&pieces[0])
    }

    /// Waits until [`try_write`](Self::try_write) may succeed. Only the driver asks.
    fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<std::io::Result<()>>;

    /// Says that nothing more will be written: the peer reads the end behind what was.
    fn finish(&self);

    /// Goes on with what the io sends of itself: what reading has caused, and the end that was
    /// said. Only the driver asks, each time it runs, and is woken when there is more to do.
    ///
    /// # Errors
    /// Nothing can be written any more.
    fn poll_own(&self, _cx: &mut Context<'_>) -> std::io::Result<()> {
        Ok(())
    }

    /// Ends the output as the io's protocol has it. Ready when dropping the ends loses nothing of
    /// what was written. Only the driver asks.
    fn poll_close(&self, _cx: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }

    /// Tells whether the peer reads nothing any more, as far as that is known.
    fn is_closed(&self) -> bool {
        false
    }

    /// `true` if the peer has ended the connection and nothing that it sent is unread, so that the
    /// next read gives the end. The system is asked, because the runtime may not have heard yet.
    fn is_ended(&self) -> bool {
        false
    }
}
