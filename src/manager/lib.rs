//! The QKDN manager (ITU-T Y.3804 clause 9), to come: the crate is here so that Cargo holds who may depend on whom.
