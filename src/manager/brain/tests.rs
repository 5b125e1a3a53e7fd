//! The brain as a whole: sequences of inputs and what comes of them, against `tests/golden/y3804-*` (`UPDATE_GOLDEN=1` accepts what comes).

mod alarms;
mod configuration;
mod devices;
mod effect;
mod link_failure;
mod memory;
mod played;
mod property;
mod security;
mod world;
