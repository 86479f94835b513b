use trill::{AsyncWriter, Context, Result};

#[trill::service]
pub trait Greeter {
    async fn explain(&self, cx: Context, writer: AsyncWriter<String>) -> Result<()>;
    async fn explain_all(&self, cx: Context, writer: AsyncWriter<String>, req: String) -> Result<()>;
}

fn main() {}
