//! The time that is left, as servers are told of it.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use trill::{Context, Result, Server};
use trill_tests::{Text, text};

/// A service that calls itself.
#[trill::service(package = "test.deadlines")]
trait Chain {
    /// Calls itself for as long as there is time.
    async fn hop(&self, cx: Context, request: Text) -> Result<Text>;
}

#[derive(Clone, Default)]
struct Hops(Arc<Inside>);

#[derive(Default)]
struct Inside {
    next: OnceLock<ChainClient>,
    hops: AtomicU32,
}

#[trill::service]
impl Chain for Hops {
    async fn hop(&self, cx: Context, request: Text) -> Result<Text> {
        // A cycle that did not end would go on after the caller has its error.
        if self.0.hops.fetch_add(1, Ordering::Relaxed) > 100 {
            return Ok(request);
        }
        self.0.next.get().unwrap().hop(request).options(cx.child()).await
    }
}

#[tokio::test]
async fn each_hop_of_a_cycle_has_less_time_than_the_one_before() {
    let service = Hops::default();
    let channel = Server::builder().service(service.clone()).in_memory().unwrap();
    let client = ChainClient::new(channel);
    assert!(service.0.next.set(client.clone()).is_ok());
    let error = client.hop(text("x")).timeout(Duration::from_millis(5)).await.unwrap_err();
    assert!(error.is_timeout(), "{error}");
    let settled = async {
        let mut seen = u32::MAX;
        while seen != service.0.hops.load(Ordering::Relaxed) {
            seen = service.0.hops.load(Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        seen
    };
    let hops = settled.await;
    // The first has 5 ms, the next has 4 at most, and so on.
    assert!(hops <= 5, "{hops} hops in 5 ms");
}
