//! `<close-session>` (RFC 6241 section 7.8).

use super::parameters::Parameters;
use super::{Outcome, Reply};
use crate::xml::Element;

pub fn perform(operation: Element<'_>) -> Reply {
    Parameters::read(operation, &[])?;
    Ok(Outcome::Close)
}
