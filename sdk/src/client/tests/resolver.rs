//! Addresses that come and go.

use std::io;
use std::sync::Arc;

use tokio::sync::Notify;
use tokio::time::{Duration, Instant};

use super::network::{Answer, Network, call, clock, hint, ms, pass, settle, told};
use crate::client::{Channel, Resolve};
use crate::error::ErrorKind;
use crate::sync::Mutex;

/// A registry that a test writes to.
#[derive(Clone, Default)]
struct Registry(Arc<Inside>);

#[derive(Default)]
struct Inside {
    /// `None`: it is out of order.
    list: Mutex<Option<Vec<String>>>,
    changed: Notify,
    asked: Mutex<Vec<Instant>>,
}

impl Registry {
    fn new(list: &[&str]) -> Self {
        let registry = Self::default();
        registry.write(Some(list));
        registry
    }

    fn write(&self, list: Option<&[&str]>) {
        *self.0.list.lock() =
            list.map(|list| list.iter().map(|&address| address.to_owned()).collect());
    }

    /// How often it was asked.
    fn asked(&self) -> usize {
        self.0.asked.lock().len()
    }
}

#[crate::async_trait]
impl Resolve for Registry {
    fn name(&self) -> String {
        "registry".to_owned()
    }

    async fn resolve(&self) -> io::Result<Vec<String>> {
        self.0.asked.lock().push(clock());
        self.0.list.lock().clone().ok_or_else(|| io::Error::other("out of order"))
    }

    async fn changed(&self) {
        self.0.changed.notified().await;
    }
}

async fn connected(network: &Arc<Network>, registry: &Registry) -> Channel {
    let channel = network.builder().connect_with(registry.clone()).await.unwrap();
    settle().await;
    channel
}

fn network(addresses: &[&str]) -> Arc<Network> {
    let network = Network::new();
    addresses.iter().for_each(|address| network.set(address, Answer::Accepts));
    network
}

