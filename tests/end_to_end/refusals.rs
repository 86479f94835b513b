//! Several servers, one of which refuses calls or fails: it gets fewer of them, whatever the
//! balance.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use trill::client::Balance;
use trill::server::{ServerBuilder, ServerHandle};
use trill::trpc::{self, Codes};
use trill::{AsyncReaderWriter, Channel, Context, Result, Server};
use trill_tests::{Text, text};

/// A service that works, or fails each call as soon as it comes.
#[trill::service(package = "test.refusals")]
trait Lab {
    /// Gives the request back.
    async fn unary(&self, cx: Context, request: Text) -> Result<Text>;
    /// Reads to the end.
    async fn talk(&self, cx: Context, rw: AsyncReaderWriter<Text, Text>) -> Result<()>;
}

struct Works(bool);

#[trill::service]
impl Lab for Works {
    async fn unary(&self, _cx: Context, request: Text) -> Result<Text> {
        if !self.0 {
            return Err(Codes::new(trpc::Code::SERVER_SYSTEM_ERR, 0)
                .status("the database is gone")
                .into());
        }
        // Others get their turn, so that calls meet.
        tokio::task::yield_now().await;
        Ok(request)
    }

    async fn talk(&self, _cx: Context, mut rw: AsyncReaderWriter<Text, Text>) -> Result<()> {
        while rw.read().await?.is_some() {}
        Ok(())
    }
}

async fn serve(builder: ServerBuilder, works: bool) -> (String, ServerHandle) {
    let bound = builder.service(Works(works)).bind("127.0.0.1:0").await.unwrap();
    let (address, handle) = (bound.local_addr().to_string(), bound.handle());
    tokio::spawn(bound.serve());
    (address, handle)
}

/// A client of a server that works and of another one.
async fn beside(address: &str, balance: Balance) -> LabClient {
    let (healthy, _) = serve(Server::builder(), true).await;
    let channel =
        Channel::builder().balance(balance).connect_all([address, &healthy]).await.unwrap();
    while channel.connections() < 2 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    LabClient::new(channel)
}

#[derive(Clone, Copy)]
enum What {
    Calls,
    Streams,
}

async fn call(client: &LabClient, what: What) -> Result<()> {
    match what {
        What::Calls => client.unary(text("x")).await.map(drop),
        What::Streams => client.talk().await.map(drop),
    }
}

/// How many of 4,000 calls of eight callers failed, after 1,000 that have shown who refuses.
async fn failures(client: &LabClient, what: What) -> u32 {
    let failed = Arc::new(AtomicU32::new(0));
    let round = async |calls: u32| {
        failed.store(0, Ordering::Relaxed);
        let mut callers = JoinSet::new();
        for _ in 0..8 {
            let (client, failed) = (client.clone(), Arc::clone(&failed));
            callers.spawn(async move {
                for _ in 0..calls / 8 {
                    failed.fetch_add(
                        u32::from(call(&client, what).await.is_err()),
                        Ordering::Relaxed,
                    );
                }
            });
        }
        callers.join_all().await;
    };
    round(1_000).await;
    round(4_000).await;
    failed.load(Ordering::Relaxed)
}

const BALANCES: [Balance; 2] = [Balance::RoundRobin, Balance::LeastLoaded];

#[tokio::test]
async fn a_server_that_drains_gets_less() {
    for balance in BALANCES {
        let (address, handle) = serve(Server::builder(), true).await;
        let client = beside(&address, balance).await;
        // Somebody else's stream holds its shutdown up.
        let elsewhere = LabClient::new(Channel::connect(&address).await.unwrap());
        let held = elsewhere.talk().await.unwrap();
        let down = tokio::spawn(async move { handle.shutdown(Duration::from_secs(3600)).await });
        while elsewhere.unary(text("x")).await.is_ok() {}
        for what in [What::Calls, What::Streams] {
            let failed = failures(&client, what).await;
            assert!(failed <= 40, "{balance:?}: {failed} of 4,000 failed");
        }
        drop(held);
        down.await.unwrap();
    }
}

#[tokio::test]
async fn a_server_that_fails_fast_gets_less() {
    for balance in BALANCES {
        let (address, _handle) = serve(Server::builder(), false).await;
        let client = beside(&address, balance).await;
        let failed = failures(&client, What::Calls).await;
        assert!(failed <= 40, "{balance:?}: {failed} of 4,000 failed");
    }
}

#[tokio::test]
async fn a_server_that_is_overloaded_gets_what_it_can_take() {
    for balance in BALANCES {
        let (address, _handle) = serve(Server::builder().max_calls(1), true).await;
        let client = beside(&address, balance).await;
        let failed = failures(&client, What::Calls).await;
        assert!(failed <= 40, "{balance:?}: {failed} of 4,000 failed");
    }
}
