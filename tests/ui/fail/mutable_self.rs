use trill::{Context, Result};

#[trill::service]
pub trait Greeter {
    async fn greet(&mut self, cx: Context, req: String) -> Result<String>;
}

fn main() {}
