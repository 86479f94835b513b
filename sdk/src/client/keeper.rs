//! The tasks of a channel: one for each connection, which makes it, drives it and replaces it, and one that asks for addresses.
//!
//! They decide nothing: [`Members`] does.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use crate::error::{Code, Error, ErrorKind, Origin, Result};
use crate::service::Signal;
use crate::transport::{Address, ConnError, Connection, Driver, Ends, PeerAddr, UnknownHost, now};

use super::backoff::{Attempts, random};
use super::members::{Id, Members, Then};
use super::pool::Pool;
use super::resolve::AnyResolve;

/// Failures make it ask for addresses again, but not more often than that.
const ASK_AT_MOST_EVERY: Duration = Duration::from_secs(1);

/// Keeps a member connected. It ends when the member is `gone`, or has nobody to be connected for; a connection that calls still hold is
/// driven to its end before.
pub(super) async fn keep(pool: Arc<Pool>, id: Id, address: Address, gone: Arc<Signal>) {
    loop {
        let attempt = tokio::select! {
            biased;
            () = gone.wait() => return,
            attempt = attempt(&pool, &address) => attempt,
        };
        let then = match attempt {
            Ok((ends, peer)) => {
                let text = peer.text();
                let why = drive(&pool, id, ends, peer).await;
                if matches!(why, ConnError::Idle(_)) {
                    pool.change(|members| members.handle_idle(id));
                    return;
                }
                let (lost, backoff) = (lost(&why).with_peer(text), &pool.plan.backoff);
                pool.change(|members| members.handle_lost(id, lost, backoff, (now(), random())))
            }
            Err(error) => {
                tracing::debug!(peer = %address, %error, "cannot connect");
                let backoff = &pool.plan.backoff;
                pool.change(|members| members.handle_failed(id, error, backoff, (now(), random())))
            }
        };
        pool.ask_again.notify_one();
        let Then::Wait(wait) = then else { return };
        if !wait.is_zero() {
            tokio::select! {
                biased;
                () = gone.wait() => return,
                () = sleep(wait) => pool.change(|members| members.handle_retry(id)),
            }
        }
    }
}

async fn attempt(pool: &Pool, address: &Address) -> Result<(Ends, PeerAddr)> {
    let limit = pool.plan.connect_timeout;
    let failed = |text: String| {
        Error::new(ErrorKind::Connect, Origin::Peer, Code::CLIENT_CONNECT_ERR, text)
            .with_peer(address.to_string())
    };
    match tokio::time::timeout(limit, pool.plan.connector.connect(address, &pool.plan.limits)).await {
        Ok(Ok(connected)) => Ok(connected),
        Ok(Err(error)) => Err(failed(format!("cannot connect: {}", why_not(&error))).with_source(error)),
        Err(_) => Err(failed(format!("no connection within {limit:?} (connect_timeout)"))),
    }
}

/// The reason in short; the error itself is the source.
fn why_not(error: &io::Error) -> &'static str {
    match error.kind() {
        _ if error.get_ref().is_some_and(|inner| inner.is::<UnknownHost>()) => "its name cannot be resolved",
        io::ErrorKind::ConnectionRefused => "nobody listens there",
        io::ErrorKind::NotFound => "there is no such socket",
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => "there is no way to it",
        io::ErrorKind::TimedOut => "it does not answer",
        io::ErrorKind::PermissionDenied => "this process may not",
        _ => "the system refused",
    }
}

/// Drives a connection until it is over, and says why.
async fn drive(pool: &Pool, id: Id, ends: Ends, peer: PeerAddr) -> ConnError {
    let (link, driver) = Driver::client(Connection::client(pool.plan.limits.clone()), ends, peer);
    pool.change(|members| members.handle_connected(id, link, now()));
    driver.await
}

/// Drives the one connection that a channel was given. It is not replaced: the channel ends with it.
pub(super) async fn hold(pool: Arc<Pool>, driver: Driver) {
    let lost = lost(&driver.await).with_peer(Arc::clone(&pool.plan.target));
    pool.end(lost);
}

/// The error of calls that would have taken the connection.
fn lost(why: &ConnError) -> Error {
    let text = format!("the call was not sent, because the connection is over: {why}");
    Error::new(ErrorKind::Network, Origin::Peer, Code::CLIENT_NETWORK_ERR, text).not_sent()
}

/// Asks for addresses until the channel is over.
pub(super) async fn follow(pool: Arc<Pool>, resolver: Arc<dyn AnyResolve>) {
    tokio::select! {
        biased;
        () = pool.over.wait() => {}
        () = ask(&pool, &*resolver) => {}
    }
}

async fn ask(pool: &Arc<Pool>, resolver: &dyn AnyResolve) {
    let mut attempts = Attempts::default();
    let mut failed = false;
    loop {
        if std::mem::take(&mut failed) {
            pool.change(Members::handle_asking);
        }
        let asked_at = Instant::from_std(now());
        let wait = match addresses(pool, resolver).await {
            Ok(addresses) => {
                attempts = Attempts::default();
                pool.start(|members| members.handle_addresses(&addresses, pool.plan.each));
                pool.plan.resolve_every
            }
            Err(error) => {
                failed = true;
                tracing::debug!(servers = %pool.plan.target, %error, "cannot resolve");
                let wait = attempts.handle_failed(&pool.plan.backoff, random());
                pool.change(|members| members.handle_unnamed(error, now() + wait));
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
            () = resolver.changed() => {}
            () = async {
                pool.ask_again.notified().await;
                sleep_until(asked_at + ASK_AT_MOST_EVERY).await;
            } => {}
        }
    }
}

async fn addresses(pool: &Pool, resolver: &dyn AnyResolve) -> Result<Vec<Address>> {
    let limit = pool.plan.connect_timeout;
    let failed = |text: String| {
        Error::new(ErrorKind::Connect, Origin::Peer, Code::CLIENT_ROUTER_ERR, text)
            .with_peer(Arc::clone(&pool.plan.target))
    };
    let found = match tokio::time::timeout(limit, resolver.resolve()).await {
        Ok(Ok(found)) => found,
        Ok(Err(error)) => return Err(failed("cannot find the servers".to_owned()).with_source(error)),
        Err(_) => return Err(failed(format!("no addresses within {limit:?} (connect_timeout)"))),
    };
    let mut addresses = Vec::new();
    for text in &found {
        let address = Address::parse(text)?;
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    if addresses.is_empty() { Err(failed("there are no servers".to_owned())) } else { Ok(addresses) }
}
