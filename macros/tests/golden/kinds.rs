/// Talks.
#[service(package = "test.talk")]
pub trait Talk {
    /// Answers once.
    ///
    /// Politely.
    async fn say_hello(&self, cx: Context, req: Question) -> Result<Answer>;

    /// Notes it.
    #[rpc(oneway)]
    async fn note(&self, cx: Context, note: Question) -> Result<()>;

    async fn collect(&self, cx: Context, reader: AsyncReader<Question>) -> Result<Answer>;

    async fn explain(&self, cx: Context, _: Question, writer: AsyncWriter<Answer>) -> Result<()>;

    async fn discuss(&self, cx: Context, rw: trill::AsyncReaderWriter<Question, Answer>)
    -> trill::Result<()>;
}
