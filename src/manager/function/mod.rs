//! The judgement of each function of the manager (clauses 9.2 and 9.3): values in, values out.

pub mod qclm;
pub mod qlm;
