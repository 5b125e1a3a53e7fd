//! Whole programs: `qkdn` started as a user would, talked to over real SSH, killed, and given bad input.

#[path = "system/bad_input.rs"]
mod bad_input;
#[path = "system/kill.rs"]
mod kill;
#[path = "system/program.rs"]
mod program;
