//! Doors to the inside for the measurements in `tests/bench`. Not for people: it may change in any release.

use tokio::runtime::Handle;

use crate::client::Channel;
use crate::error::Result;
use crate::server::ServerBuilder;
use crate::transport::PeerAddr;

/// [`ServerBuilder::in_memory`] with the tasks of the server in one runtime and those of the channel in another, so that the work of
/// the two sides can be told apart.
///
/// # Errors
/// As [`ServerBuilder::in_memory`].
pub fn in_memory_between(server: ServerBuilder, its: &Handle, clients: &Handle) -> Result<Channel> {
    let near = {
        let _within = its.enter();
        server.serve_in_memory()?
    };
    let _within = clients.enter();
    Ok(Channel::builder().channel(near, PeerAddr::memory()))
}
