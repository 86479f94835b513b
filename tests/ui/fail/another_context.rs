use trill::Result;

#[trill::service]
pub trait Greeter {
    async fn greet(&self, cx: std::task::Context<'static>, req: String) -> Result<String>;
}

fn main() {}
