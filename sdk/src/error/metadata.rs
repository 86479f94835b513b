//! Errors of keys of metadata, for handlers that pass them on.

use crate::metadata::MetadataError;

use super::{At, Error, ErrorKind, Origin, Reason};

impl From<MetadataError> for Error {
    fn from(error: MetadataError) -> Self {
        let failure = Reason::Encode.at(At::ServerCall);
        Self::new(ErrorKind::Encode, Origin::Caller, failure, error.to_string()).with_source(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::Metadata;

    #[test]
    fn the_error_of_a_key_is_the_callers_own_and_keeps_its_text() {
        let refused = Metadata::try_from([("te", "trailers")]).unwrap_err();
        let error = Error::from(refused.clone());
        assert_eq!((error.kind(), error.origin()), (ErrorKind::Encode, Origin::Caller));
        assert_eq!(error.message(), refused.to_string());
    }
}
