use trill::{Context, Result};

#[trill::service]
pub trait Greeter {
    async fn greet(self, cx: Context, req: String) -> Result<String>;
    async fn greet_all(self: std::sync::Arc<Self>, cx: Context, req: String) -> Result<String>;
}

fn main() {}
