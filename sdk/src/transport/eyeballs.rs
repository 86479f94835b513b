//! Connecting to a name that has several addresses, after RFC 8305 ("Happy Eyeballs"): one that
//! says nothing does not cost the others.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;

/// How long an attempt has for itself before the next one begins: the "Connection Attempt Delay"
/// that RFC 8305, section 8, recommends.
const NEXT_AFTER: Duration = Duration::from_millis(250);

/// Connects to the address that answers first. The next attempt begins after a while, or as soon as
/// one fails. It has no limit of its own.
///
/// Dropping the future gives all attempts up.
///
/// # Errors
/// No address answered: the last failure, with its address if there were several.
pub(super) async fn first<T, F: Future<Output = io::Result<T>>>(
    addresses: Vec<SocketAddr>,
    connect: impl Fn(SocketAddr) -> F,
) -> io::Result<T> {
    let several = addresses.len() > 1;
    let attempt = |address: SocketAddr| {
        let connecting = connect(address);
        async move {
            let named =
                |error: io::Error| io::Error::new(error.kind(), format!("{address}: {error}"));
            connecting.await.map_err(|error| if several { named(error) } else { error })
        }
    };
    let mut left = in_order(addresses);
    let mut attempts = FuturesUnordered::new();
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    loop {
        attempts.extend(left.pop_front().map(&attempt));
        tokio::select! {
            biased;
            Some(ended) = attempts.next() => match ended {
                Ok(connected) => return Ok(connected),
                Err(error) => failure = error,
            },
            () = tokio::time::sleep(NEXT_AFTER), if !left.is_empty() => {}
            else => return Err(failure),
        }
    }
}

/// The system's order, but with the two families in turns (section 4): a network that drops all of
/// one costs one attempt, not one for each of its addresses.
fn in_order(addresses: Vec<SocketAddr>) -> VecDeque<SocketAddr> {
    let Some(first) = addresses.first().map(SocketAddr::is_ipv6) else { return VecDeque::new() };
    let (one, other): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == first);
    let (mut one, mut other) = (one.into_iter(), other.into_iter());
    let mut mixed = VecDeque::new();
    loop {
        let pair = [one.next(), other.next()];
        if pair == [None, None] {
            return mixed;
        }
        mixed.extend(pair.into_iter().flatten());
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use crate::clock::now;

    use super::*;

    /// Addresses by what they do: refuse, say nothing, or answer after a while.
    async fn connect(addresses: &[&str]) -> (io::Result<SocketAddr>, Duration) {
        let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
        let start = Instant::from_std(now());
        let connected = first(addresses, async |address: SocketAddr| match address.port() {
            1 => Err(io::ErrorKind::ConnectionRefused.into()),
            2 => std::future::pending().await,
            ms => {
                tokio::time::sleep(Duration::from_millis(ms.into())).await;
                Ok(address)
            }
        });
        (connected.await, start.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_address_costs_the_next_a_quarter_of_a_second_and_one_that_refuses_nothing() {
        let answer = |text: &str| text.parse::<SocketAddr>().unwrap();
        let (connected, took) = connect(&["10.0.0.1:2", "10.0.0.2:10"]).await;
        assert_eq!((connected.unwrap(), took.as_millis()), (answer("10.0.0.2:10"), 260));
        let (connected, took) = connect(&["10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:10"]).await;
        assert_eq!((connected.unwrap(), took.as_millis()), (answer("10.0.0.3:10"), 10));
        // One that is slow is not given up for the next.
        let (connected, took) = connect(&["10.0.0.1:300", "10.0.0.2:900"]).await;
        assert_eq!((connected.unwrap(), took.as_millis()), (answer("10.0.0.1:300"), 300));
    }

    #[tokio::test(start_paused = true)]
    async fn all_addresses_have_to_fail() {
        let (connected, took) = connect(&["10.0.0.1:1", "10.0.0.2:1"]).await;
        let error = connected.unwrap_err();
        assert_eq!((error.kind(), took), (io::ErrorKind::ConnectionRefused, Duration::ZERO));
        assert!(error.to_string().starts_with("10.0.0.2:1: "), "{error}");
        assert_eq!(connect(&[]).await.0.unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn families_take_turns() {
        let parse = |list: &[&str]| list.iter().map(|it| it.parse().unwrap()).collect::<Vec<_>>();
        let mixed = in_order(parse(&["[::1]:1", "[::2]:1", "[::3]:1", "10.0.0.1:1"]));
        assert_eq!(mixed, parse(&["[::1]:1", "10.0.0.1:1", "[::2]:1", "[::3]:1"]));
    }
}
