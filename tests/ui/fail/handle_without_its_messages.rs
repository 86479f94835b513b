use trill::{AsyncReader, AsyncReaderWriter, Context, Result};

#[trill::service]
pub trait Greeter {
    async fn collect(&self, cx: Context, reader: AsyncReader<>) -> Result<String>;
    async fn discuss(&self, cx: Context, rw: AsyncReaderWriter<String>) -> Result<()>;
}

fn main() {}
