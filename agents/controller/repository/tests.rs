//! Tests of the repository of actions.
