//! Only the first argument is the context, and a path without parameters is no handle.

use trill::prost::Message;
use trill::{AsyncReader, AsyncReaderWriter, AsyncWriter, Context, Result, Server};

mod pb {
    use super::Message;

    #[derive(Clone, PartialEq, Message)]
    #[prost(prost_path = "trill::prost")]
    pub struct Context {}

    #[derive(Clone, PartialEq, Message)]
    #[prost(prost_path = "trill::prost")]
    pub struct AsyncReader {}

    #[derive(Clone, PartialEq, Message)]
    #[prost(prost_path = "trill::prost")]
    pub struct SharedWriter {}
}

#[trill::service]
trait Contexts {
    async fn get(&self, cx: Context, req: pb::Context) -> Result<pb::Context>;
    async fn read(&self, cx: Context, req: pb::AsyncReader) -> Result<pb::SharedWriter>;
    async fn send(&self, cx: Context, reader: AsyncReader<pb::Context>) -> Result<pb::Context>;
    async fn receive(
        &self,
        cx: Context,
        req: pb::AsyncReader,
        writer: AsyncWriter<pb::Context>,
    ) -> Result<()>;
    async fn talk(
        &self,
        cx: Context,
        rw: AsyncReaderWriter<pb::Context, pb::AsyncReader>,
    ) -> Result<()>;
}

struct Mine;

#[trill::service]
impl Contexts for Mine {
    async fn get(&self, _: Context, req: pb::Context) -> Result<pb::Context> {
        Ok(req)
    }

    async fn read(&self, _: Context, _: pb::AsyncReader) -> Result<pb::SharedWriter> {
        Ok(pb::SharedWriter {})
    }

    async fn send(&self, _: Context, _: AsyncReader<pb::Context>) -> Result<pb::Context> {
        Ok(pb::Context {})
    }

    async fn receive(
        &self,
        _: Context,
        _: pb::AsyncReader,
        _: AsyncWriter<pb::Context>,
    ) -> Result<()> {
        Ok(())
    }

    async fn talk(
        &self,
        _: Context,
        _: AsyncReaderWriter<pb::Context, pb::AsyncReader>,
    ) -> Result<()> {
        Ok(())
    }
}

/// Names that the generated code has for its type parameters.
mod letters {
    use trill::{Context, Result};

    #[trill::service]
    pub trait T {
        async fn read(&self, cx: Context, req: String) -> Result<String>;
    }

    #[trill::service(name = "M")]
    pub trait __T {
        async fn read(&self, cx: Context, req: String) -> Result<String>;
    }
}

#[test]
fn it_compiles() {
    let _builder = Server::builder().service(Mine);
    let _client = letters::TClient::new;
}
