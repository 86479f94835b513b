//! The tables that `#[trill::service]` fills in.

/// A service: its name on the wire and its methods.
#[derive(Debug, PartialEq, Eq)]
pub struct ServiceSpec {
    /// `package.Service`.
    pub name: &'static str,
    /// The methods, in the order of the trait.
    pub methods: &'static [MethodSpec],
}

/// A method: its path on the wire and its kind.
#[derive(Debug, PartialEq, Eq)]
pub struct MethodSpec {
    /// `/package.Service/Method`.
    pub path: &'static str,
    /// Which of the five kinds of call it is.
    pub kind: MethodKind,
    /// Other paths under which it can be called.
    pub aliases: &'static [&'static str],
    /// The method takes JSON beside protobuf.
    pub json: bool,
}

/// The kinds of call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MethodKind {
    /// One request, one answer.
    Unary,
    /// One request, no answer.
    OneWay,
    /// Many requests, one answer.
    ClientStream,
    /// One request, many answers.
    ServerStream,
    /// Many requests, many answers.
    Bidi,
}

impl MethodKind {
    pub(crate) fn is_stream(self) -> bool {
        !matches!(self, Self::Unary | Self::OneWay)
    }
}
