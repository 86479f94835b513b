//! The model of a service, once it is understood.

use proc_macro2::Span;
use syn::{Attribute, Ident, Path, Type, Visibility};

/// A service.
pub(crate) struct Service {
    /// Where generated code finds trill.
    pub(crate) krate: Path,
    /// The attributes that every generated item carries: the `#[cfg]`s of the trait.
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) ident: Ident,
    /// The trait's deprecation, which its server and its client repeat.
    pub(crate) deprecated: Vec<Attribute>,
    /// `package.Service`.
    pub(crate) wire_name: String,
    /// The name of a type parameter in generated code, which the trait does not mention.
    pub(crate) parameter: Ident,
    /// The service can be served and held behind `dyn`.
    pub(crate) object: bool,
    pub(crate) methods: Vec<Method>,
}

/// A method of a service.
pub(crate) struct Method {
    pub(crate) ident: Ident,
    /// `/package.Service/Method`.
    pub(crate) path: String,
    pub(crate) aliases: Vec<String>,
    pub(crate) shape: Shape,
    /// The method takes JSON beside protobuf.
    pub(crate) json: bool,
    /// Where the context stands.
    pub(crate) context: Span,
    /// The name of the argument of the client's method, if it has one.
    pub(crate) argument: Option<Ident>,
    pub(crate) cfgs: Vec<Attribute>,
    /// The attributes of the trait's method that the client's repeats: docs and deprecation.
    pub(crate) docs: Vec<Attribute>,
}

impl Method {
    pub(crate) fn is_deprecated(&self) -> bool {
        self.docs.iter().any(|attribute| attribute.path().is_ident("deprecated"))
    }
}

/// The kind of a method, and the types of its messages.
pub(crate) struct Shape {
    pub(crate) kind: Kind,
    pub(crate) request: Type,
    pub(crate) answer: Type,
}

/// The kinds of call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `(req) -> answer`
    Unary,
    /// `(req)`, marked as `oneway`
    OneWay,
    /// `(reader) -> answer`
    ClientStream,
    /// `(req, writer)`
    ServerStream,
    /// `(rw)`
    Bidi,
}

impl Kind {
    pub(crate) fn is_stream(self) -> bool {
        !matches!(self, Self::Unary | Self::OneWay)
    }
}

/// An `impl` of a service trait.
pub(crate) struct Handler {
    /// Where generated code finds trill.
    pub(crate) krate: Path,
    /// The `#[cfg]`s of the `impl`.
    pub(crate) cfgs: Vec<Attribute>,
    /// The trait.
    pub(crate) service: Path,
}
