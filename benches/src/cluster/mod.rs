//! Systems that the program starts itself, and stops with itself.

mod child;
mod layout;
mod operator;
mod own;

pub(crate) use child::{Child, free_addresses};
pub(crate) use layout::{Layout, Shape};
pub(crate) use operator::Operator;
pub(crate) use own::{OwnCluster, program};
