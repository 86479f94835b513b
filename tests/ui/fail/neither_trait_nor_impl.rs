use trill::{Context, Result};

/// Greets.
#[trill::service]
async fn greet(_: Context, req: String) -> Result<String> {
    Ok(req)
}

#[trill::service]
pub struct Greeter;

fn main() {}
