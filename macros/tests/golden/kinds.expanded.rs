// kinds.rs, expanded.
/// Talks.
#[allow(dead_code)]
pub trait Talk: ::core::marker::Send + ::core::marker::Sync + 'static {
    /// Answers once.
    ///
    /// Politely.
    fn say_hello(
        &self,
        cx: Context,
        req: Question,
    ) -> impl ::core::future::Future<Output = Result<Answer>> + ::core::marker::Send;
    /// Notes it.
    fn note(
        &self,
        cx: Context,
        note: Question,
    ) -> impl ::core::future::Future<Output = Result<()>> + ::core::marker::Send;
    fn collect(
        &self,
        cx: Context,
        reader: AsyncReader<Question>,
    ) -> impl ::core::future::Future<Output = Result<Answer>> + ::core::marker::Send;
    fn explain(
        &self,
        cx: Context,
        _: Question,
        writer: AsyncWriter<Answer>,
    ) -> impl ::core::future::Future<Output = Result<()>> + ::core::marker::Send;
    fn discuss(
        &self,
        cx: Context,
        rw: trill::AsyncReaderWriter<Question, Answer>,
    ) -> impl ::core::future::Future<Output = trill::Result<()>> + ::core::marker::Send;
    #[doc(hidden)]
    fn __into_service(self) -> ::std::sync::Arc<dyn ::trill::__private::Service>
    where
        Self: ::core::marker::Sized,
    {
        ::std::sync::Arc::new(TalkServer::new(self))
    }
}
enum __TalkMethod {
    say_hello,
    note,
    collect,
    explain,
    discuss,
}
impl __TalkMethod {
    const __SPEC: ::trill::__private::ServiceSpec = ::trill::__private::ServiceSpec {
        name: "test.talk.Talk",
        methods: &[
            ::trill::__private::MethodSpec {
                path: "/test.talk.Talk/SayHello",
                kind: ::trill::__private::MethodKind::Unary,
                aliases: &[],
                json: false,
            },
            ::trill::__private::MethodSpec {
                path: "/test.talk.Talk/Note",
                kind: ::trill::__private::MethodKind::OneWay,
                aliases: &[],
                json: false,
            },
            ::trill::__private::MethodSpec {
                path: "/test.talk.Talk/Collect",
                kind: ::trill::__private::MethodKind::ClientStream,
                aliases: &[],
                json: false,
            },
            ::trill::__private::MethodSpec {
                path: "/test.talk.Talk/Explain",
                kind: ::trill::__private::MethodKind::ServerStream,
                aliases: &[],
                json: false,
            },
            ::trill::__private::MethodSpec {
                path: "/test.talk.Talk/Discuss",
                kind: ::trill::__private::MethodKind::Bidi,
                aliases: &[],
                json: false,
            },
        ],
    };
    fn __message<T: ::trill::Message>() {}
}
/// Serves a [`Talk`] as `test.talk.Talk`: give it to `Server::builder().service(..)`. Clones share the one service.
pub struct TalkServer<T> {
    service: ::std::sync::Arc<T>,
}
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
impl<T> ::core::clone::Clone for TalkServer<T> {
    fn clone(&self) -> Self {
        Self {
            service: ::core::clone::Clone::clone(&self.service),
        }
    }
}
impl<T> ::core::fmt::Debug for TalkServer<T> {
    fn fmt(&self, __f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        __f.debug_struct("TalkServer").finish_non_exhaustive()
    }
}
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
            _ if __method == __TalkMethod::say_hello as usize => {
                __TalkMethod::__message::<Question>();
                __TalkMethod::__message::<Answer>();
                __call
                    .unary::<
                        Question,
                        Answer,
                        _,
                        _,
                    >(move |__cx, __request| async move {
                        <T as Talk>::say_hello(&__service, __cx, __request).await
                    })
            }
            _ if __method == __TalkMethod::note as usize => {
                __TalkMethod::__message::<Question>();
                __call
                    .oneway::<
                        Question,
                        _,
                        _,
                    >(move |__cx, __request| async move {
                        <T as Talk>::note(&__service, __cx, __request).await
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
            _ if __method == __TalkMethod::explain as usize => {
                __TalkMethod::__message::<Question>();
                __TalkMethod::__message::<Answer>();
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
            _ if __method == __TalkMethod::discuss as usize => {
                __TalkMethod::__message::<Question>();
                __TalkMethod::__message::<Answer>();
                __call
                    .bidi::<
                        Question,
                        Answer,
                        _,
                        _,
                    >(move |__cx, __rw| async move {
                        <T as Talk>::discuss(&__service, __cx, __rw).await
                    })
            }
            _ => __call.unknown_method(),
        }
    }
}
/// Calls a [`Talk`], which is `test.talk.Talk` on the wire. Clones are cheap and share the channel.
#[derive(::core::clone::Clone, ::core::fmt::Debug)]
pub struct TalkClient {
    stub: ::trill::__private::Stub,
}
impl TalkClient {
    /// Makes a client of the service behind `channel`.
    #[must_use]
    pub fn new(channel: ::trill::Channel) -> Self {
        Self {
            stub: ::trill::__private::Stub::new(channel, &__TalkMethod::__SPEC),
        }
    }
    /// Answers once.
    ///
    /// Politely.
    ///
    /// Unary call of `/test.talk.Talk/SayHello`: await it for the answer.
    pub fn say_hello(&self, req: Question) -> ::trill::client::Unary<Question, Answer> {
        __TalkMethod::__message::<Question>();
        __TalkMethod::__message::<Answer>();
        self.stub.unary::<Question, Answer>(__TalkMethod::say_hello as usize, req)
    }
    /// Notes it.
    ///
    /// One-way call of `/test.talk.Talk/Note`: await it until the request is on its way. Nobody answers.
    pub fn note(&self, note: Question) -> ::trill::client::OneWay<Question> {
        __TalkMethod::__message::<Question>();
        self.stub.oneway::<Question>(__TalkMethod::note as usize, note)
    }
    /// Client stream `/test.talk.Talk/Collect`: await it for the writer of the requests, and the answer to come.
    pub fn collect(&self) -> ::trill::client::ClientStream<Question, Answer> {
        __TalkMethod::__message::<Question>();
        __TalkMethod::__message::<Answer>();
        self.stub.client_stream::<Question, Answer>(__TalkMethod::collect as usize)
    }
    /// Server stream `/test.talk.Talk/Explain`: await it for the reader of the answers.
    pub fn explain(
        &self,
        __request: Question,
    ) -> ::trill::client::ServerStream<Question, Answer> {
        __TalkMethod::__message::<Question>();
        __TalkMethod::__message::<Answer>();
        self.stub
            .server_stream::<Question, Answer>(__TalkMethod::explain as usize, __request)
    }
    /// Bidirectional stream `/test.talk.Talk/Discuss`: await it for the reader of the answers and writer of the requests.
    pub fn discuss(&self) -> ::trill::client::Bidi<Question, Answer> {
        __TalkMethod::__message::<Question>();
        __TalkMethod::__message::<Answer>();
        self.stub.bidi::<Question, Answer>(__TalkMethod::discuss as usize)
    }
}
impl ::core::convert::From<::trill::Channel> for TalkClient {
    fn from(__channel: ::trill::Channel) -> Self {
        Self::new(__channel)
    }
}
