//! temporary
use proc_macro::TokenStream;
use quote::{format_ident, quote};
use syn::*;

/// temporary
#[proc_macro_attribute]
pub fn service(args: TokenStream, item: TokenStream) -> TokenStream {
    let args = args.to_string();
    let grab = |k: &str| args.split(',').find_map(|p| { let (a, b) = p.split_once('=')?; (a.trim() == k).then(|| b.trim().trim_matches('"').to_owned()) });
    match parse_macro_input!(item as Item) {
        Item::Trait(t) => tr(t, grab("package"), grab("name")).into(),
        Item::Impl(i) => {
            let ty = &i.self_ty; let path = i.trait_.clone().unwrap().0;
            quote!(#i const _: () = { #[doc(hidden)] #[derive(Debug)] pub struct Marker(());  impl ::trill::__private::IntoService<Marker> for #ty { fn into_service(self) -> ::std::sync::Arc<dyn ::trill::__private::Service> { <Self as #path>::__into_service(self) } } };).into()
        }
        _ => panic!(),
    }
}
fn inner(t: &Type, k: &str) -> Option<Vec<Type>> {
    if let Type::Path(p) = t { let s = p.path.segments.last()?; if s.ident == k { if let PathArguments::AngleBracketed(a) = &s.arguments { return Some(a.args.iter().filter_map(|a| if let GenericArgument::Type(t) = a { Some(t.clone()) } else { None }).collect()) } } } None
}
fn tr(mut t: ItemTrait, package: Option<String>, name: Option<String>) -> proc_macro2::TokenStream {
    let vis = t.vis.clone(); let id = t.ident.clone(); let server = format_ident!("{id}Server"); let client = format_ident!("{id}Client");
    let wire = name.unwrap_or(id.to_string()); let full = package.map_or(wire.clone(), |p| format!("{p}.{wire}"));
    t.supertraits.push(parse_quote!(::core::marker::Send)); t.supertraits.push(parse_quote!(::core::marker::Sync)); t.supertraits.push(parse_quote!('static));
    let (mut specs, mut arms, mut cl) = (vec![], vec![], vec![]);
    for (n, it) in t.items.iter_mut().enumerate() { let TraitItem::Fn(f) = it else { continue };
        let mut oneway = false; f.attrs.retain(|a| if a.path().is_ident("rpc") { oneway = quote!(#a).to_string().contains("oneway"); false } else { true });
        let m = f.sig.ident.clone(); f.sig.asyncness = None;
        let ReturnType::Type(_, out) = f.sig.output.clone() else { panic!() };
        let resp = inner(&out, "Result").unwrap().remove(0);
        f.sig.output = parse_quote!(-> impl ::core::future::Future<Output = #out> + ::core::marker::Send);
        let a: Vec<Type> = f.sig.inputs.iter().skip(2).map(|a| if let FnArg::Typed(p) = a { (*p.ty).clone() } else { panic!() }).collect();
        let camel: String = m.to_string().trim_start_matches("r#").split('_').map(|w| w[..1].to_uppercase() + &w[1..]).collect();
        let path = format!("/{full}/{camel}");
        let (kind, call, c) = if let Some(r) = inner(&a[0], "AsyncReader") { let q=&r[0]; ("ClientStream", quote!(call.client_stream(move |cx, r| async move { service.#m(cx, r).await })), quote!(pub fn #m(&self) -> ::trill::client::ClientStream<#q, #resp> { self.stub.client_stream(#n) })) }
        else if let Some(r) = inner(&a[0], "AsyncReaderWriter") { let (q, w)=(&r[0], &r[1]); ("Bidi", quote!(call.bidi(move |cx, r| async move { service.#m(cx, r).await })), quote!(pub fn #m(&self) -> ::trill::client::Bidi<#q, #w> { self.stub.bidi(#n) })) }
        else if a.len() == 2 { let q=&a[0]; let w = inner(&a[1], "AsyncWriter").unwrap().remove(0); ("ServerStream", quote!(call.server_stream(move |cx, q, r| async move { service.#m(cx, q, r).await })), quote!(pub fn #m(&self, r: #q) -> ::trill::client::ServerStream<#q, #w> { self.stub.server_stream(#n, r) })) }
        else if oneway { let q=&a[0]; ("OneWay", quote!(call.oneway(move |cx, r| async move { service.#m(cx, r).await })), quote!(pub fn #m(&self, r: #q) -> ::trill::client::OneWay<#q> { self.stub.oneway(#n, r) })) }
        else { let q=&a[0]; ("Unary", quote!(call.unary(move |cx, r| async move { service.#m(cx, r).await })), quote!(pub fn #m(&self, r: #q) -> ::trill::client::Unary<#q, #resp> { self.stub.unary(#n, r) })) };
        let kind = format_ident!("{kind}");
        specs.push(quote!(::trill::__private::MethodSpec { path: #path, kind: ::trill::__private::MethodKind::#kind, aliases: &[] }));
        arms.push(quote!(#n => #call,)); cl.push(c);
    }
    t.items.push(parse_quote!(#[doc(hidden)] fn __into_service(self) -> ::std::sync::Arc<dyn ::trill::__private::Service> where Self: Sized { ::std::sync::Arc::new(#server::new(self)) }));
    quote!(#t
        /// s
        #[derive(Debug)] #vis struct #server<T>(::std::sync::Arc<T>);
        impl<T: #id> #server<T> { /// s
            pub fn new(t: T) -> Self { Self(::std::sync::Arc::new(t)) } }
        const _: () = { static SPEC: ::trill::__private::ServiceSpec = ::trill::__private::ServiceSpec { name: #full, methods: &[#(#specs),*] };
        impl<T: #id> ::trill::__private::Service for #server<T> { fn spec(&self) -> &'static ::trill::__private::ServiceSpec { &SPEC }
            fn dispatch(&self, method: usize, call: ::trill::__private::ServerCall) { let service = ::std::sync::Arc::clone(&self.0); match method { #(#arms)* _ => call.unknown_method() } } }
        #[allow(missing_docs)] impl #client { pub fn new(channel: ::trill::Channel) -> Self { Self { stub: ::trill::__private::Stub::new(channel, &SPEC) } } #(#cl)* } };
        /// c
        #[derive(Clone, Debug)] #vis struct #client { stub: ::trill::__private::Stub }
    )
}