#[tokio::test(start_paused = true)]
async fn nobody_is_asked_before_the_first_call() {
    let (network, registry) = (network(&["a:1"]), Registry::new(&["a:1"]));
    let channel = network.builder().lazy_with(registry.clone()).unwrap();
    pass(Duration::from_secs(3600)).await;
    assert_eq!((registry.asked(), channel.peer()), (0, "registry"));
    hint(&channel).await.unwrap();
    assert_eq!((registry.asked(), network.open("a:1")), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn what_is_new_is_connected_to_and_what_is_gone_finishes_its_calls() {
    let (network, registry) = (network(&["a:1", "b:1"]), Registry::new(&["a:1"]));
    let channel = connected(&network, &registry).await;
    let going_on = tokio::spawn(call(&channel).timeout(ms(5000)).into_future());
    settle().await;

    registry.write(Some(&["b:1"]));
    registry.0.changed.notify_one();
    pass(ms(1)).await;
    assert_eq!((network.open("a:1"), network.open("b:1"), channel.connections()), (1, 1, 1));
    assert!(!going_on.is_finished());
    for _ in 0..3 {
        hint(&channel).await.unwrap();
    }
    // The call has had its time, and with it the connection goes. It is not made again.
    assert_eq!(going_on.await.unwrap().unwrap_err().kind(), ErrorKind::Timeout);
    settle().await;
    assert_eq!((network.open("a:1"), network.open("b:1")), (0, 1));
    pass(Duration::from_secs(3600)).await;
    assert_eq!((network.attempts_at("a:1"), network.attempts_at("b:1")), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn it_is_asked_every_so_often() {
    let (network, registry) = (network(&["a:1", "b:1"]), Registry::new(&["a:1"]));
    let builder = network.builder().resolve_every(Duration::from_secs(5));
    let channel = builder.connect_with(registry.clone()).await.unwrap();
    registry.write(Some(&["a:1", "b:1"]));
    pass(ms(4900)).await;
    assert_eq!((registry.asked(), channel.connections()), (1, 1));
    pass(ms(200)).await;
    assert_eq!((registry.asked(), channel.connections()), (2, 2));
    // One that was there is the same as before.
    assert_eq!((network.attempts_at("a:1"), network.attempts_at("b:1")), (1, 1));

    let never = network.builder().resolve_every(None).connect_with(registry.clone()).await.unwrap();
    drop(channel);
    let asked = registry.asked();
    pass(Duration::from_secs(3600)).await;
    assert_eq!((registry.asked(), never.connections()), (asked, 2));
}

#[tokio::test(start_paused = true)]
async fn it_is_asked_again_when_a_connection_fails() {
    let (network, registry) = (network(&["a:1", "b:1"]), Registry::new(&["a:1"]));
    let builder = network.builder().resolve_every(None).wait_for_ready(true);
    let channel = builder.connect_with(registry.clone()).await.unwrap();
    hint(&channel).await.unwrap();
    pass(ms(5000)).await;
    // The server has moved.
    registry.write(Some(&["b:1"]));
    network.set("a:1", Answer::Refuses);
    network.hang_up("a:1");
    settle().await;
    hint(&channel).await.unwrap();
    assert_eq!((registry.asked(), network.open("b:1")), (2, 1));
    let attempts = network.attempts_at("a:1");
    pass(Duration::from_secs(60)).await;
    assert_eq!(network.attempts_at("a:1"), attempts, "it is wanted no more");
    assert!(registry.asked() <= 3, "{}", registry.asked());
}

#[tokio::test(start_paused = true)]
async fn a_registry_out_of_order_changes_nothing_for_connections_that_are_there() {
    let (network, registry) = (network(&["a:1"]), Registry::new(&["a:1"]));
    let channel = connected(&network, &registry).await;
    let empty: [&str; 0] = [];
    for list in [None, Some(&empty[..]), Some(&["no address"])] {
        registry.write(list);
        registry.0.changed.notify_one();
        pass(ms(1000)).await;
        assert!(channel.state().is_ready());
        hint(&channel).await.unwrap();
    }
    assert_eq!(network.attempts_at("a:1"), 1);
}

#[tokio::test(start_paused = true)]
async fn without_any_address_calls_fail_with_the_reason() {
    let (network, registry) = (network(&["a:1"]), Registry::default());
    let channel = network.builder().lazy_with(registry.clone()).unwrap();
    let mut watch = channel.watch();
    let error = hint(&channel).await.unwrap_err();
    assert_eq!((error.kind(), error.peer()), (ErrorKind::Connect, Some("registry")));
    assert!(error.to_string().contains("cannot find the servers"), "{error}");
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(source, "out of order");
    registry.write(Some(&[]));
    pass(ms(100)).await;
    let error = hint(&channel).await.unwrap_err();
    assert!(error.to_string().contains("there are no servers"), "{error}");
    assert_eq!(told(&mut watch).await, ["TransientFailure"]);

    registry.write(Some(&["a:1"]));
    call(&channel).wait_for_ready(true).timeout(ms(30_000)).await.unwrap_err();
    assert_eq!(network.open("a:1"), 1);
}

#[tokio::test(start_paused = true)]
async fn news_is_followed_at_once_and_not_without_a_pause() {
    let (network, registry) = (network(&["a:1"]), Registry::new(&["a:1"]));
    let _channel = connected(&network, &registry).await;
    let start = clock();
    // Each asking is followed by news, as from a watch whose sender is gone.
    for _ in 0..5000 {
        registry.0.changed.notify_one();
        pass(ms(1)).await;
    }
    let asked: Vec<_> =
        registry.0.asked.lock().iter().map(|at| at.duration_since(start).as_millis()).collect();
    assert_eq!(asked[..2], [0, 0], "when it connected, and at once when there was news");
    assert!((6..=8).contains(&asked.len()), "{asked:?}");
}

#[tokio::test(start_paused = true)]
async fn one_bad_address_among_good_ones_is_passed_over() {
    let (network, registry) =
        (network(&["a:1"]), Registry::new(&["10.0.0.9", "", "a:1", "host:99999"]));
    let channel = connected(&network, &registry).await;
    hint(&channel).await.unwrap();
    let wrong = Registry::new(&["10.0.0.9", "host:99999"]);
    let error = network.builder().connect_with(wrong).await.unwrap_err();
    assert_eq!((error.kind(), error.peer()), (ErrorKind::Config, Some("registry")));
    assert!(error.to_string().contains("`host:99999` is no address"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_resolver_that_hangs_is_an_error_in_time() {
    struct Hanging;

    #[crate::async_trait]
    impl Resolve for Hanging {
        fn name(&self) -> String {
            "hanging".to_owned()
        }

        async fn resolve(&self) -> io::Result<Vec<String>> {
            std::future::pending().await
        }
    }

    let builder = Network::new().builder().connect_timeout(ms(3000));
    let start = clock();
    let error = builder.connect_with(Hanging).await.unwrap_err();
    assert_eq!(
        (start.elapsed(), error.kind(), error.peer()),
        (ms(3000), ErrorKind::Connect, Some("hanging"))
    );
    assert!(error.to_string().contains("the resolver gave no addresses within 3s"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn nobody_is_asked_when_the_channel_is_gone() {
    let (network, registry) = (network(&["a:1"]), Registry::new(&["a:1"]));
    let channel = connected(&network, &registry).await;
    drop(channel);
    settle().await;
    let asked = registry.asked();
    pass(Duration::from_secs(3600)).await;
    assert_eq!((registry.asked(), network.open("a:1")), (asked, 0));
    assert_eq!(Arc::strong_count(&registry.0), 1, "the resolver is dropped");
}
