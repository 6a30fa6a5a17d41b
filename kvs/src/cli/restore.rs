//! `kvs restore`.

use std::path::{Path, PathBuf};

use clap::Args;
use kvs::backup::{Contents, Source, restoring};
use kvs::deployment::{ClusterFile, NodeFile};

use super::Outcome;
use super::output::print;

/// Prepare nodes of a new cluster, so that it begins with the state in a backup.
///
/// Write the file of the new cluster with `kvs init`: it has a name of its own. Then, before the first
/// start, prepare *every* node of it from the same backup, each on its machine, and start them all:
///
///   kvs restore --from FILE --config cluster.toml --node n1
///   kvs serve --config cluster.toml --node n1
///
/// Nodes that were not prepared, or from another backup, do not start with the others. Data directories
/// that exist are refused. Versions of values go on from where they were; clients connect anew.
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(super) struct Restore {
    /// The backup, from `kvs backup` or `kvs recover`.
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
    /// Only read the whole file, and tell what is in it.
    #[arg(long, conflicts_with_all = ["config", "node", "data"])]
    check: bool,
    /// Cluster file of the new cluster.
    #[arg(long, value_name = "FILE", default_value = "cluster.toml")]
    config: PathBuf,
    /// The nodes to prepare here, by name.
    #[arg(long, value_name = "NODES", value_delimiter = ',', required_unless_present = "check")]
    node: Vec<String>,
    /// Data directory, instead of the one in the file; for a single node.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

impl Restore {
    pub(super) fn run(self) -> Outcome<()> {
        let contents = Contents::read(&self.from)?;
        if self.check {
            return print(described(&self.from, &contents));
        }
        let file = ClusterFile::read(&self.config)?;
        restoring::check(&contents, &file)?;
        if self.data.is_some() && self.node.len() > 1 {
            return Err("--data names one directory: prepare one node with it".into());
        }
        let nodes: Result<Vec<(&NodeFile, &PathBuf)>, _> =
            self.node.iter().map(|name| self.data_of(file.node(name)?)).collect();
        for (node, data) in nodes? {
            restoring::restore(&self.from, &contents, &file, node, data)?;
            print(format_args!("{} is prepared in {}", node.name, data.display()))?;
        }
        let others = file.nodes.iter().map(|node| node.name.as_str());
        let others: Vec<&str> =
            others.filter(|name| self.node.iter().all(|node| node != name)).collect();
        if !others.is_empty() {
            let others = others.join(", ");
            print(format_args!("prepare {others} from the same file, if they are not yet"))?;
        }
        print("then start all nodes: the first start needs all of them")
    }

    fn data_of<'a>(&'a self, node: &'a NodeFile) -> Outcome<(&'a NodeFile, &'a PathBuf)> {
        let data = self.data.as_ref().or(node.data.as_ref());
        let data = data.ok_or_else(|| {
            format!("`{}` has no `data` directory in the file: give --data", node.name)
        })?;
        Ok((node, data))
    }
}

fn described(path: &Path, contents: &Contents) -> String {
    let Contents { header, notes, counts, summary } = contents;
    let source = match &notes.source {
        Source::Served(node) => format!("{node}, which served"),
        Source::Recovered { nodes, may_lack: false } => {
            format!("the data directories of {}", nodes.join(", "))
        }
        Source::Recovered { nodes, may_lack: true } => format!(
            "the data directories of {}; SOMETHING THAT WAS ACKNOWLEDGED MAY BE MISSING",
            nodes.join(", ")
        ),
    };
    format!(
        "file          {}: whole, checksum {:08x}\n\
         cluster       {}\n\
         taken         at unix time {}.{:03}\n\
         from          {source}\n\
         state         after all slots below {}\n\
         keys          {}, of which {} have a time to live\n\
         bytes         {} in {} parts; values of {} bytes at most",
        path.display(),
        summary.checksum,
        header.cluster,
        header.taken_ms / 1000,
        header.taken_ms % 1000,
        header.slot,
        counts.keys,
        counts.expiring,
        summary.part_bytes,
        summary.part_count,
        notes.value_bytes_max
    )
}
