//! The stream between controller and data plane: messages, IR conversion, delta algebra.
