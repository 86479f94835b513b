//! The peers of a server: the table in which a connection finds what it shares with others of its
//! peer.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use hashbrown::HashMap;

use crate::driver::{Peer, Pools};
use crate::transport::PeerAddr;

/// The key that the connections of one peer have in common.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum PeerKey {
    /// One host: an IPv4 address, or the network of an IPv6 address.
    Host(IpAddr),
    /// The application's name for the peer.
    Named(String),
}

type Name = dyn Fn(&PeerAddr) -> String + Send + Sync;

/// How a peer's key is found.
#[derive(Clone, Default)]
pub(super) struct KeyOf(pub(super) Option<Arc<Name>>);

impl KeyOf {
    /// The key of a connection; `None` if it is a peer of its own.
    pub(super) fn key(&self, address: &PeerAddr) -> Option<PeerKey> {
        if let Some(name) = &self.0 {
            match std::panic::catch_unwind(AssertUnwindSafe(|| name(address))) {
                Ok(name) => return Some(PeerKey::Named(name)),
                Err(_) => {
                    tracing::error!(peer = %address, "peer_key panicked: the peer is known by its address");
                }
            }
        }
        address.socket_addr().map(|socket| PeerKey::Host(network(socket.ip())))
    }
}

impl fmt::Debug for KeyOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "by peer_key" } else { "by address" })
    }
}

/// An IPv4 address as it is, also inside an IPv6 one. Of an IPv6 address the first 64 bits: one
/// host has all addresses behind them (RFC 4291, 2.5.4).
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let host = u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !host))
        }
        four => four,
    }
}

/// The peers that have connections.
pub(super) struct Peers {
    pools: Pools,
    named: HashMap<PeerKey, PeerEntry>,
}

struct PeerEntry {
    peer: Arc<Peer>,
    connections: usize,
}

impl Peers {
    pub(super) fn new(pools: Pools) -> Self {
        Self { pools, named: HashMap::new() }
    }

    /// How many connections the peer has.
    pub(super) fn connections(&self, key: Option<&PeerKey>) -> usize {
        key.and_then(|key| self.named.get(key)).map_or(0, |entry| entry.connections)
    }

    /// One more connection of a peer.
    pub(super) fn enter(&mut self, key: Option<&PeerKey>) -> Arc<Peer> {
        let Some(key) = key else { return self.pools.peer() };
        let pools = &self.pools;
        let entry = self
            .named
            .entry(key.clone())
            .or_insert_with(|| PeerEntry { peer: pools.peer(), connections: 0 });
        entry.connections += 1;
        Arc::clone(&entry.peer)
    }

    /// A connection has ended, and with it its last call. A peer without connections is forgotten.
    pub(super) fn leave(&mut self, key: Option<&PeerKey>) {
        let Some(key) = key else { return };
        if let Some(entry) = self.named.get_mut(key) {
            entry.connections -= 1;
            if entry.connections == 0 {
                self.named.remove(key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(address: &str) -> PeerAddr {
        PeerAddr::tcp(address.parse().unwrap())
    }

    #[test]
    fn a_peer_is_a_host_or_what_the_application_says() {
        let by_address = KeyOf::default();
        let key = |address: &str| by_address.key(&tcp(address));
        assert_eq!(key("10.0.0.1:1"), key("10.0.0.1:2"));
        assert_eq!(key("10.0.0.1:1"), key("[::ffff:10.0.0.1]:3"));
        assert_ne!(key("10.0.0.1:1"), key("10.0.0.2:1"));
        assert_eq!(key("[2001:db8::1]:1"), key("[2001:db8::ffff:1]:1"));
        assert_ne!(key("[2001:db8::1]:1"), key("[2001:db8:0:1::1]:1"));
        assert_eq!(by_address.key(&PeerAddr::memory()), None);

        let by_name = KeyOf(Some(Arc::new(|address| match address.port() {
            Some(1) => panic!("one that cannot tell"),
            port => format!("{}", port.is_some()),
        })));
        assert_eq!(by_name.key(&PeerAddr::memory()), Some(PeerKey::Named("false".to_owned())));
        assert_eq!(by_name.key(&tcp("10.0.0.1:2")), by_name.key(&tcp("10.0.0.2:2")));
        assert_eq!(by_name.key(&tcp("10.0.0.1:1")), key("10.0.0.1:1"));
    }

    #[test]
    fn connections_of_one_peer_share_it_until_the_last_of_them_has_ended() {
        let mut peers = Peers::new(Pools::new(1, 1, 1));
        let key = KeyOf::default().key(&tcp("10.0.0.1:1"));
        let first = peers.enter(key.as_ref());
        assert!(Arc::ptr_eq(&first, &peers.enter(key.as_ref())));
        assert!(!Arc::ptr_eq(&peers.enter(None), &peers.enter(None)));
        peers.leave(key.as_ref());
        assert_eq!((peers.connections(key.as_ref()), peers.named.len()), (1, 1));
        peers.leave(key.as_ref());
        assert_eq!((peers.connections(key.as_ref()), peers.named.len()), (0, 0));
    }
}
