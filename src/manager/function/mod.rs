//! The judgement of each function of the manager (clauses 9.2 and 9.3): values in, values out.
//!
//! What KMLM finds out of its layer is in its devices' [facts](crate::facts); XLMO's correlation over the layers is
//! [`layout`](crate::layout), [`topology`](crate::topology) and [`consistency`](crate::consistency).

pub mod qclm;
pub mod qlm;
pub mod xlmo;
