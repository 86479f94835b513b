use trill::{Context, Result};

#[trill::service(packages = "test", name = "Greeter", name = "Waver")]
pub trait Greeter {
    #[rpc(one_way, alias = "/greet", alias = 3)]
    async fn greet(&self, cx: Context, req: String) -> Result<String>;
    #[rpc]
    async fn part(&self, cx: Context, req: String) -> Result<String>;
}

fn main() {}
