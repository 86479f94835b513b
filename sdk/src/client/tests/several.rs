//! Several connections: to one address, and to several.

use std::error::Error as _;

use tokio::time::Duration;

use super::network::{Answer, Network, clock, hint, ms, pass, settle};
use crate::client::{Balance, State};
use crate::error::ErrorKind;

#[tokio::test(start_paused = true)]
async fn a_pool_has_as_many_connections_as_it_is_told() {
    let network = Network::new();
    network.set("a:1", Answer::Accepts);
    let channel = network.builder().connections(3).connect("a:1").await.unwrap();
    settle().await;
    assert_eq!((channel.connections(), network.open("a:1")), (3, 3));
    let error = network.builder().connections(0).lazy("a:1").unwrap_err();
    assert!(
        error.kind() == ErrorKind::Config && error.to_string().contains("connections"),
        "{error}"
    );
    let error = network.builder().lazy_all([""; 0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
}

#[tokio::test(start_paused = true)]
async fn one_of_two_addresses_is_enough_and_the_other_is_tried_meanwhile() {
    let network = Network::new();
    network.set("b:1", Answer::Accepts);
    let channel = network.builder().connect_all(["a:1", "b:1"]).await.unwrap();
    assert!(channel.state().is_ready());
    assert_eq!(channel.connections(), 1);
    for _ in 0..10 {
        hint(&channel).await.unwrap();
    }
    network.set("a:1", Answer::Accepts);
    pass(ms(100)).await;
    assert_eq!((channel.connections(), network.open("a:1"), network.open("b:1")), (2, 1, 1));
}

#[tokio::test(start_paused = true)]
async fn all_addresses_have_to_fail_before_a_call_does() {
    let network = Network::new();
    network.set("b:1", Answer::Nothing);
    let builder = network.builder().connect_timeout(ms(2000));
    let channel = builder.clone().lazy_all(["a:1", "b:1", "a:1"]).unwrap();
    let start = clock();
    let error = hint(&channel).await.unwrap_err();
    // That of `a:1` was refused over and over: it is in between attempts, and so is `b:1` now.
    assert!(start.elapsed() >= ms(2000), "{error}");
    assert!(matches!(channel.state(), State::TransientFailure { .. }));
    assert!(error.source().is_some() || error.to_string().contains("connect_timeout"), "{error}");
    assert_eq!(builder.connect_all(["a:1", "c:1"]).await.unwrap_err().kind(), ErrorKind::Connect);
}

#[tokio::test(start_paused = true)]
async fn calls_go_on_while_a_dead_connection_is_replaced() {
    for balance in [Balance::RoundRobin, Balance::LeastLoaded] {
        let network = Network::new();
        network.set("a:1", Answer::Accepts);
        network.set("b:1", Answer::Accepts);
        let channel = network.builder().balance(balance).connect_all(["a:1", "b:1"]).await.unwrap();
        settle().await;
        assert_eq!(channel.connections(), 2);
        for _ in 0..4 {
            hint(&channel).await.unwrap();
        }
        pass(Duration::from_secs(1)).await;
        network.set("a:1", Answer::Refuses);
        network.hang_up("a:1");
        for _ in 0..100 {
            hint(&channel).await.unwrap();
            pass(ms(10)).await;
            assert!(channel.state().is_ready());
        }
        assert_eq!(channel.connections(), 1);
        network.set("a:1", Answer::Accepts);
        pass(Duration::from_secs(10)).await;
        assert_eq!((channel.connections(), network.open("a:1")), (2, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn connections_that_rest_are_made_by_the_next_call_though_others_serve() {
    let network = Network::new();
    network.set("a:1", Answer::Accepts);
    network.set("b:1", Answer::Accepts);
    let channel = network.builder().connect_all(["a:1", "b:1"]).await.unwrap();
    pass(Duration::from_secs(60)).await;
    network.hang_up("b:1");
    pass(Duration::from_secs(60)).await;
    assert_eq!((channel.connections(), network.attempts_at("b:1")), (1, 1));
    hint(&channel).await.unwrap();
    settle().await;
    assert_eq!((channel.connections(), network.attempts_at("b:1")), (2, 2));
}
