use trill::{AsyncReader, AsyncWriter, Context, Result};

#[trill::service]
pub trait Greeter {
    async fn collect(&self, cx: Context, writer: AsyncWriter<String>) -> Result<String>;
    async fn explain(&self, cx: Context, req: String, reader: AsyncReader<String>) -> Result<()>;
}

fn main() {}
