//! Systems that the program starts itself, and stops with itself.

mod child;
mod etcd;
mod layout;
mod operator;
mod own;
mod redis;

pub(crate) use child::{Child, free_addresses};
pub(crate) use etcd::EtcdCluster;
pub(crate) use layout::{Layout, Shape};
pub(crate) use operator::Operator;
pub(crate) use own::{OwnCluster, program};
pub(crate) use redis::RedisServer;
