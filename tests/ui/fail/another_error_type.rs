use trill::Context;

pub struct Failure;

#[trill::service]
pub trait Greeter {
    async fn greet(&self, cx: Context, req: String) -> Result<String, Failure>;
}

fn main() {}
