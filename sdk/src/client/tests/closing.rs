//! Nothing is left of a channel that is closed or dropped.

use tokio::runtime::Handle;
use tokio::time::Duration;

use super::network::{Answer, Network, call, hint, ms, pass, settle};
use crate::client::{Channel, State};
use crate::error::ErrorKind;

fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

/// The states that a channel may be in when it ends.
const DOING: [(Answer, &str); 3] =
    [(Answer::Nothing, "connecting"), (Answer::Refuses, "waiting"), (Answer::Accepts, "connected")];

#[tokio::test(start_paused = true)]
async fn a_channel_that_is_dropped_leaves_nothing_whatever_it_is_doing() {
    for (answer, doing) in DOING {
        let network = Network::new();
        network.set("a:1", answer);
        let channel = network.builder().connections(2).lazy("a:1").unwrap();
        let mut watch = channel.watch();
        let calling = tokio::spawn(call(&channel).timeout(ms(1)).into_future());
        calling.await.unwrap().unwrap_err();
        assert!(tasks() > 0, "{doing}");
        drop(channel);
        settle().await;
        assert_eq!((tasks(), network.pending(), network.open("a:1")), (0, 0, 0), "{doing}");
        assert!(watch.until(State::is_closed).await.is_some(), "{doing}");
        assert!(watch.next().await.is_none(), "{doing}");
        let attempts = network.attempts_at("a:1");
        pass(Duration::from_secs(3600)).await;
        assert_eq!(network.attempts_at("a:1"), attempts, "{doing}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_is_closed_leaves_nothing_and_calls_fail() {
    for (answer, doing) in DOING {
        let network = Network::new();
        network.set("a:1", answer);
        let channel = network.builder().wait_for_ready(true).lazy("a:1").unwrap();
        let waiting = tokio::spawn(call(&channel).into_future());
        pass(ms(10)).await;
        assert!(!waiting.is_finished(), "{doing}");
        channel.close();
        let error = waiting.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Closed, "{doing}");
        let error = hint(&channel).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Closed, "{doing}");
        assert!(
            error.to_string().contains("the channel was closed") && !error.is_retryable(),
            "{error}"
        );
        assert_eq!(channel.ready().await.unwrap_err().kind(), ErrorKind::Closed, "{doing}");
        settle().await;
        assert_eq!((tasks(), network.pending(), network.open("a:1")), (0, 0, 0), "{doing}");
        assert!(channel.state().is_closed());
    }
}

#[tokio::test(start_paused = true)]
async fn giving_up_an_eager_connect_gives_up_the_attempt() {
    let network = Network::new();
    network.set("a:1", Answer::Nothing);
    let connecting = network.builder().connect("a:1");
    tokio::time::timeout(ms(5), connecting).await.unwrap_err();
    settle().await;
    assert_eq!((tasks(), network.pending()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_call_outlives_its_channel() {
    let network = Network::new();
    network.set("a:1", Answer::Accepts);
    let channel = network.builder().connect("a:1").await.unwrap();
    let going_on = tokio::spawn(call(&channel).timeout(ms(5000)).into_future());
    drop(channel);
    pass(ms(4000)).await;
    assert_eq!(network.open("a:1"), 1);
    assert_eq!(going_on.await.unwrap().unwrap_err().kind(), ErrorKind::Timeout);
    settle().await;
    assert_eq!((tasks(), network.open("a:1")), (0, 0));
}

/// A connection that a channel was given is not replaced.
#[tokio::test(start_paused = true)]
async fn a_channel_over_given_ends_ends_with_them() {
    let (near, far) = crate::transport::memory_pair();
    let channel = Channel::builder().channel(near, crate::transport::PeerAddr::memory());
    assert!(channel.state().is_ready());
    hint(&channel).await.unwrap();
    drop(far);
    settle().await;
    assert!(channel.state().is_closed());
    let error = hint(&channel).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Network);
    assert!(!error.is_retryable(), "there will be no other connection");
    assert!(error.to_string().contains("the connection ended"), "{error}");
    assert_eq!(tasks(), 0);
}
