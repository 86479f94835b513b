//! A Trill server that passes every call on to a server behind it.

use std::sync::Arc;

use tokio::sync::Mutex;
use trill::{
    AsyncReader, AsyncReaderWriter, AsyncWriter, Channel, Context, ErrorKind, Result, Server,
};
use trill_tests::{Everything, EverythingClient, Text};

use crate::peers::limits;
use crate::shapes::{Shape, Shapes, ShapesClient, Which};

/// Serves at an address, and passes calls on to `upstream`. Gives the address.
pub(crate) async fn serve(address: &str, upstream: &str) -> String {
    let upstream = Arc::new(Upstream { address: upstream.to_owned(), channel: Mutex::default() });
    let server = Server::builder()
        .limits(limits())
        .service(Router(upstream.clone()))
        .service(ShapesRouter(upstream));
    let bound = server.bind(address).await.expect("a free port");
    let address = bound.local_addr().to_string();
    tokio::spawn(bound.serve());
    address
}

/// The way to the server behind, which may come and go.
struct Upstream {
    address: String,
    channel: Mutex<Option<Channel>>,
}

impl Upstream {
    /// The channel in use, or a new one if the server does not answer there.
    async fn channel(&self) -> Result<Channel> {
        let mut channel = self.channel.lock().await;
        if let Some(channel) = &*channel {
            return Ok(channel.clone());
        }
        let fresh = Channel::builder().limits(limits()).connect(&self.address).await?;
        *channel = Some(fresh.clone());
        Ok(fresh)
    }

    /// Forgets the channel if the connection was lost, so that the next call makes a new one.
    async fn heed<T>(&self, result: Result<T>) -> Result<T> {
        if result.as_ref().is_err_and(|error| error.kind() == ErrorKind::Network) {
            *self.channel.lock().await = None;
        }
        result
    }
}

struct Router(Arc<Upstream>);

impl Router {
    async fn client(&self) -> Result<EverythingClient> {
        self.0.channel().await.map(EverythingClient::new)
    }
}

#[trill::service]
impl Everything for Router {
    async fn unary(&self, cx: Context, request: Text) -> Result<Text> {
        let call = self
            .client()
            .await?
            .unary(request)
            .options(cx.child())
            .attachment(cx.attachment().clone());
        let response = self.0.heed(call.response().await).await?;
        cx.extend_metadata(response.metadata);
        cx.set_attachment(response.attachment);
        Ok(response.message)
    }

    async fn notify(&self, cx: Context, request: Text) -> Result<()> {
        self.0.heed(self.client().await?.notify(request).options(cx.child()).await).await
    }

    async fn upload(&self, cx: Context, mut reader: AsyncReader<Text>) -> Result<Text> {
        let opened = self.client().await?.upload().options(cx.child()).await;
        let (mut writer, reply) = self.0.heed(opened).await?;
        let pass = async {
            while let Some(message) = reader.read().await? {
                writer.write(message).await?;
            }
            writer.finish().await
        };
        let answer = reply.response();
        tokio::pin!(answer);
        // The server may answer before the client has said all.
        let answered = tokio::select! {
            answered = &mut answer => answered,
            passed = pass => outcome(passed, answer).await,
        };
        let response = self.0.heed(answered).await?;
        cx.extend_metadata(response.metadata);
        Ok(response.message)
    }

    async fn download(
        &self,
        cx: Context,
        request: Text,
        mut writer: AsyncWriter<Text>,
    ) -> Result<()> {
        let opened = self.client().await?.download(request).options(cx.child()).await;
        let mut reader = self.0.heed(opened).await?;
        let passed = async {
            while let Some(message) = reader.read().await? {
                writer.write(message).await?;
            }
            Ok(())
        }
        .await;
        pass_metadata(&cx, &reader);
        self.0.heed(passed).await
    }

    async fn talk(&self, cx: Context, rw: AsyncReaderWriter<Text, Text>) -> Result<()> {
        let opened = self.client().await?.talk().options(cx.child()).await;
        let passed = talk(&cx, rw, self.0.heed(opened).await?).await;
        self.0.heed(passed).await
    }
}

struct ShapesRouter(Arc<Upstream>);

impl ShapesRouter {
    async fn client(&self) -> Result<ShapesClient> {
        self.0.channel().await.map(ShapesClient::new)
    }
}

#[trill::service]
impl Shapes for ShapesRouter {
    async fn sample(&self, cx: Context, which: Which) -> Result<Shape> {
        self.0.heed(self.client().await?.sample(which).options(cx.child()).await).await
    }

    async fn echo(&self, cx: Context, shape: Shape) -> Result<Shape> {
        self.0.heed(self.client().await?.echo(shape).options(cx.child()).await).await
    }

    async fn talk(&self, cx: Context, rw: AsyncReaderWriter<Shape, Shape>) -> Result<()> {
        let opened = self.client().await?.talk().options(cx.child()).await;
        let passed = talk(&cx, rw, self.0.heed(opened).await?).await;
        self.0.heed(passed).await
    }
}

/// Passes messages both ways until the server behind ends.
async fn talk<T: trill::Message>(
    cx: &Context,
    client: AsyncReaderWriter<T, T>,
    server: AsyncReaderWriter<T, T>,
) -> Result<()> {
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.split();
    let there = async {
        while let Some(message) = from_client.read().await? {
            to_server.write(message).await?;
        }
        to_server.finish().await
    };
    let back = async {
        let passed = async {
            while let Some(message) = from_server.read().await? {
                to_client.write(message).await?;
            }
            Ok(())
        }
        .await;
        pass_metadata(cx, &from_server);
        passed
    };
    tokio::pin!(back);
    tokio::select! {
        ended = &mut back => ended,
        passed = there => outcome(passed, back).await,
    }
}

/// The word of the server behind counts: a write that fails is only a sign that it has ended. If it
/// says nothing good, what went wrong on the way there is the reason.
async fn outcome<T>(passed: Result<()>, answer: impl Future<Output = Result<T>>) -> Result<T> {
    match passed {
        Ok(()) => answer.await,
        Err(error) => answer.await.map_err(|_| error),
    }
}

fn pass_metadata<T: trill::Message>(cx: &Context, reader: &AsyncReader<T>) {
    cx.extend_metadata(reader.metadata().cloned().unwrap_or_default());
}
