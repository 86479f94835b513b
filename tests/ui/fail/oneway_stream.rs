use trill::{AsyncReader, Context, Result};

#[trill::service]
pub trait Greeter {
    #[rpc(oneway)]
    async fn collect(&self, cx: Context, reader: AsyncReader<String>) -> Result<()>;
}

fn main() {}
