//! One address: when it is connected to, and what calls see meanwhile.

use std::error::Error as _;

use futures::FutureExt;
use prost::Message as _;
use tokio::time::{Duration, Instant};

use super::network::{Answer, Network, call, clock, hint, ms, pass, settle, told};
use crate::client::call::Stub;
use crate::client::{Backoff, Channel, State};
use crate::error::ErrorKind;
use crate::service::{MethodKind, MethodSpec, ServiceSpec};

/// Waits without a random part.
const STEADY: Backoff = Backoff { first: ms(100), max: ms(1000), factor: 2.0, jitter: 0.0 };

#[tokio::test(start_paused = true)]
async fn a_lazy_channel_does_nothing_before_the_first_call() {
    let network = Network::new();
    network.set("a:1", Answer::Accepts);
    let channel = network.builder().lazy("a:1").unwrap();
    let mut watch = channel.watch();
    pass(Duration::from_secs(3600)).await;
    assert!(matches!(channel.state(), State::Idle));
    assert_eq!((network.attempts_at("a:1"), channel.connections()), (0, 0));
    hint(&channel).await.unwrap();
    assert_eq!((network.attempts_at("a:1"), channel.connections()), (1, 1));
    hint(&channel).await.unwrap();
    assert_eq!(network.attempts_at("a:1"), 1);
    // A state that is over before anybody looks is not told.
    assert_eq!(told(&mut watch).await, ["Ready"]);
}

