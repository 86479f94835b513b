use trill::{Context, Result};

#[trill::service]
pub trait Greeter {
    async fn greet<T>(&self, cx: Context, req: String) -> Result<String>;
    async fn part<'a>(&self, cx: Context, req: String) -> Result<String>;
    async fn wave(&self, cx: Context, req: String) -> Result<String>
    where
        String: Clone;
}

fn main() {}
