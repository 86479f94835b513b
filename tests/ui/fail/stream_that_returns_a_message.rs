use trill::{AsyncReaderWriter, AsyncWriter, Context, Result};

#[trill::service]
pub trait Greeter {
    async fn explain(&self, cx: Context, req: String, writer: AsyncWriter<String>) -> Result<String>;
    async fn discuss(&self, cx: Context, rw: AsyncReaderWriter<String, String>) -> Result<String>;
}

fn main() {}
