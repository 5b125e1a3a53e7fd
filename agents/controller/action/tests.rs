//! Tests of what actions mean.
