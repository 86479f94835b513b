//! Services and handlers that are called without a port.

use std::future::Future;
use std::marker::PhantomData;

use crate::client::Channel;
use crate::client::call::Stub;
use crate::error::Result;
use crate::server::Server;
use crate::server::call::{Context, IntoService, ServerCall, Service, Started};
use crate::service::{MethodKind, MethodSpec, ServiceSpec};
use crate::stream::{AsyncReaderWriter, Message};

/// A client of `service`, which lives in this process as long as the client: a mock of it, or the
/// real one.
///
/// Say which client is wanted: `let client: GreeterClient = trill::testing::client(MockGreeter);`.
/// The calls go through the whole library, encoding and flow control included. Must be called
/// within a tokio runtime. See the [module](super) for an example.
///
/// # Panics
/// If two methods of the service have one name on the wire.
pub fn client<Client: From<Channel>, Marker>(service: impl IntoService<Marker>) -> Client {
    match Server::builder().service(service).in_memory() {
        Ok(channel) => Client::from(channel),
        Err(error) => panic!("{error}"),
    }
}

/// Runs one handler of a bidirectional stream, and gives the client's end of that stream.
///
/// Ready when the handler has been started. The stream ends as that of a served method does: with
/// what the handler returns. The handler is dropped when the client's end is. Must be called within
/// a tokio runtime.
///
/// ```
/// # use trill::prost::Message;
/// # use trill::{AsyncReaderWriter, Context, Result};
/// # #[derive(Clone, PartialEq, Message)]
/// # #[prost(prost_path = "trill::prost")]
/// # pub struct Number { #[prost(int64, tag = "1")] pub value: i64 }
/// async fn double(_cx: Context, mut rw: AsyncReaderWriter<Number, Number>) -> Result<()> {
///     while let Some(Number { value }) = rw.read().await? {
///         rw.write(Number { value: 2 * value }).await?;
///     }
///     Ok(())
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<()> {
/// let mut rw = trill::testing::bidi(double).await?;
/// rw.write(Number { value: 21 }).await?;
/// assert_eq!(rw.read().await?, Some(Number { value: 42 }));
/// rw.finish_writing().await?;
/// assert_eq!(rw.read().await?, None);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// None that a program could cause; it has the type of every opening of a stream.
pub async fn bidi<A, B, F, Fut>(handler: F) -> Result<AsyncReaderWriter<B, A>>
where
    A: Message,
    B: Message,
    F: Fn(Context, AsyncReaderWriter<A, B>) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<()>> + Send + 'static,
{
    let service = OneHandler { handler, types: PhantomData::<fn(A) -> (B, Fut)> };
    let channel = Server::builder().service(service).in_memory()?;
    Stub::new(channel, &SPEC).bidi::<A, B>(0).await
}

static SPEC: ServiceSpec = ServiceSpec {
    name: "trill.testing.OneHandler",
    methods: &[MethodSpec {
        path: "/trill.testing.OneHandler/Run",
        kind: MethodKind::Bidi,
        aliases: &[],
        json: false,
    }],
};

/// A service with one method, which is a closure.
struct OneHandler<A, B, F, Fut> {
    handler: F,
    types: PhantomData<fn(A) -> (B, Fut)>,
}

impl<A, B, F, Fut> Service for OneHandler<A, B, F, Fut>
where
    A: Message,
    B: Message,
    F: Fn(Context, AsyncReaderWriter<A, B>) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<()>> + Send + 'static,
{
    fn spec(&self) -> &'static ServiceSpec {
        &SPEC
    }

    fn dispatch(&self, _method: usize, call: ServerCall) -> Started {
        call.bidi(self.handler.clone())
    }
}
