//! One suite for both backends (`conformance`), and what only one of them can show.

mod conformance;
mod local;
mod local_crash;
mod support;
