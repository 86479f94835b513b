use trill::{Context, Result};

#[trill::service]
pub trait Greeter {
    async fn greet(&self, cx: Context, req: String) -> Result<String>;
}

#[trill::service]
impl<T: AsRef<str> + Send + Sync + 'static> Greeter for T {
    async fn greet(&self, _: Context, _: String) -> Result<String> {
        Ok(self.as_ref().to_owned())
    }
}

fn main() {}
