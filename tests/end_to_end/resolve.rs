//! Channels that ask where their servers are.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use trill::client::{Dns, Resolve};
use trill::{Channel, ErrorKind};
use trill_tests::{EverythingClient, listen, text};

const LONG: Duration = Duration::from_secs(20);

#[tokio::test]
async fn dns_finds_a_server() {
    let (_handle, address, _log) = listen("127.0.0.1:0").await;
    let port = address.rsplit_once(':').unwrap().1;
    let channel =
        Channel::builder().connect_with(Dns::new(format!("localhost:{port}"))).await.unwrap();
    assert_eq!(channel.peer(), format!("localhost:{port}"));
    let client = EverythingClient::new(channel);
    assert_eq!(client.unary(text("hello")).await.unwrap(), text("hello"));
}

#[tokio::test]
async fn a_name_that_dns_does_not_know_is_an_error_that_says_so() {
    let error = Channel::builder().connect_with(Dns::new("nowhere.invalid:80")).await.unwrap_err();
    assert_eq!((error.kind(), error.peer()), (ErrorKind::Connect, Some("nowhere.invalid:80")));
    assert!(error.to_string().contains("cannot find the servers"), "{error}");
    assert!(std::error::Error::source(&error).is_some());
}

/// Addresses that a test can change.
#[derive(Clone, Default)]
struct Registry(Arc<Mutex<Vec<String>>>);

#[trill::async_trait]
impl Resolve for Registry {
    fn name(&self) -> String {
        "registry".to_owned()
    }

    async fn resolve(&self) -> io::Result<Vec<String>> {
        Ok(self.0.lock().unwrap().clone())
    }
}

#[tokio::test]
async fn a_resolver_is_chosen_when_the_program_runs() {
    let (_handle, address, _log) = listen("127.0.0.1:0").await;
    let registry = Registry::default();
    registry.0.lock().unwrap().push(address);
    let shared: Arc<dyn Resolve> = Arc::new(registry);
    let boxed: Box<dyn Resolve> = Box::new(Arc::clone(&shared));
    assert_eq!(format!("{boxed:?}"), "registry");
    for channel in [
        Channel::builder().connect_with(shared).await.unwrap(),
        Channel::builder().connect_with(boxed).await.unwrap(),
    ] {
        let client = EverythingClient::new(channel);
        assert_eq!(client.unary(text("hello")).await.unwrap(), text("hello"));
    }
}

#[tokio::test]
async fn a_server_that_moves_is_followed_and_the_old_one_finishes_its_streams() {
    let (old, new) = (listen("127.0.0.1:0").await, listen("127.0.0.1:0").await);
    let registry = Registry::default();
    *registry.0.lock().unwrap() = vec![old.1.clone()];
    let builder = Channel::builder().resolve_every(Duration::from_millis(5));
    let channel = builder.connect_with(registry.clone()).await.unwrap();
    let client = EverythingClient::new(channel.clone());
    let mut rw = client.talk().await.unwrap();
    assert_eq!(rw.peer().as_str(), old.1);

    *registry.0.lock().unwrap() = vec![new.1.clone()];
    let moved = async {
        loop {
            let next = client.talk().await.unwrap();
            if next.peer().as_str() == new.1 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(LONG, moved).await.expect("the registry is asked");
    rw.write(text("still here")).await.unwrap();
    assert_eq!(rw.read().await.unwrap(), Some(text("still here")));
    rw.finish().await.unwrap();
    // With its last stream the old connection closes: the server has nobody to wait for.
    tokio::time::timeout(LONG, old.0.shutdown(Duration::from_secs(3600)))
        .await
        .expect("nobody is there");
    assert_eq!(client.unary(text("hello")).await.unwrap(), text("hello"));
}
