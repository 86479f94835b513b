use trill::{Context, Result};

#[trill::service]
pub trait Greeter {
    async fn greet(&self, cx: Context, req: impl trill::Message) -> Result<String>;
}

fn main() {}
