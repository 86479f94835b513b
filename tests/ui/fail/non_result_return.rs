use trill::Context;

#[trill::service]
pub trait Greeter {
    async fn greet(&self, cx: Context, req: String) -> String;
    async fn part(&self, cx: Context, req: String);
}

fn main() {}
