use trill::{Context, Result};

#[trill::service]
pub trait Greeter {
    async fn greet(cx: Context, req: String) -> Result<String>;
}

fn main() {}
