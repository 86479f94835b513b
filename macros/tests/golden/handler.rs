/// Greets.
#[service(crate = my::trill)]
#[cfg(unix)]
impl<D: Database> api::Greeter for MyGreeter<D>
where
    D: Clone,
{
    async fn say_hello(&self, cx: Context, req: Question) -> Result<Answer> {
        self.database.find(req).await
    }
}
