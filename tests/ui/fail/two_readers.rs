use trill::{AsyncReader, Context, Result};

#[trill::service]
pub trait Greeter {
    async fn greet(&self, cx: Context, names: AsyncReader<String>, ages: AsyncReader<u32>) -> Result<String>;
}

fn main() {}
