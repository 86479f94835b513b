use trill::{Context, Result};

#[trill::service]
pub trait Greeter {
    async fn greet(&self, cx: Context, first_name: String, last_name: String) -> Result<String>;
}

fn main() {}
