use trill::{Context, Result};

struct Polite;

#[trill::service]
impl Polite {
    pub async fn greet(&self, _: Context, req: String) -> Result<String> {
        Ok(req)
    }
}

fn main() {}
