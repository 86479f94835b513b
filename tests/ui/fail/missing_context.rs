use trill::{Context, Result};

#[trill::service]
pub trait Greeter {
    async fn greet(&self, req: String) -> Result<String>;
    async fn part(&self) -> Result<String>;
    async fn wave(&self, req: String, cx: Context) -> Result<String>;
}

fn main() {}
