use trill::{Context, Result};

#[trill::service(package = "/trpc/test", name = "test.Greeter")]
pub trait Greeter {
    #[rpc(name = "say hello")]
    async fn greet(&self, cx: Context, req: String) -> Result<String>;
    #[rpc(alias = "")]
    async fn part(&self, cx: Context, req: String) -> Result<String>;
}

fn main() {}
