//! Topologies: what a file may say, what it may not, and what follows from it.
