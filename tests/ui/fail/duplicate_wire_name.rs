use trill::{Context, Result};

#[trill::service]
pub trait Greeter {
    async fn say_hello(&self, cx: Context, req: String) -> Result<String>;
    #[rpc(name = "SayHello")]
    async fn greet(&self, cx: Context, req: String) -> Result<String>;
}

fn main() {}
