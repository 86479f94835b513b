use trill::{Context, Result};

#[trill::service]
pub trait Greeter {
    async fn greet(&self, cx: Context, req: String) -> Result<String>;
}

struct Rude;

pub fn serve() -> GreeterServer<Rude> {
    GreeterServer::new(Rude)
}

fn main() {}
