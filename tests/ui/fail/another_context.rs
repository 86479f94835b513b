use trill::Result;

pub struct Context;

#[trill::service]
pub trait Greeter {
    async fn greet(&self, cx: Context, req: String) -> Result<String>;
}

fn main() {}
