//! Tasks of a channel that end before their time.

use std::future::IntoFuture;
use std::sync::Arc;

use futures::FutureExt;
use tokio::runtime::{Builder, Runtime};

use super::network::{Answer, Network, call, hint, ms, settle};
use crate::client::State;
use crate::driver::ConnError;
use crate::error::ErrorKind;

/// A runtime whose clock stands still, and that runs tasks only when it is asked to.
fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().start_paused(true).build().unwrap()
}

#[test]
fn who_waits_while_the_runtime_that_connects_ends_connects_in_its_own() {
    let network = Network::new();
    network.set("a:1", Answer::Nothing);
    let channel = network.builder().lazy("a:1").unwrap();
    let (first, second) = (runtime(), runtime());
    first.block_on(async {
        tokio::spawn(call(&channel).into_future());
        settle().await;
    });
    let (waiting, asks) = second.block_on(async {
        let waiting = tokio::spawn(call(&channel).timeout(ms(1000)).into_future());
        let asks = tokio::spawn({
            let channel = channel.clone();
            async move { channel.ready().await }
        });
        settle().await;
        (waiting, asks)
    });
    assert_eq!((network.attempts_at("a:1"), network.pending()), (1, 1));
    network.set("a:1", Answer::Accepts);
    drop(first);
    second.block_on(async {
        asks.await.unwrap().unwrap();
        // It was sent: nobody answers in this network.
        assert_eq!(waiting.await.unwrap().unwrap_err().code(), crate::Code::DeadlineExceeded);
    });
    assert_eq!((network.attempts_at("a:1"), network.open("a:1")), (2, 1));
}

#[test]
fn a_channel_rests_when_its_runtime_ends_whatever_it_was_doing() {
    for answer in [Answer::Nothing, Answer::Refuses, Answer::Accepts] {
        let network = Network::new();
        network.set("a:1", answer);
        let channel = network.builder().connections(2).lazy("a:1").unwrap();
        let first = runtime();
        first.block_on(async { call(&channel).timeout(ms(1)).await.unwrap_err() });
        drop(first);
        assert!(matches!(channel.state(), State::Idle), "{answer:?}: {channel:?}");
        network.set("a:1", Answer::Accepts);
        runtime().block_on(async { hint(&channel).await }).unwrap();
    }
}

/// A runtime that ends takes no new tasks: a call that is made in it then does not wait for one.
#[test]
fn a_call_in_a_runtime_that_is_ending_fails() {
    struct CallsOnDrop(crate::client::Channel, std::sync::mpsc::Sender<ErrorKind>);

    impl Drop for CallsOnDrop {
        fn drop(&mut self) {
            for patient in [false, true] {
                let result = self.0.wait(Some(patient)).now_or_never().expect("it does not wait");
                let _ = self.1.send(result.unwrap_err().kind());
            }
        }
    }

    let network = Network::new();
    let channel = network.builder().lazy("a:1").unwrap();
    let (tell, told) = std::sync::mpsc::channel();
    let ending = runtime();
    ending.block_on(async {
        let calls = CallsOnDrop(channel, tell);
        tokio::spawn(async move {
            let _calls = calls;
            std::future::pending::<()>().await;
        });
        settle().await;
    });
    drop(ending);
    for _ in 0..2 {
        assert_eq!(told.recv().unwrap(), ErrorKind::Closed);
    }
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_panics_is_a_failure_like_others() {
    let network = Network::new();
    network.set("a:1", Answer::Panics);
    let error = network.builder().connect("a:1").await.unwrap_err();
    assert_eq!((error.kind(), error.peer()), (ErrorKind::Internal, Some("a:1")));
    assert!(error.to_string().contains("connecting panicked: a defect"), "{error}");
    let channel = network.builder().lazy("a:1").unwrap();
    hint(&channel).await.unwrap_err();
    network.set("a:1", Answer::Accepts);
    call(&channel).wait_for_ready(true).timeout(ms(5000)).await.unwrap_err();
    assert_eq!(network.open("a:1"), 1);
}

#[test]
fn a_channel_over_given_ends_ends_with_its_runtime() {
    let (near, _far) = crate::transport::memory_pair();
    let first = runtime();
    let channel = first.block_on(async {
        crate::client::Channel::builder().channel(near, crate::transport::PeerAddr::memory())
    });
    drop(first);
    assert!(channel.state().is_closed());
    let error = runtime().block_on(async { hint(&channel).await }).unwrap_err();
    assert!(error.to_string().contains(&ConnError::RuntimeGone.to_string()), "{error}");
    assert_eq!(Arc::strong_count(&channel.pool()), 2, "no task holds it");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_fails_at_once_lets_others_go_on() {
    let network = Network::new();
    let channel = network.builder().lazy("a:1").unwrap();
    let failing = tokio::spawn({
        let channel = channel.clone();
        async move { while hint(&channel).await.is_err() {} }
    });
    settle().await;
    network.set("a:1", Answer::Accepts);
    tokio::time::advance(ms(1000)).await;
    failing.await.unwrap();
    let sending = tokio::spawn(async move { while hint(&channel).await.is_ok() {} });
    settle().await;
    sending.abort();
}
