//! The connections of a server, and the limits on accepting more.

use std::collections::VecDeque;
use std::fmt;
use std::time::{Duration, Instant};

use hashbrown::HashMap;
use slab::Slab;

use crate::driver::{Link, Peer, Pools};

use super::peers::{PeerKey, Peers};

/// The limits on the connections that a server accepts.
#[derive(Clone, Copy, Debug)]
pub(super) struct AcceptLimits {
    /// In all.
    pub(super) connections: usize,
    /// The setting that says so.
    setting: &'static str,
    /// That have not sent a whole frame.
    pub(super) new: usize,
    /// How long each of those is left alone.
    pub(super) new_grace: Duration,
    /// That are served newly within a second.
    pub(super) accepts_per_second: Option<u32>,
}

/// More than most processes may open files for, so only who sets a number is warned of that.
pub(super) const DEFAULT_CONNECTIONS: usize = 100_000;

impl Default for AcceptLimits {
    fn default() -> Self {
        Self {
            connections: DEFAULT_CONNECTIONS,
            setting: "max_connections",
            new: 1_024,
            new_grace: Duration::from_secs(10),
            accepts_per_second: Some(10_000),
        }
    }
}

/// Beside those that are served there may be one in so many that waits.
const WAITING_PART: usize = 16;

impl AcceptLimits {
    /// How many connections may wait to be served: no more than get their turn within a second, and
    /// few beside those that are served.
    pub(super) fn waiting(&self) -> usize {
        let second = self.accepts_per_second.map_or(usize::MAX, |count| count as usize);
        (self.connections / WAITING_PART).min(second).max(1)
    }

    /// There are files for so many connections only.
    pub(super) fn limit_to_files(&mut self, connections: usize) {
        (self.connections, self.setting) = (connections, "RLIMIT_NOFILE");
    }
}

/// The open connections. One that has sent a whole frame is as good as any other; of those that
/// have not, only so many may be there for long. A crowd that has just come is no reason to close
/// any: their first frames may be on the way.
pub(super) struct ConnectionSet {
    accept_limits: AcceptLimits,
    peers: Peers,
    /// Connections that have entered and not left.
    count: usize,
    entries: Slab<ConnectionEntry>,
    /// Those that had not sent a frame when this was looked at last, oldest first.
    new: VecDeque<ConnectionId>,
    /// Not before then it is looked at again: it takes as long as there are new connections.
    look_at: Option<Instant>,
    last_number: u64,
}

struct ConnectionEntry {
    number: u64,
    link: Link,
    key: Option<PeerKey>,
    since: Instant,
}

/// A connection's entry. Numbers are never used twice.
#[derive(Clone, Copy)]
pub(super) struct ConnectionId {
    index: usize,
    number: u64,
}

/// The limit leaves no room for one more connection of a peer.
#[derive(Debug)]
pub(super) struct Full {
    used: usize,
    own: usize,
    limit: usize,
    setting: &'static str,
}

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { used, own, limit, setting } = self;
        write!(
            f,
            "the server has {used} connections, {own} of them of this peer, and takes at most {limit} ({setting}), of which no \
             peer gets more than it leaves"
        )
    }
}

impl ConnectionSet {
    pub(super) fn new(accept_limits: AcceptLimits, pools: Pools) -> Self {
        Self {
            accept_limits,
            peers: Peers::new(pools),
            count: 0,
            entries: Slab::new(),
            new: VecDeque::new(),
            look_at: None,
            last_number: 0,
        }
    }

    /// Counts one more connection of a peer, if there is room for it, until it
    /// [leaves](Self::leave).
    pub(super) fn enter(&mut self, key: Option<&PeerKey>) -> Result<std::sync::Arc<Peer>, Full> {
        let (used, own, limit) =
            (self.count, self.peers.connections(key), self.accept_limits.connections);
        if used.saturating_add(own) >= limit {
            return Err(Full { used, own, limit, setting: self.accept_limits.setting });
        }
        self.count += 1;
        Ok(self.peers.enter(key))
    }

    /// Inserts one that has entered, and gives the connections that have been silent for too long
    /// beside so many others.
    pub(super) fn insert(
        &mut self,
        link: Link,
        key: Option<PeerKey>,
        now: Instant,
    ) -> (ConnectionId, Vec<Link>) {
        self.last_number += 1;
        let number = self.last_number;
        let id = ConnectionId {
            index: self.entries.insert(ConnectionEntry { number, link, key, since: now }),
            number,
        };
        self.new.push_back(id);
        (id, self.silent_ones(now))
    }

    pub(super) fn remove(&mut self, id: ConnectionId) -> Link {
        self.entries.remove(id.index).link
    }

    /// Counts a connection no more that has entered.
    pub(super) fn leave(&mut self, key: Option<&PeerKey>) {
        self.count -= 1;
        self.peers.leave(key);
    }

    pub(super) fn links(&self) -> Vec<Link> {
        self.entries.iter().map(|(_, entry)| entry.link.clone()).collect()
    }

    /// Tells whether none has entered that has not left.
    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The oldest new connections, as many as there are too many, if they have been left alone for
    /// long enough. Those go first of whose peers there are more than a fair share.
    fn silent_ones(&mut self, now: Instant) -> Vec<Link> {
        if self.new.len() <= self.accept_limits.new || self.look_at.is_some_and(|at| now < at) {
            return Vec::new();
        }
        self.look_at = now.checked_add(self.accept_limits.new_grace / 10);
        let entries = &self.entries;
        let of =
            |id: &ConnectionId| entries.get(id.index).filter(|entry| entry.number == id.number);
        self.new.retain(|id| of(id).is_some_and(|entry| !entry.link.is_first_frame_seen()));
        let mut excess = self.new.len().saturating_sub(self.accept_limits.new);
        let mut counts: HashMap<&PeerKey, usize> = HashMap::new();
        let mut unnamed = 0;
        for id in &self.new {
            match of(id).and_then(|entry| entry.key.as_ref()) {
                Some(key) => *counts.entry(key).or_default() += 1,
                None => unnamed += 1,
            }
        }
        let fair = self.accept_limits.new / (counts.len() + unnamed).max(1);
        let mut silent = Vec::new();
        self.new.retain(|id| {
            let Some(entry) = of(id) else { return false };
            let is_old = now.saturating_duration_since(entry.since) >= self.accept_limits.new_grace;
            let mut one = 1;
            let count = entry.key.as_ref().and_then(|key| counts.get_mut(key)).unwrap_or(&mut one);
            if excess == 0 || !is_old || *count <= fair {
                return true;
            }
            (*count, excess) = (*count - 1, excess - 1);
            silent.push(entry.link.clone());
            false
        });
        silent
    }
}
