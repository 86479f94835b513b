use trill::Context;

#[trill::service]
pub trait Greeter {
    async fn greet(&self, cx: Context, req: String) -> std::io::Result<String>;
}

fn main() {}
