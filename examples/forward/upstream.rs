//! The server behind the router. It does what shows whether the router carries everything through.

use tokio::sync::watch;
use trill::{AsyncReader, AsyncReaderWriter, AsyncWriter, Context, Result, Status};
use trill_examples::greeter::{Greeter, Heard, HelloReply, HelloRequest, StreamGreeter, reply};

/// Metadata that comes back with every answer, made from what the client sent under the same key.
pub(crate) const NAME: &str = "name";

/// The application's code for a name that is not known.
pub(crate) const UNKNOWN_NAME: i32 = 4001;

/// Asked with this, the server stream does not end.
pub(crate) const ENDLESS: &str = "endless";

/// Asked with this, everything fails.
pub(crate) const NOBODY: &str = "nobody";

#[derive(Clone)]
pub(crate) struct Upstream {
    /// How many endless streams are running.
    pub(crate) endless: watch::Sender<usize>,
}

impl Greeter for Upstream {
    async fn say_hello(&self, cx: Context, req: HelloRequest) -> Result<HelloReply> {
        sign(&cx)?;
        cx.set_attachment(cx.attachment().clone());
        refuse_nobody(&req)?;
        Ok(reply(format!("Hello, {}", req.msg)))
    }
}

impl StreamGreeter for Upstream {
    async fn client_stream_say_hello(
        &self,
        cx: Context,
        mut reader: AsyncReader<HelloRequest>,
    ) -> Result<HelloReply> {
        sign(&cx)?;
        let mut heard = Heard::default();
        while let Some(req) = reader.read().await? {
            refuse_nobody(&req)?;
            heard.add(&req);
        }
        Ok(heard.summary())
    }

    async fn server_stream_say_hello(
        &self,
        cx: Context,
        req: HelloRequest,
        mut writer: AsyncWriter<HelloReply>,
    ) -> Result<()> {
        sign(&cx)?;
        refuse_nobody(&req)?;
        if req.msg == ENDLESS {
            let _running = Running::new(&self.endless);
            loop {
                writer.write(reply("and on")).await?;
            }
        }
        let count: u64 = req.msg.parse().map_err(|_| Status::app(UNKNOWN_NAME, "not a number"))?;
        for i in 0..count {
            writer.write(reply(i.to_string())).await?;
        }
        Ok(())
    }

    async fn bidi_stream_say_hello(
        &self,
        cx: Context,
        mut rw: AsyncReaderWriter<HelloRequest, HelloReply>,
    ) -> Result<()> {
        sign(&cx)?;
        while let Some(req) = rw.read().await? {
            refuse_nobody(&req)?;
            rw.write(reply(req.msg)).await?;
        }
        Ok(())
    }
}

fn sign(cx: &Context) -> Result<()> {
    let name = cx.metadata().get_str(NAME).unwrap_or("anonymous");
    cx.set_metadata(NAME, format!("seen by upstream: {name}"))?;
    Ok(())
}

fn refuse_nobody(req: &HelloRequest) -> Result<()> {
    if req.msg == NOBODY {
        Err(Status::app(UNKNOWN_NAME, "there is nobody here").into())
    } else {
        Ok(())
    }
}

/// Counts a stream as long as its handler lives.
struct Running<'a>(&'a watch::Sender<usize>);

impl<'a> Running<'a> {
    fn new(count: &'a watch::Sender<usize>) -> Self {
        count.send_modify(|n| *n += 1);
        Self(count)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|n| *n -= 1);
    }
}
