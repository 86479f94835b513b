use trill::{Context, Result};

#[trill::service]
pub trait Greeter {
    async fn greet(&self, cx: Context, req: String) -> Result<String>;
}

struct Polite;

#[trill::service(package = "test", name = "Greeter")]
impl Greeter for Polite {
    #[rpc(oneway)]
    async fn greet(&self, _: Context, req: String) -> Result<String> {
        Ok(req)
    }
}

fn main() {}
