use trill::{Context, Result};

#[trill::service]
pub trait Greeter<T> {
    async fn greet(&self, cx: Context, req: String) -> Result<T>;
}

#[trill::service]
pub trait Waver
where
    Self: Clone,
{
    async fn wave(&self, cx: Context, req: String) -> Result<String>;
}

fn main() {}
