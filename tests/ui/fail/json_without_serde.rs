use trill::prost::Message;
use trill::{Context, Result};

#[derive(Clone, PartialEq, Message)]
#[prost(prost_path = "trill::prost")]
struct Question {
    #[prost(string, tag = "1")]
    text: String,
}

#[trill::service(package = "test", json)]
trait Asker {
    async fn ask(&self, cx: Context, req: Question) -> Result<String>;
}

fn main() {}

struct Oracle;

#[trill::service]
impl Asker for Oracle {
    async fn ask(&self, _: Context, _: Question) -> Result<String> {
        Ok(String::new())
    }
}
