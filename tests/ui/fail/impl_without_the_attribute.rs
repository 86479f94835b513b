use trill::{Context, Result};

#[trill::service]
pub trait Greeter {
    async fn greet(&self, cx: Context, req: String) -> Result<String>;
}

struct Polite;

impl Greeter for Polite {
    async fn greet(&self, _: Context, req: String) -> Result<String> {
        Ok(req)
    }
}

pub fn serve() -> Result<trill::Channel> {
    trill::Server::builder().service(Polite).in_memory()
}

fn main() {}
