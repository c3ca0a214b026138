//! One link, fed and emptied by hand.

use super::*;

/// A link of cars with what comes in and goes out each second.
struct Pipe {
    stream: Stream,
    scratch: Vec<(f64, f64)>,
    next: u64,
    debt_in: f64,
    debt_out: f64,
}

impl Pipe {
    fn new(diagram: FundamentalDiagram, length_m: f64) -> Self {
        Self {
            stream: Stream::new(diagram, length_m),
            scratch: Vec::new(),
            next: 0,
            debt_in: 0.0,
            debt_out: 0.0,
        }
    }

    /// Plays a second in which up to so many MCU may come in and go out; returns how many cars went out.
    fn second(&mut self, mcu_in: f64, mcu_out: f64) -> u32 {
        self.stream.open();
        let mut out = 0;
        self.debt_out = (self.debt_out + mcu_out).min(mcu_out);
        let free = self.stream.free_now();
        while self.debt_out > 0.0
            && self.stream.exit_credit > 0.0
            && self.stream.vehicles.front().is_some_and(|v| v.at_m + free >= self.stream.length_m)
        {
            let gone = self.stream.leave(0).unwrap();
            let beyond = (gone.at_m + free - self.stream.length_m) / free;
            self.stream.tally.travelled(1.0 - beyond, self.stream.length_m - gone.at_m, 4.4);
            self.debt_out -= gone.mcu();
            out += 1;
        }
        self.debt_in = (self.debt_in + mcu_in).min(mcu_in.max(3.4));
        while self.debt_in > 0.0 && self.stream.admits() {
            self.next += 1;
            self.stream.set_out(motorcycle(self.next));
            self.debt_in -= 1.0;
        }
        self.stream.advance(&mut self.scratch);
        out
    }

    /// Plays so many seconds; returns how many motorcycles went out.
    fn play(&mut self, seconds: u32, mcu_in: f64, mcu_out: f64) -> u32 {
        (0..seconds).map(|_| self.second(mcu_in, mcu_out)).sum()
    }

    /// Returns flow (MCU/s) and density (MCU/m) over some minutes.
    fn measure(&mut self, mcu_in: f64, mcu_out: f64) -> (f64, f64) {
        self.stream.tally = Tally::default();
        self.play(300, mcu_in, mcu_out);
        let area = 300.0 * self.stream.length_m;
        (self.stream.tally.distance_m / area, self.stream.tally.sampled_s / area)
    }
}

const WIDE_OPEN: f64 = 1e9;

fn street() -> FundamentalDiagram {
    FundamentalDiagram::triangular(50.0 / 3.6, 3.0)
}

#[test]
fn steady_streams_lie_on_the_fundamental_diagram() {
    let diagram = street();
    for share in [0.2, 0.5, 0.8, 0.95] {
        let mut pipe = Pipe::new(diagram, 1500.0);
        pipe.play(400, share * 3.0, WIDE_OPEN);
        let (flow, density) = pipe.measure(share * 3.0, WIDE_OPEN);
        assert!((flow / diagram.flow_at(density) - 1.0).abs() < 0.03, "free {share}: {flow} at {density}");
        assert!((flow / (share * 3.0) - 1.0).abs() < 0.03, "free {share}: {flow}");
    }
    for share in [0.2, 0.5, 0.8] {
        let mut pipe = Pipe::new(diagram, 1500.0);
        pipe.play(2500, 3.0, share * 3.0);
        let (flow, density) = pipe.measure(3.0, share * 3.0);
        assert!((flow / (share * 3.0) - 1.0).abs() < 0.03, "congested {share}: {flow}");
        assert!(
            (flow / diagram.flow_at(density) - 1.0).abs() < 0.05,
            "congested {share}: {flow} at {density}"
        );
    }
}

/// Returns the slope of the points by least squares.
fn slope(points: &[(f64, f64)]) -> f64 {
    let n = points.len() as f64;
    let (mx, my) = (points.iter().map(|p| p.0).sum::<f64>() / n, points.iter().map(|p| p.1).sum::<f64>() / n);
    let covariance: f64 = points.iter().map(|p| (p.0 - mx) * (p.1 - my)).sum();
    covariance / points.iter().map(|p| (p.0 - mx).powi(2)).sum::<f64>()
}

