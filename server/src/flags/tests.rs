//! Scenarios over the whole of [`super::load`].
