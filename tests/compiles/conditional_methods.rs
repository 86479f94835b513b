//! A method that is not compiled leaves no gap in the table, and its types need not exist.

use trill::{Context, Result, Server};

#[trill::service(package = "test")]
trait Conditional {
    #[cfg(any())]
    async fn absent(&self, cx: Context, req: Missing) -> Result<Missing>;
    async fn first(&self, cx: Context, req: u32) -> Result<String>;
    #[cfg(not(any()))]
    async fn either(&self, cx: Context, req: u32) -> Result<String>;
    #[cfg(not(all()))]
    async fn either(&self, cx: Context, req: String) -> Result<String>;
    #[cfg(any())]
    async fn absent_too(&self, cx: Context, req: Missing) -> Result<Missing>;
    async fn last(&self, cx: Context, req: u32) -> Result<String>;
}

struct Present;

#[trill::service]
impl Conditional for Present {
    #[cfg(any())]
    async fn absent(&self, _: Context, req: Missing) -> Result<Missing> {
        Ok(req)
    }

    async fn first(&self, cx: Context, _: u32) -> Result<String> {
        Ok(cx.method().to_owned())
    }

    async fn either(&self, cx: Context, _: u32) -> Result<String> {
        Ok(cx.method().to_owned())
    }

    async fn last(&self, cx: Context, _: u32) -> Result<String> {
        Ok(cx.method().to_owned())
    }
}

#[trill::service]
#[cfg(any())]
trait Absent {
    async fn absent(&self, cx: Context, req: Missing) -> Result<Missing>;
}

#[trill::service]
#[cfg(any())]
impl Absent for Present {}

#[tokio::test]
async fn it_compiles_and_runs() -> Result<()> {
    let client = ConditionalClient::new(Server::builder().service(Present).in_memory()?);
    assert_eq!(client.first(1).await?, "/test.Conditional/First");
    assert_eq!(client.either(1).await?, "/test.Conditional/Either");
    assert_eq!(client.last(1).await?, "/test.Conditional/Last");
    Ok(())
}
