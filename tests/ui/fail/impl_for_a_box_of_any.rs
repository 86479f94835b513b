use trill::{Context, Result};

#[trill::service]
pub trait Greeter {
    async fn greet(&self, cx: Context, req: String) -> Result<String>;
}

#[trill::service]
impl<T: Greeter> Greeter for Box<T> {
    async fn greet(&self, cx: Context, req: String) -> Result<String> {
        (**self).greet(cx, req).await
    }
}

#[trill::service]
impl<T: Greeter> Greeter for &'static T {
    async fn greet(&self, cx: Context, req: String) -> Result<String> {
        (**self).greet(cx, req).await
    }
}

fn main() {}
