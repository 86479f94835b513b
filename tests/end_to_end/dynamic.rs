//! Services behind `dyn`: chosen when the program runs, served, and called in the same process.

use std::sync::Arc;

use trill::{AsyncReader, AsyncWriter, Channel, Context, Result, Server};
use trill_tests::{DynEverything, EverythingClient, EverythingServer, Obedient, Text, text};

use crate::kinds::every_kind;

#[tokio::test]
async fn every_kind_of_call_goes_through_an_arc_of_dyn() {
    let (service, mut log) = Obedient::new();
    let service: Arc<dyn DynEverything> = Arc::new(service);
    let channel = Server::builder().service(Arc::clone(&service)).in_memory().unwrap();
    every_kind(&EverythingClient::new(channel), &mut log).await;
    assert!(Arc::strong_count(&service) > 1, "the server shares it with the test");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_of_call_goes_through_a_box_of_dyn_and_a_socket() {
    let (service, mut log) = Obedient::new();
    let service: Box<dyn DynEverything> = Box::new(service);
    let bound = Server::builder().service(EverythingServer::new(service)).bind("127.0.0.1:0");
    let bound = bound.await.unwrap();
    let address = bound.local_addr().to_string();
    tokio::spawn(bound.serve());
    let client = EverythingClient::new(Channel::connect(address).await.unwrap());
    every_kind(&client, &mut log).await;
    let json = client.unary(text("as JSON")).json().await.unwrap();
    assert_eq!(json, text("as JSON"));
}

/// Something of which programs have several.
#[trill::service(package = "test", dyn)]
trait Store: std::fmt::Debug {
    async fn get(&self, cx: Context, key: Text) -> Result<Text>;

    /// A body that serves where an `impl` has none.
    async fn sum(&self, cx: Context, mut reader: AsyncReader<Text>) -> Result<Text> {
        let mut sum = String::new();
        while let Some(Text { text }) = reader.read().await? {
            sum += &text;
        }
        self.get(cx, text(sum)).await
    }

    #[deprecated]
    async fn list(&self, _: Context, _: (), mut writer: AsyncWriter<Text>) -> Result<()> {
        writer.write(text("the default's")).await
    }
}

#[derive(Debug)]
struct Echo;

#[trill::service]
impl Store for Echo {
    async fn get(&self, cx: Context, key: Text) -> Result<Text> {
        Ok(text(format!("{} of {}", key.text, cx.method())))
    }
}

/// A store in front of another one, whichever that is.
#[derive(Debug)]
struct Checked(Arc<dyn DynStore>);

#[trill::service]
impl Store for Checked {
    async fn get(&self, cx: Context, key: Text) -> Result<Text> {
        if key.text.is_empty() {
            return Ok(text("no key"));
        }
        self.0.get(cx, key).await
    }

    async fn list(&self, _: Context, _: (), mut writer: AsyncWriter<Text>) -> Result<()> {
        writer.write(text("its own")).await
    }
}

async fn listed(client: &StoreClient) -> Option<Text> {
    #[expect(deprecated, reason = "it is called all the same")]
    let mut reader = client.list(()).await.unwrap();
    reader.read().await.unwrap()
}

#[tokio::test]
async fn services_are_chosen_and_wrapped_when_the_program_runs() {
    let stores: [Arc<dyn DynStore>; 2] = [Arc::new(Echo), Arc::new(Checked(Arc::new(Echo)))];
    assert_eq!(format!("{stores:?}"), "[Echo, Checked(Echo)]", "a supertrait is there, too");
    let [echo, checked] =
        stores.map(|store| StoreClient::new(Server::builder().service(store).in_memory().unwrap()));

    for client in [&echo, &checked] {
        assert_eq!(client.get(text("a")).await.unwrap(), text("a of /test.Store/Get"));
        let (mut writer, reply) = client.sum().await.unwrap();
        for part in ["a", "b"] {
            writer.write(text(part)).await.unwrap();
        }
        writer.finish().await.unwrap();
        assert_eq!(reply.await.unwrap(), text("ab of /test.Store/Sum"));
    }
    assert_eq!(listed(&echo).await, Some(text("the default's")));
    assert_eq!(listed(&checked).await, Some(text("its own")));
    assert_eq!(echo.get(text("")).await.unwrap(), text(" of /test.Store/Get"));
    assert_eq!(checked.get(text("")).await.unwrap(), text("no key"));
}
