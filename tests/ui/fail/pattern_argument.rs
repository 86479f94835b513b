use trill::{AsyncReader, Context, Result};

#[trill::service]
pub trait Greeter {
    async fn collect(&self, cx: Context, mut reader: AsyncReader<String>) -> Result<String>;
    async fn greet(&self, cx: Context, (): ()) -> Result<String>;
}

fn main() {}