#[test]
fn a_queues_tail_travels_as_rankine_and_hugoniot_say() {
    let diagram = street();
    for inflow in [0.8, 1.5, 2.4] {
        let mut pipe = Pipe::new(diagram, 3000.0);
        pipe.play(400, inflow, WIDE_OPEN);
        let mut tail = Vec::new();
        for second in 0..240 {
            pipe.second(inflow, 0.0);
            let standing = pipe.stream.vehicles.iter().filter(|v| v.speed_mps < 0.5 * diagram.free_mps);
            let last = standing.map(|v| v.at_m).fold(f64::INFINITY, f64::min);
            if second > 60 && last.is_finite() {
                tail.push((f64::from(second), last));
            }
        }
        let expected = -inflow / (diagram.jam_per_m - inflow / diagram.free_mps);
        let measured = slope(&tail);
        assert!(
            (measured / expected - 1.0).abs() < 0.05,
            "inflow {inflow}: {measured} m/s, expected {expected}"
        );
    }
}

#[test]
fn a_queue_starts_to_move_from_its_head_at_the_wave_speed() {
    let diagram = street();
    let mut pipe = Pipe::new(diagram, 1500.0);
    pipe.play(1500, 2.5, 0.0);
    let mut front = Vec::new();
    for second in 0..200 {
        pipe.second(0.0, WIDE_OPEN);
        let standing = pipe.stream.vehicles.iter().filter(|v| v.speed_mps < 0.5);
        let first = standing.map(|v| v.at_m).fold(0.0, f64::max);
        if second > 10 && first > 100.0 {
            front.push((f64::from(second), first));
        }
    }
    let measured = -slope(&front) * 3.6;
    assert!((15.0 * 0.95..15.0 * 1.05).contains(&measured), "{measured} km/h");
}

#[test]
fn a_queue_discharges_at_saturation_flow() {
    let diagram = street();
    let mut pipe = Pipe::new(diagram, 600.0);
    pipe.play(600, 2.5, 0.0);
    let out: u32 = pipe.play(60, 0.0, WIDE_OPEN);
    assert!((f64::from(out) / (60.0 * 3.0) - 1.0).abs() < 0.03, "{out} motorcycles in a minute");
}

#[test]
fn a_blocked_lane_lets_its_share_past() {
    let diagram = street();
    let mut pipe = Pipe::new(diagram, 1000.0);
    pipe.stream.blockage = Some(stream::Blockage { at_m: 600.0, share_left: 0.45, credit: 0.0 });
    pipe.play(300, 2.8, WIDE_OPEN);
    let out: u32 = pipe.play(300, 2.8, WIDE_OPEN);
    assert!((f64::from(out) / (300.0 * 3.0 * 0.45) - 1.0).abs() < 0.03, "{out} in 5 minutes");
    assert!(standing_or_slow(&pipe.stream, 0.0, 600.0) > 100, "a queue stands before the blockage");
    assert_eq!(standing_or_slow(&pipe.stream, 620.0, 1000.0), 0, "none beyond it");
}

fn standing_or_slow(stream: &Stream, from: f64, to: f64) -> usize {
    stream.vehicles.iter().filter(|v| (from..to).contains(&v.at_m) && v.speed_mps < 5.0).count()
}

#[test]
fn vehicles_keep_their_order_and_never_overlap() {
    let diagram = street();
    let mut pipe = Pipe::new(diagram, 800.0);
    for second in 0..900_u32 {
        let out = if second % 60 < 25 { WIDE_OPEN } else { 0.0 };
        pipe.second(1.6, out);
        let positions: Vec<f64> = pipe.stream.vehicles.iter().map(|v| v.at_m).collect();
        let least = 1.0 / diagram.jam_per_m;
        assert!(
            positions.windows(2).all(|pair| pair[0] - pair[1] > least - 1e-6),
            "closer than in a jam at {second} s"
        );
    }
}
