use trill::{Context, Result};

#[trill::service]
pub trait Greeter {
    const LIMIT: usize;
    type Request;
    async fn greet(&self, cx: Context, req: String) -> Result<String>;
}

fn main() {}
