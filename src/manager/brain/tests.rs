//! The brain as a whole: sequences of inputs and what comes of them.
