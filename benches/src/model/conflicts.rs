//! More and more commands that write to one key (Simple BPaxos, section 6).

use simulator::capacity::Placement;

use super::scaling::PAPER_MULTIPAXOS;
use super::{Frame, Point};
use crate::error::Outcome;

/// Proposers of BPaxos.
pub(crate) const PROPOSERS: usize = 5;

/// Of a thousand commands, how many write to the one key. The others read other keys.
const SHARES: [u64; 5] = [0, 20, 100, 500, 1000];

/// Such shares, and the median of windows of a second with f = 1.
const PAPER: [(u64, f64); 3] = [(0, 66_900.0), (20, 65_200.0), (100, 59_900.0)];

/// Each share with both protocols, in a cluster whose modules are apart.
///
/// *Errors*: as [`scaling`](super::scaling()).
pub(crate) fn conflicts(
    frame: &Frame,
    mut tell: impl FnMut(&str) -> Outcome<()>,
) -> Outcome<Vec<Point>> {
    let mut points = Vec::new();
    for share in SHARES {
        tell(&format!("{} % of the commands write to one key", share / 10))?;
        let mut setup = frame.setup(frame.size(PROPOSERS, Placement::Modular));
        setup.load.hot_permille = share;
        let (mut point, _) = frame.bpaxos("modular", &setup)?;
        let published = PAPER.iter().find(|(of, _)| frame.failures == 1 && *of == share);
        point.paper = published.map(|(_, rate)| *rate);
        points.push(point);
        setup.size = frame.size(frame.failures + 1, Placement::Modular);
        let (mut point, _) = frame.multipaxos("modular", &setup)?;
        point.paper = (frame.failures == 1 && share == 0).then_some(PAPER_MULTIPAXOS);
        points.push(point);
    }
    Ok(points)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::tests::small;

    #[test]
    fn nothing_stalls_whatever_the_share() {
        let points = conflicts(&small(), |_| Ok(())).expect("all have leaders");
        assert_eq!(points.len(), 2 * SHARES.len());
        for point in points {
            assert!(point.commands_per_second > 1000.0 && point.gap_ms < 1.0, "{point:?}");
        }
    }
}
