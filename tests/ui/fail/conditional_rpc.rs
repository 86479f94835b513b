use trill::{Context, Result};

#[trill::service]
pub trait Greeter {
    #[cfg_attr(unix, rpc(oneway))]
    async fn wave(&self, cx: Context, req: String) -> Result<()>;
}

fn main() {}
