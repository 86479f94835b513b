use trill::{Context, Result};

#[trill::service]
pub trait Greeter {
    async fn new(&self, cx: Context, req: String) -> Result<String>;
    async fn __greet(&self, cx: Context, req: String) -> Result<String>;
}

fn main() {}
