//! A server, and a well-behaved client of it.

use std::time::Duration;

use tokio::time::{sleep, timeout};
use trill::server::{Buffered, ServerBuilder, ServerHandle};
use trill::{Channel, Server};
use trill_tests::{EverythingClient, Obedient, text};

use crate::left_over::{no_tasks_beyond, tasks};

/// For what must happen some time, on a machine that may be slow.
pub(crate) const SOME_TIME: Duration = Duration::from_secs(30);

pub(crate) struct Victim {
    pub(crate) handle: ServerHandle,
    pub(crate) address: String,
    client: EverythingClient,
    tasks: usize,
}

impl Victim {
    /// A server with these settings, which nobody has attacked yet.
    pub(crate) async fn start(set: impl FnOnce(ServerBuilder) -> ServerBuilder) -> Self {
        let bound =
            set(Server::builder().service(Obedient::new().0)).bind("127.0.0.1:0").await.unwrap();
        let (handle, address) = (bound.handle(), bound.local_addr().to_string());
        tokio::spawn(bound.serve());
        let client = EverythingClient::new(Channel::connect(&address).await.unwrap());
        client.unary(text("hello")).await.unwrap();
        // A call's task ends a moment after its answer; streams are begun and ended below the same
        // way.
        sleep(Duration::from_millis(50)).await;
        let tasks = tasks();
        Self { handle, address, client, tasks }
    }

    /// With a connection of its own.
    pub(crate) async fn another_client(&self) -> EverythingClient {
        EverythingClient::new(Channel::connect(&self.address).await.unwrap())
    }

    /// On the connection that was there, and on a new one.
    pub(crate) async fn serves_others(&self) {
        let serves = async {
            let new = self.another_client().await;
            for client in [&self.client, &new] {
                assert_eq!(client.unary(text("a call")).await.unwrap(), text("a call"));
                let mut rw = client.talk().await.unwrap();
                for number in 0..10 {
                    let message = text(number.to_string());
                    rw.write(message.clone()).await.unwrap();
                    assert_eq!(rw.read().await.unwrap(), Some(message));
                }
                rw.finish().await.unwrap();
            }
        };
        timeout(SOME_TIME, serves).await.expect("others are served");
    }

    /// Waits until memory and tasks are what they were.
    pub(crate) async fn is_as_before(&self) {
        let empty = async {
            while self.handle.buffered() != Buffered::default() {
                sleep(Duration::from_millis(10)).await;
            }
        };
        let emptied = timeout(SOME_TIME, empty).await;
        assert!(emptied.is_ok(), "the server holds {:?}", self.handle.buffered());
        no_tasks_beyond(self.tasks).await;
    }
}
