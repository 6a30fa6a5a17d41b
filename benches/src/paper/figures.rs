//! What the authors published: in the paper, and in the data beside their programs.
//!
//! What they call interquartile range is from the median to the third quartile; theirs and ours are
//! shown that way, and ours in full as well.

/// Median, and the distance from it to the third quartile, where it was published.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Figure {
    pub(super) median: f64,
    pub(super) upper: Option<f64>,
}

const fn figure(median: f64, upper: f64) -> Figure {
    Figure { median, upper: Some(upper) }
}

const fn median(median: f64) -> Figure {
    Figure { median, upper: None }
}

/// Latency in milliseconds and commands per second before and during reconfigurations.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Published {
    pub(super) failures: u16,
    pub(super) clients: usize,
    pub(super) latency: [Figure; 2],
    pub(super) throughput: [Figure; 2],
    /// Commands per second while one acceptor is dead, where it was published.
    pub(super) dead: Option<f64>,
}

const fn row(
    (failures, clients): (u16, usize),
    latency: [Figure; 2],
    throughput: [Figure; 2],
    dead: Option<f64>,
) -> Published {
    Published { failures, clients, latency, throughput, dead }
}

/// Acceptors replaced once a second.
pub(super) const ACCEPTORS: [Published; 6] = [
    row(
        (1, 1),
        [figure(0.292, 0.040), figure(0.287, 0.026)],
        [figure(2995.0, 152.0), figure(3177.0, 53.0)],
        Some(835.0),
    ),
    row(
        (1, 4),
        [figure(0.317, 0.029), figure(0.321, 0.036)],
        [figure(11874.0, 175.0), figure(11478.0, 145.0)],
        Some(2500.0),
    ),
    row(
        (1, 8),
        [figure(0.398, 0.036), figure(0.410, 0.039)],
        [figure(19146.0, 140.0), figure(18446.0, 373.0)],
        None,
    ),
    row((2, 1), [median(0.242), median(0.242)], [median(3790.0), median(3794.0)], None),
    row((2, 4), [median(0.317), median(0.312)], [median(8850.0), median(9002.0)], None),
    row((2, 8), [median(0.682), median(0.690)], [median(11422.0), median(11322.0)], Some(3956.0)),
];

/// Matchmakers replaced once a second.
pub(super) const MATCHMAKERS: [Published; 6] = [
    row(
        (1, 1),
        [figure(0.297, 0.032), figure(0.292, 0.024)],
        [figure(3019.0, 41.0), figure(3147.0, 51.0)],
        None,
    ),
    row(
        (1, 4),
        [figure(0.314, 0.031), figure(0.313, 0.030)],
        [figure(11631.0, 140.0), figure(11726.0, 145.0)],
        None,
    ),
    row(
        (1, 8),
        [figure(0.404, 0.035), figure(0.398, 0.028)],
        [figure(18569.0, 391.0), figure(19248.0, 71.0)],
        None,
    ),
    row((2, 1), [median(0.274), median(0.272)], [median(3353.0), median(3418.0)], None),
    row((2, 4), [median(0.401), median(0.401)], [median(9580.0), median(9624.0)], None),
    row((2, 8), [median(0.677), median(0.678)], [median(11453.0), median(11472.0)], None),
];

/// Clients, and the longest time between completions when the leader died, in seconds; with an
/// election timeout of five.
pub(super) const OUTAGES: [(usize, f64); 3] = [(1, 4.09), (4, 4.02), (8, 4.03)];

/// Clients; median latency in milliseconds and commands per second, sent to a quorum of the
/// acceptors; the same, sent to all of them.
pub(super) const GROWTH: [(usize, [f64; 2], [f64; 2]); 10] = [
    (1, [0.221, 4298.0], [0.212, 4322.0]),
    (2, [0.231, 8243.0], [0.228, 8119.0]),
    (4, [0.260, 14798.0], [0.271, 14011.0]),
    (5, [0.295, 16595.0], [0.316, 15250.0]),
    (10, [0.458, 21348.0], [0.530, 18240.0]),
    (25, [1.10, 21955.0], [1.22, 18953.0]),
    (50, [1.95, 25176.0], [2.28, 21931.0]),
    (100, [4.14, 23019.0], [4.29, 22276.0]),
    (200, [8.31, 22013.0], [8.75, 20505.0]),
    (500, [20.1, 23469.0], [22.6, 21330.0]),
];
