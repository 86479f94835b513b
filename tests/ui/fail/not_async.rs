use trill::{Context, Result};

#[trill::service]
pub trait Greeter {
    fn greet(&self, cx: Context, req: String) -> Result<String>;
}

// The implementation is right, so there is nothing to say about it.
#[trill::service]
impl Greeter for () {
    async fn greet(&self, _: Context, req: String) -> Result<String> {
        Ok(req)
    }
}

fn main() {}