#[tokio::test(start_paused = true)]
async fn an_address_that_refuses_is_tried_again_with_growing_waits() {
    let network = Network::new();
    let start = clock();
    let channel = network.builder().reconnect(STEADY).lazy("a:1").unwrap();
    let error = hint(&channel).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert!(error.is_retryable());
    assert_eq!(
        error.to_string(),
        "cannot connect: nobody listens there (/test.Service/Call at a:1)"
    );
    assert_eq!(error.source().unwrap().to_string(), "connection refused");
    pass(ms(5000)).await;
    assert_eq!(network.attempts(start), [0, 100, 300, 700, 1500, 2500, 3500, 4500]);
    let State::TransientFailure { why, retry_at } = channel.state() else { panic!("{channel:?}") };
    assert_eq!(why.kind(), ErrorKind::Connect);
    assert_eq!(Instant::from_std(retry_at).duration_since(start), ms(5500));

    // Between two attempts a call fails at once, and makes none of its own.
    let error = hint(&channel).now_or_never().expect("it does not wait").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert_eq!(network.attempts(start).len(), 8);

    network.set("a:1", Answer::Accepts);
    pass(ms(500)).await;
    assert!(channel.state().is_ready());
    hint(&channel).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_thousand_clients_do_not_come_back_at_the_same_moment() {
    let network = Network::new();
    let start = clock();
    let channels: Vec<_> = (0..1000).map(|_| network.builder().lazy("a:1").unwrap()).collect();
    for channel in &channels {
        hint(channel).await.unwrap_err();
    }
    assert_eq!(network.attempts(start), [0; 1000]);
    pass(ms(110)).await;
    let second = network.attempts(start).split_off(1000);
    assert!(second.len() >= 1000, "{}", second.len());
    let (first, last) =
        (second.iter().take(1000).min().unwrap(), second.iter().take(1000).max().unwrap());
    // A fifth of the wait of 100 ms is asked for; half of it is promised. The clock counts
    // milliseconds.
    assert!(last - first >= 40, "they came from {first} to {last} ms");
    let heap = (0..=110).map(|at| second.iter().filter(|ms| **ms == at).count()).max().unwrap();
    assert!(heap < 100, "{heap} of them came in one millisecond");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_for_ready_outlasts_failures() {
    let network = Network::new();
    let start = clock();
    let channel = network.builder().reconnect(STEADY).wait_for_ready(true).lazy("a:1").unwrap();
    let waiting = tokio::spawn({
        let channel = channel.clone();
        async move { hint(&channel).await }
    });
    pass(ms(1000)).await;
    network.set("a:1", Answer::Accepts);
    waiting.await.unwrap().unwrap();
    assert_eq!(clock().duration_since(start), ms(1500));
    assert_eq!(network.attempts(start), [0, 100, 300, 700, 1500]);
}

#[tokio::test(start_paused = true)]
async fn a_call_can_say_itself_whether_it_waits() {
    let network = Network::new();
    let patient = network.builder().reconnect(STEADY).wait_for_ready(true).lazy("a:1").unwrap();
    let error = call(&patient).wait_for_ready(false).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect);
    let impatient = network.builder().reconnect(STEADY).lazy("a:1").unwrap();
    let error = call(&impatient).wait_for_ready(true).timeout(ms(350)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
}

#[tokio::test(start_paused = true)]
async fn who_waits_in_vain_is_told_what_for() {
    let network = Network::new();
    let start = clock();
    let channel = network.builder().reconnect(STEADY).wait_for_ready(true).lazy("a:1").unwrap();
    let error = call(&channel).timeout(ms(2000)).await.unwrap_err();
    assert_eq!(start.elapsed(), ms(2000));
    assert_eq!((error.kind(), error.code()), (ErrorKind::Timeout, crate::Code::DeadlineExceeded));
    assert!(error.is_retryable(), "it was not sent");
    let text = error.to_string();
    assert!(
        text.contains("was not sent") && text.contains("2s (timeout)") && text.contains("a:1"),
        "{text}"
    );
    assert!(error.source().unwrap().to_string().starts_with("cannot connect"), "{error:?}");

    // A stream has no limit of its own: that of its opening counts.
    let stream = Stub::new(channel, &STREAMS).bidi::<(), ()>(0);
    let error = stream.await.unwrap_err();
    assert_eq!(start.elapsed(), ms(12_000));
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.to_string().contains("10s (open_timeout)"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn an_address_that_says_nothing_is_given_up_in_time() {
    let network = Network::new();
    network.set("a:1", Answer::Nothing);
    let start = clock();
    let builder = network.builder().connect_timeout(ms(3000)).reconnect(STEADY);
    let error = builder.clone().connect("a:1").await.unwrap_err();
    assert_eq!(start.elapsed(), ms(3000));
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert!(error.to_string().contains("within 3s (connect_timeout)"), "{error}");
    settle().await;
    assert_eq!(network.pending(), 0);

    let channel = builder.lazy("a:1").unwrap();
    let error = call(&channel).await.unwrap_err();
    assert!(error.to_string().contains("connect_timeout"), "{error}");
    // The next attempt is on the way: a call waits for that one.
    pass(ms(1000)).await;
    let waited = clock();
    assert_eq!(call(&channel).await.unwrap_err().kind(), ErrorKind::Connect);
    assert_eq!(waited.elapsed(), ms(2100));
}

#[tokio::test(start_paused = true)]
async fn a_call_fails_with_its_attempt_also_when_it_looks_after_the_next_has_begun() {
    let network = Network::new();
    let channel = network.builder().reconnect(STEADY).lazy("a:1").unwrap();
    let mut calling = std::pin::pin!(hint(&channel));
    assert!(calling.as_mut().now_or_never().is_none());
    // The attempt is refused, and the next one hangs.
    pass(ms(50)).await;
    network.set("a:1", Answer::Nothing);
    pass(ms(100)).await;
    assert_eq!((network.attempts_at("a:1"), network.pending()), (2, 1));
    let error = calling.now_or_never().expect("its attempt has failed").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_was_used_is_replaced_at_once() {
    let network = Network::new();
    network.set("a:1", Answer::Accepts);
    let start = clock();
    let channel = network.builder().connect("a:1").await.unwrap();
    hint(&channel).await.unwrap();
    let sent = tokio::spawn(call(&channel).into_future());
    pass(ms(5000)).await;
    network.hang_up("a:1");
    // It was sent: only the caller can know whether it may be sent again.
    let error = sent.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Network);
    assert!(!error.is_retryable());
    settle().await;
    assert_eq!(network.attempts(start), [0, 5000]);
    assert!(channel.state().is_ready());
    hint(&channel).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_call_that_finds_a_dead_connection_waits_for_the_next_one() {
    let network = Network::new();
    network.set("a:1", Answer::Accepts);
    let channel = network.builder().connect("a:1").await.unwrap();
    hint(&channel).await.unwrap();
    pass(ms(5000)).await;
    let link = channel.pick().unwrap();
    network.hang_up("a:1");
    // Only the connection knows yet, and the first that writes.
    link.close(&crate::driver::ConnError::PeerClosed);
    hint(&channel).await.unwrap();
    assert_eq!(network.open("a:1"), 1);
    // Nor does one of many calls that wait for room on a connection fail when it is lost.
    let big = || {
        Stub::new(channel.clone(), &BYTES).oneway(0, vec![0_u8; 200 * 1024]).timeout(ms(3_600_000))
    };
    let calls: Vec<_> = (0..20).map(|_| tokio::spawn(big().into_future())).collect();
    settle().await;
    let waiting = calls.iter().filter(|call| !call.is_finished()).count();
    assert!(waiting > 10, "{waiting} wait");
    // Each connection takes a few, before it is lost as well.
    for _ in 0..20 {
        network.hang_up("a:1");
        pass(ms(20_000)).await;
    }
    for call in calls {
        call.await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn calls_that_wait_for_room_on_a_connection_end_in_time() {
    let network = Network::new();
    network.set("a:1", Answer::Accepts);
    let channel = network.builder().connect("a:1").await.unwrap();
    let start = clock();
    // The server does not read, so that only a few fit into what is queued.
    let big =
        || Stub::new(channel.clone(), &BYTES).oneway(0, vec![0_u8; 200 * 1024]).timeout(ms(1500));
    let calls: Vec<_> = (0..10).map(|_| tokio::spawn(big().into_future())).collect();
    let mut late = 0;
    for call in calls {
        if let Err(error) = call.await.unwrap() {
            assert_eq!(error.kind(), ErrorKind::Timeout);
            assert!(
                error.is_retryable() && error.to_string().contains("1.5s (timeout)"),
                "{error}"
            );
            late += 1;
        }
    }
    assert_eq!(start.elapsed(), ms(1500));
    assert!(late >= 5, "{late}");
}

/// The time left that each request in these bytes states, in milliseconds.
fn timeouts(mut bytes: &[u8]) -> Vec<u32> {
    let mut found = Vec::new();
    while let Some((fixed, rest)) = bytes.split_at_checked(16) {
        let total = u32::from_be_bytes(fixed[4..8].try_into().unwrap()) as usize;
        let header = usize::from(u16::from_be_bytes(fixed[8..10].try_into().unwrap()));
        found.push(trill_proto::RequestProtocol::decode(&rest[..header]).unwrap().timeout);
        bytes = &rest[total - 16..];
    }
    found
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waited_for_room_tells_what_is_left() {
    let network = Network::new();
    network.set("a:1", Answer::Accepts);
    let channel = network.builder().connect("a:1").await.unwrap();
    let big =
        || Stub::new(channel.clone(), &BYTES).oneway(0, vec![0_u8; 200 * 1024]).timeout(ms(60_000));
    let bigs: Vec<_> = (0..20).map(|_| tokio::spawn(big().into_future())).collect();
    settle().await;
    // It is too large to go ahead of those that wait.
    let last = Stub::new(channel.clone(), &BYTES).oneway(0, vec![0_u8; 5 * 1024]);
    let last = tokio::spawn(last.timeout(ms(5000)).into_future());
    pass(ms(3400)).await;
    let mut bytes = Vec::new();
    for _ in 0..1000 {
        bytes.extend(network.read("a:1"));
        settle().await;
    }
    let told = timeouts(&bytes);
    assert_eq!((told.len(), told[0], *told.last().unwrap()), (21, 60_000, 1600), "{told:?}");
    assert!(told[1..20].iter().all(|ms| [60_000, 56_600].contains(ms)), "{told:?}");
    for big in bigs {
        big.await.unwrap().unwrap();
    }
    last.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_nobody_used_is_not_replaced_before_somebody_calls() {
    let network = Network::new();
    network.set("a:1", Answer::Accepts);
    let channel = network.builder().connect("a:1").await.unwrap();
    let mut watch = channel.watch();
    assert_eq!(told(&mut watch).await, ["Ready"]);
    for closed in 1..4 {
        pass(Duration::from_secs(60)).await;
        network.hang_up("a:1");
        pass(Duration::from_secs(60)).await;
        assert_eq!(told(&mut watch).await, ["Idle"]);
        assert_eq!(network.attempts_at("a:1"), closed);
        channel.ready().await.unwrap();
        assert_eq!(told(&mut watch).await, ["Ready"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_idle_for_too_long_is_not_replaced_before_somebody_calls() {
    let network = Network::new();
    network.set("a:1", Answer::Accepts);
    let channel = network.builder().idle_timeout(ms(1000)).connect("a:1").await.unwrap();
    for connection in 1..4 {
        hint(&channel).await.unwrap();
        pass(Duration::from_secs(60)).await;
        assert!(matches!(channel.state(), State::Idle));
        assert_eq!((network.attempts_at("a:1"), network.open("a:1")), (connection, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_accepts_and_hangs_up_is_not_called_without_a_pause() {
    let network = Network::new();
    network.set("a:1", Answer::Accepts);
    let start = clock();
    let channel = network.builder().reconnect(STEADY).wait_for_ready(true).lazy("a:1").unwrap();
    for _ in 0..5000 {
        // Sent or not, each wants a connection.
        let _ = hint(&channel).now_or_never();
        network.hang_up("a:1");
        pass(ms(1)).await;
    }
    let attempts = network.attempts(start);
    assert!((6..=12).contains(&attempts.len()), "{attempts:?}");
}

static STREAMS: ServiceSpec = ServiceSpec { name: "test.Streams", methods: &[TALK] };
const TALK: MethodSpec =
    MethodSpec { path: "/test.Streams/Talk", aliases: &[], kind: MethodKind::Bidi, json: false };
static BYTES: ServiceSpec = ServiceSpec { name: "test.Bytes", methods: &[TAKE] };
const TAKE: MethodSpec =
    MethodSpec { path: "/test.Bytes/Take", aliases: &[], kind: MethodKind::OneWay, json: false };

/// The channel's state is part of what it prints.
#[tokio::test(start_paused = true)]
async fn a_channel_prints_its_state() {
    let network = Network::new();
    let channel: Channel = network.builder().lazy_all(["a:1", "b:1"]).unwrap();
    assert_eq!(
        format!("{channel:?}"),
        "Channel { peer: \"a:1,b:1\", state: Idle, connections: 0, .. }"
    );
}

#[tokio::test(start_paused = true)]
async fn a_call_looks_first_whether_its_quiet_connection_has_ended() {
    let network = Network::new();
    for (address, used) in [("a:1", false), ("b:1", true)] {
        network.set(address, Answer::Accepts);
        let channel = network.builder().connect(address).await.unwrap();
        if used {
            hint(&channel).await.unwrap();
        }
        pass(ms(5000)).await;
        // The task of the connection does not run before the call is made.
        network.hang_up(address);
        let mut sent = Box::pin(call(&channel).into_future());
        assert!(futures::poll!(&mut sent).is_pending());
        let sent = tokio::spawn(sent);
        settle().await;
        assert!(!sent.is_finished(), "it is not lost");
        assert!(!network.read(address).is_empty(), "the next connection got it");
    }
}
