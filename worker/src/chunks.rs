//! How the work is cut: largest first onto the emptiest. A pure function.
