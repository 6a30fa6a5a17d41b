//! The drivers that run actors in production: real disks, sockets and clocks.
//!
//! ```text
//!            application ports                      HostHandle::try_send, Host::add_port
//!                  │   ▲
//!                  ▼   │
//!   ┌────────────── host ──────────────┐            one task; actors, timers, loopback queue
//!   │  turn: inputs ► steps ► turn end │
//!   └──┬────────────────────────────┬──┘
//!      │ records                    │ messages
//!      ▼                            ▼
//!   disk thread                 Transport           TcpTransport, or ChannelTransport in one program
//!      │ one pwrite, one fdatasync
//!      ▼
//!   Storage                                         FileLog in a DataDir
//! ```
//!
//! A program opens its [`DataDir`], opens the [`FileLog`] in it, agrees with the other processes on
//! who is who ([`found`], once in the life of a cluster), starts the transport, and hands actors,
//! transport and log to a [`Host`].

mod backup_file;
mod channel;
mod data_dir;
mod durable_file;
mod file_log;
mod founding;
mod host;
mod join;
mod stopped_dir;
mod tcp;

pub use backup_file::{BackupHeader, BackupReader, BackupSummary, BackupWriter};
pub use channel::{ChannelTransport, Network};
pub use data_dir::{DataDir, Identity, NAME_BYTES_MAX, random_u64};
pub use file_log::{FileLog, FileLogOptions, LogStats};
pub use founding::{Charter, Roster, found, found_together};
pub use host::{Host, HostHandle, HostOptions, HostStats, Port, SendError};
pub use join::{Joined, News, inquire, join};
pub use stopped_dir::StoppedDir;
pub use tcp::{
    Candidate, Candidates, Connections, Directory, DirectoryHandle, Listener, Process, TcpOptions,
    TcpStats, TcpTransport,
};
