use trill::{Context, Result};

#[trill::service]
pub trait Greeter {
    async fn greet(&self, cx: Context, req: String) -> Result<String>;
    async fn greet(&self, cx: Context, req: u32) -> Result<String>;
}

fn main() {}
