//! The crate under another name, in a program that has something else called `trill`.

mod vendor {
    pub use ::trill as rpc;
}

mod trill {}

use vendor::rpc::{Context, Result, Server};

#[vendor::rpc::service(package = "test", crate = crate::renamed_crate::vendor::rpc)]
pub trait Greeter {
    async fn greet(&self, cx: Context, req: String) -> Result<String>;
}

struct Polite;

#[vendor::rpc::service(crate = vendor::rpc)]
impl Greeter for Polite {
    async fn greet(&self, _: Context, req: String) -> Result<String> {
        Ok(req)
    }
}

#[test]
fn it_compiles() {
    let _builder = Server::builder().service(Polite);
}
