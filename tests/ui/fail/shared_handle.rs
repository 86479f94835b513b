use trill::stream::SharedReader;
use trill::{Context, Result};

#[trill::service]
pub trait Greeter {
    async fn collect(&self, cx: Context, reader: SharedReader<String>) -> Result<String>;
}

fn main() {}
