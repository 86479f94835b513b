/// Talks.
#[service(package = "test", dyn)]
#[cfg(unix)]
pub trait Talk: Named {
    async fn r#type(&self, cx: Context, req: Question) -> Result<Answer>;

    #[cfg(feature = "extra")]
    #[deprecated]
    async fn explain(&self, _: Context, req: Question, writer: AsyncWriter<Answer>) -> Result<()>;

    async fn collect(&self, _cx: Context, mut reader: AsyncReader<Question>) -> Result<Answer> {
        reader.read().await?;
        Ok(Answer)
    }
}
