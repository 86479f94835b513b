use trill::{Context, Result};

#[trill::service]
pub trait Greeter {
    async fn greet(&self, cx: &Context, req: String) -> Result<String>;
    async fn part(&self, cx: Context, req: &String) -> Result<String>;
    async fn wave(&self, cx: Context, req: std::borrow::Cow<'_, str>) -> Result<()>;
    async fn nod(&self, cx: Context, req: String) -> Result<&'static str>;
}

fn main() {}
