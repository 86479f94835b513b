use trill::{AsyncReader, AsyncWriter, Context, Result};

#[trill::service]
pub trait Greeter {
    async fn greet(
        &self,
        cx: Context,
        reader: AsyncReader<String>,
        writer: AsyncWriter<String>,
    ) -> Result<()>;
}

fn main() {}
