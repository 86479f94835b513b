use std::sync::Arc;

use trill::{Context, Result, Server};

#[trill::service(package = "test", dyn)]
trait Greeter: Clone {
    async fn greet(&self, cx: Context, req: String) -> Result<String>;
}

/// Any supertrait is one of the `Arc` and the `Box`, too.
trait Named {}

#[trill::service(package = "test", dyn)]
trait Waver: Named {
    async fn wave(&self, cx: Context, req: String) -> Result<String>;
}

fn serve(greeter: Arc<dyn DynGreeter>) {
    drop(Server::builder().service(greeter));
}

fn main() {}
