//! The tasks of a channel: one for each connection, which makes it, drives it and replaces it, and
//! one that asks for addresses.
//!
//! They decide nothing: [`Subchannels`] does.

use std::io;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use tokio::time::{Instant, sleep, sleep_until};

use crate::clock::now;
use crate::driver::{ConnError, Connection, Driver};
use crate::error::{Error, ErrorKind, Origin, Reason, Result, panic_text};
use crate::signal::Signal;
use crate::stream::PEER_DRAINS;
use crate::transport::{Address, Ends, PeerAddr, UnknownHost, is_of_other_type};

use super::backoff::{Attempts, after, random};
use super::pool::ConnectionPool;
use super::resolve::Resolve;
use super::runtime::Guard;
use super::subchannels::{Id, Subchannels, Then};

/// Failures make it ask for addresses again, but not more often than that.
const ASK_AT_MOST_EVERY: Duration = Duration::from_secs(1);

/// Keeps a subchannel connected. It ends when the subchannel is `gone`, or has nobody to be
/// connected for; a connection that calls still hold is driven to its end before.
pub(super) async fn keep(
    mut guard: Guard,
    id: Id,
    address: Address,
    gone: Arc<Signal>,
    wait: Duration,
) {
    guard.begin();
    keep_connected(&guard.pool, id, &address, &gone, wait).await;
    guard.end();
}

async fn keep_connected(
    pool: &Arc<ConnectionPool>,
    id: Id,
    address: &Address,
    gone: &Signal,
    mut wait: Duration,
) {
    loop {
        while !wait.is_zero() {
            tokio::select! {
                biased;
                () = gone.wait() => return,
                () = sleep(wait) => {}
            }
            let backoff = &pool.config.backoff;
            wait =
                pool.change(|subchannels| subchannels.handle_retry(id, backoff, now(), random()));
        }
        let attempt = tokio::select! {
            biased;
            () = gone.wait() => return,
            attempt = attempt(pool, address) => attempt,
        };
        let then = match attempt {
            Ok((ends, peer)) => {
                let text = peer.text();
                let why = drive(pool, id, ends, peer).await;
                if matches!(why, ConnError::Idle(_)) {
                    pool.change(|subchannels| subchannels.handle_idle(id));
                    return;
                }
                let (lost, backoff) = (over(&why).with_peer(text).not_sent(), &pool.config.backoff);
                pool.change(|subchannels| {
                    subchannels.handle_lost(id, lost, backoff, now(), random())
                })
            }
            Err(error) => {
                tracing::debug!(peer = %address, %error, "cannot connect");
                let backoff = &pool.config.backoff;
                pool.change(|subchannels| {
                    subchannels.handle_failed(id, error, backoff, now(), random())
                })
            }
        };
        pool.ask_again.notify_one();
        match then {
            Then::Wait(next) => wait = next,
            Then::End => return,
        }
    }
}

async fn attempt(pool: &ConnectionPool, address: &Address) -> Result<(Ends, PeerAddr)> {
    let limit = pool.config.connect_timeout;
    let failed = |text: String| {
        Error::new(ErrorKind::Connect, Origin::Peer, Reason::Connect, text)
            .with_peer(address.to_string())
    };
    let connecting =
        async { pool.config.connector.connect(address, &pool.config.connection).await };
    match tokio::time::timeout(limit, AssertUnwindSafe(connecting).catch_unwind()).await {
        Ok(Ok(Ok(connected))) => Ok(connected),
        Ok(Ok(Err(error))) if error.kind() == io::ErrorKind::InvalidInput => {
            let text = format!("the address cannot be connected to: {error}");
            Err(Error::new(ErrorKind::Config, Origin::Caller, Reason::Config, text)
                .with_peer(address.to_string())
                .with_source(error))
        }
        Ok(Ok(Err(error))) => {
            let own = !pool.config.connector.needs_sockets();
            let why = error.get_ref().filter(|_| own).map(ToString::to_string);
            let why = why.unwrap_or_else(|| why_not(&error).to_owned());
            Err(failed(format!("cannot connect: {why}")).with_source(error))
        }
        Ok(Err(panic)) => Err(panicked(format!("connecting panicked: {}", panic_text(&*panic)))
            .with_peer(address.to_string())),
        Err(_) => Err(failed(format!(
            "no connection within {limit:?} (connect_timeout): it does not answer"
        ))),
    }
}

