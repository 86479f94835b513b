//! What a user writes is warned of, once, and nothing that is generated.
#![deny(deprecated)]

use trill::{Channel, Context, Result, Server};

#[trill::service]
#[deprecated = "use Newer"]
pub trait Old {
    async fn ask(&self, cx: Context, req: String) -> Result<String>;
}

#[trill::service]
pub trait Newer {
    #[deprecated = "use ask"]
    async fn inquire(&self, cx: Context, req: String) -> Result<String>;
    async fn ask(&self, cx: Context, req: String) -> Result<String>;
}

struct Mine;

#[trill::service]
impl Old for Mine {
    async fn ask(&self, _: Context, req: String) -> Result<String> {
        Ok(req)
    }
}

struct Other;

#[trill::service]
impl Newer for Other {
    async fn inquire(&self, _: Context, req: String) -> Result<String> {
        Ok(req)
    }

    async fn ask(&self, _: Context, req: String) -> Result<String> {
        Ok(req)
    }
}

fn call(channel: Channel) {
    let _ = OldClient::new(channel.clone());
    let _ = NewerClient::new(channel.clone()).ask(String::new());
    let _ = NewerClient::new(channel).inquire(String::new());
    let _ = Server::builder().service(OldServer::new(Mine)).service(Other);
}

fn main() {
    let _ = call;
}
