//! One binary for all integration tests of ingest.

mod bad_input;
mod city;
mod golden;
