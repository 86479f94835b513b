// mistakes.rs, expanded.
::core::compile_error! {
    "whether an argument is `mut` is the implementation's business; remove it here"
}
::core::compile_error! {
    "every call can fail; write `-> Result<Answer>`"
}
::core::compile_error! {
    "a handler waits without blocking its thread; write `async fn`"
}
::core::compile_error! {
    "the service has a method `right` already; rename one of the two"
}
#[allow(dead_code)]
pub trait Mistaken: ::core::marker::Send + ::core::marker::Sync + 'static {
    fn right(
        &self,
        cx: Context,
        req: Question,
    ) -> impl ::core::future::Future<Output = Result<Answer>> + ::core::marker::Send;
    fn wrong(
        &self,
        cx: Context,
        reader: AsyncReader<Question>,
    ) -> impl ::core::future::Future<Output = Answer> + ::core::marker::Send;
    fn not_async(
        &self,
        cx: Context,
        req: Question,
    ) -> impl ::core::future::Future<Output = Result<Answer>> + ::core::marker::Send;
    #[doc(hidden)]
    fn __into_service(self) -> ::std::sync::Arc<dyn ::trill::__private::Service>
    where
        Self: ::core::marker::Sized,
    {
        ::std::sync::Arc::new(MistakenServer::new(self))
    }
}
enum __MistakenMethod {
    right,
    not_async,
}
impl __MistakenMethod {
    const __SPEC: ::trill::__private::ServiceSpec = ::trill::__private::ServiceSpec {
        name: "test.Mistaken",
        methods: &[
            ::trill::__private::MethodSpec {
                path: "/test.Mistaken/Right",
                kind: ::trill::__private::MethodKind::Unary,
                aliases: &[],
                json: false,
            },
            ::trill::__private::MethodSpec {
                path: "/test.Mistaken/NotAsync",
                kind: ::trill::__private::MethodKind::Unary,
                aliases: &[],
                json: false,
            },
        ],
    };
    fn __message<T: ::trill::Message>() {}
}
/// Serves a [`Mistaken`] as `test.Mistaken`: give it to `Server::builder().service(..)`. Clones share the one service.
pub struct MistakenServer<T> {
    service: ::std::sync::Arc<T>,
}
impl<T: ::core::marker::Send + ::core::marker::Sync + 'static> MistakenServer<T> {
    /// Makes a server of a [`Mistaken`].
    #[must_use]
    pub fn new(service: T) -> Self {
        Self::from_arc(::std::sync::Arc::new(service))
    }
    /// Makes a server of a service that is used elsewhere, too.
    #[must_use]
    pub fn from_arc(service: ::std::sync::Arc<T>) -> Self {
        Self { service }
    }
}
impl<T> ::core::clone::Clone for MistakenServer<T> {
    fn clone(&self) -> Self {
        Self {
            service: ::core::clone::Clone::clone(&self.service),
        }
    }
}
impl<T> ::core::fmt::Debug for MistakenServer<T> {
    fn fmt(&self, __f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        __f.debug_struct("MistakenServer").finish_non_exhaustive()
    }
}
impl<
    T: ::core::marker::Send + ::core::marker::Sync + 'static,
> ::trill::__private::Service for MistakenServer<T> {
    fn spec(&self) -> &'static ::trill::__private::ServiceSpec {
        &__MistakenMethod::__SPEC
    }
    fn dispatch(
        &self,
        __method: usize,
        __call: ::trill::__private::ServerCall,
    ) -> ::trill::__private::Started {
        let _ = __method;
        __call.unknown_method()
    }
}
/// Calls a [`Mistaken`], which is `test.Mistaken` on the wire. Clones are cheap and share the channel.
#[derive(::core::clone::Clone, ::core::fmt::Debug)]
pub struct MistakenClient {
    stub: ::trill::__private::Stub,
}
impl MistakenClient {
    /// Makes a client of the service behind `channel`.
    #[must_use]
    pub fn new(channel: ::trill::Channel) -> Self {
        Self {
            stub: ::trill::__private::Stub::new(channel, &__MistakenMethod::__SPEC),
        }
    }
    /// Unary call of `/test.Mistaken/Right`: await it for the answer.
    pub fn right(&self, req: Question) -> ::trill::client::Unary<Question, Answer> {
        __MistakenMethod::__message::<Question>();
        __MistakenMethod::__message::<Answer>();
        self.stub.unary::<Question, Answer>(__MistakenMethod::right as usize, req)
    }
    /// Unary call of `/test.Mistaken/NotAsync`: await it for the answer.
    pub fn not_async(&self, req: Question) -> ::trill::client::Unary<Question, Answer> {
        __MistakenMethod::__message::<Question>();
        __MistakenMethod::__message::<Answer>();
        self.stub.unary::<Question, Answer>(__MistakenMethod::not_async as usize, req)
    }
}
impl ::core::convert::From<::trill::Channel> for MistakenClient {
    fn from(__channel: ::trill::Channel) -> Self {
        Self::new(__channel)
    }
}
