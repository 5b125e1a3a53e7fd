//! Noise for simulated devices: seeded, the same on every machine and for ever, and no source of keys.

/// SplitMix64 (Steele, Lea and Flood, 2014), written out because a library may change its sequence between releases.
#[derive(Clone, Debug)]
pub struct Noise(u64);

impl Noise {
    pub fn seeded(seed: u64) -> Self {
        Noise(seed)
    }

    /// Uniform in [0, 1).
    pub fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        (z >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Normal with mean 0 and standard deviation 1 (Box and Muller).
    pub fn normal(&mut self) -> f64 {
        let (radius, angle) = (1.0 - self.uniform(), self.uniform());
        (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
    }
}

/// A value that wanders about zero (Ornstein and Uhlenbeck), as room temperature and fibre do.
#[derive(Clone, Debug)]
pub struct Drift {
    value: f64,
    deviation: f64,
    /// Time after which it has forgotten where it was, in steps.
    memory: f64,
}

impl Drift {
    /// At rest; in the long run with this standard deviation.
    pub fn new(deviation: f64, memory: f64) -> Self {
        Drift { value: 0.0, deviation, memory }
    }

    pub fn value(&self) -> f64 {
        self.value
    }

    pub fn step(&mut self, noise: &mut Noise) {
        let kept = (-1.0 / self.memory).exp();
        self.value = self.value * kept + self.deviation * (1.0 - kept * kept).sqrt() * noise.normal();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_is_the_published_one() {
        // First outputs of SplitMix64 from seed 1234567: 6457827717110365317, 3203168211198807973.
        let mut noise = Noise::seeded(1234567);
        let expected = [6457827717110365317u64, 3203168211198807973];
        assert!(expected.iter().all(|n| noise.uniform() == (n >> 11) as f64 / (1u64 << 53) as f64));
    }

    #[test]
    fn normal_and_drift_have_the_deviation_they_promise() {
        let mut noise = Noise::seeded(1);
        let mut drift = Drift::new(2.0, 10.0);
        let (mut plain, mut wandering) = (Vec::new(), Vec::new());
        for _ in 0..100_000 {
            plain.push(noise.normal());
            drift.step(&mut noise);
            wandering.push(drift.value());
        }
        let deviation = |values: &[f64]| {
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64).sqrt()
        };
        assert!((deviation(&plain) - 1.0).abs() < 0.02);
        assert!((deviation(&wandering) - 2.0).abs() < 0.1);
    }
}
