use trill::{AsyncReader, Context, Result};

#[trill::service]
pub trait Greeter {
    async fn explain(&self, cx: Context, req: String) -> Result<AsyncReader<String>>;
}

fn main() {}
