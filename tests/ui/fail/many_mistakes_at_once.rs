use trill::{AsyncReader, AsyncWriter, Context, Result};

#[trill::service(package = "")]
pub trait Greeter {
    #[rpc(two_way)]
    fn greet(self, req: &String) -> String;
    async fn discuss(
        &self,
        cx: Context,
        reader: AsyncReader<String>,
        writer: AsyncWriter<String>,
    ) -> Result<()>;
    async fn right(&self, cx: Context, req: String) -> Result<String>;
}

// What the mistakes do not touch still compiles.
pub async fn call(channel: trill::Channel) -> Result<String> {
    GreeterClient::new(channel).right(String::new()).await
}

fn main() {}
