use trill::{Context, Result, Server};

#[trill::service]
pub trait Greeter {
    async fn greet(&self, cx: Context, req: String) -> Result<String>;
}

#[trill::service]
pub trait Waver {
    async fn wave(&self, cx: Context, req: String) -> Result<String>;
}

#[derive(Clone)]
struct Both;

#[trill::service]
impl Greeter for Both {
    async fn greet(&self, _: Context, req: String) -> Result<String> {
        Ok(req)
    }
}

#[trill::service]
impl Waver for Both {
    async fn wave(&self, _: Context, req: String) -> Result<String> {
        Ok(req)
    }
}

fn main() {
    let _ = Server::builder().service(GreeterServer::new(Both)).service(WaverServer::new(Both));
    let _ = Server::builder().service(Both);
}
