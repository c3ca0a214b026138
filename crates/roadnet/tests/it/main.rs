//! Imports as a whole: real maps where they are at hand, broken ones, and large ones.

mod broken;
mod lengths;
mod pbf;
mod scale;
mod shared;
