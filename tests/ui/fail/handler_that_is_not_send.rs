use trill::{Context, Result};

#[trill::service]
pub trait Greeter {
    async fn greet(&self, cx: Context, req: String) -> Result<String>;
}

struct Polite;

#[trill::service]
impl Greeter for Polite {
    async fn greet(&self, cx: Context, req: String) -> Result<String> {
        let shared = std::rc::Rc::new(req);
        cx.cancelled().await;
        Ok(shared.to_string())
    }
}

fn main() {}
