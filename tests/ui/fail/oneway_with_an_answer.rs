use trill::{Context, Result};

#[trill::service]
pub trait Greeter {
    #[rpc(oneway)]
    async fn greet(&self, cx: Context, req: String) -> Result<String>;
}

fn main() {}
