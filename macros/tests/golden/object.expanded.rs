// object.rs, expanded.
/// Talks.
#[cfg(unix)]
#[allow(dead_code)]
pub trait Talk: Named + ::core::marker::Send + ::core::marker::Sync + 'static {
    fn r#type(
        &self,
        cx: Context,
        req: Question,
    ) -> impl ::core::future::Future<Output = Result<Answer>> + ::core::marker::Send;
    #[cfg(feature = "extra")]
    #[deprecated]
    fn explain(
        &self,
        _: Context,
        req: Question,
        writer: AsyncWriter<Answer>,
    ) -> impl ::core::future::Future<Output = Result<()>> + ::core::marker::Send;
    fn collect(
        &self,
        _cx: Context,
        mut reader: AsyncReader<Question>,
    ) -> impl ::core::future::Future<Output = Result<Answer>> + ::core::marker::Send {
        async move {
            reader.read().await?;
            Ok(Answer)
        }
    }
    #[doc(hidden)]
    fn __into_service(self) -> ::std::sync::Arc<dyn ::trill::__private::Service>
    where
        Self: ::core::marker::Sized,
    {
        ::std::sync::Arc::new(TalkServer::new(self))
    }
}
#[cfg(unix)]
enum __TalkMethod {
    r#type,
    #[cfg(feature = "extra")]
    explain,
    collect,
}
#[cfg(unix)]
impl __TalkMethod {
    const __SPEC: ::trill::__private::ServiceSpec = ::trill::__private::ServiceSpec {
        name: "test.Talk",
        methods: &[
            ::trill::__private::MethodSpec {
                path: "/test.Talk/Type",
                kind: ::trill::__private::MethodKind::Unary,
                aliases: &[],
                json: false,
            },
            #[cfg(feature = "extra")]
            ::trill::__private::MethodSpec {
                path: "/test.Talk/Explain",
                kind: ::trill::__private::MethodKind::ServerStream,
                aliases: &[],
                json: false,
            },
            ::trill::__private::MethodSpec {
                path: "/test.Talk/Collect",
                kind: ::trill::__private::MethodKind::ClientStream,
                aliases: &[],
                json: false,
            },
        ],
    };
    fn __message<T: ::trill::Message>() {}
}
#[cfg(unix)]
/// Serves a [`Talk`] as `test.Talk`: give it to `Server::builder().service(..)`. Clones share the one service.
pub struct TalkServer<T> {
    service: ::std::sync::Arc<T>,
}
#[cfg(unix)]
impl<T: Talk> TalkServer<T> {
    /// Makes a server of a [`Talk`].
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
#[cfg(unix)]
impl<T> ::core::clone::Clone for TalkServer<T> {
    fn clone(&self) -> Self {
        Self {
            service: ::core::clone::Clone::clone(&self.service),
        }
    }
}
#[cfg(unix)]
impl<T> ::core::fmt::Debug for TalkServer<T> {
    fn fmt(&self, __f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        __f.debug_struct("TalkServer").finish_non_exhaustive()
    }
}
#[cfg(unix)]
impl<T: Talk> ::trill::__private::Service for TalkServer<T> {
    fn spec(&self) -> &'static ::trill::__private::ServiceSpec {
        &__TalkMethod::__SPEC
    }
    fn dispatch(
        &self,
        __method: usize,
        __call: ::trill::__private::ServerCall,
    ) -> ::trill::__private::Started {
        let __service = ::core::clone::Clone::clone(&self.service);
        match __method {
            _ if __method == __TalkMethod::r#type as usize => {
                __TalkMethod::__message::<Question>();
                __TalkMethod::__message::<Answer>();
                __call
                    .unary::<
                        Question,
                        Answer,
                        _,
                        _,
                    >(move |__cx, __request| async move {
                        <T as Talk>::r#type(&__service, __cx, __request).await
                    })
            }
            #[cfg(feature = "extra")]
            _ if __method == __TalkMethod::explain as usize => {
                __TalkMethod::__message::<Question>();
                __TalkMethod::__message::<Answer>();
                #[allow(deprecated, reason = "it is served all the same")]
                __call
                    .server_stream::<
                        Question,
                        Answer,
                        _,
                        _,
                    >(move |__cx, __request, __writer| async move {
                        <T as Talk>::explain(&__service, __cx, __request, __writer).await
                    })
            }
            _ if __method == __TalkMethod::collect as usize => {
                __TalkMethod::__message::<Question>();
                __TalkMethod::__message::<Answer>();
                __call
                    .client_stream::<
                        Question,
                        Answer,
                        _,
                        _,
                    >(move |__cx, __reader| async move {
                        <T as Talk>::collect(&__service, __cx, __reader).await
                    })
            }
            _ => __call.unknown_method(),
        }
    }
}
#[cfg(unix)]
/// Calls a [`Talk`], which is `test.Talk` on the wire. Clones are cheap and share the channel.
#[derive(::core::clone::Clone, ::core::fmt::Debug)]
pub struct TalkClient {
    stub: ::trill::__private::Stub,
}
#[cfg(unix)]
impl TalkClient {
    /// Makes a client of the service behind `channel`.
    #[must_use]
    pub fn new(channel: ::trill::Channel) -> Self {
        Self {
            stub: ::trill::__private::Stub::new(channel, &__TalkMethod::__SPEC),
        }
    }
    /// Unary call of `/test.Talk/Type`: await it for the answer.
    pub fn r#type(&self, req: Question) -> ::trill::client::Unary<Question, Answer> {
        __TalkMethod::__message::<Question>();
        __TalkMethod::__message::<Answer>();
        self.stub.unary::<Question, Answer>(__TalkMethod::r#type as usize, req)
    }
    #[cfg(feature = "extra")]
    #[deprecated]
    ///
    /// Server stream `/test.Talk/Explain`: await it for the reader of the answers.
    pub fn explain(
        &self,
        req: Question,
    ) -> ::trill::client::ServerStream<Question, Answer> {
        __TalkMethod::__message::<Question>();
        __TalkMethod::__message::<Answer>();
        self.stub.server_stream::<Question, Answer>(__TalkMethod::explain as usize, req)
    }
    /// Client stream `/test.Talk/Collect`: await it for the writer of the requests, and the answer to come.
    pub fn collect(&self) -> ::trill::client::ClientStream<Question, Answer> {
        __TalkMethod::__message::<Question>();
        __TalkMethod::__message::<Answer>();
        self.stub.client_stream::<Question, Answer>(__TalkMethod::collect as usize)
    }
}
#[cfg(unix)]
impl ::core::convert::From<::trill::Channel> for TalkClient {
    fn from(__channel: ::trill::Channel) -> Self {
        Self::new(__channel)
    }
}
#[cfg(unix)]
/// A [`Talk`] behind `dyn`. Each type that implements [`Talk`] is one, and an `Arc<dyn DynTalk>` or `Box<dyn DynTalk>` is a [`Talk`]: it can be served, and its methods called. A call allocates its future.
#[allow(dead_code)]
pub trait DynTalk: Named + ::core::marker::Send + ::core::marker::Sync + 'static {
    #[doc(hidden)]
    fn __type(
        &self,
        __0: Context,
        __1: Question,
    ) -> ::core::pin::Pin<
        ::std::boxed::Box<
            dyn ::core::future::Future<
                Output = Result<Answer>,
            > + ::core::marker::Send + '_,
        >,
    >;
    #[cfg(feature = "extra")]
    #[doc(hidden)]
    fn __explain(
        &self,
        __0: Context,
        __1: Question,
        __2: AsyncWriter<Answer>,
    ) -> ::core::pin::Pin<
        ::std::boxed::Box<
            dyn ::core::future::Future<Output = Result<()>> + ::core::marker::Send + '_,
        >,
    >;
    #[doc(hidden)]
    fn __collect(
        &self,
        __0: Context,
        __1: AsyncReader<Question>,
    ) -> ::core::pin::Pin<
        ::std::boxed::Box<
            dyn ::core::future::Future<
                Output = Result<Answer>,
            > + ::core::marker::Send + '_,
        >,
    >;
}
#[cfg(unix)]
impl<T: Talk> DynTalk for T {
    fn __type(
        &self,
        __0: Context,
        __1: Question,
    ) -> ::core::pin::Pin<
        ::std::boxed::Box<
            dyn ::core::future::Future<
                Output = Result<Answer>,
            > + ::core::marker::Send + '_,
        >,
    > {
        ::std::boxed::Box::pin(<T as Talk>::r#type(self, __0, __1))
    }
    #[cfg(feature = "extra")]
    #[allow(deprecated, reason = "it is handed on all the same")]
    fn __explain(
        &self,
        __0: Context,
        __1: Question,
        __2: AsyncWriter<Answer>,
    ) -> ::core::pin::Pin<
        ::std::boxed::Box<
            dyn ::core::future::Future<Output = Result<()>> + ::core::marker::Send + '_,
        >,
    > {
        ::std::boxed::Box::pin(<T as Talk>::explain(self, __0, __1, __2))
    }
    fn __collect(
        &self,
        __0: Context,
        __1: AsyncReader<Question>,
    ) -> ::core::pin::Pin<
        ::std::boxed::Box<
            dyn ::core::future::Future<
                Output = Result<Answer>,
            > + ::core::marker::Send + '_,
        >,
    > {
        ::std::boxed::Box::pin(<T as Talk>::collect(self, __0, __1))
    }
}
#[cfg(unix)]
impl Talk for ::std::sync::Arc<dyn DynTalk> {
    fn r#type(
        &self,
        __0: Context,
        __1: Question,
    ) -> impl ::core::future::Future<Output = Result<Answer>> + ::core::marker::Send {
        <dyn DynTalk as DynTalk>::__type(&**self, __0, __1)
    }
    #[cfg(feature = "extra")]
    #[allow(deprecated, reason = "it is handed on all the same")]
    fn explain(
        &self,
        __0: Context,
        __1: Question,
        __2: AsyncWriter<Answer>,
    ) -> impl ::core::future::Future<Output = Result<()>> + ::core::marker::Send {
        <dyn DynTalk as DynTalk>::__explain(&**self, __0, __1, __2)
    }
    fn collect(
        &self,
        __0: Context,
        __1: AsyncReader<Question>,
    ) -> impl ::core::future::Future<Output = Result<Answer>> + ::core::marker::Send {
        <dyn DynTalk as DynTalk>::__collect(&**self, __0, __1)
    }
}
#[cfg(unix)]
const _: () = {
    #[derive(::core::fmt::Debug)]
    pub enum __Marker {}
    impl ::trill::__private::IntoService<__Marker> for ::std::sync::Arc<dyn DynTalk> {
        fn into_service(self) -> ::std::sync::Arc<dyn ::trill::__private::Service> {
            ::std::sync::Arc::new(TalkServer::new(self))
        }
    }
};
#[cfg(unix)]
impl Talk for ::std::boxed::Box<dyn DynTalk> {
    fn r#type(
        &self,
        __0: Context,
        __1: Question,
    ) -> impl ::core::future::Future<Output = Result<Answer>> + ::core::marker::Send {
        <dyn DynTalk as DynTalk>::__type(&**self, __0, __1)
    }
    #[cfg(feature = "extra")]
    #[allow(deprecated, reason = "it is handed on all the same")]
    fn explain(
        &self,
        __0: Context,
        __1: Question,
        __2: AsyncWriter<Answer>,
    ) -> impl ::core::future::Future<Output = Result<()>> + ::core::marker::Send {
        <dyn DynTalk as DynTalk>::__explain(&**self, __0, __1, __2)
    }
    fn collect(
        &self,
        __0: Context,
        __1: AsyncReader<Question>,
    ) -> impl ::core::future::Future<Output = Result<Answer>> + ::core::marker::Send {
        <dyn DynTalk as DynTalk>::__collect(&**self, __0, __1)
    }
}
#[cfg(unix)]
const _: () = {
    #[derive(::core::fmt::Debug)]
    pub enum __Marker {}
    impl ::trill::__private::IntoService<__Marker> for ::std::boxed::Box<dyn DynTalk> {
        fn into_service(self) -> ::std::sync::Arc<dyn ::trill::__private::Service> {
            ::std::sync::Arc::new(TalkServer::new(self))
        }
    }
};
