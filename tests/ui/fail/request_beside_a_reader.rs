use trill::{AsyncReader, Context, Result};

#[trill::service]
pub trait Greeter {
    async fn collect(&self, cx: Context, req: String, reader: AsyncReader<String>) -> Result<String>;
}

fn main() {}