/// The reason in short; the error itself is the source.
fn why_not(error: &io::Error) -> &'static str {
    if error.get_ref().and_then(|inner| inner.downcast_ref::<UnknownHost>()).is_some() {
        return "its name cannot be resolved";
    }
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "nobody listens there",
        io::ErrorKind::NotFound => "there is no such socket",
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            "there is no way to it"
        }
        io::ErrorKind::TimedOut => "it does not answer",
        io::ErrorKind::PermissionDenied => "this process may not",
        _ if is_of_other_type(error) => {
            "a socket of another type is there, such as one of datagrams"
        }
        _ => "the system refused",
    }
}

/// Drives a connection until it is over, and says why.
async fn drive(pool: &Arc<ConnectionPool>, id: Id, ends: Ends, peer: PeerAddr) -> ConnError {
    let text = peer.text();
    let (link, driver) =
        Driver::client(Connection::client(pool.config.connection.clone()), ends, peer);
    pool.change(|subchannels| subchannels.handle_connected(id, link, now()));
    let drains = || {
        let (why, backoff) = (peer_drains().with_peer(Arc::clone(&text)), &pool.config.backoff);
        pool.start(|subchannels| subchannels.handle_drains(id, why, backoff, now(), random()));
        pool.ask_again.notify_one();
    };
    run(pool, driver, Arc::clone(&text), drains).await
}

/// Drives a connection, also if that panics: its calls are told, and the connection is replaced
/// like others. Calls `drains` when its server drains, and goes on.
async fn run(
    pool: &ConnectionPool,
    mut driver: Driver,
    peer: Arc<str>,
    drains: impl FnOnce(),
) -> ConnError {
    let driving = async {
        if let Some(why) = driver.until_peer_drains().await {
            return why;
        }
        drains();
        (&mut driver).await
    };
    let why = match AssertUnwindSafe(driving).catch_unwind().await {
        Ok(why) => why,
        Err(panic) => {
            tracing::error!(panic = panic_text(&*panic), "the task of a connection panicked");
            driver.end(&ConnError::Panicked)
        }
    };
    if driver.is_unwritten() {
        pool.note_unwritten(&why, peer);
    }
    why
}

/// Drives the one connection that a channel was given. It is not replaced: the channel ends with
/// it.
pub(super) async fn hold(mut guard: Guard, driver: Driver) {
    guard.begin();
    let target = Arc::clone(&guard.pool.config.target);
    let drains = || {
        let why = peer_drains().with_peer(Arc::clone(&target));
        guard.pool.change(|subchannels| subchannels.handle_given_drains(why));
    };
    let why = run(&guard.pool, driver, Arc::clone(&target), drains).await;
    guard.pool.end(over(&why).with_peer(Arc::clone(&guard.pool.config.target)));
    guard.end();
}

/// The error of calls that would have taken a connection whose server drains.
fn peer_drains() -> Error {
    Error::new(ErrorKind::Status, Origin::Peer, Reason::Draining, PEER_DRAINS).not_sent()
}

/// The error of calls, and of `connect`, that would have taken a connection that is over.
pub(super) fn over(why: &ConnError) -> Error {
    let text = format!("the connection ended before anything was sent on it: {why}");
    Error::new(ErrorKind::Network, Origin::Peer, Reason::Network, text)
}

/// Asks for addresses until the channel is over.
pub(super) async fn follow(mut guard: Guard, resolver: Arc<dyn Resolve>) {
    guard.begin();
    tokio::select! {
        biased;
        () = guard.pool.over.wait() => {}
        () = ask(&guard.pool, &*resolver) => {}
    }
    guard.end();
}

