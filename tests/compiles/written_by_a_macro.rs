//! A trait whose names and types come from another macro.

use trill::{AsyncReader, Context, Result, Server};

macro_rules! service {
    ($name:ident, $method:ident, $request:ty, $answer:ty, $package:literal) => {
        #[trill::service(package = $package)]
        trait $name {
            async fn $method(&self, cx: Context, req: $request) -> Result<$answer>;
            async fn collect(&self, cx: Context, reader: AsyncReader<$request>) -> Result<$answer>;
        }
    };
}

service!(Greeter, greet, String, u64, "test");

struct Polite;

#[trill::service]
impl Greeter for Polite {
    async fn greet(&self, _: Context, req: String) -> Result<u64> {
        Ok(req.len() as u64)
    }

    async fn collect(&self, _: Context, _: AsyncReader<String>) -> Result<u64> {
        Ok(0)
    }
}

#[test]
fn it_compiles() {
    let _builder = Server::builder().service(Polite);
}
