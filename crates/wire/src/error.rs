//! What can be wrong with bytes from outside.

/// Bytes that are not what they should be.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum DecodeError {
    /// Not this protobuf message at all.
    #[error("not a valid protobuf message: {0}")]
    Malformed(#[from] prost::DecodeError),
    /// A field that must be there is not.
    #[error("field {0} is missing")]
    Missing(&'static str),
    /// A field's value is outside what it can be.
    #[error("field {field}: {value} is not possible")]
    OutOfRange {
        /// The field.
        field: &'static str,
        /// What it held.
        value: String,
    },
}

impl DecodeError {
    pub(crate) fn out_of_range(field: &'static str, value: impl ToString) -> Self {
        Self::OutOfRange { field, value: value.to_string() }
    }
}
