//! The recorded programs of tRPC-Cpp, over real sockets and in both roles: our server answers their
//! clients' bytes as their servers did, and our client says what their clients said and understands
//! what their servers answered.

mod call;
mod conversation;
mod forgive;
mod frame;
mod peer;
mod recorded_clients;
mod recorded_servers;
mod services;
mod told;
mod traps;

use std::future::Future;
use std::time::Duration;

/// Waits for something that a peer owes.
///
/// # Panics
///
/// If it does not come: a test that fails is better than one that hangs.
async fn due<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), what).await.expect("the peer owes something")
}
