use std::sync::Arc;

use trill::{Context, Result};

#[trill::service]
pub trait Greeter {
    async fn greet(&self, cx: Context, req: String) -> Result<String>;
}

struct Polite;

#[trill::service]
impl Greeter for Polite {
    async fn greet(&self, _: Context, req: String) -> Result<String> {
        Ok(req)
    }
}

pub fn serve() -> Result<trill::Channel> {
    let shared = Arc::new(Polite);
    trill::Server::builder().service(GreeterServer::from_arc(Arc::clone(&shared))).in_memory()?;
    trill::Server::builder().service(shared).in_memory()
}

fn main() {}
