//! Servers that say that they drain, again and again.

use tokio::time::Duration;

use super::network::{Answer, Network, call, clock, ms, pass, settle};
use crate::client::call::Stub;
use crate::client::{Backoff, Channel};
use crate::error::ErrorKind;
use crate::service::{MethodKind, MethodSpec, ServiceSpec};

/// Waits without a random part.
const STEADY: Backoff = Backoff { first: ms(100), max: ms(1000), factor: 2.0, jitter: 0.0 };

/// The number of the channel's connections that are not over.
fn connections(channel: &Channel) -> usize {
    channel.pool().all_links().len()
}

#[tokio::test(start_paused = true)]
async fn a_server_that_always_says_that_it_drains_is_connected_to_at_the_pace_of_the_backoff() {
    let network = Network::new();
    network.set("a:1", Answer::Drains);
    let start = clock();
    let channel = network.builder().reconnect(STEADY).wait_for_ready(true).lazy("a:1").unwrap();
    let mut refused = 0;
    for _ in 0..2500 {
        let error = call(&channel).timeout(ms(1)).await.unwrap_err();
        assert!(error.is_retryable(), "{error}");
        refused += usize::from(error.kind() == ErrorKind::Status);
        settle().await;
        assert!(connections(&channel) <= 1);
        pass(ms(1)).await;
    }
    let attempts = network.attempts(start);
    assert!((6..=12).contains(&attempts.len()), "{attempts:?}");
    assert!((1..=attempts.len()).contains(&refused), "{refused} calls for {attempts:?}");
}

#[tokio::test(start_paused = true)]
async fn connections_that_wait_for_their_last_stream_are_bounded_and_close_with_it() {
    let network = Network::new();
    network.set("a:1", Answer::DrainsBehindAStream);
    let channel = network.builder().reconnect(STEADY).lazy("a:1").unwrap();
    let open = || Stub::new(channel.clone(), &STREAMS).bidi::<(), ()>(0);
    let (mut streams, mut last) = (Vec::new(), None);
    for _ in 0..300 {
        match open().await {
            Ok(stream) => streams.push(stream),
            Err(error) => {
                assert!(error.is_retryable(), "{error}");
                last = Some(error.to_string());
            }
        }
        pass(ms(100)).await;
    }
    assert_eq!((streams.len(), connections(&channel), network.attempts_at("a:1")), (16, 16, 16));
    assert!(
        last.as_ref().is_some_and(|text| text.contains("wait for their last calls")),
        "{last:?}"
    );
    assert_eq!(channel.open_streams(), 16);
    drop(streams);
    pass(Duration::from_secs(5)).await;
    let _again = open().await.unwrap();
    assert_eq!(connections(&channel), 1);
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_is_closed_closes_the_connections_that_were_put_aside() {
    let network = Network::new();
    network.set("a:1", Answer::DrainsBehindAStream);
    let channel = network.builder().reconnect(STEADY).lazy("a:1").unwrap();
    let open = || Stub::new(channel.clone(), &STREAMS).bidi::<(), ()>(0);
    let mut stream = open().await.unwrap();
    assert_eq!(open().await.unwrap_err().code(), crate::Code::Unavailable);
    settle().await;
    assert_eq!((connections(&channel), channel.connections()), (2, 1));
    channel.close();
    let ended = tokio::time::timeout(ms(1000), stream.read()).await.expect("it is closed");
    assert_eq!(ended.unwrap_err().kind(), ErrorKind::Closed);
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_room_when_its_server_drains_goes_to_the_next_connection() {
    let network = Network::new();
    network.set("a:1", Answer::Accepts);
    let channel = network.builder().reconnect(STEADY).connect("a:1").await.unwrap();
    let asked = tokio::spawn(call(&channel).into_future());
    settle().await;
    let request = network.read("a:1");
    let big = || {
        Stub::new(channel.clone(), &BYTES).oneway(0, vec![0_u8; 200 * 1024]).timeout(ms(3_600_000))
    };
    let bigs: Vec<_> = (0..20).map(|_| tokio::spawn(big().into_future())).collect();
    let stream = Stub::new(channel.clone(), &STREAMS).bidi::<(), ()>(0);
    let stream = tokio::spawn(stream.into_future());
    settle().await;
    let waiting = bigs.iter().filter(|call| !call.is_finished()).count();
    assert!(waiting > 10, "{waiting} wait");
    network.refuse("a:1", &request);
    assert_eq!(asked.await.unwrap().unwrap_err().code(), crate::Code::Unavailable);
    for _ in 0..1000 {
        network.read("a:1");
        settle().await;
    }
    for big in bigs {
        big.await.unwrap().unwrap();
    }
    // It was sent, and this server accepts no stream.
    assert_eq!(stream.await.unwrap().unwrap_err().kind(), ErrorKind::Timeout);
    assert_eq!((network.attempts_at("a:1"), connections(&channel)), (2, 1));
}

static BYTES: ServiceSpec = ServiceSpec { name: "test.Bytes", methods: &[TAKE] };
const TAKE: MethodSpec =
    MethodSpec { path: "/test.Bytes/Take", aliases: &[], kind: MethodKind::OneWay, json: false };
static STREAMS: ServiceSpec = ServiceSpec { name: "test.Streams", methods: &[TALK] };
const TALK: MethodSpec =
    MethodSpec { path: "/test.Streams/Talk", aliases: &[], kind: MethodKind::Bidi, json: false };
