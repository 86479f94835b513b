use trill::{AsyncReaderWriter, Context, Result};

#[trill::service]
pub trait Greeter {
    async fn discuss(&self, cx: Context, req: String, rw: AsyncReaderWriter<String, String>) -> Result<()>;
}

fn main() {}
