//! Raw identifiers, wire names and aliases.

use trill::{Context, Result, Server};

#[trill::service(package = "test", name = "some_names")]
trait r#Trait {
    async fn r#type(&self, cx: Context, r#fn: u32) -> Result<String>;
    #[rpc(name = "GetURL", alias = "/v1/url", alias = "url")]
    async fn get_url(&self, cx: Context, req: u32) -> Result<String>;
    #[rpc(name = "New")]
    async fn new_(&self, cx: Context, _: u32) -> Result<String>;
    async fn message(&self, cx: Context, req: u32) -> Result<String>;
    async fn clone(&self, cx: Context, req: u32) -> Result<String>;
}

struct Named;

#[trill::service]
impl r#Trait for Named {
    async fn r#type(&self, cx: Context, r#fn: u32) -> Result<String> {
        Ok(format!("{} {}", cx.method(), r#fn))
    }

    async fn get_url(&self, cx: Context, _: u32) -> Result<String> {
        Ok(cx.method().to_owned())
    }

    async fn new_(&self, cx: Context, _: u32) -> Result<String> {
        Ok(cx.method().to_owned())
    }

    async fn message(&self, cx: Context, _: u32) -> Result<String> {
        Ok(cx.method().to_owned())
    }

    async fn clone(&self, cx: Context, _: u32) -> Result<String> {
        Ok(cx.method().to_owned())
    }
}

#[tokio::test]
async fn it_compiles_and_runs() -> Result<()> {
    let client = TraitClient::new(Server::builder().service(Named).in_memory()?);
    assert_eq!(client.r#type(3).await?, "/test.some_names/Type 3");
    assert_eq!(client.get_url(1).await?, "/test.some_names/GetURL");
    assert_eq!(client.new_(1).await?, "/test.some_names/New");
    assert_eq!(client.message(1).await?, "/test.some_names/Message");
    assert_eq!(client.clone(1).await?, "/test.some_names/Clone");
    Ok(())
}