async fn ask(pool: &Arc<ConnectionPool>, resolver: &dyn Resolve) {
    let mut attempts = Attempts::default();
    let mut failed = false;
    // News is followed at once, but not without a pause.
    let mut news_at = Instant::from_std(now());
    loop {
        if std::mem::take(&mut failed) {
            pool.change(Subchannels::handle_asking);
        }
        let asked_at = Instant::from_std(now());
        let wait = match addresses(pool, resolver).await {
            Ok(addresses) => {
                attempts = Attempts::default();
                pool.start(|subchannels| {
                    subchannels.handle_addresses(&addresses, pool.config.each)
                });
                pool.config.resolve_every
            }
            Err(error) => {
                let wait = if error.kind() == ErrorKind::Internal {
                    tracing::error!(servers = %pool.config.target, %error, "the resolver panicked");
                    attempts.handle_panicked(&pool.config.backoff, random())
                } else {
                    tracing::debug!(servers = %pool.config.target, %error, "cannot resolve");
                    attempts.handle_failed(&pool.config.backoff, random())
                };
                if wait.is_zero() {
                    pool.change(|subchannels| subchannels.note_failure(&error));
                    continue;
                }
                failed = true;
                pool.change(|subchannels| subchannels.handle_unnamed(error, after(now(), wait)));
                Some(wait)
            }
        };
        let due = async {
            match wait {
                Some(wait) => sleep(wait).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = due => {}
            () = changed(pool, resolver, news_at) => news_at = Instant::from_std(now()) + ASK_AT_MOST_EVERY,
            () = async {
                pool.ask_again.notified().await;
                sleep_until(asked_at + ASK_AT_MOST_EVERY).await;
            } => {}
        }
    }
}

/// Waits until the resolver says that there is something new, and then for `not_before`: one that
/// says so all the time, as a watch does whose sender is gone, does not keep its thread.
async fn changed(pool: &ConnectionPool, resolver: &dyn Resolve, not_before: Instant) {
    let changed = AssertUnwindSafe(async { resolver.changed().await });
    if let Err(panic) = changed.catch_unwind().await {
        let (servers, panic) = (&pool.config.target, panic_text(&*panic));
        tracing::error!(%servers, panic, "`changed` of the resolver panicked");
    }
    sleep_until(not_before).await;
}

async fn addresses(pool: &ConnectionPool, resolver: &dyn Resolve) -> Result<Vec<Address>> {
    let limit = pool.config.connect_timeout;
    let failed = |text: String| {
        Error::new(ErrorKind::Connect, Origin::Peer, Reason::Resolve, text)
            .with_peer(Arc::clone(&pool.config.target))
    };
    let asking = AssertUnwindSafe(async { resolver.resolve().await });
    let found = match tokio::time::timeout(limit, asking.catch_unwind()).await {
        Ok(Ok(Ok(found))) => found,
        Ok(Ok(Err(error))) => {
            return Err(failed("cannot find the servers".to_owned()).with_source(error));
        }
        Ok(Err(panic)) => {
            let text = format!("the resolver of the servers panicked: {}", panic_text(&*panic));
            return Err(panicked(text).with_peer(Arc::clone(&pool.config.target)));
        }
        Err(_) => {
            let text = format!("the resolver gave no addresses within {limit:?} (connect_timeout)");
            return Err(failed(text));
        }
    };
    match usable(pool, &found) {
        Ok(addresses) if addresses.is_empty() => Err(failed("there are no servers".to_owned())),
        addresses => addresses,
    }
}

/// The addresses without those that are none, unless all are so. Each is there once.
fn usable(pool: &ConnectionPool, found: &[String]) -> Result<Vec<Address>> {
    let mut addresses = Vec::new();
    let mut wrong = None;
    for text in found {
        match pool.config.connector.address(text) {
            Ok(address) if addresses.contains(&address) => {}
            Ok(address) => addresses.push(address),
            Err(bad) => {
                let (servers, error) = (&pool.config.target, Error::from(bad));
                tracing::warn!(%servers, %error, "the resolver gave an address that cannot be used");
                wrong = Some(error.with_peer(Arc::clone(servers)));
            }
        }
    }
    match wrong {
        Some(error) if addresses.is_empty() => Err(error),
        _ => Ok(addresses),
    }
}

/// The error of those who wait for something that panicked.
fn panicked(text: String) -> Error {
    Error::new(ErrorKind::Internal, Origin::Caller, Reason::Resolve, text)
}
