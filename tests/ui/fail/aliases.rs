use trill::{AsyncReaderWriter, Context as Cx, Result};

type Rw = AsyncReaderWriter<String, String>;

#[trill::service]
pub trait OfTheContext {
    async fn greet(&self, cx: Cx, req: String) -> Result<String>;
}

#[trill::service]
pub trait OfAHandle {
    async fn discuss(&self, cx: trill::Context, rw: Rw) -> Result<()>;
}

fn main() {}
